"""Batch arithmetic: prompts, generations and turns become rows, rows become micro-batches and steps."""

from __future__ import annotations

import math
from dataclasses import dataclass

from train.plan_setup import Setup


@dataclass(frozen=True)
class BatchPlan:
    """One optimiser step and the run, over all training processes.

    `rollouts` are rewarded in a step, `rows` of them go through the model, `prompts` are different questions in it.
    `generated` rollouts are written at once, from one state of the weights. `prompts` is whole unless it is refused.
    """

    processes: int
    rows_per_rollout: int
    generations: int
    rollouts: int
    prompts: float
    micro_batches: int
    generated: int
    steps_per_epoch: float
    steps: int

    @property
    def rows(self) -> int:
        """Rows of one step, at the most: a history with fewer chunks has fewer."""
        return self.rollouts * self.rows_per_rollout

    @property
    def epochs(self) -> float:
        return self.steps / self.steps_per_epoch

    @property
    def rows_per_gpu(self) -> float:
        """Rows that one process trains on in a step."""
        return self.rows / self.processes


def plan_batches(setup: Setup) -> BatchPlan:
    """Work the arithmetic out, whole or not."""
    processes = max(setup.launch.num_processes, 1)
    rows_per_rollout = setup.num_updates + 1
    generations = 1 if setup.kind == "sft" else int(setup["num_generations"])
    micro = int(setup["gradient_accumulation_steps"])
    rollouts = int(setup["per_device_train_batch_size"]) * processes * micro
    prompts = rollouts / generations
    iterations = int(setup.get("num_iterations", 1))
    steps_per_epoch = setup.rows / prompts * iterations
    limit = int(setup.get("max_steps", -1))
    steps = limit if limit > 0 else math.ceil(steps_per_epoch * float(setup["num_train_epochs"]))
    return BatchPlan(
        processes=processes,
        rows_per_rollout=rows_per_rollout,
        generations=generations,
        rollouts=rollouts,
        prompts=prompts,
        micro_batches=micro,
        generated=_generated(setup, rollouts, processes),
        steps_per_epoch=steps_per_epoch,
        steps=steps,
    )


def _generated(setup: Setup, rollouts: int, processes: int) -> int:
    """TRL writes `generation_batch_size` replies at once, else `steps_per_generation` micro-batches, else a step's."""
    if setup.kind == "sft":
        return rollouts
    if setup.get("generation_batch_size"):
        return int(setup["generation_batch_size"])
    if setup.get("steps_per_generation"):
        return int(setup["per_device_train_batch_size"]) * processes * int(setup["steps_per_generation"])
    return rollouts
