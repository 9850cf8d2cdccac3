"""Recipes run on the tiny model: what both are told, and what their logs say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

BASE: dict[str, Any] = {
    "per_device_train_batch_size": 8,
    "learning_rate": 3e-3,
    "lr_scheduler_type": "constant",
    "logging_steps": 1,
    "save_steps": 2,
    "report_to": "none",
    "use_cpu": True,
    "bf16": False,
    "gradient_checkpointing": False,
    "disable_tqdm": True,
    "dataloader_pin_memory": False,
    "mcq_share": 1.0,
}


def recipe_words(model: Path, data: Path, out: Path, **changes: Any) -> list[str]:
    """Return a recipe's command line."""
    told = BASE | {"model_name_or_path": model, "dataset": data, "output_dir": out} | changes
    return [part for name, value in told.items() for part in (f"--{name}", str(value))]


def log_of(out: Path, step: int) -> list[dict[str, Any]]:
    """Return what the trainer logged up to a checkpoint."""
    state = json.loads((out / f"checkpoint-{step}" / "trainer_state.json").read_text())
    return list(state["log_history"])


def losses_of(out: Path, step: int) -> dict[int, float]:
    """Return the loss of each step."""
    return {entry["step"]: entry["loss"] for entry in log_of(out, step) if "loss" in entry}
