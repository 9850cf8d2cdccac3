"""Forget requests: which messages one concerns, and a memory without them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from hub_toolkit.data.history import Chunk
from hub_toolkit.data.terms import content_stems
from hub_toolkit.memory.boundary import concerns, forget_request, hash_stems
from hub_toolkit.memory.document import Bullet, Source

_FOLLOW_UP = re.compile(
    r"^(?:yeah|yes|yep|ok|okay|good|great|nice|thanks|thank you|perfect|this is|that's|that works|make it|narrow|rank|now|and|also|"
    r"can you (?:make|give|narrow)|could you (?:make|give)|what about|how about|lovely|fine|done)\b",
    re.I,
)
FOLLOW_UP_WORDS = 40
NEAR_MESSAGES = 8
"""How far back one word of the request is enough; further away it takes two."""
UNSEEN_REACH = 4
"""How many messages before a block's question are taken when the block began in an earlier chunk."""

Forgotten = tuple[tuple[str, ...], ...]


def is_forgotten(text: str, forgotten: Forgotten) -> bool:
    """Whether a text is about something that the user asked to forget."""
    return any(concerns(text, hashes) for hashes in forgotten)


def forget_at(
    bullets: Sequence[Bullet], forgotten: Forgotten, chunk: Chunk, place: int
) -> tuple[list[Bullet], Forgotten] | None:
    """Carry out the forget request that stands at `place` in the chunk; None where none stands there."""
    message = chunk.messages[place]
    wish = forget_request(message.text) if message.role == "user" else None
    if wish is None:
        return None
    hashes = hash_stems(wish)
    if hashes and hashes not in forgotten:
        forgotten = (*forgotten, hashes)
    first = _first_of_block(chunk, place, wish)
    return _without(bullets, hashes, first, chunk.indices[place]), forgotten


def _first_of_block(chunk: Chunk, place: int, wish: frozenset[str]) -> int:
    """Return the index at which begins what a forget request takes back.

    Published histories put the request right after its target: what revealed it, a question on it, the answer,
    the request. A short follow-up belongs to the task before it, and so does a message near by that names the matter.
    Source: PersonaMem-v2, history assembly.
    """
    users = [p for p in range(place) if chunk.messages[p].role == "user"]
    first = _opening_of_block(chunk, place, users, wish)
    near = [p for p in users if place - p <= NEAR_MESSAGES and wish & set(content_stems(chunk.messages[p].text))]
    return min([first, *(chunk.indices[p] for p in near)])


def _opening_of_block(chunk: Chunk, place: int, users: list[int], wish: frozenset[str]) -> int:
    if not users:
        return chunk.indices[place] - 2 - UNSEEN_REACH
    *earlier, question = users
    asked = set(content_stems(chunk.messages[question].text))
    names_topic = len(wish & asked) >= 2
    for opening in reversed(earlier):
        text = chunk.messages[opening].text
        if len(text.split()) < FOLLOW_UP_WORDS and _FOLLOW_UP.search(text):
            continue
        is_another_matter = names_topic and not (wish | asked) & set(content_stems(text))
        return chunk.indices[question if is_another_matter else opening]
    return chunk.indices[question] - UNSEEN_REACH


def _without(bullets: Iterable[Bullet], hashes: tuple[str, ...], first: int, last: int) -> list[Bullet]:
    """Remove sources in the forgotten block or on its matter, then bullets on it or left without a source."""
    kept = []
    for bullet in bullets:
        if concerns(bullet.text, hashes):
            continue
        sources = tuple(s for s in bullet.sources if not first <= s.index <= last and not concerns(s.span, hashes))
        if sources == bullet.sources or _is_supported(bullet.text, sources):
            kept.append(replace(bullet, sources=sources))
    return kept


def _is_supported(text: str, sources: Sequence[Source]) -> bool:
    """Whether what is left of the sources still carries the text: without two words of it, it fell with the rest."""
    stems = set(content_stems(text))
    return any(len(stems & set(content_stems(source.span))) >= 2 for source in sources)
