"""Patterns that match in either case, without what `re.I` costs: it tries every alternative at every place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cached_property

_PLAIN = re.compile(r"[\x00-\x7f\u2010-\u205e\u20ac]*")
"""Texts in which case is that of ASCII letters alone: beside them stand only dashes, quotation marks and dots."""
_LETTER = re.compile(r"\\.|\(\?P<\w+>|.", re.S)


class AnyCase:
    """A pattern for either case: a plain text is looked through in lower case, any other with `re.I`.

    The letters of `pattern` are written as such, not as escapes.
    The groups of a match are those of a lower-case text where the text is plain: take the places and cut the text.
    """

    def __init__(self, pattern: str, flags: int = 0) -> None:
        self.pattern, self.flags = pattern, flags

    @cached_property
    def _exact(self) -> re.Pattern[str]:
        return re.compile(self.pattern, self.flags | re.I)

    @cached_property
    def _low(self) -> re.Pattern[str]:
        return re.compile(_LETTER.sub(_in_lower_case, self.pattern), self.flags)

    def search(self, text: str) -> re.Match[str] | None:
        """Return the first match."""
        return self._low.search(text.lower()) if is_plain(text) else self._exact.search(text)

    def match(self, text: str) -> re.Match[str] | None:
        """Return the match with which the text begins."""
        return self._low.match(text.lower()) if is_plain(text) else self._exact.match(text)

    def finditer(self, text: str) -> Iterator[re.Match[str]]:
        """Yield all matches."""
        return self._low.finditer(text.lower()) if is_plain(text) else self._exact.finditer(text)

    def sub(self, new: str, text: str) -> str:
        """Return the text with `new` in the place of each match; `new` is taken as it stands."""
        parts, at = [], 0
        for found in self.finditer(text):
            parts += [text[at : found.start()], new]
            at = found.end()
        return "".join([*parts, text[at:]])


def is_plain(text: str) -> bool:
    """Whether a text in lower case matches wherever it does with `re.I`."""
    return text.isascii() or _PLAIN.fullmatch(text) is not None


def has_any(signs: Iterable[str], text: str) -> bool:
    """Whether one of the signs stands in a text: what is asked before a pattern that needs one of them."""
    return any(map(text.__contains__, signs))


def _in_lower_case(part: re.Match[str]) -> str:
    found = part.group()
    return found if len(found) > 1 else found.lower()
