"""Slips of the keyboard in a rule put right: a word that is none, one letter away from one that rules use."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from hub_toolkit.memory.rules.entities import kin_of
from hub_toolkit.memory.rules.lexicon import load_lexicon
from hub_toolkit.memory.rules.naming import english_names, is_name
from hub_toolkit.memory.rules.rule_words import is_around
from hub_toolkit.memory.rules.segmenting import known_words

_MIN_LETTERS = 5
_WORD = re.compile(r"(?<![\w/.@#'’-])[a-z]{4,16}(?![\w/@#'’-])|^[A-Z][a-z]{3,15}\b(?!['’-])")
# Words of rules that are often misspelled; a short one is put right only where two letters changed places.
_OFTEN = frozenset(
    str.split(
        """never nothing anything everything remember remembering memory store storing save saving keep record forget mention please about information private privacy secret
        don't dont do not without only just write track details regarding concerning related whatever should would could leave ignore exclude stop avoid retain between yourself myself limits"""
    )
)
_SHORT = {"svae": "save", "stroe": "store", "nevr": "never", "nver": "never", "neevr": "never", "dotn": "dont", "dnot": "dont", "keeep": "keep", "kepe": "keep", "abot": "about", "abuot": "about", "abotu": "about", "olny": "only", "onyl": "only", "helth": "health", "heatlh": "health", "wrok": "work", "dont'": "dont"}  # fmt: skip


def respelled(text: str) -> str:
    """Return a rule with the slips put right; names, codes and words that exist stay as they are."""
    return _WORD.sub(lambda found: _respelled(found.group()), text)


@lru_cache(maxsize=4096)
def _respelled(word: str) -> str:
    folded = word.lower()
    if folded in _SHORT:
        return _SHORT[folded]
    if len(word) < _MIN_LETTERS:
        return word
    near = sorted(
        {
            other
            for other in _near(folded)
            if other in _OFTEN or (len(other) > _MIN_LETTERS and other in english_names())
        }
    )
    # Asked last: to know all words takes reading all lists.
    return near[0] if len(near) == 1 and not _is_known(folded) else word


def _is_known(word: str) -> bool:
    return (
        is_around(word)
        or is_name(word)
        or kin_of(word) is not None
        or word in known_words()
        or bool(load_lexicon().by_word[word])
    )


def _near(word: str) -> Iterator[str]:
    """Yield what one slip makes of a word: two letters changed, one left out, one doubled or put in, one hit beside."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    for n in range(len(word)):
        yield word[:n] + word[n + 1 :]
        if n + 1 < len(word):
            yield word[:n] + word[n + 1] + word[n] + word[n + 2 :]
        for letter in letters:
            yield word[:n] + letter + word[n:]
            if n:  # the first letter is seldom missed
                yield word[:n] + letter + word[n + 1 :]
    for letter in letters:
        yield word + letter


__all__ = ["respelled"]
