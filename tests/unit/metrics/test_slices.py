"""Breakdowns."""

from __future__ import annotations

from hub_toolkit.metrics.slices import distance_bin, slice_rows


def test_rows_are_sliced_in_the_order_of_the_keys() -> None:
    assert slice_rows(["bee", "ant", "bat"], lambda word: word[0]) == {"a": ["ant"], "b": ["bee", "bat"]}


def test_distances_fall_into_bins_that_sort() -> None:
    assert distance_bin(0) == distance_bin(1023) == "000000-001023"
    assert distance_bin(1024) == "001024-002047"
    assert distance_bin(None) == "unknown"
    assert distance_bin(9000) < distance_bin(120_000)
