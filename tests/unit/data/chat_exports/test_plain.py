"""Plain messages in the forms that people have them in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hub_toolkit.data.history import load_history
from tests.chat_export_factory import read_all, texts_of, write_json

_MESSAGES: list[dict[str, Any]] = [
    {"role": "system", "content": "You are kind."},
    {"role": "user", "content": "I keep bees."},
    {"role": "assistant", "content": "How many hives?"},
]
_SPOKEN = ["user: I keep bees.", "assistant: How many hives?"]
_MINI = Path(__file__).parents[4] / "hub_toolkit/data/mini/data/chat_history_32k/chat_history_persona1.json"


@pytest.mark.parametrize(
    "value",
    [
        _MESSAGES,
        [_MESSAGES],
        {"messages": _MESSAGES},
        {"metadata": {"persona_id": 3}, "chat_history": _MESSAGES},
        [{"id": "c1", "started_at": "2024-05-01", "messages": _MESSAGES}],
        {"conversations": [{"id": "c1", "messages": _MESSAGES}]},
        {"conversations": [{"from": "human", "value": "I keep bees."}, {"from": "gpt", "value": "How many hives?"}]},
    ],
    ids=["list", "list of lists", "messages", "chat_history", "conversations", "wrapped", "from and value"],
)
def test_all_forms_give_the_same_session(tmp_path: Path, value: object) -> None:
    (session,), skipped = read_all(write_json(tmp_path / "m.txt", value))
    assert texts_of(session) == _SPOKEN and not skipped


def test_lines_of_messages_are_one_conversation(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    path.write_text("".join(json.dumps(message) + "\n" for message in _MESSAGES), "utf-8-sig")
    (session,), _ = read_all(path)
    assert texts_of(session) == _SPOKEN


def test_lines_of_conversations_are_one_each_and_a_broken_line_is_named(tmp_path: Path) -> None:
    lines = [json.dumps({"messages": _MESSAGES}), '{"messages": [', json.dumps({"id": "b", "messages": _MESSAGES})]
    path = tmp_path / "m.jsonl"
    path.write_text("\n".join(lines), "utf-8")
    sessions, (skipped,) = read_all(path)
    assert [texts_of(session) for session in sessions] == [_SPOKEN, _SPOKEN]
    assert sessions[0].key != sessions[1].key
    assert skipped.place.endswith("conversation 2") and "no JSON" in skipped.reason


def test_a_list_a_line_is_a_conversation_each(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    path.write_text(json.dumps(_MESSAGES) + "\n" + json.dumps(_MESSAGES) + "\n", "utf-8")
    assert [texts_of(session) for session in read_all(path)[0]] == [_SPOKEN, _SPOKEN]


def test_parts_are_read_and_tool_messages_left_out(tmp_path: Path) -> None:
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "Look"}, {"type": "image_url", "image_url": "x"}]},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]},
        {"role": "tool", "content": "tool text"},
        {"role": "user", "content": [{"type": "tool_result", "content": "more tool text"}]},
        {"role": "assistant", "content": [{"type": "output_text", "text": "Seen"}]},
    ]
    (session,), _ = read_all(write_json(tmp_path / "m.json", messages))
    assert texts_of(session) == ["user: Look", "assistant: Seen"] and session.num_left_out == 3


def test_a_message_of_an_unknown_speaker_is_named_and_the_rest_read(tmp_path: Path) -> None:
    messages = [*_MESSAGES, {"role": "narrator", "content": "It was night."}]
    (session,), (skipped,) = read_all(write_json(tmp_path / "m.json", {"messages": messages}))
    assert texts_of(session) == _SPOKEN
    assert "message 4" in skipped.reason and "night" not in skipped.reason


def test_chats_with_an_id_keep_their_key_and_those_without_go_by_how_they_begin(tmp_path: Path) -> None:
    def keys(*conversations: dict[str, Any]) -> list[str]:
        return [session.key for session in read_all(write_json(tmp_path / "k.json", list(conversations)))[0]]

    hello = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "Hello!"}]
    tea = [*hello, {"role": "user", "content": "I drink tea and have done so since my time in Kyoto as a student."}]
    rome = [*hello, {"role": "user", "content": "I moved to Rome last spring, into a flat without a balcony."}]
    more = [{"role": "assistant", "content": "Nice."}]
    assert keys({"messages": tea}) == keys({"messages": tea + more})
    assert keys({"messages": tea}) != keys({"messages": rome})
    assert keys({"id": 7, "messages": tea}) == keys({"id": 7, "messages": rome})
    assert len(set(keys({"messages": tea}, {"messages": tea}))) == 2


def test_a_history_reads_as_it_does_elsewhere() -> None:
    (session,), _ = read_all(_MINI)
    assert session.messages == load_history(_MINI).messages


def test_real_histories_read_as_they_do_elsewhere(real_data: Path) -> None:
    path = min(real_data.rglob("*chat_history*.json"))
    (session,), _ = read_all(path)
    spoken = [m.text for m in load_history(path).messages if m.role != "system"]
    assert [message.text for message in session.messages] == spoken
