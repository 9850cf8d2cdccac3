"""Tombstones: what the user asked to forget, so that it is known again but cannot be read.

A tombstone holds hashes only, salted with a salt that stands in it, so that those of two users cannot be compared.
What that is worth: nobody reads off it what was forgotten; but who holds the file and guesses a word ("divorce")
can test the guess, as common words are few. It hides; it does not withstand a dictionary.

What is known again: the same sentences; the words that name the thing, inflected, misspelt by one letter (six
letters or more), or replaced by a word that `synonyms.txt` lists for the same thing (six languages) or for a kind of
it; and what repeats most of a removed bullet in another order. Not: hints without such words, wider words ("music"
for a forgotten "jazz"), and synonyms beyond that list.
"""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain

from hub_toolkit.memory.forget.stem_hashes import concerns_stems
from hub_toolkit.memory.forget.synonyms import expand, fold, fold_stem, load_lexicon
from hub_toolkit.memory.forget.wishes import (
    Wish,
    further_terms,
    is_broad,
    is_content,
    is_unspaced,
    parse_wish,
    piece_terms,
    split_pieces,
    text_terms,
)

Forgotten = tuple[tuple[str, ...], ...]

_HEADER = "2 "
"""Begins a tombstone's first field; a group without it is a list of hashes as format version 1 had them."""
_HASH_CHARS = 12
_TYPO_CHARS = 6
_MAX_TYPO_CHARS = 24
_SHINGLE = 3
_RESTATED_SHARE = 0.75
_ENOUGH = 2.0
_ENOUGH_UNNAMED = 1.5
_ENOUGH_UNSPACED = 5
_MAX_SHINGLES = 240
_MAX_MESSAGES = 24
_CACHED_CHARS = 600
_MAX_KNOWN = 8192


@dataclass(frozen=True)
class Remains:
    """What was removed, for its fingerprints: bullets' texts and spans, and messages that are gone as a whole."""

    texts: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Tombstone:
    salt: str
    strong: frozenset[str] = frozenset()
    weak: tuple[frozenset[str], ...] = ()
    broad: tuple[frozenset[str], ...] = ()
    typos: frozenset[str] = frozenset()
    restated: frozenset[str] = frozenset()
    shingles: frozenset[str] = frozenset()
    messages: frozenset[str] = frozenset()


@dataclass(frozen=True)
class _View:
    """A text as hashes under one salt."""

    terms: frozenset[str] = frozenset()
    typos: frozenset[str] = frozenset()
    content: frozenset[str] = frozenset()
    shingles: frozenset[str] = field(default=frozenset())
    whole: str = ""
    is_unspaced: bool = False
    """In a script without spaces, where a run of three terms is four letters."""

    def all_hashes(self) -> Iterator[str]:
        """Every hash that a tombstone may share with the text."""
        return chain(self.terms, self.typos, self.content, self.shingles, (self.whole,))


def make_tombstone(text: str, *, salt: str | None = None) -> tuple[str, ...]:
    """Return the tombstone of a text: "my knee", "that I like jazz" or a bullet's words."""
    return seal(parse_wish(text), salt=salt or make_salt([text]))


def make_salt(texts: Iterable[str], *, forgotten: Forgotten = ()) -> str:
    """Return the salt of a document's tombstones, else one that only who holds these texts can find."""
    known = next((group[0].removeprefix(_HEADER) for group in forgotten if _is_sealed(group)), None)
    salted = "\n".join(["personamem-salt", *texts]).encode("utf-8", "surrogatepass")
    return known or hashlib.sha256(salted).hexdigest()[:16]


def is_forgotten(text: str, forgotten: Forgotten) -> bool:
    """Whether a text is about something that the user asked to forget."""
    return bool(forgotten) and _index_of(forgotten).holds(text)


def is_forgotten_message(text: str, forgotten: Forgotten) -> bool:
    """Whether a message was forgotten as a whole, whatever its sentences are about."""
    return bool(forgotten) and _index_of(forgotten).holds_message(text)


