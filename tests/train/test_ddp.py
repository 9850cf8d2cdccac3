"""SFT and GRPO by two processes, each with half of the rows, take the very steps of one process with all of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.train.recipe_runs import log_of, recipe_words
from tests.train.tiny_data import spell_words, write_swap_dataset
from tests.train.tiny_model import require_trl, write_tiny
from tests.train.two_processes import finish, two_processes

require_trl()

import torch  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

import train.grpo  # noqa: E402
from tests.train.ddp_worker import run_recipes  # noqa: E402

NUM_STEPS = 3
TIMEOUT_S = 240
RUNS: dict[str, dict[str, Any]] = {
    "sft": {"per_device_train_batch_size": 8},
    "grpo": {
        "per_device_train_batch_size": 32,
        "gradient_accumulation_steps": 1,
        "num_generations": 4,
        "max_completion_length": 4,
        "format_weight": 0.5,
    },
}
SAME = {"sft": ("loss", "grad_norm"), "grpo": ("loss", "grad_norm", "reward", "reward_std", "entropy")}


def command_lines(place: Path, out: Path, *, num_processes: int) -> list[tuple[str, list[str]]]:
    runs = []
    for name, told in RUNS.items():
        size = told["per_device_train_batch_size"] // num_processes
        changes = told | {"per_device_train_batch_size": size, "max_steps": NUM_STEPS, "save_steps": NUM_STEPS}
        runs.append((name, recipe_words(place / "model", place / "data", out / name, **changes)))
    return runs


def test_two_processes_take_the_steps_of_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write_swap_dataset(tmp_path / "data")
    start = load_file(write_tiny(tmp_path / "model", spell_words(data), hidden=32) / "model.safetensors")
    monkeypatch.setattr(train.grpo, "GroupedGRPOTrainer", train.grpo.GroupedGRPOTrainer)  # put back afterwards
    both = command_lines(tmp_path, tmp_path / "both", num_processes=2)
    with two_processes("tests.train.ddp_worker", [json.dumps(both)], tmp_path) as processes:
        run_recipes(command_lines(tmp_path, tmp_path / "alone", num_processes=1))
        finish(processes, tmp_path, timeout_s=TIMEOUT_S)
    for name in RUNS:
        one, two = (log_of(tmp_path / who / name, NUM_STEPS) for who in ("alone", "both"))
        steps = [(mine, theirs) for mine, theirs in zip(one, two, strict=True) if "loss" in mine]
        assert len(steps) == NUM_STEPS
        for mine, theirs in steps:
            assert [theirs[key] for key in SAME[name]] == pytest.approx([mine[key] for key in SAME[name]], rel=1e-4)
        weights, others = (load_file(tmp_path / who / name / "final/model.safetensors") for who in ("alone", "both"))
        assert max(float((weights[key] - value).abs().max()) for key, value in start.items()) > 1e-3, "nothing moved"
        for key, value in weights.items():
            torch.testing.assert_close(others[key], value, rtol=1e-3, atol=2e-5)
