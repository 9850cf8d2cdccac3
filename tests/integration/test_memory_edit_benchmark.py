"""The benchmark of edits: they change the answer that rests on them, its controls change none."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_edits_flip_and_controls_do_not() -> None:
    command = [sys.executable, str(ROOT / "benchmarks/memory_edit.py"), "--limit", "24"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    edits = {row["edit"]: row for row in figures["edits"]}
    assert figures["num_right_before"] >= 12
    assert edits["all"]["flip"]["value"] > 0.7 and edits["all"]["collateral"]["value"] < 0.2
    assert edits["no_op"]["flip"]["value"] == edits["no_op"]["left"]["value"] == 0
    assert edits["random"]["flip"]["value"] < 0.1
