"""Clustered intervals, paired lifts and whole groups."""

from __future__ import annotations

import math
import random

import pytest

from hub_toolkit.metrics.accuracy import estimate_mean, group_accuracy, paired_lift


def test_same_seed_same_interval() -> None:
    rng = random.Random(0)
    scores, clusters = [rng.random() for _ in range(200)], [rng.randrange(20) for _ in range(200)]
    assert estimate_mean(scores, clusters, seed=3) == estimate_mean(scores, clusters, seed=3)
    assert estimate_mean(scores, clusters, seed=3) != estimate_mean(scores, clusters, seed=4)


def test_order_of_rows_does_not_matter() -> None:
    rows = [(1.0, 7), (0.0, 7), (1.0, 2), (0.0, 2), (1.0, 9), (1.0, 9)]
    shuffled = random.Random(0).sample(rows, len(rows))
    a = estimate_mean([s for s, _ in rows], [c for _, c in rows])
    b = estimate_mean([s for s, _ in shuffled], [c for _, c in shuffled])
    assert (a.low, a.high, a.num_clusters) == (b.low, b.high, 3)


def test_interval_matches_theory_for_equal_clusters() -> None:
    rng = random.Random(1)
    cluster_means = [rng.random() for _ in range(100)]
    scores = [mean for mean in cluster_means for _ in range(25)]
    clusters = [cluster for cluster in range(100) for _ in range(25)]
    estimate = estimate_mean(scores, clusters)
    mean = sum(cluster_means) / 100
    error = math.sqrt(sum((m - mean) ** 2 for m in cluster_means) / 100 / 100)
    assert estimate.value == pytest.approx(mean)
    assert estimate.low == pytest.approx(mean - 1.96 * error, abs=0.2 * error)
    assert estimate.high == pytest.approx(mean + 1.96 * error, abs=0.2 * error)


def test_interval_is_wider_than_for_independent_rows() -> None:
    scores = [float(cluster % 2) for cluster in range(20) for _ in range(25)]
    clustered = estimate_mean(scores, [cluster for cluster in range(20) for _ in range(25)])
    independent = estimate_mean(scores, list(range(500)))
    assert clustered.low is not None and independent.low is not None
    assert clustered.low < independent.low - 0.1


def test_without_rows_or_with_one_cluster_there_is_no_interval() -> None:
    nothing = estimate_mean([], [])
    assert (nothing.value, nothing.n, nothing.is_bounded) == (None, 0, False)
    one = estimate_mean([1.0, 0.0], [5, 5])
    assert (one.value, one.low, one.high, one.num_clusters) == (0.5, None, None, 1)


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="scores"):
        estimate_mean([1.0], [])


def test_paired_lift_is_of_the_same_rows() -> None:
    lift = paired_lift([1, 1, 0, 1], [0, 1, 0, 0], [1, 1, 2, 2])
    assert lift.value == 0.5
    assert lift.low is not None and lift.high is not None and lift.low <= 0.5 <= lift.high


def test_group_counts_only_when_every_owner_is_right() -> None:
    rows = [("a", 2, True), ("a", 2, True), ("b", 2, True), ("b", 2, False), ("c", 2, True)]
    assert group_accuracy(rows).num_right == 1
    assert (group_accuracy(rows).value, group_accuracy(rows).num_groups) == (0.5, 2)
    assert group_accuracy([]).value is None
