"""Rollouts: the builder that inference uses reads each history, and the policy answers all its calls in batches."""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from hub_toolkit.answer.readers import Context, read_memory, read_notes
from hub_toolkit.data.history import CHUNK_TOKENS, chunk_messages, raw_slices
from hub_toolkit.data.schema import History
from hub_toolkit.data.tokens import EstimateCounter, TokenCounter
from hub_toolkit.errors import DataFormatError
from hub_toolkit.memory.build import build_memory
from hub_toolkit.memory.builders.agentic import AgenticBuilder
from hub_toolkit.memory.document import DEFAULT_CAP_TOKENS, MemoryDocument
from hub_toolkit.models.base import Completion, GenerateConfig
from hub_toolkit.types import Message
from train.memory.config import MemoryGRPOConfig
from train.memory.paper import PaperMemory, build_paper_memory


@dataclass(frozen=True)
class Turn:
    """One conversation of a rollout. `logprobs`: of the sampled tokens, where the backend gives them."""

    prompt_ids: list[int]
    completion_ids: list[int]
    logprobs: list[float | None] | None = None


class TurnGenerator(Protocol):
    """What a rollout needs of a trainer: one turn for many rollouts at once.

    This is the seam for an asynchronous worker: whoever samples turns behind it need not be a trainer.
    """

    def generate_turns(self, prompts: Sequence[Sequence[Message]], *, max_tokens: int) -> list[Turn]: ...

    def decode_turn(self, turn: Turn) -> str: ...


class _Ask:
    """Awaiting it hands the call out of the coroutine; what is sent back is the reply."""

    def __init__(self, messages: Sequence[Message], config: GenerateConfig) -> None:
        self.messages = messages
        self.config = config

    def __await__(self) -> Generator[_Ask, Completion, Completion]:
        return (yield self)


@dataclass
class PolicyModel:
    """The policy as a `ChatModel`: every call waits until the trainer has sampled it."""

    counter: TokenCounter
    name: str = "policy/training"
    context_tokens: int | None = None

    async def generate(self, messages: Sequence[Message], config: GenerateConfig | None = None) -> Completion:
        return await _Ask(messages, config or GenerateConfig())

    def stream(self, messages: Sequence[Message], config: GenerateConfig | None = None) -> AsyncIterator[str]:
        raise NotImplementedError("a rollout samples whole replies")

    async def close(self) -> None:
        """Nothing to close."""


@dataclass
class Rollout:
    """One history on its way to an answer; `asks` is the update that waits for the policy, None once all is read."""

    builds: Coroutine[_Ask, Completion, MemoryDocument | PaperMemory]
    question: list[Message]
    turns: list[Turn] = field(default_factory=list)
    asks: _Ask | None = None
    memory: MemoryDocument | PaperMemory = field(default_factory=PaperMemory)

    def start(self) -> None:
        """Run to the first update."""
        self._resume(None)

    def reply(self, turn: Turn, text: str, *, is_cut: bool) -> None:
        """Take the reply in; run to the next update, or to the memory's end."""
        self.turns.append(turn)
        self._resume(Completion(text, finish_reason="length" if is_cut else "stop"))

    def _resume(self, completion: Completion | None) -> None:
        try:
            self.asks = self.builds.send(completion)  # type: ignore[arg-type]
        except StopIteration as end:
            self.asks, self.memory = None, end.value

    def context(self) -> Context:
        """Return what the answer reads, as at inference."""
        if isinstance(self.memory, PaperMemory):
            return read_notes(self.memory.text)
        return read_memory(self.memory)

    def final_messages(self) -> list[Message]:
        """Return the answer's prompt: the memory, then the question."""
        return [*self.context().messages, *self.question]


