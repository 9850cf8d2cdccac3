"""From a model that answers by chance: memory GRPO learns to take notes, and does not where the notes are masked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.train.tiny_model import require_trl

require_trl()

from tests.train.memory.toy import KEYS, cold_start, plain_copy, toy_trainer  # noqa: E402

CHANCE = 1 / len(KEYS)
LAST = 5
NUM_STEPS = 26
CONTROL_STEPS = 20
SKILL = 0.15
"""How often the model takes the right note before it has learnt anything; the rest is drawn at random."""


def train(folder: Path, model: Any, *, seed: int, **changes: Any) -> list[dict[str, Any]]:
    settings = {
        "per_device_train_batch_size": 128,
        "max_steps": NUM_STEPS,
        "learning_rate": 1e-3,
        "lr_scheduler_type": "linear",
        "warmup_steps": 4,
        "adam_beta2": 0.98,
        "seed": seed,
    }
    trainer = toy_trainer(folder, model=model, **(settings | changes))
    trainer.train()
    return [entry for entry in trainer.state.log_history if "reward" in entry]


def mean_reward(entries: list[dict[str, Any]]) -> float:
    return sum(float(entry["reward"]) for entry in entries) / len(entries)


@pytest.mark.parametrize("seed", [0, 1, pytest.param(2, marks=pytest.mark.slow)])
def test_the_reward_rises_from_chance_to_nine_in_ten(tmp_path: Path, seed: int) -> None:
    model, losses = cold_start(tmp_path / "sft", seed=seed, skill=SKILL)
    assert losses[-1] < 0.6 * losses[0]
    is_controlled = seed == 0
    control = plain_copy(model) if is_controlled else None
    entries = train(tmp_path / "learns", model, seed=seed)
    assert float(entries[0]["reward"]) == pytest.approx(CHANCE, abs=0.15)
    assert mean_reward(entries[-LAST:]) >= 0.9
    assert float(entries[-1]["reward_by_type/mcq"]) == pytest.approx(float(entries[-1]["reward"]))
    if is_controlled:
        masked = train(tmp_path / "masked", control, seed=seed, mask_updates=True, max_steps=CONTROL_STEPS)
        assert mean_reward(masked[-LAST:]) < 0.6
