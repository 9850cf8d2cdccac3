"""From a model that answers by chance: GRPO on whole histories learns to say what one of the chunks said."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from tests.train.tiny_model import require_trl

require_trl()

from datasets import Dataset  # noqa: E402
from trl import GRPOConfig  # noqa: E402

from tests.train.memory.toy import FILLERS, KEYS, plain_copy, toy_reward, toy_tokenizer, train_toy_sft  # noqa: E402
from train.grpo import GroupedGRPOTrainer  # noqa: E402

CHANCE = 1 / len(KEYS)
NUM_CHUNKS = 2
NUM_STEPS = 80
CONTROL_STEPS = 40
LAST = 5
RIGHT = "rewards/toy_reward/mean"
SKILL = 0.15
"""How often the model says the right key before it has learnt anything; the rest is drawn at random."""


def draw_row(rng: random.Random) -> tuple[str, str]:
    """Return a history of a few chunks, one of which names the key, with the question; and the key."""
    key = rng.choice(KEYS)
    chunks = [rng.choice(FILLERS) for _ in range(NUM_CHUNKS)]
    chunks[rng.randrange(NUM_CHUNKS)] = key
    return " ".join([*(f"read {chunk}" for chunk in chunks), "say"]), key


def cold_start(folder: Path, *, seed: int) -> Any:
    """Return a model that says one of the keys, hardly ever for the history's sake."""
    rng = random.Random(seed)
    rows = []
    for _ in range(1200):
        asked, key = draw_row(rng)
        rows.append((asked, key if rng.random() < SKILL else rng.choice(KEYS)))
    return train_toy_sft(folder, rows, seed=seed)[0]


def no_reward(completions: list[Any], **_: Any) -> list[float]:
    """Return something that neither history nor answer decides."""
    rng = random.Random(len(completions))
    return [float(rng.random() < CHANCE) for _ in completions]


def learn(folder: Path, model: Any, *, seed: int, is_control: bool = False) -> list[float]:
    """Return each step's share of right answers; the control is rewarded for nothing in them."""
    rng = random.Random(100 + seed)
    rows = []
    for _ in range(512):
        asked, key = draw_row(rng)
        rows.append({"prompt": [{"role": "user", "content": asked}], "answer": key, "unit": ""})
    args = GRPOConfig(
        str(folder),
        max_completion_length=2,
        num_generations=8,
        per_device_train_batch_size=128,
        learning_rate=2e-3,
        lr_scheduler_type="constant_with_warmup",
        warmup_steps=4,
        adam_beta2=0.98,
        max_steps=CONTROL_STEPS if is_control else NUM_STEPS,
        logging_steps=1,
        report_to="none",
        save_strategy="no",
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        disable_tqdm=True,
        beta=0.0,
        reward_weights=[0.0, 1.0] if is_control else [1.0, 0.0],
        seed=seed,
    )
    trainer = GroupedGRPOTrainer(
        model=model,
        reward_funcs=[toy_reward, no_reward],
        args=args,
        train_dataset=Dataset.from_list(rows),
        processing_class=toy_tokenizer(),
    )
    trainer.train()
    return [float(entry[RIGHT]) for entry in trainer.state.log_history if RIGHT in entry]


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_the_reward_rises_from_chance_to_nine_in_ten(tmp_path: Path, seed: int) -> None:
    model = cold_start(tmp_path / "sft", seed=seed)
    control = plain_copy(model)
    right = learn(tmp_path / "grpo", model, seed=seed)
    assert sum(right[:2]) / 2 == pytest.approx(CHANCE, abs=0.15)
    assert sum(right[-LAST:]) / LAST >= 0.9
    if seed == 0:
        left = learn(tmp_path / "control", control, seed=seed, is_control=True)
        assert sum(left[-LAST:]) / LAST < 0.6
