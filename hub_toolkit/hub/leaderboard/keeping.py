"""What maintainers and submitters do with a row: compare, withdraw, dispute, verify. Each writes one event."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub_toolkit.errors import DataFormatError, SubmissionError
from hub_toolkit.evaluate.compare import compare_rows, pair_rows
from hub_toolkit.evaluate.record import Row, RunRecord
from hub_toolkit.evaluate.report import load_run, score_rows
from hub_toolkit.hub.leaderboard.store import (
    BoardRepos,
    change_table,
    find_submission,
    list_submissions,
    read_results,
    read_sent,
)
from hub_toolkit.hub.transfer.commit import read_tree
from hub_toolkit.leaderboard.board import Board
from hub_toolkit.leaderboard.boards import read_for_boards
from hub_toolkit.leaderboard.events import Event, Kind, make_event, utc_now
from hub_toolkit.leaderboard.export import check_run, describe_system
from hub_toolkit.leaderboard.flags import NOT_REPRODUCED, Flag
from hub_toolkit.leaderboard.meta import clean_line
from hub_toolkit.leaderboard.rank import TableRow
from hub_toolkit.leaderboard.score import Scored, score_submission
from hub_toolkit.leaderboard.submission import Submission
from hub_toolkit.leaderboard.table_answers import compare_entries

if TYPE_CHECKING:
    from huggingface_hub import HfApi

MAX_REASON_CHARS = 500
VIA_API = "openai/"
"""How a run names a model behind an endpoint; whoever sends it may name the model alone."""


def load_scored(api: HfApi, repos: BoardRepos, boards: Sequence[Board], name: str) -> tuple[Board, Submission, Scored]:
    """Read a submission from the Hub and score it anew; `name` is its digest or the beginning of it.

    Raises: SubmissionError: there is none, or it is of another board. HubError: it cannot be had.
    """
    tree = read_tree(api, repos.submissions)
    sent = read_sent(api, repos, tree, find_submission(list_submissions(tree), name))
    board, submission = read_for_boards(sent.predictions, sent.meta, boards)
    return board, submission, score_submission(submission, board)


def compare_submissions(api: HfApi, repos: BoardRepos, boards: Sequence[Board], a: str, b: str) -> dict[str, Any]:
    """Return the paired comparison B - A of two submissions to one board, computed from their raw outputs.

    Open answers are compared by what the judges said, which the table holds.
    Raises: SubmissionError: one is not there, or they are of two boards. DataFormatError: nothing to compare.
    """
    board_a, submission_a, scored_a = load_scored(api, repos, boards, a)
    board_b, submission_b, scored_b = load_scored(api, repos, boards, b)
    if (board_a.column, submission_a.meta.task) != (board_b.column, submission_b.meta.task):
        raise SubmissionError(f"{a} and {b} stand on different boards: only rows of one column compare")
    if submission_a.meta.task == "open":
        rows = {row["submission"]: row for row in read_results(api, repos)[1]}
        missing = [one.digest[:12] for one in (submission_a, submission_b) if one.digest not in rows]
        if missing:
            raise SubmissionError(f"{missing[0]} is not in the table; run `personamem leaderboard work` first")
        return compare_entries(rows[submission_a.digest], rows[submission_b.digest], boards)
    return compare_rows(pair_rows(scored_a.rows, scored_b.rows, names=(a, b)))


def withdraw_submission(api: HfApi, repos: BoardRepos, name: str, *, who: str, reason: str) -> str:
    """Take a row from the table; the log keeps that it was there. Return its digest.

    Raises: SubmissionError: there is none of that name, or the reason cannot be shown.
    """
    return _change_row(api, repos, name, _Act("withdrawn", who, reason), lambda _: None)


def dispute_submission(api: HfApi, repos: BoardRepos, name: str, *, who: str, reason: str) -> str:
    """Mark a row as disputed, with who and why. Return its digest.

    Raises: SubmissionError: there is none of that name in the table, or the reason cannot be shown.
    """
    text = clean_reason(reason)
    mark = {"who": who, "time": utc_now(), "reason": text}
    act = _Act("disputed", who, text)
    return _change_row(api, repos, name, act, lambda row: {**row, "status": "disputed", "dispute": mark})


def settle_dispute(api: HfApi, repos: BoardRepos, name: str, *, who: str, reason: str) -> str:
    """Take the mark of a dispute off a row; the log keeps both. Return its digest.

    Raises: SubmissionError: there is none of that name in the table, or the reason cannot be shown.
    """

    def settle(row: TableRow) -> TableRow:
        status = "scored" if row["accuracy"] is not None else "pending_judges"
        return {**row, "status": status, "dispute": None}

    return _change_row(api, repos, name, _Act("disputed", who, f"settled: {reason}"), settle)


@dataclass(frozen=True)
class Rerun:
    """A maintainer's own run of a submission's system; `held_out` is one on personas that nobody else has."""

    run: Path
    who: str
    held_out: Path | None = None


def verify_submission(
    api: HfApi, repos: BoardRepos, boards: Sequence[Board], name: str, rerun: Rerun
) -> dict[str, Any]:
    """Record a maintainer's rerun of the same system: how far its answers agree, and what it scores.

    A rerun that scores worse than what was sent, beyond chance, is recorded and flagged, and verifies nothing. Of the
    held-out run only the accuracy and its gap to the public rerun are shown.
    Raises: SubmissionError: the rerun is of another system, or of other questions. DataFormatError: it is not complete.
    """
    board, submission, scored = load_scored(api, repos, boards, name)
    record, rows = load_run(rerun.run)
    _check_rerun(board, submission, record, rows, rerun.run)
    found = {
        "who": rerun.who,
        "time": utc_now(),
        "rerun_model": record.model["name"],
        **_set_beside(rows, scored.rows),
        **_measure_gap(rerun, record, rows, board),
    }
    reason = f"rerun {found['rerun_accuracy']:.4f}, same choices {found['same_choices']:.4f}"
    if found["gap"] is not None:
        reason += f", gap on held-out personas {found['gap']:+.4f}"
    flag = None if found["is_borne_out"] else str(Flag(NOT_REPRODUCED, reason))
    act = _Act("verified" if flag is None else "flagged", rerun.who, flag or reason)
    _change_row(api, repos, submission.digest, act, lambda row: _with_rerun(row, found, flag))
    return found


def _set_beside(rows: Sequence[Row], sent: Sequence[Row]) -> dict[str, Any]:
    """Return the rerun's accuracy, and how far what was sent lies above it (paired, clustered by persona)."""
    own = {row.sample_id: row.answer.choice for row in sent}
    overall = compare_rows(pair_rows(rows, sent, names=("the rerun", "what was sent")))["overall"]
    return {
        "rerun_accuracy": _accuracy(rows),
        "same_choices": sum(own[row.sample_id] == row.answer.choice for row in rows) / len(rows),
        "excess": overall["difference"],
        "excess_low": overall["low"],
        "excess_high": overall["high"],
        "is_borne_out": overall["low"] is None or overall["low"] <= 0,
    }


