"""Baselines that never read a history."""

from __future__ import annotations

import pytest

from hub_toolkit.metrics.leakage import baseline_scores, length_weights

OPTIONS = ("four", "sixsix", "fivee", "ten letter")


@pytest.mark.parametrize(
    ("gold", "expected"),
    [
        (0, {"longest_option": 0.0, "shortest_option": 1.0, "first_option": 1.0}),
        (3, {"longest_option": 1.0, "shortest_option": 0.0, "first_option": 0.0}),
        (1, {"longest_option": 0.0, "shortest_option": 0.0, "first_option": 0.0}),
    ],
)
def test_baselines(gold: int, expected: dict[str, float]) -> None:
    assert baseline_scores(OPTIONS, gold) == expected


def test_equal_lengths_share_the_point() -> None:
    assert baseline_scores(("aa", "bb", "c", "d"), 1)["longest_option"] == 0.5
    assert baseline_scores(("aa", "bb", "c", "d"), 1)["shortest_option"] == 0.0


def test_whoever_goes_by_length_is_at_chance_with_the_weights() -> None:
    rows = [(OPTIONS, 3)] * 7 + [(OPTIONS, 0)] * 2 + [(OPTIONS, 1)] + [(OPTIONS, 2)] * 3
    weights = length_weights(rows)
    assert sum(weights) == pytest.approx(len(rows))
    for rule in ("longest_option", "shortest_option"):
        points = [w * baseline_scores(*row)[rule] for w, row in zip(weights, rows, strict=True)]
        assert sum(points) / len(rows) == pytest.approx(0.25)


def test_weights_are_one_where_lengths_are_balanced_or_equal() -> None:
    assert length_weights([(OPTIONS, gold) for gold in range(4)]) == pytest.approx([1.0] * 4)
    assert length_weights([(("a", "b", "c", "d"), 2)] * 3) == pytest.approx([1.0] * 3)
    assert length_weights([]) == []
