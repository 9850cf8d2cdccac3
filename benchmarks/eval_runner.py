"""What the runner costs: 5,000 questions on 200 personas with histories of 130 kB, 64 connections, a server that waits.

`python benchmarks/eval_runner.py` writes a dataset of the published size, starts `mock_server.py`, and measures from
outside, in processes of their own: our runner with whole histories at 2 s and at 0.1 s a call, our runner with
memories, the published loop (a sample of its questions, times what is missing: it asks one after the other, so that
all figures but the memory peak grow with the questions), and inspect_ai, stock and tuned, where `--inspect-python`
names a Python that has it. Prints a table and, on its last line, the figures as JSON.

`--faults` plays each fault of an endpoint and prints what happened and what was counted. `--base-url` measures our
runner against another server, of which only the client's side is known. `--quick` is a small run of everything.

Ideal is calls, divided by connections and rounded up, times the latency. Wall, CPU and memory are those of the client's
process as the system counts them, its start and the reading of the data included; `+ms` is CPU a call beyond the start,
which the line of one question shows. Tokens are a quarter of the bytes that the server got. Folder: all that the run
left but `samples.jsonl`, the replies in its journal and the memories.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.mock_server import FAULTS, RunningMock
from benchmarks.published_size import write_dataset
from hub_toolkit.answer.mcq import pose_question, question_messages
from hub_toolkit.evaluate.plan import EvalConfig, plan_evaluation
from hub_toolkit.evaluate.questions import load_questions
from hub_toolkit.evaluate.request_log import read_logs

HERE = Path(__file__).parent
ROOT = HERE.parent
LINE = "{:<26}{:>7}{:>9}{:>9}{:>9}{:>7}{:>9}{:>9}{:>7}{:>8}{:>8}{:>8}"
TITLES = (
    "",
    "calls",
    "Mtokens",
    "wall s",
    "ideal s",
    "ratio",
    "CPU s",
    "ms/call",
    "+ms",
    "peak MB",
    "folder",
    "shared",
)
MB = 1e6
START = "ours, one question"


@dataclass(frozen=True)
class Load:
    """How much is asked, over how many connections."""

    data: Path
    num_rows: int
    connections: int
    base_url: str
    mock: RunningMock | None


@dataclass(frozen=True)
class Process:
    """What the system says of a process that has ended."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    output: str


@dataclass(frozen=True)
class Figures:
    """One line of the table; `scale` is by how much a sample was multiplied. None: not known."""

    name: str
    calls: int
    prompt_mtokens: float
    wall_s: float
    ideal_s: float | None
    cpu_s: float
    cpu_ms_per_call: float
    peak_mb: float
    folder_mb: float
    answers_mb: float
    prefix_sharing: float | None
    scale: float = 1.0

    @property
    def ratio(self) -> float | None:
        """Wall time by the ideal."""
        return self.wall_s / self.ideal_s if self.ideal_s else None


def watch(command: Sequence[str], **environment: str) -> Process:
    """Run a command to its end; end with its error where it fails."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    started = time.perf_counter()
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=env)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall_s = time.perf_counter() - started
        output.seek(0)
        text = output.read()
    if process.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{text.strip()[-2000:]}")
    return Process(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / MB, text)


def folder_bytes(folder: Path) -> int:
    """Return the bytes of all files."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def measure_ours(name: str, load: Load, out: Path, latency_s: float, words: Sequence[str]) -> Figures:
    """Measure `personamem eval run`."""
    if load.mock:
        load.mock.control(latency_s=latency_s)
    command = [sys.executable, "-m", "hub_toolkit.cli.main", "eval", "run", "--data", str(load.data)]
    command += ["--model", "openai/mock", "--base-url", load.base_url, "--concurrency", str(load.connections)]
    done = watch([*command, *words, "--out", str(out)])
    lines = list(read_logs(out / "requests"))
    seen = load.mock.stats() if load.mock else {"num_requests": len(lines)}
    num_calls = seen["num_requests"]
    num_memory_calls = seen.get("num_memory_updates", 0)
    parts = (num_memory_calls, num_calls - num_memory_calls)
    rounds = sum(math.ceil(calls / load.connections) for calls in parts)
    answers = (out / "samples.jsonl").stat().st_size + reply_bytes(out)
    memories = folder_bytes(out / "memories") if (out / "memories").is_dir() else 0
    tokens = seen.get("prompt_tokens", sum(line.get("input", 0) for line in lines))
    figures = Figures(
        name,
        num_calls,
        tokens / MB,
        done.wall_s,
        rounds * latency_s if load.mock else None,
        done.cpu_s,
        1000 * done.cpu_s / num_calls,
        done.peak_mb,
        (folder_bytes(out) - answers - memories) / MB,
        answers / MB,
        seen.get("prefix_sharing"),
    )
    shutil.rmtree(out)
    return figures


