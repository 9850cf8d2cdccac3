"""Files that cannot be used: one error that names the file and what to do, and a file that stays as it was."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from hub_toolkit.errors import StoreError
from hub_toolkit.memory.document import Bullet, MemoryDocument
from hub_toolkit.memory.state import Change, MemoryState
from hub_toolkit.memory.stores.sqlite_connections import Connections
from hub_toolkit.memory.stores.sqlite_schema import APPLICATION_ID, MIGRATIONS, SCHEMA_VERSION, VACANT, _split
from hub_toolkit.memory.stores.sqlite_store import SqliteStore

UPDATE = Change("update", "model")
STATE = MemoryState(MemoryDocument(tuple(Bullet(f"m{i}", f"Secret {i} " + "x" * 300) for i in range(100))))


def filled(path: Path) -> Path:
    with SqliteStore(path) as store:
        store.commit("ann", STATE, UPDATE, expect=0)
    return path


def refused(path: Path, match: str) -> None:
    """Check that opening fails, that the error names the file, and that no file was changed."""
    before = {p: p.read_bytes() for p in path.parent.iterdir() if p.is_file()}
    with pytest.raises(StoreError, match=match) as caught:
        SqliteStore(path)
    assert str(path) in str(caught.value)
    assert {p: p.read_bytes() for p in path.parent.iterdir() if p.is_file()} == before


def test_the_folder_and_the_files_are_the_owners_alone(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        with SqliteStore(tmp_path / "own" / "memories.db") as store:
            store.commit("ann", STATE, UPDATE, expect=0)
            modes = {path.name: path.stat().st_mode & 0o777 for path in store.path.parent.iterdir()}
    finally:
        os.umask(old)
    assert modes == {"memories.db": 0o600, "memories.db-wal": 0o600, "memories.db-shm": 0o600}
    assert store.path.parent.stat().st_mode & 0o777 == 0o700


def test_a_folder_a_text_and_a_pipe_are_no_database(tmp_path: Path) -> None:
    folder, text, pipe = tmp_path / "folder", tmp_path / "text", tmp_path / "pipe"
    folder.mkdir()
    refused(folder, "not a file; name the file")
    text.write_text("SQLite format, but not really")
    refused(text, "no SQLite database; it was left as it is: name another file")
    os.mkfifo(pipe)
    with pytest.raises(StoreError, match="not a file"):
        SqliteStore(pipe)
    with pytest.raises(StoreError, match=r"below: cannot be opened \(.*\); make"):
        SqliteStore(text / "below")


def test_an_empty_file_becomes_a_store(tmp_path: Path) -> None:
    """Whoever is killed while making a store leaves one."""
    (tmp_path / "memories.db").touch()
    assert SqliteStore(filled(tmp_path / "memories.db")).load("ann") == (1, STATE)


def test_a_foreign_database_is_left_alone(tmp_path: Path) -> None:
    for number, sql in enumerate(("CREATE TABLE users (id)", "PRAGMA user_version = 2", "PRAGMA application_id = 7")):
        path = tmp_path / f"{number}.db"
        with closing(sqlite3.connect(path)) as db:
            db.execute(sql)
            db.commit()
        refused(path, "of another program, left as it is; name another file")


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    path = filled(tmp_path / "memories.db")
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
        db.commit()
    refused(path, rf"schema version {SCHEMA_VERSION + 1}, .* up to {SCHEMA_VERSION}; .*: use a newer toolkit")
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        db.commit()
    with SqliteStore(path) as store:
        assert store.load("ann") == (1, STATE)


def make_version_1(path: Path) -> None:
    """Turn a store of today into one that schema version 1 would have left, with a row that a purge emptied."""
    with SqliteStore(path) as store:
        store.commit("ann", STATE, UPDATE, expect=0)
        less = replace(STATE.document, bullets=STATE.document.bullets[1:])
        store.purge("ann", replace(STATE, document=less), UPDATE, concerns=lambda _: False, expect=1)
    with closing(sqlite3.connect(path)) as db:
        db.execute("DROP TABLE vacant")
        db.execute("PRAGMA user_version = 1")
        db.commit()


def test_an_older_schema_is_brought_to_todays(tmp_path: Path) -> None:
    path = tmp_path / "memories.db"
    make_version_1(path)
    with SqliteStore(path) as store:
        assert store.load("ann")[1].document.bullets == STATE.document.bullets[1:]
        assert store.state_at("ann", 1).document.bullets == STATE.document.bullets[1:]
        with closing(sqlite3.connect(path)) as db:
            sizes = [size for (size,) in db.execute("SELECT num_bytes FROM vacant")]
            assert len(sizes) == db.execute("SELECT count(*) FROM content WHERE user = ?", (VACANT,)).fetchone()[0] == 1
        store.commit("bob", MemoryState(MemoryDocument(STATE.document.bullets[:1])), UPDATE, expect=0)
        with closing(sqlite3.connect(path)) as db:
            assert db.execute("SELECT count(*) FROM vacant").fetchone() == (0,)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)


def test_a_migration_that_fails_leaves_the_old_schema(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "memories.db"
    make_version_1(path)
    broken = (MIGRATIONS[0], MIGRATIONS[1] + "INSERT INTO nowhere VALUES (1);")
    monkeypatch.setattr("hub_toolkit.memory.stores.sqlite_schema.MIGRATIONS", broken)
    with pytest.raises(StoreError, match=r"memories\.db: .*nowhere"):
        SqliteStore(path)
    monkeypatch.undo()
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
        assert db.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'vacant'").fetchone() == (0,)
    assert SqliteStore(path).load("ann")[0] == 2


def test_scripts_are_split_whole() -> None:
    assert all("".join(_split(script)).strip() == script.strip() for script in MIGRATIONS)
    assert int.from_bytes(b"PMEM", "big") == APPLICATION_ID


def test_a_damaged_file_is_one_error_and_stays(tmp_path: Path) -> None:
    """Whatever bytes are torn out: what is read is right, or a StoreError without the owner's words."""
    whole = filled(tmp_path / "memories.db").read_bytes()
    chance, num_refused = random.Random(3), 0
    for number in range(60):
        path = tmp_path / f"damaged{number}.db"
        content = bytearray(whole)
        if number % 4 == 0:
            del content[chance.randrange(100, len(content)) :]
        else:
            start = chance.randrange(0 if number % 3 else 4096, len(content) - 3000)
            content[start : start + 3000] = chance.randbytes(3000)
        path.write_bytes(content)
        try:
            with SqliteStore(path) as store:
                if store.users() == ["ann"]:
                    number_read, state = store.load("ann")
                    assert number_read == 1
                    assert state.document.bullets == STATE.document.bullets
        except StoreError as error:
            num_refused += 1
            assert str(path) in str(error)
            assert "Secret" not in str(error)
            assert path.exists()
    assert num_refused > 30


