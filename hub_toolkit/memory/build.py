"""The recurrent update: chunk after chunk, from the last message read to the history's end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from hub_toolkit.data.history import CHUNK_TOKENS, Chunk, chunk_messages
from hub_toolkit.data.schema import History
from hub_toolkit.data.tokens import TokenCounter
from hub_toolkit.memory.document import Bullet, MemoryDocument
from hub_toolkit.memory.forget.forgetting import ForgetGuard, is_forgotten
from hub_toolkit.memory.guard import Guard, Guarded, HeldSpan, screen_chunk, screen_document
from hub_toolkit.memory.owner.edits import protect
from hub_toolkit.memory.poison.poison import PoisonGuard
from hub_toolkit.memory.rules.guard import SecretGuard
from hub_toolkit.memory.rules.policy import judge_written
from hub_toolkit.memory.state import Receipt
from hub_toolkit.types import Usage

DEFAULT_CHUNK_TOKENS = CHUNK_TOKENS


@runtime_checkable
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
    `receipts` and `held` say what the guards kept from the memory.
    """

    number: int
    num_chunks: int
    document: MemoryDocument
    usage: Usage
    is_whole: bool = True
    receipts: tuple[Receipt, ...] = ()
    held: tuple[HeldSpan, ...] = ()


def default_guards() -> tuple[Guard, ...]:
    """Return the checks that stand before every memory: secrets and contact data, and instructions in disguise.

    They are made anew for each memory: a guard may remember what it read.
    """
    return (SecretGuard(), PoisonGuard())


async def update_guarded(
    builder: MemoryBuilder,
    document: MemoryDocument,
    chunk: Chunk,
    *,
    counter: TokenCounter,
    guards: Sequence[Guard],
) -> Guarded:
    """Let the builder read a chunk as the guards let it through, and keep of what it wrote what may stand."""
    every = (ForgetGuard(document.forgotten), *guards)
    readable, receipts, held = screen_chunk(chunk, every, unread=getattr(builder, "unread", frozenset()))
    written = await builder.update(document, readable)
    settled = settle(document, written, counter=counter, guards=guards, chunk=readable)
    judged, refused = await judge_written(document, settled.document, guards)
    admitted = tuple(span for span in held if may_be_held(span, judged, guards))
    return Guarded(judged, (*receipts, *settled.receipts, *refused), admitted)


def settle(
    before: MemoryDocument,
    written: MemoryDocument,
    *,
    counter: TokenCounter,
    guards: Sequence[Guard],
    chunk: Chunk | None = None,
) -> Guarded:
    """Return what may stand of a document that a builder, an import or a look at the past has written.

    The user's edits stay, what was forgotten stays away, the guards have their say, and the cap holds.
    """
    protected = protect(before, written, counter)
    clean, receipts = drop_forgotten(protected)
    screened, refused = screen_document(before, clean, guards, chunk=chunk)
    screened, _ = drop_forgotten(screened)  # a bullet that was put back may be on what this chunk forgets
    if screened is not written or screened.tokens(counter) > screened.cap_tokens:
        screened = screened.enforce_cap(counter)
    return Guarded(screened, (*receipts, *refused))


def drop_forgotten(document: MemoryDocument) -> tuple[MemoryDocument, list[Receipt]]:
    """Return the document without bullets and spans on what was forgotten."""
    if not document.forgotten:
        return document, []
    kept: list[Bullet] = []
    for bullet in document.bullets:
        if is_forgotten(bullet.text, document.forgotten):
            continue
        sources = tuple(s for s in bullet.sources if not is_forgotten(s.span, document.forgotten))
        kept.append(bullet if sources == bullet.sources else replace(bullet, sources=sources))
    num_refused = len(document.bullets) - len(kept)
    if tuple(kept) == document.bullets:
        return document, []
    receipts = [Receipt("refused", "forgotten", num_refused)] if num_refused else []
    return replace(document, bullets=tuple(kept)), receipts


def may_be_held(span: HeldSpan, document: MemoryDocument, guards: Sequence[Guard]) -> bool:
    """Whether a span may wait for the owner: what is forgotten, secret or against a rule waits nowhere."""
    if is_forgotten(span.text, document.forgotten):
        return False
    bullet = Bullet("", span.text, (span.source,))
    return all(guard.name == PoisonGuard.name or guard.screen_bullet(bullet, None) is None for guard in guards)


async def stream_memory(
    history: History,
    builder: MemoryBuilder,
    counter: TokenCounter,
    *,
    document: MemoryDocument | None = None,
    chunk_tokens: int = DEFAULT_CHUNK_TOKENS,
    guards: Sequence[Guard] | None = None,
) -> AsyncIterator[MemoryStep]:
    """Yield the memory after each chunk that `document` has not read yet; `guards` are `default_guards` by default.

    Source: PersonaMem-v2, section on agentic memory: M_i = f(C_i, M_{i-1}).
    """
    current = document or builder.empty()
    guards = default_guards() if guards is None else guards
    chunks = chunk_messages(history, counter, chunk_tokens=chunk_tokens, start=current.read_messages)
    for number, chunk in enumerate(chunks, start=1):
        before = builder.usage
        guarded = await update_guarded(builder, current, chunk, counter=counter, guards=guards)
        current = guarded.document
        after = builder.usage
        used = Usage(
            after.input_tokens - before.input_tokens, after.output_tokens - before.output_tokens, after.is_estimated
        )
        is_whole = number == len(chunks) or chunks[number].indices[0] != chunk.indices[-1]
        yield MemoryStep(number, len(chunks), current, used, is_whole, guarded.receipts, guarded.held)


async def build_memory(  # noqa: PLR0913
    history: History,
    builder: MemoryBuilder,
    counter: TokenCounter,
    *,
    document: MemoryDocument | None = None,
    chunk_tokens: int = DEFAULT_CHUNK_TOKENS,
    guards: Sequence[Guard] | None = None,
    on_step: Callable[[MemoryStep], None] | None = None,
) -> MemoryDocument:
    """Read what is unread and return the memory; `on_step` sees each step, to save it or to show it."""
    current = document or builder.empty()
    steps = stream_memory(history, builder, counter, document=current, chunk_tokens=chunk_tokens, guards=guards)
    async for step in steps:
        current = step.document
        if on_step:
            on_step(step)
    return current
