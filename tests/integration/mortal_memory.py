"""An owner's changes, each acknowledged when it is made: `python -m tests.integration.mortal_memory STORE SEED`.

Prints a line of JSON a change, until it is killed: what was done and the version that it made.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from itertools import count
from pathlib import Path

from hub_toolkit.memory.personal import PersonalMemory
from hub_toolkit.memory.stores.sqlite_store import SqliteStore
from hub_toolkit.types import Message

WORDS = [
    "jam",
    "chess",
    "rain",
    "snow",
    "honey",
    "walking",
    "painting",
    "sailing",
    "knitting",
    "running",
    "baking",
    "singing",
]


def main(store: str, seed: str) -> None:
    rng = random.Random(seed)
    with SqliteStore(Path(store)) as opened:
        memory = PersonalMemory(opened, "anna")
        for number in count():
            word = f"{rng.choice(WORDS)} number{seed}x{number}"
            kind = rng.choice(("add", "add", "remember", "undo", "forget"))
            print(json.dumps({"begins": kind, "word": word}), flush=True)
            version = change(memory, kind, word)
            print(json.dumps({"done": kind, "word": word, "version": version}), flush=True)


def change(memory: PersonalMemory, kind: str, word: str) -> int:
    bullets = memory.show().document.bullets
    if kind == "remember":
        chat = [Message("user", f"I always enjoy {word} on Sunday mornings by the canal.")]
        done = asyncio.run(memory.remember(chat))
        return done.version.number if done.version else 0
    if kind == "undo" and memory.log() and memory.log()[-1].kind == "edit":
        return memory.undo().version.number
    if kind == "forget" and bullets:
        return memory.forget(bullets[0].id).version.number
    return memory.add(f"I like {word}").version.number


if __name__ == "__main__":
    main(*sys.argv[1:])
