"""Where the page's leaderboard comes from: the Hub's table, read every few minutes, and the door for submissions."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from hub_toolkit.errors import HubError, PersonaMemError, SubmissionError
from hub_toolkit.hub.client import connect
from hub_toolkit.hub.leaderboard.intake import Intake, Received
from hub_toolkit.hub.leaderboard.last_good import LoadedTable, load_table
from hub_toolkit.hub.leaderboard.store import FOLDER, BoardRepos, list_submissions
from hub_toolkit.hub.leaderboard.worker import process_pending
from hub_toolkit.hub.transfer.commit import read_tree
from hub_toolkit.hub.transfer.pull import HF_SCHEME, open_dataset
from hub_toolkit.leaderboard.board import Board, open_board
from hub_toolkit.leaderboard.events import Event
from hub_toolkit.leaderboard.rank import TableRow, Way
from hub_toolkit.leaderboard.submission import PREDICTIONS_FILE
from hub_toolkit.settings import Settings

if TYPE_CHECKING:
    from huggingface_hub import HfApi

REFRESH_S, REHEARSAL_REFRESH_S = 300.0, 10.0
"""How old the table may get before it is read again; a Hub of this machine is being filled while one looks."""

MIN_GAP_S = 5.0
"""Between two readings, however often somebody presses the button."""

NOT_SET_UP = "This page has no leaderboard behind it: its owner sets PERSONAMEM_LEADERBOARD to name one."
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Snapshot:
    """The table as the page knows it. `age_s` is None where none was ever read; `error` says why it is not fresh."""

    rows: tuple[TableRow, ...] = ()
    log: tuple[Event, ...] = ()
    age_s: float | None = None
    error: str | None = None
    num_waiting: int = 0
    sha: str | None = None

    def find(self, digest: str) -> TableRow | None:
        """Return the row that a digest, or its first 8 digits or more, names."""
        found = [row for row in self.rows if len(digest) >= 8 and row["submission"].startswith(digest)]
        return found[0] if len(found) == 1 else None

    def events(self, digest: str) -> list[Event]:
        """Return what the public log says of a submission."""
        return [event for event in self.log if event["submission"] == digest]


@dataclass
class BoardSource:
    """One a page; every visitor reads the same table. `repos` is None where no leaderboard is set up."""

    boards: tuple[Board, ...]
    api: HfApi | None = None
    repos: BoardRepos | None = None
    settings: Settings | None = None
    intake: Intake | None = None
    _table: LoadedTable | None = None
    _read_s: float = 0.0
    _num_changes: int = 0
    _num_changes_read: int = 0
    _worked_s: float = float("-inf")
    _pass_began_s: float = float("-inf")
    _pass_failed: str | None = None
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _working: threading.Lock = field(default_factory=threading.Lock)
    _counting: threading.Lock = field(default_factory=threading.Lock)

    @property
    def board(self) -> Board:
        """The board that submissions to this page answer."""
        return self.boards[0]

    @property
    def is_rehearsal(self) -> bool:
        """Whether the Hub is one of this machine, where nobody has an account."""
        return self.settings is not None and urlsplit(self.settings.hub_endpoint).hostname in _LOOPBACK

    @property
    def has_sign_in(self) -> bool:
        """Whether visitors can sign in, so that it is known who sends."""
        return self.settings is not None and self.settings.has_sign_in

    @property
    def can_send(self) -> bool:
        """Whether anything can be sent from this page at all."""
        return self.intake is not None and (self.has_sign_in or self.is_rehearsal)

    def read(self) -> Snapshot:
        """Return the table; it is read from the Hub where what is known has grown old."""
        return self._read(REHEARSAL_REFRESH_S if self.is_rehearsal else REFRESH_S)

    def known(self) -> Snapshot:
        """Return the table as it was last read: what a visitor does with it never waits for the Hub."""
        return self._read(math.inf)

    def refresh(self) -> Snapshot:
        """Read the table anew, unless it was read a moment ago; what this page has changed is in it."""
        return self._read(MIN_GAP_S, is_waiting=self._is_changed)

    def _read(self, max_age_s: float, *, is_waiting: bool = False) -> Snapshot:
        """One reader at a time; whoever comes meanwhile gets what is known, and waits only where nothing is."""
        if self.api is None or self.repos is None or self.settings is None:
            return Snapshot(error=NOT_SET_UP)
        if self._is_old(max_age_s) and self._guard.acquire(blocking=is_waiting or self._table is None):
            try:
                if self._is_old(max_age_s):
                    num_changes = self._num_changes  # a change while it is read may not be in it
                    self._table = load_table(self.api, self.repos, self.settings.cache_dir)
                    self._read_s, self._num_changes_read = time.monotonic(), num_changes
            finally:
                self._guard.release()
        return self._snapshot()

    @property
    def _is_changed(self) -> bool:
        return self._num_changes_read < self._num_changes

    def _is_old(self, max_age_s: float) -> bool:
        if self._table is None or max_age_s == math.inf:
            return self._table is None
        return self._is_changed or time.monotonic() - self._read_s >= max_age_s

    def _snapshot(self) -> Snapshot:
        table = self._table
        if table is None:
            return Snapshot(error="The table has not been read yet.")
        age_s = None if table.age_s is None else table.age_s + time.monotonic() - self._read_s
        return Snapshot(tuple(table.rows), tuple(table.log), age_s, table.error, table.num_waiting, table.sha)

    def send(self, predictions: bytes, meta: bytes, submitter: str) -> Received:
        """Keep a submission on the Hub.

        Raises: SubmissionError: it is not acceptable. HubError: nothing was kept.
        """
        if self.intake is None:
            raise SubmissionError(NOT_SET_UP)
        way: Way = "rehearsal" if self.is_rehearsal else "form"
        return self.intake.receive(predictions, meta, submitter, way=way)

    def work(self) -> str | None:
        """Score what waits, where this page may write the results; return why not.

        Many who ask at once share a pass: one that began after somebody asked has seen what they sent.
        """
        if self.api is None or self.repos is None:
            return NOT_SET_UP
        asked_s = time.monotonic()
        with self._working:
            if self._pass_began_s <= asked_s:
                self._pass_began_s = time.monotonic()
                self._pass_failed = self._score_pending(self.api, self.repos)
            return self._pass_failed

    def _score_pending(self, api: HfApi, repos: BoardRepos) -> str | None:
        try:
            process_pending(api, repos, self.boards)
        except PersonaMemError as error:
            return str(error)
        self.expire()
        return None

    def expire(self) -> None:
        """Have the table read anew by whoever asks next: this page has changed it."""
        with self._counting:
            self._num_changes += 1

    def catch_up(self) -> None:
        """Score what a page that was killed has left behind: an attempt every `REFRESH_S`, while something waits."""
        if self._table is None or not self._table.num_waiting or time.monotonic() - self._worked_s < REFRESH_S:
            return
        self._worked_s = time.monotonic()
        self.work()

    def is_received(self, digest: str) -> bool:
        """Whether the submissions' repo holds it. Raises: HubError."""
        if self.api is None or self.repos is None:
            raise HubError(NOT_SET_UP)
        return digest in list_submissions(read_tree(self.api, self.repos.submissions))

    def link(self, digest: str, name: str = PREDICTIONS_FILE) -> str | None:
        """Return where a submission's file can be read."""
        if self.settings is None or self.repos is None:
            return None
        ref = self.repos.submissions
        place = quote(f"{FOLDER}/{digest}/{name}")
        return f"{self.settings.hub_endpoint}/datasets/{ref.repo_id}/resolve/{quote(ref.revision or 'main')}/{place}"