def test_a_full_disk_changes_nothing(tmp_path: Path) -> None:
    path = filled(tmp_path / "memories.db")
    with SqliteStore(path) as store:
        with store._connections.reading() as db:
            (num_pages,) = db.execute("PRAGMA page_count").fetchone()
            db.execute(f"PRAGMA max_page_count = {num_pages}")
        larger = MemoryState(MemoryDocument((Bullet("m1", "y" * 200_000),)))
        with pytest.raises(StoreError, match=r"memories\.db: the disk is full; nothing was changed: make room"):
            store.commit("ann", larger, UPDATE, expect=1)
        assert store.load("ann") == (1, STATE)


FORBIDDING = {
    "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))": "the disk failed or is full; nothing was changed",
    "os.setuid(65534)": "make the file and its folder",
}
WRITING = """
import os, resource, sys
from pathlib import Path
sys.path.insert(0, ".")
from tests.unit.memory.stores.test_sqlite_faults import *
{limit}
try:
    store = SqliteStore(Path(sys.argv[1]))
    store.commit("ann", MemoryState(MemoryDocument((Bullet("m1", "y" * 900_000),))), UPDATE, expect=1)
except StoreError as error:
    print(error)
"""


@pytest.mark.parametrize("limit", FORBIDDING)
def test_what_the_system_forbids(tmp_path: Path, limit: str) -> None:
    if "setuid" in limit and os.getuid() != 0:
        pytest.skip("extra root: only root can become another user")
    path = filled(tmp_path / "memories.db")
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    root = Path(__file__).resolve().parents[4]
    command = [sys.executable, "-c", WRITING.format(limit=limit), str(path)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert FORBIDDING[limit] in done.stdout, done.stderr
    assert str(path) in done.stdout
    with SqliteStore(path) as store:
        assert store.load("ann") == (1, STATE)


def test_a_locked_store_says_so(tmp_path: Path) -> None:
    path = filled(tmp_path / "memories.db")
    with SqliteStore(path, busy_timeout_s=0.1) as store, closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="another process keeps the database locked; nothing was changed"):
            store.commit("ann", STATE, UPDATE, expect=1)
        assert store.load("ann") == (1, STATE)


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "memories.db")
    store.close()
    store.close()
    with pytest.raises(StoreError, match="the store is closed; open it again"):
        store.load("ann")


def test_connections_are_lent_again_and_not_across_a_fork(tmp_path: Path) -> None:
    connections = Connections(tmp_path / "memories.db")
    seen: set[int] = set()

    def read() -> None:
        with connections.reading() as db:
            seen.add(id(db))

    for _ in range(3):
        thread = threading.Thread(target=read)
        thread.start()
        thread.join()
    assert len(seen) == 1
    connections._pid = -1  # as after a fork
    read()
    assert len(seen) == 2
    connections.close()


def test_large_and_hostile_texts_come_back(tmp_path: Path) -> None:
    with SqliteStore(tmp_path / "memories.db") as store:
        for number, char in enumerate(("\\", '"', " ", "\0", "\ud83d", "🧩", "א", "'")):
            state = MemoryState(MemoryDocument((Bullet("m1", char * 1_000_000),)))
            store.commit("ann", state, replace(UPDATE, reason=char * 1000), expect=number)
            assert store.load("ann") == (number + 1, state)
        assert store.versions("ann")[4].reason == "\ud83d" * 1000
