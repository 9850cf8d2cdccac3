"""Which messages of a session were read already: sessions are known by hashes, their messages are not kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence

from hub_toolkit.memory.state import Session
from hub_toolkit.types import Message

_PART = "@"


def count_read(sessions: Iterable[Session], name: str | None, messages: Sequence[Message]) -> int:
    """Return how many of a session's messages were read.

    A session with a name is known by it. One without is known by its messages: a chat that has grown since it was
    read begins with what was read.
    """
    if name is not None:
        digest = _digest_name(name)
        return sum(s.num_messages for s in sessions if s.key.partition(_PART)[0] == digest)
    known = {s.key for s in sessions}
    return max((end for end, key in enumerate(_prefix_keys(messages), start=1) if key in known), default=0)


def part_key(name: str | None, messages: Sequence[Message], start: int, end: int) -> str:
    """Return the key of the messages from `start` to `end` of a session, as `count_read` finds them again."""
    if name is not None:
        return f"{_digest_name(name)}{_PART}{start}"
    *_, last = _prefix_keys(messages[:end])
    return last


def next_index(sessions: Iterable[Session], read_messages: int) -> int:
    """Return the index that the owner's next message gets: none is given twice, even after an undo."""
    return max(read_messages, max((s.first_index + s.num_messages for s in sessions), default=0))


def session_of(sessions: Iterable[Session], index: int) -> Session | None:
    """Return the session that holds a message."""
    return next((s for s in sessions if s.first_index <= index < s.first_index + s.num_messages), None)


def _digest_name(name: str) -> str:
    return hashlib.sha256(f"personamem:session:{name}".encode("utf-8", "surrogatepass")).hexdigest()


def _prefix_keys(messages: Iterable[Message]) -> Iterable[str]:
    running = hashlib.sha256(b"personamem:messages")
    for message in messages:
        line = json.dumps(message.as_dict(), ensure_ascii=True, sort_keys=True)
        running.update(line.encode() + b"\n")
        yield running.hexdigest()