def reply_bytes(out: Path) -> int:
    """Return the bytes of the replies that the journal holds a second time."""
    lines = (out / "journal.jsonl").read_bytes().splitlines()
    return sum(len((json.loads(line.partition(b" ")[2])["reply"] or "").encode()) for line in lines)


def write_questions(load: Load, path: Path, num_rows: int) -> int:
    """Write the first questions, as the other systems read them; return how many."""
    config = EvalConfig("published_size", reader="long_context")
    plan = plan_evaluation(load_questions(load.data, "benchmark"), config)
    chosen = plan.samples[:num_rows]
    with path.open("w", encoding="utf-8") as out:
        for sample in chosen:
            question = question_messages(pose_question(sample, 0))[0].text
            row = {"history": str(load.data / sample.history_links["32k"]), "question": question}
            out.write(json.dumps(row) + "\n")
    return len(chosen)


def measure_other(name: str, load: Load, command: Sequence[str], out: Path, scale: float) -> Figures:
    """Measure another system's process, of which what grows with the questions is multiplied by `scale`.

    A process that prints what its loop took is not charged with its start again and again.
    """
    assert load.mock is not None
    load.mock.control()
    done = watch(command, OPENAI_API_KEY="none")
    seen = load.mock.stats()
    size = folder_bytes(out) if out.is_dir() else out.stat().st_size
    last = (done.output.strip().splitlines() or [""])[-1]
    loop = json.loads(last) if last.startswith('{"wall_s"') else {"wall_s": done.wall_s, "cpu_s": done.cpu_s}
    cpu_s = done.cpu_s + loop["cpu_s"] * (scale - 1)
    num_calls = round(seen["num_requests"] * scale)
    return Figures(
        name,
        num_calls,
        seen["prompt_tokens"] * scale / MB,
        done.wall_s + loop["wall_s"] * (scale - 1),
        None,
        cpu_s,
        1000 * cpu_s / num_calls,
        done.peak_mb,
        size * scale / MB,
        0.0,
        seen["prefix_sharing"],
        scale,
    )


def measure_all(load: Load, folder: Path, options: argparse.Namespace) -> list[Figures]:
    """Measure every line of the table."""
    long_words, memory_words = ["--reader", "long_context"], ["--reader", "memory", "--builder", "agentic"]
    last = options.latency[-1]
    found = [measure_ours(START, load, folder / "run", last, [*long_words, "--limit", "1"])]
    found += [
        measure_ours(f"ours, histories, {latency:g} s", load, folder / "run", latency, long_words)
        for latency in options.latency
    ]
    found.append(measure_ours(f"ours, memories, {last:g} s", load, folder / "run", last, memory_words))
    if load.mock is None:
        return found
    load.mock.control(latency_s=last)
    num = write_questions(load, folder / "loop.jsonl", options.loop_rows)
    command = [sys.executable, str(HERE / "published_loop.py"), str(folder / "loop.jsonl"), load.base_url]
    out = folder / "loop.out"
    found.append(measure_other("published loop", load, [*command, str(out)], out, load.num_rows / num))
    if options.inspect_python:
        num = write_questions(load, folder / "inspect.jsonl", options.inspect_rows)
        for kind in ("stock", "tuned"):
            out = folder / f"inspect_{kind}"
            command = [options.inspect_python, str(HERE / "inspect_loop.py"), str(folder / "inspect.jsonl")]
            words = [load.base_url, str(out), kind, str(load.connections)]
            found.append(measure_other(f"inspect_ai, {kind}", load, [*command, *words], out, load.num_rows / num))
    return found


def beyond_start(figures: Figures, start: Figures) -> float | None:
    """Return the CPU-milliseconds a call that our runner takes beyond its start; None for other systems."""
    if not figures.name.startswith("ours") or figures.calls <= start.calls:
        return None
    return 1000 * (figures.cpu_s - start.cpu_s) / (figures.calls - start.calls)


def render(figures: Figures, start: Figures) -> str:
    """Return one line of the table."""
    beyond = beyond_start(figures, start)
    return LINE.format(
        figures.name + ("" if figures.scale == 1 else " *"),
        figures.calls,
        f"{figures.prompt_mtokens:.1f}",
        f"{figures.wall_s:.1f}",
        "-" if figures.ideal_s is None else f"{figures.ideal_s:.1f}",
        "-" if figures.ratio is None else f"{figures.ratio:.2f}",
        f"{figures.cpu_s:.1f}",
        f"{figures.cpu_ms_per_call:.2f}",
        "-" if beyond is None else f"{beyond:.2f}",
        f"{figures.peak_mb:.0f}",
        f"{figures.folder_mb:.2f}",
        "-" if figures.prefix_sharing is None else f"{figures.prefix_sharing:.3f}",
    )


