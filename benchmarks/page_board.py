"""How soon a leaderboard of 1,000 rows is painted, and how soon it follows a filter, beside one of 10 rows.

`python benchmarks/page_board.py` fills a Hub on this machine with made-up rows, opens the page in Chromium, and prints
a table, then one JSON object on its last line. A filter's time runs from the key to the frame that shows the new rows.
It needs the extras `space`, `rehearse` and `dev` and a Chromium (`--chromium PATH`).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.page_paint import FIRST_PAINT, FLAGS, free_port, wait_for  # noqa: E402
from hub_toolkit.hub.leaderboard.store import BoardRepos, change_table  # noqa: E402
from hub_toolkit.leaderboard.board import Board, open_board  # noqa: E402
from hub_toolkit.leaderboard.events import make_event  # noqa: E402
from hub_toolkit.leaderboard.rank import Receipt, TableRow, make_table_row  # noqa: E402
from hub_toolkit.leaderboard.score import score_submission  # noqa: E402
from hub_toolkit.leaderboard.submission import read_submission  # noqa: E402
from tests.hub_server import HubServer  # noqa: E402

OWNER = "personamem"
NUM_SCORED, NUM_ROWS, NUM_FEW, NUM_PAINTS, NUM_FILTERS = 12, 1_000, 10, 5, 20
LICENCES, CONTEXTS, SIZES = ("mit", "apache-2.0", "cc-by-4.0"), ("32k", "memory", "rag", "none"), (0.6, 4, 8, 70)

WATCH = """() => {
  const table = document.querySelector('#pm-board-table');
  window.pmShown = (act, isDone) => new Promise((resolve) => {
    const start = performance.now();
    const look = () => isDone(table) && (watcher.disconnect(), requestAnimationFrame(() => setTimeout(
      () => resolve(performance.now() - start))));
    const watcher = new MutationObserver(look);
    watcher.observe(table, {subtree: true, childList: true, characterData: true});
    act();
  });
}"""
TYPE = """(text) => {
  const field = document.querySelector('#pm-board-search :is(textarea, input)');
  const before = document.querySelector('#pm-board-table .pm-count').parentElement.innerHTML;
  return window.pmShown(() => {
    field.value = text;
    field.dispatchEvent(new Event('input', {bubbles: true}));
  }, (table) => table.querySelector('.pm-count')?.parentElement.innerHTML !== before);
}"""
SORT = """(key) => window.pmShown(() => document.querySelector(`[data-sort="${key}"]`).click(),
  (table) => ['ascending', 'descending'].includes(table.querySelector(`[data-sort="${key}"]`)?.closest('th').ariaSort))
"""
ROWS_SHOWN = """() => new Promise((resolve) => {
  const look = () => document.querySelector('#pm-board-table tbody tr')
    ? requestAnimationFrame(() => setTimeout(() => resolve(performance.now()))) : setTimeout(look, 5);
  look();
})"""


def make_rows(board: Board, count: int) -> list[TableRow]:
    """Return rows of made-up systems: some are scored from answers, the others are variants of those."""
    source = random.Random("rows of the page")
    scored = [_score_row(board, share / NUM_SCORED, source) for share in range(NUM_SCORED)]
    return [_vary_row(scored[number % NUM_SCORED], number, source) for number in range(count)]


def _score_row(board: Board, share: float, source: random.Random) -> TableRow:
    lines = [
        {
            "sample_id": name,
            "output": f"\\boxed{{{question.gold if source.random() < share else source.choice('ABCD')}}}",
        }
        for name, question in board.questions.items()
    ]
    meta = {
        "name": "System",
        "model": "owner/model",
        "revision": "1" * 40,
        "dataset": board.dataset,
        "dataset_revision": board.revision,
        "protocol": board.protocol.name,
        "task": "mcq",
        "context": "memory",
        "harness": "benchmark 1.0",
        "licence": "mit",
        "contact": "nobody",
        "notes": "x" * 400,
    }
    predictions = "".join(f"{json.dumps(line)}\n" for line in lines).encode()
    submission = read_submission(predictions, json.dumps(meta).encode(), board)
    return make_table_row(submission, score_submission(submission, board), board, Receipt("nobody", "", "form"))


def _vary_row(row: TableRow, number: int, source: random.Random) -> TableRow:
    accuracy = min(1.0, max(0.0, row["accuracy"] + source.uniform(-0.05, 0.05)))
    return {
        **row,
        "submission": hashlib.sha256(f"row {number}".encode()).hexdigest(),
        "outputs": hashlib.sha256(f"outputs {number}".encode()).hexdigest(),
        "name": f"System {number}",
        "model": f"owner{number % 40}/model-{number}",
        "revision": f"{number:040x}",
        "submitter": f"sender{number % 90}",
        "time": f"2026-{1 + number % 12:02}-{1 + number % 28:02}T{number % 24:02}:00:00Z",
        "context": CONTEXTS[number % len(CONTEXTS)],
        "licence": LICENCES[number % len(LICENCES)],
        "parameters_b": SIZES[number % len(SIZES)],
        "cost_usd": 1.5,
        "input_tokens": float(source.randint(50, 100_000)),
        "output_tokens": 20.0,
        "accuracy": accuracy,
        "accuracy_low": max(0.0, accuracy - 0.05),
        "accuracy_high": min(1.0, accuracy + 0.05),
    }


def fill_board(hub: HubServer, rows: list[TableRow]) -> None:
    """Put rows into the table of a Hub's leaderboard, in one commit, with an event each."""
    from huggingface_hub import HfApi

    events = [
        make_event(row["submission"], "scored", who="benchmark", time=row["time"], reason="made up") for row in rows
    ]
    api = HfApi(endpoint=hub.url, token="hf_alice", library_name="personamem")
    change_table(api, BoardRepos.of(OWNER), lambda *_: (rows, events), message="Made-up rows")