def add_tombstone(forgotten: Forgotten, new: tuple[str, ...]) -> Forgotten:
    """Return the tombstones and a new one; what was asked before is not asked twice, its fingerprints are joined."""
    for place, group in enumerate(forgotten):
        if group == new or (_is_sealed(group) and _is_sealed(new) and _named_part(group) == _named_part(new) != ()):
            return (*forgotten[:place], _join(group, new), *forgotten[place + 1 :])
    return (*forgotten, new)


def _named_part(group: Sequence[str]) -> tuple[str, ...]:
    return tuple(line for line in group[1:] if line[0] in "swb")


def _join(group: tuple[str, ...], new: tuple[str, ...]) -> tuple[str, ...]:
    named = (group[0], *_named_part(group))
    prints: dict[str, set[str]] = {}
    for line in (*group[len(named) :], *new[len(named) :]):
        prints.setdefault(line[0], set()).update(line[2:].split())
    return (*named, *(f"{kind} {' '.join(sorted(hashes))}" for kind, hashes in sorted(prints.items())))


def concerns(text: str, group: Sequence[str]) -> bool:
    """Whether a text is about what one tombstone stands for."""
    if not _is_sealed(group):
        return concerns_stems(text, group)
    tombstone = _read(tuple(group))
    view = _view_cached(text, tombstone.salt) if len(text) <= _CACHED_CHARS else _make_view(text, tombstone.salt)
    return _is_named(view, tombstone) or _is_repeated(view, tombstone)


def _is_named(view: _View, tombstone: _Tombstone) -> bool:
    if view.terms & tombstone.strong or view.typos & tombstone.typos:
        return True
    known = view.terms | view.typos
    weak = sum(bool(known & concept) for concept in tombstone.weak)
    broad = sum(bool(known & concept) for concept in tombstone.broad)
    if tombstone.strong:
        return weak > 0 and weak + 0.5 * broad >= _ENOUGH_UNNAMED
    if not tombstone.weak:
        return broad >= min(_ENOUGH, len(tombstone.broad)) and broad > 0
    return weak + 0.5 * broad >= min(_ENOUGH_UNNAMED, len(tombstone.weak) + 0.5 * len(tombstone.broad)) and weak > 0


def _is_repeated(view: _View, tombstone: _Tombstone) -> bool:
    if view.whole in tombstone.messages:
        return True
    # One run alone may be a phrase that everybody uses.
    if len(view.shingles & tombstone.shingles) >= (_ENOUGH_UNSPACED if view.is_unspaced else _ENOUGH):
        return True
    restated = len(view.content & tombstone.restated)
    return restated >= max(3, math.ceil(_RESTATED_SHARE * len(view.content)))


def seal(wish: Wish, *, salt: str, remains: Remains | None = None) -> tuple[str, ...]:
    """Return the tombstone of a wish and of what was removed for it."""
    remains = remains or Remains()
    named = [expand(term) for term in wish.strong]
    strong = {term for expansion in named for term in expansion.same} | set(wish.alone)
    hints = {term for expansion in named for term in expansion.hints} - strong
    fields: list[tuple[str, Iterable[str]]] = [("s", (_hash(salt, "t", t) for t in strong))]
    # Without a name the thing is known by words that come together: each brings its synonyms.
    fields += [("w", _known_forms(term, wish, salt)) for term in wish.weak]
    # What only hints at it counts once, and for itself: words for a hint are no hint.
    fields += [("w", (_hash(salt, "t", hint),)) for hint in sorted(hints - {*wish.weak, *wish.broad})]
    fields += [("b", _known_forms(term, wish, salt)) for term in wish.broad]
    fields += [
        ("y", (h for word in wish.words for h in _misspelt(word, salt))),
        ("a", (_hash(salt, "t", t) for text in remains.texts for t in content_terms(text) if not is_broad(t))),
        ("g", _shingles([*remains.texts, *remains.messages], salt)[:_MAX_SHINGLES]),
        ("m", [_hash_whole(t, salt) for t in (*remains.messages[:_MAX_MESSAGES], *remains.texts)]),
    ]
    written = (f"{kind} {' '.join(sorted(set(hashes)))}" for kind, hashes in fields)
    return (f"{_HEADER}{salt}", *dict.fromkeys(line for line in written if len(line) > 2))


