"""Started by a test: a run that is killed without notice after a step."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback

from tests.train.memory.toy import toy_rows, toy_trainer

NUM_STEPS = 7
KILLED_AFTER = 5
SAVED_EVERY = 4
NUM_ROWS = 24
"""Three steps an epoch: the run is killed in its second epoch and ends in its third."""


class Killer(TrainerCallback):
    """Kills this process after a step, as a machine that goes away does."""

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        if state.global_step == KILLED_AFTER:
            os.kill(os.getpid(), signal.SIGKILL)


def make_trainer(folder: Path) -> Any:
    """Return the run's trainer, whose policy samples."""
    return toy_trainer(
        folder,
        rows=toy_rows(NUM_ROWS),
        per_device_train_batch_size=64,
        max_steps=NUM_STEPS,
        save_strategy="steps",
        save_steps=SAVED_EVERY,
        scale_rewards="group",
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    trainer = make_trainer(Path(sys.argv[1]))
    trainer.add_callback(Killer())
    trainer.train()
