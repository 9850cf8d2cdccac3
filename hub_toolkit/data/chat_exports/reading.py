"""Reading an export: what is in it, conversation by conversation, put in the order of time."""

from __future__ import annotations

import io
import json
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from hub_toolkit.data.chat_exports import chatgpt, claude, plain
from hub_toolkit.data.chat_exports.archive import GET_AGAIN, Entry, Export, open_export
from hub_toolkit.data.chat_exports.json_stream import BrokenJsonError, JsonItem, iter_items
from hub_toolkit.data.chat_exports.sessions import (
    ChatSession,
    Conversation,
    ConversationError,
    ExportLimits,
    Skipped,
    make_session,
    repeated_key,
)
from hub_toolkit.errors import DataFormatError
from hub_toolkit.types import Message

_LIST_KEY = "conversations"
_MAX_SKIPPED = 1000
_UNKNOWN_FORM = "it is no conversation of a known form"
_SNIFFED_BYTES = 4096
_SPOOL_BYTES = 32 * 2**20
_FORMS = (
    "give the ZIP or conversations.json of a ChatGPT or Claude export, "
    'or messages as [{"role": "user", "content": …}, …]'
)
_MAGIC = (
    (b"\x1f\x8b", "a gzip file; unpack it first"),
    (b"7z\xbc\xaf", "a 7z archive; unpack it first"),
    (b"Rar!", "a RAR archive; unpack it first"),
    (b"%PDF", f"a PDF; {_FORMS}"),
    (b"\xff\xfe", "UTF-16 text; save it as UTF-8"),
    (b"\xfe\xff", "UTF-16 text; save it as UTF-8"),
    (b"<", f"an HTML or XML file, not the data; {_FORMS}"),
)


def read_export(path: Path, *, limits: ExportLimits | None = None) -> Iterator[ChatSession | Skipped]:
    """Yield the conversations of an export, the oldest first and undated ones last, then what was not read and why.

    The whole export is read before the first is yielded: a broken one yields nothing. It may be a ChatGPT or Claude
    archive (ZIP or JSON), plain messages, conversations of them, or one of either a line.

    Raises: DataFormatError: `file` names the entry too, `row` counts its conversations from 1.
    """
    limits = limits or ExportLimits()
    with _Spool() as spool:
        with open_export(path, limits) as export:
            spool.skipped += export.skipped
            _read_entries(export, str(path), spool, limits)
        yield from spool.sessions()
        yield from spool.skipped


def _read_entries(export: Export, place: str, spool: _Spool, limits: ExportLimits) -> None:
    """Read every entry into the spool.

    Raises: DataFormatError: an entry that holds chats is broken, or none holds any.
    """
    num_read = 0
    for entry in export.entries:
        reader = _EntryReader(entry, spool, limits)
        try:
            reader.read()
        except DataFormatError:
            if reader.num_conversations or entry.is_named_chats:
                raise
            continue  # another file of the archive, of another form
        if reader.num_conversations:
            spool.skipped += reader.skipped
            num_read += 1
        elif not export.is_archive:
            what = f": {reader.skipped[0].reason}" if reader.skipped else ""
            raise DataFormatError(f"no chats in it{what}; {_FORMS}", file=place)
    if not num_read:
        refused = "".join(f"; {one.place.removeprefix(place + ': ')}: {one.reason}" for one in export.skipped[:1])
        raise DataFormatError(f"no chats in the archive: {export.contents}{refused}; {_FORMS}", file=place)


