"""Changes memories until the process is killed: after each change that the store took, one line on a pipe.

User `words` gets a bullet a change, and sometimes forgets one; user `pair`
always has two bullets with the same number, in its text, its rule and its reason.
"""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from hub_toolkit.memory.document import Bullet, MemoryDocument
from hub_toolkit.memory.state import Change, MemoryState, Rule
from hub_toolkit.memory.stores.sqlite_store import SqliteStore

MAX_BULLETS = 30


def word_of(number: int) -> str:
    return f"WORD{number:06d}END"


def change_words(store: SqliteStore, chance: random.Random, out: TextIO) -> str:
    """Add a word, or forget one; return what was done."""
    number, state = store.load("words")
    bullets = state.document.bullets
    if bullets and (len(bullets) > MAX_BULLETS or chance.random() < 0.4):
        word = chance.choice(bullets).id
        document = replace(state.document, bullets=tuple(b for b in bullets if b.id != word))
        change = Change("forget", "user", f"forget {word}")
        print(f"forgetting {word}", file=out, flush=True)
        store.purge("words", replace(state, document=document), change, concerns=lambda t: word in t, expect=number)
        return f"forgot {word}"
    word = word_of(number)
    document = replace(state.document, bullets=(*bullets, Bullet(word, f"{word} " + "x" * chance.randrange(2000))))
    store.commit("words", replace(state, document=document), Change("update", "model", f"add {word}"), expect=number)
    return f"added {word}"


def change_pair(store: SqliteStore) -> str:
    """Write one number in many places; return what was done."""
    number, _ = store.load("pair")
    text = str(number + 1)
    bullets = (Bullet("m1", text), Bullet("m2", text * 500))
    state = MemoryState(MemoryDocument(bullets, read_messages=number + 1), rules=(Rule("r1", text),))
    store.commit("pair", state, Change("edit", "user", text), expect=number)
    return f"paired {text}"


def work(path: Path, seed: int, out: TextIO) -> None:
    """Change memories for ever."""
    chance = random.Random(seed)
    with SqliteStore(path) as store:
        while True:
            done = change_words(store, chance, out) if chance.random() < 0.7 else change_pair(store)
            print(done, file=out, flush=True)
