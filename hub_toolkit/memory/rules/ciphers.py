"""What a text says in a code: base64, numbers or other signs for letters, shifted and turned alphabets."""

from __future__ import annotations

import base64
import binascii
import codecs
import html
import re
from collections.abc import Iterator
from urllib.parse import unquote

from hub_toolkit.memory.rules.veiled import is_gibberish, is_odd_word

MAX_VIEW_CHARS = 4_000
MAX_DECODED_CHARS = 20_000
# Nothing can be decoded where none of these stands: a long run, an escape, signs between blanks, names of letters.
_MAY_BE_CODE = re.compile(
    r"[A-Za-z0-9+/_-]{12}|&[#a-z]|%[0-9A-Fa-f]{2}|\\[ux0-7]|=[0-9A-F]{2}|[01]{8}|[.\-·−]{1,5}[ /|]{1,3}[.\-·−]{1,5}[ /|]|(?:\d{1,3}[ ,.;/-]{1,2}){4}|(?:[0-9a-fA-F]{2}[ :,]){4}"
    "|[\u2801-\u283f\u0250-\u028f\u1d00-\u1d7f\U0001f1e6-\U0001f1ff]|(?i:\\b(?:alfa|alpha|bravo|charlie|delta|echo|foxtrot|india|sierra|tango|november|oscar)\\b)".replace(
        "\\\\b", "\\b"
    )
)
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{12,}={0,2}")
_HEX = re.compile(r"(?:(?:\\x|0x)?[0-9a-fA-F]{2}[ :,]?){6,}")
_BITS = re.compile(r"(?:[01]{8} ?){4,}")
_ESCAPE = re.compile(r"\\u\{?([0-9a-fA-F]{4,5})\}?")
_MORSE = re.compile(r"(?:[.\-·−]{1,5}[ /|]{1,3}){4,}[.\-·−]{1,5}")
_MORSE_CODE = {
    code: letter
    for letter, code in zip(
        "abcdefghijklmnopqrstuvwxyz",
        str.split(
            ".- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. -- -. --- .--. --.- .-. ... - ..- ...- .-- -..- -.-- --.."
        ),
        strict=True,
    )
}


def decoded(text: str, *, depth: int = 2) -> list[str]:
    """Return what a text holds in base64, hexadecimal, binary, escapes, entities, Morse, or signs for letters."""
    if depth == 0 or not _MAY_BE_CODE.search(text):
        return []
    text = text[:MAX_DECODED_CHARS]
    found = [*_decoded_runs(text), *_unescaped(text), *_spelled_by_signs(text)]
    return [inner for view in found for inner in (view, *decoded(view, depth=depth - 1))]


_COMMON = frozenset(
    str.split("""the my and to of in is was that for with at it this have has i am me you are be we our from but not on after since every she he her his
    as all an or so by no up out about when what who how can did will would im its dont just like last next week year years day time old new one two three today yesterday tomorrow
    feel know think want went going take took got get been their them there where now still again only never always first
    der die und ich ist nicht mit ein eine zu le les et je est une des pas mon ma el los que y por para con mi una il che di sono un per
    os uma do da de het een ik van niet met nie jest sie""")
)
_WORDS = re.compile(r"[a-z]+")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def turned(folded: str) -> list[str]:
    """Return a folded text read backwards or by a shifted alphabet, where that reads more like English than it does."""
    if not folded.strip() or len(folded) > MAX_VIEW_CHARS:
        return []
    views = []
    # What stands in front of a coded part is plain: each part is read for itself.
    for part in re.split(r"[:\n]", folded):
        least = max(2, _num_common(part) + 1)
        readings = (part[::-1], " ".join(word[::-1] for word in part.split()), *_shifted(part), *_unpigged(part))
        views += [view for view in readings if _num_common(view) >= least or _is_one_shifted_word(part, view)]
    return views


def _is_one_shifted_word(part: str, view: str) -> bool:
    """Whether a part that is one or two words of nonsense reads as words of a language."""
    words = _WORDS.findall(part)
    return 0 < len(words) <= 2 and is_gibberish(part) and not any(is_odd_word(w) for w in _WORDS.findall(view))


def _num_common(text: str) -> int:
    return sum(word in _COMMON for word in _WORDS.findall(text))


def _shifted(text: str) -> Iterator[str]:
    if any("a" <= c <= "z" for c in text):
        for shift in range(1, 26):
            yield text.translate(str.maketrans(_LETTERS, _LETTERS[shift:] + _LETTERS[:shift]))
        yield text.translate(str.maketrans(_LETTERS, _LETTERS[::-1]))


_PIG_WORD = re.compile(r"\b([a-z]{2,24}?)[wy]?ay\b")


def _unpigged(text: str) -> Iterator[str]:
    """Yield what a text of `iabetesday` and `evahway` says, with one to three letters put back in front."""
    if len(_PIG_WORD.findall(text)) * 2 < len(text.split()):
        return
    yield _PIG_WORD.sub(lambda m: m[1][-1:] + m[1][:-1], text)
    yield _PIG_WORD.sub(lambda m: m[1][-2:] + m[1][:-2], text)
    yield _PIG_WORD.sub(lambda m: m[1][-3:] + m[1][:-3], text)
    yield _PIG_WORD.sub(lambda m: m[1], text)


def mirrored(folded: str) -> list[str]:
    """Return a folded text by rot13 and backwards, whatever it reads like: only long words count in these."""
    return [codecs.encode(folded, "rot13"), folded[::-1]] if len(folded) <= MAX_VIEW_CHARS else []


def _unescaped(text: str) -> Iterator[str]:
    if "&" in text and (plain := html.unescape(text)) != text:
        yield plain
    if "%" in text and (plain := unquote(text)) != text:
        yield plain
    if "\\u" in text and (plain := _ESCAPE.sub(lambda m: _char(m[1]), text)) != text:
        yield plain


