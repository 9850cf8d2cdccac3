"""The subjects that a rule's words name: categories, kin, names, and topics of their own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from hub_toolkit.errors import BoundaryError
from hub_toolkit.memory.rules.detect import DELICATE
from hub_toolkit.memory.rules.entities import kin_of
from hub_toolkit.memory.rules.folding import fold
from hub_toolkit.memory.rules.languages import EVERYONES, language_of
from hub_toolkit.memory.rules.lexicon import load_groups, load_lexicon, load_names, tokenize
from hub_toolkit.memory.rules.rule_words import ENGLISH_FILLERS, FILLERS, KEEPING, NEVER, ONLY, RELATIVE_TIMES
from hub_toolkit.memory.rules.veiled import is_odd_word

_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_ABOUT = frozenset(
    str.split("about regarding concerning mention mentions mentioning uber sobre propos over про о об acerca riguardo")
)
_MAX_TOPIC_WORDS = 3
_MAX_NAME_WORDS = 4
_MAX_CATEGORY_WORDS = 5
_MIN_CHARS = 3
# Topics that have their own words, whatever verb stands before them.
_TOPICS = frozenset(("weekend", "weekends", "music", "sport", "sports", "games", "gaming"))
_GENERAL = frozenset(
    str.split(
        "project projects training recommendations recommendation style progress practice plans tips routine stuff"
    )
)
# A name of one of these (a faith, a party, an illness) stands for more than its own word; a city or a person does not.
_NAMED_KINDS = frozenset(("religion", "politics", "sexuality", "health", "mental_health", "substances"))
_GENITIVE = re.compile(r"['’]s$")


@dataclass
class Subjects:
    """What was understood, and the words that were not, as they are written."""

    categories: list[str] = field(default_factory=list)
    entities: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


def read_subjects(text: str, *, is_typed: bool, is_only: bool, may_begin_with_name: bool = False) -> Subjects:
    """Return the subjects that a rule's words name, once `never`, times and patterns are taken out.

    `may_begin_with_name`: the first word's capital may be more than a sentence's ("Anna is off limits").
    Raises: BoundaryError: a time that moves with the day.
    """
    reader = _Reader(_spelled_tokens(text), text, is_typed=is_typed, is_only=is_only)
    reader.first_name = 0 if is_typed or may_begin_with_name else 1
    place = 0
    while place < len(reader.spelled):
        place += reader.take(place)
    return reader.found


class _Reader:
    """Reads a rule's words from left to right."""

    def __init__(self, spelled: Sequence[tuple[str, str]], text: str, *, is_typed: bool, is_only: bool) -> None:
        self.spelled = spelled
        self.tokens = [token for token, _ in spelled]
        self.found = Subjects()
        self.is_typed = is_typed
        self.is_only = is_only
        self.first_name = 1
        # In an English rule a capital `Mia` is a name, though `mia` is Italian for my.
        self.is_english = language_of(text) in (EVERYONES, None) and any(raw[0].islower() for _, raw in spelled)

    def take(self, place: int) -> int:
        """Take the subject that begins here; return of how many words it is."""
        token, raw = self.spelled[place]
        size = self._take_category(place) or self._take_name(place) or self._take_topic(place)
        if size:
            return size
        if not self._is_filler(place) and not self._take_word(token):
            self.found.unknown.append(raw)
        return 1

    def _take_category(self, place: int) -> int:
        names = load_names()
        sizes = range(min(_MAX_CATEGORY_WORDS, len(self.tokens) - place), 0, -1)
        size = next((n for n in sizes if tuple(self.tokens[place : place + n]) in names), 0)
        if size:
            self.found.categories += names[tuple(self.tokens[place : place + size])]
            return size
        token = self.tokens[place]
        if token in RELATIVE_TIMES:
            raise BoundaryError(f"“{token}”: a rule needs a date; write it as “nothing from before 2024-01-01”")
        unspaced = _unspaced_categories(token) if _UNSPACED.search(token) else []
        self.found.categories += unspaced
        return int(bool(unspaced))

    def _take_name(self, place: int) -> int:
        """Take capitals that no list of this module knows."""
        size = 0
        for n in range(place, min(place + _MAX_NAME_WORDS, len(self.spelled))):
            token, raw = self.spelled[n]
            is_name = raw[0].isupper() and not (raw.isupper() and len(raw) < 2) and n >= self.first_name
            if not is_name or self._is_filler(n) or (kin_of(token) and not size) or (token,) in load_names():
                break
            size += 1
        if size:
            self._add_entity(place, size)
            known = {c for token in self.tokens[place : place + size] for c in _categories_of(token)}
            self.found.categories += sorted(known & _NAMED_KINDS)
        return size

    def _take_topic(self, place: int) -> int:
        """Take words that are a topic of their own: no category's, or a special thing of a plain one.

        A word that no list knows is a topic only after `about` or `only`, and only where it can be a word.
        """
        is_named = self.is_only or (not self.is_typed and any(token in _ABOUT for token in self.tokens[:place]))
        size = 0
        for n in range(place, min(place + _MAX_TOPIC_WORDS, len(self.spelled))):
            token = self.tokens[n]
            if self._is_filler(n) or kin_of(token) or (token,) in load_names() or not _is_topic(token, is_named):
                break
            size += 1
        if size:
            # "my indie game project" is named by "my indie game" too.
            is_general = size > 1 and self.tokens[place + size - 1] in _GENERAL
            self._add_entity(place, size - is_general)
        return size

    def _take_word(self, token: str) -> bool:
        """Take one word as kin, as a part of the body, or as one by which a category is known."""
        kin = kin_of(token) or kin_of(token.removesuffix("s")) or (token if token in _TOPICS else None)
        if kin:
            self.found.entities.append(kin)
            return True
        known = {"health"} if token in load_groups()["bodypart"] else _categories_of(token)
        self.found.categories += sorted(known)
        return bool(known)

    def _add_entity(self, place: int, size: int) -> None:
        self.found.entities.append(_GENITIVE.sub("", " ".join(raw for _, raw in self.spelled[place : place + size])))

    def _is_filler(self, place: int) -> bool:
        token, raw = self.spelled[place]
        if token in FILLERS and token not in ENGLISH_FILLERS and self.is_english and place and raw.istitle():
            return len(token) == 1
        return token in FILLERS or token in NEVER or token in ONLY or token in KEEPING or len(token) == 1


def _unspaced_categories(token: str) -> list[str]:
    keys = [key for key in load_names() if len(key) == 1 and _UNSPACED.search(key[0]) and key[0] in token]
    return [category for key in keys for category in load_names()[key]]


def _is_topic(token: str, is_named: bool) -> bool:
    known = _categories_of(token)
    if known or token in load_groups()["bodypart"]:
        return not known & DELICATE and token not in load_groups()["bodypart"]
    return is_named and token.isalpha() and len(token) > 2 and not _UNSPACED.search(token) and not is_odd_word(token)


def _categories_of(token: str) -> set[str]:
    return {p.term.category for p in load_lexicon().strong_words(token)} if len(token) >= _MIN_CHARS else set()


def _spelled_tokens(text: str) -> list[tuple[str, str]]:
    """Return each word folded, and as it is written."""
    pairs = []
    for word in re.findall(r"[^\W_]+(?:['’-][^\W_]+)*", text):
        pairs += [(token, word) for token in tokenize(fold(word)) if token != "."]
    return pairs


__all__ = ["Subjects", "read_subjects"]
