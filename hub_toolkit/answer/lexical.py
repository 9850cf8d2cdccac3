"""The answerer that needs no LLM: the option that the reader's text supports best, for how specific it is."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from hub_toolkit.data.terms import content_stems
from hub_toolkit.memory.owner.audit import rank_bullets as relevant_bullets
from hub_toolkit.memory.poison.provenance import split_sentences

BREADTH = 0.25
"""How much words found anywhere in the text count beside the best single passage."""

LENGTH_PENALTY = 0.5
"""0: support is a sum (specific, long options win); 1: a share (generic, short options win)."""

PASSAGE_SENTENCES = 3


def _passages(context: str) -> list[frozenset[str]]:
    """Return the stems of every bullet line, or of every few sentences where there are no bullets."""
    lines = [line for line in context.splitlines() if line.strip()]
    if lines and all(line.startswith("- ") for line in lines):
        return [frozenset(content_stems(line)) for line in lines]
    sentences = [frozenset(content_stems(s)) for s in split_sentences(context)]
    return [
        frozenset().union(*sentences[i : i + PASSAGE_SENTENCES])
        for i in range(max(1, len(sentences) - PASSAGE_SENTENCES + 1))
    ]


def _weights(options: Sequence[frozenset[str]], passages: Sequence[frozenset[str]]) -> dict[str, float]:
    """Weigh a stem by how few options share it and how few passages hold it."""
    in_options = Counter(stem for option in options for stem in option)
    in_passages = Counter(stem for passage in passages for stem in passage)
    return {
        stem: math.log(1 + len(options) / count)
        / math.log(1 + len(options))
        * (0.0 if count == len(options) else 1.0)
        / (1 + math.log(1 + in_passages[stem] / 3))
        for stem, count in in_options.items()
    }


def support(context: str, options: Sequence[str], *, query: str = "") -> list[float]:
    """Return how well the text supports each option, >= 0; all zero where it says nothing about any.

    Words that the query or all options share count nothing.
    """
    asked = frozenset(content_stems(query))
    stems = [frozenset(content_stems(option)) - asked for option in options]
    passages = _passages(context)
    weights = _weights(stems, passages)
    everywhere: frozenset[str] = frozenset().union(*passages) if passages else frozenset()
    scores = []
    for option in stems:
        best = max((sum(weights[s] for s in sorted(option & passage)) for passage in passages), default=0.0)
        total = sum(weights[s] for s in sorted(option & everywhere))
        size = sum(weights[s] for s in sorted(option)) or 1.0
        scores.append((best + BREADTH * total) / size**LENGTH_PENALTY)
    return scores


def pick(context: str, options: Sequence[str], *, query: str = "") -> int:
    """Return the place of the best supported option; the first where several are equal."""
    scores = support(context, options, query=query)
    return max(range(len(options)), key=lambda i: (round(scores[i], 9), -i))


__all__ = ["pick", "relevant_bullets", "support"]
