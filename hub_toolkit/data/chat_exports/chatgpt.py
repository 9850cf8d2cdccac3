"""Conversations of a ChatGPT export: a tree of messages, of which the branch to `current_node` was last shown."""

from __future__ import annotations

from typing import Any

from hub_toolkit.data.chat_exports.sessions import Conversation, ConversationError, Turn, parse_time

_TEXT_TYPES = ("text", "multimodal_text")
_HIDDEN_FLAGS = ("is_visually_hidden_from_conversation", "is_user_system_message")


def is_chatgpt(raw: dict[str, Any]) -> bool:
    """Whether an object is a conversation of a ChatGPT export."""
    return isinstance(raw.get("mapping"), dict)


def parse_chatgpt(raw: dict[str, Any]) -> Conversation:
    """Read the branch that was last shown: what was edited away or answered anew is not in it.

    Raises: ConversationError: the tree does not hold together, or the user has set that it is not to be remembered.
    """
    if raw.get("is_do_not_remember") is True:
        raise ConversationError("its owner has marked it as not to be remembered")
    mapping = raw["mapping"]
    conversation = Conversation(
        source="chatgpt",
        id=_text(raw.get("conversation_id")) or _text(raw.get("id")),
        title=_text(raw.get("title")),
        started_at=parse_time(raw.get("create_time")),
    )
    for node_id in _branch(mapping, raw.get("current_node")):
        message = mapping[node_id].get("message")
        if not isinstance(message, dict):
            continue  # the root, and placeholders
        turn = _parse_turn(message, node_id)
        if turn is None:
            conversation.num_left_out += 1
        else:
            conversation.turns.append(turn)
    return conversation


def _branch(mapping: dict[str, Any], current: object) -> list[str]:
    """Return the ids of the nodes from the root to `current`, or to the newest leaf where `current` leads nowhere."""
    nodes = {node_id: node for node_id, node in mapping.items() if isinstance(node, dict)}
    if not nodes:
        return []
    place: object = current if isinstance(current, str) and current in nodes else _newest_leaf(nodes)
    path: list[str] = []
    seen: set[str] = set()
    while isinstance(place, str) and place in nodes:
        if place in seen:
            raise ConversationError("its messages form a circle")
        seen.add(place)
        path.append(place)
        place = nodes[place].get("parent")
    return path[::-1]


def _newest_leaf(nodes: dict[str, Any]) -> str:
    parents = {node.get("parent") for node in nodes.values() if isinstance(node.get("parent"), str)}
    leaves = [node_id for node_id in nodes if node_id not in parents]
    if not leaves:
        raise ConversationError("its messages form a circle")
    places = {node_id: place for place, node_id in enumerate(nodes)}
    return max(leaves, key=lambda node_id: (_node_time(nodes[node_id]), places[node_id]))


def _node_time(node: dict[str, Any]) -> str:
    message = node.get("message")
    return (parse_time(message.get("create_time")) or "") if isinstance(message, dict) else ""


def _parse_turn(message: dict[str, Any], node_id: str) -> Turn | None:
    """Return what the user or the assistant said, None for all else that stands in a conversation."""
    author, content, metadata = (message.get(name) for name in ("author", "content", "metadata"))
    role = author.get("role") if isinstance(author, dict) else None
    if role not in ("user", "assistant") or not isinstance(content, dict):
        return None
    if isinstance(metadata, dict) and any(metadata.get(flag) for flag in _HIDDEN_FLAGS):
        return None
    if message.get("recipient") not in (None, "all"):
        return None  # the assistant speaks to a tool
    text = _content_text(content, role)
    if not text.strip():
        return None
    return Turn(role, text, _text(message.get("id")) or node_id, parse_time(message.get("create_time")))


def _content_text(content: dict[str, Any], role: str) -> str:
    """Return the words of a message; nothing for custom instructions, thoughts, browsing quotes and tool output."""
    kind = content.get("content_type", "text")
    if kind == "code" and role == "user":
        code = _text(content.get("text"))
        return f"```\n{code}\n```" if code.strip() else ""
    if kind not in _TEXT_TYPES:
        return ""
    parts = content.get("parts")
    if not isinstance(parts, list):
        return _text(content.get("text"))
    return "\n".join(text for part in parts if (text := _part_text(part)).strip())


def _part_text(part: object) -> str:
    """Return the words of a part: a text, or what was spoken; images and files have none."""
    if isinstance(part, str):
        return part
    if isinstance(part, dict) and part.get("content_type") in ("audio_transcription", "text"):
        return _text(part.get("text"))
    return ""


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