def _known_forms(term: str, wish: Wish, salt: str) -> list[str]:
    """Return the hashes of a term that needs company: its synonyms, and its word misspelt."""
    words = [word for spelt, word in wish.spelt if spelt == term]
    return [_hash(salt, "t", t) for t in expand(term).same] + [h for word in words for h in _misspelt(word, salt)]


def _misspelt(word: str, salt: str) -> tuple[str, ...]:
    return _typo_hashes(word, salt) if _TYPO_CHARS <= len(word) <= _MAX_TYPO_CHARS else ()


def names_something(group: Sequence[str]) -> bool:
    """Whether a tombstone can recognise anything."""
    return len(group) > 1 if _is_sealed(group) else bool(group)


def _is_sealed(group: Sequence[str]) -> bool:
    return bool(group) and group[0].startswith(_HEADER)


def _salt(group: Sequence[str]) -> str:
    return group[0].removeprefix(_HEADER)


@lru_cache(maxsize=4096)
def _read(group: tuple[str, ...]) -> _Tombstone:
    fields: dict[str, list[frozenset[str]]] = {}
    for line in group[1:]:
        fields.setdefault(line[:1], []).append(frozenset(line[2:].split()))
    one = {kind: frozenset[str]().union(*found) for kind, found in fields.items()}
    none: frozenset[str] = frozenset()
    return _Tombstone(
        salt=_salt(group),
        strong=one.get("s", none),
        weak=tuple(fields.get("w", ())),
        broad=tuple(fields.get("b", ())),
        typos=one.get("y", none),
        restated=one.get("a", none),
        shingles=one.get("g", none),
        messages=one.get("m", none),
    )


class _Index:
    """Many tombstones at once: by hash those that hold it, so that a text is compared with few of them."""

    def __init__(self, forgotten: Forgotten) -> None:
        self._plain = [group for group in forgotten if not _is_sealed(group)]
        self._by_salt: dict[str, tuple[list[_Tombstone], dict[str, list[int]]]] = {}
        self._known: dict[str, bool] = {}
        self._hits: dict[str, dict[str, bool]] = defaultdict(dict)
        for group in forgotten:
            if _is_sealed(group):
                tombstones, places = self._by_salt.setdefault(_salt(group), ([], {}))
                for line_hash in {h for line in group[1:] for h in line[2:].split()}:
                    places.setdefault(line_hash, []).append(len(tombstones))
                tombstones.append(_read(group))
        self._messages = {
            salt: frozenset[str]().union(*(tombstone.messages for tombstone in tombstones))
            for salt, (tombstones, _) in self._by_salt.items()
        }

    def holds(self, text: str) -> bool:
        """Whether one of the tombstones stands for what a text is about."""
        known = self._known.get(text)
        if known is None:
            known = self._holds(text)
            if len(text) <= _CACHED_CHARS:
                if len(self._known) >= _MAX_KNOWN:
                    self._known.clear()
                self._known[text] = known
        return known

    def holds_message(self, text: str) -> bool:
        """Whether one of the tombstones stands for a message as a whole."""
        return any(_whole_cached(text, salt) in messages for salt, messages in self._messages.items())

    def _holds(self, text: str) -> bool:
        if any(concerns_stems(text, group) for group in self._plain):
            return True
        pieces = split_pieces(text)
        for salt, (tombstones, places) in self._by_salt.items():
            if not self._may_hold(pieces, salt, places):
                continue
            view = _make_view(text, salt)
            found = {place for h in view.all_hashes() for place in places.get(h, ())}
            if any(_is_named(view, tombstones[i]) or _is_repeated(view, tombstones[i]) for i in sorted(found)):
                return True
        return False

    def _may_hold(self, pieces: Sequence[str], salt: str, places: Mapping[str, object]) -> bool:
        """Whether a text shares a hash with any tombstone: what most texts do not, found out word by word."""
        hits = self._hits[salt]
        for piece in pieces:
            hit = hits.get(piece)
            if hit is None:
                if len(hits) >= _MAX_KNOWN:
                    hits.clear()
                hit = hits[piece] = any(h in places for h in _piece_hashes(piece, salt))
            if hit:
                return True
        stems = [fold_stem(piece) for piece in pieces]
        if any(_hash(salt, "t", term) in places for term in further_terms(pieces, stems)):
            return True
        content = [term for piece, term in zip(pieces, stems, strict=True) if is_content(piece)]
        return any(h in places for h in _shingle_hashes(content, salt)) or _hash_pieces(pieces, salt) in places


