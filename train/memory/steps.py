"""What one step learns from, and what its parts weigh, so that cutting it up changes no sum."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

PassSize = tuple[int, int]
"""Rows of a pass, and its tokens that a loss sees."""


@dataclass(frozen=True)
class Totals:
    """Rows and loss tokens of an optimizer step, on all ranks."""

    num_rows: int
    num_tokens: int


@dataclass(frozen=True)
class StepPlan:
    """A step of one rank: `passes` are rows of `batch`; there is one at least, and equally many on every rank.

    `sizes` are this rank's, `world_tokens` the loss tokens of each pass on all ranks.
    """

    batch: dict[str, Any]
    passes: list[list[int]]
    sizes: list[PassSize]
    world_tokens: list[int]
    totals: Totals


def join_steps(
    batch: dict[str, Any],
    planned: Sequence[list[list[int]]],
    loss_tokens: Sequence[int],
    *,
    steps_per_update: int,
    gather: Callable[[list[Any]], list[Any]],
) -> list[StepPlan]:
    """Return the steps of a generation batch with the totals of the optimizer step that each belongs to.

    `gather` returns the items of all ranks; it is called once.
    """
    local = [[(len(rows), sum(loss_tokens[row] for row in rows)) for rows in passes] for passes in planned]
    world: list[list[list[PassSize]]] = gather([local])
    window = min(steps_per_update, len(planned))
    plans = []
    for step, passes in enumerate(planned):
        first = step // window * window
        sizes = [size for rank in world for steps in rank[first : first + window] for size in steps]
        totals = Totals(sum(rows for rows, _ in sizes), sum(tokens for _, tokens in sizes))
        num_passes = max(1, *(len(rank[step]) for rank in world))
        num_missing = num_passes - len(passes)
        world_tokens = [sum(rank[step][i][1] for rank in world if i < len(rank[step])) for i in range(num_passes)]
        plans.append(
            StepPlan(
                batch, [*passes, *([[]] * num_missing)], local[step] + [(0, 0)] * num_missing, world_tokens, totals
            )
        )
    return plans


def pass_weight(loss_type: str, size: PassSize, totals: Totals, *, scale: float) -> float:
    """Return by what TRL's loss of a pass is multiplied, so that all ranks' passes sum up to the loss of all rows.

    TRL takes means over the rows (`grpo`, `dr_grpo`) or tokens (`bnpo`) of what it is given; `dapo` divides by the
    tokens of the whole generation batch already. `scale` undoes TRL's division by the accumulated steps and DDP's mean.
    """
    num_rows, num_tokens = size
    if loss_type == "dapo":
        return 1.0
    if loss_type == "bnpo":
        return scale * num_tokens / max(1, totals.num_tokens)
    return scale * num_rows / max(1, totals.num_rows)
