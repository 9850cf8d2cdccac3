"""All SQL that touches a memory: an `OwnerRows` is bound to one user, and every statement names that user.

Rows of `content` are never moved nor deleted, only overwritten where they are: SQLite's `secure_delete` clears a row
that is deleted, but not the copies that stay behind in other pages when a tree is balanced. The other tables hold
numbers only.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import unicodedata
from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Any, NamedTuple

from hub_toolkit.errors import StoreError
from hub_toolkit.memory.stores.sqlite_schema import VACANT

MAX_NAME_BYTES = 1024
_SHOWN_CHARS = 60
_ROW_STEP = 16
"""Rows are as long as a multiple of this, so that an emptied one fits another."""


class Entry(IntEnum):
    """What a row of the log is. The numbers stand in files: never change one."""

    NAME = 0
    VERSION = 1
    RECEIPT = 2
    SESSION = 3


class StandingRow(NamedTuple):
    kind: int
    place: int
    since: int
    content: int
    body: bytes


class PastRow(NamedTuple):
    kind: int
    place: int
    until: int
    content: int
    body: bytes


class LogRow(NamedTuple):
    number: int
    content: int
    body: bytes


def show_user(user: str) -> str:
    """Return a user's name for an error: quoted, and cut where it is long."""
    return ascii(user) if len(user) <= _SHOWN_CHARS else f"{user[:_SHOWN_CHARS]!a}…"


def encode_user(user: str) -> bytes:
    """Return a name as it is compared: byte by byte, so that case, accents and look-alikes make other users.

    Raises: StoreError: it is empty, too long, or holds control characters or half of a surrogate pair.
    """
    if not user or len(user) > MAX_NAME_BYTES or any(unicodedata.category(char) in ("Cc", "Cs") for char in user):
        raise StoreError(
            f"{show_user(user)}: no name for a user; take 1 to {MAX_NAME_BYTES} bytes without control characters"
        )
    name = user.encode("utf-8")
    if len(name) > MAX_NAME_BYTES:
        raise StoreError(f"{show_user(user)}: no name for a user; take at most {MAX_NAME_BYTES} bytes")
    return name


def read_names(db: sqlite3.Connection) -> list[str]:
    """Return the names of all users: the one statement that reads of more than one."""
    sql = "SELECT body FROM log JOIN content ON content.id = log.content AND content.user = log.user WHERE kind = ?"
    return sorted(json.loads(body) for (body,) in db.execute(sql, (Entry.NAME,)))


