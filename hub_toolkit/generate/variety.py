"""How varied texts are: distinct n-grams, and sentences that come more than once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from hub_toolkit.generate.lower_words import lower_words

MIN_SENTENCE_WORDS = 6
"""Shorter sentences recur everywhere ("Thank you, that will do.")."""
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"”)]?\s+|(?<=[。！？])|\n+")


@dataclass(frozen=True)
class Variety:
    """Shares between 0 and 1; `distinct[n]` is different n-grams by all n-grams of the first `num_words` words."""

    num_words: int
    distinct: dict[int, float]
    repeated_sentences: float


def sentences_of(text: str) -> list[str]:
    """Return the sentences of some length, in lower case."""
    found = (" ".join(lower_words(part)) for part in _SENTENCE_END.split(text))
    return [sentence for sentence in found if sentence.count(" ") + 1 >= MIN_SENTENCE_WORDS]


def measure_variety(texts: Sequence[str], *, num_words: int) -> Variety:
    """Measure the first `num_words` words of some texts; only equal amounts can be compared."""
    tokens: list[str] = []
    kept: list[str] = []
    for text in texts:
        if len(tokens) >= num_words:
            break
        tokens += lower_words(text)
        kept += sentences_of(text)
    tokens = tokens[:num_words]
    distinct = {n: _distinct(tokens, n) for n in (1, 2, 3)}
    counts = Counter(kept)
    repeated = sum(count for count in counts.values() if count > 1) / len(kept) if kept else 0.0
    return Variety(len(tokens), distinct, repeated)


def share_of_known(texts: Sequence[str], known: Sequence[str]) -> float:
    """Return the share of sentences that also stand, word for word, in other texts."""
    others = {sentence for text in known for sentence in sentences_of(text)}
    mine = [sentence for text in texts for sentence in sentences_of(text)]
    return sum(sentence in others for sentence in mine) / len(mine) if mine else 0.0


def _distinct(tokens: list[str], n: int) -> float:
    grams = [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]
    return len(set(grams)) / len(grams) if grams else 0.0