def play_faults(load: Load, folder: Path) -> list[dict[str, Any]]:
    """Play each fault twice: it passes after one try, or lasts for a part of the questions."""
    assert load.mock is not None
    command = [sys.executable, "-m", "hub_toolkit.cli.main", "eval", "run", "--data", str(load.data), "--limit", "40"]
    command += ["--reader", "oracle", "--model", "openai/mock", "--base-url", load.base_url, "--concurrency", "40"]
    rows = []
    for kind in FAULTS:
        for times in (1, 0):
            load.mock.control(latency_s=0.01, fault={"kind": kind, "every": 4, "times": times})
            out = folder / f"{kind}-{times}"
            watch([*command, "--out", str(out)], PERSONAMEM_TIMEOUT_S="1")
            record, seen = json.loads((out / "run.json").read_bytes()), load.mock.stats()
            errors = {
                row["error"].partition(":")[0]
                for row in map(json.loads, (out / "samples.jsonl").open())
                if row["error"]
            }
            rows.append(
                {
                    "fault": kind,
                    "lasts": times == 0,
                    "asked": seen["num_requests"],
                    "misbehaved": seen["num_faults"],
                    "answered": record["counts"]["scored"],
                    "failed": record["counts"]["failed"],
                    "error": ", ".join(sorted(errors)) or "-",
                    "by_status": record["requests"]["by_status"],
                }
            )
    return rows


def render_faults(rows: Sequence[dict[str, Any]]) -> str:
    """Return the fault table."""
    form = "{:<11}{:<8}{:>7}{:>12}{:>10}{:>8}  {:<12} {}"
    lines = [form.format("fault", "lasts", "asked", "misbehaved", "answered", "failed", "error", "log of requests")]
    for row in rows:
        counted = ", ".join(f"{name} {count}" for name, count in row["by_status"].items())
        cells = (row[name] for name in ("asked", "misbehaved", "answered", "failed", "error"))
        lines.append(form.format(row["fault"], "yes" if row["lasts"] else "once", *cells, counted))
    return "\n".join(lines)


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="6 personas, 30 questions, short waits")
    parser.add_argument("--faults", action="store_true", help="play the faults of an endpoint instead")
    parser.add_argument("--base-url", help="another server; its latency is not known")
    parser.add_argument("--data", type=Path, help="a dataset's folder, in place of one that is written anew")
    parser.add_argument("--personas", type=int, default=200)
    parser.add_argument("--rows", type=int, default=25, help="questions a persona")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--latency", type=float, nargs="+", default=[2.0, 0.1], help="seconds a call")
    parser.add_argument("--loop-rows", type=int, default=12, help="questions of the published loop that are asked")
    parser.add_argument("--inspect-rows", type=int, default=5000, help="questions that inspect_ai is asked")
    parser.add_argument("--inspect-python", help="a Python with inspect_ai and openai installed")
    options = parser.parse_args()
    if options.quick:
        options.personas, options.rows, options.latency, options.connections = 6, 5, [0.05, 0.02], 8
        options.loop_rows = min(options.loop_rows, 2)
    return options


def main() -> None:
    options = read_options()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        data = options.data or folder / "data"
        if options.data is None:
            sizes = {"personas": options.personas, "rows": options.rows, "train_personas": 0, "seed": 0}
            write_dataset(data, argparse.Namespace(with_128k=False, **sizes))
        num_rows = len(load_questions(data, "benchmark"))
        if options.base_url:
            load = Load(data, num_rows, options.connections, options.base_url, None)
            report(measure_all(load, folder, options), load, options)
            return
        with RunningMock() as mock:
            load = Load(data, num_rows, options.connections, mock.base_url, mock)
            if options.faults:
                rows = play_faults(load, folder)
                print(render_faults(rows))
                print(json.dumps({"faults": rows}))
                return
            report(measure_all(load, folder, options), load, options)


def report(found: Sequence[Figures], load: Load, options: argparse.Namespace) -> None:
    """Print the table, and the figures as JSON."""
    print(LINE.format(*TITLES))
    for figures in found:
        print(render(figures, found[0]))
    print(
        f"{load.num_rows:,} questions, {load.connections} connections; folder in MB; * a sample, times what is missing"
    )
    tokens = {figures.name: figures.prompt_mtokens for figures in found}
    built = next(mtokens for name, mtokens in tokens.items() if name.startswith("ours, memories"))
    share = tokens["published loop"] / built if "published loop" in tokens else None
    if share is not None:
        print(f"memories built once a history: 1/{share:.1f} of the prompt tokens of building them for every question")
    if not options.inspect_python and load.mock:
        print("inspect_ai: left out; name a Python that has it with --inspect-python")
    lines = {
        figures.name: asdict(figures) | {"ratio": figures.ratio, "cpu_ms_beyond_start": beyond_start(figures, found[0])}
        for figures in found
    }
    known = {"num_questions": load.num_rows, "connections": load.connections, "rebuild_ratio": share}
    print(json.dumps({**known, "lines": lines}))


if __name__ == "__main__":
    main()
