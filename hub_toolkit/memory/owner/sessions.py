"""Which messages of a session were read already: sessions are known by hashes, their messages are not kept."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from hub_toolkit.memory.state import Session
from hub_toolkit.types import Message

_PART = "@"
_CONTENT = "#"


def count_read(sessions: Iterable[Session], name: str | None, ends: Sequence[str]) -> int:
    """Return how many of a session's messages were read; `ends[i]` is the hash of the messages up to i.

    A session with a name is known by it, part by part; a part that was edited since counts as unread, and what follows
    it too. One without a name is known by its messages: a chat that has grown since it was read begins with what was
    read.
    """
    if name is None:
        known = {s.key for s in sessions}
        return max((end for end, key in enumerate(ends, start=1) if key in known), default=0)
    parts = _parts_of(sessions, _digest_name(name))
    start = 0
    while start < len(ends):
        num = next((num for content, num in parts[start] if _holds(ends, start + num, content)), 0)
        if not num:
            break
        start += num
    return start


def _parts_of(sessions: Iterable[Session], digest: str) -> defaultdict[int, list[tuple[str, int]]]:
    """Return the parts of a named session by where they begin: the hash of what was read, and how many messages."""
    parts: defaultdict[int, list[tuple[str, int]]] = defaultdict(list)
    for session in sessions:
        name, _, part = session.key.partition(_PART)
        if name == digest:
            start, _, content = part.partition(_CONTENT)
            parts[int(start)].append((content, session.num_messages))
    return parts


def _holds(ends: Sequence[str], num: int, content: str) -> bool:
    """Whether the first messages are those that were read; a part from before content was hashed counts as read."""
    return not content or (num <= len(ends) and ends[num - 1].startswith(content))


def part_key(name: str | None, ends: Sequence[str], start: int, end: int) -> str:
    """Return the key of the messages from `start` to `end` of a session, as `count_read` finds them again."""
    content = ends[end - 1]
    return content if name is None else f"{_digest_name(name)}{_PART}{start}{_CONTENT}{content[:16]}"


def next_index(sessions: Iterable[Session], read_messages: int) -> int:
    """Return the index that the owner's next message gets: none is given twice, even after an undo."""
    return max(read_messages, max((s.first_index + s.num_messages for s in sessions), default=0))


def session_of(sessions: Iterable[Session], index: int) -> Session | None:
    """Return the session that holds a message."""
    return next((s for s in sessions if s.first_index <= index < s.first_index + s.num_messages), None)


def _digest_name(name: str) -> str:
    return hashlib.sha256(f"personamem:session:{name}".encode("utf-8", "surrogatepass")).hexdigest()


def prefix_keys(messages: Iterable[Message]) -> Iterator[str]:
    """Yield, for each message, the hash of all messages up to it."""
    running = hashlib.sha256(b"personamem:messages")
    for message in messages:
        line = json.dumps(message.as_dict(), ensure_ascii=True, sort_keys=True)
        running.update(line.encode() + b"\n")
        yield running.hexdigest()
