"""ChatGPT exports: the branch that was last shown, and only what people said in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.chat_export_factory import (
    gpt_chat,
    gpt_conversation,
    gpt_node,
    read_all,
    texts_of,
    write_json,
    write_zip,
)


def _read_one(tmp_path: Path, conversation: dict[str, Any]) -> list[str]:
    sessions, _ = read_all(write_json(tmp_path / "conversations.json", [conversation]))
    return texts_of(sessions[0])


def test_only_the_branch_to_the_current_node_is_read(tmp_path: Path) -> None:
    nodes = [
        gpt_node("u1", "root", "user", "I live in Oslo"),
        gpt_node("a1", "u1", "assistant", "Cold!"),
        gpt_node("u2", "root", "user", "I live in Rome"),  # the same turn, edited
        gpt_node("a2", "u2", "assistant", "Warm!"),
        gpt_node("a3", "u2", "assistant", "Sunny!"),  # answered anew
    ]
    assert _read_one(tmp_path, gpt_conversation(nodes, "a2")) == ["user: I live in Rome", "assistant: Warm!"]
    assert _read_one(tmp_path, gpt_conversation(nodes, "a1")) == ["user: I live in Oslo", "assistant: Cold!"]


@pytest.mark.parametrize("current", [None, "gone"])
def test_without_a_current_node_the_newest_leaf_decides(tmp_path: Path, current: str | None) -> None:
    nodes = [
        gpt_node("u1", "root", "user", "old", time=10.0),
        gpt_node("u3", "root", "user", "newest", time=30.5),
        gpt_node("u2", "root", "user", "new", time=20.0),
    ]
    assert _read_one(tmp_path, gpt_conversation(nodes, current)) == ["user: newest"]


def test_what_nobody_said_is_left_out(tmp_path: Path) -> None:
    hidden = {"metadata": {"is_visually_hidden_from_conversation": True}}
    custom = {"content": {"content_type": "user_editable_context", "user_profile": "I am a spy", "parts": ["spy"]}}
    nodes = [
        gpt_node("s", "root", "system", "secret system text"),
        gpt_node("c", "s", "user", "", **custom),
        gpt_node("h", "c", "user", "hidden text", **hidden),
        gpt_node("u", "h", "user", "What is new in Bergen?"),
        gpt_node("q", "u", "assistant", "search('Bergen')", recipient="web"),
        gpt_node("t", "q", "tool", "web page: I am the user and I love spam"),
        gpt_node("b", "t", "assistant", "", content={"content_type": "tether_quote", "text": "quoted page"}),
        gpt_node("r", "b", "assistant", "", content={"content_type": "thoughts", "thoughts": [{"content": "hm"}]}),
        gpt_node("a", "r", "assistant", "A new museum."),
        {"id": "null", "message": None, "parent": "a", "children": []},
    ]
    path = write_json(tmp_path / "conversations.json", [gpt_conversation(nodes, "null")])
    (session,), skipped = read_all(path)
    assert texts_of(session) == ["user: What is new in Bergen?", "assistant: A new museum."]
    assert session.num_left_out == 7 and not skipped
    assert session.message_ids == ("u", "a")


def test_pictures_have_no_words_and_speech_has(tmp_path: Path) -> None:
    parts = [
        {"content_type": "image_asset_pointer", "asset_pointer": "file-service://x"},
        "Is this a chanterelle?",
        {"content_type": "audio_transcription", "text": "I pick them every autumn", "direction": "in"},
        None,
    ]
    nodes = [gpt_node("u", "root", "user", "", content={"content_type": "multimodal_text", "parts": parts})]
    assert _read_one(tmp_path, gpt_conversation(nodes, "u")) == [
        "user: Is this a chanterelle?\nI pick them every autumn"
    ]


def test_an_archive_with_several_files_is_read_in_the_order_of_time(tmp_path: Path) -> None:
    files = {
        "export/conversations-001.json": [gpt_chat("third", "x", number=3), gpt_chat("first", "x", number=1)],
        "export/conversations-000.json": [gpt_chat("second", "x", number=2)],
        "export/user.json": {"id": "user", "email": "a@b.c"},
        "export/shared_conversations.json": [{"id": "s", "conversation_id": "conversation-1", "title": "t"}],
        "export/file-abc-notes.json": [{"role": "user", "content": "an uploaded file, not a chat"}],
        "export/chat.html": "<html></html>",
        "__MACOSX/export/._conversations.json": b"\0\5\x16",
    }
    sessions, skipped = read_all(write_zip(tmp_path / "anything.bin", files))
    assert [texts_of(session)[0] for session in sessions] == ["user: first", "user: second", "user: third"]
    assert sessions[0].started_at == "2023-11-14T22:30:00Z"
    assert not skipped


def test_a_later_export_has_the_same_key_and_more_messages(tmp_path: Path) -> None:
    (before,), _ = read_all(write_json(tmp_path / "a.json", [gpt_chat("one", "two")]))
    (after,), _ = read_all(write_zip(tmp_path / "b.zip", {"conversations.json": [gpt_chat("one", "two", "three")]}))
    assert before.key == after.key
    assert after.messages[:2] == before.messages and len(after.messages) == 3


def test_a_conversation_that_stands_twice_is_read_once(tmp_path: Path) -> None:
    files = {"a/conversations.json": [gpt_chat("one")], "b/conversations.json": [gpt_chat("one", "two")]}
    (session,), skipped = read_all(write_zip(tmp_path / "e.zip", files))
    assert len(session.messages) == 2
    assert "twice" in skipped[0].reason


def test_a_chat_that_is_not_to_be_remembered_is_named_and_not_read(tmp_path: Path) -> None:
    private = {**gpt_chat("I stuff beetles", number=1), "is_do_not_remember": True}
    others = [{**gpt_chat(f"chat {n}", number=n), "is_do_not_remember": value} for n, value in ((2, False), (3, None))]
    sessions, (skipped,) = read_all(write_json(tmp_path / "c.json", [private, *others]))
    assert [texts_of(session) for session in sessions] == [["user: chat 2"], ["user: chat 3"]]
    assert "not to be remembered" in skipped.reason and skipped.place.endswith("conversation 1")


def test_a_circle_of_messages_is_skipped_and_named(tmp_path: Path) -> None:
    nodes = [gpt_node("u", "a", "user", "hello"), gpt_node("a", "u", "assistant", "hi")]
    path = write_json(tmp_path / "c.json", [gpt_conversation(nodes, "a"), gpt_chat("fine", number=2)])
    (session,), (skipped,) = read_all(path)
    assert texts_of(session) == ["user: fine"]
    assert "circle" in skipped.reason and skipped.place.endswith("conversation 1")


def test_emoji_and_other_scripts_survive(tmp_path: Path) -> None:
    text = "👩‍👩‍👧 שלום 你好 مرحبا e\u0301"
    assert _read_one(tmp_path, gpt_chat(text)) == [f"user: {text}"]
