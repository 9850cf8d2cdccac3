"""From a seed to a row of the leaderboard in one command, killed on the way and on a Hub of somebody else's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.hub_server import HubServer

SMALL = ["--personas", "8", "--questions", "4", "--tokens", "3000"]


def start(out: Path, *more: str, **env: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "hub_toolkit.cli.main", "generate", "chain", *SMALL, "--out", str(out), *more]
    clean = {name: value for name, value in os.environ.items() if name not in ("HF_ENDPOINT", "HF_TOKEN", "HF_HOME")}
    return subprocess.Popen(
        command,
        env={**clean, "PYTHONUNBUFFERED": "1", **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str], out: Path) -> tuple[str, dict[str, Any]]:
    said, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return said, json.loads((out / "chain.json").read_bytes())


def kill_after(out: Path, step: str) -> None:
    process = start(out)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(step):
            break
    else:
        raise AssertionError(f"the command ended before step {step}")
    process.kill()
    process.communicate()


def test_the_whole_chain_goes_on_after_kills_and_does_nothing_twice(tmp_path: Path) -> None:
    out = tmp_path / "chain"
    for step in ("1.", "2.", "4."):
        kill_after(out, step)
    said, report = finish(start(out), out)
    commit = report["sha"]
    names = [row["name"] for row in report["rows"]]
    assert names == ["word overlap, extractive memory", "word overlap, no history"]
    memory, control = report["rows"]
    assert memory["accuracy"] > 0.6, "the memories hold what the questions ask"
    assert control["accuracy"] == 0.25, "by construction"
    assert memory["no_context"] == control["accuracy"]
    assert memory["tier"] == "recomputed"
    assert "word overlap, extractive memory (demo)" in said

    _, again = finish(start(out), out)
    assert again["sha"] == commit, "nothing new to publish, so no commit"
    assert [row["submission"] for row in again["rows"]] == [row["submission"] for row in report["rows"]]


def test_on_a_hub_that_runs_already_under_ones_own_account(hub: HubServer, tmp_path: Path) -> None:
    out = tmp_path / "chain"
    _, report = finish(start(out, "--hub", hub.url, HF_TOKEN="hf_bob"), out)
    assert report["repo"].startswith("bob/")
    assert {row["submitter"] for row in report["rows"]} == {"bob"}
    assert not (out / "hub").exists()

    verified = verify_on_held_out_personas(hub, out, report)
    assert verified["tier"] == "verified"
    assert verified["verified"]["held_out_rows"] == 32
    assert verified["verified"]["held_out_accuracy"] > 0.6
    assert set(verified["verified"]) >= {"rerun_accuracy", "gap"}


def verify_on_held_out_personas(hub: HubServer, out: Path, report: dict[str, Any]) -> dict[str, Any]:
    """Seal personas, rerun the system on them and on the board's, record both, and return the row."""
    env = {**os.environ, "HF_ENDPOINT": hub.url, "HF_TOKEN": "hf_bob", "HF_HOME": str(out / "client")}

    def call(*words: str) -> str:
        command = [sys.executable, "-m", "hub_toolkit.cli.main", *words]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    sealed, key, private = str(out / "held.sealed"), str(out / "key"), str(out / "private")
    small = ("--personas", "4", "--questions", "4", "--tokens", "3000", "--long-tokens", "0")
    call("generate", "--holdout", *small, "--out", sealed, "--key", key)
    rerun = (sys.executable, "-m", "hub_toolkit.cli.main", "eval", "run", "--data", "{}", "--reader", "memory")
    call("generate", "holdout", "run", sealed, "--key", key, "--", *rerun, "--out", private)
    board = ("--owner", "bob", "--data", f"hf://datasets/{report['repo']}@{report['sha']}")
    runs = ("--run", str(out / "runs" / "memory"), "--held-out", private)
    call("leaderboard", "verify", report["rows"][0]["submission"], *runs, *board)
    rows = json.loads(call("leaderboard", "show", "--owner", "bob", "--json"))
    return next(row for row in rows if row["submission"] == report["rows"][0]["submission"])


def test_a_hub_without_a_token_is_refused_in_one_line(tmp_path: Path) -> None:
    process = start(tmp_path / "out", "--hub", "http://127.0.0.1:9")
    _, errors = process.communicate()
    assert process.returncode == 1
    assert errors.startswith("error: no token for http://127.0.0.1:9: set HF_TOKEN")
    assert errors.count("\n") == 1
