"""The subjects that a rule's words name: categories, kin, names, and topics of their own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from hub_toolkit.errors import BoundaryError
from hub_toolkit.memory.rules.detect import DELICATE
from hub_toolkit.memory.rules.entities import KIN_ALIASES, KIN_WORDS, kin_of
from hub_toolkit.memory.rules.folding import fold
from hub_toolkit.memory.rules.languages import EVERYONES, language_of
from hub_toolkit.memory.rules.lexicon import is_unspaced, load_groups, load_lexicon, tokenize
from hub_toolkit.memory.rules.naming import is_main_name, is_name, named_at, named_in
from hub_toolkit.memory.rules.rule_words import (
    EXCEPTIONS,
    KEEPING,
    NEVER,
    ONLY,
    RELATIVE_TIMES,
    UNSPACED,
    is_abroad,
    is_around,
)
from hub_toolkit.memory.rules.veiled import is_odd_word

_ABOUT = frozenset(
    str.split("about regarding concerning mention mentions mentioning uber sobre propos over про о об acerca riguardo")
)
_MAX_TOPIC_WORDS = 3
_MAX_NAME_WORDS = 4
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
_ENGLISH_SIGNS = frozenset(
    str.split(
        "never not dont about nothing anything everything my your the only please of with whatever what where how when nobody private limits forget leave should must business concern secret without mention"
    )
)
_JOINS = frozenset(
    str.split("and or nor und oder et ou y o e en of i lub и или ve veya och eller og eli ja و أو او और या")
)
_LEADS = _ABOUT | frozenset(
    str.split(
        "my our on of mein meine meinen mon ma mes mi mis mio mia miei meu minha mijn moj moja moje моя мой мои моё min mitt mina"
    )
)
_PARTICLES = frozenset(str.split("van der den de la von del di da dos du bin ibn al el le ter"))
# First names that are also words around a subject: with a capital inside a rule they are names.
_ALSO_NAMES = frozenset(
    str.split(
        "mark will bill may hope joy grace art frank grant chance dale dawn drew gene jack june april august lane miles penny pat rich rob sue ty wade ward chase cliff chip bud don ray reed sandy skip trace van victor guy rose ivy eve iris olive ruby amber pearl ginger holly heather carol jean bob jo sky summer autumn max signal buddy bud champ honey lucky happy sunny precious angel care"
    )
)
_GENITIVE = re.compile(r"['’]s$")


@dataclass
class Subjects:
    """What was understood, and the words that were not, as they are written."""

    categories: list[str] = field(default_factory=list)
    entities: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


def read_subjects(
    text: str, *, written: str, is_typed: bool, is_only: bool, may_begin_with_name: bool = False
) -> Subjects:
    """Return the subjects that a rule's words name, once `never`, times and patterns are taken out.

    `written`: the whole rule, which tells its language. `may_begin_with_name`: the first word's capital may be more than a sentence's ("Anna is off limits").
    Raises: BoundaryError: a time that moves with the day.
    """
    reader = _Reader(_spelled_tokens(text), written, is_typed=is_typed, is_only=is_only)
    reader.first_name = 0 if is_typed or may_begin_with_name else 1
    place = 0
    while place < len(reader.spelled):
        place += reader.take(place)
    if reader.found.categories or reader.found.entities:
        reader.found.unknown = [raw for place, raw in reader.unknown if reader.may_be_subject(place)]
    else:
        reader.found.unknown = [raw for _, raw in reader.unknown]
    return reader.found


class _Reader:
    """Reads a rule's words from left to right."""

    def __init__(self, spelled: Sequence[tuple[str, str]], written: str, *, is_typed: bool, is_only: bool) -> None:
        self.spelled = spelled
        self.tokens = [token for token, _ in spelled]
        # Whether nothing but a space stands before each word: `Deutsche Bank`, and not `Anna, health`.
        self.is_joined = [n > 0 and f"{spelled[n - 1][1]} {raw}" in written for n, (_, raw) in enumerate(spelled)]
        self.found = Subjects()
        self.unknown: list[tuple[int, str]] = []
        self.is_typed = is_typed
        self.is_only = is_only
        self.first_name = 1
        language = language_of(written)
        # `no`, `me` or `an` are English and not: a rule is English where another word of rules says so.
        is_sure = any(token in KEEPING or token in _ENGLISH_SIGNS for token in tokenize(fold(written)))
        self.is_english = language == EVERYONES and is_sure
        self.is_foreign = language not in (EVERYONES, None) or (not is_sure and any(is_abroad(t) for t in self.tokens))

    def take(self, place: int) -> int:
        """Take the subject that begins here; return of how many words it is."""
        token, raw = self.spelled[place]
        size = self._take_category(place) or self._take_name(place) or self._take_topic(place)
        if size:
            return size
        if not self._is_filler(place) and not self._take_word(token):
            self.unknown.append((place, raw))
        return 1

    def may_be_subject(self, place: int) -> bool:
        """Whether a word that is not known stands where a subject would: after `my`, `about`, `or`, a verb of keeping.

        Elsewhere ("under any pretext", "political chatter") it is a part of how the rule is said.
        """
        if place + 1 < len(self.tokens) and place and self.spelled[place + 1][1].istitle():
            return False  # `project Falcon`
        token, before = self.tokens[place], self.tokens[place - 1] if place else ""
        after = self.tokens[place + 1] if place + 1 < len(self.tokens) else ""
        if is_unspaced(token) or after in _JOINS or before in _JOINS:
            return not is_unspaced(token)
        return (
            (not self.is_foreign and not place)
            or before in _LEADS
            or before in KEEPING
            or before in NEVER
            or before in ONLY
        )

    def _take_category(self, place: int) -> int:
        size, found = named_at(self.tokens, place, is_english=self.is_english)
        if size and (self.is_foreign or not self._reaches_farther(place, size)):
            self.found.categories += found
            return size
        token = self.tokens[place]
        if token in RELATIVE_TIMES:
            raise BoundaryError(f"“{token}”: a rule needs a date; write it as “nothing from before 2024-01-01”")
        unspaced, _ = named_in(token) if is_unspaced(token) else ([], "")
        self.found.categories += unspaced
        return int(bool(unspaced))

    def _reaches_farther(self, place: int, size: int) -> bool:
        """Whether the next word begins a longer name: `phone number` after `my phone`."""
        if size == 1 or place + 1 >= len(self.tokens) or not self._is_filler(place):
            return False
        return named_at(self.tokens, place + 1, is_english=self.is_english)[0] >= size

    def _take_name(self, place: int) -> int:
        """Take capitals that no list of this module knows."""
        size = self._particles_at(place)
        for n in range(place + size, min(place + _MAX_NAME_WORDS + 1, len(self.spelled))):
            token, raw = self.spelled[n]
            is_capital = raw[0].isupper() and not (raw.isupper() and len(raw) < 2) and n >= self.first_name
            is_inside = (
                size and raw.istitle() and len(token) > 3 and token not in KEEPING and token not in _ENGLISH_SIGNS
            )
            is_inside = is_inside and self.is_joined[n]
            if not is_capital or (self._is_filler(n) and not is_inside):
                break
            if (not size and (self._is_kin(n) or is_name(token))) or (is_main_name(token) and not is_inside):
                break
            size += 1 + self._particles_at(n + 1)
        if size:
            self._add_entity(place, size)
            known = {c for token in self.tokens[place : place + size] for c in _categories_of(token)}
            self.found.categories += sorted(known & _NAMED_KINDS)
        return size

    def _is_kin(self, place: int) -> bool:
        """Whether a word names kin; `Karim` in an English rule is a man, and not the Turkish for my wife."""
        token, raw = self.spelled[place]
        is_name = self.is_english and raw.istitle() and token not in KIN_WORDS and token not in KIN_ALIASES
        return kin_of(token) is not None and not is_name

    def _particles_at(self, place: int) -> int:
        """Return how many words `van der` are in front of a capital."""
        size = 0
        while self.is_english and place + size + 1 < len(self.spelled) and self.tokens[place + size] in _PARTICLES:
            size += 1
        return size if size and self.spelled[place + size][1][0].isupper() else 0

    def _take_topic(self, place: int) -> int:
        """Take words that are a topic of their own: no category's, or a special thing of a plain one.

        A word that no list knows is a topic only after `about` or `only`, and only where it can be a word.
        """
        is_named = self.is_only or (not self.is_typed and any(token in _ABOUT for token in self.tokens[:place]))
        size = 0
        for n in range(place, min(place + _MAX_TOPIC_WORDS, len(self.spelled))):
            token = self.tokens[n]
            is_new = self._is_filler(n) or _kin(token) or is_name(token) or (size and self.spelled[n][1].istitle())
            if is_new or not _is_topic(token, is_named):
                break
            size += 1
        if size:
            # "my indie game project" is named by "my indie game" too.
            is_general = size > 1 and self.tokens[place + size - 1] in _GENERAL
            self._add_entity(place, size - is_general)
        return size

    def _take_word(self, token: str) -> bool:
        """Take one word as kin, as a part of the body, or as one by which a category is known."""
        kin = _kin(token) or (token if token in _TOPICS else None)
        if kin:
            self.found.entities.append(kin)
            return True
        known = {"health"} if token in load_groups()["bodypart"] else _categories_of(token)
        self.found.categories += sorted(known)
        return bool(known)

    def _add_entity(self, place: int, size: int) -> None:
        raws = [raw for _, raw in self.spelled[place : place + size]]
        words = [raw for n, raw in enumerate(raws) if not n or raw is not raws[n - 1]]  # Jean-Luc is two tokens
        self.found.entities.append(_GENITIVE.sub("", " ".join(words)))

    def _is_filler(self, place: int) -> bool:
        token, raw = self.spelled[place]
        # In an English rule a capital `Mia` is a name, though `mia` is Italian for my.
        is_titled = raw.istitle() and place >= (self.first_name if self.is_english else 1) and not self.is_foreign
        if raw.istitle() and token in _ALSO_NAMES and place >= max(self.first_name, token in ("will", "may", "mark")):
            return False
        is_plain = is_around(token, is_english=self.is_english or is_titled)
        return is_plain or len(token) == 1 or token in EXCEPTIONS or _is_unspaced_filler(token)


def _kin(token: str) -> str | None:
    return kin_of(token) or kin_of(token.removesuffix("s"))


def _is_unspaced_filler(token: str) -> bool:
    if not is_unspaced(token):
        return False
    for part in UNSPACED:
        token = token.replace(part, "")
    return not token


def _is_topic(token: str, is_named: bool) -> bool:
    known = _categories_of(token)
    if known or token in load_groups()["bodypart"]:
        return not known & DELICATE and token not in load_groups()["bodypart"]
    return is_named and token.isalpha() and len(token) > 2 and not is_unspaced(token) and not is_odd_word(token)


def _categories_of(token: str) -> set[str]:
    return (
        {p.term.category for p in load_lexicon(section="strong").strong_words(token)}
        if len(token) >= _MIN_CHARS
        else set()
    )


def _spelled_tokens(text: str) -> list[tuple[str, str]]:
    """Return each word folded, and as it is written."""
    pairs = []
    for word in re.findall(r"(?:[^\W_]|[\u0900-\u0dff\u0e00-\u0e7f])+(?:['’-][^\W_]+)*", text):
        pairs += [(token, word) for token in tokenize(fold(word)) if token != "."]
    return pairs


__all__ = ["Subjects", "read_subjects"]
