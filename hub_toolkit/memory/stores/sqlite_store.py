"""Memories of many users in one SQLite file: the rows are plain JSON, so that an owner can look through the file.

A version writes what changes, and moves what it replaces to the past. Forgotten words are overwritten in place, and the
write-ahead log is emptied before a purge returns; what a disk keeps of blocks that it gave up is beyond this.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from hub_toolkit.errors import ConflictError, StoreError
from hub_toolkit.memory.owner.audit import diff_documents
from hub_toolkit.memory.state import Change, MemoryState, Receipt, Session, Version
from hub_toolkit.memory.stores.redaction import Redaction, keep_tombstones, purge_receipt
from hub_toolkit.memory.stores.sqlite_connections import BUSY_TIMEOUT_S, Connections, damaged
from hub_toolkit.memory.stores.sqlite_owner import Entry, OwnerRows, StandingRow, read_names, show_user
from hub_toolkit.memory.stores.state_rows import (
    Kind,
    decode_row,
    decode_state,
    dump,
    encode_state,
    parse,
    parse_all,
    plan_moves,
    redact_row,
)
from hub_toolkit.memory.stores.store import Concerns

Record = TypeVar("Record", Version, Receipt, Session)


class SqliteStore:
    """A `MemoryStore` in one file, for many threads and processes at once.

    Raises (all calls): StoreError: the file is damaged, another program's, of a newer schema, locked, or cannot be
    written; or a user's name is none (see `encode_user`).
    """

    def __init__(
        self,
        path: Path | str,
        *,
        now: Callable[[], datetime] | None = None,
        busy_timeout_s: float = BUSY_TIMEOUT_S,
    ) -> None:
        self.path = Path(path)
        self._now = now or (lambda: datetime.now(UTC))
        self._connections = Connections(self.path, busy_timeout_s=busy_timeout_s)

    def __enter__(self) -> SqliteStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._connections.close()

    def users(self) -> list[str]:
        with self._connections.reading() as db, self._intact():
            return read_names(db)

    def load(self, user: str) -> tuple[int, MemoryState]:
        with self._connections.reading() as db:
            owner = OwnerRows.find(db, user)
            rows = owner.bodies() if owner else []
        return (owner.newest, self._decode(rows)) if owner else (0, MemoryState())

    def commit(self, user: str, state: MemoryState, change: Change, *, expect: int) -> Version:
        """Make `state` the next version; what was forgotten stays forgotten, also where `state` does not know it."""
        with self._connections.writing() as db:
            owner, standing = _open(OwnerRows.find(db, user), user, expect)
            state = keep_tombstones(self._decode_standing(standing), state)
            return self._write(owner or OwnerRows.create(db, user), standing, state, change)

    def purge(self, user: str, state: MemoryState, change: Change, *, concerns: Concerns, expect: int) -> Version:
        """Make `state` the next version, and take what it forgets out of the file.

        Out of the past go, besides what `concerns`, the bullets that `state` no longer has, under any wording. The same
        check is made of `state` itself and of the change's reason. A killed purge is not made, or made: its log is
        emptied when the store is opened next.
        """
        with self._connections.writing() as db:
            owner, standing = _open(OwnerRows.find(db, user), user, expect)
            before = self._decode_standing(standing)
            redaction = Redaction.of_change(before, state, concerns)
            state = redaction.state(keep_tombstones(before, state))
            owner = owner or OwnerRows.create(db, user)
            version = self._write(owner, standing, state, replace(change, reason=redaction.reason(change.reason)))
            num = self._redact_past(owner, redaction) + self._redact_log(owner, redaction)
            owner.append(Entry.RECEIPT, [dump(asdict(purge_receipt(change, num, version.time)))])
        self._connections.clear_log()
        return version

    def state_at(self, user: str, number: int) -> MemoryState:
        with self._connections.reading() as db:
            owner = OwnerRows.find(db, user)
            newest = owner.newest if owner else 0
            if not 0 <= number <= newest:
                raise StoreError(f"the memory of {show_user(user)} has no version {number}; the newest is {newest}")
            rows = owner.bodies_at(number) if owner else []
        return self._decode(rows) if number else MemoryState()

    def versions(self, user: str) -> list[Version]:
        return self._read_log(user, Entry.VERSION, Version)

    def receipts(self, user: str) -> list[Receipt]:
        return self._read_log(user, Entry.RECEIPT, Receipt)

    def sessions(self, user: str) -> list[Session]:
        return self._read_log(user, Entry.SESSION, Session)

    def delete_user(self, user: str) -> None:
        with self._connections.writing() as db:
            owner = OwnerRows.find(db, user)
            if owner:
                owner.delete()
        self._connections.clear_log()

    def _write(self, owner: OwnerRows, standing: Sequence[StandingRow], state: MemoryState, change: Change) -> Version:
        """Write a version: the rows that change, one line of the log, the change's receipts and sessions."""
        owner.advance()
        old = defaultdict[int, list[tuple[int, bytes]]](list)
        for row in standing:
            old[row.kind].append((row.place, row.body))
        rows = encode_state(state)
        for kind, bodies in rows.items():
            gone, come = plan_moves(old[kind], bodies)
            owner.end(kind, gone)
            owner.start(kind, come)
        time = self._now().astimezone(UTC).isoformat(timespec="seconds")
        counts = diff_documents(self._decode_standing(standing).document, state.document).counts
        version = Version(owner.newest, change.kind, change.author, change.reason, time, *counts)
        owner.append(Entry.VERSION, [dump(asdict(version))], first=version.number)
        owner.append(Entry.RECEIPT, [dump(asdict(replace(r, time=r.time or time))) for r in change.receipts])
        owner.append(Entry.SESSION, [dump(asdict(session)) for session in change.sessions])
        return version

    def _redact_past(self, owner: OwnerRows, redaction: Redaction) -> int:
        """Take out of past versions what must go; return of how many rows."""
        num = 0
        for row in owner.past():
            with self._intact():
                record = decode_row(row.kind, row.body)
            kept = redact_row(record, row.body, redaction)
            if kept != row.body:
                owner.replace_past(row, kept)
                num += 1
        return num

    def _redact_log(self, owner: OwnerRows, redaction: Redaction) -> int:
        """Take out of past reasons what must go; return of how many."""
        num = 0
        for row in owner.entries(Entry.VERSION):
            with self._intact():
                raw = parse(row.body)
                reason = str(raw["reason"])
            kept = redaction.reason(reason)
            if kept != reason:
                owner.replace_entry(Entry.VERSION, row, dump(raw | {"reason": kept}))
                num += 1
        return num

    def _read_log(self, user: str, entry: Entry, record: type[Record]) -> list[Record]:
        with self._connections.reading() as db:
            owner = OwnerRows.find(db, user)
            rows = owner.entries(entry) if owner else []
        with self._intact():
            return [record(**raw) for raw in parse_all(row.body for row in rows)]

    def _decode_standing(self, standing: Sequence[StandingRow]) -> MemoryState:
        return self._decode([(row.kind, row.body) for row in standing]) if standing else MemoryState()

    def _decode(self, rows: Sequence[tuple[int, bytes]]) -> MemoryState:
        with self._intact():
            by_kind = defaultdict[Kind, list[bytes]](list)
            for kind, body in rows:
                by_kind[Kind(kind)].append(body)
            return decode_state(by_kind)

    @contextmanager
    def _intact(self) -> Iterator[None]:
        """Say that the file is damaged where its rows cannot be read; the error does not carry their words."""
        try:
            yield
            return
        except (ValueError, TypeError, KeyError, AttributeError):
            pass
        raise damaged(self.path)


def _open(owner: OwnerRows | None, user: str, expect: int) -> tuple[OwnerRows | None, list[StandingRow]]:
    """Return the newest version's rows, if it is the expected one."""
    newest = owner.newest if owner else 0
    if newest != expect:
        raise ConflictError(
            f"the memory of {show_user(user)} is at version {newest}, not {expect}: somebody else changed it, and "
            "nothing was written; read it again and repeat the change"
        )
    return owner, owner.standing() if owner else []
