"""Rollouts ask what inference asks, keep what inference keeps, and never show an update the question."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from tests.train.tiny_model import require_trl

require_trl()

from hub_toolkit.answer.readers import read_memory, read_notes  # noqa: E402
from hub_toolkit.data.history import CHUNK_TOKENS, chunk_messages, raw_slices  # noqa: E402
from hub_toolkit.data.tokens import EstimateCounter  # noqa: E402
from hub_toolkit.errors import DataFormatError  # noqa: E402
from hub_toolkit.memory.build import build_memory  # noqa: E402
from hub_toolkit.memory.builders.agentic import AgenticBuilder, render_chunk  # noqa: E402
from hub_toolkit.memory.document import EMPTY_MEMORY, MemoryDocument  # noqa: E402
from hub_toolkit.models.base import Completion, GenerateConfig  # noqa: E402
from hub_toolkit.types import Message  # noqa: E402
from tests.train.memory.toy import toy_args  # noqa: E402
from train.memory.rollout import MemoryRollout, Turn, split_prompt  # noqa: E402

QUESTION = "Which pastime would suit me on a rainy Sunday in Ghent?"
COUNTER = EstimateCounter()
CHUNK, CAP = 120, 60
PAPER_CAP = 8


def talk(num_messages: int) -> list[dict[str, str]]:
    """Return a chat in which every other message says something new of the user."""
    messages = []
    for place in range(num_messages):
        text = (
            f"I keep a garden with {place} sorts of beans and I water it before breakfast."
            if place % 2 == 0
            else f"That sounds like a lovely garden; number {place} needs shade."
        )
        messages.append({"role": "user" if place % 2 == 0 else "assistant", "content": text})
    return messages


def reply_to(prompt: str) -> str:
    """Return a bulky list of bullets, so that the cap has to choose; every third reply cannot be read."""
    number = sum(map(ord, prompt))
    if number % 3 == 0:
        return "I would rather chat."
    return "\n".join(f"- The user grows {number % 97 + i} sorts of beans in the garden [{i}]" for i in range(8))


class Policy:
    """Stands for the trainer: replies as above, and remembers what it was asked."""

    blank_id = 1

    def __init__(self, rows: Sequence[dict[str, Any]], *, words: int | None = None) -> None:
        self.rollout_rows = rows
        self.words = words
        self.asked: list[list[str]] = []
        self.limits: list[int] = []
        self.texts: dict[int, str] = {}

    def generate_turns(self, prompts: Sequence[Sequence[Message]], *, max_tokens: int) -> list[Turn]:
        self.limits.append(max_tokens)
        self.asked.append(["\n".join(message.text for message in prompt) for prompt in prompts])
        turns = []
        for prompt in self.asked[-1]:
            number = len(self.texts) + 10
            self.texts[number] = " ".join(reply_to(prompt).split(" ")[: self.words])
            turns.append(Turn([7, 7], [number]))
        return turns

    def decode_turn(self, turn: Turn) -> str:
        return self.texts[turn.completion_ids[0]]


class Inference:
    """The same replies as a `ChatModel`, as inference has it."""

    name, counter, context_tokens = "fake/replies", COUNTER, None

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.limits: list[int] = []

    async def generate(self, messages: Sequence[Message], config: GenerateConfig | None = None) -> Completion:
        assert config is not None
        self.asked.append("\n".join(message.text for message in messages))
        self.limits.append(config.max_tokens)
        return Completion(reply_to(self.asked[-1]))


def make_row(num_messages: int, start: int = 0) -> dict[str, Any]:
    return {"prompt": [*talk(num_messages), {"role": "user", "content": QUESTION}], "history_start": start}


def roll(rows: Sequence[dict[str, Any]], *, words: int | None = None, **changes: Any) -> tuple[dict[str, Any], Policy]:
    args = toy_args("unused", **({"max_turns": 6} | changes))
    rollout = MemoryRollout(args, chunk_tokens=CHUNK, cap_tokens=CAP, counter=COUNTER)
    policy = Policy(rows, words=words)
    return rollout([row["prompt"] for row in rows], policy), policy


@pytest.mark.parametrize(("num_messages", "start"), [(2, 0), (9, 1), (24, 7)])
def test_every_prompt_and_the_memory_are_those_of_inference(num_messages: int, start: int) -> None:
    row = make_row(num_messages, start)
    made, policy = roll([row])
    model = Inference()
    history, question = split_prompt(row["prompt"], start)
    document = asyncio.run(build_memory(history, AgenticBuilder(model, cap_tokens=CAP), COUNTER, chunk_tokens=CHUNK))
    rounds = policy.asked
    assert [texts[0] for texts in rounds[:-1] if texts] == model.asked and model.asked
    assert [limit for limit, texts in zip(policy.limits, rounds[:-1], strict=False) if texts] == model.limits
    final = [*read_memory(document).messages, *question]
    assert rounds[-1] == ["\n".join(message.text for message in final)]
    assert made["memory"] == [read_memory(document).text]
    assert made["memory_tokens"] == [document.tokens(COUNTER)] and made["memory_tokens"][0] <= CAP
    assert made["num_faults"] == [len(document.faults)]


def test_an_update_is_shown_its_chunk_and_neither_question_nor_later_chunk() -> None:
    row = make_row(24, 5)
    _, policy = roll([row])
    chunks = chunk_messages(split_prompt(row["prompt"], 5)[0], COUNTER, chunk_tokens=CHUNK)
    assert len(chunks) > 2
    for place, (texts, chunk) in enumerate(zip(policy.asked, chunks, strict=False)):
        assert render_chunk(chunk) in texts[0]
        assert QUESTION not in texts[0] and "Ghent" not in texts[0]
        assert not any(message.text in texts[0] for later in chunks[place + 1 :] for message in later.messages)
    assert policy.asked[-1][0].endswith(QUESTION)


def test_paper_mode_cuts_raw_slices_and_keeps_the_text_as_it_comes() -> None:
    row = make_row(9)
    made, policy = roll([row], memory_mode="paper", words=PAPER_CAP)
    slices = raw_slices(split_prompt(row["prompt"])[0], COUNTER, chunk_tokens=CHUNK)
    memory = ""
    for texts, chunk in zip(policy.asked, slices, strict=False):
        assert render_chunk(chunk) in texts[0] and QUESTION not in texts[0]
        assert f"<memory>\n{memory or EMPTY_MEMORY}\n</memory>" in texts[0]
        memory = " ".join(reply_to(texts[0]).split(" ")[:PAPER_CAP]).strip()
    assert made["memory"] == [memory]
    assert set(policy.limits[: len(slices)]) == {CAP}, "the cap is where generation ends"
    assert policy.asked[-1][0].startswith(read_notes(memory).messages[0].text)


def test_rollouts_of_unequal_length_go_in_step_and_unused_turns_carry_no_loss() -> None:
    made, policy = roll([make_row(24), make_row(2), make_row(9)])
    turns = made["turns"]
    assert turns[0] > turns[2] > turns[1] == 1
    assert [len(texts) for texts in policy.asked] == [*(sum(t > i for t in turns) for i in range(6)), 3]
    for place, num_turns in enumerate(turns):
        masks = made["env_mask"][place * 7 : (place + 1) * 7]
        assert [sum(mask) for mask in masks] == [1] * num_turns + [0] * (6 - num_turns) + [1]
        assert len(made["prompt_ids"]) == len(made["completion_ids"]) == 21


def test_the_control_leaves_only_the_answer_a_loss() -> None:
    made, _ = roll([make_row(9)], mask_updates=True)
    assert [sum(mask) for mask in made["env_mask"]] == [0] * 6 + [1]


def test_a_limit_of_ones_own_stands_above_what_inference_allows() -> None:
    _, policy = roll([make_row(9)], max_update_length=5, max_completion_length=3)
    assert set(policy.limits[:-1]) <= {5, 1} and policy.limits[-1] == 3


def test_a_history_without_a_chunk_has_an_empty_memory() -> None:
    made, policy = roll([{"prompt": [{"role": "user", "content": QUESTION}]}])
    assert made["turns"] == [0] and made["memory"] == [""] and made["memory_tokens"] == [0]
    assert policy.asked[-1] == [f"{read_memory(MemoryDocument()).messages[0].text}\n{QUESTION}"]
    assert [sum(mask) for mask in made["env_mask"]] == [0] * 6 + [1]


def test_a_reply_without_a_token_is_no_row_to_learn_from() -> None:
    class Mute(Policy):
        def generate_turns(self, prompts: Sequence[Sequence[Message]], *, max_tokens: int) -> list[Turn]:
            return [Turn(turn.prompt_ids, []) for turn in super().generate_turns(prompts, max_tokens=max_tokens)]

        def decode_turn(self, _: Turn) -> str:
            return ""

    row = make_row(2)
    args = toy_args("unused", max_turns=1)
    made = MemoryRollout(args, chunk_tokens=CHUNK, cap_tokens=CAP)([row["prompt"]], Mute([row]))
    assert made["completion_ids"] == [[1], [1]] and made["env_mask"] == [[0], [0]]
    assert made["num_faults"] == [1], "an empty reply cannot be read"


def test_a_history_that_needs_more_turns_is_refused_by_its_row() -> None:
    with pytest.raises(DataFormatError, match=r"max_turns=1 .*raise max_turns") as caught:
        roll([make_row(2), make_row(24)], max_turns=1)
    assert "2" in str(caught.value)


def test_turns_are_counted_as_they_will_be_cut() -> None:
    rollout = MemoryRollout(toy_args("unused"), chunk_tokens=CHUNK, cap_tokens=CAP)
    prompt = make_row(24)["prompt"]
    assert rollout.count_turns(prompt) == len(chunk_messages(split_prompt(prompt)[0], COUNTER, chunk_tokens=CHUNK))
    assert MemoryRollout(toy_args("unused")).chunk_tokens == CHUNK_TOKENS
