"""Builders by name: ours, and any that can be imported as `module:function`."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from hub_toolkit.data.tokens import TokenCounter
from hub_toolkit.errors import ProviderError
from hub_toolkit.memory.build import MemoryBuilder
from hub_toolkit.memory.builders.agentic import AgenticBuilder
from hub_toolkit.memory.builders.extractive import ExtractiveBuilder
from hub_toolkit.models.base import ChatModel


@dataclass(frozen=True)
class BuilderOptions:
    """What a builder is made with: the model that it may ask, where one was named, and the cap that it must keep."""

    counter: TokenCounter
    cap_tokens: int
    model: ChatModel | None = None


def open_builder(name: str, options: BuilderOptions) -> MemoryBuilder:
    """Return the builder of that name; `module:function` is called with the options.

    Raises: ProviderError: there is no such builder, or it needs a model.
    """
    if name == "extractive":
        return ExtractiveBuilder(options.counter, cap_tokens=options.cap_tokens)
    if name == "agentic":
        if options.model is None:
            raise ProviderError("the agentic builder needs a chat model; name one with --model", kind="missing")
        return AgenticBuilder(options.model, cap_tokens=options.cap_tokens)
    builder = _load(name)(options)
    if not isinstance(builder, MemoryBuilder):
        raise ProviderError(
            f"builder {name}: it returned {type(builder).__name__}, which lacks a part of MemoryBuilder "
            "(name, usage, empty, update; see docs/evaluation.md)",
            kind="missing",
        )
    return builder


def _load(name: str) -> Callable[[BuilderOptions], object]:
    module, mark, function = name.partition(":")
    if not (module and mark and function):
        raise ProviderError(
            f"{name!r} is no builder: write extractive, agentic, or module:function of one of your own",
            kind="missing",
        )
    try:
        found = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise ProviderError(
            f"builder {name}: {error}; is the module's folder in PYTHONPATH?", kind="missing"
        ) from error
    if not callable(found):
        raise ProviderError(f"builder {name}: {function} is no function", kind="missing")
    return cast(Callable[[BuilderOptions], object], found)
