"""What do recall, a write and a forget cost in a store of many users, and how large is its file?

`python benchmarks/memory_store.py [--users N] [--bullets N] [--quick]` fills a SQLite store through its own `commit`,
then times, on users drawn at random: recall (load a memory, rank its bullets for a question), write (one new bullet, on
the disk when it returns) and forget (one bullet out of all versions and all bytes of the files, which is checked).
With `--mem0-python PATH`, an interpreter that has mem0 (`pip install mem0ai`, without spacy and fastembed), mem0
does the same in `infer=False`, with its own SQLite and a local Qdrant, at `--mem0-users`, and so does this store at
that size. Both get the same texts, mem0 vectors of hashed words besides; no model is asked. This store's writes and
forgets wait for the disk (`synchronous=FULL`). The figures are JSON on the last line.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from hub_toolkit.memory.document import Bullet, MemoryDocument, Source
from hub_toolkit.memory.owner.audit import rank_bullets
from hub_toolkit.memory.state import Change, MemoryState
from hub_toolkit.memory.stores.sqlite_store import SqliteStore

ROOT = Path(__file__).resolve().parents[1]
STEP_TIMEOUT_S = 900
UPDATE, FORGET = Change("update", "model"), Change("forget", "user")
_VERBS = ("likes", "dislikes", "collects", "studies", "repairs", "paints", "avoids", "teaches", "plans", "misses")
_THINGS = ("kites", "maps", "rye bread", "kayaks", "clocks", "cacti", "night trains", "folk songs", "chess", "stamps")
_WHERE = ("at home", "by the lake", "on Sundays", "with a cousin", "after work", "in winter", "abroad", "at dawn")
_WORD = re.compile(rb"qz\d{1,6}x\d{1,6}q")
_BLOCK_BYTES = 4_000_000


def text_of(user: int, number: int) -> str:
    """Return what a user's bullet says; its last word stands in no other."""
    chance = random.Random(f"{user}:{number}")
    words = " ".join(chance.sample(_THINGS, 3))
    return f"The user {chance.choice(_VERBS)} {words} {chance.choice(_WHERE)} qz{user}x{number}q"


def bullet_of(user: int, number: int) -> Bullet:
    text = text_of(user, number)
    span = f"you know I think that {text.partition(' ')[2]}"
    return Bullet(f"m{number}", text, (Source(number, span),), first_seen=number, last_seen=number)


