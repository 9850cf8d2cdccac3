"""SmolLM2-135M on this machine's processor, through llama.cpp in this process.

The runtime is loaded at the first use and does one thing at a time: its thread is the queue. It also opens a port on
127.0.0.1, which serves the tokenizer; a random key keeps other users of the machine out.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import secrets
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from hub_toolkit.data.tokens import TokenCounter
from hub_toolkit.errors import ProviderError
from hub_toolkit.models.base import Completion, GenerateConfig
from hub_toolkit.models.fetch import cached_gguf
from hub_toolkit.types import Message, Usage

if TYPE_CHECKING:
    from hub_toolkit.models.registry import LoadOptions

REPO_ID = "SmolLM2-135M-Instruct"
MAX_CONTEXT_TOKENS = 8192
"""What the model was trained for."""

_MAX_THREADS = 8
"""A model of this size is not faster on more."""

_REPEAT_PENALTY = 1.15
"""Without one, a greedy reply of a model of this size ends in one sentence for ever."""

_TOKENIZE_TIMEOUT_S = 60
_SILENT = -1

OnPiece = Callable[[str], bool]
"""Takes a piece of the reply; True stops the generation."""


class LocalModel:
    """SmolLM2-135M-Instruct. A reply depends on its messages alone, not on what was asked before.

    `reuse_prompts` keeps what two prompts begin with in common from one call to the next: much faster for many
    questions about one memory, at the price that a reply may differ in the last bit of a logit.
    """

    def __init__(self, gguf: Path, *, context_tokens: int = MAX_CONTEXT_TOKENS, reuse_prompts: bool = False) -> None:
        if not 0 < context_tokens <= MAX_CONTEXT_TOKENS:
            raise ProviderError(
                f"local/{REPO_ID}: the context can be 1 to {MAX_CONTEXT_TOKENS} tokens", kind="bad_request"
            )
        self._runtime = _Runtime(gguf, context_tokens)
        self._counter = LocalCounter(self._runtime)
        self._reuse_prompts = reuse_prompts
        self._queue = ThreadPoolExecutor(max_workers=1, thread_name_prefix="personamem-local")

    @property
    def name(self) -> str:
        return f"local/{REPO_ID}"

    @property
    def counter(self) -> TokenCounter:
        return self._counter

    @property
    def context_tokens(self) -> int | None:
        return self._runtime.context_tokens

    async def generate(self, messages: Sequence[Message], config: GenerateConfig | None = None) -> Completion:
        body = self._body(messages, config)
        stopped = threading.Event()
        try:
            return await self._submit(body, lambda _: stopped.is_set())
        finally:
            stopped.set()

    async def stream(self, messages: Sequence[Message], config: GenerateConfig | None = None) -> AsyncIterator[str]:
        body = self._body(messages, config)
        loop = asyncio.get_running_loop()
        pieces: asyncio.Queue[str | None] = asyncio.Queue()
        stopped = threading.Event()

        def on_piece(piece: str) -> bool:
            if not stopped.is_set():
                with suppress(RuntimeError):  # the loop was closed between the check and the call
                    loop.call_soon_threadsafe(pieces.put_nowait, piece)
            return stopped.is_set()

        future = self._submit(body, on_piece)
        future.add_done_callback(lambda _: pieces.put_nowait(None))
        try:
            while (piece := await pieces.get()) is not None:
                yield piece
            await future
        finally:
            stopped.set()
            future.cancel()

    async def close(self) -> None:
        """Free the runtime after what is under way; a later call loads it again."""
        await asyncio.get_running_loop().run_in_executor(self._queue, self._runtime.close)

    def _submit(self, body: dict[str, Any], on_piece: OnPiece) -> asyncio.Future[Completion]:
        return asyncio.get_running_loop().run_in_executor(self._queue, self._runtime.complete, body, on_piece)

    def _body(self, messages: Sequence[Message], config: GenerateConfig | None) -> dict[str, Any]:
        config = config or GenerateConfig()
        body: dict[str, Any] = {
            "messages": [{"role": message.role, "content": _text_only(message)} for message in messages],
            "max_tokens": config.max_tokens,
            "temperature": config.temperature,
            "top_p": config.top_p,
            "stop": list(config.stop),
            "repeat_penalty": _REPEAT_PENALTY,
            "cache_prompt": self._reuse_prompts,
        }
        return body if config.seed is None else body | {"seed": config.seed}


class LocalCounter:
    """Counts with the model's own tokenizer."""

    def __init__(self, runtime: _Runtime) -> None:
        self._runtime = runtime

    @property
    def name(self) -> str:
        return "smollm2"

    def count(self, text: str) -> int:
        """Return the tokens of `text`. Raises: ProviderError: the runtime does not answer."""
        return self._runtime.count(text) if text else 0


