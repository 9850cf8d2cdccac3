"""Writes and purges a memory in a repo from children that are killed at random moments. Run by test_hub_memory_kill.

Usage: mortal_hub_memory.py URL REPO ROUNDS; prints one JSON object.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from dataclasses import replace

from huggingface_hub import HfApi

from hub_toolkit.hub import memory_files as layout
from hub_toolkit.hub.memory_store import Book, HubMemoryStore
from hub_toolkit.memory.document import Bullet
from hub_toolkit.memory.state import Change, MemoryState

SEED = 20_261
PURGE_EVERY = 3


def write_next(store: HubMemoryStore) -> int:
    """Write the next version, each third a purge of the secrets; return its number."""
    number, state = store.load("alice")
    bullets = [bullet for bullet in state.document.bullets if not bullet.id.startswith("secret")]
    bullets.append(Bullet(f"m{number + 1}", f"thing {number + 1}"))
    if number % PURGE_EVERY == 0:
        purged = with_bullets(state, bullets)
        store.purge("alice", purged, Change("forget", "user"), concerns=is_secret, expect=number)
    else:
        bullets.append(Bullet(f"secret{number + 1}", f"axolotl {number + 1}"))
        store.commit("alice", with_bullets(state, bullets), Change("edit", "user"), expect=number)
    return number + 1


def write_until_killed(store: HubMemoryStore, pipe: int) -> None:
    """Write version after version; tell the pipe of each that is done."""
    while True:
        os.write(pipe, f"{write_next(store)}\n".encode())


def is_secret(text: str) -> bool:
    return "axolotl" in text


def with_bullets(state: MemoryState, bullets: list[Bullet]) -> MemoryState:
    return replace(state, document=replace(state.document, bullets=tuple(bullets)))


def killed_writer(store: HubMemoryStore, after_s: float) -> int:
    """Write in a child that dies after some time; return the last version that it told of, 0 for none."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        write_until_killed(store, writing)
    os.close(writing)
    time.sleep(after_s)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(reading) as told:
        lines = told.read().split("\n")[:-1]
    return int(lines[-1]) if lines else 0


def is_whole(book: Book) -> bool:
    """Whether a commit holds every version with each thing, and no secret that a purge has taken."""
    number = book.number
    states = [pair for path in book.segments() for pair in book.segment(path)]
    last_purge = max((n for n in range(1, number + 1) if (n - 1) % PURGE_EVERY == 0), default=0)
    for version, state in states:
        bullets = state.document.bullets
        if [b.id for b in bullets if b.id.startswith("m")] != [f"m{n}" for n in range(1, version + 1)]:
            return False
        if version <= last_purge and any(is_secret(b.text) for b in bullets):
            return False
    return [version for version, _ in states] == list(range(1, number + 1)) and states[-1][1] == book.state()


def main(url: str, repo_id: str, rounds: str) -> None:
    api = HfApi(endpoint=url, token="hf_alice")
    randomness = random.Random(SEED)
    lost = broken = unfinished = pending = acknowledged = 0
    store = HubMemoryStore(api, repo_id, "alice")
    write_next(store)
    started = time.perf_counter()
    known = [write_next(store) for _ in range(PURGE_EVERY)][-1]
    longest_s = 2 * (time.perf_counter() - started)
    for _ in range(int(rounds)):
        told = killed_writer(HubMemoryStore(api, repo_id, "alice"), randomness.uniform(0.05, longest_s))
        acknowledged += told > 0
        pending += layout.PENDING_FILE in api.list_repo_files(repo_id, repo_type="dataset")
        # A request that was sent before the kill may still land; one commit is looked at as a whole.
        book = HubMemoryStore(api, repo_id, "alice")._open("alice")
        lost += book.number < max(told, known)
        unfinished += book.number > max(told, known)
        known = book.number
        broken += not is_whole(book)
    print(
        json.dumps(
            {
                "versions": known,
                "lost": lost,
                "broken": broken,
                "unfinished": unfinished,
                "pending": pending,
                "acknowledged": acknowledged,
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
