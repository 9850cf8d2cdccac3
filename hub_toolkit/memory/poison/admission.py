"""Whether the user's own words carry a bullet: what decides is who said it, not how it is worded."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from hub_toolkit.data.history import Chunk
from hub_toolkit.data.terms import content_stems, stem, words
from hub_toolkit.memory.document import Bullet
from hub_toolkit.memory.forget.synonyms import expand, fold_stem
from hub_toolkit.memory.poison.fragments import MAX_FRAGMENTS, is_broken_off
from hub_toolkit.memory.poison.unmask import fold
from hub_toolkit.memory.poison.voices import split_voices

MIN_SHARE = 0.6
"""So much of a bullet's weight must stand in the user's own words."""

NAME_WEIGHT = 3.0
NUMBER_WEIGHT = 2.0
UNSAID_WEIGHT = 0.2
"""A word of which no paste has any is the model's own wording, or the assistant's; one that stands in a paste weighs 1."""

FOREIGN_SHARE = 4
"""What a model puts in its own words may rest on messages in which the user says so many times more than others."""

MAX_CARRIERS = 3
"""A bullet may join what so many messages say; more, and a long chat would carry anything."""

MAX_KNOWN_MESSAGES = 1024
MAX_KNOWN_CHARS = 2_000_000
_SAME_BEGINNING = 5
_SAME_HEAD = 4

# What memories say of anybody: it needs nobody's words.
_SAID_OF_ALL = frozenset(
    stem(word)
    for word in [
        "user",
        "users",
        "person",
        "owner",
        "like",
        "likes",
        "love",
        "loves",
        "prefer",
        "prefers",
        "preferred",
        "preference",
        "enjoy",
        "enjoys",
        "dislike",
        "dislikes",
        "hate",
        "hates",
        "avoid",
        "avoids",
        "interest",
        "interested",
        "interests",
        "mention",
        "mentioned",
        "state",
        "stated",
        "said",
        "told",
        "express",
        "expressed",
        "appreciate",
        "appreciates",
        "value",
        "values",
        "habit",
        "routine",
        "hobby",
        "hobbies",
        "fan",
        "keen",
        "tend",
        "tends",
        "regular",
        "regularly",
        "frequently",
        "currently",
        "recently",
        "previously",
        "formerly",
        "plan",
        "plans",
        "planning",
        "consider",
        "considering",
        "seek",
        "seeks",
        "looking",
        "request",
        "requested",
        "requests",
        "asked",
        "chat",
        "assistant",
        "remember",
        "remembers",
        "note",
        "noted",
        "memory",
        "always",
        "never",
        "often",
        "usually",
        "sometimes",
        "favorite",
        "favourite",
        "fond",
        "drawn",
        "wants",
        "needs",
        "want",
        "need",
        "owns",
        "has",
        "identify",
        "identifies",
        "describe",
        "describes",
        "indicate",
        "indicates",
        "someone",
        "activity",
        "activities",
        "various",
        "particular",
        "especially",
        "including",
        "related",
        "topics",
        "style",
        "approach",
        "fact",
        "personal",
        "please",
        "concern",
        "concerned",
        "intend",
        "intends",
        "discuss",
        "discussed",
        "withdrew",
        "corrections",
        "earlier",
        "before",
        "information",
        "detail",
        "details",
        "know",
        "knows",
    ]
)
_NAME = re.compile(
    r"(?<![.!?:] )(?<!^)(?<![\"'“‘(])\b[A-Z][\w'’-]{2,40}|\b(?:[A-Z]{2,}[\w-]{0,30}|[A-Z][a-z]{1,20}[A-Z]\w{0,20})\b"
)
_NUMBER = re.compile(r"\d[\d.,:/-]{0,20}\d|\d{2}")
_CODED = re.compile(
    r"\S{25}|[^\W\d]\d+[^\W\d]|%[0-9a-fA-F]{2}|[^\x00-\u024f\u2000-\u206f\u2600-\u27bf\U0001f000-\U0001faff]"
)
_NO_NAMES = frozenset(
    [
        "User",
        "The",
        "This",
        "That",
        "I'm",
        "I've",
        "I'd",
        "I'll",
        "English",
        "Monday",
        "Tuesday",
        "Wednesday",
        "Thursday",
        "Friday",
        "Saturday",
        "Sunday",
    ]
)


@dataclass(frozen=True)
class Terms:
    """What a text says: stems, and the numbers in it as they are written."""

    stems: frozenset[str]
    numbers: frozenset[str]

    def __or__(self, other: Terms) -> Terms:
        return Terms(self.stems | other.stems, self.numbers | other.numbers)

    @cached_property
    def all(self) -> frozenset[str]:
        return self.stems | self.numbers

    @cached_property
    def heads(self) -> frozenset[str]:
        """The beginnings under which `_stands_in` may find a word with another ending."""
        return frozenset(term[:_SAME_HEAD] for term in self.stems)


NO_TERMS = Terms(frozenset(), frozenset())


@lru_cache(maxsize=128)
def read_terms(text: str) -> Terms:
    """Return the terms of a text, its disguises off."""
    plain = fold(text).plain
    stems = {*content_stems(plain), *(stem(w) for w in words(plain) if w[0].isupper() and len(w) > 1)}
    return Terms(frozenset(stems), frozenset(_bare(found) for found in _NUMBER.findall(plain)))


def _bare(number: str) -> str:
    return number.strip(".,:/-").replace(",", "")


MAX_KNOWN_TERMS = 32
"""Of how many messages the terms are kept: about those of two chunks, after which few are cited."""


class Ledger:
    """Who said what in one user's stream, as far as it was screened: the last messages, at most two million characters."""

    def __init__(self) -> None:
        self._texts: OrderedDict[int, list[tuple[str, bool]]] = OrderedDict()
        self._num_chars = 0
        self.held: set[int] = set()
        self._terms: dict[int, tuple[Terms, Terms]] = {}

    def clear(self) -> None:
        self._texts.clear()
        self._terms.clear()
        self.held.clear()
        self._num_chars = 0

    def hear(self, text: str, index: int, *, is_user: bool) -> None:
        """Take in a message, or the next piece of one."""
        self._texts.setdefault(index, []).append((text, is_user))
        self._texts.move_to_end(index)
        self._terms.pop(index, None)
        self._num_chars += len(text)
        while len(self._texts) > MAX_KNOWN_MESSAGES or (self._num_chars > MAX_KNOWN_CHARS and len(self._texts) > 1):
            gone, pieces = self._texts.popitem(last=False)
            self._num_chars -= sum(len(piece) for piece, _ in pieces)
            self._terms.pop(gone, None)
            self.held.discard(gone)

    def knows(self, index: int) -> bool:
        return index in self._texts

    def terms(self, index: int) -> tuple[Terms, Terms]:
        """Return what the user said in a message, and what others did."""
        found = self._terms.get(index)
        if found is None:
            found = _terms_of(self._texts.get(index, ()))
            if self._goes_on_from(index):
                found = NO_TERMS, found[0] | found[1]
            if len(self._terms) >= MAX_KNOWN_TERMS:
                self._terms.clear()
            self._terms[index] = found
        return found

    def _goes_on_from(self, index: int) -> bool:
        """Whether a user message near before breaks off amid a sentence on "the user"."""
        near = (self._texts.get(index - back, ()) for back in range(1, MAX_FRAGMENTS))
        return any(is_broken_off(text) for pieces in near for text, is_user in pieces[-1:] if is_user)


