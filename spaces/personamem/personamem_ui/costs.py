"""What answering takes with a memory and with the whole history: a query, and with the memory's building."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hub_toolkit.answer.readers import Context
from hub_toolkit.data.tokens import TokenCounter, count_messages
from hub_toolkit.evaluate.budget import Price, Tokens
from hub_toolkit.types import Message, Usage
from personamem_ui.answering import WITH_FULL, WITH_MEMORY, WITHOUT
from personamem_ui.sessions import Asked

NAMES = {WITH_MEMORY: "With memory", WITHOUT: "Without memory", WITH_FULL: "Full history"}


@dataclass(frozen=True)
class Line:
    """One way of answering; `usd` is None where no price is known, `output_tokens` where nothing was written."""

    name: str
    input_tokens: int
    output_tokens: int | None
    usd: float | None


@dataclass(frozen=True)
class Costs:
    """`ratio`: full history against memory, tokens read a query. `ratio_with_build`: the same over all questions asked
    so far, the model tokens of the memory's building included. `break_even`: the question from which it pays."""

    lines: tuple[Line, ...]
    ratio: float | None
    ratio_with_build: float | None
    build_tokens: int
    num_asked: int
    break_even: int | None


def count_read(contexts: dict[str, Context], question: list[Message], counter: TokenCounter) -> dict[str, int]:
    """Return the tokens that each way of answering reads."""
    posed = count_messages(counter, question)
    return {name: context.tokens(counter) + posed for name, context in contexts.items()}


def weigh(asked: Asked, build: Usage, num_asked: int, price: Price | None) -> Costs:
    """Put together what a question took."""
    lines = tuple(_line(name, asked, price) for name in NAMES if name in asked.read_tokens)
    memory, full = asked.read_tokens.get(WITH_MEMORY), asked.read_tokens.get(WITH_FULL)
    build_tokens = build.input_tokens + build.output_tokens
    if not memory or not full:
        return Costs(lines, None, None, build_tokens, num_asked, None)
    num = max(1, num_asked)
    saved = full - memory
    break_even = math.ceil(build_tokens / saved) if saved > 0 else None
    return Costs(lines, full / memory, full * num / (memory * num + build_tokens), build_tokens, num, break_even)


def _line(name: str, asked: Asked, price: Price | None) -> Line:
    answer = asked.answers.get(name)
    is_written = answer is not None and answer.is_done and answer.error is None
    read = answer.usage.input_tokens if answer is not None and is_written else asked.read_tokens[name]
    written = answer.usage.output_tokens if answer is not None and is_written else None
    usd = price.usd(Tokens(read, written or 0)) if price is not None else None
    return Line(NAMES[name], read, written, usd)
