"""Takes submissions in: checked at once, and committed together, so that many at once make few commits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from hub_toolkit.errors import HubError, SubmissionError
from hub_toolkit.hub.leaderboard.store import (
    DAILY_LIMIT,
    BoardRepos,
    Outcome,
    Sent,
    check_account,
    send_submissions,
)
from hub_toolkit.leaderboard.board import Board
from hub_toolkit.leaderboard.boards import read_for_boards
from hub_toolkit.leaderboard.events import utc_now
from hub_toolkit.leaderboard.rank import Receipt, Way

if TYPE_CHECKING:
    from huggingface_hub import HfApi

GAP_S = 30.0
"""Between two commits: the Hub allows about 128 an hour."""

MAX_BATCH_BYTES = 256 * 2**20


@dataclass(frozen=True)
class Received:
    """The answer to whoever sent a submission: it is kept under `digest`. `known`: it was there already."""

    digest: str
    status: Literal["received", "known"]
    time: str


@dataclass
class _Ticket:
    sent: Sent
    outcome: Outcome | None = None
    error: HubError | None = None
    is_done: bool = False


@dataclass
class Intake:
    """Where the page and the commands hand submissions in. One a process; any number of threads may call it.

    Whoever comes while a commit is under way waits and goes with the next one. What `receive` has acknowledged is on
    the Hub; a process that is killed loses nothing that it acknowledged.
    """

    api: HfApi
    repos: BoardRepos
    boards: Sequence[Board]
    daily_limit: int | None = DAILY_LIMIT
    gap_s: float = GAP_S
    clock: Callable[[], str] = utc_now
    num_commits: int = 0
    _waiting: list[_Ticket] = field(default_factory=list)
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _turn: threading.Lock = field(default_factory=threading.Lock)
    _last_s: float | None = None

    def receive(self, predictions: bytes, meta: bytes, submitter: str, *, way: Way = "form") -> Received:
        """Check a submission, keep it on the Hub, and return its receipt; sending it again returns the same digest.

        `submitter` is the account as the Hub knows it.
        Raises: SubmissionError: it is not acceptable, or the account has sent too many today. HubError: the Hub cannot
            be reached; nothing was kept.
        """
        _, submission = read_for_boards(predictions, meta, self.boards)
        receipt = Receipt(check_account(submitter), self.clock(), way)
        ticket = _Ticket(Sent(submission.digest, predictions, meta, receipt))
        with self._guard:
            self._waiting.append(ticket)
        with self._turn:
            while not ticket.is_done:
                self._commit_batch()
        if ticket.error is not None:
            raise HubError(str(ticket.error)) from ticket.error
        assert ticket.outcome is not None
        if ticket.outcome.status == "refused":
            raise SubmissionError(ticket.outcome.message)
        return Received(submission.digest, ticket.outcome.status, receipt.time)

    def _commit_batch(self) -> None:
        """Commit what waits; called by one thread at a time, for all who wait."""
        if self._last_s is not None:
            time.sleep(max(0.0, self._last_s + self.gap_s - time.monotonic()))
        batch = self._take()
        try:
            sent = [ticket.sent for ticket in batch]
            outcomes = send_submissions(self.api, self.repos, sent, daily_limit=self.daily_limit)
            for ticket in batch:
                ticket.outcome = outcomes[ticket.sent.digest]
            if any(outcome.status == "received" for outcome in outcomes.values()):
                self._last_s, self.num_commits = time.monotonic(), self.num_commits + 1
        except HubError as error:
            for ticket in batch:
                ticket.error = error
        finally:
            for ticket in batch:
                if ticket.outcome is None and ticket.error is None:
                    ticket.error = HubError("the commit failed; nothing was kept, send it again")
                ticket.is_done = True

    def _take(self) -> list[_Ticket]:
        """Take the first that wait, at least one, as many as one commit holds."""
        with self._guard:
            size, count = 0, 0
            for ticket in self._waiting:
                size += len(ticket.sent.predictions)
                if count and size > MAX_BATCH_BYTES:
                    break
                count += 1
            batch, self._waiting = self._waiting[:count], self._waiting[count:]
            return batch
