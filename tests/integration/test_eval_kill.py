"""A run that is killed again and again ends as one that was left alone."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.integration.mortal_evaluation import NUM_CONCURRENT

NUM_KILLS = 20
ROOT = Path(__file__).resolve().parents[2]


def run_mortal(out: Path, log: Path, last: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.integration.mortal_evaluation", str(out), str(log), str(last)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def results(out: Path) -> dict[str, object]:
    """Return every file's content; of `run.json` all but the times, and not the log of requests, which has them too."""
    found: dict[str, object] = {}
    for path in sorted(out.rglob("*")):
        if path.is_file() and path.parent.name != "requests":
            found[path.relative_to(out).as_posix()] = path.read_bytes()
    record = json.loads((out / "run.json").read_bytes())
    del record["times"], record["requests"]
    found["run.json"] = record
    return found


def test_killed_twenty_times_at_random_events(tmp_path: Path) -> None:
    alone = run_mortal(tmp_path / "alone", tmp_path / "alone.log", 0)
    assert alone.returncode == 0, alone.stderr
    num_events = int(alone.stdout)
    rng = random.Random(20)
    out, log = tmp_path / "killed", tmp_path / "killed.log"
    for _ in range(NUM_KILLS):
        killed = run_mortal(out, log, rng.randint(1, num_events // 12))
        assert killed.returncode == -signal.SIGKILL, killed.stderr
    last = run_mortal(out, log, 0)
    assert last.returncode == 0, last.stderr
    assert results(out) == results(tmp_path / "alone")

    asked = Counter(log.read_text("utf-8").splitlines())
    needed = Counter((tmp_path / "alone.log").read_text("utf-8").splitlines())
    assert asked.keys() == needed.keys()
    repeated = (asked - needed).total()
    assert repeated <= NUM_KILLS * NUM_CONCURRENT, "only calls that were under way when the kill came are repeated"


@pytest.mark.parametrize("place", ["start", "end"])
def test_killed_at_every_event_of_start_and_end(tmp_path: Path, place: str) -> None:
    """The files change hands there: the record is made, the journal is packed, the final files are written."""
    alone = run_mortal(tmp_path / "alone", tmp_path / "log", 0)
    num_events = int(alone.stdout)
    events = range(1, 4) if place == "start" else range(num_events - 6, num_events + 1)
    for event in events:
        out = tmp_path / str(event)
        assert run_mortal(out, tmp_path / "log", event).returncode == -signal.SIGKILL
        assert run_mortal(out, tmp_path / "log", 0).returncode == 0
        assert results(out) == results(tmp_path / "alone")


@pytest.mark.parametrize("model", ["lexical", pytest.param("fake/hash", marks=pytest.mark.slow)])
def test_command_killed_at_random_moments(tmp_path: Path, model: str) -> None:
    def command(out: Path) -> list[str]:
        options = ["--data", "mini", "--reader", "memory", "--model", model, "--counterfactual", "--concurrency", "3"]
        return [sys.executable, "-m", "hub_toolkit.cli.main", "eval", "run", *options, "--out", str(out)]

    subprocess.run(command(tmp_path / "alone"), check=True, capture_output=True)
    rng = random.Random(model)
    out = tmp_path / "killed"
    for _ in range(6):
        process = subprocess.Popen(command(out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(timeout=rng.uniform(0.3, 1.0))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    last = subprocess.run(command(out), check=True, capture_output=True, text=True)
    assert last.stderr == "", "no progress bar where stderr is not a terminal"
    assert results(out) == results(tmp_path / "alone")
