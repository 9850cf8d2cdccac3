"""What each question reads: histories are loaded once, memories are built once and survive a kill."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from hub_toolkit.answer.readers import Context, read_history, read_memory, read_nothing, read_snippet
from hub_toolkit.data.history import load_history
from hub_toolkit.data.parse import history_path
from hub_toolkit.data.schema import History, Sample
from hub_toolkit.data.tokens import TokenCounter
from hub_toolkit.errors import DataFormatError, ProviderError
from hub_toolkit.evaluate.journal import encode_json, write_atomically
from hub_toolkit.evaluate.plan import EvalConfig, history_link
from hub_toolkit.memory.build import MemoryBuilder, stream_memory
from hub_toolkit.memory.document import MemoryDocument
from hub_toolkit.types import Usage

NUM_CACHED_HISTORIES = 32
CHECKPOINT_FIELD = "checkpoint"

BuilderFactory = Callable[[], MemoryBuilder]
"""Makes a fresh builder for each memory, so that the tokens of two that are built at once stay apart."""


@dataclass(frozen=True)
class Checkpoint:
    """A memory as far as it is built, and the tokens that it took; `is_complete`: the history is read."""

    document: MemoryDocument
    usage: Usage
    is_complete: bool


class MemoryStore:
    """The memories of one run, a file each: `MemoryDocument` as `personamem ask` reads it, with a checkpoint field.

    `usage` is of the memories that are complete and were built or opened by this process.
    """

    def __init__(self, folder: Path, config: EvalConfig, counter: TokenCounter, make_builder: BuilderFactory) -> None:
        self.folder = folder
        self.config = config
        self.counter = counter
        self.make_builder = make_builder
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.usage = Usage()
        self._ready: dict[str, Checkpoint] = {}
        self._failed: dict[str, ProviderError] = {}

    def path(self, link: str) -> Path:
        """Return the file of the memory of one history."""
        return self.folder / f"{Path(link).stem[:60]}-{hashlib.sha256(link.encode()).hexdigest()[:12]}.json"

    async def build(self, link: str, load: Callable[[str], History]) -> MemoryDocument:
        """Return the memory of a history: from this process, from its file, or built from where it stopped.

        Raises: ProviderError: the builder's model failed; the same error for every question on this memory.
        """
        async with self._locks[link]:
            if (failure := self._failed.get(link)) is not None:
                raise ProviderError(str(failure), kind=failure.kind)
            if link not in self._ready:
                try:
                    self._ready[link] = await self._finish(link, load(link))
                    self.usage += self._ready[link].usage
                except ProviderError as error:
                    self._failed[link] = ProviderError(f"building the memory of {link}: {error}", kind=error.kind)
                    raise self._failed[link] from error
            return self._ready[link].document

    async def _finish(self, link: str, history: History) -> Checkpoint:
        state = self.load(link)
        builder = self.make_builder()
        if state is None:
            state = Checkpoint(builder.empty(), Usage(), is_complete=False)
        if state.is_complete:
            return state
        steps = stream_memory(
            history, builder, self.counter, document=state.document, chunk_tokens=self.config.chunk_tokens
        )
        async for step in steps:
            state = Checkpoint(step.document, state.usage + step.usage, is_complete=False)
            if self.config.builder == "agentic" and step.is_whole:
                self._save(link, state)
        state = Checkpoint(state.document, state.usage, is_complete=True)
        self._save(link, state)
        return state

    def _save(self, link: str, state: Checkpoint) -> None:
        fields = state.document.as_dict(self.counter)
        fields[CHECKPOINT_FIELD] = {"history": link, "is_complete": state.is_complete, "usage": asdict(state.usage)}
        write_atomically(self.path(link), encode_json(fields, indent=1) + b"\n")

    def load(self, link: str) -> Checkpoint | None:
        """Return the checkpoint of a history's memory, None where nothing was built yet.

        Raises: DataFormatError: the file is damaged.
        """
        path = self.path(link)
        if not path.exists():
            return None
        document = MemoryDocument.load(path)
        try:
            fields: dict[str, Any] = json.loads(path.read_bytes())[CHECKPOINT_FIELD]
            return Checkpoint(document, Usage(**fields["usage"]), bool(fields["is_complete"]))
        except (KeyError, TypeError) as error:
            raise DataFormatError("no checkpoint of this run; remove the file and run again", file=str(path)) from error

    def summary(self, links: Iterable[str]) -> dict[str, Any]:
        """Return what the RunRecord says of the memories: how many, how large, what they took, which faults."""
        found = [state for state in map(self.load, sorted(set(links))) if state is not None]
        usage = sum((state.usage for state in found), Usage())
        sizes = [state.document.tokens(self.counter) for state in found]
        return {
            "num_complete": sum(state.is_complete for state in found),
            "num_incomplete": sum(not state.is_complete for state in found),
            "mean_tokens": round(sum(sizes) / len(sizes), 1) if sizes else None,
            "max_tokens": max(sizes, default=None),
            "num_faults": sum(len(state.document.faults) for state in found),
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "is_estimated": usage.is_estimated,
        }


class ContextSource:
    """Gives each ask its context, with its size; the last few histories stay in memory."""

    def __init__(self, folder: Path, config: EvalConfig, counter: TokenCounter, memories: MemoryStore) -> None:
        self.config = config
        self.counter = counter
        self.memories = memories

        @lru_cache(maxsize=NUM_CACHED_HISTORIES)
        def load(link: str) -> History:
            return load_history(history_path(folder, link), persona_system=config.persona_system)

        @lru_cache(maxsize=NUM_CACHED_HISTORIES)
        def load_long(link: str) -> tuple[Context, int]:
            return self._measured(read_history(load(link)))

        self.load: Callable[[str], History] = load
        self._load_long = load_long
        self._read_memories: dict[str, tuple[Context, int]] = {}

    async def read(self, donor: Sample) -> tuple[Context, int]:
        """Return what the reader gives for this row's persona, and its size in tokens.

        Raises: ProviderError: the memory could not be built. DataFormatError: the history is not as published.
        """
        reader = self.config.reader
        if reader == "long_context":
            return self._load_long(history_link(donor, self.config.context))
        if reader == "memory":
            link = history_link(donor, self.config.context)
            if link not in self._read_memories:
                self._read_memories[link] = self._measured(read_memory(await self.memories.build(link, self.load)))
            return self._read_memories[link]
        return self._measured(read_snippet(donor) if reader == "oracle" else read_nothing())

    def _measured(self, context: Context) -> tuple[Context, int]:
        return context, context.tokens(self.counter)
