"""Texts as the rules compare them: one form for all that a reader sees as the same, and what a text hides in a code."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

_LATIN_LIKE = ((0xC0, 0x250), (0x370, 0x530), (0x1E00, 0x2000))
_SPECIAL = {"ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i", "ß": "ss", "_": " "}
_INVISIBLE = (
    (0xAD, 0xAE), (0x34F, 0x350), (0x61C, 0x61D), (0x64B, 0x660), (0x115F, 0x1161), (0x180B, 0x1810), (0x200B, 0x2010),
    (0x202A, 0x202F), (0x2060, 0x2070), (0x3164, 0x3165), (0xFE00, 0xFE10), (0xFEFF, 0xFF00), (0xFFA0, 0xFFA1),
)  # fmt: skip
_MARKS = re.compile(r"[\u0300-\u036f\u1ab0-\u1aff\u20d0-\u20ff\u0483-\u0489]+")
# Cyrillic and Greek letters that are drawn as Latin ones. Source: Unicode confusables, the letters a reader takes for Latin.
_DRAWN_ALIKE = dict(
    zip("авекмнорстухіјѕһԁԛԝӏьгпαβεικνορτυχηωγς", "abekmhopctyxijshdqwlbrnabeikvoptuxnwyc", strict=True)
)
_LEET = {ord(a): b for a, b in zip("0134578@$!|+€9", "oieastbasiiteg", strict=True)}
_SMALL_CAPITALS = "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘꞯʀꜱᴛᴜᴠᴡʏᴢ"
_APOSTROPHES = re.compile(r"[’‘`´ʼ′]")


@lru_cache(maxsize=1)
def _table() -> dict[int, str | None]:
    table: dict[int, str | None] = {}
    for start, end in _LATIN_LIKE:
        for code in range(start, end):
            base = unicodedata.normalize("NFD", chr(code))[0]
            if base != chr(code):
                table[code] = base
    table.update({ord(a): b for a, b in _SPECIAL.items()})
    for start, end in _INVISIBLE:
        table.update(dict.fromkeys(range(start, end), None))
    table.update({ord(a): b for a, b in zip(_SMALL_CAPITALS, "abcdefghijklmnopqrstuvwyz", strict=True)})
    for start in (0x1F130, 0x1F150, 0x1F170):  # letters in squares and dark circles
        table.update({start + n: letter for n, letter in enumerate("abcdefghijklmnopqrstuvwxyz")})
    table.update({0xE0000 + code: chr(code) for code in range(0x20, 0x7F)})  # tag characters spell hidden ASCII
    return table


_TYPOGRAPHIC = str.maketrans({"\u2019": "'", "\u2018": "'", "\u201c": '"', "\u201d": '"', "\u2014": " - ", "\u2013": "-", "\u2011": "-", "\u2026": "...", "\u00a0": " "})  # fmt: skip
_TYPOGRAPHIC_SIGNS = "\u2019\u2018\u201c\u201d\u2014\u2013\u2011\u2026\u00a0"


def fold(text: str) -> str:
    """Return a text in lower case, without accents, invisible characters and letter forms of other fonts."""
    if not text.isascii():
        for sign in _TYPOGRAPHIC_SIGNS:
            if sign in text:
                text = text.replace(sign, _TYPOGRAPHIC[ord(sign)])
    if text.isascii():
        return text.lower().replace("_", " ")
    plain = unicodedata.normalize("NFKC", _MARKS.sub("", text))
    return _APOSTROPHES.sub("'", plain.casefold().translate(_table()))


_MIXED = re.compile(r"[a-z][а-яѐ-ԯα-ω]|[а-яѐ-ԯα-ω][a-z]")
_FOREIGN_WORD = re.compile(r"[Ѐ-ԯͰ-Ͽ]{3,40}")
_INSIDE_WORD = re.compile(r"(?<=[^\W\d_])[-.*~'\"/\\|·•,;:+=^#()\[\]{}]{1,3}(?=[^\W\d_])")
_SPACED = re.compile(r"(?<![^\W_])(?:[^\W_][ \t.\-_*·•/|,]{1,3}){3,}[^\W_](?![^\W_])")


def spellings(folded: str) -> Iterator[str]:
    """Yield a folded text, and what it says with swapped letters or split words put right."""
    yield folded
    if _MIXED.search(folded) or (any("a" <= c <= "z" for c in folded) and _FOREIGN_WORD.search(folded)):
        yield folded.translate({ord(a): b for a, b in _DRAWN_ALIKE.items()})
    if any(c in "0134578@$!|+€9" for c in folded):
        straight = " ".join(_straighten(piece) for piece in folded.split())
        if straight != folded:
            yield straight
            if "1" in folded or "!" in folded or "|" in folded:
                yield " ".join(_straighten(piece, one="l") for piece in folded.split())
    joined = _INSIDE_WORD.sub("", folded)
    if joined != folded:
        yield joined


def _straighten(piece: str, *, one: str = "i") -> str:
    if len(piece) > 40 or not any(c.isalpha() for c in piece):
        return piece
    body = piece.rstrip("!.,;:?")
    table = {**_LEET, ord("1"): one, ord("!"): one, ord("|"): one}
    return body.translate(table) + piece[len(body) :]


def spelled_out(folded: str) -> list[str]:
    """Return the letters of each run of single letters, such as `d i a b e t e s`, without what is between."""
    return ["".join(c for c in found.group() if c.isalnum()) for found in _SPACED.finditer(folded)]
