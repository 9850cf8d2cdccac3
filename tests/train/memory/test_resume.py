"""A run that is killed and resumed takes the steps that it would have taken."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.train.tiny_model import require_trl

require_trl()

import torch  # noqa: E402

from tests.train.memory.resume_worker import KILLED_AFTER, NUM_STEPS, SAVED_EVERY, make_trainer  # noqa: E402
from tests.train.memory.toy import toy_args  # noqa: E402

ROOT = Path(__file__).parents[3]
SAME = ("loss", "grad_norm", "reward", "entropy", "memory/tokens", "completions/mean_length", "learning_rate")


def logged(trainer: Any) -> dict[int, dict[str, Any]]:
    return {
        entry["step"]: {name: entry[name] for name in SAME} for entry in trainer.state.log_history if "loss" in entry
    }


def test_a_killed_run_goes_on_as_if_nothing_had_been(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tests.train.memory.resume_worker", str(tmp_path / "killed")]
    killed = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=240, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode(errors="replace")[-2000:]
    whole = make_trainer(tmp_path / "whole")
    whole.train()
    checkpoint = tmp_path / "killed" / f"checkpoint-{SAVED_EVERY}"
    assert checkpoint.is_dir() and not (tmp_path / "killed" / f"checkpoint-{NUM_STEPS}").exists()
    resumed = make_trainer(tmp_path / "killed")
    resumed.train(resume_from_checkpoint=str(checkpoint))
    expected, found = logged(whole), logged(resumed)
    later = range(SAVED_EVERY + 1, NUM_STEPS + 1)
    assert KILLED_AFTER in later and set(later) <= found.keys() and len(expected) == NUM_STEPS
    for step in later:
        assert found[step] == pytest.approx(expected[step], rel=1e-6, abs=1e-9), step
    assert len({entry["loss"] for entry in expected.values()}) > NUM_STEPS // 2, "steps that are all alike show nothing"
    weights, others = whole.model.state_dict(), resumed.model.state_dict()
    for name, value in weights.items():
        torch.testing.assert_close(others[name], value, rtol=1e-5, atol=1e-7)


def test_a_checkpoint_in_the_midst_of_a_generation_is_refused(tmp_path: Path) -> None:
    steps = {"save_strategy": "steps", "steps_per_generation": 2, "num_iterations": 2}
    with pytest.raises(ValueError, match="take a multiple of 4"):
        toy_args(tmp_path, save_steps=2, **steps)
    toy_args(tmp_path, save_steps=8, **steps)
