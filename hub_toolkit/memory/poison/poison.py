"""Poison: what somebody else wrote so that the memory takes it for the user's own words."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import Any

from hub_toolkit.data.history import Chunk
from hub_toolkit.data.terms import content_stems
from hub_toolkit.memory.document import Bullet, Source
from hub_toolkit.memory.guard import Finding, HeldSpan, Screened
from hub_toolkit.memory.poison.admission import Ledger, is_carried
from hub_toolkit.memory.poison.fragments import (
    MAX_FRAGMENT_CHARS,
    MAX_FRAGMENTS,
    Fragment,
    becomes_order,
    joinable,
    read_fragment,
)
from hub_toolkit.memory.poison.poison_text import Span, find_instructions, join_spans
from hub_toolkit.memory.poison.voices import long_pastes
from hub_toolkit.types import Message

__all__ = ["PoisonGuard", "Span", "find_instructions"]

MAX_TAINTED = 64


class PoisonGuard:
    """Holds instructions that are not the user's own words, and lets no bullet stand that these words do not carry.

    Long pastes are not shown to the builder: nothing in them may become a bullet.
    One guard reads one user's stream: it keeps what may be pieces of an instruction from the last four user messages
    (2,000 characters each), and starts anew where a message's index does not follow. It never carries their words
    into a held span of another message.
    """

    name = "poison"

    def __init__(self) -> None:
        self._fragments: deque[Fragment] = deque(maxlen=MAX_FRAGMENTS)
        self._tainted: deque[tuple[int, frozenset[str]]] = deque(maxlen=MAX_TAINTED)
        self._ledger = Ledger()
        self._last_index = -1

    def screen_message(self, message: Message, index: int) -> Screened:
        """Take the instructions out of a message."""
        if index < self._last_index or index > self._last_index + 64:
            self._fragments.clear()
            self._tainted.clear()
            self._ledger.clear()
        self._last_index = index
        self._ledger.hear(message.text, index, is_user=message.role == "user")
        screened = self._screen(message, index)
        if message.role == "user":
            # What was read of the message just now is at hand; by the time the model has replied it may not be.
            self._ledger.terms(index)
        return screened

    def _screen(self, message: Message, index: int) -> Screened:
        if isinstance(message.content, str):
            text, held = self._screen_text(message.content, message, index)
            return Screened(message if text == message.content else replace(message, content=text), tuple(held))
        parts: list[dict[str, Any]] = []
        all_held: list[HeldSpan] = []
        for part in message.content:
            if part.get("type") == "text":
                text, held = self._screen_text(part["text"], message, index)
                part = {**part, "text": text}
                all_held += held
            parts.append(part)
        return Screened(replace(message, content=parts), tuple(all_held))

    def _screen_text(self, text: str, message: Message, index: int) -> tuple[str, list[HeldSpan]]:
        spans = find_instructions(text, message.role)
        if message.role == "user":
            spans = join_spans([*spans, *self._split_instruction(text, index)])
        held = [
            HeldSpan(text[s.start : s.end], Source(index, text[s.start : s.end]), f"poison:{s.reason}") for s in spans
        ]
        held = [span for span in held if span.text.strip()]
        for span in held:
            self._ledger.held.add(index)
            self._tainted.append((index, frozenset(content_stems(span.text[:MAX_FRAGMENT_CHARS]))))
        cuts = long_pastes(text) if message.role == "user" else ()
        return _without(text, join_spans([*spans, *(Span(start, end, "") for start, end in cuts)])), held

    def _split_instruction(self, text: str, index: int) -> list[Span]:
        """Return the piece in this message that completes an instruction begun in the messages before."""
        fragment = read_fragment(text, index)
        earlier = list(self._fragments)
        self._fragments.append(fragment)
        for pieces in joinable(earlier, fragment):
            if becomes_order(pieces):
                self._ledger.held.update(f.index for f in pieces)
                self._tainted.extend((f.index, frozenset(content_stems(f.text))) for f in pieces)
                return [Span(0, len(text), "split")]
        return []

    def screen_bullet(self, bullet: Bullet, chunk: Chunk | None) -> Finding | None:
        """Refuse a bullet that carries an instruction, that says what was held, or that nobody but others said."""
        if bullet.author == "user":
            return None
        if _is_order(bullet):
            return Finding("poison:instruction")
        if chunk is not None and not is_carried(bullet, chunk, self._ledger):
            return Finding("poison:not_the_users_words")
        if self._rests_on_tainted(bullet):
            return Finding("poison:held")
        return None

    def _rests_on_tainted(self, bullet: Bullet) -> bool:
        """Whether a bullet's words are those of held pieces, and its sources lie there or nowhere."""
        stems = frozenset(content_stems(bullet.text))
        indices = {source.index for source in bullet.sources}
        if not stems or not indices <= {index for index, _ in self._tainted}:
            return False
        needed = max(1, round(0.5 * len(stems)))
        return any(
            len(stems & tainted) >= needed for index, tainted in self._tainted if index in indices or not indices
        )


def _is_order(bullet: Bullet) -> bool:
    return bool(find_instructions(f"{bullet.text}", "assistant"))


def _without(text: str, spans: list[Span]) -> str:
    """Return the text without the spans; a line break stands for each, or the words around it would seem one."""
    kept, place = [], 0
    for span in spans:
        kept.append(text[place : span.start])
        place = span.end
    kept.append(text[place:])
    return "\n".join(kept) if spans else text
