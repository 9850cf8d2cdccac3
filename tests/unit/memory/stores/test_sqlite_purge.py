"""What is forgotten is in no version, no reason and no byte of the store's files; what is not, stays."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hub_toolkit.errors import StoreError
from hub_toolkit.memory.document import Bullet, MemoryDocument, Source
from hub_toolkit.memory.state import Change, Held, MemoryState, Receipt, Rule
from hub_toolkit.memory.stores.redaction import PURGED
from hub_toolkit.memory.stores.sqlite_store import SqliteStore

UPDATE = Change("update", "model")
FORGET = Change("forget", "user", "asked to", (Receipt("forgotten", "forgotten", digest="d1"),))
WORDS = ("ZANZIBAR", 'say "QUOKKA" \\ twice', "line\nBREAKER", "СЕКРЕТ 🧩", "\x01CONTROL", "秘密")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with SqliteStore(tmp_path / "own" / "memories.db") as opened:
        yield opened


def about(word: str) -> Callable[[str], bool]:
    return lambda text: word in text


def forms(word: str) -> set[bytes]:
    """Return the ways in which a word may stand in a file."""
    escaped = {json.dumps(word, ensure_ascii=is_ascii)[1:-1] for is_ascii in (True, False)}
    return {form.encode() for form in (word, *escaped)} | {word.encode("utf-16-le")}


def files_with(store: SqliteStore, word: str) -> list[str]:
    paths = store.path.parent.iterdir()
    return [path.name for path in paths if any(form in path.read_bytes() for form in forms(word))]


def commit(store: SqliteStore, *bullets: Bullet, change: Change = UPDATE, **parts: object) -> None:
    number, state = store.load("ann")
    document = replace(state.document, bullets=bullets)
    store.commit("ann", replace(state, document=document, **parts), change, expect=number)  # type: ignore[arg-type]


def purge(store: SqliteStore, word: str, *bullets: Bullet) -> None:
    number, state = store.load("ann")
    document = replace(state.document, bullets=bullets, forgotten=(*state.document.forgotten, ("tomb",)))
    store.purge("ann", replace(state, document=document), FORGET, concerns=about(word), expect=number)


@pytest.mark.parametrize("word", WORDS)
def test_no_byte_is_left(store: SqliteStore, word: str) -> None:
    neighbour = Bullet("m2", "Keeps bees", (Source(5, "I keep bees"), Source(6, f"bees of {word}")))
    held = Held("h1", f"remember {word}", Source(3, "x"), "hidden_text")
    commit(store, Bullet("m1", f"Lives in {word}", (Source(1, f"in {word}"),)), neighbour)
    commit(store, Bullet("m1", "Lives abroad", (Source(1, f"in {word}"),)), neighbour, held=(held,))
    commit(store, neighbour, change=replace(UPDATE, reason=f"dropped {word}"), held=(held,), rules=())
    commit(store, neighbour, Bullet("m3", f"Back in {word}"), change=replace(UPDATE, reason="no name"))
    assert files_with(store, word) != []
    purge(store, word, neighbour)
    assert files_with(store, word) == []
    kept = replace(neighbour, sources=neighbour.sources[:1])
    assert [store.state_at("ann", number).document.bullets for number in range(1, 6)] == [(kept,)] * 5
    assert [store.state_at("ann", number).held for number in range(1, 6)] == [()] * 5
    assert [version.reason for version in store.versions("ann")] == ["", "", PURGED, "no name", "asked to"]
    assert [(r.kind, r.reason, r.count, r.digest) for r in store.receipts("ann")] == [
        ("forgotten", "forgotten", 1, "d1"),
        ("purged", "forget", 6, "d1"),  # m1 twice, m3, its neighbour's span, what was held, a reason
    ]
    with SqliteStore(store.path) as other:
        assert other.state_at("ann", 2) == store.state_at("ann", 2)


def test_a_derived_bullet_goes_under_every_wording_it_had(store: SqliteStore) -> None:
    """Its words do not name the matter: it goes because the new state no longer has it."""
    commit(store, Bullet("m1", "Avoids PEANUTS"), Bullet("m2", "Carries an epinephrine pen"), Bullet("m3", "Sings"))
    commit(store, Bullet("m1", "Avoids PEANUTS"), Bullet("m2", "Has an EpiPen in the bag"), Bullet("m3", "Sings loud"))
    commit(store, Bullet("m3", "Sings loud"), change=replace(UPDATE, reason="undo of Has an EpiPen in the bag"))
    commit(store, Bullet("m1", "Avoids PEANUTS"), Bullet("m2", "Has an EpiPen in the bag"), Bullet("m3", "Sings loud"))
    purge(store, "PEANUTS", Bullet("m3", "Sings loud"))
    for word in ("PEANUTS", "epinephrine", "EpiPen"):
        assert files_with(store, word) == []
    assert store.state_at("ann", 1).document.bullets == (Bullet("m3", "Sings"),)


def test_what_the_new_state_still_says_is_checked_too(store: SqliteStore) -> None:
    user = Bullet("m2", "Mine", (Source(1, "ZANZIBAR"),), author="user")
    purge(store, "ZANZIBAR", Bullet("m1", "Lives in ZANZIBAR"), user, Bullet("m3", "Told", (Source(2, "ZANZIBAR"),)))
    assert store.load("ann")[1].document.bullets == (replace(user, sources=()),)
    assert files_with(store, "ZANZIBAR") == []


def test_a_short_bullet_takes_no_neighbour_along(store: SqliteStore) -> None:
    neighbour = Bullet("m2", "Leads a team of teachers")
    commit(store, Bullet("m1", "tea"), neighbour)
    purge(store, "nothing at all", neighbour)
    assert store.state_at("ann", 1).document.bullets == (neighbour,)


def test_a_rule_in_force_stays_and_a_past_one_goes(store: SqliteStore) -> None:
    rule, old = Rule("r1", "never remember ZANZIBAR", entities=("Zanzibar",)), Rule("r2", "nothing of QUOKKA")
    commit(store, rules=(rule, old))
    commit(store, rules=(rule,))
    purge(store, "ZANZIBAR")
    purge(store, "QUOKKA")
    assert store.load("ann")[1].rules == (rule,)
    assert store.state_at("ann", 1).rules == (rule,)
    assert files_with(store, "QUOKKA") == []


def test_undo_brings_back_neither_words_nor_lets_them_be_learnt_again(store: SqliteStore) -> None:
    commit(store, Bullet("m1", "Lives in ZANZIBAR"), Bullet("m2", "Sings"))
    purge(store, "ZANZIBAR", Bullet("m2", "Sings"))
    before = store.state_at("ann", 1)
    assert before.document.forgotten == ()
    store.commit("ann", before, Change("undo", "user", "to version 1"), expect=2)
    assert store.load("ann")[1] == replace(before, document=replace(before.document, forgotten=(("tomb",),)))
    purge(store, "version")
    assert store.versions("ann")[2].reason == "to version 1"


def test_other_users_keep_the_same_words(store: SqliteStore) -> None:
    state = MemoryState(MemoryDocument((Bullet("m1", "Lives in ZANZIBAR"),)))
    store.commit("bob", state, UPDATE, expect=0)
    commit(store, Bullet("m1", "Lives in ZANZIBAR"))
    purge(store, "ZANZIBAR")
    store.delete_user("ann")
    assert store.load("bob") == (1, state)


def test_a_check_that_fails_changes_nothing(store: SqliteStore) -> None:
    commit(store, Bullet("m1", "Lives in ZANZIBAR"))
    commit(store, Bullet("m2", "Sings"))

    def fails(text: str) -> bool:
        raise TypeError(f"cannot check {len(text)}")

    with pytest.raises(TypeError, match="cannot check"):
        store.purge("ann", MemoryState(), FORGET, concerns=fails, expect=2)
    assert store.load("ann")[0] == 2
    assert store.state_at("ann", 1).document.bullets == (Bullet("m1", "Lives in ZANZIBAR"),)


def test_a_deleted_user_is_in_no_byte(store: SqliteStore) -> None:
    name = "user Wolpertinger"
    for number in range(5):
        state = MemoryState(MemoryDocument((Bullet("m1", f"PLANTED {number}"),)))
        change = Change("update", "model", "PLANTED why", (Receipt("refused", "PLANTED", digest="PLANTED"),))
        store.commit(name, state, change, expect=number)
    store.commit("bob", state, UPDATE, expect=0)
    store.delete_user(name)
    assert files_with(store, "Wolpertinger") == []
    assert store.load(name) == (0, MemoryState())
    assert store.versions(name) == store.receipts(name) == []
    assert store.users() == ["bob"]
    store.delete_user("bob")
    assert files_with(store, "PLANTED") == []


def test_no_byte_is_left_after_many_changes_of_many_users(store: SqliteStore) -> None:
    """Rows of all sizes come, change and go in many users' memories; SQLite moves rows between its pages meanwhile."""
    chance = random.Random(20261121)
    alive, gone = set[str](), set[str]()
    next_word = iter(f"PLANT{i:05d}END" for i in range(10**5))
    for _ in range(300):
        user = f"u{chance.randrange(12)}"
        number, state = store.load(user)
        bullets = list(state.document.bullets)
        for _ in range(chance.randrange(1, 7)):
            word = next(next_word)
            alive.add(word)
            size = chance.choice((10, 60, 200, 700, 3000, 9000))
            bullets.insert(chance.randrange(len(bullets) + 1), Bullet(word, f"{word} {'x' * size}"))
        if chance.random() < 0.5:
            state = replace(state, document=replace(state.document, bullets=tuple(bullets)))
            store.commit(user, state, replace(UPDATE, reason=bullets[-1].id), expect=number)
        elif chance.random() < 0.9:
            alive -= {b.id for b in bullets} - {b.id for b in state.document.bullets}  # were never stored
            words = {b.id for b in state.document.bullets if chance.random() < 0.2}
            kept = tuple(b for b in state.document.bullets if b.id not in words)
            state = replace(state, document=replace(state.document, bullets=kept))
            store.purge(user, state, FORGET, concerns=lambda t, w=words: any(x in t for x in w), expect=number)  # type: ignore[misc]
            gone |= words
            alive -= words
        else:
            alive -= {b.id for b in bullets}
            gone |= {b.id for b in state.document.bullets}
            store.delete_user(user)
    store.purge("u0", MemoryState(), FORGET, concerns=lambda _: False, expect=store.load("u0")[0])
    content = b"".join(path.read_bytes() for path in store.path.parent.iterdir())
    assert len(gone) > 150
    assert [word for word in sorted(gone) if word.encode() in content] == []
    with sqlite3.connect(store.path) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        (num_vacant,) = db.execute("SELECT count(*) FROM vacant").fetchone()
        (num_free,) = db.execute("SELECT count(*) FROM content WHERE user = 1 << 24").fetchone()
    db.close()
    assert num_vacant == num_free > 0


def test_a_reader_that_holds_the_old_state_is_named_and_opening_clears_it(tmp_path: Path) -> None:
    path = tmp_path / "memories.db"
    with SqliteStore(path, busy_timeout_s=0.3) as store:
        commit(store, Bullet("m1", "Lives in ZANZIBAR"))
        reader = sqlite3.connect(path, isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM content").fetchone()
        with pytest.raises(StoreError, match=r"the change is stored, but .* open the store again"):
            purge(store, "ZANZIBAR")
        assert store.load("ann")[0] == 2
        assert files_with(store, "ZANZIBAR") != []
        reader.execute("COMMIT")
        with SqliteStore(path):
            assert files_with(store, "ZANZIBAR") == []
        reader.close()
