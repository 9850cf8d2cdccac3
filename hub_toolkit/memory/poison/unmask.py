"""What a text says once its disguises are off: look-alike letters, invisible characters, encodings.

Every step is linear in the text and capped, so that no message can hold the reader up.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import html
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

MAX_ENCODED_CHARS = 40_000
MAX_ENCODED_RUNS = 64
MAX_DEPTH = 3
"""How often an encoding is looked for inside an encoding."""

MIN_HIDDEN_LETTERS = 4

_INVISIBLE = frozenset(
    map(chr, (0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180E, 0x3164, 0xFEFF, 0xFFA0))
) | frozenset(
    chr(code)
    for first, last in (
        (0x200B, 0x200F),
        (0x202A, 0x202E),
        (0x2060, 0x206F),
        (0xFE00, 0xFE0F),
        (0xFFF9, 0xFFFB),
        (0x1D173, 0x1D17A),
        (0xE0000, 0xE01EF),
    )
    for code in range(first, last + 1)
)
_LOOK_ALIKES = str.maketrans(
    "аеорсухіјѕһԁԛԝкмтвнгпАВЕКМНОРСТУХІЈЅαοεικνρτυχβηγωΑΒΕΖΗΙΚΜΝΟΡΤΥΧıɡɑ",
    "aeopcyxijshdqwkmtbhrnABEKMHOPCTYXIJSaoeiknptuxbnywABEZHIKMNOPTYXiga",
)
_SMALL_CAPS = str.maketrans("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘǫʀꜱᴛᴜᴠᴡʏᴢ", "abcdefghijklmnopqrstuvwyz")
_MIXED_WORD = re.compile(r"[^\W\d_]{2,64}")
_LATIN = re.compile(r"[A-Za-z]")
_FOREIGN = re.compile(r"[\u0370-\u03ff\u0400-\u052fıɡɑ]")


@dataclass(frozen=True)
class Folded:
    """A text with its disguises off: `plain` keeps its case, `low` has none, `places[i]` is where character i stood.

    The three are of one length.
    """

    plain: str
    low: str
    places: range | list[int]
    length: int

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return where a piece of `plain` stands in the original text."""
        if start >= end:
            return (self.length, self.length)
        return self.places[start], (self.places[end] if end < len(self.places) else self.length)


@lru_cache(maxsize=65536)
def _fold_char(char: str) -> str:
    if char in _INVISIBLE:
        return ""
    wide = unicodedata.normalize("NFKC", char).translate(_SMALL_CAPS)
    if 0x1F150 <= ord(char) <= 0x1F189:
        return chr(ord("a") + (ord(char) - 0x1F150) % 32) if (ord(char) - 0x1F150) % 32 < 26 else char
    if len(wide) == 1:
        base = unicodedata.normalize("NFD", wide)[0]
        return base if base.isascii() else wide
    return wide


@lru_cache(maxsize=16)
def fold(text: str) -> Folded:
    """Take off invisible characters, wide and styled letters, accents, and foreign letters inside Latin words."""
    if text.isascii():
        return Folded(text, text.lower(), range(len(text)), len(text))
    strange: dict[str, str] = {char: _fold_char(char) for char in set(text) if char >= "\x80"}
    places: range | list[int]
    if all(len(to) == 1 and not "\u0300" <= char <= "\u036f" for char, to in strange.items()):
        plain, places = text.translate({ord(char): to for char, to in strange.items()}), range(len(text))
    else:
        plain, places = _fold_slowly(text, strange)
    if _FOREIGN.search(plain):
        plain = _MIXED_WORD.sub(_latinise, plain)
    low = plain.lower()
    if len(low) != len(plain):
        low = "".join(lowered if len(lowered := char.lower()) == 1 else lowered[:1] for char in plain)
    return Folded(plain, low, places, len(text))


