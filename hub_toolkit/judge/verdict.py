"""One judge's verdict on one answer: strict JSON, one attempt to repair it, and never a guess."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from hub_toolkit.errors import JudgeError
from hub_toolkit.judge.rubric import mark_off
from hub_toolkit.models.base import ChatModel, GenerateConfig
from hub_toolkit.models.thoughts import leave_out_thoughts
from hub_toolkit.prompts.render import load_prompt
from hub_toolkit.types import Message, Usage

MARKS = {"correct": True, "incorrect": False}
_KEYS = {"verdict", "reason"}
_FENCE = re.compile(r"```(?:json)?[ \t]*\r?\n(?P<body>.*)\n[ \t]*```", re.S)
_MAX_SHOWN_CHARS = 4_000
"""Of a faulty reply; its end is shown, where a verdict would stand."""


@dataclass(frozen=True)
class Mark:
    """What a readable reply says."""

    is_correct: bool
    reason: str


@dataclass(frozen=True)
class Draft:
    """A first reply that could not be read. It was paid for: who goes on after a kill does not ask for it again."""

    reply: str
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True)
class Verdict:
    """What one judge says. `is_correct` is None where there is no verdict to read.

    `fault`: what was wrong with the last reply. `error`: why the model gave none, as `kind: message`.
    """

    judge: str
    seed: int | None
    is_correct: bool | None
    reason: str | None = None
    fault: str | None = None
    error: str | None = None
    num_calls: int = 1
    usage: Usage = field(default_factory=Usage)


def parse_verdict(reply: str) -> Mark:
    """Read a reply: one JSON object and nothing else, alone or alone in one Markdown fence.

    It has the keys `verdict` ("correct" or "incorrect", in this spelling) and `reason` (a text), each once, and no
    others. Everything else is a fault: other text around it, booleans, NaN, a second object.
    Raises: JudgeError: names the fault without quoting the reply.
    """
    value = read_object(reply)
    if value.keys() != _KEYS:
        raise JudgeError('its keys are not "verdict" and "reason"')
    verdict, reason = value["verdict"], value["reason"]
    if not isinstance(verdict, str) or verdict not in MARKS:
        raise JudgeError('its "verdict" is neither "correct" nor "incorrect"')
    if not isinstance(reason, str):
        raise JudgeError('its "reason" is not a text')
    return Mark(MARKS[verdict], reason)


def read_object(reply: str) -> dict[str, Any]:
    """Read one JSON object and nothing else, alone or alone in one Markdown fence; thoughts before it are left out.

    Raises: JudgeError: names the fault without quoting the reply.
    """
    text = leave_out_thoughts(reply).strip()
    fenced = _FENCE.fullmatch(text)
    body = (fenced["body"] if fenced else text).strip()
    try:
        value = json.loads(body, object_pairs_hook=_unique_keys, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise JudgeError(_describe_break(body, error)) from None
    except (ValueError, RecursionError):
        raise JudgeError("it holds a number or a nesting beyond all measure") from None
    if not isinstance(value, dict):
        raise JudgeError("it is JSON, but no object")
    return value


def repair_prompt(prompt: str, reply: str, fault: str) -> str:
    """Return the second and last question: the first one, the reply that could not be read, and what was wrong."""
    shown = reply if len(reply) <= _MAX_SHOWN_CHARS else "…" + reply[-_MAX_SHOWN_CHARS:]
    return load_prompt("judge_repair").render(prompt=prompt, reply=mark_off(shown), fault=fault)


async def ask_verdict(
    model: ChatModel,
    prompt: str,
    config: GenerateConfig,
    *,
    draft: Draft | None = None,
    on_draft: Callable[[Draft], Awaitable[None]] | None = None,
) -> Verdict:
    """Ask a judge, and once more where its reply cannot be read; `draft` is such a reply from before.

    `on_draft` gets an unreadable first reply before the second question is put.
    Raises: ProviderError: the model failed.
    """
    if draft is None:
        completion = await model.generate([Message("user", prompt)], config)
        try:
            mark = parse_verdict(completion.text)
            return Verdict(model.name, config.seed, mark.is_correct, mark.reason, usage=completion.usage)
        except JudgeError:
            draft = Draft(completion.text, completion.usage)
            if on_draft is not None:
                await on_draft(draft)
    second = repair_prompt(prompt, draft.reply, _fault_of(draft.reply))
    completion = await model.generate([Message("user", second)], config)
    usage = draft.usage + completion.usage
    try:
        mark = parse_verdict(completion.text)
    except JudgeError as error:
        return Verdict(model.name, config.seed, None, fault=str(error), num_calls=2, usage=usage)
    return Verdict(model.name, config.seed, mark.is_correct, mark.reason, num_calls=2, usage=usage)


def _fault_of(reply: str) -> str:
    try:
        parse_verdict(reply)
    except JudgeError as error:
        return str(error)
    return "it was not accepted"


def _unique_keys(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise JudgeError("a key stands in it twice")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise JudgeError(f"{name} is no JSON")


def _describe_break(text: str, error: json.JSONDecodeError) -> str:
    if not text:
        return "it is empty"
    if error.msg == "Extra data" or not text.startswith(("{", "[")):
        return "there is text beside the JSON object"
    return "it is not valid JSON"
