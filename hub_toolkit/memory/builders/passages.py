"""Passages of a history, and the search that finds those which bear on a question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from hub_toolkit.data.history import chunk_messages
from hub_toolkit.data.schema import History
from hub_toolkit.data.terms import stem, words
from hub_toolkit.data.tokens import TokenCounter
from hub_toolkit.memory.builders.embedding import Embedder
from hub_toolkit.prompts.render import escape_tags
from hub_toolkit.types import Message

MIN_TERM_CHARS = 3
FUSION_RANK = 61
"""Added to a rank that counts from 0 before it is inverted.

Source: Cormack, Clarke, Büttcher 2009, reciprocal rank fusion with k = 60 for ranks from 1."""

_SCORE_DIGITS = 6


@dataclass(frozen=True)
class Passage:
    """A user message with the replies that follow it, or a piece of such.

    `indices` are 0-based places in the file's `chat_history`; `tokens` is the size of `render()`.
    """

    messages: tuple[Message, ...]
    indices: tuple[int, ...]
    tokens: int

    @property
    def text(self) -> str:
        """The words alone, as they are searched."""
        return "\n".join(message.text for message in self.messages)

    def render(self) -> str:
        """Return the passage as a reader sees it."""
        return _render(self.messages, self.indices)


def _render(messages: Sequence[Message], indices: Sequence[int]) -> str:
    lines = "\n".join(f"{message.role}: {escape_tags(message.text)}" for message in messages)
    return f"[{indices[0]}]\n{lines}"


def search_terms(text: str) -> list[str]:
    """Return the words that are searched: stemmed, of three letters or more. Common ones count little by themselves."""
    return [term for word in words(text) if len(term := stem(word)) >= MIN_TERM_CHARS]


def cut_passages(history: History, counter: TokenCounter, *, passage_tokens: int) -> tuple[Passage, ...]:
    """Cut a history into passages: each user message begins one; what is longer than `passage_tokens` is cut again."""
    starts = [place for place, message in enumerate(history.messages) if place == 0 or message.role == "user"]
    passages = []
    for start, end in pairwise([*starts, len(history)]):
        part = History(history.messages[start:end], history.indices[start:end], {}, history.source)
        for chunk in chunk_messages(part, counter, chunk_tokens=passage_tokens):
            tokens = counter.count(_render(chunk.messages, chunk.indices))
            passages.append(Passage(chunk.messages, chunk.indices, tokens))
    return tuple(passages)


class PassageIndex:
    """Searches the passages of one history; built once, asked for each question.

    BM25 ranks them; with an `embedder`, nearness in meaning does too, and both ranks are put together.
    """

    def __init__(self, passages: Sequence[Passage], *, k1: float, b: float, embedder: Embedder | None = None) -> None:
        # Only this reader needs it, and importing it takes longer than the command's help.
        import bm25s

        self.passages = tuple(passages)
        terms = [search_terms(passage.text) for passage in self.passages]
        self._vocabulary = frozenset(term for passage in terms for term in passage)
        # In float64, so that the order in which the library sums, which differs by process, cannot change a rank.
        self._index = bm25s.BM25(method="lucene", k1=k1, b=b, dtype="float64")
        if self._vocabulary:
            self._index.index(terms, show_progress=False)
        self._embedder = embedder
        self._vectors = embedder.embed([passage.text for passage in self.passages]) if embedder else []

    def rank(self, query: str) -> list[Passage]:
        """Return the passages that have to do with the query, the best first.

        Of passages that are equally good the later one comes first: what changed stands at the end.
        """
        by_words = _order(self._word_scores(query))
        if self._embedder is None:
            return [self.passages[place] for place in by_words]
        [wanted] = self._embedder.embed([query])
        nearness = [sum(a * b for a, b in zip(wanted, vector, strict=True)) for vector in self._vectors]
        fused = [0.0] * len(self.passages)
        for order in (by_words, _order(nearness)):
            for rank, place in enumerate(order):
                fused[place] += 1 / (FUSION_RANK + rank)
        return [self.passages[place] for place in _order(fused)]

    def search(self, query: str, *, budget_tokens: int) -> tuple[Passage, ...]:
        """Return the best passages that fit the budget together, in order of time."""
        taken, room = set(), budget_tokens
        for passage in self.rank(query):
            if passage.tokens <= room:
                room -= passage.tokens
                taken.add(id(passage))
        return tuple(passage for passage in self.passages if id(passage) in taken)

    def _word_scores(self, query: str) -> list[float]:
        wanted = [term for term in dict.fromkeys(search_terms(query)) if term in self._vocabulary]
        if not wanted:
            return [0.0] * len(self.passages)
        return [float(score) for score in self._index.get_scores(wanted)]


def _order(scores: Sequence[float]) -> list[int]:
    """Return the places of all scores above 0, the highest first, of equal ones the later first."""
    rounded = [round(score, _SCORE_DIGITS) for score in scores]
    return [place for place in sorted(range(len(scores)), key=lambda i: (-rounded[i], -i)) if rounded[place] > 0]