def _fold_slowly(text: str, strange: dict[str, str]) -> tuple[str, list[int]]:
    """Fold a text of which characters vanish or become several; also return where each stood."""
    letters: list[str] = []
    places: list[int] = []
    for place, char in enumerate(text):
        if "\u0300" <= char <= "\u036f" and letters and letters[-1].isascii():
            continue
        folded = strange.get(char, char)
        letters.extend(folded)
        places.extend([place] * len(folded))
    return "".join(letters), places


def _latinise(word: re.Match[str]) -> str:
    found = word.group()
    return found.translate(_LOOK_ALIKES) if _FOREIGN.search(found) and _LATIN.search(found) else found


@dataclass(frozen=True)
class Layer:
    """What characters `start` to `end` of a text say once decoded."""

    start: int
    end: int
    text: str
    kind: str


_TAG_RUN = re.compile("[\U000e0020-\U000e007e]{3,4096}")
_UNSEEN = re.compile("[\u200b-\u200d\u2060-\u2064\ufe00-\ufe0f\ufeff\U000e0020-\U000e01ef]")
_FLAG = "\U0001f3f4"
_SELECTOR_RUN = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{6,4096}")
_ZERO_WIDTH_RUN = re.compile("[\u200b-\u200d\u2060-\u2064\ufeff]{16,40000}")


def hidden_layers(text: str) -> Iterator[Layer]:
    """Yield what is written in characters that nobody sees: tags, variation selectors, runs of zero-width bits."""
    if text.isascii() or not _UNSEEN.search(text):
        return
    for run in _TAG_RUN.finditer(text):
        if run.start() and text[run.start() - 1] == _FLAG:
            continue  # the flag of a region is written so
        yield Layer(run.start(), run.end(), "".join(chr(ord(c) - 0xE0000) for c in run.group()), "hidden_text")
    for run in _SELECTOR_RUN.finditer(text):
        values = [ord(c) - 0xFE00 if c <= "\ufe0f" else ord(c) - 0xE0100 + 16 for c in run.group()]
        yield Layer(run.start(), run.end(), bytes(values).decode("utf-8", "replace"), "hidden_text")
    for run in _THREADED.finditer(text):
        yield Layer(run.start(), run.end(), _INVISIBLE_SIGN.sub("", run.group()), "hidden_text")
    for run in _ZERO_WIDTH_RUN.finditer(text):
        yield Layer(run.start(), run.end(), _from_bits(run.group()), "hidden_text")


def _from_bits(run: str) -> str:
    """Read two sorts of invisible characters as bits, whichever way round gives text."""
    sorts = sorted(set(run), key=run.count, reverse=True)[:2]
    bits = "".join(str(sorts.index(c)) for c in run if c in sorts)
    for digits in (bits, bits.translate(str.maketrans("01", "10"))):
        data = bytes(int(digits[i : i + 8], 2) for i in range(0, len(digits) - 7, 8))
        if sum(32 <= byte < 127 for byte in data) >= 0.9 * len(data):
            return data.decode("ascii", "replace")
    return ""


_INVISIBLE_SIGN = re.compile("[\u200b\u200c\u2060-\u2064\ufeff]")
_THREADED = re.compile("(?:[A-Za-z ][\u200b\u200c\u2060-\u2064\ufeff]){8,}[A-Za-z]{0,2}")
"""An invisible character after each letter: nobody types so."""

