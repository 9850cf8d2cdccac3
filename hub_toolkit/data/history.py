"""Chat histories: reading them from JSON, and cutting them into the chunks that a memory reads."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hub_toolkit.data.schema import History
from hub_toolkit.data.tokens import MESSAGE_OVERHEAD_TOKENS, TokenCounter, count_message
from hub_toolkit.errors import DataFormatError
from hub_toolkit.types import ROLES, Message

PersonaSystem = Literal["drop", "keep"]
"""What happens to message 0 when it is a system message: it holds the whole persona (PROTOCOL §1)."""


@dataclass(frozen=True)
class HistoryLimits:
    """The largest history that is read. `depth`: of nested lists and objects in the JSON."""

    size_bytes: int = 64 * 1024 * 1024
    num_messages: int = 100_000
    depth: int = 32


DEFAULT_LIMITS = HistoryLimits()
MAX_CHARACTERS_PER_TOKEN = 8
"""How far a cut is looked for; longer tokens only make a piece shorter than it could be."""


@dataclass(frozen=True)
class Chunk:
    """Messages read together. `indices` are places in the file's `chat_history`; `tokens` counts overheads too."""

    messages: tuple[Message, ...]
    indices: tuple[int, ...]
    tokens: int


def load_history(path: Path, *, persona_system: PersonaSystem = "drop", limits: HistoryLimits | None = None) -> History:
    """Read a history file.

    Raises: DataFormatError: the file is missing, too large, not UTF-8, no JSON or no history.
    """
    limits, file = limits or DEFAULT_LIMITS, path.name
    try:
        size = path.stat().st_size
        if size > limits.size_bytes:
            raise DataFormatError(
                f"has {size:,} bytes, more than the limit of {limits.size_bytes:,}; split the history", file=file
            )
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise DataFormatError(f"cannot be read ({error.strerror}); check the path", file=str(path)) from error
    except UnicodeDecodeError as error:
        raise DataFormatError(f"is not UTF-8 (byte {error.start}); save it as UTF-8", file=file) from error
    try:
        raw = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataFormatError(
            f"is no valid JSON (line {error.lineno}: {error.msg}); repair the file", file=file
        ) from error
    except RecursionError as error:
        raise DataFormatError("is nested too deeply; a history is a flat list of messages", file=file) from error
    return parse_history(raw, source=file, persona_system=persona_system, limits=limits)


def parse_history(
    raw: object, *, source: str, persona_system: PersonaSystem = "drop", limits: HistoryLimits | None = None
) -> History:
    """Check a decoded history: `{"metadata": …, "chat_history": […]}` or a bare list of messages.

    A system message at place 0 holds the persona and is dropped unless `persona_system` is `keep`; `indices` still
    count it. Two messages of one role in a row are normal.

    Raises: DataFormatError: no list of messages, an unknown role, bad content, nothing to read, or too much.
    """
    limits = limits or DEFAULT_LIMITS
    metadata: Any = {}
    chat: Any = raw
    if isinstance(raw, dict):
        metadata, chat = raw.get("metadata") or {}, raw.get("chat_history")
    if not isinstance(chat, list) or not isinstance(metadata, dict):
        raise DataFormatError(
            'is no history: expected {"metadata": {…}, "chat_history": [{"role", "content"}, …]} or the list alone',
            file=source,
            column="chat_history",
        )
    if len(chat) > limits.num_messages:
        raise DataFormatError(
            f"has {len(chat):,} messages, more than the limit of {limits.num_messages:,}; split the history",
            file=source,
        )
    if _depth_exceeds(raw, limits.depth):
        raise DataFormatError(
            f"is nested deeper than {limits.depth}; a history is a flat list of messages", file=source
        )
    pairs = [(i, _parse_message(item, i, source)) for i, item in enumerate(chat)]
    if persona_system == "drop" and pairs and pairs[0][1].role == "system":
        pairs = pairs[1:]
    if not pairs:
        raise DataFormatError("has no messages to read", file=source, column="chat_history")
    return History(tuple(m for _, m in pairs), tuple(i for i, _ in pairs), metadata, source)


def _parse_message(item: object, index: int, source: str) -> Message:
    place = f"chat_history[{index}]"
    if not isinstance(item, dict):
        raise DataFormatError("a message is an object with role and content", file=source, column=place)
    role, content = item.get("role"), item.get("content")
    if role not in ROLES:
        raise DataFormatError(f"unknown role {role!r}; use one of {', '.join(ROLES)}", file=source, column=place)
    return Message(role, parse_content(content, file=source, column=place))


