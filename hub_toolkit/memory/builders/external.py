"""Memory systems of others behind one small adapter: a history is added once, then each question is searched for.

What is added never holds a question, so the rule of our own memories holds for these too.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

from hub_toolkit.data.history import chunk_messages
from hub_toolkit.data.schema import History
from hub_toolkit.data.tokens import EstimateCounter, TokenCounter
from hub_toolkit.errors import DataFormatError, ProviderError
from hub_toolkit.memory.builders.passages import PassageIndex, cut_passages
from hub_toolkit.models.base import ChatModel
from hub_toolkit.types import Message, Usage

PROGRESS_FILE = "progress.json"
"""In a memory's folder: a `Filled`."""


@runtime_checkable
class ExternalMemory(Protocol):
    """The memory of one history in another system.

    Raises (add, search): ProviderError, where the system or its model failed.
    """

    @property
    def name(self) -> str:
        """The system and what it was set up with, as the RunRecord keeps it."""
        ...

    @property
    def usage(self) -> Usage:
        """Tokens that its model took since it was opened."""
        ...

    @property
    def faults(self) -> tuple[str, ...]:
        """What it could not make use of, and why, since it was opened."""
        ...

    async def add(self, messages: Sequence[Message]) -> None:
        """Take in the next messages of the history."""
        ...

    async def search(self, query: str) -> str:
        """Return what bears on a question, a line each, the best first; empty where nothing does."""
        ...

    async def reset(self) -> None:
        """Forget everything."""
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True)
class ExternalOptions:
    """What a system may need: a folder of its own for this one history, and the model that it may ask.

    `arguments` are what stands after the system's name, as in `external:mem0,infer=false`.
    """

    folder: Path
    model: ChatModel | None = None
    arguments: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class ExternalSystem:
    """A module with `load(options) -> ExternalMemory`, the package it needs, and how to install that."""

    module: str
    package: str | None = None
    install_hint: str = ""

    @property
    def is_installed(self) -> bool:
        """Whether the package can be found; it is not imported."""
        return self.package is None or importlib.util.find_spec(self.package) is not None


EXTERNAL_SYSTEMS: dict[str, ExternalSystem] = {
    "bm25": ExternalSystem("hub_toolkit.memory.builders.external"),
    "mem0": ExternalSystem(
        "hub_toolkit.memory.builders.mem0_adapter", "mem0", "pip install 'personamem-hub-toolkit[mem0]'"
    ),
}


def open_memory(spec: str, folder: Path, model: ChatModel | None = None) -> ExternalMemory:
    """Open the memory of one history: `spec` is `<system>[,<name>=<value>…]`, `folder` belongs to this history alone.

    Raises: ProviderError: the system is unknown, not installed, or does not know an argument.
    """
    name, *rest = (part.strip() for part in spec.split(","))
    system = EXTERNAL_SYSTEMS.get(name) or _own_system(name)
    pairs = [part.partition("=") for part in rest]
    if system is None or not all(mark and value for _, mark, value in pairs):
        raise ProviderError(
            f"external:{spec}: write <system>[,name=value…] with one of {', '.join(EXTERNAL_SYSTEMS)}, or a module of "
            "your own that can be imported (PYTHONPATH) and has load(options)",
            kind="missing",
        )
    if not system.is_installed:
        raise ProviderError(
            f"external:{name} needs the package {system.package}: run `{system.install_hint}`", kind="missing"
        )
    load = cast(Callable[[ExternalOptions], ExternalMemory], _import(name, system.module).load)
    memory = load(ExternalOptions(folder, model, tuple((key, value) for key, _, value in pairs)))
    if not isinstance(memory, ExternalMemory):
        raise ProviderError(
            f"external:{name}: load returned {type(memory).__name__}, which lacks a part of ExternalMemory",
            kind="missing",
        )
    return memory


def _own_system(name: str) -> ExternalSystem | None:
    """Return the module of that name as a system; None where there is no such module."""
    try:
        is_there = bool(name) and importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        is_there = False
    return ExternalSystem(name) if is_there else None


def _import(name: str, module: str) -> Any:
    try:
        found = importlib.import_module(module)
    except ImportError as error:
        raise ProviderError(f"external:{name}: {error}", kind="missing") from error
    if not callable(getattr(found, "load", None)):
        raise ProviderError(
            f"external:{name}: the module has no load(options) -> ExternalMemory; see docs/evaluation.md",
            kind="missing",
        )
    return found


