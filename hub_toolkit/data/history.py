"""Chat histories: reading them from JSON and cutting them into chunks."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hub_toolkit.data.fields import FieldError, check_depth, parse_json, parse_message
from hub_toolkit.data.schema import History
from hub_toolkit.data.tokens import MESSAGE_OVERHEAD_TOKENS, TokenCounter, count_message
from hub_toolkit.errors import DataFormatError
from hub_toolkit.types import Message

PersonaSystem = Literal["drop", "keep"]

CHUNK_TOKENS = 5000
"""Source: paper, agentic memory."""

MIN_CHUNK_TOKENS = 16
_BOUNDARIES = ("\n\n", "\n", ". ", " ")
_BOUNDARY_SHARE = 0.5
_CHARS_PER_TOKEN = 8


@dataclass(frozen=True)
class HistoryLimits:
    """What a history file may measure. `depth` counts nested lists and objects."""

    size_bytes: int = 64 * 2**20
    messages: int = 20_000
    depth: int = 32


@dataclass(frozen=True)
class Chunk:
    """Consecutive messages of a history.

    `indices` are 0-based places in the file's `chat_history`; the pieces of a message that was cut share one.
    `tokens` includes the overhead of every message.
    """

    messages: tuple[Message, ...]
    indices: tuple[int, ...]
    tokens: int


def load_history(
    path: Path,
    *,
    persona_system: PersonaSystem = "drop",
    limits: HistoryLimits | None = None,
    source: str | None = None,
) -> History:
    """Read a history file. `source` names it in errors and in the result (default: the path).

    Raises: DataFormatError: missing, unreadable, over the limits, or not a history.
    """
    limits = limits or HistoryLimits()
    source = source or str(path)
    data = _read_bounded(path, size_bytes=limits.size_bytes, source=source)
    try:
        raw = parse_json(data.decode("utf-8-sig"), max_depth=limits.depth)
    except UnicodeDecodeError as error:
        message = f"not valid UTF-8 (byte 0x{data[error.start]:02x} at offset {error.start}); save the file as UTF-8"
        raise DataFormatError(message, file=source) from None
    except FieldError as error:
        raise DataFormatError(error.message, file=source) from None
    return parse_history(raw, source=source, persona_system=persona_system, limits=limits)


def parse_history(
    raw: object, *, source: str, persona_system: PersonaSystem = "drop", limits: HistoryLimits | None = None
) -> History:
    """Turn `{"metadata", "chat_history"}`, or a bare list of messages, into a history.

    A system message at place 0 holds the whole persona in the published files: reading it is cheating on an implicit
    benchmark, so it is dropped unless `persona_system` is `keep`. Two user messages in a row are normal.

    Raises: DataFormatError: `row` counts messages from 1.
    """
    limits = limits or HistoryLimits()
    metadata, messages = _split_history(raw, source=source, limits=limits)
    parsed = []
    for place, message in enumerate(messages):
        try:
            parsed.append(parse_message(message))
        except FieldError as error:
            column = ".".join(filter(None, ("chat_history", error.column)))
            raise DataFormatError(error.message, file=source, row=place + 1, column=column) from None
    start = 1 if persona_system == "drop" and parsed and parsed[0].role == "system" else 0
    if not parsed[start:]:
        what = "holds only the persona's system message" if parsed else "has no messages"
        message = f"the history is empty: it {what}; add a conversation"
        raise DataFormatError(message, file=source, column="chat_history")
    return History(tuple(parsed[start:]), tuple(range(start, len(parsed))), metadata, source)


def chunk_messages(
    history: History, counter: TokenCounter, *, chunk_tokens: int = CHUNK_TOKENS, start: int = 0
) -> list[Chunk]:
    """Cut a history into chunks of at most `chunk_tokens` that end at message boundaries.

    `start` is the first 0-based place in `chat_history` that is still unread. Only a message longer than a chunk is
    cut, where possible at a paragraph, a line or a word. An image is never cut.
    """
    _check_chunk_tokens(chunk_tokens)
    packer = _Packer(chunk_tokens)
    for index, message in zip(history.indices, history.messages, strict=True):
        if index < start:
            continue
        tokens = count_message(counter, message)
        if tokens <= chunk_tokens:
            packer.add(message, index, tokens)
            continue
        packer.flush()
        for piece in _cut_message(message, counter, chunk_tokens - MESSAGE_OVERHEAD_TOKENS):
            packer.add(piece, index, count_message(counter, piece))
    packer.flush()
    return packer.chunks


def raw_slices(history: History, counter: TokenCounter, *, chunk_tokens: int = CHUNK_TOKENS) -> list[Chunk]:
    """Cut a history as the paper does: slices of `chunk_tokens` that end anywhere, in the midst of a word too.

    Source: paper, agentic memory (upstream's released code). For comparison only.
    """
    _check_chunk_tokens(chunk_tokens)
    packer = _Packer(chunk_tokens)
    for index, message in zip(history.indices, history.messages, strict=True):
        rest: Message | None = message
        while rest is not None:
            tokens = count_message(counter, rest)
            room = packer.room - MESSAGE_OVERHEAD_TOKENS
            if tokens <= packer.room or (not isinstance(rest.content, str) and not packer.messages):
                packer.add(rest, index, tokens)
                rest = None
            elif room < MIN_CHUNK_TOKENS - MESSAGE_OVERHEAD_TOKENS or not isinstance(rest.content, str):
                packer.flush()
            else:
                cut = _longest_prefix(rest.content, counter, room)
                piece = Message(rest.role, rest.content[:cut])
                packer.add(piece, index, count_message(counter, piece))
                packer.flush()
                rest = Message(rest.role, rest.content[cut:])
    packer.flush()
    return packer.chunks


class _Packer:
    """Fills chunks in order; a message that does not fit begins the next one."""

    def __init__(self, chunk_tokens: int) -> None:
        self._chunk_tokens = chunk_tokens
        self.chunks: list[Chunk] = []
        self.messages: list[Message] = []
        self._indices: list[int] = []
        self._tokens = 0

    @property
    def room(self) -> int:
        return self._chunk_tokens - self._tokens

    def add(self, message: Message, index: int, tokens: int) -> None:
        if tokens > self.room:
            self.flush()
        self.messages.append(message)
        self._indices.append(index)
        self._tokens += tokens

    def flush(self) -> None:
        if self.messages:
            self.chunks.append(Chunk(tuple(self.messages), tuple(self._indices), self._tokens))
        self.messages, self._indices, self._tokens = [], [], 0


def _cut_message(message: Message, counter: TokenCounter, budget: int) -> Iterator[Message]:
    """Yield pieces of at most `budget` tokens of content; a list of parts yields a piece a part or less."""
    if isinstance(message.content, str):
        for text in _cut_text(message.content, counter, budget):
            yield Message(message.role, text)
        return
    for part in message.content:
        if part.get("type") != "text":
            yield Message(message.role, [part])
            continue
        for text in _cut_text(part["text"], counter, budget):
            yield Message(message.role, [{"type": "text", "text": text}])


def _cut_text(text: str, counter: TokenCounter, budget: int) -> Iterator[str]:
    """Yield pieces whose concatenation is `text`."""
    start = 0
    while start < len(text):
        window = text[start : start + budget * _CHARS_PER_TOKEN]
        cut = _longest_prefix(window, counter, budget)
        if start + cut < len(text):
            cut = _boundary_before(window, cut)
        yield window[:cut]
        start += cut


def _longest_prefix(text: str, counter: TokenCounter, budget: int) -> int:
    """Return how many characters fit into `budget` tokens: at least one, so that cutting always ends."""
    text = text[: budget * _CHARS_PER_TOKEN]
    if counter.count(text) <= budget:
        return len(text)
    low, high = 1, len(text)
    while high - low > 1:
        middle = (low + high) // 2
        if counter.count(text[:middle]) <= budget:
            low = middle
        else:
            high = middle
    return low


def _boundary_before(text: str, cut: int) -> int:
    """Return the last paragraph, line, sentence or word end in the second half of `text[:cut]`, else `cut`."""
    for mark in _BOUNDARIES:
        place = text.rfind(mark, int(cut * _BOUNDARY_SHARE), cut)
        if place > 0:
            return place + len(mark)
    return cut


def _check_chunk_tokens(chunk_tokens: int) -> None:
    if chunk_tokens < MIN_CHUNK_TOKENS:
        raise ValueError(f"chunk_tokens is {chunk_tokens}; at least {MIN_CHUNK_TOKENS} are needed")


def _split_history(raw: object, *, source: str, limits: HistoryLimits) -> tuple[dict[str, Any], list[Any]]:
    """Check the outer form and return metadata and raw messages."""
    metadata: object = {}
    if isinstance(raw, dict):
        metadata, raw = raw.get("metadata") or {}, raw.get("chat_history")
    if not isinstance(metadata, dict):
        raise DataFormatError("metadata is not an object; write one or leave it out", file=source, column="metadata")
    if not isinstance(raw, list):
        message = 'no list of messages; write {"metadata": {…}, "chat_history": [{"role": …, "content": …}]}'
        raise DataFormatError(message, file=source, column="chat_history")
    if len(raw) > limits.messages:
        message = f"{len(raw):,} messages; {limits.messages:,} are allowed: split the history"
        raise DataFormatError(message, file=source, column="chat_history")
    try:
        check_depth(raw, max_depth=limits.depth)
    except FieldError as error:
        raise DataFormatError(error.message, file=source, column="chat_history") from None
    return metadata, raw


def _read_bounded(path: Path, *, size_bytes: int, source: str) -> bytes:
    try:
        info = path.stat()
        if not stat.S_ISREG(info.st_mode):
            kind = "a folder" if stat.S_ISDIR(info.st_mode) else "not a regular file"
            raise DataFormatError(f"this is {kind}; name a history file (JSON)", file=source)
        if info.st_size > size_bytes:
            found, allowed = info.st_size / 2**20, size_bytes / 2**20
            raise DataFormatError(f"{found:.1f} MiB; {allowed:g} MiB are allowed: split the history", file=source)
        return path.read_bytes()
    except FileNotFoundError:
        raise DataFormatError("the file does not exist; check the path", file=source) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataFormatError(
            f"the file cannot be read ({reason}); check its name and permissions", file=source
        ) from None