class OwnerRows:
    """The rows of one user, inside one transaction."""

    def __init__(self, db: sqlite3.Connection, user: int, newest: int) -> None:
        self._db, self._user, self.newest = db, user, newest

    @classmethod
    def find(cls, db: sqlite3.Connection, user: str) -> OwnerRows | None:
        """Return a user's rows, None where the store does not know the user."""
        key = hashlib.sha256(encode_user(user)).digest()
        row = db.execute("SELECT id, newest FROM users WHERE key = ?", (key,)).fetchone()
        return cls(db, *row) if row else None

    @classmethod
    def create(cls, db: sqlite3.Connection, user: str) -> OwnerRows:
        """Enter a user that is not known yet."""
        name = encode_user(user)
        sql = "INSERT INTO users (key, newest) VALUES (?, 0) RETURNING id"
        (number,) = db.execute(sql, (hashlib.sha256(name).digest(),)).fetchone()
        owner = cls(db, number, 0)
        # As JSON, so that spaces at its end are not taken for those that fill up a row.
        owner.append(Entry.NAME, [json.dumps(user, ensure_ascii=False).encode()], first=0)
        return owner

    def standing(self) -> list[StandingRow]:
        """Return the rows of the newest version, by kind and place."""
        return [
            StandingRow(kind, place, since, content, _strip(body))
            for kind, place, since, content, body in self._read(
                "SELECT kind, place, since, content, body FROM standing AS s LEFT JOIN content AS c"
                " ON c.id = s.content AND c.user = s.user WHERE s.user = :user ORDER BY kind, place"
            )
        ]

    def bodies(self) -> list[tuple[int, bytes]]:
        """Return (kind, body) of the newest version, by kind and place."""
        return self._read(
            "SELECT kind, body FROM standing AS s LEFT JOIN content AS c"
            " ON c.id = s.content AND c.user = s.user WHERE s.user = :user ORDER BY kind, place"
        )

    def bodies_at(self, number: int) -> list[tuple[int, bytes]]:
        """Return (kind, body) of a version, by kind and place."""
        return self._read(
            "SELECT kind, body FROM ("
            " SELECT user, kind, place, content FROM standing WHERE user = :user AND since <= :number"
            " UNION ALL SELECT user, kind, place, content FROM past"
            " WHERE user = :user AND since <= :number AND until > :number"
            ") AS s LEFT JOIN content AS c ON c.id = s.content AND c.user = s.user ORDER BY kind, place",
            number=number,
        )

    def past(self) -> list[PastRow]:
        """Return the rows that no longer stand."""
        return [
            PastRow(kind, place, until, content, _strip(body))
            for kind, place, until, content, body in self._read(
                "SELECT kind, place, until, content, body FROM past AS s LEFT JOIN content AS c"
                " ON c.id = s.content AND c.user = s.user WHERE s.user = :user"
            )
        ]

    def entries(self, kind: Entry) -> list[LogRow]:
        """Return the rows of the log of one kind, oldest first."""
        return [
            LogRow(number, content, _strip(body))
            for number, content, body in self._read(
                "SELECT number, content, body FROM log AS s LEFT JOIN content AS c"
                " ON c.id = s.content AND c.user = s.user WHERE s.user = :user AND kind = :kind ORDER BY number",
                kind=int(kind),
            )
        ]

    def advance(self) -> None:
        """Count one more version."""
        self.newest += 1
        self._write("UPDATE users SET newest = :newest WHERE id = :user", newest=self.newest)

    def start(self, kind: int, rows: Sequence[tuple[int, bytes]]) -> None:
        """Let rows stand from the newest version on, each at its place."""
        ids = self._fill([body for _, body in rows])
        self._db.executemany(
            "INSERT INTO standing (user, kind, place, since, content) VALUES (?, ?, ?, ?, ?)",
            [(self._user, kind, place, self.newest, id_) for (place, _), id_ in zip(rows, ids, strict=True)],
        )

    def end(self, kind: int, places: Iterable[int]) -> None:
        """Let rows stand no longer, from the newest version on."""
        for place in places:
            self._write(
                "INSERT INTO past (user, until, kind, place, since, content)"
                " SELECT user, :until, kind, place, since, content FROM standing"
                " WHERE user = :user AND kind = :kind AND place = :place",
                until=self.newest,
                kind=kind,
                place=place,
            )
            self._write(
                "DELETE FROM standing WHERE user = :user AND kind = :kind AND place = :place", kind=kind, place=place
            )

    def append(self, kind: Entry, bodies: Sequence[bytes], *, first: int | None = None) -> None:
        """Add rows to the log; they are numbered on, or from `first`."""
        if not bodies:
            return
        if first is None:
            ((last,),) = self._read("SELECT max(number) FROM log WHERE user = :user AND kind = :kind", kind=int(kind))
            first = (last or 0) + 1
        self._db.executemany(
            "INSERT INTO log (user, kind, number, content) VALUES (?, ?, ?, ?)",
            [(self._user, int(kind), first + i, id_) for i, id_ in enumerate(self._fill(bodies))],
        )

    def replace_past(self, row: PastRow, body: bytes | None) -> None:
        """Overwrite what a past row holds, for all versions; None takes the row out."""
        self._empty([row.content])
        at = {"kind": row.kind, "place": row.place, "until": row.until}
        if body is None:
            self._write(
                "DELETE FROM past WHERE user = :user AND until = :until AND kind = :kind AND place = :place", **at
            )
            return
        (content,) = self._fill([body])
        self._write(
            "UPDATE past SET content = :content"
            " WHERE user = :user AND until = :until AND kind = :kind AND place = :place",
            content=content,
            **at,
        )

    def replace_entry(self, kind: Entry, row: LogRow, body: bytes) -> None:
        """Overwrite what a row of the log holds."""
        self._empty([row.content])
        (content,) = self._fill([body])
        self._write(
            "UPDATE log SET content = :content WHERE user = :user AND kind = :kind AND number = :number",
            content=content,
            kind=int(kind),
            number=row.number,
        )

    def delete(self) -> None:
        """Remove the user and all rows."""
        for table in ("standing", "past", "log"):
            self._empty(id_ for (id_,) in self._read(f"SELECT content FROM {table} WHERE user = :user"))
        self._write("DELETE FROM users WHERE id = :user")

    def _read(self, sql: str, **values: int) -> list[Any]:
        """Run a statement that reads; the user is always this one."""
        return self._db.execute(sql, {"user": self._user, **values}).fetchall()

    def _write(self, sql: str, **values: int) -> None:
        self._db.execute(sql, {"user": self._user, **values})

    def _fill(self, bodies: Sequence[bytes]) -> list[int]:
        """Write texts, into emptied rows of their length where there are some; return the rows."""
        padded = [body + b" " * (-len(body) % _ROW_STEP) for body in bodies]
        (has_vacant,) = self._db.execute("SELECT EXISTS (SELECT 1 FROM vacant)").fetchone()
        reused = [self._take_vacant(len(body)) if has_vacant else None for body in padded]
        (last,) = self._db.execute("SELECT coalesce(max(id), 0) FROM content").fetchone()
        ids, fresh = list[int](), list[tuple[int, int, bytes]]()
        for body, vacant in zip(padded, reused, strict=True):
            ids.append(last + len(fresh) + 1 if vacant is None else vacant)
            if vacant is None:
                fresh.append((ids[-1], self._user, body))
            else:
                sql = "UPDATE content SET user = ?, body = ? WHERE id = ? AND user = ?"
                self._db.execute(sql, (self._user, body, vacant, VACANT))
        self._db.executemany("INSERT INTO content (id, user, body) VALUES (?, ?, ?)", fresh)
        return ids

    def _take_vacant(self, num_bytes: int) -> int | None:
        row = self._db.execute("SELECT content FROM vacant WHERE num_bytes = ? LIMIT 1", (num_bytes,)).fetchone()
        if row is None:
            return None
        self._db.execute("DELETE FROM vacant WHERE num_bytes = ? AND content = ?", (num_bytes, row[0]))
        return int(row[0])

    def _empty(self, ids: Iterable[int]) -> None:
        """Overwrite texts with nothing, where they are."""
        rows = [{"user": self._user, "id": id_, "vacant": VACANT} for id_ in ids]
        self._db.executemany(
            "INSERT INTO vacant (num_bytes, content) SELECT length(body), id FROM content WHERE id = :id AND user = :user",
            rows,
        )
        self._db.executemany(
            "UPDATE content SET user = :vacant, body = zeroblob(length(body)) WHERE id = :id AND user = :user", rows
        )


def _strip(body: bytes | None) -> bytes:
    """Return a row without what fills it up. Raises: sqlite3.DatabaseError: the row is missing."""
    if body is None:
        error = sqlite3.DatabaseError("a row of `content` is missing")
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error
    return body.rstrip(b" ")