def _char(code: str) -> str:
    number = int(code, 16)
    return " " if 0xD800 <= number < 0xE000 or number > 0x10FFFF else chr(number)


def _decoded_runs(text: str) -> Iterator[str]:
    for found in _BASE64.finditer(text):
        yield from _from_base64(found.group())
        if not any(c.islower() or c in "01+/-_89" for c in found.group().rstrip("=")):
            yield from _from_base32(found.group())
    for found in _HEX.finditer(text):
        digits = re.sub(r"\\x|0x|[^0-9a-fA-F]", "", found.group())
        yield from _as_text(bytes.fromhex(digits[: len(digits) // 2 * 2]))
    for found in _BITS.finditer(text):
        yield from _as_text(bytes(int(bits, 2) for bits in re.findall(r"[01]{8}", found.group())))
    for found in _MORSE.finditer(text):
        words = re.split(r" {2,}|/|\|", found.group().replace("·", ".").replace("−", "-"))
        yield " ".join("".join(_MORSE_CODE.get(code, "") for code in word.split()) for word in words)


def _from_base64(run: str) -> Iterator[str]:
    body = run.rstrip("=").replace("-", "+").replace("_", "/")
    for cut in (0, 1, 2, 3):
        part = body[: len(body) - cut]
        try:
            raw = base64.b64decode(part + "=" * (-len(part) % 4))
        except (binascii.Error, ValueError):
            continue
        yield from _as_text(raw)
        return


def _from_base32(run: str) -> Iterator[str]:
    body = run.rstrip("=")
    try:
        yield from _as_text(base64.b32decode(body + "=" * (-len(body) % 8)))
    except binascii.Error:
        return


_NUMBERS = re.compile(r"(?<![\w.])\d{1,3}(?:[ ,.;/-]{1,2}\d{1,3}){3,}(?!\w)")
_OCTAL = re.compile(r"(?:\\[0-7]{3}){3,}")
_QUOTED_PRINTABLE = re.compile(r"(?:=[0-9A-F]{2}){3,}")
_BRAILLE = dict(zip("⠁⠃⠉⠙⠑⠋⠛⠓⠊⠚⠅⠇⠍⠝⠕⠏⠟⠗⠎⠞⠥⠧⠺⠭⠽⠵⠀", "abcdefghijklmnopqrstuvwxyz ", strict=True))
_FLIPPED = dict(zip("ɐqɔpǝɟƃɓɥᴉıɾʞʃןɯuɹʇʌʍʎ", "abcdefgghiijklLmnrtvwy".lower(), strict=True))
_SURELY_FLIPPED = frozenset("ɐɔǝɟƃɓɥᴉɾʞʃןɯɹʇʌʍʎ")
_SPELLING = {name[0]: name for name in str.split("alpha bravo charlie delta echo foxtrot golf hotel india juliet kilo lima mike november oscar papa quebec romeo sierra tango uniform victor whiskey xray yankee zulu")}  # fmt: skip
_SPELLED = {name: letter for letter, name in _SPELLING.items()} | {"alfa": "a", "juliett": "j", "whisky": "w", "x-ray": "x"}  # fmt: skip
_SPELLED_RUN = re.compile(rf"\b(?:{'|'.join(_SPELLED)})(?:[ ,.-]{{1,2}}(?:{'|'.join(_SPELLED)})){{2,60}}\b", re.I)


def _spelled_by_signs(text: str) -> Iterator[str]:
    """Yield what numbers for letters, Braille, upside-down or flag letters, or names of letters spell."""
    for found in _NUMBERS.finditer(text):
        yield from _from_numbers(found.group())
    for form, base in ((_OCTAL, 8), (_QUOTED_PRINTABLE, 16)):
        for found in form.finditer(text):
            values = [int(v, base) for v in re.findall(r"[0-9A-F]{2,3}", found.group())]
            yield from _as_text(bytes(v for v in values if v < 256))
    for found in _SPELLED_RUN.finditer(text):
        yield "".join(_SPELLED[word] for word in re.findall(r"x-ray|[a-z]+", found.group().lower()))
    if text.isascii():
        return
    if any("\u2801" <= c <= "\u283f" for c in text):
        yield "".join(_BRAILLE.get(c, c) for c in text)
    if sum(c in _SURELY_FLIPPED for c in text) >= 2:
        plain = "".join(
            {**_FLIPPED, "u": "n", "n": "u", "p": "d", "d": "p", "b": "q", "q": "b"}.get(c, c) for c in text
        )
        yield from (plain, plain[::-1])
    if sum("\U0001f1e6" <= c <= "\U0001f1ff" for c in text) >= 4:
        letters = "".join(chr(ord(c) - 0x1F1E6 + 97) if "\U0001f1e6" <= c <= "\U0001f1ff" else c for c in text)
        yield letters
        yield re.sub(r"\b([a-z]) (?=[a-z]\b)", r"\1", letters)


def _from_numbers(run: str) -> Iterator[str]:
    values = [int(v) for v in re.findall(r"\d+", run)]
    if all(1 <= v <= 26 for v in values):
        yield "".join(chr(96 + v) for v in values)
        yield " ".join("".join(chr(96 + int(v)) for v in re.findall(r"\d+", word)) for word in re.split(r"[ /]", run))
    if all(32 <= v < 127 for v in values):
        yield from _as_text(bytes(values))


def _as_text(raw: bytes) -> Iterator[str]:
    try:
        text = raw.decode("utf-8", errors="strict")
    except UnicodeDecodeError:
        return
    if len(text) >= 4 and sum(c.isprintable() or c.isspace() for c in text) >= 0.9 * len(text):
        yield text
