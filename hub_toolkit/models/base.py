"""What every model backend is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from hub_toolkit.data.tokens import TokenCounter
from hub_toolkit.types import Message, Usage


@dataclass(frozen=True)
class GenerateConfig:
    """How to generate. `seed` is passed on where the backend knows one."""

    max_tokens: int = 1024
    temperature: float = 0.0
    top_p: float = 1.0
    stop: tuple[str, ...] = ()
    seed: int | None = 0


@dataclass(frozen=True)
class Completion:
    """A model's reply. `finish_reason`: `stop` or `length`."""

    text: str
    usage: Usage = field(default_factory=Usage)
    finish_reason: str = "stop"


@runtime_checkable
class ChatModel(Protocol):
    """A chat model. `name` is `<backend>/<repo_id>[@revision]`.

    Raises (both methods): ProviderError, after the backend's own retries.
    """

    @property
    def name(self) -> str: ...

    @property
    def counter(self) -> TokenCounter: ...

    @property
    def context_tokens(self) -> int | None:
        """The context window, None where it is not known."""
        ...

    async def generate(self, messages: Sequence[Message], config: GenerateConfig | None = None) -> Completion: ...

    def stream(self, messages: Sequence[Message], config: GenerateConfig | None = None) -> AsyncIterator[str]:
        """Yield the reply's text as it comes."""
        ...

    async def close(self) -> None: ...
