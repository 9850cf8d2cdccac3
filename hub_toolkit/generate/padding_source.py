"""Padding from a named dataset instead of the bundled dialogues: what it is, and reading it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from hub_toolkit.data.chat_exports.plain import is_message, messages_of, parse_plain
from hub_toolkit.errors import DataFormatError
from hub_toolkit.types import Message

PAIRS = (
    ("question", "answer"),
    ("prompt", "response"),
    ("prompt", "completion"),
    ("instruction", "output"),
    ("instruction", "response"),
    ("problem", "solution"),
    ("query", "response"),
    ("input", "output"),
)
"""Names of columns that hold one exchange, where a row has no list of messages."""
FORMS = "give JSON or JSON Lines: lists of messages ({role, content}), or pairs such as question and answer"
_MAX_CHARS = 32_000
"""A longer dialogue would fill a history with one block."""
_MAX_DEPTH = 4


@dataclass(frozen=True)
class PaddingSource:
    """A dataset of dialogues: what it is called, and the hash of its file, which stands at `path` on this machine."""

    name: str
    sha256: str
    path: str = field(default="", compare=False)


def open_padding(path: Path, name: str | None = None) -> PaddingSource:
    """Return a file as a source. Raises: DataFormatError: it cannot be read, or holds no dialogue."""
    try:
        sha = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise DataFormatError(f"cannot be read: {error.strerror}", file=str(path)) from error
    source = PaddingSource(name or path.name, sha, str(path.absolute()))
    load_dialogues(source.path)
    return source


@lru_cache(maxsize=1)
def load_dialogues(path: str) -> tuple[tuple[Message, ...], ...]:
    """Return the dialogues of a file, system messages and dialogues of one speaker left out.

    Raises: DataFormatError: it is no JSON, or holds no dialogue.
    """
    found = tuple(dialogue for value in _values(Path(path)) for dialogue in find_dialogues(value))
    if not found:
        raise DataFormatError(f"holds no dialogue; {FORMS}", file=path)
    return found


def find_dialogues(value: Any, *, depth: int = 0) -> Iterator[tuple[Message, ...]]:
    """Yield the dialogues in a value of JSON: a row, a list of messages, or collections of either."""
    if depth > _MAX_DEPTH:
        return
    record = _as_record(value)
    if record is not None:
        turns = parse_plain(record).turns
        messages = tuple(Message(turn.role, turn.text.replace("\0", "")) for turn in turns)
        if _is_fit(messages):
            yield messages
    elif isinstance(value, list | dict):
        for each in value.values() if isinstance(value, dict) else value:
            yield from find_dialogues(each, depth=depth + 1)


def _as_record(value: Any) -> dict[str, Any] | None:
    """Return a row as an object with `messages`, None where it is none."""
    if isinstance(value, list) and value and all(is_message(each) for each in value):
        return {"messages": value}
    if not isinstance(value, Mapping):
        return None
    if messages_of(dict(value)) is not None:
        return dict(value)
    for asked, answered in PAIRS:
        if isinstance(value.get(asked), str) and isinstance(value.get(answered), str):
            pair = (("user", value[asked]), ("assistant", value[answered]))
            return {"messages": [{"role": role, "content": text} for role, text in pair]}
    return None


def _is_fit(messages: tuple[Message, ...]) -> bool:
    """Whether both speak, it is short enough, and every letter can be written down."""
    whole = "".join(message.text for message in messages)
    is_whole = not any("\ud800" <= char <= "\udfff" for char in whole)
    return {message.role for message in messages} == {"user", "assistant"} and len(whole) <= _MAX_CHARS and is_whole


def _values(path: Path) -> Iterator[Any]:
    """Yield the lines of JSON Lines, or the one value of a JSON file."""
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataFormatError(f"cannot be read: {error}", file=str(path)) from error
    try:
        yield json.loads(text)
        return
    except (ValueError, RecursionError):
        pass  # more than one line: each must be JSON of its own
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                yield json.loads(line)
            except (ValueError, RecursionError) as error:
                raise DataFormatError(f"is no JSON ({error}); {FORMS}", file=str(path), row=number) from None
