"""Plain messages: what chat APIs take, our own histories, and lists of either."""

from __future__ import annotations

from typing import Any

from hub_toolkit.data.chat_exports.sessions import Conversation, Speaker, Turn, parse_time

_MESSAGE_KEYS = ("messages", "chat_history", "conversations", "conversation", "turns")
_ID_KEYS = ("id", "conversation_id", "session_id", "uuid", "key")
_TITLE_KEYS = ("title", "name")
_TIME_KEYS = ("started_at", "created_at", "create_time", "timestamp", "date", "time")
_ROLE_KEYS = ("role", "from", "sender", "speaker")
_CONTENT_KEYS = ("content", "value", "text")
_ROLES: dict[str, Speaker] = {
    **dict.fromkeys(("user", "human"), "user"),
    **dict.fromkeys(("assistant", "ai", "gpt", "model", "bot"), "assistant"),
}
_NO_CHAT_ROLES = ("system", "developer", "tool", "function", "function_call", "observation")
_TEXT_PARTS = ("text", "input_text", "output_text")


def is_message(raw: object) -> bool:
    """Whether an object is one message: it says who speaks and what."""
    if not isinstance(raw, dict) or messages_of(raw) is not None:
        return False
    return _first(raw, _ROLE_KEYS) is not None and any(key in raw for key in (*_CONTENT_KEYS, "tool_calls"))


def messages_of(raw: dict[str, Any]) -> list[Any] | None:
    """Return the list of messages in an object, None where it has none."""
    return next((raw[key] for key in _MESSAGE_KEYS if isinstance(raw.get(key), list)), None)


def parse_plain(raw: dict[str, Any]) -> Conversation:
    """Read an object with a list of messages.

    System messages are left out: they are instructions, and in the published histories they hold the whole persona.
    """
    metadata = raw.get("metadata")
    fields = {**metadata, **raw} if isinstance(metadata, dict) else raw
    conversation = Conversation(
        source="plain",
        id=str(_first(raw, _ID_KEYS) or ""),
        title=_text(_first(raw, _TITLE_KEYS)),
        started_at=next((time for key in _TIME_KEYS if (time := parse_time(fields.get(key)))), None),
    )
    for place, message in enumerate(messages_of(raw) or [], 1):
        add_message(conversation, message, place)
    return conversation


def add_message(conversation: Conversation, message: object, place: int) -> None:
    """Add a message to a conversation, or say in its `faults` why not; `place` counts from 1."""
    if not isinstance(message, dict):
        conversation.faults.append(f"message {place} is no object with role and content")
        return
    name = _text(_first(message, _ROLE_KEYS)).lower()
    role = _ROLES.get(name)
    if role is None and name not in _NO_CHAT_ROLES:
        conversation.faults.append(f"message {place} has no known role; use user, assistant or system")
        return
    text = _content_text(_first(message, _CONTENT_KEYS))
    if role is None or not text.strip():
        conversation.num_left_out += 1
        return
    time = next((time for key in _TIME_KEYS if (time := parse_time(message.get(key)))), None)
    message_id = _first(message, ("id", "uuid", "message_id"))
    conversation.turns.append(Turn(role, text, str(message_id or ""), time))


def _content_text(content: object) -> str:
    """Return a text, or the text parts of a list; images, tool calls and their results have none."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    texts = [part if isinstance(part, str) else _part_text(part) for part in content]
    return "\n".join(text for text in texts if text.strip())


def _part_text(part: object) -> str:
    return _text(part.get("text")) if isinstance(part, dict) and part.get("type") in _TEXT_PARTS else ""


def _first(raw: dict[str, Any], keys: tuple[str, ...]) -> Any:
    """Return the first of these fields that is a text or a whole number, or a list of parts."""
    return next((raw[key] for key in keys if isinstance(raw.get(key), str | int | list) and raw[key] != ""), None)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
