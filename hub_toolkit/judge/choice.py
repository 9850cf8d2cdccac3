"""The one parser of multiple-choice replies, shared by evaluation and reward."""

from __future__ import annotations

import re

LETTERS = "ABCD"

# Every repetition is bounded: a reply of any length is read in linear time.
_BOXED = (
    r"\\boxed\s{0,3}\{\s{0,3}(?:\\text(?:bf|rm)?\{\s{0,3})?\*{0,2}\(?\s?(?P<boxed>[A-D])\s?[.)]{0,2}\*{0,2}\s{0,3}\}"
)
_BRACKETED = r"[(\[]\s?(?P<bracketed>[A-D])\s?[)\]]"
# A bare letter must end there: no word ("The"), no compound ("D-day", "A's"), and no article ("A good one").
_BARE = r"(?P<bare>[A-D])(?![\w'’-])(?!(?<=[Aa])[ \t]{1,3}(?!because\b|since\b|as\b|is\b)[^\W\d_])"
_SPACE = r"[\s*_]{0,6}"
_FINAL = rf"\bfinal\s{{1,3}}answer{_SPACE}(?::|is\b){_SPACE}:?{_SPACE}(?:option\s{{1,3}})?(?:{_BRACKETED}|{_BARE})"
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
