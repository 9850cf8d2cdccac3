"""On which steps a checkpoint may fall: in the midst of a generation it could not be resumed as it was."""

from __future__ import annotations

from typing import Any

from transformers.trainer_utils import SaveStrategy


def find_torn_generation(args: Any) -> str | None:
    """Return what is wrong with `save_steps` of a GRPO configuration, and the remedy; None where nothing is."""
    every = max(1, args.steps_per_generation * args.num_iterations // args.gradient_accumulation_steps)
    if args.save_strategy != SaveStrategy.STEPS or args.save_steps < 1 or not args.save_steps % every:
        return None
    return (
        f"save_steps ({args.save_steps:g}): one generation lasts {every} steps, and a checkpoint in its midst "
        f"could not be resumed exactly; take a multiple of {every}"
    )
