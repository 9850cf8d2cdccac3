"""Names in other scripts than Latin: written in Latin letters, or compared by their consonants."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_CYRILLIC = dict(
    zip("абвгдезийклмнопрстуфхцыэ", str.split("a b v g d e z i i k l m n o p r s t u f kh ts y e"), strict=True)
) | {"ж": "zh", "ч": "ch", "ш": "sh", "щ": "shch", "ю": "yu", "я": "ya", "ь": "", "ъ": "", "ї": "i", "і": "i", "є": "e"}
_GREEK = dict(zip("αβγδεζηικλμνοπρσςτυφχω", str.split("a v g d e z i i k l m n o p r s s t y f ch o"), strict=True))
# Scripts in which a name keeps its consonants and may leave out, or add, vowels.
_CONSONANT_SCRIPTS = re.compile(
    r"(?P<semitic>ARABIC|HEBREW) LETTER (?P<letter>\w+)|\w+ (?:LETTER|VOWEL SIGN|SIGN) (?P<indic>\w+)$"
)
_BY_CONSONANTS = re.compile(r"[\u0590-\u06ff\u0900-\u0dff]")
_ARABIC = re.compile(r"[\u0600-\u06ff]")  # it has neither p nor v
_INDIC = re.compile(r"[\u0900-\u0dff]")
_LONG = {"ee": "i", "oo": "u", "ai": "e", "au": "o"}
_MIN_CONSONANTS = 3
_PARTICLES = "lbkf"
"""What Arabic and Hebrew write in front of a name as part of its word: to, in, like, so."""


@lru_cache(maxsize=4096)
def romanize(word: str) -> str:
    """Return a word of Cyrillic, Greek, Kana or Hangul in Latin letters, as names are written; others as they are."""
    return "".join(_CYRILLIC.get(c) or _GREEK.get(c) or _by_name(c) for c in word)


def _by_name(char: str) -> str:
    if char.isascii() or char in _CYRILLIC:
        return "" if char in _CYRILLIC else char
    name = unicodedata.name(char, "")
    if name.startswith(("KATAKANA LETTER ", "HIRAGANA LETTER ", "HANGUL SYLLABLE ")):
        return name.rsplit(" ", 1)[1].lower()
    return char


def is_same_name(word: str, name: str) -> bool:
    """Whether a folded word of an Arabic, Hebrew or Indian script has the consonants of a name in Latin letters."""
    if not _BY_CONSONANTS.search(word):
        return False
    wanted = consonants(name)
    if len(wanted) < _MIN_CONSONANTS:
        return False
    found = consonants(word)
    if not _INDIC.search(word):
        wanted = wanted.replace("p", "b").replace("v", "f") if _ARABIC.search(word) else wanted
        return found == wanted or (found[1:] == wanted and found[0] in _PARTICLES)
    # These scripts write all vowels but a.
    vowels = re.sub(r"[^eiou]", "", re.sub("ee|oo|ai|au", lambda m: _LONG[m.group()], name))
    return found == wanted and vowels == "".join(map(_vowel_of, word))


@lru_cache(maxsize=4096)
def consonants(word: str) -> str:
    """Return a word's consonants in Latin letters, those that scripts do not tell apart made one."""
    letters = "".join(char if char.isascii() else _consonants_of(char) for char in word)
    plain = re.sub(r"(?<=[bcdfgjkpstz])h", "", letters).translate(str.maketrans("qcm", "kkn", "aeiouwy"))
    return re.sub(r"[^a-z]", "", re.sub(r"(.)\1+", r"\1", plain))


def _consonants_of(char: str) -> str:
    """Return what a letter stands for by its name: REH is r, SHEEN sh, VAV may be o; DEVANAGARI LETTER KA is ka."""
    found = _CONSONANT_SCRIPTS.search(unicodedata.name(char, ""))
    if found is None:
        return ""
    if found["semitic"]:
        sound = re.match(r"[^AEIOU]*", found["letter"])
        return "" if found["letter"] in ("VAV", "WAW") or sound is None else sound.group().lower()
    return {"ANUSVARA": "n", "CANDRABINDU": "n", "VISARGA": "", "VIRAMA": "", "NUKTA": ""}.get(
        found["indic"], found["indic"].lower()
    )


def _vowel_of(char: str) -> str:
    """Return the vowel that a letter or sign of an Indian script writes, long or short; none for a and consonants."""
    last = unicodedata.name(char, "").rpartition(" ")[2]
    return {
        "I": "i",
        "II": "i",
        "U": "u",
        "UU": "u",
        "E": "e",
        "EE": "e",
        "AI": "e",
        "O": "o",
        "OO": "o",
        "AU": "o",
    }.get(last, "")
