"""The offline pass over a memory: what says the same becomes one, support is checked again, the cap holds.

It takes away and joins; it never adds a bullet, a word or a token, and brings nothing back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from hub_toolkit.data.terms import content_stems, words
from hub_toolkit.data.tokens import TokenCounter
from hub_toolkit.memory.builders.extractive import name_others
from hub_toolkit.memory.document import MAX_SOURCES, Bullet, MemoryDocument, Source
from hub_toolkit.memory.forget.forgetting import is_forgotten
from hub_toolkit.memory.guard import Guard
from hub_toolkit.memory.owner.audit import check_support
from hub_toolkit.memory.owner.overruled import repeats

SAME_SHARE = 0.8
"""Two bullets say the same when this share of the shorter one's content words stands in the other."""

MIN_SHARED = 3
"""Fewer content words than these in common are a chance meeting."""

_TURNING = """
not no never none nothing without neither nor cannot longer stopped quit quitting gave given up anymore instead unless
except hardly hate hates dislike dislikes avoid avoids allergic don't doesn't didn't isn't aren't wasn't won't can't
couldn't wouldn't shouldn't haven't hasn't used formerly before until
"""
_TURNS = frozenset(_TURNING.split())
"""Words that turn what is said around or set it in another time: bullets that differ in one are never joined."""


def consolidate(
    document: MemoryDocument,
    counter: TokenCounter,
    *,
    guards: Sequence[Guard] = (),
    texts: Mapping[int, str] | None = None,
    refuse_unsupported: bool = False,
) -> MemoryDocument:
    """Return the memory with equal bullets joined, ranked and under its cap; a second pass changes nothing.

    What the user wrote or pinned stays word for word, in its order. `texts` are messages by index, to check that
    the spans stand in them; without them the spans are taken as they are. Bullets go that are forgotten, that repeat
    what the user overruled, that a guard refuses, or that have lost every source. `refuse_unsupported`: so do those
    that no source bears out.
    """
    kept = []
    for bullet in document.bullets:
        checked = _recheck(bullet, document, texts)
        has_lost_all = bool(bullet.sources) and not checked.sources
        is_refused = refuse_unsupported and not check_support(checked)
        if bullet.is_protected or not (has_lost_all or is_refused or not _may_stay(checked, document, guards)):
            kept.append(checked)
    ranked = rank(join_equal(kept))
    result = replace(document, bullets=tuple(ranked)).enforce_cap(counter)
    return result if is_no_larger(result, document, counter) else document


def is_no_larger(after: MemoryDocument, before: MemoryDocument, counter: TokenCounter) -> bool:
    """Whether a memory has grown neither in bullets nor in tokens."""
    return len(after.bullets) <= len(before.bullets) and after.tokens(counter) <= before.tokens(counter)


def rank(bullets: Sequence[Bullet]) -> list[Bullet]:
    """Put what the user wrote or pinned first, as it stood, then the rest: the heaviest, surest and newest first."""
    own = [b for b in bullets if b.is_protected]
    rest = [b for b in bullets if not b.is_protected]
    newest = {b.id: b.last_seen if b.last_seen is not None else -1 for b in rest}
    return own + sorted(rest, key=lambda b: (-round(b.weight, 4), -round(b.confidence, 4), -newest[b.id], b.id))


def _recheck(bullet: Bullet, document: MemoryDocument, texts: Mapping[int, str] | None) -> Bullet:
    """Drop sources that are forgotten, or whose words do not stand in the message that they name.

    A message that is not at hand says nothing.
    """
    if bullet.is_protected:
        return bullet
    known = texts or {}
    sources = tuple(
        s
        for s in bullet.sources
        if not is_forgotten(s.span, document.forgotten) and (s.index not in known or _stands_in(s.span, known[s.index]))
    )
    return bullet if sources == bullet.sources else replace(bullet, sources=sources)


def _stands_in(span: str, text: str) -> bool:
    return " ".join(span.split()) in " ".join(text.split())


def _may_stay(bullet: Bullet, document: MemoryDocument, guards: Sequence[Guard]) -> bool:
    if is_forgotten(bullet.text, document.forgotten) or repeats(bullet.text, document.overruled):
        return False
    return all(guard.screen_bullet(bullet, None) is None for guard in guards)


