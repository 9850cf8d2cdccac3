"""Twenty visitors build memories at once: does a planted secret turn up elsewhere, and how long does a click take?

`python benchmarks/page_load.py` prints a table, then one JSON object on its last line. Every visitor uploads a history
with a secret of their own, builds the memory, and opens bullets meanwhile. `--idle` measures the clicks of one visitor
alone, to compare with. It needs the extras `space` and `dev`.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.page_paint import free_port, wait_for  # noqa: E402
from tests.page_visitor import PageVisitor  # noqa: E402

NUM_MESSAGES, NUM_CLICKS = 120, 6
THINGS = ("sourdough bread", "wool mittens", "night buses", "jazz records", "tomato seeds", "paper kites", "old maps")
SYLLABLES = ("ba", "de", "fi", "go", "lu", "ma", "ne", "pi", "ro", "tu", "va", "zo")


def name_secret(number: int) -> str:
    """Return a name that nobody else has; it looks like a name, since what looks like a key is never kept."""
    chance = random.Random(f"secret {number}")
    return "".join(chance.choice(SYLLABLES) for _ in range(6)).capitalize()


@dataclass
class Visit:
    """What one visitor did and saw; times in seconds."""

    secret: str
    build_s: float = 0.0
    clicks_s: list[float] = field(default_factory=list)
    seen: str = ""


def write_history(path: Path, secret: str, number: int) -> Path:
    """Write a history in which the secret is told three times, as something that is remembered."""
    chance = random.Random(f"load {number}")
    messages: list[dict[str, str]] = []
    for place in range(NUM_MESSAGES):
        thing = chance.choice(THINGS)
        text = f"What is the plural of {thing}, and how is line {place} of the poem about them spelt? " * 4
        if place % 40 == 5:
            text = f"I always call my favourite café {secret}, and I go there on Fridays."
        messages += [{"role": "user", "content": text}, {"role": "assistant", "content": "How nice."}]
    path.write_text(json.dumps(messages), "utf-8")
    return path


def visit(url: str, folder: Path, number: int, gate: threading.Barrier) -> Visit:
    """Upload, build, click."""
    done = Visit(name_secret(number))
    with PageVisitor(url) as page:
        page.values[page.component("pm-upload")] = page.upload(
            write_history(folder / f"visitor{number}.json", done.secret, number)
        )
        gate.wait(120)
        page.fire("pm-upload", "upload")
        started = time.perf_counter()
        page.fire("pm-build")
        done.build_s = time.perf_counter() - started
        for _ in range(NUM_CLICKS):
            started = time.perf_counter()
            page.fire("pm-memory", event_data={"bullet": "none"})
            done.clicks_s.append(time.perf_counter() - started)
        done.seen = page.seen_text
    return done


def run_visitors(url: str, folder: Path, num_visitors: int) -> list[Visit]:
    """Let visitors come at once."""
    gate = threading.Barrier(num_visitors)
    with ThreadPoolExecutor(num_visitors) as pool:
        return list(pool.map(lambda number: visit(url, folder, number, gate), range(num_visitors)))


def find_crosstalk(visits: list[Visit]) -> list[tuple[int, int]]:
    """Return who saw whose secret."""
    return [
        (seer, owner)
        for seer, one in enumerate(visits)
        for owner, other in enumerate(visits)
        if seer != owner and other.secret in one.seen
    ]


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def measure(num_visitors: int) -> dict[str, Any]:
    port = free_port()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        env = {**os.environ, "PERSONAMEM_CACHE": name, "GRADIO_TEMP_DIR": str(folder / "uploads")}
        command = [sys.executable, "-m", "hub_toolkit.cli.main", "demo", "--port", str(port)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env, cwd=ROOT)
        try:
            wait_for(port, process)
            started = time.perf_counter()
            visits = run_visitors(f"http://127.0.0.1:{port}/", folder, num_visitors)
            whole_s = time.perf_counter() - started
        finally:
            process.terminate()
            process.wait()
    clicks = [click for one in visits for click in one.clicks_s]
    return {
        "visitors": num_visitors,
        "whole_s": round(whole_s, 2),
        "build_p50_s": round(percentile([one.build_s for one in visits], 0.5), 2),
        "build_p95_s": round(percentile([one.build_s for one in visits], 0.95), 2),
        "click_p50_ms": round(1000 * percentile(clicks, 0.5)),
        "click_p95_ms": round(1000 * percentile(clicks, 0.95)),
        "saw_their_own": sum(one.secret in one.seen for one in visits),
        "crosstalk": find_crosstalk(visits),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--visitors", type=int, default=20)
    parser.add_argument("--idle", action="store_true", help="also measure one visitor alone")
    args = parser.parse_args()
    results = ([measure(1)] if args.idle else []) + [measure(args.visitors)]
    names = [name for name in results[0] if name != "crosstalk"]
    print("".join(f"{name:>16}" for name in names))
    for result in results:
        print("".join(f"{result[name]:>16}" for name in names))
        print(f"secrets seen by others: {len(result['crosstalk'])}")
    print(json.dumps(results[-1] | ({"alone_click_p95_ms": results[0]["click_p95_ms"]} if args.idle else {})))


if __name__ == "__main__":
    main()