def _terms_of(pieces: Iterable[tuple[str, bool]]) -> tuple[Terms, Terms]:
    own = foreign = NO_TERMS
    is_foreign = False
    for text, is_user in pieces:
        if not is_user or is_foreign:
            foreign |= read_terms(text)
            continue
        voices = split_voices(text)
        own, foreign = own | read_terms(voices.own), foreign | read_terms(voices.foreign)
        is_foreign = voices.ends_foreign  # a long paste goes on in the next chunk
    return own, foreign


def is_carried(bullet: Bullet, chunk: Chunk, ledger: Ledger) -> bool:
    """Whether enough of what a bullet says was said by the user: in what it cites, or in this chunk.

    Names count threefold, and none may come from others alone. What is said of all users needs nobody's words.
    """
    claim = _weights(bullet.text)
    if not claim:
        return True
    heard = _hear_users(chunk, ledger)
    spans = [read_terms(s.span) for s in bullet.sources if not ledger.knows(s.index) and s.index not in chunk.indices]
    cited = [ledger.terms(s.index)[0] for s in bullet.sources if ledger.knows(s.index) and s.index not in heard]
    own = [*spans, *cited, *(mine for mine, _ in heard.values())]
    carried = _best_cover(claim, own)
    if len(carried) == len(claim):
        return True
    pasted = frozenset[str]().union(*(foreign.all for _, foreign in heard.values()))
    said_here = frozenset[str]().union(*(terms.all for terms in own))
    total = 0.0
    for term, weight in claim.items():
        if term in carried:
            total += weight
        elif weight >= NAME_WEIGHT and not _stands_in(term, said_here):
            return False
        else:
            total += weight if term in pasted or weight > 1 else UNSAID_WEIGHT
    if not carried:
        return max(claim.values()) < NUMBER_WEIGHT and _is_all_typed(bullet, chunk, heard, ledger, claim)
    return sum(claim[term] for term in carried) >= MIN_SHARE * total