def join_equal(bullets: Sequence[Bullet]) -> list[Bullet]:
    """Join bullets that say the same until none is left that does; what is protected takes others in unchanged."""
    left = list(bullets)
    while (pair := _first_equal(left)) is not None:
        keep, drop = pair
        left[keep] = join(left[keep], left[drop])
        del left[drop]
    return left


def _first_equal(bullets: Sequence[Bullet]) -> tuple[int, int] | None:
    """Return the places (to keep, to drop) of the first two bullets that say the same."""
    views = [_View.of(bullet) for bullet in bullets]
    places: dict[str, list[int]] = {}
    for place, view in enumerate(views):
        for other in sorted({earlier for term in view.terms for earlier in places.get(term, ())}):
            if _says_same(views[other], view):
                return (place, other) if view.choice > views[other].choice else (other, place)
        for term in view.terms:
            places.setdefault(term, []).append(place)
    return None


@dataclass(frozen=True)
class _View:
    """A bullet as it is compared. `choice`: whose words stay: the user's, else those that say more, else the newer."""

    bullet: Bullet
    line: str
    stems: frozenset[str]
    turns: frozenset[str]
    choice: tuple[bool, int, int, float]

    @classmethod
    def of(cls, bullet: Bullet) -> _View:
        stems = frozenset(content_stems(bullet.text))
        last = bullet.last_seen if bullet.last_seen is not None else -1
        choice = (bullet.is_protected, len(stems), last, bullet.weight)
        return cls(bullet, " ".join(bullet.text.split()).casefold(), stems, turning_words(bullet.text), choice)

    @property
    def terms(self) -> frozenset[str]:
        """What two equal bullets share at least one of: a stem, or the whole line where there is none."""
        return self.stems | {"\0" + self.line}


def turning_words(text: str) -> frozenset[str]:
    """Return the words that turn a bullet's sense, and its numbers: "5 km" and "10 km" are two things."""
    found = {word.lower().replace("’", "'") for word in words(text)} & _TURNS
    digits = {piece.strip(".,;:!?()") for piece in text.split() if any(c.isdigit() for c in piece)}
    return frozenset(found | digits)


def _says_same(a: _View, b: _View) -> bool:
    if a.bullet.owner != b.bullet.owner or (a.bullet.is_protected and b.bullet.is_protected):
        return False
    if a.line == b.line:
        return True
    if a.turns != b.turns or name_others(a.stems, b.stems):
        return False
    shared = len(a.stems & b.stems)
    return shared >= MIN_SHARED and shared >= SAME_SHARE * min(len(a.stems), len(b.stems))


def join(kept: Bullet, dropped: Bullet) -> Bullet:
    """Return `kept` with what `dropped` knew: its sources, when it was seen, its weight; a protected one unchanged."""
    if kept.is_protected:
        return kept
    sources = join_sources(kept.sources, dropped.sources)
    is_repeated = len({s.index for s in sources}) > 1
    return replace(
        kept,
        sources=sources,
        weight=max(kept.weight, dropped.weight),
        confidence=max(kept.confidence, dropped.confidence),
        origin="repeated" if is_repeated else kept.origin,
        first_seen=_outermost(min, kept.first_seen, dropped.first_seen),
        last_seen=_outermost(max, kept.last_seen, dropped.last_seen),
    )


def join_sources(first: Sequence[Source], second: Sequence[Source]) -> tuple[Source, ...]:
    """Return both lists' sources, one a message, at most MAX_SOURCES.

    The first of `first` stays in front, since a builder may take the bullet's words from it; then the newest.
    """
    rest = sorted([*first[1:], *second], key=lambda s: -s.index)
    joined: dict[int, Source] = {}
    for source in (*first[:1], *rest):
        joined.setdefault(source.index, source)
    return tuple(joined.values())[:MAX_SOURCES]


def _outermost(pick: Callable[[list[int]], int], a: int | None, b: int | None) -> int | None:
    known = [value for value in (a, b) if value is not None]
    return pick(known) if known else None
