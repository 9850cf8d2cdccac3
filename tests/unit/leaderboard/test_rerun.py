"""The gap between the board's questions and held-out ones comes with an interval that holds the truth."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from hub_toolkit.errors import SubmissionError
from hub_toolkit.evaluate.record import Answer, Row
from hub_toolkit.evaluate.rows import make_row
from hub_toolkit.leaderboard.rerun import describe_rerun, measure_gap, set_beside
from tests.leaderboard_factory import mini_board

_SAMPLE = next(sample for sample in mini_board().samples if not sample.is_sensitive)
_ROW = replace(
    make_row(_SAMPLE, None, Answer("scored", is_correct=True), group_size=None, context="32k"), group_id=None
)
NUM_RUNS = 200


def make_rows(share: float, source: random.Random, *, num_personas: int = 20, first: int = 0) -> list[Row]:
    """Return ten rows a persona, each right with a probability that varies about `share` from persona to persona."""
    rows = []
    for persona in range(num_personas):
        own = min(1.0, max(0.0, share + source.uniform(-0.2, 0.2)))
        for number in range(10):
            answer = Answer("scored", is_correct=source.random() < own)
            name = f"q{first}-{persona}-{number}"
            rows.append(replace(_ROW, sample_id=name, persona_id=first + persona, cluster=persona, answer=answer))
    return rows


def test_the_interval_of_the_gap_holds_the_truth() -> None:
    source = random.Random(3)
    found = [measure_gap(make_rows(0.7, source), make_rows(0.5, source, first=99)) for _ in range(NUM_RUNS)]
    below, above = (sum(gap[end] > 0.2 if end == "gap_low" else gap[end] < 0.2 for gap in found) for end in BOUNDS)
    assert below + above <= 0.1 * NUM_RUNS and max(below, above) <= 0.07 * NUM_RUNS
    assert sum(gap["gap_high"] - gap["gap_low"] for gap in found) / NUM_RUNS < 0.3
    assert sum(gap["gap"] for gap in found) / NUM_RUNS == pytest.approx(0.2, abs=0.02)


BOUNDS = ("gap_low", "gap_high")


def test_what_failed_is_counted_and_never_held_against_a_system() -> None:
    sent = make_rows(0.7, random.Random(1))
    lost: dict[str, Any] = {"answer": Answer("failed", error="timeout")}
    few, many = ([replace(row, **lost) if n < num else row for n, row in enumerate(sent)] for num in (9, 11))
    found = set_beside(few, sent)
    assert (found["excess"], found["rerun_lost"], found["same_verdicts"], found["is_borne_out"]) == (0, 9, 1, True)
    assert "could not be judged: 9" in describe_rerun(found) and "failed" not in describe_rerun(set_beside(sent, sent))
    with pytest.raises(SubmissionError, match="11 of 200 answers of the rerun failed"):
        set_beside(many, sent)
    with pytest.raises(SubmissionError, match="11 of 200 answers of the held-out run failed"):
        measure_gap(sent, many)


def test_one_persona_verifies_nothing() -> None:
    sent = make_rows(0.7, random.Random(1), num_personas=1)
    with pytest.raises(SubmissionError, match="one persona"):
        set_beside(make_rows(0.3, random.Random(2), num_personas=1), sent)
