"""Any endpoint that speaks OpenAI's chat completions: OpenAI itself, vLLM, llama.cpp, Ollama, gateways.

The client's own retries are off: one loop here waits and tries again, so that a wait can be injected and an error says
how often it was tried. One semaphore an endpoint and event loop limits what is under way at once, whoever asks: the
answering model, a memory's builder and judges share it. Waiting between tries holds no place in it.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from hub_toolkit.data.tokens import EstimateCounter, TokenCounter, count_messages
from hub_toolkit.errors import ProviderError
from hub_toolkit.models.base import Attempt, Completion, GenerateConfig, note_attempt
from hub_toolkit.models.encoding import ENCODER
from hub_toolkit.models.endpoint_failures import (
    CUT_REPLY,
    BadReplyError,
    Failure,
    bad_reply,
    classify,
    learn_quirks,
    redact,
)
from hub_toolkit.models.retry import RetryPolicy, open_chance
from hub_toolkit.types import Message, Usage

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai._types import RequestOptions

    from hub_toolkit.models.registry import LoadOptions

DEFAULT_BASE_URL = "https://api.openai.com/v1"
NO_KEY = "none"
"""Sent where no key is set: local servers ask for none, the client insists on one."""
_JSON: RequestOptions = {"headers": {"Content-Type": "application/json"}}

Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, repr=False)
class Endpoint:
    """Where to ask and how patiently; `num_concurrent` of the endpoint's first model in an event loop holds."""

    base_url: str
    api_key: str = NO_KEY
    timeout_s: float = 120
    num_concurrent: int = 8

    @property
    def shown(self) -> str:
        """The address without a user name, a password or a query, which may hold a secret."""
        parts = urlsplit(self.base_url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}".rstrip("/")

    def __repr__(self) -> str:
        return f"Endpoint({self.shown!r}, timeout_s={self.timeout_s}, num_concurrent={self.num_concurrent})"


@dataclass
class _Slots:
    """The semaphores of one event loop, by address."""

    by_address: dict[str, asyncio.Semaphore] = field(default_factory=dict)


_SLOTS: WeakKeyDictionary[asyncio.AbstractEventLoop, _Slots] = WeakKeyDictionary()


def _slot(endpoint: Endpoint) -> asyncio.Semaphore:
    slots = _SLOTS.setdefault(asyncio.get_running_loop(), _Slots())
    return slots.by_address.setdefault(endpoint.shown, asyncio.Semaphore(endpoint.num_concurrent))