class _EntryReader:
    """Reads one file; `num_conversations` are those of a known form, with those that are empty or cannot be read."""

    def __init__(self, entry: Entry, spool: _Spool, limits: ExportLimits) -> None:
        self._entry, self._spool, self._limits = entry, spool, limits
        self._loose = _LooseMessages(limits)
        self.skipped: list[Skipped] = []
        self.num_conversations = self._num_skipped = 0

    def read(self) -> None:
        """Raises: DataFormatError: broken, or of no known form."""
        number, part = 0, 1
        try:
            for item in self._items():
                if item.part != part:
                    self._keep_loose()
                number, part = item.number, item.part
                if number > self._limits.conversations + self._limits.messages:
                    message = f"more than {self._limits.conversations:,} conversations; split the export"
                    raise DataFormatError(message, file=self._entry.place)
                self._take(item)
        except BrokenJsonError as error:
            message = f"{error}; {GET_AGAIN}, or write the file with a JSON library"
            raise DataFormatError(message, file=self._entry.place, row=number + 1) from None
        self._keep_loose()
        if self._num_skipped > _MAX_SKIPPED:
            reason = f"{self._num_skipped - _MAX_SKIPPED:,} more that are not read"
            self.skipped.append(Skipped(reason, self._entry.place))

    def _items(self) -> Iterator[JsonItem]:
        with self._entry.open() as stream:
            is_lines = _check_start(stream, self._entry.place) and self._is_lines(stream)
        with self._entry.open() as stream:
            if is_lines:
                yield from self._line_items(stream)
            else:
                yield from iter_items(stream, list_key=_LIST_KEY, limits=self._limits)

    def _is_lines(self, stream: BinaryIO) -> bool:
        """Whether each line is a value of its own: one of the first two is a whole object, and another follows."""
        for _ in range(2):
            line = stream.readline(self._limits.conversation_chars)
            item = _parse_line(line, self._limits)
            if item is not None and not item.fault and isinstance(item.value, dict):
                return stream.readline(_SNIFFED_BYTES).strip() != b""
        return False

    def _line_items(self, stream: BinaryIO) -> Iterator[JsonItem]:
        number, longest = 0, 4 * self._limits.conversation_chars
        while line := stream.readline(longest):
            number += 1
            if len(line) == longest:
                raise BrokenJsonError(f"a line is longer than {longest // 2**20} MiB")
            if line.strip():
                item = _parse_line(line, self._limits)
                yield replace(item, number=number) if item else JsonItem(number, fault="the line is no JSON")

    def _take(self, item: JsonItem) -> None:
        where = f"conversation {item.number}"
        raw = {"messages": item.value} if isinstance(item.value, list) and item.value else item.value
        if item.fault or not isinstance(raw, dict):
            self._skip(item.fault or _UNKNOWN_FORM, where)
            return
        try:
            self._take_object(raw, item.number, where)
        except ConversationError as error:
            self.num_conversations += 1
            self._skip(str(error), where)

    def _take_object(self, raw: dict[str, Any], number: int, where: str) -> None:
        if chatgpt.is_chatgpt(raw):
            self._keep(chatgpt.parse_chatgpt(raw), where)
        elif claude.is_claude(raw):
            self._keep(claude.parse_claude(raw), where)
        elif plain.is_message(raw):
            self._loose.add(raw, number)
        elif plain.messages_of(raw) is not None:
            self._keep(plain.parse_plain(raw), where)
        elif "format_version" in raw:
            raise DataFormatError("this is a memory, not chats; import it as a memory", file=self._entry.place)
        else:
            self._skip(_UNKNOWN_FORM, where)

    def _keep_loose(self) -> None:
        """Take the messages that stand in the file by themselves as one conversation."""
        loose, self._loose = self._loose, _LooseMessages(self._limits)
        if loose.fault:
            self._skip(loose.fault, "")
        elif loose.num_messages:
            self._keep(loose.conversation, "")

    def _keep(self, conversation: Conversation, where: str) -> None:
        limits = self._limits
        self.num_conversations += 1
        _leave_out_long(conversation, limits)
        for fault in conversation.faults:
            self._skip(fault, where)
        if not conversation.turns:
            self._skip("nobody says anything in it", where)
            return
        if len(conversation.turns) > limits.messages:
            self._skip(f"it has more than {limits.messages:,} messages", where)
            return
        if len(self._spool) >= limits.conversations:
            message = f"more than {limits.conversations:,} conversations; split the export"
            raise DataFormatError(message, file=self._entry.place)
        if self._spool.add(conversation):
            self._skip("the same conversation stands twice; the longer one is read", where)

    def _skip(self, reason: str, where: str) -> None:
        self._num_skipped += 1
        if self._num_skipped <= _MAX_SKIPPED:
            self.skipped.append(Skipped(reason, ", ".join(filter(None, (self._entry.place, where)))))