class MemoryRollout:
    """TRL's `rollout_func`: R = T + 1 rows a rollout, one after the other; the answer is the last of them.

    A dataset row's `prompt` is the history and, last, the question as evaluation poses it. `history_start`, where the
    data has that column, is the place of the first message in the file's `chat_history`.

    Raises: DataFormatError: a history needs more than `max_turns` updates.
    """

    def __init__(
        self,
        args: MemoryGRPOConfig,
        *,
        chunk_tokens: int = CHUNK_TOKENS,
        cap_tokens: int = DEFAULT_CAP_TOKENS,
        counter: TokenCounter | None = None,
    ) -> None:
        self.args = args
        self.chunk_tokens = chunk_tokens
        self.cap_tokens = cap_tokens
        self.counter = counter or EstimateCounter()

    def __call__(self, prompts: Sequence[Sequence[Mapping[str, Any]]], trainer: Any) -> dict[str, Any]:
        starts = [int(row.get("history_start") or 0) for row in trainer.rollout_rows]
        rollouts = [self.open(prompt, start) for prompt, start in zip(prompts, starts, strict=True)]
        for rollout in rollouts:
            rollout.start()
        for _ in range(self.args.max_turns):
            self._update(rollouts, trainer)
        late = [place for place, rollout in enumerate(rollouts) if rollout.asks is not None]
        if late:
            raise DataFormatError(
                f"a history needs more than max_turns={self.args.max_turns} updates of {self.chunk_tokens:,} "
                "tokens; raise max_turns or leave the row out",
                row=late[0] + 1,
            )
        answers = trainer.generate_turns(
            [rollout.final_messages() for rollout in rollouts], max_tokens=self.args.max_completion_length
        )
        return self._rows(rollouts, answers, trainer.blank_id)

    def open(self, prompt: Sequence[Mapping[str, Any]], history_start: int = 0) -> Rollout:
        """Return a rollout that has not begun."""
        history, question = split_prompt(prompt, history_start)
        model, counter, chunk_tokens = PolicyModel(self.counter), self.counter, self.chunk_tokens
        builds: Any
        if self.args.memory_mode == "paper":
            builds = build_paper_memory(history, model, counter, chunk_tokens=chunk_tokens, cap_tokens=self.cap_tokens)
        else:
            builder = AgenticBuilder(model, cap_tokens=self.cap_tokens)
            builds = build_memory(history, builder, counter, chunk_tokens=chunk_tokens)
        return Rollout(builds, question)

    def count_turns(self, prompt: Sequence[Mapping[str, Any]]) -> int:
        """Return how many updates a dataset row's history needs."""
        cut = raw_slices if self.args.memory_mode == "paper" else chunk_messages
        return len(cut(split_prompt(prompt)[0], self.counter, chunk_tokens=self.chunk_tokens))

    def _update(self, rollouts: Sequence[Rollout], generator: TurnGenerator) -> None:
        """Sample one update for every rollout that still reads. Every rank calls this equally often."""
        waiting = [(rollout, rollout.asks) for rollout in rollouts if rollout.asks is not None]
        limit = max((asks.config.max_tokens for _, asks in waiting), default=1)
        if self.args.max_update_length is not None:
            limit = min(limit, self.args.max_update_length)
        turns = generator.generate_turns([asks.messages for _, asks in waiting], max_tokens=limit)
        for (rollout, _), turn in zip(waiting, turns, strict=True):
            rollout.reply(turn, generator.decode_turn(turn), is_cut=len(turn.completion_ids) >= limit)

    def _rows(self, rollouts: Sequence[Rollout], answers: Sequence[Turn], blank_id: int) -> dict[str, Any]:
        """Return the rows as TRL takes them; a turn that was not used is a row of two tokens that no loss sees."""
        unused = Turn([blank_id], [blank_id], [0.0])
        rows: list[Turn] = []
        masks: list[list[int]] = []
        for rollout, answer in zip(rollouts, answers, strict=True):
            num_unused = self.args.max_turns - len(rollout.turns)
            for turn in (*rollout.turns, *([unused] * num_unused), answer):
                is_learnt = turn is answer or (turn is not unused and not self.args.mask_updates)
                size = len(turn.completion_ids)
                rows.append(turn if size else Turn(turn.prompt_ids, [blank_id], [0.0]))
                masks.append([int(is_learnt)] * size or [0])
        has_logprobs = bool(answers) and all(turn.logprobs is not None for turn in answers)
        return {
            "prompt_ids": [row.prompt_ids for row in rows],
            "completion_ids": [row.completion_ids for row in rows],
            "env_mask": masks,
            "logprobs": [row.logprobs for row in rows] if has_logprobs else None,
            "memory": [rollout.context().text for rollout in rollouts],
            "memory_tokens": [count_memory(rollout.memory, self.counter) for rollout in rollouts],
            "num_faults": [count_faults(rollout.memory) for rollout in rollouts],
            "turns": [len(rollout.turns) for rollout in rollouts],
        }


def split_prompt(prompt: Sequence[Mapping[str, Any]], history_start: int = 0) -> tuple[History, list[Message]]:
    """Return the history and the question of a dataset row's `prompt`."""
    messages = tuple(Message(message["role"], message["content"]) for message in prompt)
    indices = tuple(range(history_start, history_start + len(messages) - 1))
    return History(messages[:-1], indices, {}, "prompt"), [messages[-1]]


def count_memory(memory: MemoryDocument | PaperMemory, counter: TokenCounter) -> int:
    """Return the memory's size in tokens; an empty one counts nothing."""
    if isinstance(memory, PaperMemory):
        return counter.count(memory.text)
    return memory.tokens(counter)


def count_faults(memory: MemoryDocument | PaperMemory) -> int:
    """Return how many updates could not be read as bullets."""
    return 0 if isinstance(memory, PaperMemory) else len(memory.faults)
