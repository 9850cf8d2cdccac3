"""The store's benchmark runs, and its check of the files can fail."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_memory_store_benchmark() -> None:
    command = [sys.executable, "benchmarks/memory_store.py", "--users", "3", "--bullets", "20", "--calls", "10"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (run,) = json.loads(done.stdout.splitlines()[-1])["runs"]
    assert run["in_files_before"] == run["forgotten"] > 0  # the control: before the forget they are found
    assert run["in_files_after_forget"] == 0
    assert all(0 < run[name]["p50_ms"] <= run[name]["p99_ms"] for name in ("recall", "write", "forget"))
