"""Patterns of an owner: regular expressions that were shown to be safe on any text."""

from __future__ import annotations

import re
import re._constants as sre  # type: ignore[import-not-found]
import re._parser as sre_parser  # type: ignore[import-not-found]
import unicodedata
from functools import lru_cache
from typing import Any

from hub_toolkit.errors import BoundaryError

MAX_PATTERN_CHARS = 300
MAX_REPEAT = 100
MAX_WIDTH = 1_000
"""The most characters a match may take: what a pattern costs at one place of a text is bounded by it."""
MAX_UNBOUNDED = 2
_SEEN_CHARS = 4_000
_OVERLAP_CHARS = 1_000
_REPEATS = (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT)
_DIGIT_WORDS = {
    word: str(n % 10)
    for words in (
        "zero one two three four five six seven eight nine", "null eins zwei drei vier fünf sechs sieben acht neun",
        "zéro un deux trois quatre cinq six sept huit neuf", "cero uno dos tres cuatro cinco seis siete ocho nueve",
        "zero uno due tre quattro cinque sei sette otto nove", "zero um dois três quatro cinco seis sete oito nove",
        "nul een twee drie vier vijf zes zeven acht negen",
    )
    for n, word in enumerate(words.split())
} | {"oh": "0"}  # fmt: skip
_TWO_DIGITS = {
    w: str(n)
    for n, w in enumerate(
        str.split("ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"), start=10
    )
}
_TENS = {w: str(n) for n, w in enumerate(str.split("twenty thirty forty fifty sixty seventy eighty ninety"), start=2)}
_DIGIT = "|".join(sorted(_DIGIT_WORDS, key=len, reverse=True))
_UP_TO_99 = rf"(?:(?:{'|'.join(_TENS)})(?:[ -](?:{_DIGIT}))?|{'|'.join(_TWO_DIGITS)}|(?:double |triple )?(?:{_DIGIT}))"
_DIGIT_RUN = re.compile(
    rf"\b(?:{_DIGIT})(?:[ ,-]{{1,2}}(?:{_DIGIT})){{2,40}}\b|\b{_UP_TO_99}(?: {_UP_TO_99}){{2,30}}\b", re.I
)
_SAID = re.compile(
    rf"\b(?:(?P<tens>{'|'.join(_TENS)})(?:[ -](?P<unit>{_DIGIT}))?|(?P<two>{'|'.join(_TWO_DIGITS)})|(?P<times>double |triple )?(?P<one>{_DIGIT}))\b",
    re.I,
)


def _digits_of(found: re.Match[str]) -> str:
    """Return the digits of a number word: four, nineteen, forty-eight, double four."""
    if found["tens"]:
        return _TENS[found["tens"].lower()] + _DIGIT_WORDS.get((found["unit"] or "zero").lower(), "0")
    if found["two"]:
        return _TWO_DIGITS[found["two"].lower()]
    return _DIGIT_WORDS[found["one"].lower()] * {"double ": 2, "triple ": 3}.get((found["times"] or "").lower(), 1)


def check_pattern(pattern: str) -> str:
    """Return a pattern that cannot stall; open ends such as `\\d+` are let through, nested ones are not.

    Raises: BoundaryError: it is no regular expression, or one that could take long on some text.
    """
    if len(pattern) > MAX_PATTERN_CHARS:
        raise BoundaryError(f"the pattern has {len(pattern)} characters; at most {MAX_PATTERN_CHARS} are allowed")
    try:
        tree = sre_parser.parse(pattern)
        compiled = re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise BoundaryError(
            f"the pattern is no regular expression ({error}); write it as Python's re reads it"
        ) from error
    if compiled.match(""):
        raise BoundaryError(
            "the pattern matches the empty text, so it would refuse everything; make a part of it necessary"
        )
    _Check().walk(tree, inside_repeat=False)
    return pattern


