"""Connections to one SQLite file for the threads of a process: opened with care, and with errors that say what to do."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from hub_toolkit.errors import StoreError
from hub_toolkit.memory.stores.sqlite_schema import check_schema, migrate

BUSY_TIMEOUT_S = 30.0
"""How long a call waits for other writers."""

OPEN_WAIT_S = 2.0
"""How long opening waits for readers, to clear what a killed purge left in the log."""

_MAGIC = b"SQLite format 3\0"
_DAMAGED = (
    "the database is damaged; it was left as it is: restore a copy, or read out what is left with `sqlite3 .recover`"
)
_REMEDIES = {
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: "no SQLite database; it was left as it is: name another file",
    sqlite3.SQLITE_FULL: "the disk is full; nothing was changed: make room and repeat the call",
    sqlite3.SQLITE_READONLY: "cannot be written; nothing was changed: make the file and its folder writable",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened; make the file and its folder readable and writable",
    sqlite3.SQLITE_PERM: "cannot be opened; make the file and its folder readable and writable",
    sqlite3.SQLITE_BUSY: "another process keeps the database locked; nothing was changed: repeat the call when it is done",
    sqlite3.SQLITE_LOCKED: "another process keeps the database locked; nothing was changed: repeat the call when it is done",
    sqlite3.SQLITE_IOERR: "the disk failed or is full; nothing was changed: look at the disk, then repeat the call",
    sqlite3.SQLITE_TOOBIG: "a text is larger than a database row may be; nothing was changed: shorten it",
}


def damaged(path: Path) -> StoreError:
    """Return the error of a file whose rows cannot be read."""
    return StoreError(f"{path}: {_DAMAGED}")


@contextmanager
def explaining(path: Path) -> Iterator[None]:
    """Turn errors of SQLite and of the file system into StoreError."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", None)
        remedy = _REMEDIES.get((code or 0) & 0xFF, f"the database cannot be used ({error})")
        raise StoreError(f"{path}: {remedy}") from error
    except OSError as error:
        raise StoreError(
            f"{path}: cannot be opened ({error.strerror}); make the file and its folder readable and writable"
        ) from error


class Connections:
    """Lends each call a connection of its own; those given back are lent again.

    Raises (all calls): StoreError.
    """

    def __init__(self, path: Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> None:
        self.path = path
        self._busy_timeout_s = busy_timeout_s
        self._lock = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._inherited: list[sqlite3.Connection] = []
        self._pid = os.getpid()
        self._is_closed = False
        with explaining(path):
            _make_file(path)
            with closing(self._connect()) as db:
                self._prepare(db)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Read one snapshot, whoever writes meanwhile."""
        with self._transaction("BEGIN") as db:
            yield db

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Write all or nothing, alone; on leaving, it is on the disk."""
        with self._transaction("BEGIN IMMEDIATE") as db:
            yield db

    def clear_log(self) -> None:
        """Move all pages into the file and empty the write-ahead log, in which older pages stand.

        Raises: StoreError: another process reads an old snapshot and does not end.
        """
        with explaining(self.path), self._borrow() as db:
            if not _checkpoint(db, self._busy_timeout_s):
                raise StoreError(
                    f"{self.path}: the change is stored, but another process still reads the old state, so that its words "
                    "are still in the -wal file; end that process and open the store again: opening clears them"
                )

    def close(self) -> None:
        """Close what is idle; no call works any more."""
        with self._lock:
            self._is_closed, idle, self._idle = True, self._idle, []
        with explaining(self.path):
            for db in idle:
                db.close()

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        with explaining(self.path), self._borrow() as db:
            db.execute(begin)
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise

    @contextmanager
    def _borrow(self) -> Iterator[sqlite3.Connection]:
        db = self._take() or self._connect()
        try:
            yield db
        except sqlite3.Error:
            db.close()
            raise
        except BaseException:
            self._give_back(db)
            raise
        self._give_back(db)

    def _take(self) -> sqlite3.Connection | None:
        with self._lock:
            if self._is_closed:
                raise StoreError(f"{self.path}: the store is closed; open it again")
            if self._pid != os.getpid():
                # SQLite's connections do not survive a fork; closing them here would take the parent's locks.
                self._inherited += self._idle
                self._idle, self._pid = [], os.getpid()
            return self._idle.pop() if self._idle else None

    def _give_back(self, db: sqlite3.Connection) -> None:
        with self._lock:
            if not self._is_closed:
                self._idle.append(db)
                return
        db.close()

    def _connect(self) -> sqlite3.Connection:
        # The lock above sees to it that a connection is in one thread's hands at a time.
        db = sqlite3.connect(
            self.path, timeout=self._busy_timeout_s, isolation_level=None, check_same_thread=False, cached_statements=64
        )
        try:
            for pragma in ("synchronous = FULL", "secure_delete = ON", "foreign_keys = ON", "temp_store = MEMORY"):
                db.execute(f"PRAGMA {pragma}")
        except BaseException:
            db.close()
            raise
        return db

    def _prepare(self, db: sqlite3.Connection) -> None:
        check_schema(db, self.path)
        _until_free(lambda: _set_journal(db, self.path), self._busy_timeout_s)
        migrate(db, self.path)
        _checkpoint(db, OPEN_WAIT_S)


def _checkpoint(db: sqlite3.Connection, wait_s: float) -> bool:
    """Empty the write-ahead log; False where a reader held on to it for so long."""
    deadline = time.monotonic() + wait_s
    while True:
        db.execute("PRAGMA busy_timeout = 100")
        (is_busy, *_) = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        db.execute(f"PRAGMA busy_timeout = {int(BUSY_TIMEOUT_S * 1000)}")
        if not is_busy or time.monotonic() > deadline:
            return not is_busy


def _set_journal(db: sqlite3.Connection, path: Path) -> None:
    (mode,) = db.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise StoreError(f"{path}: this file system has no shared memory for a write-ahead log; take a local disk")


def _until_free(call: Callable[[], object], wait_s: float) -> None:
    """Repeat a call for which SQLite does not wait by itself."""
    deadline = time.monotonic() + wait_s
    while True:
        try:
            call()
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _make_file(path: Path) -> None:
    """Create the file for its owner alone; look at one that is there.

    Raises: StoreError: there is something that is no SQLite database. OSError.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        return
    except FileExistsError:
        pass
    if not stat.S_ISREG(path.stat().st_mode):
        raise StoreError(f"{path}: not a file; name the file of the database")
    with path.open("r+b") as file:
        start = file.read(len(_MAGIC))
    if start and start != _MAGIC:
        raise StoreError(f"{path}: {_REMEDIES[sqlite3.SQLITE_NOTADB]}")
