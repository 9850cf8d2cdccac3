"""A maintainer's rerun set beside what was sent, and beside the same system on personas that nobody else has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import hypot
from typing import Any

from hub_toolkit.errors import SubmissionError
from hub_toolkit.evaluate.compare import compare_rows, pair_rows
from hub_toolkit.evaluate.judging import JudgeRecord
from hub_toolkit.evaluate.record import Row
from hub_toolkit.evaluate.report import accuracy, chosen_rows
from hub_toolkit.leaderboard.flags import NOT_REPRODUCED
from hub_toolkit.leaderboard.rank import TableRow

MAX_LOST_SHARE = 0.05
"""Of a rerun's answers that may have failed, or that judges could not score: they say nothing of the system."""


def describe_panel(record: JudgeRecord) -> str:
    """Return who judged, and what they were told otherwise than by the protocol, as a row names it."""
    told = [f"{name} {value}" for name, value in sorted(record.deviations.items())]
    return "; ".join([", ".join(record.judges), *told])


def set_beside(rerun: Sequence[Row], sent: Sequence[Row]) -> dict[str, Any]:
    """Return the rerun's accuracy, and how far what was sent lies above it (paired, clustered by persona).

    Questions to which the rerun has no scored answer are counted and left out of the comparison.
    Raises: SubmissionError: too many of them, or too few personas to tell.
    """
    own = {row.sample_id: row for row in sent}
    answered = _answered(rerun, "the rerun")
    overall = compare_rows(pair_rows(answered, sent, names=("the rerun", "what was sent")))["overall"]
    if overall["low"] is None:
        raise SubmissionError("all questions are of one persona, which tells nothing of chance: no rerun verifies that")
    same = [
        _said(row) == _said(own[row.sample_id]) for row in answered if own[row.sample_id].answer.status != "unscored"
    ]
    name = "same_verdicts" if answered[0].options is None else "same_choices"
    return {
        **_figures("rerun", rerun, answered),
        name: sum(same) / len(same),
        "excess": overall["difference"],
        "excess_low": overall["low"],
        "excess_high": overall["high"],
        "is_borne_out": overall["low"] <= 0,
    }


def measure_gap(public: Sequence[Row], private: Sequence[Row]) -> dict[str, Any]:
    """Return the accuracy on held-out personas, and by how much that on the board's lies above it.

    The two are of different personas, hence independent: the interval of their difference is put together from theirs.
    Source: Zou and Donner 2008 (square-and-add; Newcombe 1998, method 10, for shares).
    Raises: SubmissionError: too many of the held-out answers failed.
    """
    answered = _answered(private, "the held-out run")
    a, b = accuracy(chosen_rows(public)), accuracy(chosen_rows(private))
    gap = a["value"] - b["value"]
    low = high = None
    if None not in (a["low"], b["low"]):
        low = max(-1.0, gap - hypot(a["value"] - a["low"], b["high"] - b["value"]))
        high = min(1.0, gap + hypot(a["high"] - a["value"], b["value"] - b["low"]))
    figures = _figures("held_out", private, answered)
    return {**figures, "held_out_rows": len(private), "gap": gap, "gap_low": low, "gap_high": high}


def describe_rerun(found: Mapping[str, Any]) -> str:
    """Return what a rerun came to in one line; what it does not hold as a number is passed over."""
    parts = [
        f"{title} {found[f'{stem}{end}']:{form}}{_reach(found, stem, form)}"
        for stem, end, title, form in _TOLD
        if isinstance(value := found.get(f"{stem}{end}"), int | float) and (value or not stem.endswith("_lost"))
    ]
    return ", ".join(parts)


_TOLD = (
    ("rerun", "_accuracy", "rerun", ".1%"),
    ("same_choices", "", "same choices", ".1%"),
    ("same_verdicts", "", "same verdicts", ".1%"),
    ("excess", "", "what was sent lies above it by", "+.1%"),
    ("held_out", "_accuracy", "held out", ".1%"),
    ("gap", "", "gap", "+.1%"),
    ("rerun_lost", "", "answers of the rerun that failed or could not be judged:", "d"),
    ("held_out_lost", "", "of the held-out run:", "d"),
)


def without_rerun(row: TableRow) -> TableRow:
    """Return a row as it was before any rerun."""
    flags = [kept for kept in row["flags"] if not kept.startswith(f"{NOT_REPRODUCED}:")]
    return {**row, "tier": "recomputed", "verified": None, "flags": flags}


def _answered(rows: Sequence[Row], what: str) -> list[Row]:
    """Return the rows that say something of the system. Raises: SubmissionError: too few."""
    answered = [row for row in rows if row.answer.status not in ("failed", "unscored")]
    num_lost = len(rows) - len(answered)
    if num_lost > MAX_LOST_SHARE * len(rows) or not chosen_rows(answered):
        raise SubmissionError(
            f"{num_lost} of {len(rows)} answers of {what} failed or could not be judged, which says nothing of the "
            f"system (at most {MAX_LOST_SHARE:.0%}): go on with it and --retry-failed"
        )
    return answered


def _figures(name: str, rows: Sequence[Row], answered: Sequence[Row]) -> dict[str, Any]:
    figures = accuracy(chosen_rows(rows))
    return {
        f"{name}_accuracy": figures["value"],
        f"{name}_low": figures["low"],
        f"{name}_high": figures["high"],
        f"{name}_lost": len(rows) - len(answered),
    }


def _said(row: Row) -> Any:
    return row.answer.is_correct if row.options is None else row.answer.choice


def _reach(found: Mapping[str, Any], stem: str, form: str) -> str:
    low, high = found.get(f"{stem}_low"), found.get(f"{stem}_high")
    return f" [{low:{form}}, {high:{form}}]" if isinstance(low, float) and isinstance(high, float) else ""
