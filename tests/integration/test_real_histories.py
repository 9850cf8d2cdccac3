"""The embedded memory on real histories of the published pipeline, where they are at hand."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hub_toolkit.data.history import load_history
from hub_toolkit.data.tokens import EstimateCounter

ROOT = Path(__file__).parents[2]


def recall(real_data: Path, cap: int) -> dict[str, Any]:
    folder = real_data / "personamem_evo"
    history = next((folder / "histories").glob("*persona11.json"))
    command = [sys.executable, str(ROOT / "benchmarks" / "memory_recall.py"), "--history", str(history)]
    command += ["--questions", str(folder / "questions_persona11.jsonl"), "--cap", str(cap)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    result: dict[str, Any] = json.loads(printed.splitlines()[-1])
    return result


@pytest.mark.parametrize("cap", [512, 1024])
def test_memory_cites_more_evidence_than_any_control(real_data: Path, cap: int) -> None:
    result = recall(real_data, cap)
    assert result["memory_tokens"] <= cap
    assert result["evidence_recall"] >= 1.5 * max(result["controls"].values())


@pytest.mark.parametrize("cap", [512, 1024, 2048])
def test_nothing_forgotten_is_left(real_data: Path, cap: int) -> None:
    assert recall(real_data, cap)["forget_residue"] == 0


def test_the_token_estimate_errs_high_by_at_most_a_tenth(real_data: Path) -> None:
    for path in (real_data / "personamem_evo" / "histories").glob("*.json"):
        published = json.loads(path.read_text("utf-8"))["metadata"]["final_token_count"]
        history = load_history(path, persona_system="keep")
        estimate = sum(EstimateCounter().count(m.text) for m in history.messages)
        assert published <= estimate <= 1.1 * published
