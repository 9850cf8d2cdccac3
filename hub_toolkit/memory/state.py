"""What one owner's memory is: the document, the owner's rules, and what waits for the owner's decision."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from hub_toolkit.memory.document import Author, Bullet, MemoryDocument, Source

ChangeKind = Literal["update", "edit", "delete", "forget", "rule", "import", "consolidate", "release", "undo", "redo"]
Strictness = Literal["normal", "strict"]
ReceiptKind = Literal["refused", "held", "forgotten", "purged"]


@dataclass(frozen=True)
class Rule:
    """A rule of the owner, compiled: `text` is what the owner wrote, the rest is what is checked.

    `effect` "never": nothing that matches is kept; "only": nothing else is kept. `categories` are names of
    `rules/categories`, `entities` words or names, `patterns` regular expressions that were checked to be safe,
    `before` and `after` dates (ISO 8601) of what was said. `strictness` "strict": a faint sign is enough to refuse.
    """

    id: str
    text: str
    effect: Literal["never", "only"] = "never"
    categories: tuple[str, ...] = ()
    entities: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    before: str | None = None
    after: str | None = None
    strictness: Strictness = "normal"


@dataclass(frozen=True)
class Held:
    """A span that looks like an instruction to the memory and waits for the owner: `reason` says what it looks like."""

    id: str
    text: str
    source: Source
    reason: str


@dataclass(frozen=True)
class Receipt:
    """That something was refused, held, forgotten or purged; never the content.

    `reason` names the check: `secret:phone`, `rule:r2`, `forgotten`, `poison:hidden_text`. `digest` is a keyed
    sha256 of the content, so that the owner who knows it can recognise it. `time` is ISO 8601, set by the store.
    """

    kind: ReceiptKind
    reason: str
    count: int = 1
    digest: str = ""
    time: str = ""


@dataclass(frozen=True)
class Session:
    """Messages read together: `first_index` is the place of the first in the owner's stream of messages.

    `key` recognises the session again (sha256 of its origin); `started_at` is ISO 8601 where the source says it.
    """

    key: str
    first_index: int
    num_messages: int
    started_at: str | None = None


@dataclass(frozen=True)
class MemoryState:
    """All that a version of one owner's memory holds. What was forgotten stands, hashed, in `document.forgotten`."""

    document: MemoryDocument = field(default_factory=MemoryDocument)
    rules: tuple[Rule, ...] = ()
    held: tuple[Held, ...] = ()
    next_rule: int = 1
    next_held: int = 1


@dataclass(frozen=True)
class Change:
    """Why a version is made."""

    kind: ChangeKind
    author: Author
    reason: str = ""
    receipts: tuple[Receipt, ...] = ()
    sessions: tuple[Session, ...] = ()


@dataclass(frozen=True)
class Version:
    """One line of a memory's log; `number` counts from 1, `time` is ISO 8601 (UTC)."""

    number: int
    kind: ChangeKind
    author: Author
    reason: str
    time: str
    num_added: int = 0
    num_changed: int = 0
    num_removed: int = 0


__all__ = [
    "Author",
    "Bullet",
    "Change",
    "ChangeKind",
    "Held",
    "MemoryState",
    "Receipt",
    "ReceiptKind",
    "Rule",
    "Session",
    "Strictness",
    "Version",
]
