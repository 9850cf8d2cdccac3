"""The typed records that the stages hand on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from hub_toolkit.data.schema import Split
from hub_toolkit.types import Message

GroupKind = Literal["plain", "update", "forget", "others"]
BlockRole = Literal["evidence", "update", "forget", "trap", "filler", "secret"]
TwinKind = Literal["forget", "friend", "update"]
TWIN_KINDS: tuple[TwinKind, ...] = ("forget", "friend", "update")


@dataclass(frozen=True)
class Alternative:
    """One way to like a topic: a noun phrase, and nouns that only it brings along."""

    name: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class Topic:
    """Something people differ in. `need` is a noun phrase to be asked for; it shares no word with an alternative."""

    key: str
    need: str
    family: str
    alternatives: tuple[Alternative, ...]


@dataclass(frozen=True)
class SimPersona:
    """One owner. All four of a quad are alike in age, work and manner."""

    persona_id: int
    quad: int
    member: int
    split: Split
    name: str
    pronoun: Literal["he", "she"]
    short_persona: str
    expanded: dict[str, Any]
    twin_of: int | None = None
    twin_kind: TwinKind | None = None


@dataclass(frozen=True)
class Assignment:
    """One topic of a quad: whose alternative is which.

    `liked[m]` is the place of member m's alternative. For `forget` and `others`, member `special` shares the
    alternative of member `source`, but asked to forget it, or has it from a friend. For `update`, `special` had the
    alternative of `source` before its own. `pool` holds the four alternatives of the group.
    """

    group_id: str
    topic: Topic
    kind: GroupKind
    liked: tuple[int, int, int, int]
    special: int
    source: int
    pool: tuple[int, ...]


@dataclass(frozen=True)
class QuadPlan:
    """What the four members of a quad like. `extra[m]`: topics of member m that nobody asks about."""

    quad: int
    asked: tuple[Assignment, ...]
    twins: tuple[Assignment, ...]
    extra: tuple[tuple[tuple[Topic, int], ...], ...]


@dataclass(frozen=True)
class SwapGroup:
    """One query with four options; `gold[m]` is the place of member m's option."""

    group_id: str
    query: str
    options: tuple[str, ...]
    gold: tuple[int, ...]


@dataclass(frozen=True)
class Block:
    """One conversation. `after` names the block that must stand before; `is_adjacent`: right before.

    `is_required` blocks bear a question; the rest fills the history up.
    """

    block_id: str
    topic: str
    scenario: str
    who: Literal["self", "others"]
    role: BlockRole
    messages: tuple[Message, ...]
    tokens: int
    after: str | None = None
    is_adjacent: bool = False
    is_required: bool = False
    group_id: str | None = None
    preference: str = ""
    fill_tokens: int | None = None

    @property
    def counted_tokens(self) -> int:
        """Tokens by which histories are filled: a twin's changed block counts as its original's."""
        return self.tokens if self.fill_tokens is None else self.fill_tokens
