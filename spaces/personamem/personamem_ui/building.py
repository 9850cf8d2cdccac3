"""Reading the visitor's chats into their memory: chunk after chunk, off the event loop, stopped when they say so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from hub_toolkit.data.tokens import TokenCounter, count_message
from hub_toolkit.memory.build import MemoryBuilder
from hub_toolkit.memory.builders.extractive import ExtractiveBuilder
from hub_toolkit.memory.owner.remembering import Remembered
from hub_toolkit.types import Message
from personamem_ui.sessions import BuildRun, Chat, Session

PACE_S, MAX_PACE_S = 0.25, 2.0
"""A chunk is read in milliseconds. So that eyes can follow, chunks come this far apart, and add this much in all; the
more visitors read at once, the less, for whoever pauses holds a place that another waits for."""

MAX_STOP_S = 10.0
"""A stop does not wait longer for the chunk under way."""

BROKEN_OFF = "the reading broke off by a fault of this page; what was read before it is kept, and can be read on"


_under_way: set[int] = set()
"""The runs that read now, by identity."""


@dataclass(frozen=True)
class Portion:
    """A chat up to the end of one chunk: what is before it was read by then."""

    chat: Chat
    end: int


def plan_portions(chats: tuple[Chat, ...], counter: TokenCounter, chunk_tokens: int) -> list[Portion]:
    """Cut chats at message borders into chunks; a message longer than a chunk stands alone."""
    portions = []
    for chat in chats:
        tokens = 0
        for place, message in enumerate(chat.messages):
            size = count_message(counter, message)
            if tokens and tokens + size > chunk_tokens:
                portions.append(Portion(chat, place))
                tokens = 0
            tokens += size
        if tokens:
            portions.append(Portion(chat, len(chat.messages)))
    return portions


async def run_build(
    session: Session, run: BuildRun, builder: MemoryBuilder, counter: TokenCounter, *, chunk_tokens: int
) -> AsyncIterator[int]:
    """Read chunk after chunk until the end or the stop, yielding the number of each that is read.

    Where it breaks off, by a fault or because the page was left, the session says so and can go on.

    Raises: ProviderError, from the builder's model.
    """
    if not session.chats or run.stop.is_set():
        return
    session.phase = "building"
    session.use_builder(builder, counter)
    _under_way.add(id(run))
    run.is_idle.clear()
    try:
        async for number in _run(session, run, builder, chunk_tokens):
            yield number
    finally:
        _under_way.discard(id(run))
        run.is_idle.set()
        if session.run is run:  # a model may hold a visitor's token: it is let go with the run
            cap = builder.empty().cap_tokens
            session.use_builder(ExtractiveBuilder(counter, cap_tokens=cap), counter)
            if session.phase == "building":
                session.phase, session.error = "failed", BROKEN_OFF


async def _run(session: Session, run: BuildRun, builder: MemoryBuilder, chunk_tokens: int) -> AsyncIterator[int]:
    counter = session.counter
    portions = await asyncio.to_thread(plan_portions, session.chats, counter, chunk_tokens)
    session.num_chunks, session.num_chunks_read = len(portions), 0
    before = builder.usage
    for number, portion in enumerate(portions, start=1):
        if run.stop.is_set():
            return
        done = await _read(session, run, portion.chat, portion.end, in_thread=isinstance(builder, ExtractiveBuilder))
        if done is None or session.run is not run:
            return
        session.num_chunks_read = number
        if not done.num_read:
            continue
        session.settle(is_purged=any(receipt.kind == "forgotten" for receipt in done.receipts))
        after = builder.usage
        session.build_usage += type(after)(
            after.input_tokens - before.input_tokens, after.output_tokens - before.output_tokens, after.is_estimated
        )
        before = after
        yield number
        if run.stop.is_set():
            return
        if number < len(portions):
            await _pause(min(PACE_S, MAX_PACE_S / len(portions)) / max(1, len(_under_way)), run.stop)
    if not run.stop.is_set():
        session.phase = "done"


async def _read(session: Session, run: BuildRun, chat: Chat, end: int, *, in_thread: bool) -> Remembered | None:
    """Read a chat up to a message; None where the visitor stopped it, which cancels a model's call under way."""
    memory, messages = session.memory, chat.messages[:end]

    async def remember() -> Remembered:
        return await memory.remember(messages, session=chat.key, started_at=chat.started_at)

    if in_thread:  # it computes and never waits; other visitors are served meanwhile
        return await asyncio.to_thread(asyncio.run, remember())
    work, halt = asyncio.create_task(remember()), asyncio.create_task(run.stop.wait())
    try:
        await asyncio.wait({work, halt}, return_when=asyncio.FIRST_COMPLETED)
        return work.result() if work.done() else None
    finally:
        work.cancel()
        halt.cancel()


async def remember_said(session: Session, message: Message) -> Remembered:
    """Take a message that was written here into the memory at once."""
    session.talk.append(message)
    memory, messages = session.memory, tuple(session.talk)

    async def remember() -> Remembered:
        return await memory.remember(messages, session=session.talk_key)

    if isinstance(memory.builder, ExtractiveBuilder):
        done = await asyncio.to_thread(asyncio.run, remember())
    else:
        done = await remember()
    session.settle(is_purged=any(receipt.kind == "forgotten" for receipt in done.receipts))
    return done


async def stop_build(session: Session) -> None:
    """End the build under way, once the chunk that is being read is told too: what is said afterwards stays true."""
    run = session.run
    session.stop()
    if run is not None:
        await _pause(MAX_STOP_S, run.is_idle)


async def _pause(seconds: float, stop: asyncio.Event) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
