"""The benchmarks run and say what they promise on their last line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from hub_toolkit.data.parse import resolve_dataset

ROOT = Path(__file__).resolve().parents[2]
HISTORY = resolve_dataset("mini") / "data/chat_history_32k/chat_history_persona2.json"


def run(name: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "benchmarks" / name), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def last_line(name: str, *words: str) -> dict[str, Any]:
    done = run(name, *words)
    assert done.returncode == 0, done.stderr
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def test_memory_build() -> None:
    figures = last_line("memory_build.py", "--history", str(HISTORY), "--runs", "1", "--session-messages", "6")
    assert figures["session_messages"] == 6
    assert figures["session_tokens"] < figures["history_tokens"]
    assert 0 < figures["session_s"] < figures["build_s"]
    assert figures["session_ratio"] < 1
    assert 0 < figures["parse_peak_rss_mb"] <= figures["build_peak_rss_mb"] + 5
    assert figures["memory_tokens"] <= figures["cap_tokens"] == 2048


def test_memory_build_without_a_history(tmp_path: Path) -> None:
    done = run("memory_build.py", "--history", str(tmp_path / "none.json"))
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1


def test_mini_eval() -> None:
    readers = {figures["reader"]: figures for figures in last_line("mini_eval.py")["readers"]}
    assert readers["none"]["accuracy"]["value"] == 0.25
    assert readers["oracle"]["accuracy"]["value"] >= 0.5
    assert readers["memory"]["accuracy"]["low"] > 0.25
