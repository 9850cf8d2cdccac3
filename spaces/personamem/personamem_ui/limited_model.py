"""A model with a visitor's limits around it: tokens and time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence

from hub_toolkit.data.tokens import TokenCounter, count_messages
from hub_toolkit.errors import ProviderError
from hub_toolkit.models.base import ChatModel, Completion, GenerateConfig
from hub_toolkit.types import Message
from personamem_ui.budget import Reserved, TokenBudget

CALL_LIMIT_S = 150.0


class LimitedModel:
    """Takes each call from a visitor's budget, None for a quota of their own, and ends one that takes too long.

    `is_closed_after` closes the model's connections after each call: it holds somebody's token.
    """

    def __init__(
        self,
        model: ChatModel,
        *,
        budget: TokenBudget | None,
        key: str,
        limit_s: float = CALL_LIMIT_S,
        is_closed_after: bool = False,
    ) -> None:
        self._model = model
        self._budget = budget
        self._key = key
        self._limit_s = limit_s
        self._is_closed_after = is_closed_after

    @property
    def name(self) -> str:
        return self._model.name

    @property
    def counter(self) -> TokenCounter:
        return self._model.counter

    @property
    def context_tokens(self) -> int | None:
        return self._model.context_tokens

    async def generate(self, messages: Sequence[Message], config: GenerateConfig | None = None) -> Completion:
        reserved = self._reserve(messages, config)
        try:
            async with asyncio.timeout(self._limit_s):
                completion = await self._model.generate(messages, config)
        except TimeoutError:
            raise self._too_slow() from None
        except ProviderError:
            if reserved is not None:
                reserved.settle(0)
            raise
        finally:
            await self._after()
        if reserved is not None:
            reserved.settle(completion.usage.input_tokens + completion.usage.output_tokens)
        return completion

    async def stream(self, messages: Sequence[Message], config: GenerateConfig | None = None) -> AsyncIterator[str]:
        reserved, num_written = self._reserve(messages, config), 0
        until = time.monotonic() + self._limit_s
        pieces = self._model.stream(messages, config)
        try:
            while True:
                async with asyncio.timeout(max(0.0, until - time.monotonic())):
                    piece = await anext(pieces, None)
                if piece is None:
                    break
                num_written += self.counter.count(piece)
                yield piece
        except TimeoutError:
            raise self._too_slow() from None
        finally:
            if reserved is not None:
                reserved.settle(count_messages(self.counter, messages) + num_written)
            await self._after()

    async def close(self) -> None:
        await self._model.close()

    def _reserve(self, messages: Sequence[Message], config: GenerateConfig | None) -> Reserved | None:
        if self._budget is None:
            return None
        most = (config or GenerateConfig()).max_tokens
        return self._budget.reserve(self._key, count_messages(self.counter, messages) + most)

    async def _after(self) -> None:
        if self._is_closed_after:
            await self._model.close()

    def _too_slow(self) -> ProviderError:
        return ProviderError(f"{self.name} took longer than {self._limit_s:.0f} s", kind="timeout")
