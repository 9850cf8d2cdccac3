"""`personamem eval`: what it prints, and its exit statuses."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hub_toolkit.cli.main import main


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["eval", *map(str, arguments)])


def test_run_and_report_with_the_defaults(tmp_path: Path) -> None:
    out = tmp_path / "run"
    run = invoke("run", "--data", "mini", "--out", out)
    assert (run.exit_code, run.stderr) == (0, "")
    assert "scored" in run.stdout
    record = json.loads((out / "run.json").read_text("utf-8"))
    assert record["model"]["name"] == "lexical"
    assert record["dataset"]["name"] == "mini"
    assert record["config"]["is_counterfactual"] is True

    report = invoke("report", out, "--json")
    assert report.exit_code == 0
    figures = json.loads(report.stdout)
    assert figures["accuracy"]["low"] > figures["chance"] == 0.25
    assert figures["baselines"]["no_context"]["value"] == pytest.approx(0.25)
    text = invoke("report", out).stdout
    for line in ("accuracy, balanced rows", "no context", "longest option", "shortest option", "counterfactual lift"):
        assert line in text


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--task", "open"], "name a chat model"),
        (["--builder", "agentic"], "needs a chat model"),
        (["--reader", "none", "--counterfactual"], "no counterfactual"),
        (["--split", "val"], "val.csv"),
        (["--model", "nothing/x"], "nothing/x"),
        (["--model", "fake/nope"], "fake/nope"),
        (["--model", "openai/x", "--base-url", "http://127.0.0.1:9/v1", "--api-key", "k"], "127.0.0.1:9"),
    ],
)
def test_one_line_says_what_is_wrong(tmp_path: Path, arguments: list[str], reason: str) -> None:
    result = invoke("run", "--data", "mini", "--limit", "2", "--out", tmp_path / "run", *arguments)
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1
    assert reason in result.stderr


def test_missing_dataset_and_missing_run(tmp_path: Path) -> None:
    assert invoke("run", "--data", tmp_path / "nothing", "--out", tmp_path / "run").exit_code == 1
    assert "no run.json" in invoke("report", tmp_path).stderr


def test_another_configuration_is_refused(tmp_path: Path) -> None:
    assert invoke("run", "--data", "mini", "--limit", "2", "--out", tmp_path).exit_code == 0
    result = invoke("run", "--data", "mini", "--limit", "2", "--seed", "1", "--out", tmp_path)
    assert (result.exit_code, "seed was 0, now 1" in result.stderr) == (1, True)


def test_no_context_run_stands_beside_a_model(tmp_path: Path) -> None:
    for name, reader in (("run", "oracle"), ("bare", "none")):
        result = invoke("run", "--data", "mini", "--reader", reader, "--model", "fake/hash", "--out", tmp_path / name)
        assert result.exit_code == 0
    text = invoke("report", tmp_path / "run", "--no-context", tmp_path / "bare").stdout
    assert "not run" not in next(line for line in text.splitlines() if line.startswith("no context"))


def test_progress_is_drawn_on_a_terminal_with_rate_tokens_and_failures(tmp_path: Path) -> None:
    """On a pseudo-terminal that reports no size, as CI systems have them."""
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "hub_toolkit.cli.main", "eval", "run", "--data", "mini", "--model", "fake/hash"]
    process = subprocess.Popen([*command, "--out", str(tmp_path)], stdout=subprocess.DEVNULL, stderr=follower)
    os.close(follower)
    drawn = b""
    with suppress(OSError):  # the terminal is gone when the process has ended
        while block := os.read(leader, 65536):
            drawn += block
    os.close(leader)
    assert process.wait() == 0
    assert b"answers: 100%" in drawn
    assert re.search(rb"124/124 \[.*it/s, [\d.]+k in, \d+ out, 0 failed\]", drawn)
