"""What an export is read into: one session a conversation, and a record for all that could not be read."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from hub_toolkit.types import Message

Source = Literal["chatgpt", "claude", "plain"]
Speaker = Literal["user", "assistant"]

_KEY_MESSAGES = 2
_KEY_CHARS = 64
_MILLISECONDS_FROM = 10_000_000_000
_EARLIEST, _LATEST = 0, 4_102_444_800  # 1970 to 2100: what lies outside is no date of a chat


@dataclass(frozen=True)
class ExportLimits:
    """What an export may measure; sizes are of what is unpacked. `json_values` counts what one conversation holds."""

    total_bytes: int = 8 * 2**30
    archive_entries: int = 50_000
    directory_bytes: int = 8 * 2**20
    ratio: int = 200
    conversations: int = 200_000
    conversation_chars: int = 32 * 2**20
    json_values: int = 2_000_000
    depth: int = 64
    messages: int = 50_000
    message_chars: int = 2**20


@dataclass(frozen=True)
class ChatSession:
    """One conversation: what the user and the assistant said, in the branch that was last shown.

    `key` stays the same from export to export, and `messages` only grow while nothing is edited. `message_ids` name
    them where the source does, else they are empty texts. `started_at` is ISO 8601 in UTC, None where nothing says it.
    `num_left_out` counts what stands there and is no chat: tool calls and results, instructions, hidden messages.
    """

    key: str
    title: str
    started_at: str | None
    messages: tuple[Message, ...]
    message_ids: tuple[str, ...]
    source: Source
    num_left_out: int = 0


@dataclass(frozen=True)
class Skipped:
    """Something that was not read: why, and where it stands (file, conversation, message); never what it says."""

    reason: str
    place: str


@dataclass(frozen=True)
class Turn:
    """A message with what the source says of it."""

    role: Speaker
    text: str
    id: str = ""
    time: str | None = None


@dataclass
class Conversation:
    """What a format's parser found; `id` is the source's own, empty where it has none. `faults`: messages not read."""

    source: Source
    id: str = ""
    title: str = ""
    started_at: str | None = None
    turns: list[Turn] = field(default_factory=list)
    num_left_out: int = 0
    faults: list[str] = field(default_factory=list)


class ConversationError(ValueError):
    """A conversation that cannot be read; the message says why, without quoting it."""


def conversation_key(conversation: Conversation) -> str:
    """Return what recognises a conversation again: its id, else how it begins.

    A beginning is the first two messages, and more while they say little: two chats that open with the same
    greeting are not the same chat.
    """
    if conversation.id:
        return _digest(conversation.source, "id", conversation.id)
    opening: list[str] = [conversation.started_at or ""]
    num_chars = 0
    for place, turn in enumerate(conversation.turns):
        if place >= _KEY_MESSAGES and num_chars >= _KEY_CHARS:
            break
        opening += [turn.role, turn.text]
        num_chars += len(turn.text)
    return _digest(conversation.source, "opening", *opening)


def repeated_key(key: str, count: int) -> str:
    """Return the key of the `count`-th conversation (from 1) that begins alike in one export."""
    return key if count == 1 else _digest(key, str(count))


def make_session(conversation: Conversation) -> ChatSession:
    """Return the session of a conversation; it starts with its first dated message where nothing else says when."""
    turns: Sequence[Turn] = conversation.turns
    started_at = conversation.started_at or next((turn.time for turn in turns if turn.time), None)
    return ChatSession(
        key=conversation_key(conversation),
        title=conversation.title,
        started_at=started_at,
        # SQLite and C strings end at a NUL.
        messages=tuple(Message(turn.role, turn.text.replace("\0", "")) for turn in turns),
        message_ids=tuple(turn.id for turn in turns),
        source=conversation.source,
        num_left_out=conversation.num_left_out,
    )


def parse_time(value: object) -> str | None:
    """Return a time as ISO 8601 in UTC; it may be that, or epoch seconds or milliseconds. None for all else."""
    if isinstance(value, str):
        return _parse_iso(value.strip())
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not _EARLIEST < value < _LATEST * 1000:  # also false for what is not a number
        return None
    seconds = float(value)
    return _format_time(seconds / 1000 if seconds >= _MILLISECONDS_FROM else seconds)


def _parse_iso(text: str) -> str | None:
    if not 8 <= len(text) <= 40:
        return None
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
        return _format_time(moment.timestamp())
    except (ValueError, OverflowError):
        return None


def _format_time(seconds: float) -> str | None:
    if not _EARLIEST < seconds < _LATEST:
        return None
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _digest(*parts: str) -> str:
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()
