"""Accuracy with an interval that knows that one persona's questions are not independent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

NUM_RESAMPLES = 10_000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95 % interval. `value` is None without rows, the interval with fewer than two clusters."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    num_clusters: int

    @property
    def is_bounded(self) -> bool:
        """Whether there is an interval."""
        return self.low is not None and self.high is not None


def estimate_mean(
    scores: Sequence[float], clusters: Sequence[int], *, seed: int = 0, num_resamples: int = NUM_RESAMPLES
) -> Estimate:
    """Return the mean of the scores with the percentile interval of a bootstrap that draws whole clusters.

    `scores` and `clusters` have one entry a row. The same seed gives the same interval.
    """
    if len(scores) != len(clusters):
        raise ValueError(f"{len(scores)} scores for {len(clusters)} clusters")
    if not scores:
        return Estimate(None, None, None, 0, 0)
    sums: defaultdict[int, float] = defaultdict(float)
    sizes: defaultdict[int, int] = defaultdict(int)
    for score, cluster in zip(scores, clusters, strict=True):
        sums[cluster] += score
        sizes[cluster] += 1
    keys = sorted(sums)
    mean = sum(scores) / len(scores)
    if len(keys) < 2:
        return Estimate(mean, None, None, len(scores), len(keys))
    rng = np.random.default_rng(seed)
    draws_BK = rng.multinomial(len(keys), np.full(len(keys), 1 / len(keys)), size=num_resamples)  # noqa: N806
    means = (draws_BK @ np.array([sums[k] for k in keys])) / (draws_BK @ np.array([sizes[k] for k in keys]))
    tail = (1 - CONFIDENCE) / 2
    low, high = (float(bound) for bound in np.quantile(means, (tail, 1 - tail)))
    return Estimate(mean, low, high, len(scores), len(keys))


def paired_lift(own: Sequence[float], other: Sequence[float], clusters: Sequence[int], *, seed: int = 0) -> Estimate:
    """Return by how much `own` beats `other` on the same rows, with the clustered interval of the difference."""
    return estimate_mean([a - b for a, b in zip(own, other, strict=True)], clusters, seed=seed)


@dataclass(frozen=True)
class GroupAccuracy:
    """How many whole swap groups were answered right for every owner. `value` is None without a whole group."""

    value: float | None
    num_right: int
    num_groups: int


def group_accuracy(rows: Iterable[tuple[str, int, bool]]) -> GroupAccuracy:
    """Return the share of groups with every owner right, from (group_id, group_size, is_correct) of each row.

    A group of which a row is missing is left out.
    """
    members: defaultdict[str, list[bool]] = defaultdict(list)
    sizes: dict[str, int] = {}
    for group_id, group_size, is_correct in rows:
        members[group_id].append(is_correct)
        sizes[group_id] = group_size
    whole = [marks for group_id, marks in members.items() if len(marks) == sizes[group_id]]
    num_right = sum(all(marks) for marks in whole)
    return GroupAccuracy(num_right / len(whole) if whole else None, num_right, len(whole))
