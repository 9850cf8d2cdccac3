"""mem0 as an external memory: everything in this process, its model is ours, its telemetry off.

mem0 is used as it is: its own prompts, its own extraction and its own search. Vectors lie in a local Qdrant and the log
in SQLite, both in the memory's folder.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import logging
import re
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.metadata import version
from typing import Any, TypeVar

from hub_toolkit.errors import ProviderError
from hub_toolkit.memory.builders.embedding import Embedder, load_embedder
from hub_toolkit.memory.builders.external import ExternalOptions
from hub_toolkit.models import minilm
from hub_toolkit.models.base import ChatModel, Completion, GenerateConfig
from hub_toolkit.settings import silence_mem0
from hub_toolkit.types import Message, Usage

USER = "user"
"""mem0 keeps memories by user; here each has a folder of its own, so one name does."""

NUM_RESULTS = 20
"""Source: mem0 2.2, search(top_k=20)."""

REPLY_TOKENS = 2000
"""Source: mem0 2.2, its default for extraction."""

_FENCE = re.compile(r"^\s*```\w*\s*|\s*```\s*$")
_OPTIONS = {"infer": ("true", "false"), "embed": ("auto", "hash", "minilm")}

Result = TypeVar("Result")


class Mem0Memory:
    """One history in mem0. `is_inferring` False: messages are stored as they are and no model is asked.

    mem0 takes a reply that is no JSON for one without memories, and stumbles over some that are: here both count as
    without, and `faults` says so.
    """

    def __init__(self, options: ExternalOptions, embedder: Embedder, *, is_inferring: bool) -> None:
        self.is_inferring = is_inferring
        self._embedder = embedder
        self._bridge = _ModelBridge(options.model)
        # SQLite and Qdrant are not made for several threads at once.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mem0")
        options.folder.mkdir(parents=True, exist_ok=True)
        self._store = _open_store(options, embedder, self._bridge)

    @property
    def name(self) -> str:
        infer = "infer" if self.is_inferring else "verbatim"
        asked = f", {self._bridge.model.name}" if self.is_inferring and self._bridge.model else ""
        return f"mem0 {version('mem0ai')} ({infer}, {self._embedder.name}{asked})"

    @property
    def usage(self) -> Usage:
        return self._bridge.usage

    @property
    def faults(self) -> tuple[str, ...]:
        return tuple(self._bridge.faults)

    async def add(self, messages: Sequence[Message]) -> None:
        raw = [{"role": message.role, "content": message.text} for message in messages if message.text.strip()]
        if raw:
            await self._work(lambda: self._store.add(raw, user_id=USER, infer=self.is_inferring))

    async def search(self, query: str) -> str:
        if not query.strip():
            return ""
        found = await self._work(
            # The threshold is for mem0's own embedder; ours are ranked and the budget cuts.
            lambda: self._store.search(query, filters={"user_id": USER}, top_k=NUM_RESULTS, threshold=0.0)
        )
        return "\n".join("- " + " ".join(str(item["memory"]).split()) for item in found["results"] if item["score"] > 0)

    async def reset(self) -> None:
        await self._work(self._store.reset)

    async def close(self) -> None:
        if self._store is not None:
            store, self._store = self._store, None
            await self._work(lambda: _close_store(store))
            self._thread.shutdown(wait=True)

    async def _work(self, call: Callable[[], Result]) -> Result:
        """Do a call of mem0 in its thread, while this loop serves its model.

        Raises: ProviderError: mem0 or its model failed.
        """
        from mem0.exceptions import MemoryError as Mem0Error

        loop = asyncio.get_running_loop()
        self._bridge.open(loop)
        try:
            return await loop.run_in_executor(self._thread, call)
        except asyncio.CancelledError:
            self._bridge.cancel()
            raise
        except (Mem0Error, ValueError, OSError, RuntimeError, sqlite3.Error) as error:
            if isinstance(error.__cause__, ProviderError):
                raise error.__cause__ from error
            raise ProviderError(f"mem0: {error}", kind="server") from error


class _ModelBridge:
    """Gives mem0, which calls from its thread, the replies of a `ChatModel`, which lives on the loop."""

    def __init__(self, model: ChatModel | None) -> None:
        self.model = model
        self.usage = Usage()
        self.faults: list[str] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pending: Future[Completion] | None = None

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        """Say on which loop the model is asked from now on."""
        self._loop, self._pending = loop, None

    def generate_response(self, messages: list[dict[str, Any]], **_: Any) -> str:
        """Answer as mem0's own models do. Raises: ProviderError, from the model."""
        if self.model is None or self._loop is None:
            raise ProviderError("mem0 asks its model, but nobody waits for it any more", kind="refused")
        asked = [Message(message["role"], message["content"]) for message in messages]
        call = self.model.generate(asked, GenerateConfig(max_tokens=REPLY_TOKENS))
        self._pending = asyncio.run_coroutine_threadsafe(call, self._loop)
        completion = self._pending.result()
        self.usage += completion.usage
        memories = _read_extraction(completion.text)
        usable = [
            memory for memory in memories or () if isinstance(memory, dict) and isinstance(memory.get("text"), str)
        ]
        if memories is not None and len(usable) == len(memories):
            return completion.text
        # The reply's words may be what must not be kept: the fault says only how long it was.
        self.faults.append(
            f"a reply of {len(completion.text):,} characters: {len(usable)} of its memories could be used, not the rest"
        )
        return json.dumps({"memory": usable})

    def cancel(self) -> None:
        """Let the thread go on with an error when nobody waits for it any more."""
        self._loop = None
        if self._pending is not None:
            self._pending.cancel()


