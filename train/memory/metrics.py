"""What a run reports of its memories, its rewards by type, and the means over passes of unequal size."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from accelerate.utils import gather_object

from train.data_sample import decode_sample
from train.memory.steps import StepPlan


def log_rollouts(trainer: Any, fields: Mapping[str, Sequence[Any]]) -> None:
    """Report memory sizes, turns and updates that could not be read, over all ranks."""
    rows = gather_object(list(zip(fields["memory_tokens"], fields["turns"], fields["num_faults"], strict=True)))
    sizes, turns, faults = ([float(row[i]) for row in rows] for i in range(3))
    found = {
        "memory/tokens": sum(sizes) / len(rows),
        "memory/max_tokens": max(sizes),
        "memory/empty_share": sum(size == 0 for size in sizes) / len(rows),
        "memory/turns": sum(turns) / len(rows),
        "memory/unparsed_share": sum(faults) / max(1.0, sum(turns)),
    }
    for name, value in found.items():
        _metrics(trainer)[name].append(value)


def log_padding(trainer: Any, real_tokens: int, computed_tokens: int) -> None:
    """Report which share of the tokens that go through the model is padding, over all ranks."""
    pairs = gather_object([(real_tokens, computed_tokens)])
    total = sum(computed for _, computed in pairs)
    _metrics(trainer)["memory/padded_share"].append(1 - sum(real for real, _ in pairs) / max(1, total))


def log_rewards_by_type(trainer: Any, inputs: Sequence[Mapping[str, Any]], rewards: torch.Tensor) -> None:
    """Report the mean weighted reward of each kind of row; `rewards`: (rollouts of all ranks, reward functions).

    A rollout that no function scored counts nowhere.
    """
    labels = gather_object([_types(row) for row in inputs])
    is_scored = ~torch.isnan(rewards).all(dim=1)
    totals = (rewards * trainer.reward_weights.to(rewards.device)[None]).nansum(dim=1).tolist()
    by_type: defaultdict[str, list[float]] = defaultdict(list)
    for found, total, counts in zip(labels, totals, is_scored.tolist(), strict=True):
        for label in found if counts else ():
            by_type[label].append(total)
    for label, values in by_type.items():
        _metrics(trainer)[f"reward_by_type/{label}"].append(sum(values) / len(values))


def _types(row: Mapping[str, Any]) -> list[str]:
    """Return the task and, where the row says so, what sort of preference it asks about."""
    sample = decode_sample(row["sample"]) if row.get("sample") else None
    return [label for label in (row.get("task"), sample and sample.pref_type) if label]


@contextmanager
def merge_passes(trainer: Any, plan: StepPlan) -> Iterator[None]:
    """Let what TRL reports once a pass stand once a step: a mean over tokens, not over passes."""
    metrics = _metrics(trainer)
    before = {name: len(values) for name, values in metrics.items()}
    yield
    for name, values in metrics.items():
        added = values[before.get(name, 0) :]
        if len(added) == len(plan.passes) > 1:
            values[before.get(name, 0) :] = [_merge(name, added, plan.world_tokens)]


@contextmanager
def gather_unequal(accelerator: Any) -> Iterator[None]:
    """Let TRL gather a figure for each row though ranks have unequally many rows in a pass; it skips the NaN."""
    gather = accelerator.gather

    def gather_padded(values: torch.Tensor) -> Any:
        if values.ndim and accelerator.num_processes > 1:
            values = accelerator.pad_across_processes(values, dim=0, pad_index=math.nan)
        return gather(values)

    accelerator.gather = gather_padded
    try:
        yield
    finally:
        del accelerator.gather


def _merge(name: str, values: Sequence[float], weights: Sequence[int]) -> float:
    found = [(value, weight) for value, weight in zip(values, weights, strict=True) if not math.isnan(value) and weight]
    if not found:
        return math.nan
    if name.endswith(("_min", "_max")):
        return (min if name.endswith("_min") else max)(value for value, _ in found)
    return sum(value * weight for value, weight in found) / sum(weight for _, weight in found)


def _metrics(trainer: Any) -> defaultdict[str, list[float]]:
    metrics: defaultdict[str, list[float]] = trainer._metrics["train" if trainer.model.training else "eval"]
    return metrics
