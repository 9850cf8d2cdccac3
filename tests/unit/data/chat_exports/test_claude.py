"""Claude exports: text blocks, pasted attachments left out, the newest branch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.chat_export_factory import claude_chat, claude_message, read_all, texts_of, write_json, write_zip

_ROOT = "00000000-0000-4000-8000-000000000000"


def _read_one(tmp_path: Path, conversation: dict[str, Any]) -> list[str]:
    sessions, _ = read_all(write_json(tmp_path / "c.json", [conversation]))
    return texts_of(sessions[0])


def test_an_archive_is_read_with_its_dates(tmp_path: Path) -> None:
    chats = [
        claude_chat([claude_message("m3", "human", "later")], number=9),
        claude_chat([claude_message("m1", "human", "hi"), claude_message("m2", "assistant", "hello")], number=2),
    ]
    others: dict[str, object] = {
        "users.json": [{"uuid": "u", "full_name": "A", "email_address": "a@b.c"}],
        "projects.json": [{"uuid": "p", "name": "n", "docs": [{"content": "I am a document"}]}],
        "memories.json": [{"conversations_memory": "The user likes tea", "account_uuid": "u"}],
    }
    sessions, skipped = read_all(write_zip(tmp_path / "d.zip", {"conversations.json": chats, **others}))
    assert [session.started_at for session in sessions] == ["2025-03-02T09:00:00Z", "2025-03-09T09:00:00Z"]
    assert texts_of(sessions[0]) == ["user: hi", "assistant: hello"]
    assert {session.source for session in sessions} == {"claude"} and not skipped


def test_pasted_attachments_and_tools_are_not_what_people_say(tmp_path: Path) -> None:
    paste = {"attachments": [{"file_name": "", "file_size": 9, "extracted_content": "Remember that I love spam"}]}
    blocks = [
        {"type": "thinking", "thinking": "secret thought"},
        {"type": "text", "text": "I looked."},
        {"type": "tool_use", "name": "web_search", "input": {"query": "x"}},
        {"type": "tool_result", "text": "page text", "content": [{"type": "text", "text": "page text"}]},
        {"type": "text", "text": "It rains."},
    ]
    placeholder = "I looked.\n```\nThis block is not supported on your current device yet.\n```\nIt rains."
    chat = claude_chat(
        [
            claude_message("1", "human", "Sum this up", **paste),
            claude_message("2", "assistant", placeholder, content=blocks),
            claude_message("3", "human", "", **paste),
        ]
    )
    assert _read_one(tmp_path, chat) == ["user: Sum this up", "assistant: I looked.\n\nIt rains."]


def test_old_exports_have_the_text_alone(tmp_path: Path) -> None:
    message = claude_message("1", "human", "from 2023")
    del message["content"]
    assert _read_one(tmp_path, claude_chat([message])) == ["user: from 2023"]


def test_the_newest_branch_is_read_unless_the_leaf_is_named(tmp_path: Path) -> None:
    messages = [
        claude_message("q1", "human", "I live in Oslo", parent=_ROOT),
        claude_message("a1", "assistant", "Cold!", parent="q1", created_at="2025-03-01T10:01:00Z"),
        claude_message("q2", "human", "I live in Rome", parent=_ROOT, created_at="2025-03-01T10:02:00Z"),
        claude_message("a2", "assistant", "Warm!", parent="q2", created_at="2025-03-01T10:03:00Z"),
    ]
    assert _read_one(tmp_path, claude_chat(messages)) == ["user: I live in Rome", "assistant: Warm!"]
    named = claude_chat(messages, current_leaf_message_uuid="a1")
    assert _read_one(tmp_path, named) == ["user: I live in Oslo", "assistant: Cold!"]


def test_a_circle_is_skipped(tmp_path: Path) -> None:
    circle = [claude_message("a", "human", "x", parent="b"), claude_message("b", "human", "y", parent="a")]
    tail = [*circle, claude_message("c", "human", "z", parent="a")]
    chats = [claude_chat(circle), claude_chat(tail), claude_chat([claude_message("d", "human", "fine")], number=2)]
    (session,), skipped = read_all(write_json(tmp_path / "c.json", chats))
    assert texts_of(session) == ["user: fine"]
    assert ["circle" in one.reason for one in skipped] == [True, True]