class _Check:
    """Walks a parsed pattern and refuses what may take more than about its length a place."""

    def __init__(self) -> None:
        self.num_unbounded = 0

    def walk(self, tree: Any, *, inside_repeat: bool) -> None:
        for op, value in tree:
            if op in (sre.GROUPREF, sre.GROUPREF_EXISTS):
                raise BoundaryError("the pattern refers back to a group, which may take long; write it without \\1")
            if op in _REPEATS:
                self._repeat(value, inside_repeat=inside_repeat)
            else:
                for part in _parts(op, value):
                    self.walk(part, inside_repeat=inside_repeat)

    def _repeat(self, value: Any, *, inside_repeat: bool) -> None:
        low, high, body = value
        if low == high == 1 or high == 1:
            self.walk(body, inside_repeat=inside_repeat)
            return
        if inside_repeat and low != high:
            raise BoundaryError(
                "the pattern repeats a repetition, such as (a+)+, which may take very long; write one repetition"
            )
        if high is sre.MAXREPEAT or high > MAX_REPEAT:
            self.num_unbounded += 1
            if self.num_unbounded > MAX_UNBOUNDED:
                raise BoundaryError(
                    f"the pattern has more than {MAX_UNBOUNDED} open repetitions (* or +), which may take long; bound them as in \\d{{1,20}}"
                )
        is_choice = any(op is sre.BRANCH for op, _ in body)
        if is_choice and high is sre.MAXREPEAT:
            raise BoundaryError(
                "the pattern repeats a choice without end, such as (a|b)+, which may take long; bound it as in (a|b){1,9}"
            )
        self.walk(body, inside_repeat=True)


def _parts(op: Any, value: Any) -> list[Any]:
    if op is sre.SUBPATTERN:
        return [value[-1]]
    if op is sre.BRANCH:
        return list(value[1])
    if op in (sre.ASSERT, sre.ASSERT_NOT):
        return [value[1]]
    if op is sre.ATOMIC_GROUP:
        return [value]
    return []


def long_number_pattern(size: int) -> str:
    """Return the pattern of a number of at least `size` digits, signs between them let through, no span of years."""
    return check_pattern(f"{_LONG_NUMBER}{{{size - 1}}}" if size > 1 else r"\d")


_LONG_NUMBER = r"(?<!\d)(?!(?:19|20)\d\d[-/.–](?:19|20)?\d\d(?:[-/.]\d\d)?(?!\d))\d(?:[ ,.'_/()-]?[ (]?\d)"


def long_number_size(pattern: str) -> int | None:
    """Return the digits of a pattern that `long_number_pattern` made, None for another."""
    if pattern == r"\d":
        return 1
    rest = pattern.removeprefix(_LONG_NUMBER)
    return int(rest[1:-1]) + 1 if rest != pattern and rest[1:-1].isdigit() else None


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.I)


def matches_pattern(text: str, pattern: str) -> bool:
    """Whether a checked pattern stands in a text, in its plain form, or with digits that are said in words."""
    compiled = _compiled(pattern)
    return any(compiled.search(view) for piece in pieces(text) for view in number_views(piece))


def pieces(text: str) -> list[str]:
    """Cut a long text into overlapping pieces, so that no pattern sees more than so much at once."""
    step = _SEEN_CHARS - _OVERLAP_CHARS
    return [text[i : i + _SEEN_CHARS] for i in range(0, max(1, len(text) - _OVERLAP_CHARS), step)]


def number_views(text: str) -> list[str]:
    """Return a text, its plain form, and that with digits for runs of number words."""
    if text.isascii() or PLAIN_SIGNS.fullmatch(text):
        plain = text
    else:
        # Other scripts' digits, and marks that cannot be seen between them.
        plain = "".join(
            str(unicodedata.digit(c)) if c.isdigit() and unicodedata.digit(c, None) is not None else c
            for c in unicodedata.normalize("NFKC", text)
            if unicodedata.category(c) != "Cf"
        )
    if not may_say_digits(plain):
        return [text] if plain == text else [text, plain]
    said = _DIGIT_RUN.sub(lambda run: "".join(map(_digits_of, _SAID.finditer(run.group()))), plain)
    return list(dict.fromkeys((text, plain, said)))


PLAIN_SIGNS = re.compile(r"[\x00-\xac\xae-\u024f\u2010-\u2015\u2018-\u201e\u2022\u2026\u20ac]*")


def may_say_digits(text: str) -> bool:
    """Whether three number words can stand in a text; cheap, and true more often than they do."""
    low = text.lower()
    return sum(map(low.count, (*_DIGIT_WORDS, *_TENS, *_TWO_DIGITS))) >= 3
