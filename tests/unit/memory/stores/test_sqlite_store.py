"""Memories in SQLite: every version as it was committed, one user's rows for that user alone, nothing written twice."""

from __future__ import annotations

import ast
import random
import re
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hub_toolkit.data.history import load_history
from hub_toolkit.data.parse import resolve_dataset
from hub_toolkit.data.tokens import EstimateCounter
from hub_toolkit.errors import ConflictError, StoreError
from hub_toolkit.memory.build import stream_memory
from hub_toolkit.memory.builders.extractive import ExtractiveBuilder
from hub_toolkit.memory.document import Bullet, MemoryDocument, Source
from hub_toolkit.memory.state import Change, Held, MemoryState, Receipt, Rule, Session
from hub_toolkit.memory.stores import sqlite_owner
from hub_toolkit.memory.stores.sqlite_store import SqliteStore
from hub_toolkit.memory.stores.state_rows import BULLET_FIELDS, decode_state, encode_state, plan_moves

UPDATE = Change("update", "model")
ODD_TEXT = 'אני אוהב "שחמט" \\ 我喜欢象棋 🧩👩‍👩‍👧 \ud83d half, \x00 nul, trailing spaces  '


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with SqliteStore(tmp_path / "memories.db", now=lambda: datetime(2026, 1, 2, tzinfo=UTC)) as opened:
        yield opened


def state_of(*texts: str) -> MemoryState:
    bullets = tuple(Bullet(f"m{i}", text, (Source(i, f"I said: {text}"),)) for i, text in enumerate(texts, start=1))
    return MemoryState(MemoryDocument(bullets, next_id=len(bullets) + 1))


def full_state() -> MemoryState:
    """Return a state in which no field has its default."""
    bullet = Bullet(
        *("m1", ODD_TEXT, (Source(3, ODD_TEXT), Source(8, "")), 2.5, "other", "health", "inferred", 0.25, True, "user"),
        *(3, 8),
    )
    document = MemoryDocument(
        *((bullet, Bullet("m2", "Plays chess")), 9, 512, "built", "counted", 3, (("a", "b"), ("c",)), (("d",),)),
        faults=("one", ODD_TEXT),
    )
    rule = Rule("r1", ODD_TEXT, "only", ("health",), ("Rome",), (r"\d+",), "2026-01-01", "2025-01-01", "strict")
    return MemoryState(document, (rule,), (Held("h1", ODD_TEXT, Source(4, "span"), "hidden_text"),), 2, 5)


def test_every_field_comes_back(store: SqliteStore) -> None:
    state = full_state()
    for record in (state, state.document, state.document.bullets[0], state.rules[0]):
        values: list[tuple[str, Any, Any]] = [(f.name, getattr(record, f.name), f.default) for f in fields(record)]
        assert [name for name, value, default in values if value == default] == []
    assert {f.name for f in fields(Bullet)} == set(BULLET_FIELDS)
    store.commit("ann", state, UPDATE, expect=0)
    assert store.load("ann") == (1, state)
    assert decode_state(encode_state(MemoryState())) == MemoryState()


def test_a_user_without_a_memory(store: SqliteStore) -> None:
    assert store.load("ann") == (0, MemoryState())
    assert store.state_at("ann", 0) == MemoryState()
    assert store.versions("ann") == store.receipts("ann") == store.sessions("ann") == store.users() == []
    with pytest.raises(StoreError, match=r"'ann' has no version 1; the newest is 0"):
        store.state_at("ann", 1)
    store.delete_user("ann")
    assert store.users() == []


