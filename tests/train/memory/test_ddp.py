"""Two processes with half the rollouts each take the very steps of one process with all of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.train.tiny_model import require_trl, write_tiny
from tests.train.two_processes import finish, two_processes

require_trl()

import torch  # noqa: E402

from tests.train.memory import ddp_worker  # noqa: E402
from tests.train.memory.scripted import ROW_WORDS  # noqa: E402
from tests.train.memory.toy import WORDS  # noqa: E402

SAME_EVERYWHERE = ("loss", "grad_norm", "reward", "reward_std", "entropy", "kl", "memory/tokens", "memory/turns")
TIMEOUT_S = 240
RUNS: tuple[dict[str, Any], ...] = (
    {"loss_type": "grpo", "beta": 0.05, "tokens_per_pass": 64},
    {"loss_type": "dapo", "row_layout": "pack", "tokens_per_pass": 100, "gradient_accumulation_steps": 2},
)


def test_two_processes_take_the_steps_of_one(tmp_path: Path) -> None:
    start, both = write_tiny(tmp_path / "start", (*WORDS, *ROW_WORDS), hidden=32), tmp_path / "both"
    for place in range(len(RUNS)):
        (tmp_path / "alone" / str(place)).mkdir(parents=True)
        (both / str(place)).mkdir(parents=True)
    words = [str(start), str(both), json.dumps(RUNS)]
    with two_processes("tests.train.memory.ddp_worker", words, both) as processes:
        for place, settings in enumerate(RUNS):
            ddp_worker.run(str(start), tmp_path / "alone" / str(place), settings)
        finish(processes, both, timeout_s=TIMEOUT_S)
    for place in range(len(RUNS)):
        compare(start, tmp_path / "alone" / str(place), both / str(place))


def compare(start: Path, alone: Path, both: Path) -> None:
    """Compare what two runs logged, and the weights at their end."""
    from safetensors.torch import load_file

    one, two = (json.loads((folder / "logs.json").read_text()) for folder in (alone, both))
    assert len(one) == len(two) == ddp_worker.NUM_STEPS
    for mine, theirs in zip(one, two, strict=True):
        for name in SAME_EVERYWHERE:
            assert name == "kl" or name in mine
            if name in mine:
                assert float(theirs[name]) == pytest.approx(float(mine[name]), rel=1e-4, abs=1e-6), name
    before = load_file(start / "model.safetensors")
    weights, others = torch.load(alone / "weights.pt"), torch.load(both / "weights.pt")
    assert max(float((weights[name] - value).abs().max()) for name, value in before.items()) > 1e-3, "nothing moved"
    for name, value in weights.items():
        torch.testing.assert_close(others[name], value, rtol=1e-3, atol=2e-5)
