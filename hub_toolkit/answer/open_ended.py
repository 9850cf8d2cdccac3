"""Open-ended answers: the question in free text, after what the reader gives."""

from __future__ import annotations

from hub_toolkit.answer.mcq import replace_text
from hub_toolkit.prompts.render import load_prompt
from hub_toolkit.types import Message


def open_messages(query: Message) -> list[Message]:
    """Return the query as the last message of a prompt that asks for a personal reply."""
    return [replace_text(query, load_prompt("open_ended").render(query=query.text))]
