"""The recurrent update: chunk after chunk, from the last message read to the history's end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Protocol

from hub_toolkit.data.history import CHUNK_TOKENS, Chunk, chunk_messages
from hub_toolkit.data.schema import History
from hub_toolkit.data.tokens import TokenCounter
from hub_toolkit.memory.document import MemoryDocument
from hub_toolkit.types import Usage

DEFAULT_CHUNK_TOKENS = CHUNK_TOKENS


class MemoryBuilder(Protocol):
    """Turns one memory and one chunk into the next memory.

    Causal (no later chunk, no question), Markov (nothing but the document is carried over) and capped.
    """

    @property
    def name(self) -> str: ...

    @property
    def usage(self) -> Usage:
        """Tokens taken by all updates so far."""
        ...

    def empty(self) -> MemoryDocument: ...

    async def update(self, document: MemoryDocument, chunk: Chunk) -> MemoryDocument: ...


@dataclass(frozen=True)
class MemoryStep:
    """The memory after chunk `number` (from 1) of `num_chunks`; `usage` is of this step alone.

    `is_whole`: the chunk does not end inside a message that was split, so that one can go on from here later.
    """

    number: int
    num_chunks: int
    document: MemoryDocument
    usage: Usage
    is_whole: bool = True


async def stream_memory(
    history: History,
    builder: MemoryBuilder,
    counter: TokenCounter,
    *,
    document: MemoryDocument | None = None,
    chunk_tokens: int = DEFAULT_CHUNK_TOKENS,
) -> AsyncIterator[MemoryStep]:
    """Yield the memory after each chunk that `document` has not read yet.

    Source: PersonaMem-v2, section on agentic memory: M_i = f(C_i, M_{i-1}).
    """
    current = document or builder.empty()
    chunks = chunk_messages(history, counter, chunk_tokens=chunk_tokens, start=current.read_messages)
    for number, chunk in enumerate(chunks, start=1):
        before = builder.usage
        current = await builder.update(current, chunk)
        after = builder.usage
        used = Usage(
            after.input_tokens - before.input_tokens, after.output_tokens - before.output_tokens, after.is_estimated
        )
        is_whole = number == len(chunks) or chunks[number].indices[0] != chunk.indices[-1]
        yield MemoryStep(number, len(chunks), current, used, is_whole)


async def build_memory(
    history: History,
    builder: MemoryBuilder,
    counter: TokenCounter,
    *,
    document: MemoryDocument | None = None,
    chunk_tokens: int = DEFAULT_CHUNK_TOKENS,
    on_step: Callable[[MemoryStep], None] | None = None,
) -> MemoryDocument:
    """Read what is unread and return the memory; `on_step` sees each step, to save it or to show it."""
    current = document or builder.empty()
    steps = stream_memory(history, builder, counter, document=current, chunk_tokens=chunk_tokens)
    async for step in steps:
        current = step.document
        if on_step:
            on_step(step)
    return current
