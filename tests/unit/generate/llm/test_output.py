"""What is written: balanced groups, twins, splits, histories in order, and a layout that the toolkit reads."""

from __future__ import annotations

import asyncio
import base64
import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from hub_toolkit.data.check import check_dataset
from hub_toolkit.generate.llm.config import LlmConfig, PreferenceCounts, parse_config
from hub_toolkit.generate.llm.pipeline import RunOptions, RunReport, run_llm
from hub_toolkit.hub.layout.convert import convert_dataset
from tests.generate_faults import read_rows, small_config
from tests.generate_judges import Script
from tests.generate_script import ScriptedModel, Writer

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def write(out: Path, config: LlmConfig) -> RunReport:
    """Write a dataset with a writer that makes no mistake."""
    return asyncio.run(run_llm(config, ScriptedModel(Writer(Script())), out, options=RunOptions(num_concurrent=16)))


@pytest.fixture(scope="module")
def swap(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("swap")
    write(out, small_config(num_personas=8, twin_every=1))
    return out


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("upstream")
    write(out, small_config("upstream", num_personas=8, preferences=PreferenceCounts(2, 2, 2, 1, 1, 1)))
    return out


def history_of(out: Path, row: dict[str, str], size: str = "32k") -> list[dict[str, Any]]:
    """Return a row's history without the persona's system message."""
    messages: list[dict[str, Any]] = json.loads((out / row[f"chat_history_{size}_link"]).read_bytes())["chat_history"]
    return messages[1:]


def test_both_modes_pass_the_check_of_the_toolkit(swap: Path, upstream: Path) -> None:
    for out in (swap, upstream):
        report = check_dataset(out)
        assert not report.problems
        assert report.counts


def test_each_option_of_a_group_is_right_for_exactly_one_owner(swap: Path) -> None:
    groups: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in read_rows(swap):
        if row["group_id"]:
            groups[row["group_id"]].append(row)
    assert len(groups) > 20
    for rows in groups.values():
        options = {tuple(sorted([row["correct_answer"], *json.loads(row["incorrect_answers"])])) for row in rows}
        assert len(options) == 1 == len({row["user_query"] for row in rows})
        assert sorted(row["correct_answer"] for row in rows) == list(next(iter(options)))
    golds = Counter(row["who"] for rows in groups.values() for row in rows)
    assert golds["others"] > 0


def test_all_types_and_kinds_of_gold_occur(swap: Path, upstream: Path) -> None:
    for out in (swap, upstream):
        rows = list(read_rows(out))
        types = {row["pref_type"] for row in rows}
        assert {"ask_to_forget", "sensitive_info", "stereotypical_pref", "anti_stereotypical_pref"} <= types
        assert {"neutral_preferences", "health_and_medical_conditions", "therapy_background"} <= types
        assert {row["who"] for row in rows} == {"self", "others"}
        assert all(row["prev_pref"] for row in rows if row["updated"] == "True")


def test_no_persona_and_no_group_stands_in_two_splits(swap: Path) -> None:
    for name in ("persona_id", "group_id"):
        splits: dict[str, set[str]] = defaultdict(set)
        for path in (swap / "benchmark" / "text").glob("*.csv"):
            for row in read_rows(swap):
                if row[name]:
                    splits[row[name]].add(row["chat_history_32k_link"] if name == "persona_id" else "x")
            assert path.stat().st_size > 0
        assert all(len(where) == 1 for where in splits.values())


def test_a_twin_differs_from_its_original_in_one_block(swap: Path) -> None:
    rows = {row["persona_id"]: row for row in read_rows(swap)}
    twins = [row for row in rows.values() if row["twin_of"]]
    assert len(twins) >= 4
    for row in twins:
        raw = json.loads((swap / row["raw_persona_file"]).read_bytes())["conversations"]
        other = json.loads((swap / rows[row["twin_of"]]["raw_persona_file"]).read_bytes())["conversations"]
        mine = {block["id"]: block for blocks in raw.values() for block in blocks}
        theirs = {block["id"]: block for blocks in other.values() for block in blocks}
        assert list(mine) and mine.keys() == theirs.keys()
        texts = history_of(swap, row), history_of(swap, rows[row["twin_of"]])
        changed = [
            name
            for name in mine
            if texts[0][slice(*mine[name]["messages"])] != texts[1][slice(*theirs[name]["messages"])]
        ]
        assert changed == [next(name for name in mine if name.startswith(row["group_id"]))]


def test_a_request_to_forget_stands_right_behind_its_target_and_an_update_later(upstream: Path) -> None:
    num_seen = 0
    for row in read_rows(upstream):
        raw = json.loads((upstream / row["raw_persona_file"]).read_bytes())["conversations"]
        blocks = {block["id"]: block for found in raw.values() for block in found}
        for name, block in blocks.items():
            if block["role"] == "forget":
                target = blocks[name.replace(".forget", ".own")]
                assert target["messages"][1] == block["messages"][0]
                num_seen += 1
            elif block["role"] == "update":
                assert blocks[name.replace(".update", ".old")]["messages"][1] <= block["messages"][0]
                num_seen += 1
    assert num_seen > 10


def test_histories_keep_to_their_length_and_the_evidence_is_in_both(swap: Path) -> None:
    for row in read_rows(swap):
        assert int(row["total_tokens_in_chat_history_32k"]) <= 8_000
        assert int(row["total_tokens_in_chat_history_128k"]) <= 12_000
        first = json.loads(row["related_conversation_snippet"])[0]
        assert first in history_of(swap, row) and first in history_of(swap, row, "128k")


def test_short_histories_take_fewer_questions_and_say_so(tmp_path: Path) -> None:
    counts = PreferenceCounts(0, 0, 24, 0, 0, 1)
    report = write(tmp_path, small_config(num_personas=4, context_32k_tokens=2_400, has_128k=False, preferences=counts))
    assert report.survival["histories"]["rejected"]["no_room"] > 0
    assert all(int(row["total_tokens_in_chat_history_32k"]) <= 2_400 for row in read_rows(tmp_path))


def test_photos_are_asked_about_only_where_images_are_given(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "tree.png").write_bytes(PIXEL)
    (folder / "captions.json").write_text('{"tree.png": "a tree by a lake"}')
    shares = {"photo": 1.0, "others": 0.0, "forget": 0.0, "update": 0.0, "repeated": 0.0}
    base = small_config(num_personas=4, has_128k=False, twin_every=1, context_32k_tokens=32_000).as_dict()
    config = parse_config({**base, "images": str(folder), "shares": {**base["shares"], **shares}})
    write(tmp_path / "with", config)
    assert not check_dataset(tmp_path / "with").problems
    rows = list(read_rows(tmp_path / "with"))
    photos = [row for row in rows if row["conversation_scenario"] == "photo_query"]
    assert photos
    assert not any(isinstance(m["content"], list) for m in history_of(tmp_path / "with", photos[0]))
    captions = str(history_of(tmp_path / "with", photos[0])).count("[photo: a tree by a lake]")
    shown = [row for row in read_rows(tmp_path / "with", "multimodal") if row["persona_id"] == photos[0]["persona_id"]]
    assert len(list(read_rows(tmp_path / "with", "multimodal"))) == len(rows)
    parts = [m["content"] for m in history_of(tmp_path / "with", shown[0]) if isinstance(m["content"], list)]
    assert len(parts) == captions > 0
    assert parts[0][1]["image_url"]["url"].startswith("data:image/png;base64,")
    assert "[photo:" not in str(history_of(tmp_path / "with", shown[0]))
    convert_dataset(tmp_path / "with", tmp_path / "parquet")
    table = pq.read_table(tmp_path / "parquet" / "histories_multimodal_32k").to_pylist()
    images = [part["image"] for row in table for message in row["messages"] for part in message["content"]]
    assert sum(image is not None and image["bytes"] == PIXEL for image in images) >= captions
    write(tmp_path / "without", parse_config({**base, "shares": {**base["shares"], **shares}}))
    assert all(row["conversation_scenario"] != "photo_query" for row in read_rows(tmp_path / "without"))


def test_the_card_names_the_model_and_what_passed(swap: Path) -> None:
    card = (swap / "README.md").read_text("utf-8")
    assert "fake/scripted-writer" in card and "swap groups" in card
    assert "| filters |" in card
    assert not (swap / ".generate").exists()
