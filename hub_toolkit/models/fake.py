"""A model without a model: replies from a script, or deterministic ones; a backend like any other, for tests."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING

from hub_toolkit.data.tokens import EstimateCounter, TokenCounter, count_messages
from hub_toolkit.errors import ProviderError
from hub_toolkit.models.base import Completion, GenerateConfig
from hub_toolkit.types import Message, Usage

if TYPE_CHECKING:
    from hub_toolkit.models.registry import LoadOptions

Reply = str | ProviderError
"""What a script holds: a text to answer with, or an error to raise."""

Script = Sequence[Reply] | Callable[[Sequence[Message]], str]

_ECHO_WORDS = 12
_OPTION = re.compile(r"^\(?([A-Z])[.):]\s", re.MULTILINE)
_PIECE = re.compile(r"\S+\s*|\s+")


class FakeModel:
    """Answers from a script, one reply a call; without a script, from sha256 of the messages.

    `num_calls` and `requests` tell what it was asked.
    """

    def __init__(self, replies: Script | None = None, *, name: str = "fake/scripted") -> None:
        self._replies = reply_by_hash if replies is None else replies
        self._name = name
        self._counter = EstimateCounter()
        self.requests: list[tuple[Message, ...]] = []

    @property
    def name(self) -> str:
        return self._name

    @property
    def counter(self) -> TokenCounter:
        return self._counter

    @property
    def context_tokens(self) -> int | None:
        return None

    @property
    def num_calls(self) -> int:
        """How often it was asked, streamed replies included."""
        return len(self.requests)

    async def generate(self, messages: Sequence[Message], config: GenerateConfig | None = None) -> Completion:  # noqa: ARG002
        text = self._next_reply(messages)
        usage = Usage(count_messages(self._counter, messages), self._counter.count(text), is_estimated=True)
        return Completion(text, usage)

    async def stream(self, messages: Sequence[Message], config: GenerateConfig | None = None) -> AsyncIterator[str]:
        completion = await self.generate(messages, config)
        for piece in _PIECE.findall(completion.text):
            yield piece

    async def close(self) -> None:
        """Nothing is open."""

    def _next_reply(self, messages: Sequence[Message]) -> str:
        self.requests.append(tuple(messages))
        if callable(self._replies):
            return self._replies(messages)
        if self.num_calls > len(self._replies):
            raise ProviderError(
                f"{self.name}: call {self.num_calls}, but the script has {len(self._replies)} replies: add one",
                kind="bad_request",
            )
        reply = self._replies[self.num_calls - 1]
        if isinstance(reply, ProviderError):
            raise reply
        return reply


def reply_by_hash(messages: Sequence[Message]) -> str:
    """Choose an option by the messages' sha256 where options are shown, else echo."""
    letters = _find_options(messages)
    if not letters:
        return reply_by_echo(messages)
    return f"Final Answer: {letters[int(_digest(messages), 16) % len(letters)]}"


def reply_first(messages: Sequence[Message]) -> str:
    """Choose the first option where options are shown, else echo."""
    return "Final Answer: A" if _find_options(messages) else reply_by_echo(messages)


def reply_by_echo(messages: Sequence[Message]) -> str:
    """Return the last message's first words and a digest of all messages."""
    words = messages[-1].text.split()[:_ECHO_WORDS] if messages else []
    return f"Reply {_digest(messages)[:8]} to: {' '.join(words)}"


def load(repo_id: str, options: LoadOptions) -> FakeModel:  # noqa: ARG001  (every backend's `load` looks like this)
    """Return the fake model with the built-in script `repo_id`.

    Raises: ProviderError: no such script.
    """
    if repo_id not in SCRIPTS:
        raise ProviderError(f"fake/{repo_id}: no such script; there are {', '.join(SCRIPTS)}", kind="missing")
    return FakeModel(SCRIPTS[repo_id], name=f"fake/{repo_id}")


SCRIPTS: dict[str, Callable[[Sequence[Message]], str]] = {
    "first": reply_first,
    "hash": reply_by_hash,
    "echo": reply_by_echo,
}


def _find_options(messages: Sequence[Message]) -> list[str]:
    """Return the letters of the options in the last message that shows any: A, B, … without a gap."""
    for message in reversed(messages):
        found = set(_OPTION.findall(message.text))
        letters = [letter for letter in "ABCD" if letter in found]
        if len(letters) >= 2 and letters == list("ABCD"[: len(letters)]):
            return letters
    return []


def _digest(messages: Sequence[Message]) -> str:
    raw = json.dumps([message.as_dict() for message in messages], sort_keys=True)
    return hashlib.sha256(raw.encode()).hexdigest()