def test_versions_receipts_and_sessions(store: SqliteStore) -> None:
    receipts = (Receipt("refused", "secret:phone", 2, "abc"), Receipt("held", "poison:code", time="2020-01-01"))
    session = Session("key", 0, 7, "2025-12-31")
    first = store.commit("ann", state_of("Swims", "Cooks"), replace(UPDATE, receipts=receipts), expect=0)
    change = Change("edit", "user", "found wrong 🧩", sessions=(session,))
    second = store.commit("ann", state_of("Swims", "Bakes", "Sings"), change, expect=1)
    assert store.versions("ann") == [first, second]
    assert (second.number, second.kind, second.author, second.reason) == (2, "edit", "user", "found wrong 🧩")
    assert (second.num_added, second.num_changed, second.num_removed) == (1, 1, 0)
    assert second.time == "2026-01-02T00:00:00+00:00"
    assert store.receipts("ann") == [replace(receipts[0], time=second.time), receipts[1]]
    assert store.sessions("ann") == [session]
    third = store.commit("ann", state_of("Swims"), Change("undo", "user", "to version 1"), expect=2)
    assert (third.num_added, third.num_changed, third.num_removed) == (0, 0, 2)


def random_next(chance: random.Random, state: MemoryState) -> MemoryState:
    """Return a state after a few changes: bullets come, go, change, move, or are there twice."""
    bullets = list(state.document.bullets)
    for _ in range(chance.randrange(4)):
        place = chance.randrange(len(bullets) + 1)
        match chance.choice(("add", "add", "drop", "edit", "move", "twice", "shuffle")):
            case "add":
                bullets.insert(place, Bullet(f"m{chance.randrange(10**6)}", f"text {chance.random()}"))
            case "drop":
                del bullets[place : place + 1]
            case "edit" if bullets:
                bullets[place - 1] = replace(bullets[place - 1], text=f"edited {chance.random()}")
            case "move" if bullets:
                bullets.append(bullets.pop(place - 1))
            case "twice" if bullets:
                bullets.append(bullets[place - 1])
            case "shuffle":
                chance.shuffle(bullets)
    forgotten = (*state.document.forgotten, (str(len(bullets)),))
    return replace(state, document=replace(state.document, bullets=tuple(bullets), forgotten=forgotten))


def test_every_version_stays_as_it_was(store: SqliteStore) -> None:
    chance = random.Random(7)
    states = [MemoryState()]
    for number in range(120):
        states.append(random_next(chance, states[-1]))
        store.commit("ann", states[-1], UPDATE, expect=number)
        store.commit("bob", states[-1], UPDATE, expect=number)
    assert [store.state_at("ann", number) for number in range(121)] == states
    assert store.load("ann") == (120, states[-1])


def test_rows_find_a_place_where_there_is_none_left() -> None:
    rows: list[tuple[int, bytes]] = [(0, b"first"), (1024, b"last")]
    for number in range(100):
        wanted = [b"first", b"%d" % number, *(body for _, body in rows[1:])]
        gone, come = plan_moves(rows, wanted)
        rows = sorted([row for row in rows if row[0] not in gone] + come)
        assert [body for _, body in rows] == wanted
        assert len({place for place, _ in rows}) == len(rows)


def count_rows(path: Path, table: str = "content") -> int:
    with sqlite3.connect(path) as db:
        (count,) = db.execute(f"SELECT count(*) FROM {table}").fetchone()
    db.close()
    return int(count)


def test_a_change_writes_only_what_changed(store: SqliteStore) -> None:
    state = state_of(*(f"Text {i}" for i in range(200)))
    store.commit("ann", state, UPDATE, expect=0)
    before = count_rows(store.path)
    bullets = list(state.document.bullets)
    bullets[50] = replace(bullets[50], text="Changed")
    bullets.insert(0, bullets.pop(120))
    moved = replace(state, document=replace(state.document, bullets=(*bullets, Bullet("m999", "New"))))
    store.commit("ann", moved, UPDATE, expect=1)
    assert count_rows(store.path) - before == 3 + 1  # edited, moved, new; and the version
    assert store.state_at("ann", 1) == state


def test_a_real_memory_of_every_step(store: SqliteStore) -> None:
    history = load_history(resolve_dataset("mini") / "data/chat_history_32k/chat_history_persona2.json")
    check_real(store, history)


