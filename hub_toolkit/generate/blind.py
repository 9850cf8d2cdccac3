"""A classifier that never sees a history: if it learns anything, the questions give their answers away."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hub_toolkit.data.schema import Sample
from hub_toolkit.generate.lower_words import lower_words
from hub_toolkit.generate.seeding import rng_for

NUM_BUCKETS = 1 << 18
Tell = Callable[[Sample], str]
"""What a classifier gets to know of a row beside its options."""

_EPOCHS = 4
_RATE = 0.3


def option_order(sample: Sample) -> list[str]:
    """Return a row's options in an order that is the same for all owners of its group."""
    name = sample.group_id or sample.sample_id
    options = (sample.correct_answer, *sample.incorrect_answers)
    return sorted(options, key=lambda option: hashlib.sha256(f"{name}:{option}".encode()).digest())


@lru_cache(maxsize=1 << 20)
def _bucket(feature: str) -> int:
    return int.from_bytes(hashlib.blake2b(feature.encode(), digest_size=4).digest(), "big") % NUM_BUCKETS


@dataclass(frozen=True)
class _Row:
    features: tuple[NDArray[np.int32], ...]
    gold: int


def query_text(sample: Sample) -> str:
    """Return what a row asks."""
    return sample.user_query.text


def encode_row(sample: Sample, tell: Tell) -> _Row:
    """Hash each option's words, alone, with its place and beside the words of what is told with the question."""
    options = option_order(sample)
    context = sorted(set(lower_words(tell(sample))))
    features = []
    for place, option in enumerate(options):
        own = sorted(set(lower_words(option)))
        named = [f"place:{place}", f"length:{len(option) // 8}", *own]
        named += [f"{left}*{right}" for left in context for right in own]
        features.append(np.array([_bucket(name) for name in named], dtype=np.int32))
    return _Row(tuple(features), options.index(sample.correct_answer))


def train_blind(samples: Sequence[Sample], *, seed: int, tell: Tell = query_text) -> NDArray[np.float64]:
    """Fit a softmax over each row's four options by stochastic gradient steps (AdaGrad)."""
    weights, squares = np.zeros(NUM_BUCKETS), np.full(NUM_BUCKETS, 1e-6)
    rng = rng_for(seed, "blind")
    rows = [encode_row(sample, tell) for sample in samples]
    for _ in range(_EPOCHS):
        rng.shuffle(rows)
        for row in rows:
            slopes = _probabilities(weights, row)
            slopes[row.gold] -= 1
            for features, slope in zip(row.features, slopes, strict=True):
                squares[features] += slope * slope
                weights[features] -= _RATE * slope / np.sqrt(squares[features])
    return weights


def score_blind(weights: NDArray[np.float64], samples: Sequence[Sample], *, tell: Tell = query_text) -> Iterator[float]:
    """Yield 1 where the highest score is the right option's; equal scores share the point."""
    for sample in samples:
        row = encode_row(sample, tell)
        scores = [float(weights[features].sum()) for features in row.features]
        best = [place for place, score in enumerate(scores) if score >= max(scores) - 1e-12]
        yield 1 / len(best) if row.gold in best else 0.0


def _probabilities(weights: NDArray[np.float64], row: _Row) -> NDArray[np.float64]:
    scores = np.array([weights[features].sum() for features in row.features])
    raised = np.exp(scores - scores.max())
    shares: NDArray[np.float64] = raised / raised.sum()
    return shares
