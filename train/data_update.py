"""Cold start of the memory: SFT rows whose prompts are inference's own and whose targets need no model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hub_toolkit.data.schema import History
from hub_toolkit.data.tokens import TokenCounter
from hub_toolkit.evaluate.plan import history_link
from hub_toolkit.memory.build import build_memory, stream_memory
from hub_toolkit.memory.builders.agentic import AgenticBuilder
from hub_toolkit.memory.builders.extractive import ExtractiveBuilder
from hub_toolkit.memory.document import EMPTY_MEMORY, MemoryDocument
from hub_toolkit.models.base import Completion, GenerateConfig
from hub_toolkit.types import Message

if TYPE_CHECKING:
    from train.data_plan import RowPlan
    from train.data_rows import RowMaker


@dataclass
class ExtractiveTeacher:
    """A `ChatModel` that answers each update with what the extractive builder has after the same chunk."""

    counter: TokenCounter
    replies: list[str]
    asked: list[tuple[Message, ...]] = field(default_factory=list)
    name: str = "extractive/teacher"
    context_tokens: int | None = None

    async def generate(self, messages: Sequence[Message], config: GenerateConfig | None = None) -> Completion:  # noqa: ARG002
        self.asked.append(tuple(messages))
        return Completion(self.replies[len(self.asked) - 1])

    def stream(self, messages: Sequence[Message], config: GenerateConfig | None = None) -> AsyncIterator[str]:
        raise NotImplementedError("an update is one whole reply")

    async def close(self) -> None:
        """Nothing to close."""


def update_rows(maker: RowMaker, plans: Sequence[RowPlan]) -> list[dict[str, Any]]:
    """Return a row an update of every history that these rows read as their own; each history once."""
    config = maker.config
    links = dict.fromkeys(history_link(plan.sample, config.context) for plan in plans if plan.donor is None)
    rows: list[dict[str, Any]] = []
    for link in links:
        pairs = asyncio.run(
            teach_updates(
                maker.contexts.load(link), maker.counter, chunk_tokens=config.chunk_tokens, cap_tokens=config.cap_tokens
            )
        )
        for number, (prompt, reply) in enumerate(pairs, start=1):
            rows.append(
                {
                    "prompt": [{"role": message.role, "content": message.text} for message in prompt],
                    "completion": [{"role": "assistant", "content": reply}],
                    "task": "update",
                    "gold": None,
                    "target": "gold",
                    "options": [],
                    "prior": None,
                    "pref_type": "",
                    "sample": "",
                    "sample_id": f"{link}#{number}",
                    "unit": "",
                }
            )
    return rows


async def teach_updates(
    history: History, counter: TokenCounter, *, chunk_tokens: int, cap_tokens: int
) -> list[tuple[tuple[Message, ...], str]]:
    """Return every update's prompt, as the agentic builder asks it, with the reply to learn."""
    extractive = ExtractiveBuilder(counter, cap_tokens=cap_tokens)
    steps = stream_memory(history, extractive, counter, chunk_tokens=chunk_tokens)
    teacher = ExtractiveTeacher(counter, [write_reply(step.document) async for step in steps])
    await build_memory(history, AgenticBuilder(teacher, cap_tokens=cap_tokens), counter, chunk_tokens=chunk_tokens)
    return list(zip(teacher.asked, teacher.replies, strict=True))


def write_reply(document: MemoryDocument) -> str:
    """Return a memory in the form in which an update is answered: a bullet a line, with the messages it rests on."""
    lines = [f"- {bullet.text} [{', '.join(str(s.index) for s in bullet.sources)}]" for bullet in document.bullets]
    return "\n".join(lines) or EMPTY_MEMORY
