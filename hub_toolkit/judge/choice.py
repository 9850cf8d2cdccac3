"""The one parser of multiple-choice replies, shared by evaluation and reward."""

from __future__ import annotations

import re

LETTERS = "ABCD"

_BOXED = r"\\boxed\s*\{\s*(?:\\text(?:bf|rm)?\s*\{\s*)?\**\(?\s*(?P<boxed>[A-D])\s*[.)]?\**\s*\}"
_BRACKETED = r"[(\[]\s*(?P<bracketed>[A-D])\s*[)\]]"
# A bare letter must end there: no word ("The"), no compound ("D-day", "A's"), and no article ("A good one").
_BARE = r"(?P<bare>[A-D])(?![\w'’-])(?!(?<=[Aa])[ \t]+(?!because\b|since\b|as\b|is\b)[^\W\d_])"
_FINAL = rf"\bfinal\s+answer\b\W{{0,3}}?\s*(?:is\b)?\s*:?[\s*_]*(?:option\s+)?(?:{_BRACKETED}|{_BARE})"
_CHOICE = re.compile(rf"{_BOXED}|{_FINAL}", re.IGNORECASE)


def parse_choice(reply: str) -> str | None:
    r"""Return the letter that a reply settles on, or None where it names none.

    Reads `\boxed{a}`, `\boxed{(A)}` and `Final Answer: B`; the last one counts; only A-D.
    Source: protocol v1.
    """
    letter = None
    for match in _CHOICE.finditer(reply):
        letter = (match["boxed"] or match["bracketed"] or match["bare"]).upper()
    return letter