def parse_content(content: object, *, file: str, column: str) -> str | list[dict[str, Any]]:
    """Check a message's content: text, or a list of text and image_url parts; image URLs become `{"url": …}`.

    Raises: DataFormatError: neither.
    """
    if isinstance(content, str):
        return content
    if not isinstance(content, list) or not content:
        raise DataFormatError("content is neither text nor a list of parts", file=file, column=column)
    parts: list[dict[str, Any]] = []
    for part in content:
        kind = part.get("type") if isinstance(part, dict) else None
        value = part.get(kind) if isinstance(part, dict) and isinstance(kind, str) else None
        if kind == "text" and isinstance(value, str):
            parts.append({"type": "text", "text": value})
            continue
        url = value.get("url") if isinstance(value, dict) else value
        if kind != "image_url" or not isinstance(url, str):
            raise DataFormatError(
                f"a content part of type {kind!r} is not text or image_url with its value", file=file, column=column
            )
        parts.append({"type": "image_url", "image_url": {"url": url}})
    return parts


def _depth_exceeds(value: object, limit: int) -> bool:
    """Whether lists and objects are nested deeper than `limit`; no recursion, so that depth cannot break it."""
    level = [value]
    for _ in range(limit + 1):
        level = [
            child
            for item in level
            if isinstance(item, dict | list)
            for child in (item.values() if isinstance(item, dict) else item)
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True


def chunk_messages(history: History, counter: TokenCounter, *, chunk_tokens: int = 5000, start: int = 0) -> list[Chunk]:
    """Cut what is unread (from index `start` on) into chunks of at most `chunk_tokens`, at message boundaries.

    Only a single message longer than a chunk is split; its pieces keep its index.
    Source: PersonaMem-v2, agentic memory (chunks of about 5,000 tokens).
    """
    chunks: list[Chunk] = []
    pending: list[tuple[int, Message]] = []
    used = 0

    def flush() -> None:
        nonlocal pending, used
        if pending:
            chunks.append(Chunk(tuple(m for _, m in pending), tuple(i for i, _ in pending), used))
        pending, used = [], 0

    for index, message in zip(history.indices, history.messages, strict=True):
        if index < start:
            continue
        size = count_message(counter, message)
        pieces = [message]
        if size > chunk_tokens:
            flush()
            room = max(1, chunk_tokens - MESSAGE_OVERHEAD_TOKENS)
            pieces = _split_message(message, counter, room)
        for piece in pieces:
            size = size if len(pieces) == 1 else count_message(counter, piece)
            if pending and used + size > chunk_tokens:
                flush()
            pending.append((index, piece))
            used += size
    flush()
    return chunks


def _split_message(message: Message, counter: TokenCounter, max_tokens: int) -> list[Message]:
    """Split a message's text; an image is a piece of its own."""
    if isinstance(message.content, str):
        return [Message(message.role, piece) for piece in split_text(message.content, counter, max_tokens)]
    pieces: list[Message] = []
    for part in message.content:
        texts = split_text(part["text"], counter, max_tokens) if part["type"] == "text" else []
        pieces += [Message(message.role, [{"type": "text", "text": text}]) for text in texts]
        pieces += [Message(message.role, [part])] if part["type"] != "text" else []
    return pieces


def split_text(text: str, counter: TokenCounter, max_tokens: int) -> list[str]:
    """Cut a text into pieces of at most `max_tokens`, at spaces where there are some; joined, they are the text."""
    pieces = []
    while text:
        low, high = 1, min(len(text), max_tokens * MAX_CHARACTERS_PER_TOKEN)
        while low < high:
            middle = (low + high + 1) // 2
            if counter.count(text[:middle]) <= max_tokens:
                low = middle
            else:
                high = middle - 1
        cut = low
        if cut < len(text) and (space := text.rfind(" ", cut // 2, cut)) > 0:
            cut = space + 1
        pieces.append(text[:cut])
        text = text[cut:]
    return pieces


def raw_slices(history: History, counter: TokenCounter, *, chunk_tokens: int = 5000) -> list[Chunk]:
    """Cut the history as the paper's released code does: one text, sliced every `chunk_tokens`, through messages.

    Each slice is one user message whose `indices` is the first message it touches; for comparison only.
    Source: PersonaMem-v2, released code.
    """
    text, starts = "", []
    for message in history.messages:
        starts.append(len(text))
        text += f"{message.role}: {message.text}\n"
    chunks, position = [], 0
    for piece in split_text(text, counter, chunk_tokens):
        place = max(i for i, start in enumerate(starts) if start <= position)
        chunks.append(Chunk((Message("user", piece),), (history.indices[place],), counter.count(piece)))
        position += len(piece)
    return chunks
