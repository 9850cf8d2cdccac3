"""Things named by two words that are one matter together: "my bakery job" is no bread, "my Spanish teacher" no Spanish."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from hub_toolkit.memory.forget.synonyms import fold_stem, load_lexicon, read_section

_LIST = Path(__file__).with_name("compound_words.txt")
_WORD = r"[^\W\d_][\w-]{1,30}"
_OWNER = r"(?:(?i:my|our|the|that|this|those|these|a|an|any|all|his|her|their)\s){1,3}"
_HAVE = r"(?:(?i:i|we)(?:'ve got| have got|'ve| have| had| own| bought| rent| hired)\s)"
_PHRASE = re.compile(
    rf"{_HAVE}?(?:{_OWNER})?(?P<words>{_WORD}(?:\s{_WORD}){{0,4}}?)(?P<names>(?:,?\s[A-Z][\w'-]{{1,30}}){{1,3}})?"
    rf"(?:\s(?:from|at|in|near|of|for|on)\s(?:{_OWNER})?(?P<where>{_WORD}(?:\s{_WORD}){{0,2}}))?"
)
_GENITIVE = re.compile(rf"(?:{_OWNER})?(?P<owner>{_WORD})(?:'s|s')\s(?P<thing>{_WORD}(?:\s{_WORD}){{0,2}})")
_MAX_CHARS = 120


@dataclass(frozen=True)
class Compound:
    """What a compound is made of: the thing (`head`), what tells it from others of its kind, names that it is given.

    `alone`: words by which it is known without its head, in that very form: the bakery of a bakery job.
    """

    head: str
    others: tuple[str, ...]
    names: tuple[str, ...] = ()
    alone: tuple[str, ...] = ()


def find_compound(clause: str, is_content: Callable[[str], bool]) -> Compound | None:
    """Return the compound that a clause is; None where it says more, or where one of its words is the whole matter.

    What is delicate (health and the like) is never one: there the part tells as much as the whole.
    """
    found = _fullmatch(_PHRASE, clause)
    if not found:
        return None
    *before, head = found["words"].split()
    where = (found["where"] or "").split()
    others = tuple(word for word in (*before, *where) if _is_matter(word))
    if _is_among(head, "person") and set(before) & _words("past"):
        others += tuple(sorted(_words("past")))
    is_named_place = any(word[0].isupper() for word in where)  # "my job at Brightwave": the name alone tells
    is_plain = is_head(head) and all(is_content(word) or word in _words("past") for word in (*before, *where))
    if not others or not is_plain or is_named_place or _is_delicate((*others, head)):
        return None
    names = tuple((found["names"] or "").replace(",", " ").split())
    return Compound(head, others, names, others if _is_among(head, "work") else ())


def find_owned(clause: str) -> tuple[str, str] | None:
    """Return owner and thing of "my cat's illness": the cat is another matter. None for "my son's name"."""
    found = _fullmatch(_GENITIVE, clause)
    if not found or found["thing"].split()[-1].casefold() in _words("name"):
        return None
    return found["owner"], found["thing"]


def _fullmatch(pattern: re.Pattern[str], clause: str) -> re.Match[str] | None:
    clause = " ".join(clause[: _MAX_CHARS + 1].replace("’", "'").split()).strip(" .!,;")
    return pattern.fullmatch(clause) if len(clause) <= _MAX_CHARS else None


def is_head(word: str) -> bool:
    """Whether a word names a thing of its own whatever stands before it: a person, an object, a place, a meeting."""
    return any(_is_among(word, section) for section in ("person", "thing", "work"))


def _is_among(word: str, section: str) -> bool:
    folded = word.casefold()
    return bool({folded, folded.removesuffix("s"), folded.removesuffix("es")} & _words(section))


def _is_matter(word: str) -> bool:
    """Whether a word says what a thing is for or of; "old" and "lovely" do not, and may be left out later."""
    folded = word.casefold()
    if folded in _words("adjective") or folded.endswith(("ly", "est")):
        return False
    return fold_stem(word) in load_lexicon().known or fold_stem(word) in load_lexicon() or folded in _words("matter")


def _is_delicate(words: tuple[str, ...]) -> bool:
    return any(fold_stem(word) in load_lexicon().telling for word in words)


@lru_cache(maxsize=8)
def _words(section: str) -> frozenset[str]:
    return frozenset(read_section(_LIST, section))
