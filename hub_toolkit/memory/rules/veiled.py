"""Whether a text hides what it says: letters that make no words, spaced or swapped ones, runs of a code."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise

# Pairs of letters that words of the Latin-script languages hold; a row is a first letter and its followers.
_ROWS = (
    "abcdfghiklmnprstuvwxyz baeilorsu cacehiklorstuy dadegilmorsuvy eabcdefghiklmnopqrstuvwxyz faefilortu "
    "gaeghilnorsuy haeilortuy iabcdefgklmnoprstuvxz jaeou kaeilnosy ladefiklmopstuvy mabeimnopsuy "
    "nacdefghijklmnorstuvwyz oabcdefghijklmnoprstuvwxyz paehilnoprstuy quai rabcdefghiklmnoprstuvwyz sacehijklmnopqstuwyz "
    "taceefhilmnorstuwyz uabcdefgilmnprstxz vaeiouy waehinorsy xaceiptuy yacdefilmnopst zaeioyz"
)
_PAIRS = frozenset(row[0] + follower for row in _ROWS.split() for follower in row[1:])
_ODD_SHARE = 0.3
_MIN_LETTERS = 5
_MIN_ODD_WORDS = 2
_ODD_TEXT_SHARE = 0.5
_LONG_ODD_WORD = 9
_LATIN = re.compile(r"[a-z]{3,40}")
_LONG_RUN = re.compile(r"(?<![\w/.@-])(?=[A-Za-z0-9+/_=-]*[A-Z0-9+/])[A-Za-z0-9+/_-]{20,}={0,2}(?![\w/-])")
_HEX_RUN = re.compile(r"(?<![\w-])(?:0x|\\x)?[0-9a-fA-F]{2}(?:[ :,-]?(?:0x|\\x)?[0-9a-fA-F]{2}){7,}(?![\w-])")
_NUMBER_RUN = re.compile(r"(?<![\w.])\d{1,3}(?:[ ,/.;-]{1,2}\d{1,3}){6,}(?![\w])")
_CODE_RUN = re.compile(r"(?<![\w.])[.\-·−–_*]{1,6}(?:[ /|]{1,3}[.\-·−–_*]{1,6}){5,}")
_SINGLES = re.compile(r"(?<![\w'])(?:[^\W_][ \t.\-_*·•/|,~+]{1,3}){4,}[^\W_](?![\w'])")
_MIXED_WORD = re.compile(r"(?<![\w@#$/.-])[\w@$!|+€&%*^()<\[\]{}/\\]{5,24}(?![\w@])")
_WORD_SIGNS = frozenset("0123456789@$!|+€&%*^()<[]{}/\\")
# Each form begins at a word's begin and is bounded: a text of signs alone costs no more than its length.
_URL = re.compile(
    r"\b(?:https?://|www\.)\S+|(?<![^\s@])[^\s@]{1,64}@[^\s@]{1,255}"
    r"|(?<![\w./-])[\w./-]{1,200}?\.(?:com|org|net|io|html?|py|js|md|txt|json|pdf|png|jpe?g)\b\S*"
)
_MAX_CHARS = 4_000


@lru_cache(maxsize=65536)
def is_odd_word(word: str) -> bool:
    """Whether a word of Latin letters holds too many pairs that no language has, or no vowel at all."""
    if len(word) < _MIN_LETTERS or not word.isascii() or not word.isalpha():
        return False
    num_odd = sum(word[i : i + 2] not in _PAIRS for i in range(len(word) - 1))
    return num_odd >= max(2, _ODD_SHARE * (len(word) - 1)) or not set(word) & set("aeiouy")


def is_gibberish(folded: str) -> bool:
    """Whether half or more of the longer words of a folded text are none."""
    words = [w for w in _LATIN.findall(folded[:_MAX_CHARS]) if len(w) >= _MIN_LETTERS]
    odd = [w for w in words if is_odd_word(w)]
    if not odd or len(odd) < _ODD_TEXT_SHARE * len(words):
        return False
    return len(odd) >= _MIN_ODD_WORDS or max(map(len, odd)) >= _LONG_ODD_WORD


def coded_runs(text: str) -> list[str]:
    """Return the runs of a text that look like a code: base64, hexadecimal, numbers for letters, Morse, single letters."""
    text = _URL.sub(" ", text[:_MAX_CHARS])
    runs = [m.group() for m in _LONG_RUN.finditer(text) if _is_drawn(m.group())]
    for form in (_HEX_RUN, _NUMBER_RUN, _CODE_RUN, _SINGLES):
        runs += [m.group() for m in form.finditer(text)]
    return runs


def _is_drawn(run: str) -> bool:
    """Whether a long run is no word, path or name: it mixes cases and digits as encodings do."""
    changes = sum((a.islower() and b.isupper()) or a.isdigit() != b.isdigit() for a, b in pairwise(run))
    return changes >= max(3, len(run) // 8) and "--" not in run


def swapped_words(text: str) -> list[str]:
    """Return the words of a text in which signs or digits stand between letters, as in `d1@betes`."""
    found = []
    for m in _MIXED_WORD.finditer(_URL.sub(" ", text[:_MAX_CHARS])):
        word = m.group().strip("()[]{}!*/%")
        inner = sum(c in _WORD_SIGNS for c in word[:-1])
        if inner and sum(c.isalpha() for c in word) >= 2 and _changes(word) >= 2 and inner >= 0.4 * len(word):
            found.append(word)
    return found


def _changes(word: str) -> int:
    return sum(a.isalpha() != b.isalpha() for a, b in pairwise(word))
