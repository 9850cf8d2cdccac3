"""Looking into a memory: what supports a bullet, what changed between two versions, which bullets a text is about."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from hub_toolkit.data.terms import content_stems
from hub_toolkit.errors import StoreError
from hub_toolkit.memory.document import Bullet, MemoryDocument, Source

STEMS_PER_SHARED_WORD = 3
"""A span must share one content word with a bullet for so many that the bullet has."""

MAX_NEEDED_WORDS = 3


@dataclass(frozen=True)
class SourceCheck:
    """One source of a bullet. `stands`: the span stands in its message (None: the message is not at hand);
    `shared`: the stems of the content words that it has in common with the bullet."""

    source: Source
    stands: bool | None
    shared: tuple[str, ...]
    is_support: bool


@dataclass(frozen=True)
class Why:
    """Why a bullet is there: what the user wrote needs no source."""

    bullet: Bullet
    is_supported: bool
    checks: tuple[SourceCheck, ...]


@dataclass(frozen=True)
class Diff:
    """What differs between two documents; `changed` holds each bullet as it was and as it is."""

    added: tuple[Bullet, ...] = ()
    changed: tuple[tuple[Bullet, Bullet], ...] = ()
    removed: tuple[Bullet, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not (self.added or self.changed or self.removed)

    @property
    def counts(self) -> tuple[int, int, int]:
        """How many bullets came, changed and went."""
        return len(self.added), len(self.changed), len(self.removed)


def find_bullet(document: MemoryDocument, bullet_id: str) -> Bullet:
    """Return the bullet with this id.

    Raises: StoreError: there is none.
    """
    for bullet in document.bullets:
        if bullet.id == bullet_id:
            return bullet
    shown = " ".join(bullet_id.split())[:40]
    raise StoreError(f"there is no bullet {shown!r}; `personamem memory show` lists the ids")


def check_support(bullet: Bullet, texts: Mapping[int, str] | None = None) -> bool:
    """Whether a source bears a bullet out: its span stands in the cited message and shares content with the text.

    `texts` are messages by index; without them (None) the spans are taken as they are. What the user wrote is borne
    out by the user.
    """
    return bullet.author == "user" or any(_check(bullet, source, texts).is_support for source in bullet.sources)


def explain_bullet(document: MemoryDocument, bullet_id: str, texts: Mapping[int, str] | None = None) -> Why:
    """Return a bullet with what was found about each of its sources.

    Raises: StoreError: there is no such bullet.
    """
    bullet = find_bullet(document, bullet_id)
    checks = tuple(_check(bullet, source, texts) for source in bullet.sources)
    return Why(bullet, check_support(bullet, texts), checks)


def unsupported_bullets(document: MemoryDocument, texts: Mapping[int, str] | None = None) -> list[Bullet]:
    """Return the bullets that no source bears out."""
    return [bullet for bullet in document.bullets if not check_support(bullet, texts)]


def drop_unsupported(document: MemoryDocument, texts: Mapping[int, str] | None = None) -> MemoryDocument:
    """Return the document without the bullets that no source bears out: the policy `refuse_unsupported`.

    What the user wrote or pinned stays: only the user may take it away.
    """
    kept = tuple(b for b in document.bullets if b.is_protected or check_support(b, texts))
    return document if kept == document.bullets else replace(document, bullets=kept)


def _check(bullet: Bullet, source: Source, texts: Mapping[int, str] | None) -> SourceCheck:
    span = _plain(source.span)
    stands = None if texts is None else bool(span) and span in _plain(texts.get(source.index, ""))
    wanted, spoken = set(content_stems(bullet.text)), set(content_stems(source.span))
    shared = tuple(sorted(wanted & spoken))
    if wanted:
        needed = min(MAX_NEEDED_WORDS, math.ceil(len(wanted) / STEMS_PER_SHARED_WORD))
        is_alike = len(shared) >= needed
    else:  # a bullet of emoji or of common words alone: it must stand there as it is
        text = _plain(bullet.text).casefold()
        is_alike = bool(text) and text in span.casefold()
    return SourceCheck(source, stands, shared, is_alike and bool(span) and stands is not False)


def _plain(text: str) -> str:
    return " ".join(text.split())


def diff_documents(a: MemoryDocument, b: MemoryDocument) -> Diff:
    """Return what `b` adds to, changes in and removes from `a`, by id.

    Weight and confidence move with every update and count for nothing here.
    """
    old = {bullet.id: bullet for bullet in a.bullets}
    new = {bullet.id: bullet for bullet in b.bullets}
    return Diff(
        added=tuple(bullet for bullet in b.bullets if bullet.id not in old),
        changed=tuple((old[i], new[i]) for i in old if i in new and _settled(old[i]) != _settled(new[i])),
        removed=tuple(bullet for bullet in a.bullets if bullet.id not in new),
    )


def _settled(bullet: Bullet) -> Bullet:
    return replace(bullet, weight=0.0, confidence=0.0)


def rank_bullets(document: MemoryDocument, text: str, *, top: int = 5) -> list[Bullet]:
    """Return the bullets that share most rare words with a text, best first; none that shares nothing.

    Words are compared by their stems. A text without content words (an emoji, a single letter, `C#`) is looked for
    as it stands.
    """
    asked = frozenset(content_stems(text))
    stems = {bullet.id: frozenset(content_stems(bullet.text)) for bullet in document.bullets}
    frequency = Counter(stem for bullet_stems in stems.values() for stem in bullet_stems)
    scores = {
        bullet.id: sum(math.log(1 + len(stems) / frequency[s]) for s in sorted(stems[bullet.id] & asked))
        for bullet in document.bullets
    }
    ranked = sorted(document.bullets, key=lambda bullet: (-scores[bullet.id], bullet.id))
    found = [bullet for bullet in ranked if scores[bullet.id] > 0]
    return (found or _holding(document, text))[:top]


def _holding(document: MemoryDocument, text: str) -> list[Bullet]:
    """Return the bullets in which a text stands as it is; letters only where no other letter adjoins."""
    wanted = _plain(text).casefold()
    if not wanted:
        return []
    return [bullet for bullet in document.bullets if _stands_alone(wanted, _plain(bullet.text).casefold())]


def _stands_alone(wanted: str, text: str) -> bool:
    place = text.find(wanted)
    while place >= 0:
        before, after = text[place - 1 : place], text[place + len(wanted) : place + len(wanted) + 1]
        is_part = wanted.isascii() and (
            (wanted[0].isalnum() and before.isalnum()) or (wanted[-1].isalnum() and after.isalnum())
        )
        if not is_part:
            return True
        place = text.find(wanted, place + 1)
    return False


__all__ = [
    "Diff",
    "SourceCheck",
    "Why",
    "check_support",
    "diff_documents",
    "drop_unsupported",
    "explain_bullet",
    "find_bullet",
    "rank_bullets",
    "unsupported_bullets",
]
