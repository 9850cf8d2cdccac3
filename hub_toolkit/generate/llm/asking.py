"""Asking the model: one desk a quad, all desks under one semaphore, each reply kept before it is used."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from hub_toolkit.errors import ProviderError
from hub_toolkit.generate.llm.config import LlmConfig
from hub_toolkit.generate.llm.replies import Entry, ReplyBook
from hub_toolkit.generate.llm.shapes import Fault, Shape, VoteReply, read_shape
from hub_toolkit.judge.panel import HOPELESS_KINDS
from hub_toolkit.judge.rubric import mark_off
from hub_toolkit.models.base import ChatModel, Completion, GenerateConfig
from hub_toolkit.models.encoding import ENCODER
from hub_toolkit.prompts.render import load_prompt
from hub_toolkit.types import Message

Result = TypeVar("Result")
Reply = TypeVar("Reply", bound=Shape)
Check = Callable[[Any], None]
"""Looks at a reply of the right shape. Raises: Fault."""

_MAX_SHOWN_CHARS = 4_000
_BUSY = "rate_limit"
_TROUBLE = ("server", "timeout")
"""Kinds of error that may be the endpoint's trouble, or this request's: too long, or one that breaks the server."""
_TRIES_ALONE = 3


class NoReply(Exception):  # noqa: N818  (an outcome that its caller always handles)
    """All attempts at one reply failed. `reason` is that of the last of them."""

    def __init__(self, reason: str, detail: str) -> None:
        self.reason, self.detail = reason, detail
        super().__init__(f"{reason}: {detail}")


@dataclass(frozen=True)
class Prompt:
    """What is asked. `purpose` names this very request among all of a dataset; `name` is the template's."""

    purpose: str
    name: str
    text: str


@dataclass
class Switchboard:
    """What all desks share: the model, the places at once, what is under way, and failures in a row."""

    model: ChatModel
    slots: asyncio.Semaphore
    under_way: set[asyncio.Task[Entry]] = field(default_factory=set)
    num_failures: int = 0
    num_answered: int = 0

    def is_in_trouble(self, kind: str, answered: int, tries: int) -> bool:
        """Whether a failure is the endpoint's own: it asks to wait, or has answered nobody since `answered` replies.

        Who asks alone has nobody to compare with, and gives a request up after some tries.
        """
        if kind not in _TROUBLE:
            return kind == _BUSY
        return self.num_answered == answered and (len(self.under_way) > 1 or tries < _TRIES_ALONE)

    def settle(self, task: asyncio.Task[Entry]) -> None:
        """Let go of a call that is over; whoever waited for it may have been cancelled, so its error is looked at."""
        self.under_way.discard(task)
        if not task.cancelled():
            task.exception()

    async def drain(self) -> None:
        """Return when every call that is under way was kept: it is paid for."""
        while self.under_way:
            await asyncio.wait(self.under_way)