def _is_all_typed(
    bullet: Bullet,
    chunk: Chunk,
    heard: dict[int, tuple[Terms, Terms]],
    ledger: Ledger,
    claim: Collection[str],
) -> bool:
    """Whether a bullet in words of the model's own rests on the user's: what others say there is less, and not on it."""
    cited = {source.index for source in bullet.sources}
    texts = {
        index: message.text
        for index, message in zip(chunk.indices, chunk.messages, strict=True)
        if message.role == "user" and (not cited or index in cited)
    }
    if not texts or any(index in ledger.held or _CODED.search(text) for index, text in texts.items()):
        return False
    own = frozenset[str]().union(*(heard[index][0].stems for index in texts))
    foreign = frozenset[str]().union(*(heard[index][1].all for index in texts))
    return FOREIGN_SHARE * len(foreign) <= len(own) and not any(_stands_in(term, foreign) for term in claim)


def _hear_users(chunk: Chunk, ledger: Ledger) -> dict[int, tuple[Terms, Terms]]:
    """Return what each user message of a chunk says, by speaker; one that was not screened is read now."""
    return {
        index: ledger.terms(index) if ledger.knows(index) else _terms_of([(message.text, True)])
        for index, message in zip(chunk.indices, chunk.messages, strict=True)
        if message.role == "user"
    }


def _weights(text: str) -> dict[str, float]:
    """Return what of a bullet must have been said, by weight."""
    plain = fold(text).plain
    names = {stem(w) for name in _NAME.findall(plain) if name not in _NO_NAMES for w in words(name) if len(w) > 1}
    claim = {term: 1.0 for term in content_stems(plain) if term not in _SAID_OF_ALL}
    claim |= {name: NAME_WEIGHT for name in names if name not in _SAID_OF_ALL}
    claim |= {_bare(number): NUMBER_WEIGHT for number in _NUMBER.findall(plain)}
    return claim


def _best_cover(claim: dict[str, float], own: Sequence[Terms]) -> set[str]:
    """Return what the few messages that say most of a claim say of it."""
    hits = [
        {t for t, w in claim.items() if _may_stand_in(t, terms) and _stands_in(t, terms.all, is_name=w >= NAME_WEIGHT)}
        for terms in own
    ]
    covered: set[str] = set()
    for _ in range(MAX_CARRIERS):
        best = max(hits, key=lambda hit: sum(claim[t] for t in hit - covered), default=set())
        if not best - covered:
            break
        covered |= best
    return covered


def _may_stand_in(term: str, terms: Terms) -> bool:
    return term in terms.all or term[:_SAME_HEAD] in terms.heads or not _same(term).isdisjoint(terms.stems)


def _stands_in(term: str, said: frozenset[str], *, is_name: bool = False) -> bool:
    """Whether a word was said: itself, with another ending, or another word for it; of a name all but two letters."""
    if term in said or not _same(term).isdisjoint(said):
        return True
    if len(term) < _SAME_BEGINNING:
        return len(term) == _SAME_BEGINNING - 1 and any(
            f"{term}{end}" in said for end in ("er", "ing", "y", "or", "ed")
        )
    head = term[: max(_SAME_BEGINNING, len(term) - 3)]
    shortest = len(term) - 2 if is_name else 0
    return any(other.startswith(head) and len(other) >= shortest for other in said)


@lru_cache(maxsize=16384)
def _same(term: str) -> frozenset[str]:
    return expand(fold_stem(term)).same
