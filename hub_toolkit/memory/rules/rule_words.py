"""The words around a rule's subject, read from `rule_words.txt`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import resources

from hub_toolkit.memory.rules.folding import fold


class Words:
    """A set of folded words; some stand for all that begins so."""

    def __init__(self, words: Iterable[str]) -> None:
        words = list(words)
        self._exact = frozenset(fold(word).replace("'", "") for word in words if word[-1] != "*")
        self._beginnings = tuple(fold(word[:-1]) for word in words if word[-1] == "*")

    def __contains__(self, word: str) -> bool:
        return word in self._exact or word.startswith(self._beginnings)

    def __iter__(self) -> Iterator[str]:
        return iter(self._exact)


def _load_sections() -> dict[str, list[str]]:
    sections: dict[str, list[str]] = {}
    text = (resources.files("hub_toolkit.memory.rules") / "rule_words.txt").read_text("utf-8")
    name = ""
    for line in text.splitlines():
        if line.startswith("["):
            name = line.strip("[]")
        elif not line.startswith("##"):
            sections.setdefault(name, []).extend(line.split())
    return sections


_SECTIONS = _load_sections()
NEVER = Words(_SECTIONS["never"])
ONLY = Words(_SECTIONS["only"])
EXCEPTIONS = Words(_SECTIONS["exceptions"])
RELATIVE_TIMES = Words(_SECTIONS["moving"])
KEEPING = Words(_SECTIONS["keep"])
ENGLISH_FILLERS = Words(_SECTIONS["english"])
FILLERS = Words(_SECTIONS["english"] + _SECTIONS["around"])
UNSPACED = tuple(sorted(map(fold, _SECTIONS["unspaced"]), key=len, reverse=True))
"""What says nothing in a word of a script without spaces; the longest first."""


def is_around(word: str, *, is_english: bool = False) -> bool:
    """Whether a folded word says nothing of what a rule is about."""
    if word in (ENGLISH_FILLERS if is_english else FILLERS) or _is_form(word):
        return True
    return word in KEEPING or word in NEVER or word in ONLY


def is_abroad(word: str) -> bool:
    """Whether a longer folded word is around a subject in another language than English alone."""
    return len(word) > _MIN_ROOT and word in FILLERS and word not in ENGLISH_FILLERS and word not in KEEPING


_MIN_ROOT = 3


def _is_form(word: str) -> bool:
    """Whether an English word is a form of one that says nothing: originally, monitored, snooping."""
    for ending in ("ly", "ing", "ed", "es", "s", "d"):
        root = word.removesuffix(ending)
        if (
            root != word
            and len(root) >= _MIN_ROOT
            and (root in ENGLISH_FILLERS or (ending != "d" and root + "e" in ENGLISH_FILLERS))
        ):
            return True
    return False


__all__ = [
    "ENGLISH_FILLERS",
    "EXCEPTIONS",
    "FILLERS",
    "KEEPING",
    "NEVER",
    "ONLY",
    "RELATIVE_TIMES",
    "UNSPACED",
    "Words",
    "is_abroad",
    "is_around",
]
