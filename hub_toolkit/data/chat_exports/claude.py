"""Conversations of a Claude export: a list of messages, with parents where a turn was edited or answered anew."""

from __future__ import annotations

from typing import Any

from hub_toolkit.data.chat_exports.sessions import Conversation, ConversationError, Speaker, Turn, parse_time

_ROLES: dict[str, Speaker] = {"human": "user", "user": "user", "assistant": "assistant"}
_SPOKEN = ("text", "voice_note")


def is_claude(raw: dict[str, Any]) -> bool:
    """Whether an object is a conversation of a Claude export."""
    return isinstance(raw.get("chat_messages"), list)


def parse_claude(raw: dict[str, Any]) -> Conversation:
    """Read the branch that was last shown. Attachments hold pasted text: it is not what the user says.

    Raises: ConversationError: the messages' parents form a circle.
    """
    conversation = Conversation(
        source="claude",
        id=_text(raw.get("uuid")),
        title=_text(raw.get("name")),
        started_at=parse_time(raw.get("created_at")),
    )
    messages = [message for message in raw["chat_messages"] if isinstance(message, dict)]
    conversation.num_left_out = len(raw["chat_messages"]) - len(messages)
    for message in _branch(messages, raw.get("current_leaf_message_uuid")):
        turn = _parse_turn(message)
        if turn is None:
            conversation.num_left_out += 1
        else:
            conversation.turns.append(turn)
    return conversation


def _branch(messages: list[dict[str, Any]], leaf: object) -> list[dict[str, Any]]:
    """Return the messages up to `leaf`, else to the newest one without an answer; all where none names its parent.

    The archive does not say which branch was last shown; the page shows the one that was last written to.
    """
    by_id = {message["uuid"]: message for message in messages if isinstance(message.get("uuid"), str)}
    parents = {parent for message in messages if (parent := _parent(message)) in by_id}
    if not parents or len(by_id) != len(messages):
        return messages
    place: object = leaf if isinstance(leaf, str) and leaf in by_id else _newest_leaf(messages, parents)
    path: list[dict[str, Any]] = []
    while isinstance(place, str) and place in by_id:
        if len(path) > len(by_id):
            raise ConversationError("its messages form a circle")
        path.append(by_id[place])
        place = _parent(by_id[place])
    return path[::-1]


def _newest_leaf(messages: list[dict[str, Any]], parents: set[str]) -> str:
    leaves = [(place, message) for place, message in enumerate(messages) if message["uuid"] not in parents]
    if not leaves:
        raise ConversationError("its messages form a circle")
    _, newest = max(leaves, key=lambda leaf: (parse_time(leaf[1].get("created_at")) or "", leaf[0]))
    return str(newest["uuid"])


def _parent(message: dict[str, Any]) -> str:
    return _text(message.get("parent_message_uuid"))


def _parse_turn(message: dict[str, Any]) -> Turn | None:
    role = _ROLES.get(_text(message.get("sender")))
    text = _message_text(message)
    if role is None or not text.strip():
        return None
    return Turn(role, text, _text(message.get("uuid")), parse_time(message.get("created_at")))


def _message_text(message: dict[str, Any]) -> str:
    """Return the text blocks; thinking, tool calls and their results are no chat.

    `text` repeats the blocks, with a placeholder for each that is none: it counts only where there are no blocks.
    """
    blocks = message.get("content")
    if not isinstance(blocks, list) or not blocks:
        return _text(message.get("text")) or _text(blocks)
    spoken = [block for block in blocks if isinstance(block, dict) and block.get("type") in _SPOKEN]
    return "\n\n".join(text for block in spoken if (text := _text(block.get("text"))).strip())


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