class OpenAIModel:
    """A model behind an endpoint. Usable from several event loops; `close` closes the running loop's connections.

    An endpoint that refuses `max_tokens` for `max_completion_tokens`, or refuses `seed`, is asked again without it.
    """

    def __init__(
        self,
        repo_id: str,
        endpoint: Endpoint,
        *,
        retry: RetryPolicy | None = None,
        sleep: Sleep = asyncio.sleep,
        chance: Callable[[], float] | None = None,
        context_tokens: int | None = None,
    ) -> None:
        self._repo_id = repo_id
        self._endpoint = _checked(endpoint)
        self._retry = retry or RetryPolicy()
        self._sleep = sleep
        self._context_tokens = context_tokens
        self._counter = EstimateCounter()
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, tuple[AsyncOpenAI, AsyncGenerator[None, None]]]
        self._clients = WeakKeyDictionary()
        self._quirks: set[str] = set()
        self._address = f"{self._endpoint.base_url}/chat/completions"
        self._chance = chance or open_chance(f"{endpoint.shown} {repo_id}").random

    def __repr__(self) -> str:
        return f"OpenAIModel({self._repo_id!r}, {self._endpoint!r})"

    @property
    def name(self) -> str:
        return f"openai/{self._repo_id}"

    @property
    def counter(self) -> TokenCounter:
        return self._counter

    @property
    def context_tokens(self) -> int | None:
        return self._context_tokens

    async def generate(self, messages: Sequence[Message], config: GenerateConfig | None = None) -> Completion:
        for attempt in itertools.count(1):
            async with _slot(self._endpoint):
                started = time.monotonic()
                try:
                    async with asyncio.timeout(self._endpoint.timeout_s):
                        reply = await self._post(self._body(messages, config))
                    completion = self._read_completion(reply, messages)
                    note_attempt(Attempt("ok", time.monotonic() - started))
                    return completion
                except _handled() as error:
                    failure = self._classify(error)
                note_attempt(Attempt(failure.error.kind, time.monotonic() - started))
            await self._wait_or_raise(failure, attempt)
        raise AssertionError("itertools.count ends never")

    async def stream(self, messages: Sequence[Message], config: GenerateConfig | None = None) -> AsyncIterator[str]:
        has_started = False
        for attempt in itertools.count(1):
            try:
                async with _slot(self._endpoint):
                    async for piece in self._pieces(self._body(messages, config, stream=True)):
                        has_started = True
                        yield piece
                return
            except _handled() as error:
                failure = self._classify(error)
            if has_started:
                raise bad_reply(self._endpoint.shown, f"{CUT_REPLY} ({failure.error})")
            await self._wait_or_raise(failure, attempt)

    async def close(self) -> None:
        _, closing = self._clients.pop(asyncio.get_running_loop(), (None, None))
        if closing is not None:
            await closing.aclose()

    async def _client(self) -> AsyncOpenAI:
        """Return the running loop's client; it is closed with the loop, where nobody closes it before."""
        loop = asyncio.get_running_loop()
        if loop not in self._clients:
            client = self._open_client()
            closing = _closing(client)
            self._clients[loop] = client, closing
            await anext(closing)
        return self._clients[loop][0]

    def _open_client(self) -> AsyncOpenAI:
        from openai import AsyncOpenAI, DefaultAioHttpClient

        endpoint = self._endpoint
        # Without TLS there is no use in reading the list of authorities; none is trusted then.
        is_plain = urlsplit(endpoint.base_url).scheme == "http"
        # aiohttp carries the requests: a third less CPU time a call than the client's own transport takes.
        http_client = DefaultAioHttpClient(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if is_plain else True)
        return AsyncOpenAI(
            base_url=endpoint.base_url,
            api_key=endpoint.api_key,
            timeout=endpoint.timeout_s,
            max_retries=0,
            http_client=http_client,
        )

    def _body(self, messages: Sequence[Message], config: GenerateConfig | None, **extra: Any) -> bytes:
        """Return the request as JSON; the messages are spliced in as they were encoded before."""
        config = config or GenerateConfig()
        limit = "max_completion_tokens" if "max_tokens" in self._quirks else "max_tokens"
        settings: dict[str, Any] = {limit: config.max_tokens}
        # What is the API's own default is left out: some models refuse the parameter altogether.
        if config.temperature != 1:
            settings["temperature"] = config.temperature
        if config.top_p != 1:
            settings["top_p"] = config.top_p
        if config.stop:
            settings["stop"] = list(config.stop)
        if config.seed is not None and "seed" not in self._quirks:
            settings["seed"] = config.seed
        head = json.dumps({"model": self._repo_id})[:-1]
        tail = json.dumps(settings | extra)[1:]
        return b"".join((head.encode(), b', "messages": ', ENCODER.encode(messages), b", ", tail.encode()))

    async def _post(self, body: bytes) -> object:
        # `post` builds no typed request, and ready bytes are not encoded again: ~1 CPU-ms a call with a long history,
        # where chat.completions.create takes ~24.
        # A whole address is not put together anew for each call.
        return await (await self._client()).post(self._address, content=body, cast_to=object, options=_JSON)

    async def _pieces(self, body: bytes) -> AsyncIterator[str]:
        from openai import AsyncStream

        events = await (await self._client()).post(
            self._address,
            content=body,
            cast_to=object,
            options=_JSON,
            stream=True,
            stream_cls=AsyncStream[object],
        )
        is_finished = False
        try:
            async for event in events:
                piece, finish_reason = _read_event(event)
                is_finished = is_finished or finish_reason is not None
                if piece:
                    yield piece
        finally:
            await events.response.aclose()
        if not is_finished:
            raise bad_reply(self._endpoint.shown, CUT_REPLY)

    def _classify(self, error: Exception) -> Failure:
        return classify(error, place=self._endpoint.shown, model=self._repo_id, key=self._endpoint.api_key)

    async def _wait_or_raise(self, failure: Failure, attempt: int) -> None:
        """Return when it is worth asking again."""
        new_quirks = learn_quirks(failure) - self._quirks
        if new_quirks:
            self._quirks |= new_quirks
            return
        policy = self._retry
        most = policy.max_bad_replies if failure.error.kind == "bad_reply" else policy.max_attempts
        if not failure.is_transient:
            raise failure.error
        if attempt >= most or not policy.is_worth_waiting(failure.retry_after_s):
            raise ProviderError(f"{failure.error} (tried {attempt} times)", kind=failure.error.kind)
        await self._sleep(policy.wait_s(attempt, failure.retry_after_s, self._chance()))

    def _read_completion(self, reply: object, messages: Sequence[Message]) -> Completion:
        """Return what an endpoint replied. Raises: BadReplyError: it is not the reply of a chat completion."""
        if not isinstance(reply, dict):
            is_page = isinstance(reply, str) and reply.lstrip()[:1] == "<"
            raise BadReplyError("it is not a JSON object" + self._excerpt(reply), is_lasting=is_page)
        choices = reply.get("choices")
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
            raise BadReplyError("it has no choices" + self._excerpt(reply.get("error")))
        message = choices[0].get("message")
        content = message.get("content") if isinstance(message, dict) else None
        finish_reason = choices[0].get("finish_reason")
        if not isinstance(content, str):
            # A reply that gives its reason to end is whole: the same question ends in the same way.
            is_whole = isinstance(message, dict) and isinstance(finish_reason, str)
            reason = f"its message has no text (finish_reason {finish_reason!r:.40})"
            raise BadReplyError(reason, is_lasting=is_whole)
        usage, cached_tokens = self._read_usage(reply.get("usage"), messages, content)
        return Completion(content, usage, "length" if finish_reason == "length" else "stop", cached_tokens)

    def _read_usage(self, usage: object, messages: Sequence[Message], text: str) -> tuple[Usage, int]:
        """Return the tokens that a call took, and how many of the prompt's the endpoint had read before."""
        if isinstance(usage, dict):
            num_in, num_out = usage.get("prompt_tokens"), usage.get("completion_tokens")
            if isinstance(num_in, int) and isinstance(num_out, int):
                details = usage.get("prompt_tokens_details")
                cached = details.get("cached_tokens") if isinstance(details, dict) else None
                return Usage(num_in, num_out), cached if isinstance(cached, int) else 0
        return Usage(count_messages(self._counter, messages), self._counter.count(text), is_estimated=True), 0

    def _excerpt(self, value: object) -> str:
        if not value:
            return ""
        return f": {redact(' '.join(str(value).split()), self._endpoint.api_key)}"