_BASE64 = re.compile(
    r"[A-Za-z0-9+/_-]{12,}+={0,2}+(?:\s{1,3}+[A-Za-z0-9+/_-]{12,}+={0,2}+)*+(?:\s[A-Za-z0-9+/_-]{1,11}={1,2})?"
)
_BASE32 = re.compile(r"\b[A-Z2-7]{16,}+={0,6}+")
_HEX = re.compile(r"(?<![0-9A-Za-z])(?:(?:0x|\\x)?[0-9a-fA-F]{2}[ :,]{0,2}){10,}+")
_BINARY = re.compile(r"(?:[01]{8}[ ,]{0,2}){6,}+")
_DECIMAL = re.compile(r"(?:\b\d{2,3}[ ,]{1,2}){10,}+(?:\d{2,3}\b)?")
_MORSE = re.compile(r"(?:[.\-·−–]{1,6}[ /|]{1,3}){8,}+[.\-·−–]{0,6}")
_SPACED = re.compile(r"(?:\b\w[ .\-_*|~]{1,3}){8,}+(?:\w\b)?")
_MORSE_LETTERS = dict(
    zip(
        [
            ".-",
            "-...",
            "-.-.",
            "-..",
            ".",
            "..-.",
            "--.",
            "....",
            "..",
            ".---",
            "-.-",
            ".-..",
            "--",
            "-.",
            "---",
            ".--.",
            "--.-",
            ".-.",
            "...",
            "-",
            "..-",
            "...-",
            ".--",
            "-..-",
            "-.--",
            "--..",
        ],
        "abcdefghijklmnopqrstuvwxyz",
        strict=True,
    )
)


_PROSE_WORDS = re.compile(r"(?:[A-Z]?[a-z]+[-_/\s]*)+")


def _from_base64(run: str) -> str:
    if _PROSE_WORDS.fullmatch(run):
        raise ValueError("words, no code")
    plain = re.sub(r"[\s=]", "", run).translate(str.maketrans("-_", "+/"))
    return base64.b64decode(plain[: len(plain) - (len(plain) % 4 == 1)] + "=" * (-len(plain) % 4)).decode("utf-8")


def _from_base32(run: str) -> str:
    plain = run.rstrip("=")
    return base64.b32decode(plain + "=" * (-len(plain) % 8)).decode("utf-8")


def _from_hex(run: str) -> str:
    return bytes.fromhex(re.sub(r"0x|\\x|[ :,]", "", run)).decode("utf-8")


def _from_binary(run: str) -> str:
    digits = re.sub(r"[ ,]", "", run)
    return bytes(int(digits[i : i + 8], 2) for i in range(0, len(digits) - 7, 8)).decode("utf-8")


def _from_decimal(run: str) -> str:
    return bytes(int(number) for number in re.findall(r"\d+", run)).decode("utf-8")


def _from_morse(run: str) -> str:
    words = re.split(r"\s*[/|]\s*|\s{3,}", run.translate(str.maketrans("·−–", ".--")))
    return " ".join("".join(_MORSE_LETTERS.get(letter, "") for letter in word.split()) for word in words)


def _from_spaced(run: str) -> str:
    words = re.split(r"\s{2,3}|\s*[|~]\s*", run)
    return " ".join(re.sub(r"[ .\-_*]", "", word) for word in words)


_EIGHT_DIGITS = re.compile(r"(?:[0-9][^0-9]*+){8}")


def _has_digits(text: str) -> bool:
    """Whether a text may hold letters written as numbers: each of them takes a digit."""
    return _EIGHT_DIGITS.search(text) is not None


def _has_morse(text: str) -> bool:
    return any(sign in text for sign in (".-", "-.", "·", "−", "–.", ".–"))


def _always(_text: str) -> bool:
    return True


def _has_long_word(text: str) -> bool:
    return _LONG_WORD.search(text) is not None


_LONG_WORD = re.compile(r"\S{12}")
_RUNS: tuple[tuple[re.Pattern[str], Callable[[str], str], Callable[[str], bool]], ...] = (
    (_BASE64, _from_base64, _has_long_word),
    (_BASE32, _from_base32, _has_long_word),
    (_HEX, _from_hex, _has_digits),
    (_BINARY, _from_binary, _has_digits),
    (_DECIMAL, _from_decimal, _has_digits),
    (_MORSE, _from_morse, _has_morse),
    (_SPACED, _from_spaced, _always),
)
"""A code's runs, how one is read, and what a text must have before it is worth looking for them."""
_LINE = re.compile(r"[^\n]{1,4000}")
_ESCAPED = re.compile(r"(?:%[0-9a-fA-F]{2}|&#x?[0-9a-fA-F]{1,6};|\\u[0-9a-fA-F]{4}|\\U[0-9a-fA-F]{8}|=[0-9A-F]{2})")
_QUOTED_PRINTABLE = re.compile(r"=([0-9A-F]{2})")
_UNICODE_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})|\\U000([0-9a-fA-F]{5})")
_LEET = str.maketrans("0134578@$", "oieastbas")
_LEET_SIGN = re.compile(r"[a-z][0134578@$]|[0134578@$][a-z]")
_LEET_WORD = re.compile(
    r"(?<![\w@$])(?=[\w@$]{0,20}[a-z])(?=[\w@$]{0,20}[0134578@$])(?!\d{1,4}(?:st|nd|rd|th|am|pm|s|k|m|l|g|kg|km|cm|mm)?\b)[\w@$]{3,24}"
)


