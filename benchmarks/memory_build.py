"""What does an extractive memory cost to build, and what does one more session cost afterwards?

`python benchmarks/memory_build.py [--history FILE]` prints one JSON object on its last line. Each step runs in a fresh
process, so that its time and its peak memory are its own:
control  reads and parses the file, no more
build    the same, then the memory of the whole history
session  the memory of all but the last session, then, timed, that session: what a running process pays
resume   loads that memory from its file, then, timed, the session: first calls and cold caches included
The default is the largest history of PersonaMem-mini; a session is the last `--session-messages` messages.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from hub_toolkit.data.history import load_history
from hub_toolkit.data.parse import resolve_dataset
from hub_toolkit.data.schema import History
from hub_toolkit.data.tokens import EstimateCounter, count_messages
from hub_toolkit.errors import PersonaMemError
from hub_toolkit.memory.build import build_memory
from hub_toolkit.memory.builders.extractive import ExtractiveBuilder
from hub_toolkit.memory.document import DEFAULT_CAP_TOKENS, MemoryDocument

STEPS = ("control", "build", "session", "resume")
NUM_RUNS = 3
STEP_TIMEOUT_S = 600


def peak_rss_mb() -> float:
    """Return the process's own peak; ru_maxrss may count the parent's from before exec."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text("ascii").splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024
    unit = 1024 * 1024 if platform.system() == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def without_last(history: History, num_messages: int) -> History:
    """Return the history as it was before its last session."""
    keep = max(1, len(history) - num_messages)
    return replace(history, messages=history.messages[:keep], indices=history.indices[:keep])


def run_step(step: str, memory: Path, options: argparse.Namespace) -> dict[str, float]:
    """Run one step in this process and return its figures."""
    counter = EstimateCounter()
    builder = ExtractiveBuilder(counter, cap_tokens=options.cap)
    started = time.perf_counter()
    history = load_history(options.history)
    figures: dict[str, float] = {"load_s": time.perf_counter() - started}
    if step != "control":
        document = MemoryDocument.load(memory) if step == "resume" else None
        if step == "session":
            before = without_last(history, options.session_messages)
            document = asyncio.run(build_memory(before, builder, counter))
            document.save(memory, counter)
        began = time.perf_counter()
        document = asyncio.run(build_memory(history, builder, counter, document=document))
        figures["step_s"] = time.perf_counter() - began
        figures["num_bullets"] = len(document.bullets)
        figures["memory_tokens"] = document.tokens(counter)
    figures["peak_rss_mb"] = peak_rss_mb()
    return figures


def run_fresh(step: str, memory: Path, options: argparse.Namespace) -> dict[str, float]:
    """Run one step in a process of its own."""
    command = [sys.executable, __file__, "--history", str(options.history), "--cap", str(options.cap)]
    command += ["--session-messages", str(options.session_messages), "--step", step, "--memory", str(memory)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=STEP_TIMEOUT_S, check=False)
    if run.returncode != 0:
        sys.exit(run.stderr.strip())
    figures: dict[str, float] = json.loads(run.stdout.splitlines()[-1])
    return figures


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Run every step `--runs` times; times are medians, memory the largest."""
    with tempfile.TemporaryDirectory() as folder:
        memory = Path(folder) / "memory.json"
        runs = {step: [run_fresh(step, memory, options) for _ in range(options.runs)] for step in STEPS}
    history, counter = load_history(options.history), EstimateCounter()
    session = history.messages[-options.session_messages :]
    step_s = {step: median(run["step_s"] for run in runs[step]) for step in STEPS[1:]}
    return {
        "history": options.history.name,
        "num_messages": len(history),
        "history_tokens": count_messages(counter, history.messages),
        "cap_tokens": options.cap,
        "memory_tokens": runs["build"][0]["memory_tokens"],
        "num_bullets": runs["build"][0]["num_bullets"],
        "parse_s": round(median(run["load_s"] for run in runs["control"]), 4),
        "parse_peak_rss_mb": round(max(run["peak_rss_mb"] for run in runs["control"]), 1),
        "build_s": round(step_s["build"], 4),
        "build_peak_rss_mb": round(max(run["peak_rss_mb"] for run in runs["build"]), 1),
        "session_messages": len(session),
        "session_tokens": count_messages(counter, session),
        "session_s": round(step_s["session"], 5),
        "session_ratio": round(step_s["session"] / step_s["build"], 5),
        "resume_s": round(step_s["resume"], 5),
        "resume_ratio": round(step_s["resume"] / step_s["build"], 5),
        "num_runs": options.runs,
    }


def largest_mini_history() -> Path:
    """Return PersonaMem-mini's largest history."""
    return max(resolve_dataset("mini").glob("data/chat_history_*/*.json"), key=lambda path: path.stat().st_size)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--history", type=Path, default=None, help="a history file (default: the largest of mini)")
    parser.add_argument("--cap", type=int, default=DEFAULT_CAP_TOKENS, help="tokens of the memory")
    parser.add_argument("--session-messages", type=int, default=4, help="messages of the added session")
    parser.add_argument("--runs", type=int, default=NUM_RUNS, help="fresh processes a step")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--memory", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.history = options.history or largest_mini_history()
    if options.step:
        try:
            print(json.dumps(run_step(options.step, options.memory, options)))
        except PersonaMemError as error:
            sys.exit(f"error: {error}")
        return
    figures = measure(options)
    for name, value in figures.items():
        print(f"{name:26} {value}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
