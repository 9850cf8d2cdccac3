"""A fixed slice of the validation split, asked with its context and without, by the functions that evaluation runs."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from hub_toolkit.answer.protocol import load_protocol
from hub_toolkit.data.parse import split_path
from hub_toolkit.data.schema import Sample
from hub_toolkit.evaluate.plan import EvalConfig
from hub_toolkit.evaluate.record import load_rows
from hub_toolkit.evaluate.run import RunOptions, run_evaluation
from hub_toolkit.evaluate.run_setup import Setup
from hub_toolkit.memory.build import MemoryBuilder
from hub_toolkit.memory.builders.agentic import AgenticBuilder
from hub_toolkit.memory.builders.extractive import ExtractiveBuilder
from hub_toolkit.metrics.accuracy import estimate_mean, paired_lift
from hub_toolkit.models.base import ChatModel
from hub_toolkit.models.hf import HFModel
from train.config import DataConfig, RecipeConfig
from train.data_rows import Stage, reading_config
from train.data_split import Splits, cut_whole

_NAME = "hf/policy"


@dataclass(frozen=True)
class Mark:
    """What became of one question; `is_right` is False for a reply without a letter, and for none at all."""

    sample_id: str
    cluster: int
    is_right: bool
    is_unparsed: bool
    is_failed: bool


@dataclass(frozen=True)
class Slice:
    """What is asked: multiple choice, in the same order of options each time."""

    folder: Path
    samples: tuple[Sample, ...]
    config: EvalConfig

    def part(self, place: int, num_parts: int) -> Slice:
        """Return every so-manieth question."""
        return replace(self, samples=self.samples[place::num_parts])


def validation_slice(splits: Splits, data: DataConfig, recipe: RecipeConfig, stage: Stage) -> Slice | None:
    """Return the slice of a run, the same for every run on this split and number; None without a split."""
    samples = [sample for sample in cut_whole(splits.val, recipe.val_rows) if sample.incorrect_answers]
    if not samples:
        return None
    config = replace(
        reading_config(data, stage),
        split=data.val_split,  # type: ignore[arg-type]
        model=_NAME,
        reply_tokens=recipe.val_reply_tokens,
        **({"reader": "memory", "builder": "agentic"} if stage == "memory" else {}),  # type: ignore[arg-type]
    )
    return Slice(splits.folder, tuple(samples), config)


def ask_slice(asked: Slice, model: ChatModel) -> list[Mark]:
    """Ask the policy; the memory stage builds its memories with it, too."""
    config = asked.config
    if not asked.samples:
        return []
    counter = load_protocol(config.protocol).counter

    def make_builder() -> MemoryBuilder:
        if config.builder == "agentic":
            return AgenticBuilder(model, cap_tokens=config.cap_tokens)
        return ExtractiveBuilder(counter, cap_tokens=config.cap_tokens)

    questions = split_path(asked.folder, config.split)
    setup = Setup(config, asked.folder, questions, asked.samples, model, counter, make_builder)
    with tempfile.TemporaryDirectory() as out:
        asyncio.run(run_evaluation(setup, Path(out), options=RunOptions(num_concurrent=1)))
        rows = load_rows(Path(out))
    return [
        Mark(
            row.sample_id,
            row.cluster,
            bool(row.answer.is_correct),
            row.answer.status == "unparsed",
            row.answer.status == "failed",
        )
        for row in rows
    ]


def summarise(own: Sequence[Mark], blind: Sequence[Mark]) -> dict[str, float]:
    """Return the slice's figures: accuracy with and without context, the paired lift, and what could not be read."""
    by_id = {mark.sample_id: mark for mark in blind}
    pairs = [(mark, by_id[mark.sample_id]) for mark in own]
    clusters = [mark.cluster for mark in own]
    scores = [float(mark.is_right) for mark, _ in pairs]
    without = [float(mark.is_right) for _, mark in pairs]
    lift = paired_lift(scores, without, clusters)
    figures = {
        "accuracy": estimate_mean(scores, clusters).value,
        "no_context_accuracy": estimate_mean(without, clusters).value,
        "lift": lift.value,
        "lift_low": lift.low,
        "lift_high": lift.high,
        "unparsed": sum(mark.is_unparsed for mark in own) / len(own),
        "no_context_unparsed": sum(mark.is_unparsed for mark in blind) / len(blind),
        "failed": sum(mark.is_failed for mark in (*own, *blind)) / (len(own) + len(blind)),
        "rows": float(len(own)),
    }
    return {f"val/{name}": value for name, value in figures.items() if value is not None}


class ValidationCallback(TrainerCallback):
    """Validates after every `every` steps and at the end; `trainer` must be set before training begins.

    Each process asks its part of the slice; under FSDP every process asks all of it, in lockstep.
    """

    def __init__(self, asked: Slice, *, every: int) -> None:
        self.asked = asked
        self.every = every
        self.trainer: Any = None
        self._last_step: int | None = None

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Validate where it is time."""
        if self.every and state.global_step % self.every == 0:
            self.validate(state.global_step)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Validate the last step, if that was not done."""
        if self.every and self._last_step != state.global_step:
            self.validate(state.global_step)

    def validate(self, step: int) -> dict[str, float]:
        """Ask the slice twice, log and return the figures."""
        from trl.models.utils import unwrap_model_for_generation

        trainer = self.trainer
        accelerator = trainer.accelerator
        was_training = trainer.model.training
        trainer.model.eval()
        is_lockstep = trainer.is_fsdp_enabled
        part = self.asked if is_lockstep else self.asked.part(accelerator.process_index, accelerator.num_processes)
        try:
            with unwrap_model_for_generation(trainer.model_wrapped, accelerator) as unwrapped:
                model = HFModel(unwrapped, trainer.processing_class, _NAME)
                own = ask_slice(part, model)
                bare = replace(part, config=replace(part.config, reader="none", builder="extractive"))
                blind = ask_slice(bare, model)
            figures = summarise(*((own, blind) if is_lockstep else (_gather(own), _gather(blind))))
            # In evaluation mode the trainer's own figures of the steps so far stay where they are, and its own turn to
            # log this step must still come.
            is_due = trainer.control.should_log
            trainer.log(dict(figures))
            trainer.control.should_log = is_due
        finally:
            trainer.model.train(was_training)
        self._last_step = step
        return figures


def _gather(marks: list[Mark]) -> list[Mark]:
    from accelerate.utils import gather_object

    return list(gather_object(marks))