def encoded_layers(text: str, depth: int = MAX_DEPTH) -> Iterator[Layer]:
    """Yield what encoded runs of a text say: base64 and 32, hex, bits, codes, Morse, escapes, spaced letters."""
    if depth == 0:
        return
    for layer in (*_run_layers(text), *_escape_layers(text)):
        yield layer
        for inner in encoded_layers(layer.text, depth - 1):
            yield Layer(layer.start, layer.end, inner.text, inner.kind)


def _run_layers(text: str) -> Iterator[Layer]:
    for pattern, decode, may_hold in _RUNS:
        for number, run in enumerate(pattern.finditer(text) if may_hold(text) else ()):
            if number == MAX_ENCODED_RUNS:
                break
            try:
                clear = decode(run.group()[:MAX_ENCODED_CHARS])
            except (binascii.Error, ValueError):
                continue
            if sum(map(str.isalpha, clear[:400])) >= MIN_HIDDEN_LETTERS:
                yield Layer(run.start(), run.end(), clear, "encoded")


def _escape_layers(text: str) -> Iterator[Layer]:
    lines = (line for line in _LINE.finditer(text) if sum(1 for _ in _ESCAPED.finditer(line.group())) >= 3)
    for number, line in enumerate(lines):
        if number == MAX_ENCODED_RUNS:
            return
        clear = html.unescape(unquote(line.group()))
        clear = _UNICODE_ESCAPE.sub(lambda m: chr(int(m[1] or m[2], 16)), clear)
        clear = _QUOTED_PRINTABLE.sub(lambda m: chr(int(m[1], 16)), clear)
        if clear != line.group():
            yield Layer(line.start(), line.end(), clear, "encoded")


_KEY_WORDS = ("remember", "user", "memory", "assistant", "forget", "memorize", "preference")
_LOW_WORD = re.compile(r"[a-z]{4,12}")


def _shift(text: str, by: int) -> str:
    alphabet = "abcdefghijklmnopqrstuvwxyz"
    moved = alphabet[by:] + alphabet[:by]
    return text.translate(str.maketrans(alphabet + alphabet.upper(), moved + moved.upper()))


_SHIFTED = {_shift(word, by): (26 - by) % 26 for word in _KEY_WORDS for by in range(1, 26)}
_REVERSED = frozenset(word[::-1] for word in _KEY_WORDS)


def same_length_layers(low: str) -> Iterator[Layer]:
    """Yield readings of a whole lower-case text that keep each character's place: moved letters, leet, and backwards.

    A layer's text has the length of its span; `backwards` runs from its end.
    """
    found = frozenset(_LOW_WORD.findall(low))
    for by in sorted({_SHIFTED[word] for word in found & _SHIFTED.keys()}):
        yield Layer(0, len(low), codecs.decode(low, "rot13") if by == 13 else _shift(low, by), "encoded")
    if found & _REVERSED:
        yield Layer(0, len(low), low[::-1], "backwards")
    if not _LEET_SIGN.search(low):
        return
    leet = _LEET_WORD.sub(lambda word: word.group().translate(_LEET), low)
    if leet != low:
        yield Layer(0, len(low), leet, "encoded")