def test_real_histories(store: SqliteStore, real_data: Path) -> None:
    check_real(store, load_history(next((real_data / "personamem_evo/histories").glob("*persona11.json"))))


def check_real(store: SqliteStore, history: Any) -> None:
    import asyncio

    counter = EstimateCounter()

    async def steps() -> list[MemoryState]:
        return [
            MemoryState(step.document) async for step in stream_memory(history, ExtractiveBuilder(counter), counter)
        ]

    states = asyncio.run(steps())
    for number, state in enumerate(states):
        store.commit("ann", state, UPDATE, expect=number)
    assert [store.state_at("ann", number + 1) for number in range(len(states))] == states
    texts = {bullet for state in states for bullet in state.document.bullets}
    assert count_rows(store.path) < len(texts) + 4 * len(states) + 2 * len(states[-1].document.forgotten) + 60


def test_a_late_writer_is_refused(store: SqliteStore) -> None:
    store.commit("ann", state_of("Swims"), UPDATE, expect=0)
    with pytest.raises(ConflictError, match=r"'ann' is at version 1, not 0: .*nothing was written"):
        store.commit("ann", state_of("Dives"), UPDATE, expect=0)
    with pytest.raises(ConflictError, match="is at version 1, not 2"):
        store.purge("ann", state_of("Dives"), UPDATE, concerns=lambda _: True, expect=2)
    with pytest.raises(ConflictError, match="is at version 0, not 1"):
        store.commit("bob", state_of("Dives"), UPDATE, expect=1)
    assert store.load("ann") == (1, state_of("Swims"))
    assert store.users() == ["ann"]


