"""The answers that a row of the table holds, a character each in the board's order, and rows compared by them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hub_toolkit.data.schema import Sample
from hub_toolkit.errors import SubmissionError
from hub_toolkit.evaluate.compare import Comparison, compare_rows, pair_rows
from hub_toolkit.evaluate.record import Answer, Row
from hub_toolkit.evaluate.rows import make_row, read_choice
from hub_toolkit.leaderboard.board import Board
from hub_toolkit.leaderboard.boards import find_board
from hub_toolkit.leaderboard.rank import TableRow

RIGHT, WRONG, FAILED, UNSCORED = "1", "0", "!", "?"
"""What judges said of an open answer; a multiple choice is its letter (`flags.choices_of`)."""


def marks_of(rows: Sequence[Row]) -> str:
    """Return what became of judged answers, in the rows' order."""
    return "".join(_mark(row.answer) for row in rows)


def _mark(answer: Answer) -> str:
    if answer.status == "failed":
        return FAILED
    if answer.status != "scored":
        return UNSCORED
    return RIGHT if answer.is_correct else WRONG


def rows_of(row: TableRow, boards: Sequence[Board]) -> list[Row]:
    """Return a submission's scored rows from what the table holds: nothing has to be fetched.

    Raises: SubmissionError: its board is not open here, or the table holds no answers (judges are awaited, or they
        judged for a version that kept none).
    """
    board = find_board(row["column"], boards)
    kept = row.get("choices") or ""
    is_open = row["task"] == "open"
    if len(kept) != len(board.samples):
        is_waiting = row["status"] == "pending_judges" or (is_open and row["judges"] is None)
        why = "it waits for judges" if is_waiting else "the table holds no answers of it"
        raise SubmissionError(f"{row['name']} cannot be compared: {why}")
    context = "128k" if row["context"] == "128k" else board.context
    return [
        make_row(
            sample,
            None if is_open else board.questions[sample.sample_id],
            _judged(mark) if is_open else _chosen(mark, sample, board),
            group_size=board.group_sizes.get(sample.group_id or ""),
            context=context,
        )
        for sample, mark in zip(board.samples, kept, strict=True)
    ]


def _judged(mark: str) -> Answer:
    if mark == FAILED:
        return Answer("failed", error="no output")
    return Answer("scored", is_correct=mark == RIGHT) if mark in (RIGHT, WRONG) else Answer("unscored")


def _chosen(choice: str, sample: Sample, board: Board) -> Answer:
    entry: dict[str, Any] = {
        "reply": f"\\boxed{{{choice}}}" if choice in "ABCD" else "",
        "finish_reason": None,
        "context_tokens": None,
        "input_tokens": 0,
        "output_tokens": 0,
        "is_estimated": False,
        "error": None,
    }
    return read_choice(entry, board.questions[sample.sample_id], board.protocol)


def compare_entries(a: TableRow, b: TableRow, boards: Sequence[Board]) -> Comparison:
    """Return the paired comparison B - A of two rows of one table.

    Raises: SubmissionError: they do not stand in one table, were judged by different panels, or hold no answers.
        DataFormatError: nothing to compare.
    """
    if (a["column"], a["task"]) != (b["column"], b["task"]):
        raise SubmissionError(
            "the two rows were not asked the same questions by the same protocol; compare rows of one table"
        )
    rows_a, rows_b = rows_of(a, boards), rows_of(b, boards)
    if a["task"] == "open" and a["judges"] != b["judges"]:
        raise SubmissionError(
            f"the two rows had different judges ({a['judges']}; {b['judges']}): a difference would be theirs too"
        )
    return compare_rows(pair_rows(rows_a, rows_b, names=(a["name"], b["name"])))
