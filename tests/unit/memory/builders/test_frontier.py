"""The cap frontier: more room holds more evidence, and every point keeps its cap."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from hub_toolkit.cli.memory_consolidate import frontier_command
from hub_toolkit.data.history import parse_history
from hub_toolkit.data.parse import MINI
from hub_toolkit.data.tokens import EstimateCounter
from hub_toolkit.errors import DataFormatError
from hub_toolkit.memory.builders.extractive import ExtractiveBuilder
from hub_toolkit.memory.builders.frontier import load_evidence, measure_frontier

COUNTER = EstimateCounter()
TOPICS = (
    "sourdough bread",
    "copper teapots",
    "lake swimming",
    "jazz records",
    "paper kites",
    "old maps",
    "red bicycles",
)


def test_points_keep_their_cap_and_grow_with_it() -> None:
    chat = [
        {"role": "user", "content": f"I always love my {topic}, every weekend I enjoy {topic}."} for topic in TOPICS
    ]
    history = parse_history({"chat_history": chat}, source="chat")
    points = asyncio.run(
        measure_frontier(
            history,
            [frozenset({index}) for index in range(len(TOPICS))],
            lambda cap: ExtractiveBuilder(COUNTER, cap_tokens=cap),
            COUNTER,
            caps=(16, 64, 512),
            num_passes=2,
        )
    )
    assert [(p.cap_tokens, p.num_passes) for p in points] == [(c, n) for c in (16, 64, 512) for n in (0, 1, 2)]
    assert all(point.tokens <= point.cap_tokens for point in points)
    recalls = [point.recall or 0.0 for point in points if point.num_passes == 1]
    assert recalls == sorted(recalls) and recalls[0] < 0.5 < recalls[-1]


def questions(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def test_only_the_users_own_questions_count(tmp_path: Path) -> None:
    path = questions(
        tmp_path / "q",
        {"evidence_messages": [1, 2]},
        {"evidence_messages": [3], "who": "others"},
        {"evidence_messages": [4], "pref_type": "ask_to_forget"},
        {"evidence_messages": [5], "who": "self", "pref_type": "neutral_preferences"},
    )
    assert load_evidence(path) == [frozenset({1, 2}), frozenset({5})]


@pytest.mark.parametrize(
    "row",
    [
        "x",
        [1],
        {"who": "self"},
        *({"evidence_messages": wrong} for wrong in (["a"], "12", "", [1.5], [float("inf")], [True])),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, row: object) -> None:
    with pytest.raises(DataFormatError, match="row 2"):
        load_evidence(questions(tmp_path / "q", {"evidence_messages": [1]}, row))


def test_the_command_prints_a_table_and_json(tmp_path: Path) -> None:
    history = str(MINI / "data/chat_history_32k/chat_history_persona2.json")
    words = [history, "--questions", str(questions(tmp_path / "q", {"evidence_messages": [2]})), "--caps", "256,64"]
    shown = CliRunner().invoke(frontier_command, [*words, "--passes", "1"])
    assert shown.exit_code == 0 and len(shown.output.splitlines()) == 6, shown.output
    found = json.loads(CliRunner().invoke(frontier_command, [*words, "--passes", "0", "--json"]).output)
    assert [point["cap_tokens"] for point in found["points"]] == [64, 256]
    assert CliRunner().invoke(frontier_command, [*words, "--caps", "3"]).exit_code == 2
