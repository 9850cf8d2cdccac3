"""Other words for the same thing, from a list of everyday topics: what a forgotten word takes with it."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from hub_toolkit.data.terms import stem
from hub_toolkit.memory.forget.inflections import LANGUAGES
from hub_toolkit.memory.forget.stems import ListedStems, load_stems

_LIST = Path(__file__).with_name("synonyms.txt")
_ACCENTED = 0x00C0
_LATIN_END = 0x0250
_MAX_DEPTH = 2
MAX_TERMS = 1200
"""A whole field ("health") brings this many terms at most."""


@dataclass(frozen=True)
class Expansion:
    """What a term takes with it: `same` words and kinds of it, and `hints`, of which one alone says nothing."""

    same: frozenset[str]
    hints: frozenset[str]


@dataclass
class _Concept:
    """One thing: the words for it, kinds of it and words that hint at it, as terms."""

    heads: dict[str, None] = field(default_factory=dict)
    kinds: dict[str, None] = field(default_factory=dict)
    hints: dict[str, None] = field(default_factory=dict)


@dataclass(frozen=True)
class Lexicon:
    """The list, by term; words side by side are one term, joined by `_`.

    `foreign` are the German and Dutch words as written, of which compounds are made.
    """

    concepts: dict[str, tuple[_Concept, ...]]
    groups: dict[str, tuple[str, ...]]
    pairs: frozenset[str]
    telling: frozenset[str]
    known: frozenset[str]
    foreign: frozenset[str]

    def __contains__(self, term: str) -> bool:
        return term in self.concepts or term in self.groups


@lru_cache(maxsize=65536)
def fold(word: str) -> str:
    """Return a word in lower case, Latin letters without their accents."""
    lowered = word.casefold()
    if lowered.isascii():
        return lowered
    return "".join(_plain_letter(char) for char in unicodedata.normalize("NFC", lowered))


def _plain_letter(char: str) -> str:
    return unicodedata.normalize("NFD", char)[0] if _ACCENTED <= ord(char) < _LATIN_END else char


@lru_cache(maxsize=65536)
def fold_stem(word: str) -> str:
    """Return the stem under which a word is compared."""
    return stem(fold(word))


@lru_cache(maxsize=16384)
def expand(term: str) -> Expansion:
    """Return what a term takes with it, itself included: words for the same, and all kinds of it."""
    lexicon = load_lexicon()
    same: dict[str, None] = {term: None}
    frontier = [term]
    for _ in range(_MAX_DEPTH):
        fresh: dict[str, None] = {}
        for known in frontier:
            for concept in lexicon.concepts.get(known, ()):
                same |= concept.heads
                fresh |= concept.kinds
            fresh |= dict.fromkeys(lexicon.groups.get(known, ()))
        frontier = [kind for kind in fresh if kind not in same]
        same |= fresh
        if not frontier or len(same) >= MAX_TERMS:
            break
    hints = {hint for concept in lexicon.concepts.get(term, ()) for hint in concept.hints}
    return Expansion(frozenset([*same][:MAX_TERMS]), frozenset(hints - set(same)))


class _Reader:
    """Reads the list line by line; lines that begin with the same word are one concept."""

    def __init__(self, stems: ListedStems) -> None:
        self._stems = stems
        self.by_name: dict[str, _Concept] = {}
        self.groups: dict[str, dict[str, None]] = {}
        self.telling: set[str] = set()
        self.foreign: set[str] = set()

    def read(self, line: str) -> None:
        heads, _, kinds = line.removeprefix("!").partition("=")
        own, _, foreign = heads.partition("|")
        terms = [self._stem_term(entry) for entry in own.split()]
        concept = self.by_name.setdefault(terms[0], _Concept())
        concept.heads |= dict.fromkeys([*terms, *self._foreign_terms(foreign)])
        for entry in kinds.split():
            if entry[0] == "~":
                concept.hints[self._stem_term(entry[1:])] = None
                continue
            group = dict.fromkeys(self._stem_term(part) for part in entry.split("/"))
            concept.kinds |= group
            for term in group:
                self.groups.setdefault(term, {}).update(group)
        if line.startswith("!"):
            self.telling.update((*concept.heads, *concept.kinds))

    def _foreign_terms(self, foreign: str) -> list[str]:
        terms: list[str] = []
        for language, words in zip(LANGUAGES, foreign.split(";"), strict=False):
            for entry in words.split():
                word = fold(entry.removeprefix("^"))
                # "^": also a word of another language with another meaning, known in a text of its own only.
                terms += [] if entry[0] == "^" else [self._stem_term(word)]
                if "_" not in word:
                    terms.append(f"{language}:{self._stems.find(word, LANGUAGES[language])}")
                if language in ("de", "nl"):
                    self.foreign.add(word)
        return terms

    def _stem_term(self, entry: str) -> str:
        return "_".join(self._stems.find(fold(part)) for part in entry.split("_"))


@lru_cache(maxsize=1)
def load_lexicon() -> Lexicon:
    """Return the list, its stems from the file beside it."""
    return read_lexicon(load_stems())


def read_lexicon(stems: ListedStems) -> Lexicon:
    """Read the list; `synonyms.txt` says how it is written."""
    reader = _Reader(stems)
    for line in _LIST.read_text("utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            reader.read(line)
    concepts: dict[str, list[_Concept]] = {}
    every: set[str] = set()
    for concept in reader.by_name.values():
        for head in concept.heads:
            concepts.setdefault(head, []).append(concept)
        every.update(concept.heads, concept.kinds, concept.hints)
    return Lexicon(
        concepts={term: tuple(found) for term, found in concepts.items()},
        groups={term: tuple(group) for term, group in reader.groups.items()},
        pairs=frozenset(term for term in every if "_" in term),
        telling=frozenset(reader.telling),
        known=frozenset(part for term in every for part in term.split("_")),
        foreign=frozenset(reader.foreign),
    )


def read_section(path: Path, section: str) -> list[str]:
    """Return the words under `[section]` in a list of words; lines that begin with # are remarks."""
    found: list[str] = []
    current = ""
    for line in path.read_text("utf-8").splitlines():
        if line.startswith("["):
            current = line.strip("[]")
        elif current == section and not line.startswith("#"):
            found += line.split()
    return found
