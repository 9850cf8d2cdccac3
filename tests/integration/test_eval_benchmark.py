"""The benchmark of the runner says what it promises; no time is asserted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.mock_server import FAULTS, RunningMock

ROOT = Path(__file__).resolve().parents[2]


def run(*words: str) -> tuple[list[str], dict[str, Any]]:
    command = [sys.executable, str(ROOT / "benchmarks" / "eval_runner.py"), *words]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == 0, done.stderr
    *table, last = done.stdout.splitlines()
    return table, json.loads(last)


@pytest.fixture(scope="module")
def quick() -> tuple[list[str], dict[str, Any]]:
    return run("--quick", "--inspect-python", "")


def test_every_line_of_the_table_is_measured(quick: tuple[list[str], dict[str, Any]]) -> None:
    table, figures = quick
    lines = figures["lines"]
    assert list(lines) == [
        "ours, one question",
        "ours, histories, 0.05 s",
        "ours, histories, 0.02 s",
        "ours, memories, 0.02 s",
        "published loop",
    ]
    assert figures["num_questions"] == 30
    for name, line in lines.items():
        assert any(row.startswith(name) for row in table)
        assert line["wall_s"] > 0 < line["cpu_s"] and line["peak_mb"] > 0 < line["prompt_mtokens"]
    assert "inspect_ai: left out" in "\n".join(table)


def test_what_does_not_depend_on_the_machine(quick: tuple[list[str], dict[str, Any]]) -> None:
    lines = quick[1]["lines"]
    long, memories, loop = (
        lines[name] for name in ("ours, histories, 0.02 s", "ours, memories, 0.02 s", "published loop")
    )
    assert long["calls"] == 30
    assert long["prefix_sharing"] > 0.3, "of 29 questions at most 24 can begin like the one before"
    assert memories["calls"] - 30 < 6 * 15, "a memory is built once a history"
    assert loop["calls"] > 30 * 5 and loop["scale"] == 15
    assert quick[1]["rebuild_ratio"] > 3
    assert long["folder_mb"] < 0.1, "no history is in the run's folder"


def test_another_server_is_measured_from_the_client_alone() -> None:
    with RunningMock(0.01) as mock:
        table, figures = run("--quick", "--base-url", mock.base_url)
        assert mock.stats()["num_requests"] > 90
    assert all(line["ideal_s"] is None and line["prefix_sharing"] is None for line in figures["lines"].values())
    assert figures["rebuild_ratio"] is None and len(table) >= 4


def test_the_server_plays_what_it_is_told(tmp_path: Path) -> None:
    import httpx

    log = tmp_path / "log"
    with RunningMock(log=log) as mock:
        body = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}
        seen = {}
        for kind in FAULTS:
            mock.control(fault={"kind": kind, "times": 1, "retry_after_s": 2})
            try:
                reply = httpx.post(f"{mock.base_url}/chat/completions", json=body, timeout=0.3, trust_env=False)
                seen[kind] = (reply.status_code, reply.headers.get("retry-after"), reply.text[:14])
            except httpx.TransportError as error:
                seen[kind] = (0, None, type(error).__name__)
            again = httpx.post(f"{mock.base_url}/chat/completions", json=body, timeout=5, trust_env=False)
            assert "boxed" in again.json()["choices"][0]["message"]["content"]
            stats = mock.stats()
            assert (stats["num_requests"], stats["num_repeated"], stats["by_fault"]) == (2, 1, {kind: 1})
    assert seen["429"][:2] == (429, "2") and seen["500"][0] == 500
    assert seen["hang"][2] == "ReadTimeout" and seen["drop"][2] in ("ReadError", "RemoteProtocolError")
    assert seen["malformed"][0] == seen["empty"][0] == 200
    assert seen["400"][0] == seen["overflow"][0] == 400
    assert len(log.read_text().splitlines()) == 2 * len(FAULTS)
