"""Scores what was sent and is not in the table yet; whatever kills it, the next call goes on.

A pass reads what is there, computes, and writes table and log in one commit: there is no state between. Two workers at
once do the same work, and the second finds it done.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hub_toolkit.errors import DataFormatError, SubmissionError
from hub_toolkit.hub.leaderboard.store import (
    BoardRepos,
    Sent,
    change_table,
    list_submissions,
    read_results,
    read_sent,
)
from hub_toolkit.hub.transfer.commit import RemoteTree, read_tree
from hub_toolkit.leaderboard.board import Board
from hub_toolkit.leaderboard.boards import read_for_boards
from hub_toolkit.leaderboard.events import FINAL, Event, make_event, utc_now
from hub_toolkit.leaderboard.flags import find_rule_flags, flag_copies, gold_choices
from hub_toolkit.leaderboard.rank import Receipt, TableRow, make_table_row
from hub_toolkit.leaderboard.score import score_submission

if TYPE_CHECKING:
    from huggingface_hub import HfApi

MAX_BATCH = 50
"""Submissions scored for one commit: the Hub allows about 128 commits an hour."""

TOOLKIT = "personamem"
"""Who the log names where no person acted."""


@dataclass(frozen=True)
class Processed:
    """What one pass did, by digest; `num_waiting` are left for the next."""

    scored: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    num_waiting: int = 0
    num_commits: int = 0


@dataclass
class _Batch:
    rows: list[TableRow] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    golds: dict[str, str] = field(default_factory=dict)

    def change(self, table: list[TableRow], log: list[Event]) -> tuple[list[TableRow], list[Event]]:
        """Add what the table has not got yet, and flag copies against what it holds now."""
        done = settled(table, log)
        new = [row for row in self.rows if row["submission"] not in done]
        events = [event for event in self.events if event["submission"] not in done]
        rows = [*table, *new]
        names = frozenset(row["submission"] for row in new)
        for column in sorted({row["column"] for row in new}):
            part = [row for row in rows if row["column"] == column]
            flagged = {row["submission"]: row for row in flag_copies(part, names, self.golds[column])}
            rows = [flagged.get(row["submission"], row) for row in rows]
        return rows, [*events, *_flag_events([*table, *new], rows, names)]


def process_pending(
    api: HfApi, repos: BoardRepos, boards: Board | Sequence[Board], *, max_batch: int = MAX_BATCH
) -> Processed:
    """Score the submissions that are neither in the table nor done with in the log, in one commit.

    Raises: HubError: the Hub cannot be reached or refused; the table is as it was, or holds the whole batch.
        DataFormatError: the table or the log in the repo are broken.
    """
    boards = (boards,) if isinstance(boards, Board) else boards
    tree = read_tree(api, repos.submissions)
    _, table, log = read_results(api, repos)
    done = settled(table, log)
    waiting = [digest for digest in list_submissions(tree) if digest not in done]
    if not waiting:
        return Processed()
    batch = _Batch()
    for digest in waiting[:max_batch]:
        _score(api, repos, tree, digest, boards=boards, batch=batch)
    message = f"Scored {len(batch.rows)} submissions"
    result = change_table(api, repos, batch.change, message=message)
    scored = tuple(row["submission"] for row in batch.rows)
    refused = tuple(digest for digest in waiting[:max_batch] if digest not in scored)
    return Processed(scored, refused, len(waiting) - len(scored) - len(refused), int(result.is_new))


def settled(table: Iterable[TableRow], log: Iterable[Event]) -> set[str]:
    """Return the submissions that are not scored again: in the table, refused or withdrawn."""
    return {row["submission"] for row in table} | {event["submission"] for event in log if event["kind"] in FINAL}


def _score(
    api: HfApi, repos: BoardRepos, tree: RemoteTree, digest: str, *, boards: Sequence[Board], batch: _Batch
) -> None:
    """Put a submission's row and events into the batch; one that is broken is refused, and keeps nobody waiting."""
    now = utc_now()
    try:
        sent = read_sent(api, repos, tree, digest)
    except DataFormatError as error:
        batch.events.append(make_event(digest, "refused", who=TOOLKIT, time=now, reason=str(error)))
        return
    receipt = sent.receipt
    batch.events.append(make_event(digest, "received", who=receipt.submitter, time=receipt.time, reason=receipt.way))
    try:
        board, row = score_sent(sent, boards)
    except SubmissionError as error:
        batch.events.append(make_event(digest, "refused", who=TOOLKIT, time=now, reason=str(error)))
        return
    batch.golds[board.column] = gold_choices(board)
    batch.rows.append(row)
    batch.events.append(make_event(digest, "accepted", who=TOOLKIT, time=now, reason=board.column))
    if row["status"] == "scored":
        batch.events.append(make_event(digest, "scored", who=TOOLKIT, time=now, reason=_describe(row)))


def score_sent(sent: Sent, boards: Sequence[Board]) -> tuple[Board, TableRow]:
    """Return a submission's row as it is before it is compared with others.

    Raises: SubmissionError: it is not acceptable.
    """
    board, submission = read_for_boards(sent.predictions, sent.meta, boards)
    if submission.digest != sent.digest:
        raise SubmissionError("the folder's name is not the digest of what it holds")
    scored = score_submission(submission, board)
    return board, make_table_row(submission, scored, board, sent.receipt, find_rule_flags(scored.rows, scored.samples))


def preview_row(predictions: bytes, meta: bytes, boards: Sequence[Board], *, submitter: str = "you") -> TableRow:
    """Return the row that a submission would get, without sending it; copies are not looked for.

    Raises: SubmissionError: it is not acceptable.
    """
    _, submission = read_for_boards(predictions, meta, boards)
    return score_sent(Sent(submission.digest, predictions, meta, Receipt(submitter, utc_now())), boards)[1]


def _describe(row: TableRow) -> str:
    value = row["accuracy"]
    return f"accuracy {value:.4f}" if value is not None else "no accuracy"


def _flag_events(before: list[TableRow], after: list[TableRow], new: frozenset[str]) -> list[Event]:
    """Return an event for each flag that a row has got."""
    had = {row["submission"]: set(row["flags"]) if row["submission"] not in new else set() for row in before}
    return [
        make_event(row["submission"], "flagged", who=TOOLKIT, time=utc_now(), reason=flag)
        for row in after
        for flag in row["flags"]
        if flag not in had[row["submission"]]
    ]
