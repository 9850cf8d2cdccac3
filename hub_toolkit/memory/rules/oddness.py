"""Which texts deserve a second look: those with a sign of a disguise, and those whose disguise stays on."""

from __future__ import annotations

import codecs
import re
from functools import lru_cache

from hub_toolkit.memory.rules.ciphers import decoded, turned
from hub_toolkit.memory.rules.folding import fold, spelled_out, spellings
from hub_toolkit.memory.rules.lexicon import Lexicon, load_lexicon
from hub_toolkit.memory.rules.segmenting import known_share
from hub_toolkit.memory.rules.veiled import coded_runs, is_gibberish, is_odd_word, swapped_words

_ENDS = ".,;:!?\"'()[]{}*~-<>#`|"
_MIN_SINGLES = 4
_MIRRORED_CHARS = 6
_LONG_CHUNK = 16
_TURNED_WORDS = frozenset(
    str.split(
        "eht dna ym saw evah htiw rof taht siht morf tub sah si era ruo naq zl jnf unir jvgu sbe gung guvf sebz ohg gur"
    )
)
_QUANTITY = re.compile(
    r"[$€£¥~+<>=#@]{0,2}\d[\d.,:/x×-]{0,14}(?:st|nd|rd|th|s|k|m|b|km|kg|g|lb|lbs|oz|mg|ml|cm|mm|in|ft|am|pm|h|hr|hrs|min|mins|c|f|x|d|gb|mb|tb|p|w|v|a|e|er|ers|ish|ths|year|day|week|hour|minute|month)?"
    r"(?:[-–/+%°](?:[a-z]+|\d[\d.,:]*[a-z%]{0,4})){0,4}[%+°]?"
)
_NAME_AND_NUMBER = re.compile(r"[a-z]{1,12}-?\d{1,4}[a-z]?|[a-z]+(?:[-/&+'][a-z]+)*|[a-z]+(?:[-/'][a-z]+)*-\d{1,4}")
_KNOWN_SHARE = 0.6
_ODD_START = re.compile(
    r"(?!(?:bl|br|ch|cl|cr|cz|dr|dw|dz|fj|fl|fr|gh|gl|gn|gr|gw|hr|kh|kl|kn|kr|kw|ll|mb|mc|mn|nd|ng|pf|ph|pl|pn|pr|ps|pt|qu|rh|rz|sb|sc|sf|sg|sh|sk|sl|sm|sn|sp|sq|sr|st|sv|sw|sz|th|tl|tr|ts|tw|vl|vr|wh|wr|zh|zw))[bcdfghjklmnpqrstvwxz]{2}[a-z]{2,}"
)
_MIN_ODD_STARTS = 2
_MAX_LATIN = 0x24F


@lru_cache(maxsize=8192)
def folded_and_odd(piece: str) -> tuple[str, bool]:
    """Return a text folded, and whether something in it may be a disguise, whatever a rule is about."""
    folded = fold(piece)
    return folded, looks_odd(piece, folded, load_lexicon(frozenset()))


def looks_odd(piece: str, folded: str, lexicon: Lexicon) -> bool:
    """Whether a word of a text, or several in a row, may be a disguise; most texts have none."""
    num_singles, num_starts, num_numbers, odd_chunks = 0, 0, 0, lexicon.odd_chunks
    for chunk in folded.split():
        if len(chunk) == 1:
            num_singles += 1
        is_odd = odd_chunks.get(chunk)
        if is_odd is None:
            is_odd = _is_odd_chunk(chunk, lexicon)
            if len(odd_chunks) > 100_000:
                odd_chunks.clear()
            odd_chunks[chunk] = is_odd
        if is_odd:
            if is_odd == 1:
                return True
            num_numbers += is_odd == 2
            num_starts += is_odd == 3
    if num_singles >= _MIN_SINGLES or num_numbers >= 4 or num_starts >= _MIN_ODD_STARTS:
        return True
    return not piece.isascii() and _has_odd_signs(piece)


def _is_odd_chunk(chunk: str, lexicon: Lexicon) -> int:
    """Return 1 for a chunk that may be a disguise, 2 for a number (several may be letters), 0 for others.

    3 for a word that begins as none does, such as hslew: several may be read backwards.
    """
    body = chunk.strip(_ENDS)
    if not body:
        return int(len(chunk) > 3 and len(set(chunk)) > 1)
    if not body.isascii():
        return int(_mixes_scripts(body))
    if body.isalpha():
        if body in _TURNED_WORDS or is_odd_word(body) or _is_mirrored(body, lexicon) or len(body) > 20:
            return 1
        return 3 if _ODD_START.match(body) else 0
    if body.isdigit():
        return 2
    if "://" in body or body.startswith("www."):
        return 0
    if _QUANTITY.fullmatch(body):
        return 2 if body.replace("-", "").replace("/", "").isdigit() else 0
    return int(_is_odd_compound(body, lexicon))


def _is_odd_compound(body: str, lexicon: Lexicon) -> bool:
    parts = [part for part in re.split(r"[^a-z0-9]+", body) if part]
    if len(parts) >= 3 and max(map(len, parts)) <= 2:
        return True
    if _NAME_AND_NUMBER.fullmatch(body):
        return bool(lexicon.strong_words("".join(parts))) or any(is_odd_word(part) for part in parts)
    return True


def _is_mirrored(word: str, lexicon: Lexicon) -> bool:
    if len(word) < _MIRRORED_CHARS:
        return False
    readings = (word[::-1], codecs.encode(word, "rot13"))
    return any(len(p.key) >= 5 for reading in readings for p in lexicon.strong_words(reading))


def _mixes_scripts(body: str) -> bool:
    has_latin = any("a" <= c <= "z" for c in body)
    return has_latin and any(c.isalpha() and ord(c) > _MAX_LATIN and ord(c) < 0x600 for c in body)


@lru_cache(maxsize=4096)
def _is_odd_sign(char: str) -> bool:
    code = ord(char)
    return (
        0x200B <= code <= 0x200F or 0x2060 <= code <= 0x206F or code == 0xFEFF or code == 0xAD or 0xE0000 <= code < 0xE0200
        or 0x2801 <= code <= 0x283F or 0x250 <= code < 0x2B0 or 0x1D00 <= code < 0x1D80 or 0x1F1E6 <= code <= 0x1F1FF
        or 0x1F130 <= code < 0x1F18A or 0x1D400 <= code < 0x1D800 or 0x24B6 <= code < 0x24EA or 0xFF21 <= code <= 0xFF5A
    )  # fmt: skip


def _has_odd_signs(text: str) -> bool:
    if any(map(_is_odd_sign, text)):
        return True
    has_latin = any("a" <= c <= "z" for c in text)
    return has_latin and any(0x370 <= ord(c) < 0x530 for c in text)


def is_undeciphered(piece: str, folded: str) -> bool:
    """Whether a text that looks encoded stays illegible under all that can be tried."""
    views = decoded(piece)
    if views and not all(is_gibberish(fold(view)) for view in views):
        return False
    if is_gibberish(folded) and not turned(folded) and not _is_straightened(folded):
        return True
    runs = coded_runs(piece)
    letters = spelled_out(folded)
    if any(known_share(run) < _KNOWN_SHARE for run in letters if len(run) >= _MIN_SINGLES + 1):
        return True
    if len(runs) > len(letters):
        return True
    return bool(swapped_words(piece)) and not _is_straightened(folded)


def _is_straightened(folded: str) -> bool:
    """Whether a text with swapped letters put right holds only words."""
    others = [view for view in spellings(folded) if view != folded]
    return any(not is_gibberish(view) and not swapped_words(view) for view in others)
