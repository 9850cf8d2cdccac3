"""The tables of the SQLite store, and how an older file becomes one of today."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from hub_toolkit.errors import StoreError

APPLICATION_ID = 0x504D454D
"""Says in the file's header that it is ours ("PMEM")."""

VACANT = 1 << 24
"""The user of rows of `content` that are free. Users are numbered from here, so that each number takes 4 bytes:
a row can then change hands in place."""

_TABLES = f"""
CREATE TABLE users (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  key BLOB NOT NULL UNIQUE,          -- sha256 of the name
  newest INTEGER NOT NULL            -- number of the newest version
);
INSERT INTO sqlite_sequence (name, seq) VALUES ('users', {VACANT});
CREATE TABLE content (
  id INTEGER PRIMARY KEY,
  user INTEGER NOT NULL,
  body BLOB NOT NULL                 -- JSON in UTF-8, filled up with spaces
);
CREATE TABLE standing (              -- what the newest version holds
  user INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  kind INTEGER NOT NULL,
  place INTEGER NOT NULL,            -- orders the rows of a kind; there are gaps
  since INTEGER NOT NULL,
  content INTEGER NOT NULL,
  PRIMARY KEY (user, kind, place)
) WITHOUT ROWID;
CREATE TABLE past (                  -- what versions since <= v < until held
  user INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  until INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  place INTEGER NOT NULL,
  since INTEGER NOT NULL,
  content INTEGER NOT NULL,
  PRIMARY KEY (user, until, kind, place)
) WITHOUT ROWID;
CREATE TABLE log (                   -- versions, receipts, sessions, and the user's name
  user INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  kind INTEGER NOT NULL,
  number INTEGER NOT NULL,
  content INTEGER NOT NULL,
  PRIMARY KEY (user, kind, number)
) WITHOUT ROWID;
"""

# Version 1 left the rows that a purge had emptied unused.
_VACANT_ROWS = f"""
CREATE TABLE vacant (
  num_bytes INTEGER NOT NULL,
  content INTEGER NOT NULL,
  PRIMARY KEY (num_bytes, content)
) WITHOUT ROWID;
INSERT INTO vacant SELECT length(body), id FROM content WHERE user = {VACANT};
"""

MIGRATIONS = (_TABLES, _VACANT_ROWS)
"""Script n leads from schema version n to n + 1."""

SCHEMA_VERSION = len(MIGRATIONS)


def check_schema(db: sqlite3.Connection, path: Path) -> int:
    """Return the file's schema version, 0 where it is empty; nothing is written.

    Raises: StoreError: the file is another program's, or of a newer schema.
    """
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    (num_tables,) = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if application == version == num_tables == 0:
        return 0
    if application != APPLICATION_ID or version < 1:
        raise StoreError(f"{path}: a database of another program, left as it is; name another file")
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"{path}: schema version {version}, and this toolkit reads up to {SCHEMA_VERSION}; "
            "the file was left as it is: use a newer toolkit"
        )
    return int(version)


def migrate(db: sqlite3.Connection, path: Path) -> None:
    """Bring the tables to today's schema in one transaction: after a kill they are as before, or done.

    Raises: StoreError, as check_schema.
    """
    if check_schema(db, path) == SCHEMA_VERSION:
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        for script in MIGRATIONS[check_schema(db, path) :]:  # another process may have been faster
            for statement in _split(script):
                db.execute(statement)
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _split(script: str) -> list[str]:
    """Return the statements of a script; `executescript` would commit before the first."""
    statements, current = list[str](), ""
    for line in script.splitlines(keepends=True):
        current += line
        if sqlite3.complete_statement(current):
            statements.append(current)
            current = ""
    return statements
