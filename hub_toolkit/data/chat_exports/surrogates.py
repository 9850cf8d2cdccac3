"""Halves of surrogate pairs in JSON: text that was cut in the midst of an emoji must not cost the whole export."""

from __future__ import annotations

import re

_PAIR_BYTES = 12
_HALF_BYTES = 6
_LONGEST_RUN = 2**16
_SURROGATE = re.compile(
    rb"(?<!\\)((?:\\\\)*+)\\u(?:([dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|[dD][89a-fA-F][0-9a-fA-F]{2})"
)
_HIGH = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}")


class SurrogateMender:
    """Replaces half pairs (written as escapes) by U+FFFD, block by block; whole pairs stay as they are."""

    def __init__(self) -> None:
        self._rest = b""

    def mend(self, block: bytes) -> bytes:
        """Return what can be said of the text so far; an empty block ends it."""
        data, self._rest = self._rest + block, b""
        if block:
            place = _uncertain_from(data)
            data, self._rest = data[:place], data[place:]
        if b"\\ud" in data or b"\\uD" in data:
            data = _SURROGATE.sub(_replace, data)
        return data


def _replace(found: re.Match[bytes]) -> bytes:
    return found[0] if found[2] else found[1] + b"\\ufffd"


def _uncertain_from(data: bytes) -> int:
    """Return where an escape may begin that the next block goes on with."""
    place = data.find(b"\\", max(0, len(data) - _PAIR_BYTES + 1))
    if place < 0:
        return len(data)
    if _HIGH.fullmatch(data, max(0, place - _HALF_BYTES), place):
        place -= _HALF_BYTES
    earliest = max(0, place - _LONGEST_RUN)
    while place > earliest and data[place - 1] == ord("\\"):
        place -= 1
    return place
