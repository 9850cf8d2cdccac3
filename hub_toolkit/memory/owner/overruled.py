"""What a user's edit replaced or deleted, hashed, so that no update learns it again; and edits put above updates.

An overruled text is kept as the hashes of its content words. A new text repeats it when it says little else. What the
user really says anew has words of its own, in a message of its own: that is learnt beside the edit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache

from hub_toolkit.data.terms import content_stems
from hub_toolkit.data.tokens import TokenCounter
from hub_toolkit.memory.document import Bullet, MemoryDocument, Source, number_bullets
from hub_toolkit.memory.forget.stem_hashes import hash_stems
from hub_toolkit.memory.forget.synonyms import expand, fold
from hub_toolkit.memory.forget.tombstones import is_forgotten

REPEAT_SHARE = 0.6
"""A text of which this share of content words was overruled only repeats it."""

WHOLE_SHARE = 0.8
"""A text that holds this share of an overruled text repeats it, unless a message supports the words around it."""

UNSUPPORTED_SHARE = 0.34
"""The same for words that no message says anew: a model's own word against the user's."""

MIN_OWN_WORDS = 2
"""So many words besides the overruled ones must a message support, for its matter to be new."""

Overruled = tuple[tuple[str, ...], ...]

_NARRATOR = frozenset(
    content_stems(
        "user users withdrew withdraw withdrawn edit edits edited correct corrected correction note notes noted memory bullet previous previously original "
        "originally remember remembered restore restored revert reverted undo undone ignore ignored update updated statement stated mention mentioned mentions "
        "confirm confirmed confirms according claim claims told"
    )
)
"""Words about the memory, not in it: `the user withdrew the edit` says nothing new."""


def _marks(text: str) -> frozenset[str]:
    """Return by what a text is recognised: its content words, or all of it where it has none (an emoji, say)."""
    stems = frozenset(_standard(stem) for stem in content_stems(text) if stem not in _NARRATOR)
    return stems or frozenset({" ".join(text.casefold().split())})


@lru_cache(maxsize=65536)
def _standard(stem: str) -> str:
    """Return the stem that stands for all words of the same meaning, as far as the list of synonyms knows them."""
    same = expand(fold(stem)).same
    return min((other for other in same if fold(stem) in expand(other).same), default=stem)


@lru_cache(maxsize=4096)
def hash_text(text: str) -> tuple[str, ...]:
    """Return what recognises a text, and does not give it away."""
    return hash_stems(_marks(text))


def overrule(overruled: Overruled, bullets: Iterable[Bullet], *, text: str = "") -> Overruled:
    """Add the texts and the spans of bullets that an edit takes away; what the user now writes is overruled no more."""
    groups = [hash_text(t) for bullet in bullets for t in (bullet.text, *(s.span for s in bullet.sources))]
    now = hash_text(text) if text else ()
    return tuple(group for group in dict.fromkeys((*overruled, *groups)) if group != now)


def _shares(text: str, group: tuple[str, ...]) -> tuple[int, float, float]:
    """Return how many marks a text shares with a group, and their share of the text's and of the group's."""
    marks = hash_text(text)
    num_shared = len(set(marks).intersection(group))
    return num_shared, num_shared / len(marks), num_shared / max(1, len(group))


def repeats(text: str, overruled: Overruled) -> bool:
    """Whether a text says little but what was overruled."""
    for group in overruled:
        num_shared, of_text, _ = _shares(text, group)
        if of_text >= REPEAT_SHARE and (num_shared >= 2 or of_text == 1.0):
            return True
    return False


def _contains(text: str, overruled: Overruled, share: float) -> bool:
    """Whether a text holds most of an overruled one among other words."""
    return any(_shares(text, group)[2] >= share for group in overruled)


def _unspoken(text: str, sources: Sequence[Source], overruled: Overruled) -> float:
    """Return the largest share of an overruled text that a text holds without any source saying it anew."""
    spoken = {mark for source in sources for mark in hash_text(source.span)}
    own = set(hash_text(text)) - spoken
    return max((len(own.intersection(group)) / max(1, len(group)) for group in overruled), default=0.0)


def _own_words(text: str, sources: Sequence[Source], overruled: Overruled) -> int:
    """Return how many words of a text, none of them overruled, its sources support."""
    known = {mark for group in overruled for mark in group}
    spoken = {mark for source in sources for mark in hash_text(source.span)}
    return len((set(hash_text(text)) & spoken) - known)


def is_overruled(bullet: Bullet, overruled: Overruled, *, fresh: Sequence[Source], known: str = "") -> bool:
    """Whether a bullet that a model wrote brings back what an edit took; `fresh` are its sources since the edit.

    `known` is what it said before: a model that has nothing new to go by may add no overruled word to it.
    """
    if not overruled:
        return False
    if repeats(bullet.text, overruled):
        return True
    new = [source for source in fresh if not repeats(source.span, overruled)]
    if not new:
        return _touches(bullet.text, known, overruled)
    if _unspoken(bullet.text, new, overruled) >= UNSUPPORTED_SHARE:
        return True
    is_new = _own_words(bullet.text, new, overruled) >= MIN_OWN_WORDS
    return _contains(bullet.text, overruled, WHOLE_SHARE) and not is_new


def _touches(text: str, known: str, overruled: Overruled) -> bool:
    """Whether a text has a word of an overruled one that `known` has not."""
    added = set(hash_text(text)) - set(hash_text(known) if known else ())
    return any(added.intersection(group) for group in overruled)


def protect(before: MemoryDocument, after: MemoryDocument, counter: TokenCounter) -> MemoryDocument:
    """Put the user's word above an update: `after`, with what the user wrote or pinned in `before` word for word.

    What an edit replaced or deleted does not come back; what a message says anew stays, as a bullet of its own.
    What a forget request in this update took stays away.
    """
    kept = {b.id: b for b in before.bullets if b.is_protected and not _was_forgotten(b, before, after)}
    if not kept and not before.overruled:
        return after
    known = {bullet.id: bullet for bullet in before.bullets}
    bullets: list[Bullet] = []
    for bullet in after.bullets:
        previous = known.get(bullet.id)
        if bullet.id in kept:
            protected = kept.pop(bullet.id)
            if bullet.text == protected.text:
                bullets.append(_confirmed(protected, bullet))
                continue
            bullets.append(protected)
            bullet, previous = _beside(bullet, protected), None
        elif previous is not None and previous.is_protected:
            continue
        bullets += _admitted(bullet, previous, before)
    if set(after.forgotten) - set(before.forgotten):
        # What the request took away is not cited again.
        kept = {bullet_id: replace(bullet, sources=()) for bullet_id, bullet in kept.items()}
    return number_bullets(after, [*kept.values(), *bullets]).enforce_cap(counter)


def _was_forgotten(bullet: Bullet, before: MemoryDocument, after: MemoryDocument) -> bool:
    """Whether a forget request took a bullet: a pinned one that a model wrote falls with its sources."""
    if is_forgotten(bullet.text, after.forgotten):
        return True
    is_gone = all(b.id != bullet.id for b in after.bullets)
    return is_gone and bullet.author == "model" and set(after.forgotten) > set(before.forgotten)


def _confirmed(protected: Bullet, bullet: Bullet) -> Bullet:
    """Return a protected bullet with what an update found about it: sources come, or go with a forget request."""
    return replace(
        protected,
        sources=bullet.sources,
        origin=bullet.origin,
        confidence=bullet.confidence,
        first_seen=bullet.first_seen,
        last_seen=bullet.last_seen,
    )


def _beside(bullet: Bullet, protected: Bullet) -> Bullet:
    """Return what a model wrote over a protected bullet as a bullet of its own, with its fresh sources alone."""
    old = {source.index for source in protected.sources}
    fresh = tuple(source for source in bullet.sources if source.index not in old)
    return replace(bullet, id="", sources=fresh, is_pinned=False, author="model", first_seen=None, last_seen=None)


def _admitted(bullet: Bullet, previous: Bullet | None, before: MemoryDocument) -> list[Bullet]:
    """Return what may stand of a bullet that a model wrote: itself, as it was, or nothing."""
    if previous is not None and _is_shorter(bullet, previous, before.overruled):
        return [bullet]
    old = {source for known in before.bullets for source in known.sources}
    fresh = [source for source in bullet.sources if source not in old]
    known = previous.text if previous else ""
    if not is_overruled(bullet, before.overruled, fresh=fresh, known=known) and (
        previous or not _repeats_edit(bullet, before, fresh)
    ):
        return [bullet]
    if previous is None:
        return []
    # The old words, but only with sources that are still there: a forget request may have taken some.
    sources = tuple(source for source in previous.sources if source in bullet.sources)
    return [replace(previous, sources=sources)] if sources or not previous.sources else []


def _is_shorter(bullet: Bullet, previous: Bullet, overruled: Overruled) -> bool:
    """Whether a bullet brings nothing that was not in it: fewer of its words, or a part of what it cited."""
    if set(hash_text(bullet.text)) <= set(hash_text(previous.text)):
        return True
    is_cited = any(bullet.text in " ".join(source.span.split()) for source in previous.sources)
    return is_cited and not repeats(bullet.text, overruled)


def _repeats_edit(bullet: Bullet, before: MemoryDocument, fresh: Sequence[Source]) -> bool:
    """Whether a new bullet is but a piece or a rewording of what the user wrote or pinned."""
    edits = tuple(hash_text(known.text) for known in before.bullets if known.is_protected)
    if fresh:
        return is_overruled(bullet, edits, fresh=fresh)
    return repeats(bullet.text, edits) or _contains(bullet.text, edits, UNSUPPORTED_SHARE)


__all__ = ["Overruled", "hash_text", "is_overruled", "overrule", "protect", "repeats"]
