"""Memories of a run: each built once a history, kept in a file, and gone on with after a kill."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub_toolkit.data.schema import History
from hub_toolkit.data.tokens import TokenCounter
from hub_toolkit.errors import DataFormatError, ProviderError
from hub_toolkit.evaluate.journal import encode_json, write_atomically
from hub_toolkit.evaluate.plan import EvalConfig
from hub_toolkit.memory.builders.external import ExternalMemory, fill_memory, load_progress, open_memory
from hub_toolkit.memory.document import MemoryDocument
from hub_toolkit.models.base import ChatModel
from hub_toolkit.types import Usage

if TYPE_CHECKING:
    from hub_toolkit.memory.build import MemoryBuilder

CHECKPOINT_FIELD = "checkpoint"

BuilderFactory = Callable[[], "MemoryBuilder"]
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
        return self.folder / f"{name_file(link)}.json"

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
        # The guards compile hundreds of patterns: who reads no memory does not wait for them.
        from hub_toolkit.memory.build import stream_memory

        steps = stream_memory(
            history, builder, self.counter, document=state.document, chunk_tokens=self.config.chunk_tokens
        )
        async for step in steps:
            state = Checkpoint(step.document, state.usage + step.usage, is_complete=False)
            if self.config.builder != "extractive" and step.is_whole:
                await self._save(link, state)
        state = Checkpoint(state.document, state.usage, is_complete=True)
        await self._save(link, state)
        return state

    async def _save(self, link: str, state: Checkpoint) -> None:
        fields = state.document.as_dict(self.counter)
        fields[CHECKPOINT_FIELD] = {"history": link, "is_complete": state.is_complete, "usage": asdict(state.usage)}
        content = encode_json(fields, indent=1) + b"\n"
        # Others go on while the disk works.
        await asyncio.to_thread(write_atomically, self.path(link), content)

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


class ExternalStore:
    """The memories of another system, a folder a history; open while their questions are asked.

    `usage` is of the memories that this process filled or found filled.
    """

    def __init__(self, folder: Path, config: EvalConfig, counter: TokenCounter, model: ChatModel | None) -> None:
        self.folder = folder
        self.config = config
        self.counter = counter
        self.model = model
        self.usage = Usage()
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._filled: set[str] = set()
        self._open: dict[str, ExternalMemory] = {}
        self._failed: dict[str, ProviderError] = {}

    def path(self, link: str) -> Path:
        """Return the folder of the memory of one history."""
        return self.folder / name_file(link)

    async def build(self, link: str, load: Callable[[str], History]) -> None:
        """Put all of a history into its memory, and close it: there may be hundreds.

        Raises: ProviderError: the system or its model failed; the same error for every question on this memory.
        """
        async with self._locks[link]:
            await self._fill(link, load)
            await self._close(link)

    async def search(self, link: str, load: Callable[[str], History], query: str) -> str:
        """Return what the memory of a history says to a query.

        Raises: ProviderError: as `build`, or the search failed.
        """
        async with self._locks[link]:
            await self._fill(link, load)
            memory = self._open.get(link) or self._reopen(link)
        return await memory.search(query)

    async def release(self, link: str) -> None:
        """Close the memory of a history; a later search opens it again."""
        async with self._locks[link]:
            await self._close(link)

    async def _fill(self, link: str, load: Callable[[str], History]) -> None:
        if (failure := self._failed.get(link)) is not None:
            raise ProviderError(str(failure), kind=failure.kind)
        if link in self._filled:
            return
        folder = self.path(link)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            memory = self._reopen(link)
            filled = await fill_memory(memory, load(link), folder, self.counter, chunk_tokens=self.config.chunk_tokens)
        except ProviderError as error:
            self._failed[link] = ProviderError(f"filling the memory of {link}: {error}", kind=error.kind)
            raise self._failed[link] from error
        self._filled.add(link)
        self.usage += filled.usage

    def _reopen(self, link: str) -> ExternalMemory:
        self._open[link] = open_memory(self.config.external or "", self.path(link), self.model)
        return self._open[link]

    async def _close(self, link: str) -> None:
        memory = self._open.pop(link, None)
        if memory is not None:
            await memory.close()

    def summary(self, links: Iterable[str]) -> dict[str, Any]:
        """Return what the RunRecord says of the memories; their size is the other system's own affair."""
        states = [load_progress(self.path(link)) for link in sorted(set(links))]
        usage = sum((state.usage for state in states), Usage())
        return {
            "num_complete": sum(state.read_messages > 0 for state in states),
            "num_incomplete": sum(state.read_messages == 0 for state in states),
            "mean_tokens": None,
            "max_tokens": None,
            "num_faults": sum(state.num_faults for state in states),
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "is_estimated": usage.is_estimated,
        }

    async def close(self) -> None:
        """Close what is open."""
        for link in list(self._open):
            await self._close(link)


def name_file(link: str) -> str:
    """Return a file name for what belongs to one history."""
    return f"{Path(link).stem[:60]}-{hashlib.sha256(link.encode()).hexdigest()[:12]}"
