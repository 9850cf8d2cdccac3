"""Readers that know some rule of thumb and no history: what they reach above chance is given away by the questions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from hub_toolkit.data.schema import Sample
from hub_toolkit.data.terms import content_stems
from hub_toolkit.metrics.leakage import BASELINES, baseline_scores

GUESSES = (*BASELINES, "like_query", "central_option", "odd_option")
"""The option most like the query, most like the others (they are its variations), least like them (it breaks a theme).

Source: PROTOCOL §6, by what a frontier reader without a history was right in 40 of 42 questions.
"""


def guess_scores(query: str, options: Sequence[str], gold_index: int) -> dict[str, float]:
    """Return what each rule of thumb scores on one question; options that are equal by it share the point."""
    stems = [set(content_stems(option)) for option in options]
    asked = set(content_stems(query))
    likeness = [sum(_jaccard(mine, other) for other in stems) for mine in stems]
    return {
        **baseline_scores(options, gold_index),
        "like_query": _share([_jaccard(mine, asked) for mine in stems], gold_index),
        "central_option": _share(likeness, gold_index),
        "odd_option": _share([-value for value in likeness], gold_index),
    }


def _jaccard(left: set[str], right: set[str]) -> float:
    return len(left & right) / len(left | right) if left | right else 0.0


def _share(values: Sequence[float], gold_index: int) -> float:
    best = [place for place, value in enumerate(values) if value >= max(values) - 1e-9]
    return 1 / len(best) if gold_index in best else 0.0


def other_answers(samples: Sequence[Sample]) -> Callable[[Sample], str]:
    """Return what tells a row's owner's right answers to all other questions: picks for one person should agree."""
    golds: Mapping[int, dict[str, str]] = defaultdict(dict)
    for sample in samples:
        golds[sample.cluster][sample.sample_id] = sample.correct_answer

    def tell(sample: Sample) -> str:
        return " ".join(text for name, text in golds[sample.cluster].items() if name != sample.sample_id)

    return tell


def persona_text(sample: Sample) -> str:
    """Return a row's description of its owner: age, work, home, manner."""
    return " ".join(str(value) for value in sample.expanded_persona.values())
