"""The simulator's benchmark at a tiny size: what must hold at any size holds, and its figures are on the last line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_benchmark_prints_its_figures() -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "generate.py"), "--personas", "8"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    figures = json.loads(done.stdout.splitlines()[-1])
    assert (figures["personas"], figures["questions"]) == (8, 8 * 25 + 3 * 3 + 3)
    assert figures["generate"]["status"] == 0
    assert figures["bytes"]["num_kills"] >= 1
    assert figures["blind"]["query_options"][0] == 0.25, "one owner of each group, whatever it says"
    reached = figures["is_reached"]
    by_construction = ("check_clean", "topics_300", "baselines_at_chance", "overlap_above_60", "same_bytes")
    assert {name: reached[name] for name in by_construction} == dict.fromkeys(by_construction, True)
    assert figures["texts"]["simulated"]["assistant"]["distinct_2"] > 0.65