@dataclass
class Desk:
    """Asks for one quad."""

    config: LlmConfig
    board: Switchboard
    book: ReplyBook

    async def ask(
        self, prompt: Prompt, shape: type[Reply], check: Check | None = None, *, attempts: int | None = None
    ) -> Reply:
        """Return a reply in its shape that passes the check; each attempt may be repaired once.

        Raises: NoReply: no attempt gave one. ProviderError: no use in asking on. BudgetError: a limit was reached.
        """
        last = Fault("none", "never asked")
        for attempt in range(attempts or self.config.replies.attempts):
            try:
                return await self._attempt(prompt, shape, check, attempt)
            except Fault as fault:
                last = fault
        raise NoReply(last.reason, last.text)

    async def _attempt(self, prompt: Prompt, shape: type[Reply], check: Check | None, attempt: int) -> Reply:
        entry = await self._call(prompt, f"{prompt.purpose}:{attempt}")
        try:
            return _read(entry, shape, check)
        except Fault as fault:
            if entry["error"] is not None:
                raise
            shown = entry["text"][-_MAX_SHOWN_CHARS:].encode("utf-8", "replace").decode()
            text = load_prompt("generate_repair").render(prompt=prompt.text, reply=mark_off(shown), fault=fault.text)
            repair = Prompt(prompt.purpose, "generate_repair", text)
            return _read(await self._call(repair, f"{prompt.purpose}:{attempt}:repair"), shape, check)

    async def vote(self, prompts: Sequence[Prompt], choices: Sequence[str]) -> list[str | None]:
        """Return a verdict a prompt, None where none can be read."""

        def check(reply: VoteReply) -> None:
            if reply.verdict not in choices:
                raise Fault("bad_verdict", f'"verdict" must be one of {", ".join(choices)}')

        async def one(prompt: Prompt) -> str | None:
            try:
                return (await self.ask(prompt, VoteReply, check, attempts=1)).verdict
            except NoReply:
                return None

        return await all_of(one(prompt) for prompt in prompts)

    def reaches_quorum(self, verdicts: Sequence[str | None], wanted: str) -> bool:
        """Whether enough of the planned votes say what is wanted."""
        return verdicts.count(wanted) >= self.config.votes.quorum

    async def _call(self, prompt: Prompt, purpose: str) -> Entry:
        """Return what the model said, from the book where it said it before; a call that began is always kept."""
        replies = self.config.replies
        is_vote = prompt.name in _VOTING
        limit = replies.vote_tokens if is_vote else replies.max_tokens
        settings = GenerateConfig(limit, replies.temperature, seed=seed_for(self.config.seed, purpose))
        messages = [Message("user", prompt.text)]
        key = ENCODER.hash_request(self.board.model.name, messages, settings)
        known = self.book.get(key)
        if known is not None:
            return known
        async with self.board.slots:
            task = asyncio.create_task(self._ask_model(key, prompt.name, messages, settings))
            self.board.under_way.add(task)
            task.add_done_callback(self.board.settle)
            return await asyncio.shield(task)

    async def _ask_model(self, key: str, name: str, messages: list[Message], settings: GenerateConfig) -> Entry:
        entry: Entry = {"key": key, "prompt": name, "text": None, "finish_reason": None, "error": None}
        entry |= {"input": 0, "output": 0, "cached": 0}
        try:
            completion = await self._insist(messages, settings)
            usage = completion.usage
            entry |= {"text": completion.text, "finish_reason": completion.finish_reason}
            entry |= {"input": usage.input_tokens, "output": usage.output_tokens}
            entry["cached"] = min(completion.cached_tokens, usage.input_tokens)
        except _OwnFault as fault:
            entry["error"] = str(fault)
        await self.book.put(entry)
        return entry

    async def _insist(self, messages: list[Message], settings: GenerateConfig) -> Completion:
        """Ask until there is a reply, or the request itself is to blame: what an endpoint's trouble costs is time.

        Raises: _OwnFault. ProviderError: no use in asking on.
        """
        board, answered = self.board, self.board.num_answered
        for tries in itertools.count(1):
            try:
                completion = await board.model.generate(messages, settings)
            except ProviderError as error:
                board.num_failures += 1
                if error.kind in HOPELESS_KINDS or board.num_failures >= self.config.replies.max_failures:
                    raise
                if not board.is_in_trouble(error.kind, answered, tries):
                    raise _OwnFault(f"{error.kind}: {error}") from None
            else:
                board.num_failures = 0
                board.num_answered += 1
                return completion
        raise AssertionError("itertools.count ends never")


class _OwnFault(Exception):  # noqa: N818  (an outcome that its caller always handles)
    """A request that fails at an endpoint that answers others."""


_VOTING = frozenset(
    f"generate_{name}"
    for name in (
        *("blind", "clean", "compare", "contradiction", "infer", "leak", "shown"),
        *("fit_self", "fit_forget", "fit_others", "fit_sensitive"),
    )
)
"""Prompts whose replies are short."""


def _read(entry: Entry, shape: type[Reply], check: Check | None) -> Reply:
    if entry["error"] is not None:
        kind, _, message = entry["error"].partition(": ")
        raise Fault(kind, message)
    reply: Reply = read_shape(entry["text"], shape, is_cut=entry["finish_reason"] == "length")
    if check is not None:
        check(reply)
    return reply


def seed_for(seed: int, purpose: str) -> int:
    """Return the seed of one request: no two requests of a dataset share one, bar chance."""
    digest = hashlib.sha256(f"{seed}\0{purpose}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


async def all_of(jobs: Iterable[Coroutine[Any, Any, Result]]) -> list[Result]:
    """Return all results in order; the first error ends the other jobs before it is raised, alone."""
    tasks: list[asyncio.Task[Result]] = []
    try:
        async with asyncio.TaskGroup() as group:
            tasks += [group.create_task(job) for job in jobs]
    except BaseExceptionGroup as errors:
        raise _first_leaf(errors) from None
    return [task.result() for task in tasks]


def _first_leaf(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    first = errors.exceptions[0]
    return _first_leaf(first) if isinstance(first, BaseExceptionGroup) else first
