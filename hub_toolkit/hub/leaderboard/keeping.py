"""What maintainers and submitters do with a row: compare, withdraw, dispute. Each change writes one event."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hub_toolkit.errors import SubmissionError
from hub_toolkit.evaluate.compare import compare_rows, pair_rows
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
from hub_toolkit.leaderboard.plain_text import clean_line
from hub_toolkit.leaderboard.rank import TableRow
from hub_toolkit.leaderboard.score import Scored, score_submission
from hub_toolkit.leaderboard.submission import Submission
from hub_toolkit.leaderboard.table_answers import compare_entries

if TYPE_CHECKING:
    from huggingface_hub import HfApi

MAX_REASON_CHARS = 500


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
    return change_row(api, repos, name, Act("withdrawn", who, reason), lambda _: None)


def dispute_submission(api: HfApi, repos: BoardRepos, name: str, *, who: str, reason: str) -> str:
    """Mark a row as disputed, with who and why. Return its digest.

    Raises: SubmissionError: there is none of that name in the table, or the reason cannot be shown.
    """
    text = clean_reason(reason)
    mark = {"who": who, "time": utc_now(), "reason": text}
    act = Act("disputed", who, text)
    return change_row(api, repos, name, act, lambda row: {**row, "status": "disputed", "dispute": mark})


def settle_dispute(api: HfApi, repos: BoardRepos, name: str, *, who: str, reason: str) -> str:
    """Take the mark of a dispute off a row; the log keeps both. Return its digest.

    Raises: SubmissionError: there is none of that name in the table, nobody disputes it, or the reason cannot be shown.
    """

    def settle(row: TableRow) -> TableRow:
        if row["dispute"] is None:
            raise SubmissionError(f"nobody disputes {row['submission'][:12]}; see `personamem leaderboard show`")
        status = "scored" if row["accuracy"] is not None else "pending_judges"
        return {**row, "status": status, "dispute": None}

    return change_row(api, repos, name, Act("disputed", who, f"settled: {reason}"), settle)


def clean_reason(reason: str) -> str:
    """Return a reason as it may stand in the public log.

    Raises: SubmissionError: empty, too long, or it holds markup.
    """
    return clean_line("reason", reason, "the request", max_chars=MAX_REASON_CHARS)


@dataclass(frozen=True)
class Act:
    """What is done to a row; it stands in the log."""

    kind: Kind
    who: str
    reason: str


def change_row(
    api: HfApi, repos: BoardRepos, name: str, act: Act, change: Callable[[TableRow], TableRow | None]
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