@dataclass(frozen=True)
class Times:
    """Milliseconds: until the first paint of anything and until the rows are painted, of each filter and sorting."""

    paints: list[float]
    rows: list[float]
    filters: list[float]
    sortings: list[float]


def time_page(browser: Any, url: str, *, num_paints: int = NUM_PAINTS, num_filters: int = NUM_FILTERS) -> Times:
    """Open the leaderboard as new visitors, then filter and sort it."""
    times = Times([], [], [], [])
    for _ in range(num_paints):
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"{url}?tab=leaderboard", wait_until="commit")
        times.rows.append(float(page.evaluate(ROWS_SHOWN)))
        times.paints.append(float(page.evaluate(FIRST_PAINT)))
        if len(times.rows) == num_paints:
            page.evaluate(WATCH)
            for number in range(num_filters):
                times.filters.append(page.evaluate(TYPE, "" if number % 2 else f"system {number % 10}"))
                page.wait_for_timeout(150)  # the plots follow, as when somebody types
            for key in ("tokens", "accuracy", "licence", "context"):
                times.sortings.append(page.evaluate(SORT, key))
        context.close()
    return times


@contextmanager
def serve_board(folder: Path, rows: list[TableRow]) -> Iterator[tuple[str, int]]:
    """Serve a page whose leaderboard has these rows; yield its address and its process."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    with HubServer(folder / "hub") as hub:
        fill_board(hub, rows)
        env = {name: value for name, value in os.environ.items() if not name.startswith("PERSONAMEM_")}
        env |= {"HF_ENDPOINT": hub.url, "HF_TOKEN": "hf_alice", "HF_HOME": str(folder / "client")}
        env |= {"PERSONAMEM_LEADERBOARD": OWNER, "PERSONAMEM_CACHE": str(folder / "cache")}
        command = [sys.executable, "-m", "hub_toolkit.cli.main", "demo", "--port", str(port)]
        page = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=env, cwd=ROOT)
        try:
            wait_for(port, page)
            yield f"http://127.0.0.1:{port}/", page.pid
        finally:
            page.terminate()
            page.wait()


def memory_mb(pid: int) -> float:
    """Return how much memory a process holds now."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def measure(browser: Any, folder: Path, num_rows: int) -> dict[str, float]:
    with serve_board(folder, make_rows(open_board(), num_rows)) as (url, pid):
        before_mb = memory_mb(pid)
        times = time_page(browser, url)
        after_mb = memory_mb(pid)
    filters = sorted(times.filters)
    return {
        "num_rows": num_rows,
        "first_paint_ms": round(median(times.paints)),
        "rows_painted_ms": round(median(times.rows)),
        "rows_painted_worst_ms": round(max(times.rows)),
        "filter_p50_ms": round(median(filters)),
        "filter_p95_ms": round(filters[min(len(filters) - 1, int(0.95 * len(filters)))]),
        "sort_p50_ms": round(median(times.sortings)),
        "server_mb": round(after_mb),
        "server_idle_mb": round(before_mb),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=NUM_ROWS)
    parser.add_argument("--chromium", default=shutil.which("chromium") or shutil.which("google-chrome"))
    args = parser.parse_args()
    if not args.chromium:
        raise SystemExit("no Chromium: apt-get install chromium, or --chromium PATH")
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=args.chromium, args=FLAGS)
        few = measure(browser, Path(name) / "few", NUM_FEW)
        many = measure(browser, Path(name) / "many", args.rows)
        browser.close()
    print(f"{'':<24}{NUM_FEW:>8} rows{args.rows:>9} rows")
    for title in few:
        print(f"{title:<24}{few[title]:>13}{many[title]:>14}")
    ratios = {f"ratio_{title}": round(many[title] / few[title], 2) for title in ("rows_painted_ms", "filter_p50_ms")}
    print(json.dumps({**many, **ratios}))


if __name__ == "__main__":
    main()
