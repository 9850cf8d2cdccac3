"""How strongly a memory points to each option of a question: words alone, no model."""

from __future__ import annotations

from dataclasses import dataclass

from hub_toolkit.answer.lexical import support
from hub_toolkit.answer.mcq import Question
from hub_toolkit.data.terms import content_stems, words


@dataclass(frozen=True)
class Support:
    """Shares that add up to 1, in the order of the options. `pick` is None where the memory says nothing on any."""

    with_memory: tuple[float, ...]
    without_memory: tuple[float, ...]
    pick: int | None


def measure_support(memory_text: str, question: Question) -> Support:
    """Return how a memory, and no memory at all, divide between the options."""
    scores = support(memory_text, question.options, query=question.query.text)
    nothing = support("", question.options, query=question.query.text)
    best = max(range(len(scores)), key=lambda i: (round(scores[i], 9), -i))
    return Support(_shares(scores), _shares(nothing), best if scores[best] > 0 else None)


def _shares(scores: list[float]) -> tuple[float, ...]:
    """Divide by the sum; equal shares where there is nothing to divide."""
    total = sum(scores)
    return tuple(score / total if total else 1 / len(scores) for score in scores)


def telling_text(question: Question, place: int) -> str:
    """Return the words of one option that count for it: those of the query or of every option do not."""
    everywhere = frozenset.intersection(*(frozenset(content_stems(option)) for option in question.options))
    known = everywhere | set(content_stems(question.query.text))
    return " ".join(word for word in words(question.options[place]) if not known.intersection(content_stems(word)))
