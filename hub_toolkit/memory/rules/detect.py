"""What a text is about: the categories whose words it says, implies or hides, and whether a rule forbids it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from hub_toolkit.memory.rules.ciphers import decoded, mirrored, turned
from hub_toolkit.memory.rules.entities import names_entity
from hub_toolkit.memory.rules.folding import fold, spelled_out, spellings
from hub_toolkit.memory.rules.languages import EVERYONES, is_foreign, language_of
from hub_toolkit.memory.rules.lexicon import Lexicon, Term, load_lexicon, tokenize
from hub_toolkit.memory.rules.oddness import folded_and_odd, is_undeciphered, looks_odd
from hub_toolkit.memory.rules.patterns import matches_pattern
from hub_toolkit.memory.rules.segmenting import segment
from hub_toolkit.memory.rules.timing import breaks_time
from hub_toolkit.memory.secret.secret_text import find_secrets
from hub_toolkit.memory.state import Rule, Strictness

WINDOW_CHARS = 1_500
"""A longer text is looked at piece by piece, so that no text costs more than its length."""
_OVERLAP_CHARS = 80
_UNIT_CHARS = 300
_HIDDEN_TERM_CHARS = 6
_CUT_TERM_CHARS = 7
_CUT_STEM_CHARS = 5
_BOUNDARY = re.compile(r"(?<=[.!?…])[\"”')\]]{0,4}\s+|(?<=[。！？])|\n+")
_NOTHING: frozenset[str] = frozenset()
_CONTACT_SECRETS = frozenset(("phone", "email", "address", "handle"))


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """Return start and end of each sentence, line or window of a text; together they cover it but for the gaps."""
    spans, start = [], 0
    for found in _BOUNDARY.finditer(text):
        spans.append((start, found.start()))
        start = found.end()
    spans.append((start, len(text)))
    if all(end - start <= WINDOW_CHARS for start, end in spans):
        return [span for span in spans if span[0] < span[1]]
    return [piece for span in spans if span[0] < span[1] for piece in _windows(*span)]


def _windows(start: int, end: int) -> Iterator[tuple[int, int]]:
    while end - start > WINDOW_CHARS:
        yield start, start + WINDOW_CHARS
        start += WINDOW_CHARS - _OVERLAP_CHARS
    yield start, end


def find_categories(
    text: str, wanted: frozenset[str] | None = None, *, strictness: Strictness = "normal"
) -> frozenset[str]:
    """Return the categories of a text, of all or of those wanted: of its sentences, and of all of it where short."""
    spans = sentence_spans(text)
    if len(spans) == 1 and len(text) <= _UNIT_CHARS:
        return _categories(text, wanted, strictness)
    found: set[str] = set(_categories(text, wanted, strictness)) if len(text) <= _UNIT_CHARS else set()
    for start, end in spans:
        found |= _categories(text[start:end], wanted, strictness)
    return frozenset(found)


def _categories(piece: str, wanted: frozenset[str] | None, strictness: Strictness) -> frozenset[str]:
    seen = _look(piece, wanted)
    return seen.hinted if strictness == "strict" else seen.said


def is_harmless(sentence: str, wanted: frozenset[str]) -> bool:
    """Whether a sentence hints at no wanted category, shows no sign of a disguise, and is in English or in none."""
    if len(sentence) > WINDOW_CHARS:
        return False
    seen = _look(sentence, wanted)
    return not seen.hinted and not seen.is_odd and language_of(sentence) in (None, EVERYONES)


class _Seen(NamedTuple):
    """What a look at a piece found: categories that it says, those that it says or hints at, and whether it looks odd."""

    said: frozenset[str]
    hinted: frozenset[str]
    is_odd: bool


_PLAIN, _ODD = _Seen(_NOTHING, _NOTHING, False), _Seen(_NOTHING, _NOTHING, True)


@lru_cache(maxsize=65536)
def _look(piece: str, wanted: frozenset[str] | None) -> _Seen:
    lexicon = load_lexicon(wanted)
    folded = fold(piece[:WINDOW_CHARS])
    tokens = tokenize(folded)
    found, hinted = _decide(lexicon.hits(folded, tokens), is_abroad=language_of(piece) != EVERYONES)
    found |= {t.category for t in _joined(tokens, lexicon)}
    is_odd = looks_odd(piece, folded, lexicon)
    if is_odd:
        for view in (piece, *decoded(piece)):
            found |= _hidden_categories(fold(view[:WINDOW_CHARS]), lexicon)
    if "contact" in lexicon.categories and any(secret.kind in _CONTACT_SECRETS for secret in find_secrets(piece)):
        found.add("contact")
    if not found and not hinted:
        return _ODD if is_odd else _PLAIN
    return _Seen(frozenset(found), frozenset(found | hinted), is_odd)


def _hidden_categories(folded: str, lexicon: Lexicon) -> set[str]:
    """Return the categories of a text with swapped letters put right, turned round, or its letters joined."""
    found: set[str] = set()
    readings = (*spellings(folded), *turned(folded), *(segment(letters) for letters in spelled_out(folded)))
    for reading in readings:
        tokens = tokenize(reading)
        found |= _decide(lexicon.hits(reading, tokens))[0]
        found |= {t.category for t in _joined(tokens, lexicon)}
    if " " not in folded.strip() and folded.isalpha() and len(folded) >= _HIDDEN_TERM_CHARS:
        found |= _decide(lexicon.hits(cut := segment(folded), tokenize(cut)))[0]
    for other in mirrored(folded):
        found |= {t.category for t in _long_words(other, lexicon)}
    return found


def _decide(hits: Iterable[tuple[int, int, Term]], *, is_abroad: bool = False) -> tuple[set[str], set[str]]:
    """Return the categories that these hits (first word, last word, term) add up to, and those that they hint at."""
    hits = list(hits)
    if not hits:
        return set(), set()
    excused = [(start, end, t.category) for start, end, t in hits if t.section == "not"]
    by_category: dict[str, dict[str, set[str]]] = {}
    for start, end, term in hits:
        if term.section == "not" or any(s <= start and end <= e and c == term.category for s, e, c in excused):
            continue
        by_category.setdefault(term.category, {}).setdefault(term.section, set()).add(term.text)
    said = {
        category
        for category, s in by_category.items()
        if "strong" in s or len(s.get("weak", ())) >= 2 or ("a" in s and "b" in s)
    }
    hints = {"faint", "abroad"} if is_abroad else {"faint"}
    return said, {category for category, s in by_category.items() if category in said or hints & s.keys()}


def _joined(tokens: list[str], lexicon: Lexicon) -> Iterator[Term]:
    """Yield strong terms that two words make together, as in `dia betes`."""
    stems, last = lexicon.cut_stems, ""
    for token in tokens:
        word = last + token
        if word[:_CUT_STEM_CHARS] in stems and _is_cut(last, token, word):
            for phrase in lexicon.strong_words(word):
                if _reaches_over(phrase.key, last):
                    yield phrase.term
        last = token


def _is_cut(first: str, second: str, word: str) -> bool:
    return len(first) > 1 and len(second) > 1 and _CUT_TERM_CHARS <= len(word) <= 30 and word.isalpha()


def _reaches_over(key: str, first: str) -> bool:
    """Whether a term needs more than the first of two words."""
    return len(key) > max(len(first), _CUT_TERM_CHARS - 2)


def _long_words(text: str, lexicon: Lexicon) -> Iterator[Term]:
    for word in tokenize(text):
        if len(word) >= _HIDDEN_TERM_CHARS:
            yield from (p.term for p in lexicon.strong_words(word) if len(p.key) >= _CUT_STEM_CHARS)


@lru_cache(maxsize=16384)
def is_veiled(text: str) -> bool:
    """Whether a text, or a sentence of it, looks encoded and nothing legible comes out of it."""
    return any(_is_veiled_piece(text[start:end]) for start, end in sentence_spans(text[:20_000]))


@lru_cache(maxsize=65536)
def _is_veiled_piece(piece: str) -> bool:
    folded, is_odd = folded_and_odd(piece)
    return is_odd and is_undeciphered(piece, folded)


def violates(text: str, rule: Rule, *, said_on: str | None = None, wanted: frozenset[str] | None = None) -> bool:
    """Whether a text may not be kept under a rule; `said_on` is the ISO date on which it was said, where known.

    `wanted`: all categories that are asked about of the same text, so that it is read once; the rule's own by default.
    """
    if rule.effect == "only":
        return not _is_allowed(text, rule)
    has_content = bool(rule.categories or rule.entities or rule.patterns)
    is_timed = rule.before is not None or rule.after is not None
    if has_content and not _matches_content(text, rule, wanted) and not is_veiled(text):
        return False
    if is_timed:
        return breaks_time(text, rule, said_on=said_on, is_doubted=has_content)
    return has_content


def _matches_content(text: str, rule: Rule, wanted: frozenset[str] | None = None) -> bool:
    if rule.categories:
        asked = wanted if wanted is not None else frozenset(rule.categories)
        if not find_categories(text, asked, strictness=rule.strictness).isdisjoint(rule.categories):
            return True
        if rule.strictness == "strict" and _is_foreign(text, rule):
            return True
    if any(names_entity(text, entity) for entity in rule.entities):
        return True
    return any(matches_pattern(text, pattern) for pattern in rule.patterns)


def _is_foreign(text: str, rule: Rule) -> bool:
    pieces = [text[start:end] for start, end in sentence_spans(text)]
    return any(is_foreign(piece, rule.text) and not _is_everyday(piece) for piece in pieces)


_EVERYDAY = frozenset(("food", "hobbies", "travel"))


def _is_everyday(piece: str) -> bool:
    """Whether a piece is of everyday things by its words, and hints at nothing else."""
    found = find_categories(piece, strictness="strict")
    return bool(found) and found <= _EVERYDAY


DELICATE = frozenset(
    str.split(
        "health mental_health location religion politics sexuality ethnicity finance legal substances age contact body children family"
    )
)
"""Under an `only` rule, a text that is of one of these as well is not kept unless the rule names it."""


def _is_allowed(text: str, rule: Rule) -> bool:
    if is_veiled(text) or not _matches_content(text, rule):
        return False
    return not find_categories(text, DELICATE, strictness="strict").difference(rule.categories)