_index = lru_cache(maxsize=64)(_Index)
_last_index: tuple[Forgotten, _Index] | None = None


def _index_of(forgotten: Forgotten) -> _Index:
    """Return the index of a document's tombstones; the last one without hashing them all again."""
    global _last_index
    last = _last_index
    if last is None or last[0] is not forgotten:
        _last_index = last = (forgotten, _index(forgotten))
    return last[1]


def _piece_hashes(piece: str, salt: str) -> Iterator[str]:
    """Yield the hashes under which one word may be known, misspelt included."""
    for term in piece_terms(piece):
        yield _hash(salt, "t", term)
    if _may_be_misspelt(piece):
        yield from _typo_hashes(fold(piece), salt)


def _make_view(text: str, salt: str) -> _View:
    pieces = split_pieces(text)
    stems = [fold_stem(piece) for piece in pieces]
    content = [term for piece, term in zip(pieces, stems, strict=True) if is_content(piece)]
    typos: set[str] = set()
    for piece in set(pieces):
        if _may_be_misspelt(piece):
            typos.update(_typo_hashes(fold(piece), salt))
    return _View(
        terms=frozenset(_hash(salt, "t", term) for term in set(text_terms(pieces))),
        typos=frozenset(typos),
        content=frozenset(_hash(salt, "t", term) for term in content),
        shingles=frozenset(_shingle_hashes(content, salt)),
        whole=_hash_pieces(pieces, salt),
        is_unspaced=2 * sum(map(is_unspaced, pieces)) > len(pieces),
    )


_view_cached = lru_cache(maxsize=8192)(_make_view)


def content_terms(text: str) -> list[str]:
    """Return the stems of the words that can tell what a text is about."""
    return [fold_stem(piece) for piece in split_pieces(text) if is_content(piece)]


def _shingles(texts: Iterable[str], salt: str) -> list[str]:
    """Return runs of three content words, hashed; each text by itself."""
    found = []
    for text in texts:
        found += _shingle_hashes(content_terms(text), salt)
    return found


def _shingle_hashes(terms: Sequence[str], salt: str) -> list[str]:
    runs = zip(*(terms[start:] for start in range(_SHINGLE)), strict=False)
    return [_hash(salt, "g", " ".join(run)) for run in runs]


@lru_cache(maxsize=65536)
def _may_be_misspelt(piece: str) -> bool:
    """A word that we know is no misspelling of another."""
    term = fold_stem(piece)
    return (
        len(piece) >= _TYPO_CHARS - 1 and is_content(piece) and not is_broad(term) and term not in load_lexicon().known
    )


@lru_cache(maxsize=65536)
def _typo_hashes(word: str, salt: str) -> tuple[str, ...]:
    """Return hashes of a long word and of it less one letter: two words a letter apart share one of them.

    The first letter stays: it is seldom mistyped, and telling ("cancer", "dancer").
    """
    if len(word) < _TYPO_CHARS - 1:
        return ()
    forms = [form for form in (word, word.removesuffix("s")) if len(form) >= _TYPO_CHARS - 1]
    shorter = {form[:i] + form[i + 1 :] for form in forms for i in range(1, len(form))}
    return tuple(_hash(salt, "y", form) for form in {*forms, *shorter})


@lru_cache(maxsize=262144)
def _hash(salt: str, kind: str, term: str) -> str:
    return hashlib.sha256(f"personamem:{salt}:{kind}:{term}".encode()).hexdigest()[:_HASH_CHARS]


def _hash_whole(text: str, salt: str) -> str:
    return _hash_pieces(split_pieces(text), salt)


_whole_cached = lru_cache(maxsize=128)(_hash_whole)


def _hash_pieces(pieces: Sequence[str], salt: str) -> str:
    # Not through `_hash`: it would keep the text.
    plain = " ".join(pieces).casefold()
    return hashlib.sha256(f"personamem:{salt}:m:{plain}".encode()).hexdigest()[:_HASH_CHARS]
