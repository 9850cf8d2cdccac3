"""What owners call the categories: the names of each, those of `subject_names.txt`, and their inflections abroad."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from importlib import resources

from hub_toolkit.memory.rules.folding import fold
from hub_toolkit.memory.rules.lexicon import is_unspaced, load_names, tokenize
from hub_toolkit.memory.rules.rule_words import is_around

_MAX_WORDS = 7
_SYLLABLE = re.compile(r"[\uac00-\ud7af]$")
_MAX_SYLLABLES = 3
Names = dict[tuple[str, ...], tuple[str, ...]]


def _contracted(key: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(" ".join(key).replace("i am", "im").replace("i have", "ive").split())


@lru_cache(maxsize=1)
def _read() -> tuple[Names, Names, tuple[tuple[str, str], ...]]:
    """Return all names of English and of unspaced scripts, those of other languages, and what these begin with."""
    known, abroad = dict(load_names()), dict[tuple[str, ...], tuple[str, ...]]()
    beginnings: list[tuple[str, str]] = []
    text = (resources.files("hub_toolkit.memory.rules") / "subject_names.txt").read_text("utf-8")
    category, is_english = "", False
    for line in text.splitlines():
        if line.startswith("["):
            category, is_english = line.strip("[]"), True
            continue
        for name in (name.strip() for name in line.split(";") if name.strip() and not line.startswith("##")):
            if name.endswith("*"):
                beginnings.append((fold(name[:-1]), category))
                continue
            key = tuple(t for t in tokenize(fold(name)) if t != ".")
            table = known if is_english or is_unspaced(name) else abroad
            for spelled in {key, _contracted(key)}:
                if category not in table.get(spelled, ()):
                    table[spelled] = (*table.get(spelled, ()), category)
        is_english = is_english and line.startswith("##")
    for key in [key for key in known if "i" in key]:
        known.setdefault(_contracted(key), known[key])
    return known, abroad, tuple(sorted(beginnings, key=lambda pair: -len(pair[0])))


def is_name(word: str) -> bool:
    """Whether a folded word names a category by itself, in English or a script of its own."""
    return (word,) in _read()[0]


def is_main_name(word: str) -> bool:
    """Whether a folded word stands among a category's own names: a part of a firm's name seldom does."""
    return (word,) in load_names()


@lru_cache(maxsize=1)
def english_names() -> frozenset[str]:
    """Return the single words that name a category."""
    return frozenset(key[0] for key in _read()[0] if len(key) == 1 and key[0].isascii())


def named_at(tokens: Sequence[str], place: int, *, is_english: bool) -> tuple[int, tuple[str, ...]]:
    """Return of how many words the longest name is that stands at a place, and its categories; 0 for none."""
    known, abroad, beginnings = _read()
    for size in range(min(_MAX_WORDS, len(tokens) - place), 0, -1):
        key = tuple(tokens[place : place + size])
        found = known.get(key, ()) or (() if is_english or (size == 1 and is_around(key[0])) else abroad.get(key, ()))
        if found:
            return size, found
    if is_english or is_around(tokens[place]):
        return 0, ()
    text = " ".join(tokens[place : place + 3])
    for beginning, category in beginnings:
        if tokens[place].startswith(beginning) or (" " in beginning and text.startswith(beginning)):
            same = {c for b, c in beginnings if b == beginning}
            return 1 + beginning.count(" "), tuple(sorted(same)) if category in same else ()
    return 0, ()


@lru_cache(maxsize=1)
def _unspaced_names() -> tuple[tuple[str, tuple[str, ...]], ...]:
    names = [(key[0], found) for key, found in _read()[0].items() if len(key) == 1 and is_unspaced(key[0])]
    return tuple(sorted(names, key=lambda pair: -len(pair[0])))


def named_in(word: str) -> tuple[list[str], str]:
    """Return the categories that are named in a word of an unspaced script, the longest names first, and its other letters."""
    found: list[str] = []
    for name, categories in _unspaced_names():
        if name not in word or (
            len(name) == 1 and _SYLLABLE.search(name) and (word.find(name) or len(word) > _MAX_SYLLABLES)
        ):
            continue
        found += categories
        word = word.replace(name, " ")
    return found, word


__all__ = ["english_names", "is_main_name", "is_name", "is_unspaced", "named_at", "named_in"]
