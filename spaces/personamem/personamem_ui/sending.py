"""Who sends what to the leaderboard from this page: submissions, disputes, withdrawals; form and API go one way."""

from __future__ import annotations

import threading
from typing import Literal

from hub_toolkit.errors import PersonaMemError, SubmissionError
from hub_toolkit.hub.leaderboard.intake import Received
from hub_toolkit.hub.leaderboard.keeping import clean_reason, dispute_submission, withdraw_submission
from hub_toolkit.hub.leaderboard.store import check_account, read_results
from hub_toolkit.leaderboard.events import Event, utc_now
from hub_toolkit.leaderboard.rank import TableRow
from hub_toolkit.leaderboard.submission import PREDICTIONS_FILE
from personamem_ui.board_source import NOT_SET_UP, BoardSource
from personamem_ui.board_status import find_status
from personamem_ui.checking import PAGE_LIMITS
from personamem_ui.visitors import current_visitor

RowAct = Literal["dispute", "withdraw"]

MAX_DISPUTES_A_DAY = 5
"""So many rows one account may dispute on one day (UTC)."""

_turn = threading.Lock()


def find_sender(source: BoardSource, written: str) -> str:
    """Return in whose name a visitor sends: the account that is signed in, or in a rehearsal the name they wrote.

    Raises: SubmissionError: nobody is signed in, the name is none, or this page cannot know who sends.
    """
    if source.has_sign_in:
        name = current_visitor().name
        if name is None:
            raise SubmissionError("sign in first")
        return name
    if not source.can_send:
        raise SubmissionError(
            "this page cannot know who sends; use `personamem leaderboard submit | dispute | withdraw`"
        )
    if not written.strip():
        raise SubmissionError("write a name first")
    return check_account(written.strip())


def send_files(source: BoardSource, predictions: bytes, meta: bytes, sender: str) -> Received:
    """Keep a submission, within what the form takes.

    Raises: SubmissionError: it is not acceptable, or too many today. HubError: nothing was kept.
    """
    if len(predictions) > PAGE_LIMITS.size_bytes:
        raise SubmissionError(
            f"{PREDICTIONS_FILE}: {len(predictions):,} bytes; at most {PAGE_LIMITS.size_bytes:,} are taken here"
        )
    return source.send(predictions, meta, sender)


def score_sent(source: BoardSource, digest: str) -> str:
    """Score what waits, and say what became of one that was sent."""
    why = source.work()
    if why:
        return f"It waits for the maintainers' worker: this page cannot score it itself ({why})."
    try:
        status = find_status(source, digest)
    except PersonaMemError as error:
        return f"It was received; the table cannot be read just now ({error})."
    if status.row is None:
        return f"It was received and is {status.status}. {status.reason}".strip()
    return "It is scored: the tab Leaderboard shows its row after Refresh."


def check_act(row: TableRow, act: RowAct, sender: str, reason: str) -> str:
    """Return the reason as the public log will hold it.

    Raises: SubmissionError: this visitor may not do it to this row, or the reason cannot be shown.
    """
    if act == "withdraw" and row["submitter"].casefold() != sender.casefold():
        raise SubmissionError(f"only {row['submitter']}, who sent it, withdraws it; you can dispute it")
    if act == "dispute" and row["status"] == "disputed":
        raise SubmissionError("it is disputed already; the maintainers look at it")
    return clean_reason(reason)


def act_on_row(source: BoardSource, act: RowAct, digest: str, *, sender: str, reason: str) -> str:
    """Dispute or withdraw a row, and write it into the public log; return the row's digest.

    Raises: SubmissionError: there is no such row, this visitor may not, or too often today. HubError: nothing changed.
    """
    if source.api is None or source.repos is None:
        raise SubmissionError(NOT_SET_UP)
    with _turn:  # so that what counts against a day's limit is counted once
        _, rows, log = read_results(source.api, source.repos)
        row = next((row for row in rows if row["submission"] == digest), None)
        if row is None:
            raise SubmissionError(f"{digest[:12]} is not in the table any more")
        text = check_act(row, act, sender, reason)
        if act == "dispute":
            _check_day(log, sender)
        do = dispute_submission if act == "dispute" else withdraw_submission
        done = do(source.api, source.repos, digest, who=sender, reason=text)
    source.expire()
    return done


def _check_day(log: list[Event], sender: str) -> None:
    today = utc_now()[:10]
    own = [e for e in log if e["kind"] == "disputed" and e["who"].casefold() == sender.casefold()]
    if sum(event["time"].startswith(today) for event in own) >= MAX_DISPUTES_A_DAY:
        raise SubmissionError(f"{sender} has disputed {MAX_DISPUTES_A_DAY} rows today (UTC); that is all for one day")
