"""Evaluations of the shipped dataset, set up in one line."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from hub_toolkit.data.parse import load_samples, resolve_dataset, split_path
from hub_toolkit.data.schema import Sample
from hub_toolkit.data.tokens import EstimateCounter
from hub_toolkit.evaluate.cache import ResponseCache
from hub_toolkit.evaluate.metered import MeteredModel
from hub_toolkit.evaluate.plan import EvalConfig
from hub_toolkit.evaluate.record import RunRecord
from hub_toolkit.evaluate.run import Progress, RunOptions, run_evaluation
from hub_toolkit.evaluate.run_setup import Setup
from hub_toolkit.memory.build import MemoryBuilder
from hub_toolkit.memory.builders.agentic import AgenticBuilder
from hub_toolkit.memory.builders.extractive import ExtractiveBuilder
from hub_toolkit.models.base import ChatModel


@cache
def mini_samples() -> tuple[Sample, ...]:
    return tuple(load_samples(resolve_dataset("mini"), "benchmark"))


@dataclass
class Evaluation:
    """One `eval run`; `go` can be called again, with other options or another model of the same name."""

    out: Path
    folder: Path = field(default_factory=lambda: resolve_dataset("mini"))
    samples: tuple[Sample, ...] = field(default_factory=mini_samples)
    seen: list[Progress] = field(default_factory=list)
    cache: ResponseCache | None = None

    def go(self, model: ChatModel | None = None, *, options: RunOptions | None = None, **config: Any) -> RunRecord:
        name: dict[str, Any] = {"model": model.name} if model else {}
        chosen = EvalConfig(dataset="mini", **name, **config)
        counter = model.counter if model else EstimateCounter()
        metered = MeteredModel(model, cache=self.cache) if model else None

        def make_builder() -> MemoryBuilder:
            if chosen.builder == "agentic":
                assert metered is not None
                return AgenticBuilder(metered, cap_tokens=chosen.cap_tokens)
            return ExtractiveBuilder(counter, cap_tokens=chosen.cap_tokens)

        questions = split_path(self.folder, chosen.split)
        setup = Setup(chosen, self.folder, questions, self.samples, metered, counter, make_builder)
        return asyncio.run(run_evaluation(setup, self.out, options=options, on_progress=self.seen.append))


@pytest.fixture
def evaluation(tmp_path: Path) -> Evaluation:
    return Evaluation(tmp_path / "run")


@pytest.fixture
def new_evaluation(tmp_path: Path) -> Callable[[str], Evaluation]:
    return lambda name: Evaluation(tmp_path / name)
