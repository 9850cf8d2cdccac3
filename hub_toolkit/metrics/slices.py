"""Breakdowns: the same figure for each kind of row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import TypeVar

Row = TypeVar("Row")

DISTANCE_BIN_TOKENS = 1024
"""Source: protocol v1, distance from the snippet to the question."""


def slice_rows(rows: Iterable[Row], key: Callable[[Row], str]) -> dict[str, list[Row]]:
    """Return the rows by key, keys sorted."""
    slices: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        slices[key(row)].append(row)
    return dict(sorted(slices.items()))


def distance_bin(distance_tokens: int | None) -> str:
    """Return the bin of 1,024 tokens that a distance falls into; padded, so that bins sort as text."""
    if distance_tokens is None:
        return "unknown"
    start = distance_tokens // DISTANCE_BIN_TOKENS * DISTANCE_BIN_TOKENS
    return f"{start:06d}-{start + DISTANCE_BIN_TOKENS - 1:06d}"