@dataclass
class _Reply:
    """A reply as it comes together from the runtime's events."""

    on_piece: OnPiece
    pieces: list[str] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    finish_reason: str | None = None
    error: dict[str, Any] | None = None

    def take(self, event: dict[str, Any]) -> bool:
        """Take one event; True stops the generation."""
        if "error" in event:
            self.error = event["error"]
            return True
        if usage := event.get("usage"):
            self.usage = Usage(usage["prompt_tokens"], usage["completion_tokens"])
        if not event.get("choices"):
            return False
        choice = event["choices"][0]
        self.finish_reason = choice.get("finish_reason") or self.finish_reason
        piece = choice["delta"].get("content")
        if not piece:
            return False
        self.pieces.append(piece)
        return self.on_piece(piece)


class _Runtime:
    """llama.cpp's server in this process; loaded at the first use, freed by `close`."""

    def __init__(self, gguf: Path, context_tokens: int) -> None:
        self.context_tokens = context_tokens
        self._gguf = gguf
        self._lock = threading.Lock()
        self._server: Any = None
        self._client: httpx.Client | None = None

    def complete(self, body: dict[str, Any], on_piece: OnPiece) -> Completion:
        """Generate; blocks. Raises: ProviderError: the prompt is too long, or the runtime failed."""
        server, _ = self._load()
        reply = _Reply(on_piece)
        request = body | {"stream": True, "stream_options": {"include_usage": True}}
        try:
            server.handle_chat_completions(request, reply.take)
        except (RuntimeError, TypeError, ValueError) as error:
            raise ProviderError(f"local/{REPO_ID} refused the messages: {error}", kind="bad_request") from error
        if reply.error is not None:
            raise _runtime_error(reply.error)
        return Completion("".join(reply.pieces), reply.usage, "length" if reply.finish_reason == "length" else "stop")

    def count(self, text: str) -> int:
        """Count tokens; special tokens in the text are read as text."""
        _, client = self._load()
        content = text.encode("utf-8", "replace").decode()  # half a surrogate pair counts as a question mark
        try:
            response = client.post("/tokenize", json={"content": content, "parse_special": False})
            tokens = response.raise_for_status().json()["tokens"]
        except (httpx.HTTPError, ValueError, KeyError) as error:
            raise ProviderError(f"local/{REPO_ID}: the tokenizer failed: {error}", kind="server") from error
        return len(tokens)

    def close(self) -> None:
        with self._lock:
            if self._client is not None:
                self._client.close()
            self._client = self._server = None

    def _load(self) -> tuple[Any, httpx.Client]:
        with self._lock:
            if self._server is None or self._client is None:
                self._server, self._client = self._start()
            return self._server, self._client

    def _start(self) -> tuple[Any, httpx.Client]:
        import xllamacpp

        params = xllamacpp.CommonParams()
        params.model.path = str(self._gguf)
        params.n_ctx = self.context_tokens
        params.n_parallel = 1
        params.n_threads_http = 2
        params.cpuparams.n_threads = min(_MAX_THREADS, _num_processors())
        params.verbosity = _SILENT
        params.cache_ram_mib = 0
        params.fit_params = params.warmup = params.ui = params.endpoint_slots = False
        key = secrets.token_hex(16)
        params.api_keys = [key]
        try:
            server = xllamacpp.Server(params)
        except RuntimeError as error:
            raise ProviderError(
                f"local/{REPO_ID}: {self._gguf} could not be loaded ({error}): run `personamem models fetch`",
                kind="missing",
            ) from error
        client = httpx.Client(
            base_url=server.listening_address,
            headers={"Authorization": f"Bearer {key}"},
            timeout=_TOKENIZE_TIMEOUT_S,
            trust_env=False,  # a proxy of the environment is not for this machine itself
        )
        return server, client


def load(repo_id: str, options: LoadOptions) -> LocalModel:
    """Return the local model.

    Raises: ProviderError: another model's name, or the package or the weights are missing.
    """
    if repo_id != REPO_ID:
        raise ProviderError(f"local/{repo_id}: there is one local model, local/{REPO_ID}", kind="missing")
    if importlib.util.find_spec("xllamacpp") is None:
        raise ProviderError(
            f"local/{REPO_ID} needs the package xllamacpp: run `pip install 'personamem-hub-toolkit[local]'`",
            kind="missing",
        )
    gguf = cached_gguf(options.settings.cache_dir)
    if gguf is None:
        raise ProviderError(
            f"local/{REPO_ID}: its weights are not in {options.settings.cache_dir}: run `personamem models fetch`",
            kind="missing",
        )
    return LocalModel(gguf)


def _text_only(message: Message) -> str:
    if not isinstance(message.content, str) and any(part.get("type") == "image_url" for part in message.content):
        raise ProviderError(f"local/{REPO_ID} reads text only: leave images out", kind="bad_request")
    return message.text


def _runtime_error(error: dict[str, Any]) -> ProviderError:
    if error.get("type") == "exceed_context_size_error":
        return ProviderError(
            f"local/{REPO_ID}: the prompt has {error.get('n_prompt_tokens')} tokens and the context holds "
            f"{error.get('n_ctx')}: use a memory in place of the history, or a model with a longer context",
            kind="bad_request",
        )
    return ProviderError(f"local/{REPO_ID} failed: {error.get('message')}", kind="server")


def _num_processors() -> int:
    """Return the processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
