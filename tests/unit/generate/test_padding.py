"""Padding from a named dataset stands in long histories, between blocks, and its content decides the bytes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hub_toolkit.cli.main import main
from hub_toolkit.data.check import check_dataset
from hub_toolkit.errors import DataFormatError
from hub_toolkit.generate.llm.config import load_config
from hub_toolkit.generate.padding_source import find_dialogues, load_dialogues, open_padding

PAIR = {"question": "How tall is the tower?", "answer": "As tall as its shadow at noon in May."}
MESSAGES = [{"role": "user", "content": "Which year?"}, {"role": "assistant", "content": "The third."}]
SHAREGPT = {"conversations": [{"from": "human", "value": "Why?"}, {"from": "gpt", "value": "Because."}]}


def write_lines(path: Path, *rows: object) -> Path:
    path.write_text("\n".join(json.dumps(row) for row in rows), "utf-8")
    return path


def generate(out: Path, *args: str) -> Result:
    small = ("--questions", "4", "--tokens", "3000", "--long-tokens", "4000", "--out", str(out))
    return CliRunner().invoke(main, ["generate", *small, *args])


def messages_of(out: Path, size: str) -> list[str]:
    history = json.loads((out / f"data/chat_history_{size}/chat_history_persona2.json").read_bytes())
    return [message["content"] for message in history["chat_history"]]


def test_long_histories_are_filled_from_the_named_file_and_only_from_it(tmp_path: Path) -> None:
    source = write_lines(tmp_path / "pad.jsonl", PAIR, MESSAGES, SHAREGPT)
    result = generate(tmp_path / "out", "--personas", "4", "--padding", str(source))
    assert result.exit_code == 0, result.output
    short, long = (messages_of(tmp_path / "out", size) for size in ("32k", "128k"))
    added = [text for text in long if text not in short]
    assert set(added) == {PAIR["question"], PAIR["answer"], "Which year?", "The third.", "Why?", "Because."}
    assert [text for text in long if text in short] == short, "blocks keep their order"
    assert all(long[place + 1] == PAIR["answer"] for place, text in enumerate(long) if text == PAIR["question"])
    assert check_dataset(tmp_path / "out").problems == ()


def test_another_content_is_another_dataset_and_another_place_is_not(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    here = write_lines(tmp_path / "pad.jsonl", PAIR)
    there = write_lines(tmp_path / "there" / "pad.jsonl", PAIR)
    assert generate(tmp_path / "out", "--personas", "4", "--padding", str(here)).exit_code == 0
    again = generate(tmp_path / "out", "--personas", "4", "--padding", str(there))
    assert "nothing to do" in again.output
    write_lines(here, SHAREGPT)
    assert "another configuration" in generate(tmp_path / "out", "--personas", "4", "--padding", str(here)).output


def test_rows_of_many_kinds_are_dialogues_and_the_rest_is_left_out() -> None:
    wholes = [PAIR, MESSAGES, SHAREGPT, {"chat_history": MESSAGES}, {"a": {"b": [MESSAGES]}}]
    assert all(len(list(find_dialogues(whole))) == 1 for whole in wholes)
    with_system = {"messages": [{"role": "system", "content": "Be brief."}, *MESSAGES]}
    assert next(find_dialogues(with_system))[0].text == "Which year?"
    lone = [{"role": "user", "content": "Anybody there?"}]
    broken = [{"role": "user", "content": "\ud83d"}, MESSAGES[1]]
    endless = [{"role": "user", "content": "x" * 40_000}, MESSAGES[1]]
    for value in (lone, broken, endless, {"text": "Once."}, [], None, 3, "question", {"question": "?", "answer": 4}):
        assert list(find_dialogues(value)) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [(b'{"a": 1}', "holds no dialogue"), (b"a,b\n1,2", "row 1: is no JSON"), (b"\xff\xfe", "cannot be read")],
)
def test_a_file_that_holds_no_dialogue_is_one_line(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "pad.json"
    path.write_bytes(content)
    result = generate(tmp_path / "out", "--padding", str(path))
    assert result.exit_code == 1 and said in result.output and str(path) in result.output
    assert not (tmp_path / "out").exists()
    with pytest.raises(DataFormatError, match="cannot be read"):
        open_padding(tmp_path / "nowhere.json")


def test_padding_without_long_histories_is_refused(tmp_path: Path) -> None:
    result = generate(tmp_path / "out", "--long-tokens", "0", "--padding", "pad.jsonl")
    assert result.exit_code == 2 and "--long-tokens" in result.output


def test_a_configuration_names_padding_beside_itself(tmp_path: Path) -> None:
    write_lines(tmp_path / "pad.jsonl", PAIR)
    (tmp_path / "run.toml").write_text('padding = "pad.jsonl"\n')
    config = load_config(tmp_path / "run.toml")
    assert config.layout.padding is not None
    assert load_dialogues(config.layout.padding.path)[0][0].text == PAIR["question"]
    assert config.as_dict()["padding"]["name"] == "pad.jsonl"
    assert "padding" not in load_config(None).as_dict()


@pytest.mark.parametrize(("asked", "written"), [(1, 4), (7, 8), (8, 8)])
def test_personas_are_filled_up_to_whole_groups_and_that_is_said(tmp_path: Path, asked: int, written: int) -> None:
    result = generate(tmp_path / "out", "--personas", str(asked), "--long-tokens", "0")
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "out" / "generate_report.json").read_bytes())
    assert report["num_personas"] == written
    assert (f"writing {written} personas instead of {asked}" in result.output) == (asked != written)
