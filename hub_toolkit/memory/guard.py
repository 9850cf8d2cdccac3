"""What stands before every write: messages are screened before a builder reads them, bullets after it wrote them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from hub_toolkit.data.history import Chunk
from hub_toolkit.memory.document import Bullet, MemoryDocument, Source
from hub_toolkit.memory.state import Receipt
from hub_toolkit.types import Message, Role


@dataclass(frozen=True)
class Finding:
    """Why a bullet or a span may not be written; `digest` recognises it."""

    reason: str
    digest: str = ""


@dataclass(frozen=True)
class HeldSpan:
    """A span that waits for the owner's decision."""

    text: str
    source: Source
    reason: str


@dataclass(frozen=True)
class Screened:
    """A message as the builder may read it, and what was kept from it."""

    message: Message
    held: tuple[HeldSpan, ...] = ()
    findings: tuple[Finding, ...] = ()


class Guard(Protocol):
    """One check. `screen_message` takes spans out of a message (its role and place stay); `screen_bullet` says why a
    bullet may not stand, None where it may; it sees each new or changed bullet, text and spans, and the chunk.

    A guard whose `is_by_message` is True looks at each message by itself, and may be spared those that nobody reads.
    """

    @property
    def name(self) -> str: ...

    def screen_message(self, message: Message, index: int) -> Screened: ...

    def screen_bullet(self, bullet: Bullet, chunk: Chunk | None) -> Finding | None: ...


@dataclass(frozen=True)
class Guarded:
    """What is left of a write, and what the guards kept from it."""

    document: MemoryDocument
    receipts: tuple[Receipt, ...] = ()
    held: tuple[HeldSpan, ...] = field(default=())


def screen_chunk(
    chunk: Chunk, guards: Sequence[Guard], *, unread: frozenset[Role] = frozenset()
) -> tuple[Chunk, list[Receipt], list[HeldSpan]]:
    """Return the chunk as a builder may read it.

    Messages of the roles `unread`, which the builder never looks at, are left to the guards that follow the whole chat.
    """
    messages: list[Message] = []
    receipts: list[Receipt] = []
    held: list[HeldSpan] = []
    for message, index in zip(chunk.messages, chunk.indices, strict=True):
        for guard in guards:
            if message.role in unread and getattr(guard, "is_by_message", False):
                continue
            screened = guard.screen_message(message, index)
            message = screened.message
            held += screened.held
            receipts += [Receipt("held", span.reason) for span in screened.held]
            receipts += [Receipt("refused", f.reason, digest=f.digest) for f in screened.findings]
        messages.append(message)
    return replace(chunk, messages=tuple(messages)), receipts, held


def screen_document(
    before: MemoryDocument, after: MemoryDocument, guards: Sequence[Guard], *, chunk: Chunk | None = None
) -> tuple[MemoryDocument, list[Receipt]]:
    """Return the document without the bullets that a guard refuses; unchanged bullets were screened when they came."""
    known, kept, receipts = set(before.bullets), [], []
    earlier = {bullet.id: bullet for bullet in before.bullets}
    for bullet in after.bullets:
        finding = None if bullet in known else _first_finding(bullet, chunk, guards)
        if finding is None:
            kept.append(bullet)
            continue
        receipts.append(Receipt("refused", finding.reason, digest=finding.digest))
        if finding.reason.startswith("poison:") and bullet.id in earlier:
            kept.append(earlier[bullet.id])  # others' words do not take away what the user said
    return (replace(after, bullets=tuple(kept)) if receipts else after), receipts


def _first_finding(bullet: Bullet, chunk: Chunk | None, guards: Sequence[Guard]) -> Finding | None:
    return next((found for guard in guards if (found := guard.screen_bullet(bullet, chunk))), None)
