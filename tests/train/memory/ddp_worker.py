"""Scripted runs for a test, in this process or started in several: losses and weights go to files."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import torch

from tests.train.memory.scripted import scripted_rows, scripted_trainer

NUM_STEPS = 3
NUM_ROLLOUTS = 16


def run(start: str, out: Path, settings: dict[str, Any]) -> None:
    """Train a few steps; rank 0 writes."""
    num_processes = int(os.environ.get("WORLD_SIZE", "1"))
    steps = settings.get("gradient_accumulation_steps", 1)
    trainer = scripted_trainer(
        out / "run",
        start,
        rows=scripted_rows(16),
        per_device_train_batch_size=NUM_ROLLOUTS // num_processes // steps,
        max_steps=NUM_STEPS,
        **settings,
    )
    trainer.train()
    if trainer.accelerator.is_main_process:
        logs = [entry for entry in trainer.state.log_history if "loss" in entry]
        (out / "logs.json").write_text(json.dumps(logs))
        torch.save(trainer.accelerator.unwrap_model(trainer.model).state_dict(), out / "weights.pt")


if __name__ == "__main__":
    torch.set_num_threads(1)
    for place, changes in enumerate(json.loads(sys.argv[3])):
        run(sys.argv[1], Path(sys.argv[2]) / str(place), changes)
    torch.distributed.destroy_process_group()
