"""Exports as ChatGPT and Claude write them, made for the tests."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hub_toolkit.data.chat_exports import ChatSession, ExportLimits, Skipped, read_export

Node = dict[str, Any]


def gpt_node(
    node_id: str, parent: str | None, role: str, text: str, *, time: float | None = None, **changes: Any
) -> Node:
    """Return one node of a ChatGPT conversation; `changes` replace fields of its message."""
    message = {
        "id": node_id,
        "author": {"role": role, "name": None, "metadata": {}},
        "create_time": time,
        "update_time": None,
        "content": {"content_type": "text", "parts": [text]},
        "status": "finished_successfully",
        "end_turn": True,
        "weight": 1.0,
        "metadata": {},
        "recipient": "all",
    }
    return {"id": node_id, "message": {**message, **changes}, "parent": parent, "children": []}


def gpt_conversation(nodes: Sequence[Node], current: str | None, *, number: int = 1, **changes: Any) -> dict[str, Any]:
    """Return a ChatGPT conversation with the usual empty root."""
    root: Node = {"id": "root", "message": None, "parent": None, "children": []}
    mapping = {node["id"]: node for node in (root, *nodes)}
    for node in nodes:
        if node["parent"] in mapping:
            mapping[node["parent"]]["children"].append(node["id"])
    conversation = {
        "title": f"Chat {number}",
        "create_time": 1_700_000_000.25 + number * 1000,
        "update_time": 1_700_000_500.0,
        "mapping": mapping,
        "moderation_results": [],
        "current_node": current,
        "conversation_id": f"conversation-{number}",
        "id": f"conversation-{number}",
    }
    return {**conversation, **changes}


def gpt_chat(*texts: str, number: int = 1) -> dict[str, Any]:
    """Return a ChatGPT conversation in which the user and the assistant speak in turn."""
    nodes = [
        gpt_node(f"n{place}", f"n{place - 1}" if place else "root", ("user", "assistant")[place % 2], text)
        for place, text in enumerate(texts)
    ]
    return gpt_conversation(nodes, f"n{len(texts) - 1}", number=number)


def claude_message(uuid: str, sender: str, text: str, *, parent: str | None = None, **changes: Any) -> dict[str, Any]:
    """Return one message of a Claude conversation."""
    message: dict[str, Any] = {
        "uuid": uuid,
        "text": text,
        "content": [{"start_timestamp": None, "type": "text", "text": text, "citations": []}],
        "sender": sender,
        "created_at": "2025-03-01T10:00:00.000000Z",
        "attachments": [],
        "files": [],
    }
    if parent is not None:
        message["parent_message_uuid"] = parent
    return {**message, **changes}


def claude_chat(messages: Sequence[dict[str, Any]], *, number: int = 1, **changes: Any) -> dict[str, Any]:
    """Return a Claude conversation."""
    conversation = {
        "uuid": f"claude-{number}",
        "name": f"Chat {number}",
        "created_at": f"2025-03-{number:02d}T09:00:00.123456+00:00",
        "account": {"uuid": "account"},
        "chat_messages": list(messages),
    }
    return {**conversation, **changes}


def write_json(path: Path, value: object) -> Path:
    """Write a value as the services do: characters beyond ASCII as escapes."""
    path.write_text(json.dumps(value), "utf-8")
    return path


def write_zip(path: Path, files: Mapping[str, object]) -> Path:
    """Write a ZIP; what is neither text nor bytes is written as JSON."""
    path.write_bytes(zip_bytes(files))
    return path


def zip_bytes(files: Mapping[str, object]) -> bytes:
    """Return the bytes of a ZIP, as `write_zip` writes it."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content if isinstance(content, str | bytes) else json.dumps(content))
    return out.getvalue()


def read_all(path: Path, limits: ExportLimits | None = None) -> tuple[list[ChatSession], list[Skipped]]:
    """Return an export's sessions and what was skipped."""
    found = list(read_export(path, limits=limits))
    sessions = [one for one in found if isinstance(one, ChatSession)]
    return sessions, [one for one in found if isinstance(one, Skipped)]


def texts_of(session: ChatSession) -> list[str]:
    """Return `user: text` for each message."""
    return [f"{message.role}: {message.text}" for message in session.messages]
