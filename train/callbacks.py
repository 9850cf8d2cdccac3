"""The callbacks and mixins of all recipes, by one name."""

from train.callbacks_push import PushCallback, Pusher, stage_checkpoint
from train.callbacks_steps import (
    GuardedSteps,
    JudgeGuard,
    NonFiniteError,
    StopError,
    find_checkpoint,
    is_whole,
    newest_checkpoint,
)
from train.callbacks_validate import ValidationCallback, ask_slice, summarise, validation_slice

__all__ = [
    "GuardedSteps",
    "JudgeGuard",
    "NonFiniteError",
    "PushCallback",
    "Pusher",
    "StopError",
    "ValidationCallback",
    "ask_slice",
    "find_checkpoint",
    "is_whole",
    "newest_checkpoint",
    "stage_checkpoint",
    "summarise",
    "validation_slice",
]