class _LooseMessages:
    """A list of messages that is a file's one conversation: it is gathered item by item, so it is measured here."""

    def __init__(self, limits: ExportLimits) -> None:
        self.conversation, self.fault, self.num_messages = Conversation(source="plain"), "", 0
        self._limits, self._num_chars = limits, 0

    def add(self, raw: dict[str, Any], number: int) -> None:
        """Add a message, unless there are too many."""
        turns = self.conversation.turns
        if self.fault:
            return
        num_turns = len(turns)
        plain.add_message(self.conversation, raw, number)
        self.num_messages += 1
        self._num_chars += sum(len(turn.text) for turn in turns[num_turns:])
        if self.num_messages > self._limits.messages:
            self.fault = f"it has more than {self._limits.messages:,} messages"
        elif self._num_chars > self._limits.conversation_chars:
            self.fault = f"it is longer than {self._limits.conversation_chars:,} characters"
        if self.fault:
            self.conversation = Conversation(source="plain")


def _leave_out_long(conversation: Conversation, limits: ExportLimits) -> None:
    """Take out messages that are too long to be read, and say so in the conversation's `faults`."""
    turns = [turn for turn in conversation.turns if len(turn.text) <= limits.message_chars]
    num_long = len(conversation.turns) - len(turns)
    if num_long:
        fault = f"{num_long} of its messages: longer than {limits.message_chars:,} characters"
        conversation.faults.append(fault)
    conversation.turns, conversation.num_left_out = turns, conversation.num_left_out + num_long


def _check_start(stream: io.BufferedReader, place: str) -> bool:
    """Say whether the file may hold a value a line: it starts with an object.

    Raises: DataFormatError: it starts as no JSON does.
    """
    head = stream.peek(_SNIFFED_BYTES)[:_SNIFFED_BYTES]
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    found = next((what for magic, what in _MAGIC if start.startswith(magic)), None)
    if found:
        raise DataFormatError(f"this is {found}", file=place)
    if not head:
        raise DataFormatError(f"the file is empty; {_FORMS}", file=place)
    if start[:1] not in (b"{", b"[", b""):
        raise DataFormatError(f"this is no JSON; {_FORMS}", file=place)
    return start[:1] == b"{"


def _parse_line(line: bytes, limits: ExportLimits) -> JsonItem | None:
    """Return the one value of a line, None where it is no whole value."""
    try:
        items = list(iter_items(io.BytesIO(line), list_key="", limits=limits))
    except BrokenJsonError:
        return None
    return items[0] if len(items) == 1 else None


@dataclass(frozen=True)
class _Spooled:
    time: str
    offset: int
    size: int
    num_messages: int


class _Spool:
    """Sessions put aside until all are read, packed: in memory, and in a file without a name when there are many."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES)  # noqa: SIM115 - closed in __exit__
        self._index: dict[str, _Spooled] = {}
        self._openings: Counter[str] = Counter()
        self.skipped: list[Skipped] = []

    def __enter__(self) -> _Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._index)

    def add(self, conversation: Conversation) -> bool:
        """Put a conversation aside; True where its like is there already, of which the longer one stays."""
        session = make_session(conversation)
        if not conversation.id:
            self._openings[session.key] += 1
            session = replace(session, key=repeated_key(session.key, self._openings[session.key]))
        known = self._index.get(session.key)
        if known and known.num_messages >= len(session.messages):
            return True
        packed = zlib.compress(json.dumps(asdict(session)).encode(), 1)
        offset = self._file.seek(0, io.SEEK_END)
        self._file.write(packed)
        spooled = _Spooled(session.started_at or "~", offset, len(packed), len(session.messages))
        self._index[session.key] = spooled
        return known is not None

    def sessions(self) -> Iterator[ChatSession]:
        """Yield what was put aside, the oldest first."""
        for spooled in sorted(self._index.values(), key=lambda spooled: spooled.time):
            self._file.seek(spooled.offset)
            raw = json.loads(zlib.decompress(self._file.read(spooled.size)))
            messages = tuple(Message(message["role"], message["content"]) for message in raw.pop("messages"))
            yield ChatSession(**{**raw, "message_ids": tuple(raw["message_ids"]), "messages": messages})