def load(repo_id: str, options: LoadOptions) -> OpenAIModel:
    """Return the model `repo_id` of the endpoint that the options or the settings name.

    Raises: ProviderError: neither an address nor a key is set, or one of them cannot be used.
    """
    settings = options.settings
    num_concurrent = options.num_concurrent or settings.num_concurrent
    base_url, api_key = options.base_url or settings.base_url, options.api_key or settings.api_key
    if not base_url and not api_key:
        raise ProviderError(
            f"openai/{repo_id}: no endpoint is set: pass --base-url or set PERSONAMEM_BASE_URL (a local server needs "
            "no key), or set PERSONAMEM_API_KEY or OPENAI_API_KEY for api.openai.com",
            kind="missing",
        )
    endpoint = Endpoint(base_url or DEFAULT_BASE_URL, api_key or NO_KEY, settings.timeout_s, num_concurrent)
    return OpenAIModel(repo_id, endpoint)


def _checked(endpoint: Endpoint) -> Endpoint:
    """Return the endpoint with spaces and a pasted path cut off.

    Raises: ProviderError: an address that is none, a key that no header can carry, or a limit below 1.
    """
    base_url = endpoint.base_url.strip().rstrip("/").removesuffix("/chat/completions")
    api_key = endpoint.api_key.strip()
    try:
        parts = urlsplit(base_url)
        has_place = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        has_place = False
    if not has_place:
        raise ProviderError(
            "the base URL is no http or https address: write it like http://127.0.0.1:8000/v1", kind="bad_request"
        )
    if not (api_key.isascii() and api_key.isprintable() and api_key):
        raise ProviderError(
            f"the API key for {endpoint.shown} holds characters that no key has: set it anew", kind="auth"
        )
    if endpoint.num_concurrent < 1 or not endpoint.timeout_s > 0:
        raise ProviderError("the concurrency limit must be at least 1, the timeout above 0 s", kind="bad_request")
    return replace(endpoint, base_url=base_url, api_key=api_key)


async def _closing(client: AsyncOpenAI) -> AsyncGenerator[None, None]:
    """Close a client when this generator is, which a loop that ends sees to by itself."""
    try:
        yield
    finally:
        await client.close()


def _handled() -> tuple[type[Exception], ...]:
    """What a request may raise: the client's errors, and those of reading or writing JSON."""
    from aiohttp import ClientError
    from openai import APIError

    return (APIError, ClientError, TimeoutError, BadReplyError, json.JSONDecodeError, UnicodeError, RecursionError)


def _read_event(event: object) -> tuple[str, str | None]:
    """Return the text and the finish_reason of one event; the last one, with the usage, has no choices."""
    choices = event.get("choices") if isinstance(event, dict) else None
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        return "", None
    delta = choices[0].get("delta")
    content = delta.get("content") if isinstance(delta, dict) else None
    finish_reason = choices[0].get("finish_reason")
    return content if isinstance(content, str) else "", finish_reason if isinstance(finish_reason, str) else None
