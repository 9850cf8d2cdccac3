"""JSON values one by one out of a stream, in bounded memory, however large the file and whatever stands in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import ijson

from hub_toolkit.data.chat_exports.sessions import ExportLimits
from hub_toolkit.data.chat_exports.surrogates import SurrogateMender

BUFFER_BYTES = 2**18
_BOM = b"\xef\xbb\xbf"
_OPENING = ("start_map", "start_array")
_CLOSING = ("end_map", "end_array")
_Events = Iterator[tuple[str, Any]]


class BrokenJsonError(ValueError):
    """The stream is no JSON; the message says in what way, without quoting it."""


@dataclass(frozen=True)
class JsonItem:
    """An item of the file's list, or the file's object. `fault` says why `value` could not be built.

    `part` numbers the top-level value that it stands in: a file may hold several, one after the other.
    """

    number: int
    value: Any = None
    fault: str = ""
    part: int = 1


class BoundedReader:
    """Hands a stream to the parser, mended where it can be, and never more for one token than `token_bytes`."""

    def __init__(self, stream: BinaryIO, *, token_bytes: int) -> None:
        self._stream, self._token_bytes = stream, token_bytes
        self._mender = SurrogateMender()
        self._since_event = 0
        self._is_started = False

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes; the parser asks when all it had gave no further event."""
        while size:  # the parser asks for 0 to see what kind of stream it is
            data = self._stream.read(size if size > 0 else BUFFER_BYTES)
            self._since_event += len(data)
            if self._since_event > self._token_bytes:
                raise BrokenJsonError(f"one text in it is longer than {self._token_bytes // 2**20} MiB")
            mended = self._mender.mend(data)
            if not self._is_started:
                mended, self._is_started = mended.removeprefix(_BOM), bool(mended)
            if mended or not data:
                return mended
        return b""

    def saw_event(self) -> None:
        """Note that the parser got on."""
        self._since_event = 0


def iter_items(stream: BinaryIO, *, list_key: str, limits: ExportLimits) -> Iterator[JsonItem]:
    """Yield the items of each top-level list, and each other top-level value, numbered from 1.

    An object's `list_key` is such a list too, when it holds one; the rest of that object follows its items.

    Raises: BrokenJsonError: broken, cut off, not UTF-8.
    """
    events = _events(stream, limits)
    builder = _Builder(events, limits)
    number = 0
    for part, (event, value) in enumerate(events, 1):
        if event == "start_array":
            items = builder.items()
        elif event == "start_map":
            items = builder.members(list_key)
        else:
            items = iter([(value, "")])
        for built, fault in items:
            number += 1
            yield JsonItem(number, built, fault, part)


def _events(stream: BinaryIO, limits: ExportLimits) -> _Events:
    reader = BoundedReader(stream, token_bytes=4 * limits.conversation_chars)
    try:
        # Whole numbers as Python reads them would let one of thousands of digits leave an error behind in the parser.
        for event in ijson.basic_parse(reader, multiple_values=True, use_float=True, buf_size=BUFFER_BYTES):
            reader.saw_event()
            yield event
    except ijson.JSONError as error:
        raise BrokenJsonError(_explain(str(error))) from None
    except UnicodeDecodeError:
        raise BrokenJsonError("it is not valid UTF-8") from None


def _explain(message: str) -> str:
    """Name the fault without the lines of the file that the parser quotes."""
    if "premature EOF" in message or "incomplete" in message.lower():
        return "it ends in the midst of a value: the file is cut off"
    if "UTF8" in message:
        return "it is not valid UTF-8"
    if "overflow" in message:
        return "it holds a number that is too large"
    if "invalid char in json text" in message:
        return "broken JSON: a character that JSON does not have there (NaN is none of its values)"
    return "broken JSON"


class _TooLargeError(Exception):
    """A value passed a limit; the rest of it must be passed over."""


class _Builder:
    """Builds values out of events, and passes over those that are too large."""

    def __init__(self, events: _Events, limits: ExportLimits) -> None:
        self._events, self._limits = events, limits

    def items(self) -> Iterator[tuple[Any, str]]:
        """Yield (value, fault) of the list whose start was read."""
        for event, value in self._events:
            if event == "end_array":
                return
            yield self._build(event, value)

    def members(self, list_key: str) -> Iterator[tuple[Any, str]]:
        """Yield the items of `list_key`, then the other members of the object whose start was read."""
        rest: dict[str, Any] = {}
        num_items, fault, key, budget = 0, "", "", self._limits.json_values
        for event, value in self._events:
            if event == "end_map":
                break
            if event == "map_key":
                key = value
            elif key == list_key and event == "start_array":
                for item in self.items():
                    num_items += 1
                    yield item
            else:
                rest[key], found = self._build(event, value)
                fault = fault or found
                budget -= 1
                if budget < 0:
                    rest, fault = {}, "it has too many members"
        if not num_items:
            yield (None, fault) if fault else (rest, "")

    def _build(self, event: str, value: Any) -> tuple[Any, str]:
        if event not in _OPENING:
            return value, ""
        depth = [1]
        try:
            return self._container(event, depth), ""
        except _TooLargeError as error:
            self._pass_over(depth[0])
            return None, str(error)

    def _container(self, event: str, depth: list[int]) -> Any:
        """Build a list or object whose start was read; `depth[0]` says how many are open."""
        limits = self._limits
        node: Any = {} if event == "start_map" else []
        stack: list[Any] = [node]
        keys: list[str] = [""]
        values, chars = limits.json_values, limits.conversation_chars
        for event, value in self._events:
            if event == "map_key":
                keys[-1] = value
                chars -= len(value)
                continue
            if event in _CLOSING:
                depth[0] -= 1
                if not depth[0]:
                    return node
                stack.pop()
                keys.pop()
                continue
            values -= 1
            if event == "string":
                chars -= len(value)
            is_opening = event in _OPENING
            if is_opening:
                value = {} if event == "start_map" else []
                depth[0] += 1
            _check_budget(values, chars, depth[0], limits)
            if isinstance(stack[-1], dict):
                stack[-1][keys[-1]] = value
            else:
                stack[-1].append(value)
            if is_opening:
                stack.append(value)
                keys.append("")
        raise BrokenJsonError("it ends in the midst of a value: the file is cut off")

    def _pass_over(self, depth: int) -> None:
        for event, _ in self._events:
            if event in _OPENING:
                depth += 1
            elif event in _CLOSING:
                depth -= 1
                if not depth:
                    return


def _check_budget(values: int, chars: int, depth: int, limits: ExportLimits) -> None:
    if depth > limits.depth:
        raise _TooLargeError(f"it is nested too deeply; {limits.depth} levels are read")
    if values < 0:
        raise _TooLargeError(f"it holds too much; {limits.json_values:,} values are read")
    if chars < 0:
        raise _TooLargeError(f"it is too long; {limits.conversation_chars:,} characters are read")