def test_threads_write_one_user_and_many(store: SqliteStore) -> None:
    num_threads, num_changes = 6, 12

    def work(me: int) -> None:
        done = 0
        while done < num_changes:
            number, state = store.load("all")
            new = Bullet(f"t{me}-{done}", "word " * 20)
            document = replace(state.document, bullets=(*state.document.bullets, new))
            try:
                store.commit("all", replace(state, document=document), UPDATE, expect=number)
            except ConflictError:
                continue
            store.commit(f"user {me}", state_of(f"of {me}"), UPDATE, expect=done)
            done += 1

    threads = [threading.Thread(target=work, args=(me,)) for me in range(num_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    number, state = store.load("all")
    assert number == num_threads * num_changes
    assert {b.id for b in state.document.bullets} == {
        f"t{me}-{done}" for me in range(num_threads) for done in range(num_changes)
    }
    assert [store.load(f"user {me}") for me in range(num_threads)] == [
        (num_changes, state_of(f"of {me}")) for me in range(num_threads)
    ]


ODD_NAMES = (
    *(
        "ann",
        "Ann",
        "ANN",
        "ann ",
        " ann",
        "аnn",
        "ａｎｎ",
        "ann\u200b",
        "caf\u00e9",
        "cafe\u0301",
        "ß",
        "ss",
        "İ",
        "i",
    ),
    *("' OR '1'='1", "ann'; DROP TABLE users; --", '"', "%", "_", "*", "../ann", "/etc/passwd", "C:\\ann", ".", "NULL"),
    *("1", "1.0", "0x1", "true", "אן", "用户", "🧩", "👩‍👩‍👧", "x" * 1024, "x" * 1023, ":user", "?1", "16777216"),
)


def test_users_with_odd_names_never_meet(store: SqliteStore) -> None:
    for number, name in enumerate(ODD_NAMES):
        store.commit(name, state_of(f"text of {number}"), replace(UPDATE, reason=f"reason {number}"), expect=0)
    assert store.users() == sorted(ODD_NAMES)
    for number, name in enumerate(ODD_NAMES):
        assert store.load(name) == (1, state_of(f"text of {number}"))
        assert [version.reason for version in store.versions(name)] == [f"reason {number}"]
    store.delete_user("ann")
    store.purge("Ann", MemoryState(), UPDATE, concerns=lambda _: True, expect=1)
    assert store.users() == sorted({*ODD_NAMES} - {"ann"})
    for number, name in enumerate(ODD_NAMES[2:], start=2):
        assert store.state_at(name, 1) == state_of(f"text of {number}")


@pytest.mark.parametrize(
    "name", ["", "a\0nn", "ann\n", "a\x1bnn", "\x85", "\ud83d", "x" * 1025, "é" * 513, "x" * 10**6]
)
def test_what_is_no_name_is_refused(store: SqliteStore, name: str) -> None:
    calls = (
        lambda: store.load(name),
        lambda: store.commit(name, MemoryState(), UPDATE, expect=0),
        lambda: store.versions(name),
        lambda: store.delete_user(name),
    )
    for call in calls:
        with pytest.raises(StoreError, match="no name for a user; take") as caught:
            call()
        assert len(str(caught.value)) < 500
        assert str(caught.value).isprintable()
    assert store.users() == []


def sql_of(module: Any) -> list[str]:
    """Return a module's SQL statements, f-strings with their holes as `{}`."""
    nodes = list(ast.walk(ast.parse(Path(module.__file__).read_text("utf-8"))))
    templates = [node for node in nodes if isinstance(node, ast.JoinedStr)]
    parts = {id(value) for template in templates for value in template.values}
    texts = [
        "".join(str(v.value) if isinstance(v, ast.Constant) else "{}" for v in template.values)
        for template in templates
    ]
    texts += [str(node.value) for node in nodes if isinstance(node, ast.Constant) and id(node) not in parts]
    return [text for text in texts if re.match(r"(SELECT|INSERT|UPDATE|DELETE|REPLACE|WITH)\b", text)]


def test_every_statement_names_its_user() -> None:
    """Each SELECT, UPDATE and DELETE binds the user, in every table it names; those that need none are listed here."""
    free = [
        "SELECT body FROM log JOIN",  # the list of names
        "SELECT id, newest FROM users WHERE key = ?",  # who is it
        "SELECT EXISTS (SELECT 1 FROM vacant)",
        "SELECT coalesce(max(id), 0) FROM content",
        "SELECT content FROM vacant",
        "DELETE FROM vacant",
    ]
    statements = sql_of(sqlite_owner)
    assert len(statements) > 15
    for sql in statements:
        if any(sql.startswith(start) for start in free):
            free = [start for start in free if not sql.startswith(start)]
            continue
        if re.match(r"INSERT INTO \w+ \(.*\) VALUES", sql):
            assert re.match(r"INSERT INTO (users \(key|\w+ \((id, )?user,)", sql)
            continue
        bound = re.findall(r"(?:user|WHERE id) = (?::user|\?)", sql)
        assert bound, sql
        assert sql.count("content AS c") == sql.count("c.user = s.user"), sql
    assert free == []
    outside = [p for p in Path(sqlite_owner.__file__).parents[1].rglob("*.py") if p.name != "sqlite_owner.py"]
    assert [
        p.name for p in outside if re.search(r"\b(?:FROM|INTO|UPDATE) (?:content|standing|past)\b", p.read_text())
    ] == ["sqlite_schema.py"]


def test_a_row_that_points_at_another_users_words_is_damage(store: SqliteStore) -> None:
    store.commit("ann", state_of("Ann's secret"), UPDATE, expect=0)
    store.commit("bob", state_of("Bob's own"), UPDATE, expect=0)
    with sqlite3.connect(store.path) as db:
        db.execute(
            "UPDATE standing SET content = (SELECT id FROM content WHERE instr(body, 'secret')) WHERE kind = 1"
            " AND user = (SELECT max(id) FROM users)"
        )
    db.close()
    with pytest.raises(StoreError, match="damaged") as caught:
        store.load("bob")
    assert "secret" not in str(caught.value)
    assert store.load("ann") == (1, state_of("Ann's secret"))
