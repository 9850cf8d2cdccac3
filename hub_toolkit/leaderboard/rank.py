"""The leaderboard's table: one flat row a submission, in the order of what was measured."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from hub_toolkit.evaluate.record import STATUSES
from hub_toolkit.leaderboard.board import Board
from hub_toolkit.leaderboard.flags import Flag, choices_of
from hub_toolkit.leaderboard.licences import name_licence
from hub_toolkit.leaderboard.score import Scored, mean_tokens
from hub_toolkit.leaderboard.sketch import sketch_texts
from hub_toolkit.leaderboard.submission import Submission

Tier = Literal["self_reported", "recomputed", "verified"]
RowStatus = Literal["scored", "pending_judges", "withdrawn", "disputed"]
Way = Literal["form", "cli", "pull_request", "rehearsal"]
TableRow = dict[str, Any]

FORMAT_VERSION = 1
TEXT_COLUMNS = ("by_type", "verified", "dispute")
"""Columns of objects: a file of the table holds them as JSON text, so that its schema is always the same."""

_ESTIMATES = ("accuracy", "length_controlled", "no_context", "lift", "group_accuracy", "sensitive_info")


@dataclass(frozen=True)
class Receipt:
    """Who sent a submission and when (ISO 8601, UTC), as the Hub or the page knows it, not as it says itself."""

    submitter: str
    time: str
    way: Way = "form"


def make_table_row(
    submission: Submission, scored: Scored, board: Board, receipt: Receipt, flags: Sequence[Flag] = ()
) -> TableRow:
    """Return a submission as the flat row that the table and `load_dataset` hold: every row has every column."""
    meta, tokens = submission.meta, mean_tokens(submission.predictions)
    is_open = meta.task == "open"
    row: TableRow = {
        "format_version": FORMAT_VERSION,
        "submission": submission.digest,
        "outputs": submission.outputs_digest,
        "sketch": sketch_texts((p.sample_id, p.output or "") for p in submission.predictions) if is_open else "",
        "column": board.column,
        "ids_digest": board.ids_digest,
        "protocol_digest": board.protocol.digest,
        **vars(meta),
        "licence": name_licence(meta.licence) or meta.licence,
        "submitter": receipt.submitter,
        "time": receipt.time,
        "way": receipt.way,
        "tier": "recomputed" if scored.report is not None else "self_reported",
        "status": "scored" if scored.report is not None else "pending_judges",
        "rows": scored.report["rows"] if scored.report else None,
        **{f"num_{status}": sum(r.answer.status == status for r in scored.rows) for status in STATUSES},
        "num_rows": len(scored.rows),
        **tokens,
        "flags": sorted(str(flag) for flag in flags),
        "choices": "" if is_open else choices_of(scored.rows),
        "judges": None,
        "agreement": None,
        "verified": None,
        "dispute": None,
    }
    return {**row, **figure_columns(scored.report or {})}


def figure_columns(report: Mapping[str, Any]) -> TableRow:
    """Return the columns that a report fills; None where it did not measure something."""
    by_type = {
        name: {key: part[key] for key in ("value", "low", "high", "n")}
        for name, part in report.get("breakdown", {}).get("pref_type", {}).items()
    }
    return {**_figures(report), "chance": report.get("chance"), "by_type": by_type}


def encode_row(row: Mapping[str, Any]) -> TableRow:
    """Return a row as a file holds it: every column, each of one type."""
    texts = {
        name: json.dumps(row[name], ensure_ascii=False, sort_keys=True) if row[name] is not None else None
        for name in TEXT_COLUMNS
    }
    return {**{name: row.get(name) for name in COLUMNS}, **texts}


def decode_row(line: Mapping[str, Any]) -> TableRow:
    """Return the row of a file's line; columns that an older version did not write are None.

    Raises: ValueError: a column of objects holds no JSON.
    """
    row: TableRow = {name: line.get(name) for name in COLUMNS}
    return {**row, **{name: json.loads(row[name]) if row[name] is not None else None for name in TEXT_COLUMNS}}


_TEXTS = (
    *("submission", "outputs", "column", "ids_digest", "protocol_digest"),
    *("name", "model", "revision", "dataset", "dataset_revision", "protocol", "task", "context", "harness"),
    *("licence", "contact", "split", "url", "notes", "submitter", "time", "way", "tier", "status", "rows"),
    *("choices", "sketch", "judges", *TEXT_COLUMNS),
)
_FLOATS = (
    *("parameters_b", "cost_usd", "input_tokens", "output_tokens", "chance", "agreement"),
    *(f"{name}{end}" for name in _ESTIMATES for end in ("", "_low", "_high")),
)
_COUNTS = ("format_version", "num_rows", *(f"num_{status}" for status in STATUSES))
COLUMNS: dict[str, str] = {
    **dict.fromkeys(_TEXTS, "string"),
    **dict.fromkeys(_FLOATS, "float64"),
    **dict.fromkeys(_COUNTS, "int64"),
    "flags": "list",
}
"""Every column of the table and its type; a list is one of texts."""


def _figures(report: Mapping[str, Any]) -> TableRow:
    """Return each estimate with its interval; None where it was not measured."""
    parts = {
        "accuracy": report.get("accuracy"),
        "length_controlled": report.get("length_controlled"),
        "no_context": (report.get("baselines") or {}).get("no_context"),
        "lift": report.get("counterfactual_lift"),
        "group_accuracy": report.get("group_accuracy"),
        "sensitive_info": report.get("sensitive_info"),
    }
    return {
        name if key == "value" else f"{name}_{key}": (parts[name] or {}).get(key)
        for name in _ESTIMATES
        for key in ("value", "low", "high")
    }


def rank_rows(rows: Iterable[TableRow]) -> list[TableRow]:
    """Return the rows by column, task, and accuracy downwards; what has no score comes last, then who came first."""
    return sorted(
        rows,
        key=lambda row: (
            row["column"],
            row["task"],
            row["accuracy"] is None,
            -(row["accuracy"] or 0.0),
            row["time"],
            row["submission"],
        ),
    )


def filter_rows(rows: Iterable[TableRow], *, text: str = "", **wanted: Any) -> list[TableRow]:
    """Return the rows whose fields have the wanted values (None: any) and whose name, model or sender holds `text`."""
    needle = text.casefold().strip()
    return [
        row
        for row in rows
        if all(value is None or row.get(name) == value for name, value in wanted.items())
        and (not needle or any(needle in str(row[name]).casefold() for name in ("name", "model", "submitter")))
    ]
