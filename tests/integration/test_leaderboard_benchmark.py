"""The leaderboard's benchmark says what it measured, last line JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_benchmark_prints_its_figures() -> None:
    script = ROOT / "benchmarks" / "leaderboard.py"
    command = [sys.executable, str(script), "--personas", "4", "--repeats", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["num_predictions"] == 100
    assert all(value > 0 for value in figures.values())
    assert {"score_s", "validate_s", "filter_ms", "rank_ms", "flag_copies_s", "table_memory_mb"} <= figures.keys()
