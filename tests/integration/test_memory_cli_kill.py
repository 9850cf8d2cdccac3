"""Changes that are killed at random: what was acknowledged stands, what was not is whole or not there."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path

from hub_toolkit.memory.personal import PersonalMemory
from hub_toolkit.memory.stores.sqlite_store import SqliteStore

NUM_KILLS = 10
ROOT = Path(__file__).resolve().parents[2]


def run_and_kill(store: Path, seed: int, seconds: float) -> list[dict[str, object]]:
    """Return the lines that were written before the kill; `seconds` count from the first."""
    command = [sys.executable, "-m", "tests.integration.mortal_memory", str(store), str(seed)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    first = process.stdout.readline()
    time.sleep(seconds)
    process.kill()
    rest = process.stdout.read()
    process.stdout.close()
    process.wait()
    return [json.loads(line) for line in (first + rest).splitlines() if line.endswith("}")]


def test_no_acknowledged_change_is_lost(tmp_path: Path) -> None:
    store, rng = tmp_path / "memory.db", random.Random(5)
    acknowledged, num_begun = 0, 0
    for seed in range(NUM_KILLS):
        lines = run_and_kill(store, seed, rng.uniform(0.0, 0.25))
        done = [line for line in lines if "done" in line]
        num_begun += sum("begins" in line for line in lines)
        with SqliteStore(store) as opened:
            memory = PersonalMemory(opened, "anna")
            log = memory.log()
            assert [version.number for version in log] == list(range(1, len(log) + 1))
            if done:
                acknowledged = int(str(done[-1]["version"]))
            assert acknowledged <= len(log) <= acknowledged + 1, "at most the change under way may stand besides"
            check_history(memory)
        acknowledged = len(log)
    assert 0 < acknowledged <= num_begun


def check_history(memory: PersonalMemory) -> None:
    """Every version can be read, and the counts of the log are those of the states."""
    before = memory.store.state_at("anna", 0)
    for version in memory.log():
        state = memory.store.state_at("anna", version.number)
        ids = {b.id for b in state.document.bullets}
        assert len(ids) == len(state.document.bullets)
        if not any(later.kind == "forget" for later in memory.log()[version.number - 1 :]):
            assert version.num_added == len(ids - {b.id for b in before.document.bullets})
        before = state


def test_a_killed_import_goes_on(tmp_path: Path) -> None:
    chats = tmp_path / "chats.json"
    said = [f"I always water orchid number{n} at dawn by the canal." for n in range(150)]
    conversations = [{"id": f"c{n}", "messages": [{"role": "user", "content": text}]} for n, text in enumerate(said)]
    chats.write_text(json.dumps(conversations), "utf-8")
    store = tmp_path / "memory.db"
    command = [sys.executable, "-m", "hub_toolkit.cli.main", "memory", "import", str(chats), "--store", str(store)]
    for seconds in (0.7, 0.9, 1.1):
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(seconds)
        process.kill()
        process.wait()
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    with SqliteStore(store) as opened:
        memory = PersonalMemory(opened, "me")
        assert memory.show().document.read_messages == 150
        assert len(memory.log()) == len(opened.sessions("me")) == 150, "each chat was read once"
