"""Types that every room shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Role = Literal["system", "user", "assistant"]
ROLES: tuple[Role, ...] = ("system", "user", "assistant")


@dataclass(frozen=True)
class Message:
    """One message of a chat.

    `content` is text, or a list of parts as the chat APIs define them:
    `{"type": "text", "text": …}` and `{"type": "image_url", "image_url": …}`.
    """

    role: Role
    content: str | list[dict[str, Any]]

    @property
    def text(self) -> str:
        """The message's text; images are left out."""
        if isinstance(self.content, str):
            return self.content
        return "\n".join(part["text"] for part in self.content if part.get("type") == "text")

    def as_dict(self) -> dict[str, Any]:
        """Return the message as chat APIs take it."""
        return {"role": self.role, "content": self.content}


@dataclass(frozen=True)
class Usage:
    """Tokens that a call took. `is_estimated`: the endpoint did not say, so a counter did."""

    input_tokens: int = 0
    output_tokens: int = 0
    is_estimated: bool = False

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.is_estimated or other.is_estimated,
        )
