"""What a forget request in a chat takes back of what stands before it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from hub_toolkit.data.history import Chunk
from hub_toolkit.memory.document import Bullet
from hub_toolkit.memory.forget.forget_requests import ForgetRequest
from hub_toolkit.memory.forget.synonyms import expand, fold_stem
from hub_toolkit.memory.forget.tombstones import concerns
from hub_toolkit.memory.forget.wishes import Wish, is_content, parse_wish, split_pieces, text_terms
from hub_toolkit.memory.poison.provenance import own_statements, split_sentences

_FOLLOW_UP = re.compile(
    r"^(?:yeah|yes|yep|ok|okay|good|great|nice|thanks|thank you|perfect|this is|that's|that works|make it|narrow|rank|now|and|also|"
    r"can you (?:make|give|narrow)|could you (?:make|give)|what about|how about|lovely|fine|done)\b",
    re.I,
)
POINTS_BACK = re.compile(r"^(?:it|they|that|this|he|she|there|those|these|them|his|her|its)\b", re.I)
FOLLOW_UP_WORDS = 40
NEAR_MESSAGES = 8
"""How far back one word of the request is enough; further away it takes two."""
UNSEEN_QUESTION = 2
"""How far before a request stands the message that it seems to mean, where that was read in an earlier chunk."""
PLAIN_WORDS = 8
"""So short a statement says all that it is about: one without a word of the matter is not on it."""
UNSEEN_REACH = 4
"""How many messages before a block's question are taken when the block began in an earlier chunk."""
TAKEN_BACK_WORDS = 40
"""Of a longer message that is taken back only the sentences are known again, not what it was about."""


@dataclass(frozen=True)
class Matter:
    """What one request is about: its wish, and the terms that show that a message is about the same."""

    wish: Wish
    terms: frozenset[str]

    def is_in(self, text: str) -> int:
        """Return how many of the terms stand in a text."""
        return len(self.terms & set(text_terms(split_pieces(text))))

    def is_near(self, text: str, named: tuple[str, ...]) -> bool:
        """Whether a text close before the request is on it: by one term, or, of a compound, by two that make it."""
        return concerns(text, named) if self.wish.spelt else bool(self.is_in(text))


def matter_of(wish: Wish) -> Matter:
    named = [expand(term) for term in (*wish.strong, *wish.weak)]
    terms = {term for e in named for term in (*e.same, *e.hints)}
    return Matter(wish, frozenset(terms or {t for term in wish.broad for t in expand(term).same}))


def taken_back(request: ForgetRequest, chunk: Chunk, place: int) -> Wish:
    """Return what "forget what I just said" is about: what stands before it, else the message before."""
    users = [p for p in range(place) if chunk.messages[p].role == "user"]
    text = request.before if _says_something(request.before) else "".join(chunk.messages[p].text for p in users[-1:])
    if len(text.split()) > TAKEN_BACK_WORDS:
        return Wish()
    wishes = [parse_wish(sentence) for sentence in split_sentences(text)]
    return Wish(
        tuple(sorted({t for wish in wishes for t in wish.strong})),
        words=tuple(w for wish in wishes for w in wish.words),
    )


def _says_something(text: str) -> bool:
    return sum(map(is_content, split_pieces(text))) > 1


@dataclass(frozen=True)
class Block:
    """What a request takes back: all from index `first` on, and the messages `near` it that name the matter.

    `is_named`: what it takes back has a name, so that a short statement on something else is none of it.
    """

    first: int
    near: frozenset[int] = frozenset()
    is_named: bool = False

    def holds(self, index: int, text: str, last: int) -> bool:
        """Whether a text at an index before the request at `last`, or at it, goes with it."""
        if index in self.near or index == last:
            return True
        return self.first <= index < last and not (self.is_named and _is_plain(text))


def block_before(
    bullets: Sequence[Bullet],
    named: tuple[str, ...],
    chunk: Chunk,
    place: int,
    request: ForgetRequest,
    matter: Matter,
) -> Block:
    """Return what a forget request takes back.

    Published histories put the request right after its target: what revealed it, a question on it, the answer,
    the request. A short follow-up belongs to the task before it. A message near by that names the matter goes too,
    with those that go on about it, but not what else stands between.
    Elsewhere a request may come long after its target: where neither question nor answer before it is on the matter,
    but something in the memory is, only that goes.
    Source: PersonaMem-v2, history assembly.
    """
    here = chunk.indices[place]
    if not request.wish and _says_something(request.before):
        return Block(here)
    users = [p for p in range(place) if chunk.messages[p].role == "user"]
    near = _with_what_goes_on(
        users, {p for p in users if place - p <= NEAR_MESSAGES and matter.is_near(chunk.messages[p].text, named)}, chunk
    )
    first = _opening_of_block(chunk, place, users, matter)
    block = [m.text for m, i in zip(chunk.messages[:place], chunk.indices[:place], strict=True) if i >= first]
    is_on_it = not request.wish or any(matter.is_in(text) for text in block)
    is_known = any(concerns(b.text, named) or any(concerns(s.span, named) for s in b.sources) for b in bullets)
    if not users and not is_on_it:
        # The block stands in an earlier chunk, unseen: its question is right before.
        return Block(here) if is_known else Block(here - UNSEEN_QUESTION, is_named=True)
    start = first if is_on_it or not is_known else here
    return Block(start, frozenset(chunk.indices[p] for p in near), is_named=bool(request.wish))


def _with_what_goes_on(users: Sequence[int], near: set[int], chunk: Chunk) -> set[int]:
    """Return messages with those that go on about the one before: "She took forty for them! I'll ride at once." """
    found = set(near)
    for before, after in pairwise(users):
        if before in found and POINTS_BACK.match(chunk.messages[after].text):
            found.add(after)
    return found


def _opening_of_block(chunk: Chunk, place: int, users: list[int], matter: Matter) -> int:
    if not users:
        return chunk.indices[place] - 2 - UNSEEN_REACH
    *earlier, question = users
    asked = chunk.messages[question].text
    names_topic = matter.is_in(asked) >= 2
    with_question = matter_of(Wish(weak=tuple(fold_stem(p) for p in split_pieces(asked) if is_content(p))))
    for opening in reversed(earlier):
        text = chunk.messages[opening].text
        if len(text.split()) < FOLLOW_UP_WORDS and _FOLLOW_UP.search(text):
            continue
        is_another_matter = names_topic and not matter.is_in(text) and not with_question.is_in(text)
        return chunk.indices[question if is_another_matter else opening]
    return chunk.indices[question] - UNSEEN_REACH


def messages_of(block: Block, chunk: Chunk, place: int) -> list[str]:
    last = chunk.indices[place]
    pairs = zip(chunk.messages[: place + 1], chunk.indices[: place + 1], strict=True)
    return [m.text for m, index in pairs if m.role == "user" and block.holds(index, m.text, last)]


def _is_plain(span: str) -> bool:
    is_short = len(span.split()) <= PLAIN_WORDS and not POINTS_BACK.match(span)
    return is_short and any(statement.is_plain for statement in own_statements(span))
