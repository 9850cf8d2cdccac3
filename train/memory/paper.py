"""The paper's own memory: raw slices in, free text out, cut hard where generation ends. For comparison only."""

from __future__ import annotations

from dataclasses import dataclass

from hub_toolkit.data.history import raw_slices
from hub_toolkit.data.schema import History
from hub_toolkit.data.tokens import TokenCounter
from hub_toolkit.memory.builders.agentic import UPDATE_PROMPT, render_chunk
from hub_toolkit.memory.document import EMPTY_MEMORY
from hub_toolkit.models.base import ChatModel, GenerateConfig
from hub_toolkit.prompts.render import escape_tags, load_prompt
from hub_toolkit.types import Message


@dataclass(frozen=True)
class PaperMemory:
    """What the model last wrote; nothing of it is checked."""

    text: str = ""


async def build_paper_memory(
    history: History, model: ChatModel, counter: TokenCounter, *, chunk_tokens: int, cap_tokens: int
) -> PaperMemory:
    """Return what the last update wrote. Each update sees one slice and the last memory: no question, no later slice.

    Source: PersonaMem-v2, agentic memory, as upstream's code has it; the prompt is ours.
    """
    memory = PaperMemory()
    for chunk in raw_slices(history, counter, chunk_tokens=chunk_tokens):
        prompt = load_prompt(UPDATE_PROMPT).render(
            cap_tokens=str(cap_tokens), memory=escape_tags(memory.text or EMPTY_MEMORY), chunk=render_chunk(chunk)
        )
        completion = await model.generate([Message("user", prompt)], GenerateConfig(max_tokens=cap_tokens))
        memory = PaperMemory(completion.text.strip())
    return memory