def open_source(settings: Settings) -> BoardSource:
    """Return the leaderboard of the settings.

    Raises: DataFormatError, HubError: the dataset of its questions is broken or cannot be had, or the owner's name will
        not do.
    """
    boards = open_boards(settings)
    if not settings.leaderboard:
        return BoardSource(boards, settings=settings)
    api, repos = connect(settings), BoardRepos.of(settings.leaderboard)
    source = BoardSource(boards, api, repos, settings)
    source.intake = Intake(api, repos, boards, **_pace(source))
    return source


def _pace(source: BoardSource) -> dict[str, Any]:
    """A Hub on this machine has no limit of commits."""
    return {"gap_s": 0.0} if source.is_rehearsal else {}


def open_boards(settings: Settings) -> tuple[Board, ...]:
    """Return the boards of the page: that of PersonaMem-mini, before it that of a dataset at a pinned commit.

    Raises: DataFormatError, HubError.
    """
    mini = open_board()
    name = settings.dataset.removeprefix(f"{HF_SCHEME}datasets/").removeprefix(HF_SCHEME)
    repo_id, _, revision = name.partition("@")
    if not settings.dataset.startswith(HF_SCHEME) or not revision:
        return (mini,)
    folder = open_dataset(settings.dataset, settings)
    board = open_board(str(folder), dataset=repo_id, revision=revision)
    return (mini,) if board.ids_digest == mini.ids_digest else (board, mini)
