"""benchmarks/train_memory.py says what it promises on its last line."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.train.tiny_model import require_trl

require_trl()

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def benchmark() -> Any:
    spec = importlib.util.spec_from_file_location("train_memory", ROOT / "benchmarks" / "train_memory.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["train_memory"] = module
    spec.loader.exec_module(module)
    return module


def test_four_ways_of_one_batch(benchmark: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert benchmark.main(["--rollouts", "2", "--shrink", "64", "--runs", "1"]) == 0
    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    ways = {way["way"]: way for way in figures["ways"]}
    assert ways.keys() == {"pad", "pack", "longest", "concatenated"}
    assert ways["pack"]["padded_share"] == 0 <= ways["pad"]["padded_share"] < ways["longest"]["padded_share"]
    assert ways["longest"]["padded_share"] > 0.2
    assert all(way["rows_per_s"] > 0 and way["mfu"] > 0 for way in ways.values())
    assert figures["times_pad"].keys() == {"pack", "longest", "concatenated"}


def test_lengths_do_not_depend_on_the_machine(benchmark: Any) -> None:
    rollouts = benchmark.draw_rollouts(64, shrink=1, seed=0)
    assert rollouts == benchmark.draw_rollouts(64, shrink=1, seed=0)
    assert {len(rollout) for rollout in rollouts} == {7, 8, 9}
    updates = [row for rollout in rollouts for row in rollout[:-1]]
    assert max(row.prompt for row in updates) <= 5000 + 2048 + benchmark.PROMPT_WORDS
    assert max(row.reply for row in updates) <= 2048
    _, computed = benchmark.plan("pad", rollouts, 32_768)
    assert 0 < 1 - sum(row.size for rollout in rollouts for row in rollout) / computed < 0.1
