"""Building a memory for one visitor: chunk after chunk, off the event loop, and stopped when they say so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import cast

from hub_toolkit.data.tokens import TokenCounter
from hub_toolkit.memory.build import MemoryBuilder, MemoryStep, stream_memory
from hub_toolkit.memory.extractive import ExtractiveBuilder
from personamem_ui.sessions import BuildRun, Session, Step

PACE_S, MAX_PACE_S = 0.25, 2.0
"""A chunk is read in milliseconds. So that eyes can follow, chunks come this far apart, and add this much in all."""


async def run_build(
    session: Session, run: BuildRun, builder: MemoryBuilder, counter: TokenCounter, *, chunk_tokens: int
) -> AsyncIterator[Step]:
    """Add a step to the session after each chunk, until the end or the stop.

    Raises: ProviderError, from the builder's model.
    """
    if session.history is None or run.stop.is_set():
        return
    session.phase = "building"
    steps = stream_memory(session.history, builder, counter, chunk_tokens=chunk_tokens)
    advance = _advance_in_thread if isinstance(builder, ExtractiveBuilder) else _advance_in_loop
    while (made := await advance(steps, run.stop)) is not None and not run.stop.is_set():
        session.steps.append(Step(made.number, made.num_chunks, made.document, made.document.tokens(counter)))
        yield session.steps[-1]
        if made.number < made.num_chunks:
            await _pause(min(PACE_S, MAX_PACE_S / made.num_chunks), run.stop)
    if not run.stop.is_set():
        session.phase = "done"


async def _pause(seconds: float, stop: asyncio.Event) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return


async def _advance_in_loop(steps: AsyncIterator[MemoryStep], stop: asyncio.Event) -> MemoryStep | None:
    """Return the next step; None at the end, and at the stop, which cancels the call under way."""

    async def advance() -> MemoryStep | None:
        return await anext(steps, None)

    work, halt = asyncio.create_task(advance()), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({work, halt}, return_when=asyncio.FIRST_COMPLETED)
        return work.result() if work.done() else None
    finally:
        work.cancel()
        halt.cancel()


async def _advance_in_thread(steps: AsyncIterator[MemoryStep], stop: asyncio.Event) -> MemoryStep | None:  # noqa: ARG001
    """Return the next step; other visitors are served meanwhile. A stop waits for the chunk, which takes moments."""
    return await asyncio.to_thread(_advance, steps)


def _advance(steps: AsyncIterator[MemoryStep]) -> MemoryStep | None:
    """Run a generator that computes and never waits, without an event loop."""
    waiting = anext(steps).__await__()
    try:
        next(waiting)
    except StopIteration as end:
        return cast(MemoryStep, end.value)
    except StopAsyncIteration:
        return None
    raise RuntimeError("a builder that waits belongs in the event loop")
