"""kill -9 of whoever writes memories: what was acknowledged is there, nothing half; two processes, one user."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from hub_toolkit.memory.document import MemoryDocument
from hub_toolkit.memory.stores.sqlite_store import SqliteStore
from tests.integration.mortal_memory_store import work

NUM_KILLS = 100
MAX_LINES, MAX_LIFE_S = 8, 0.006
"""How many lines a child is let write at least, and how long it lives after them; a change takes it about 5 ms."""

ROOT = Path(__file__).resolve().parents[2]

WRITER = """
import sys
from dataclasses import replace
from pathlib import Path
from hub_toolkit.errors import ConflictError
from hub_toolkit.memory.document import Bullet
from hub_toolkit.memory.stores.sqlite_store import SqliteStore
from hub_toolkit.memory.state import Change
me, done, refused = sys.argv[2], 0, 0
with SqliteStore(Path(sys.argv[1])) as store:
    print("ready", flush=True)
    sys.stdin.readline()
    while done < 60:
        number, state = store.load("ann")
        bullets = (*state.document.bullets, Bullet(f"{me}-{done}", "kept"))
        try:
            store.commit("ann", replace(state, document=replace(state.document, bullets=bullets)),
                         Change("update", "model", me), expect=number)
            done += 1
        except ConflictError as error:
            assert "nothing was written" in str(error)
            refused += 1
print(done, refused)
"""


class Expected:
    """What the acknowledgements say must be in the store."""

    def __init__(self) -> None:
        self.words: set[str] = set()
        self.gone: set[str] = set()
        self.paired = 0
        self.num_acknowledged = 0

    def note(self, lines: list[str]) -> set[str]:
        """Take in a child's lines; return the words of a change that was begun and not acknowledged."""
        begun = set[str]()
        for line in lines:
            verb, _, what = line.partition(" ")
            self.num_acknowledged += verb != "forgetting"
            match verb:
                case "forgetting":
                    begun = {what}
                case "added":
                    self.words.add(what)
                case "forgot":
                    self.words.discard(what)
                    self.gone.add(what)
                    begun = set()
                case "paired":
                    self.paired = int(what)
        return begun


def run_and_kill(path: Path, seed: int, *, num_lines: int, life_s: float) -> list[str]:
    """Let a child write so many lines, and go on for so long; kill it, and return the lines that it finished."""
    reading, writing = os.pipe()
    child = os.fork()  # not a new interpreter: its start would take longer than its life
    if not child:
        try:
            with os.fdopen(writing, "w") as out:
                work(path, seed, out)
        finally:
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading) as lines:
        text = "".join(lines.readline() for _ in range(num_lines))
        time.sleep(life_s)
        os.kill(child, signal.SIGKILL)
        text += lines.read()
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL
    whole, _, half = text.rpartition("\n")
    assert not half
    return whole.split("\n") if whole else []


def look(path: Path, expected: Expected, begun: set[str]) -> None:
    """Check that the store holds what it must and nothing half; take over what an unacknowledged change did."""
    with SqliteStore(path) as store:
        found = {bullet.id for bullet in store.load("words")[1].document.bullets}
        assert expected.words - found <= begun
        new = found - expected.words
        assert len(new) <= 1
        assert not new & expected.gone
        expected.gone |= expected.words - found
        expected.words = found
        check_pair(store, expected)
        files = b"".join(p.read_bytes() for p in path.parent.iterdir())
        assert [word for word in sorted(expected.gone) if word.encode() in files] == []
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []


def check_pair(store: SqliteStore, expected: Expected) -> None:
    number, state = store.load("pair")
    assert number in (expected.paired, expected.paired + 1)
    expected.paired = number
    text = str(number)
    if number:
        assert [b.text for b in state.document.bullets] == [text, text * 500]
        assert (state.document.read_messages, state.rules[0].text) == (number, text)
    assert [version.reason for version in store.versions("pair")] == [str(i + 1) for i in range(number)]


def test_100_kills_lose_nothing_that_was_acknowledged(tmp_path: Path, record_property: pytest.RecordProperty) -> None:
    path = tmp_path / "own" / "memories.db"
    chance, expected = random.Random(20261121), Expected()
    for seed in range(NUM_KILLS):
        lines = run_and_kill(path, seed, num_lines=chance.randrange(MAX_LINES), life_s=chance.uniform(0, MAX_LIFE_S))
        begun = expected.note(lines)
        look(path, expected, begun)
    record_property("kills", NUM_KILLS)
    record_property("acknowledged changes", expected.num_acknowledged)
    assert expected.num_acknowledged > NUM_KILLS
    assert len(expected.gone) > 10
    with SqliteStore(path) as store:
        number, _ = store.load("words")
        assert all(isinstance(store.state_at("words", n).document, MemoryDocument) for n in range(1, number + 1))


def test_two_processes_write_one_user(tmp_path: Path) -> None:
    path = tmp_path / "memories.db"
    children = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), me],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for me in ("a", "b")
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    results = [child.communicate(timeout=60)[0].split() for child in children]
    assert [int(done) for done, _ in results] == [60, 60]
    assert sum(int(refused) for _, refused in results) > 0
    with SqliteStore(path) as store:
        number, state = store.load("ann")
        versions = store.versions("ann")
    assert number == 120
    assert {b.id for b in state.document.bullets} == {f"{me}-{i}" for me in "ab" for i in range(60)}
    assert [version.number for version in versions] == list(range(1, 121))
    assert [version.num_added for version in versions] == [1] * 120