def peak_rss_mb() -> float:
    """Return this process's peak memory since it began."""
    status = Path("/proc/self/status").read_text("ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def timed(call: Callable[[], object]) -> float:
    """Return how long a call took, in ms."""
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1000


def spread(times: list[float]) -> dict[str, float]:
    """Return the median and the 99th percentile of times, by rank."""
    ranked = sorted(times)
    places = {"p50_ms": 0.5, "p99_ms": 0.99}
    return {name: round(ranked[min(len(ranked) - 1, int(share * len(ranked)))], 3) for name, share in places.items()}


class Ours:
    """The store of this toolkit."""

    name = "SqliteStore"

    def __init__(self, folder: Path, num_bullets: int) -> None:
        self.store, self.folder, self.num_bullets = SqliteStore(folder / "memories.db"), folder, num_bullets

    def fill(self, user: int) -> None:
        bullets = tuple(bullet_of(user, number) for number in range(self.num_bullets))
        document = MemoryDocument(bullets, next_id=self.num_bullets, cap_tokens=10**6)
        self.store.commit(f"user{user}", MemoryState(document), UPDATE, expect=0)

    def recall(self, user: int, query: str) -> bool:
        _, state = self.store.load(f"user{user}")
        return bool(rank_bullets(state.document, query, top=20))

    def write(self, user: int, number: int) -> None:
        version, state = self.store.load(f"user{user}")
        bullets = (*state.document.bullets, bullet_of(user, number))
        state = replace(state, document=replace(state.document, bullets=bullets))
        self.store.commit(f"user{user}", state, UPDATE, expect=version)

    def forget(self, user: int, number: int) -> None:
        version, state = self.store.load(f"user{user}")
        word = text_of(user, number).split()[-1]
        bullets = tuple(bullet for bullet in state.document.bullets if word not in bullet.text)
        state = replace(state, document=replace(state.document, bullets=bullets))
        self.store.purge(f"user{user}", state, FORGET, concerns=lambda text: word in text, expect=version)

    def close(self) -> None:
        self.store.close()


class Mem0:
    """mem0 with local settings; a memory of one user is found by its `user_id`."""

    name = "mem0"

    def __init__(self, folder: Path, num_bullets: int) -> None:
        from hub_toolkit.memory.builders import mem0_adapter
        from hub_toolkit.memory.builders.external import ExternalOptions

        options = ExternalOptions(folder=folder, arguments=(("infer", "false"), ("embed", "hash")))
        self.memory, self.folder, self.num_bullets = mem0_adapter.load(options), folder, num_bullets
        self.store = self.memory._store

    def fill(self, user: int) -> None:
        for number in range(self.num_bullets):
            self.write(user, number)

    def recall(self, user: int, query: str) -> bool:
        found = self.store.search(query, filters={"user_id": f"user{user}"}, top_k=20, threshold=0.0)
        return bool(found["results"])

    def write(self, user: int, number: int) -> None:
        message = {"role": "user", "content": text_of(user, number)}
        self.store.add([message], user_id=f"user{user}", infer=False)

    def forget(self, user: int, number: int) -> None:
        word = text_of(user, number).split()[-1]
        found = self.store.search(word, filters={"user_id": f"user{user}"}, top_k=20, threshold=0.0)
        for item in found["results"]:
            if word in item["memory"]:
                self.store.delete(item["id"])

    def close(self) -> None:
        asyncio.run(self.memory.close())


def residue(folder: Path, words: list[str]) -> int:
    """Return how many of the words stand somewhere in the files of a folder."""
    wanted = {word.encode() for word in words}
    found: set[bytes] = set()
    for path in (p for p in folder.rglob("*") if p.is_file()):
        with path.open("rb") as file:
            tail = b""
            while block := file.read(_BLOCK_BYTES):
                found |= wanted.intersection(_WORD.findall(tail + block))
                tail = block[-20:]
    return len(found)


def measure(kind: type[Ours] | type[Mem0], num_users: int, num_bullets: int, num_calls: int) -> dict[str, Any]:
    """Fill a store and return its figures."""
    chance = random.Random("memory_store")
    with tempfile.TemporaryDirectory(prefix="memory-store-") as name:
        folder = Path(name)
        store = kind(folder, num_bullets)
        fill_s = timed(lambda: [store.fill(user) for user in range(num_users)]) / 1000
        drawn = [(chance.randrange(num_users), chance.randrange(num_bullets)) for _ in range(num_calls)]
        forgets = list(dict.fromkeys(drawn))
        words = [text_of(user, number).split()[-1] for user, number in forgets]
        figures: dict[str, Any] = {"store": kind.name, "users": num_users, "bullets": num_bullets, "fill_s": fill_s}
        figures["recall"] = spread([timed(lambda d=d: store.recall(d[0], text_of(*d))) for d in drawn])  # type: ignore[misc]
        figures["write"] = spread(
            [timed(lambda u=u, i=i: store.write(u, num_bullets + i)) for i, (u, _) in enumerate(drawn)]  # type: ignore[misc]
        )
        planted = residue(folder, words)
        figures["forget"] = spread([timed(lambda d=d: store.forget(*d)) for d in forgets])  # type: ignore[misc]
        figures |= {
            "forgotten": len(words),
            "in_files_before": planted,
            "in_files_after_forget": residue(folder, words),
        }
        store.close()
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        figures |= {"size_mb": size / 1e6, "bytes_a_bullet": size / (num_users * num_bullets)}
        return figures | {"peak_rss_mb": peak_rss_mb()}


def run_apart(python: str, step: str, options: argparse.Namespace, num_users: int) -> dict[str, Any]:
    """Measure in a fresh process, so that its memory is its own.

    Raises: SystemExit: it failed.
    """
    words = [python, __file__, "--step", step, "--users", str(num_users)]
    words += ["--bullets", str(options.bullets), "--calls", str(options.calls)]
    here = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        words, cwd=ROOT, env=here, capture_output=True, text=True, timeout=STEP_TIMEOUT_S, check=False
    )
    if done.returncode:
        raise SystemExit(f"error: {step} failed: {done.stderr.strip().splitlines()[-1:]}")
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def show(runs: list[dict[str, Any]]) -> None:
    columns = ("recall", "write", "forget")
    print(f"{'store':11} {'users':>6} {'bullets':>7} {'fill s':>7}  p50/p99 ms: ", end="")
    print(*(f"{name:>15}" for name in columns), f"{'MB':>6} {'peak MB':>7}  left")
    for run in runs:
        print(f"{run['store']:11} {run['users']:6} {run['bullets']:7} {run['fill_s']:7.1f}", " " * 13, end="")
        print(*(f"{run[name]['p50_ms']:7.2f}/{run[name]['p99_ms']:7.2f}" for name in columns), end=" ")
        left = f"{run['in_files_after_forget']}/{run['in_files_before']}"
        print(f"{run['size_mb']:6.0f} {run['peak_rss_mb']:7.0f}  {left}")
    print("left: forgotten words that stand in the store's files after the forgets, of those that did before")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--bullets", type=int, default=200)
    parser.add_argument("--calls", type=int, default=500, help="calls of each kind")
    parser.add_argument("--quick", action="store_true", help="50 users, 60 calls")
    parser.add_argument("--mem0-python", help="an interpreter that has mem0")
    parser.add_argument("--mem0-users", type=int, default=10)
    parser.add_argument("--step", choices=("ours", "mem0"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.quick:
        options.users, options.calls, options.mem0_users = 50, 60, 2
    if options.step:
        kind = Ours if options.step == "ours" else Mem0
        print(json.dumps(measure(kind, options.users, options.bullets, options.calls)))
        return
    runs = [run_apart(sys.executable, "ours", options, options.users)]
    if options.mem0_python:
        runs.append(run_apart(sys.executable, "ours", options, options.mem0_users))
        runs.append(run_apart(options.mem0_python, "mem0", options, options.mem0_users))
    show(runs)
    print(json.dumps({"python": platform.python_version(), "machine": platform.machine(), "runs": runs}))


if __name__ == "__main__":
    main()