@dataclass(frozen=True)
class Filled:
    """How far a memory has read: the first place of `chat_history` that is not in it; what it took; its faults."""

    read_messages: int = 0
    usage: Usage = field(default_factory=Usage)
    num_faults: int = 0


async def fill_memory(
    memory: ExternalMemory, history: History, folder: Path, counter: TokenCounter, *, chunk_tokens: int
) -> Filled:
    """Add what of a history is not in the memory yet, chunk by chunk, as our own builders read it.

    A kill loses the note of one chunk at most (of one message, where that is longer): it is added again, and a system
    may then hold it twice.
    Raises: ProviderError: from the memory; what was added before stays noted.
    """
    state = load_progress(folder)
    chunks = chunk_messages(history, counter, chunk_tokens=chunk_tokens, start=state.read_messages)
    for number, chunk in enumerate(chunks):
        before, num_faults = memory.usage, len(memory.faults)
        await memory.add(chunk.messages)
        used = Usage(
            memory.usage.input_tokens - before.input_tokens,
            memory.usage.output_tokens - before.output_tokens,
            memory.usage.is_estimated,
        )
        state = Filled(state.read_messages, state.usage + used, state.num_faults + len(memory.faults) - num_faults)
        if number + 1 == len(chunks) or chunks[number + 1].indices[0] != chunk.indices[-1]:
            state = replace(state, read_messages=chunk.indices[-1] + 1)
            _save_progress(folder, state)
    return state


def load_progress(folder: Path) -> Filled:
    """Return how far the memory in a folder has read.

    Raises: DataFormatError: the note is damaged.
    """
    path = folder / PROGRESS_FILE
    if not path.exists():
        return Filled()
    try:
        raw = json.loads(path.read_text("utf-8"))
        return Filled(int(raw["read_messages"]), Usage(**raw["usage"]), int(raw["num_faults"]))
    except (ValueError, KeyError, TypeError) as error:
        raise DataFormatError(
            "does not say how far the memory has read; remove its folder and run again", file=str(path)
        ) from error


def _save_progress(folder: Path, state: Filled) -> None:
    """Write the note so that a kill leaves the old one or the new one."""
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{PROGRESS_FILE}.part"
    part.write_text(json.dumps(asdict(state)) + "\n", encoding="utf-8")
    part.replace(folder / PROGRESS_FILE)


class Bm25Memory:
    """The reference adapter: it keeps the messages as they are and searches them by BM25; no model is asked.

    Its results are passages; where a budget cuts them, the best stand first.
    """

    K1, B, PASSAGE_TOKENS, NUM_PASSAGES = 1.5, 0.75, 512, 20
    FILE = "messages.jsonl"

    def __init__(self, folder: Path) -> None:
        self.path = folder / self.FILE
        self.usage = Usage()
        self.faults: tuple[str, ...] = ()
        self._index: PassageIndex | None = None

    @property
    def name(self) -> str:
        return "bm25"

    async def add(self, messages: Sequence[Message]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lines = "".join(json.dumps(message.as_dict(), ensure_ascii=False) + "\n" for message in messages)
        with self.path.open("a", encoding="utf-8") as out:
            out.write(lines)
        self._index = None

    async def search(self, query: str) -> str:
        if self._index is None:
            passages = cut_passages(self._history(), EstimateCounter(), passage_tokens=self.PASSAGE_TOKENS)
            self._index = PassageIndex(passages, k1=self.K1, b=self.B)
        found = self._index.rank(query)[: self.NUM_PASSAGES]
        return "\n\n".join(passage.render() for passage in found)

    async def reset(self) -> None:
        self.path.unlink(missing_ok=True)
        self._index = None

    async def close(self) -> None:
        """Nothing is open."""

    def _history(self) -> History:
        lines = self.path.read_text("utf-8").splitlines() if self.path.exists() else []
        messages = tuple(Message(**json.loads(line)) for line in lines)
        return History(messages, tuple(range(len(messages))), {}, str(self.path))


def load(options: ExternalOptions) -> Bm25Memory:
    """Open the reference adapter.

    Raises: ProviderError: it has no arguments.
    """
    if options.arguments:
        raise ProviderError(f"external:bm25 has no argument {options.arguments[0][0]!r}", kind="missing")
    return Bm25Memory(options.folder)
