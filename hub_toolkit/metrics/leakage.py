"""What an answerer gets that never read the history: the baselines beside every accuracy."""

from __future__ import annotations

from collections.abc import Sequence

BASELINES = ("longest_option", "shortest_option", "first_option")
"""Source: measured leaks of PersonaMem-v2's multiple choice."""


def baseline_scores(options: Sequence[str], gold_index: int) -> dict[str, float]:
    """Return what each baseline scores on one question; options of equal length share the point."""
    lengths = [len(option) for option in options]
    return {
        "longest_option": _share(lengths, max(lengths), gold_index),
        "shortest_option": _share(lengths, min(lengths), gold_index),
        "first_option": 1.0 if gold_index == 0 else 0.0,
    }


def length_weights(rows: Sequence[tuple[Sequence[str], int]]) -> list[float]:
    """Return a weight for each (options, gold_index), 1 on average: the right option's length rank counts equally.

    The longest, second, … and shortest right options get the same say, so whoever goes by length alone comes out at
    chance on any data. A right option that is as long as others shares their ranks.
    """
    shares = [_rank_shares(options, gold_index) for options, gold_index in rows]
    totals = [sum(column) for column in zip(*shares, strict=True)]
    num_ranks = sum(total > 0 for total in totals)
    return [
        sum(share * len(rows) / (num_ranks * total) for share, total in zip(row, totals, strict=True) if total)
        for row in shares
    ]


def _rank_shares(options: Sequence[str], gold_index: int) -> list[float]:
    lengths = sorted((len(option) for option in options), reverse=True)
    gold = len(options[gold_index])
    return [1 / lengths.count(gold) if length == gold else 0.0 for length in lengths]


def _share(lengths: Sequence[int], wanted: int, gold_index: int) -> float:
    return 1 / lengths.count(wanted) if lengths[gold_index] == wanted else 0.0
