"""What each question reads: histories are loaded and measured once for all their questions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from hub_toolkit.answer.protocol import load_protocol
from hub_toolkit.answer.rag import read_passages
from hub_toolkit.answer.readers import (
    Context,
    read_history,
    read_memory,
    read_notes,
    read_nothing,
    read_snippet,
)
from hub_toolkit.data.history import load_history
from hub_toolkit.data.parse import history_path
from hub_toolkit.data.schema import History
from hub_toolkit.data.tokens import TokenCounter
from hub_toolkit.evaluate.memories import ExternalStore, MemoryStore
from hub_toolkit.evaluate.plan import Ask, EvalConfig, history_link
from hub_toolkit.memory.builders.embedding import load_embedder
from hub_toolkit.memory.builders.passages import PassageIndex, cut_passages

NUM_CACHED_HISTORIES = 32


@dataclass(frozen=True)
class Reading:
    """A context, and its size where somebody asks for it: to count a long history costs more than to ask about it."""

    context: Context
    counter: TokenCounter

    @cached_property
    def num_tokens(self) -> int:
        """The context's size by our own counter."""
        return self.context.tokens(self.counter)


class ContextSource:
    """Gives each ask its context; the last few histories stay in memory."""

    def __init__(
        self,
        folder: Path,
        config: EvalConfig,
        counter: TokenCounter,
        memories: MemoryStore,
        externals: ExternalStore,
    ) -> None:
        self.config = config
        self.counter = counter
        self.memories = memories
        self.externals = externals
        rules = load_protocol(config.protocol)
        embedder = load_embedder(config.rag_embed) if config.rag_embed else None

        @lru_cache(maxsize=NUM_CACHED_HISTORIES)
        def load(link: str) -> History:
            return load_history(history_path(folder, link), persona_system=config.persona_system)

        @lru_cache(maxsize=NUM_CACHED_HISTORIES)
        def load_long(link: str) -> Reading:
            return Reading(read_history(load(link)), counter)

        @lru_cache(maxsize=NUM_CACHED_HISTORIES)
        def load_index(link: str) -> PassageIndex:
            passages = cut_passages(load(link), counter, passage_tokens=rules.rag.passage_tokens)
            return PassageIndex(passages, k1=rules.rag.k1, b=rules.rag.b, embedder=embedder)

        self.load: Callable[[str], History] = load
        self._load_long = load_long
        self._load_index = load_index
        self._external_tokens = rules.external.budget_tokens
        self._read_memories: dict[str, Reading] = {}

    async def read(self, ask: Ask) -> Reading:
        """Return what the reader gives for this question of the donor's history.

        Raises: ProviderError: the memory could not be built. DataFormatError: the history is not as published.
        """
        reader = self.config.reader
        if reader in ("none", "oracle"):
            return Reading(read_snippet(ask.donor) if reader == "oracle" else read_nothing(), self.counter)
        link = history_link(ask.donor, self.config.context)
        if reader == "long_context":
            return self._load_long(link)
        if reader == "memory":
            if link not in self._read_memories:
                memory = await self.memories.build(link, self.load)
                self._read_memories[link] = Reading(read_memory(memory), self.counter)
            return self._read_memories[link]
        query = ask.sample.user_query.text
        if reader == "rag":
            passages = self._load_index(link).search(query, budget_tokens=self.config.rag_tokens)
            return Reading(read_passages(passages), self.counter)
        found = await self.externals.search(link, self.load, query)
        return Reading(read_notes(cut_lines(found, self.counter, self._external_tokens)), self.counter)


def cut_lines(text: str, counter: TokenCounter, budget_tokens: int) -> str:
    """Return as many of the first lines as fit into the budget."""
    if counter.count(text) <= budget_tokens:
        return text
    lines = text.splitlines()
    low, high = 0, len(lines)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if counter.count("\n".join(lines[:middle])) <= budget_tokens else (low, middle)
    return "\n".join(lines[:low])
