"""What one visitor may take of the owner's model: reserved before a call, settled after it, new in the next hour."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from hub_toolkit.data.tokens import EstimateCounter
from hub_toolkit.errors import ProviderError
from hub_toolkit.models.base import Completion, GenerateConfig
from hub_toolkit.types import Message, Usage
from personamem_ui.budget import TokenBudget
from personamem_ui.limited_model import LimitedModel

ASKED = [Message("user", "What shall I bake for two old friends on Friday evening?")]
CONFIG = GenerateConfig(max_tokens=50)


class Slow:
    """A model that answers after `wait_s`, or fails."""

    name, counter, context_tokens = "openai/slow", EstimateCounter(), None

    def __init__(self, wait_s: float = 0, *, fails: bool = False) -> None:
        self.wait_s, self.fails, self.num_closed = wait_s, fails, 0

    async def generate(self, messages: Sequence[Message], config: GenerateConfig | None = None) -> Completion:  # noqa: ARG002
        await asyncio.sleep(self.wait_s)
        if self.fails:
            raise ProviderError("down")
        return Completion("bread", Usage(20, 5))

    async def stream(self, messages: Sequence[Message], config: GenerateConfig | None = None) -> AsyncIterator[str]:  # noqa: ARG002
        for piece in ("bake ", "some ", "bread"):
            await asyncio.sleep(self.wait_s)
            yield piece

    async def close(self) -> None:
        self.num_closed += 1


def test_a_call_is_settled_to_what_it_took() -> None:
    budget = TokenBudget(200)
    asyncio.run(LimitedModel(Slow(), budget=budget, key="a").generate(ASKED, CONFIG))
    assert budget.left("a") == 175 and budget.left("b") == 200


def test_nothing_is_asked_beyond_the_budget_and_the_next_hour_is_new() -> None:
    now = [0.0]
    budget = TokenBudget(80, now=lambda: now[0])
    model = LimitedModel(Slow(), budget=budget, key="a")
    asyncio.run(model.generate(ASKED, CONFIG))
    with pytest.raises(ProviderError, match="are left: wait") as raised:
        asyncio.run(model.generate(ASKED, CONFIG))
    assert raised.value.kind == "rate_limit"
    now[0] = 3600.0
    asyncio.run(model.generate(ASKED, CONFIG))


def test_calls_at_once_cannot_pass_together() -> None:
    async def race() -> list[object]:
        model = LimitedModel(Slow(0.05), budget=TokenBudget(100), key="a")
        return await asyncio.gather(*(model.generate(ASKED, CONFIG) for _ in range(5)), return_exceptions=True)

    results = asyncio.run(race())
    assert sum(isinstance(result, Completion) for result in results) == 1


def test_a_failed_call_costs_nothing() -> None:
    budget = TokenBudget(200)
    with pytest.raises(ProviderError, match="down"):
        asyncio.run(LimitedModel(Slow(fails=True), budget=budget, key="a").generate(ASKED, CONFIG))
    assert budget.left("a") == 200


def test_a_stream_is_counted_even_when_it_is_left() -> None:
    budget = TokenBudget(500)
    inner = Slow()
    model = LimitedModel(inner, budget=budget, key="a", is_closed_after=True)

    async def leave() -> None:
        pieces = model.stream(ASKED, CONFIG)
        await anext(pieces)
        await pieces.aclose()  # type: ignore[attr-defined]

    asyncio.run(leave())
    assert 450 < budget.left("a") < 500
    assert inner.num_closed == 1


def test_a_call_that_takes_too_long_ends() -> None:
    model = LimitedModel(Slow(5), budget=None, key="a", limit_s=0.05)

    async def read() -> list[str]:
        return [piece async for piece in model.stream(ASKED, CONFIG)]

    for work in (model.generate(ASKED, CONFIG), read()):
        with pytest.raises(ProviderError, match="longer than") as raised:
            asyncio.run(work)
        assert raised.value.kind == "timeout"