class _EmbedderBridge:
    """Gives mem0 an `Embedder` in the shape of its own."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    def embed(self, text: str, _action: str | None = None) -> list[float]:
        return self._embedder.embed([text])[0]

    def embed_batch(self, texts: Sequence[str], _action: str | None = None) -> list[list[float]]:
        return self._embedder.embed(texts)


def _read_extraction(reply: str) -> list[Any] | None:
    """Return the memories in a reply as mem0 looks for them, None where it has no list of them."""
    text = _FENCE.sub("", reply)
    start, end = text.find("{"), text.rfind("}")
    try:
        raw = json.loads(text[start : end + 1], strict=False)
    except (ValueError, RecursionError):
        return None
    memories = raw.get("memory") if isinstance(raw, dict) else None
    return memories if isinstance(memories, list) else None


def load(options: ExternalOptions) -> Mem0Memory:
    """Open mem0; arguments: `infer=true|false` (true), `embed=auto|hash|minilm` (MiniLM where it is installed).

    Raises: ProviderError: an argument is unknown, a package or the model is missing.
    """
    chosen = {"infer": "true", "embed": "auto"} | dict(options.arguments)
    for name, value in chosen.items():
        if value not in _OPTIONS.get(name, ()):
            known = "; ".join(f"{key}={'|'.join(values)}" for key, values in _OPTIONS.items())
            raise ProviderError(f"external:mem0 does not know {name}={value}; it knows {known}", kind="missing")
    if chosen["infer"] == "true" and options.model is None:
        raise ProviderError(
            "external:mem0 asks a chat model; name one with --model, or add infer=false", kind="missing"
        )
    return Mem0Memory(options, _choose_embedder(chosen["embed"]), is_inferring=chosen["infer"] == "true")


def _choose_embedder(choice: str) -> Embedder:
    if choice == "auto":
        choice = "minilm" if minilm.is_installed() else "hash"
    return load_embedder(choice)


def _open_store(options: ExternalOptions, embedder: Embedder, bridge: _ModelBridge) -> Any:
    """Open mem0's own class on the folder, with our model and embedder in the place of its clients.

    Raises: ProviderError: mem0 was imported before with its telemetry on, or would download models.
    """
    for package in ("spacy", "fastembed"):
        if importlib.util.find_spec(package) is not None:
            raise ProviderError(
                f"mem0 downloads models when {package} is installed; use an environment without it", kind="missing"
            )
    silence_mem0(options.folder)
    logging.getLogger("mem0").setLevel(logging.ERROR)
    from mem0 import Memory
    from mem0.memory import telemetry

    if telemetry.MEM0_TELEMETRY:
        raise ProviderError("mem0 was imported with its telemetry on; set MEM0_TELEMETRY=False", kind="missing")
    unused = {"provider": "openai", "config": {"model": "unused", "api_key": "unused"}}
    vectors = {
        "path": str(options.folder / "qdrant"),
        "embedding_model_dims": embedder.num_dimensions,
        "collection_name": "memories",
        "on_disk": True,
    }
    settings = {
        "vector_store": {"provider": "qdrant", "config": vectors},
        # Their clients are built and never called.
        "llm": unused,
        "embedder": unused,
        "history_db_path": str(options.folder / "history.db"),
    }
    try:
        store = Memory.from_config(settings)
    except (RuntimeError, OSError, sqlite3.Error) as error:
        raise ProviderError(f"mem0 cannot open {options.folder}: {error}", kind="server") from error
    store.llm, store.embedding_model = bridge, _EmbedderBridge(embedder)
    return store


def _close_store(store: Any) -> None:
    store.vector_store.client.close()
    store.close()