def _measure_gap(rerun: Rerun, record: RunRecord, rows: Sequence[Row], board: Board) -> dict[str, Any]:
    """Return what the same system scores on personas that nobody else has."""
    if rerun.held_out is None:
        return {"held_out_accuracy": None, "held_out_rows": None, "gap": None}
    private_record, private = load_run(rerun.held_out)
    if {row.sample_id for row in private} & set(board.by_id):
        raise SubmissionError(f"{rerun.held_out}: holds questions of the public board; a held-out run has none of them")
    for what, a, b in (
        ("model", record.model, private_record.model),
        ("protocol", record.protocol, private_record.protocol),
        ("reader", record.config["reader"], private_record.config["reader"]),
    ):
        if a != b:
            raise SubmissionError(f"{rerun.held_out}: its {what} is not that of {rerun.run}; run both alike")
    value = _accuracy(private)
    return {"held_out_accuracy": value, "held_out_rows": len(private), "gap": _accuracy(rows) - value}


def _with_rerun(row: TableRow, found: dict[str, Any], flag: str | None) -> TableRow:
    others = [kept for kept in row["flags"] if not kept.startswith(f"{NOT_REPRODUCED}:")]
    tier = "recomputed" if flag else "verified"
    return {**row, "tier": tier, "verified": found, "flags": sorted([*others, flag] if flag else others)}


def _check_rerun(board: Board, submission: Submission, record: RunRecord, rows: list[Row], run: Path) -> None:
    if submission.meta.task != "mcq":
        raise SubmissionError(f"{run}: only multiple choice is verified by a rerun so far")
    check_run(record, rows, board, run)
    system = describe_system(record, board)
    if system["context"] != submission.meta.context:
        raise SubmissionError(
            f"{run}: read {system['context']}, the submission {submission.meta.context}; run it as it was sent"
        )
    asked, sent = (name.removeprefix(VIA_API) for name in (str(system["model"]), submission.meta.model))
    if asked != sent:
        raise SubmissionError(f"{run}: is of the model {asked}, the submission of {sent}; run what was sent")


def _accuracy(rows: Sequence[Row]) -> float:
    figures = score_rows(rows)["accuracy"]
    if figures["value"] is None:
        raise DataFormatError("a run without any row that counts cannot verify a submission")
    return float(figures["value"])


def clean_reason(reason: str) -> str:
    """Return a reason as it may stand in the public log.

    Raises: SubmissionError: empty, too long, or it holds markup.
    """
    return clean_line("reason", reason, "the request", max_chars=MAX_REASON_CHARS)


@dataclass(frozen=True)
class _Act:
    kind: Kind
    who: str
    reason: str


def _change_row(
    api: HfApi, repos: BoardRepos, name: str, act: _Act, change: Callable[[TableRow], TableRow | None]
) -> str:
    """Change one row (None: take it out) and say so in the log, in one commit."""
    text = clean_reason(act.reason)
    tree = read_tree(api, repos.submissions)
    _, table, _ = read_results(api, repos)
    known = [*list_submissions(tree), *(row["submission"] for row in table)]
    digest = find_submission(known, name)
    event = make_event(digest, act.kind, who=act.who, time=utc_now(), reason=text)

    def apply(rows: list[TableRow], _: list[Event]) -> tuple[list[TableRow], list[Event]]:
        if act.kind != "withdrawn" and digest not in {row["submission"] for row in rows}:
            raise SubmissionError(f"{digest[:12]} is not in the table; wait until it is scored, or see the log")
        changed = [change(row) if row["submission"] == digest else row for row in rows]
        return [row for row in changed if row is not None], [event]

    change_table(api, repos, apply, message=f"{act.kind.capitalize()}: {digest[:12]}")
    return digest
