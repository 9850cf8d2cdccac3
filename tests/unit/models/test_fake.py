"""The scripted model."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Sequence

import pytest

from hub_toolkit.errors import ProviderError
from hub_toolkit.models.base import ChatModel
from hub_toolkit.models.fake import SCRIPTS, FakeModel
from hub_toolkit.types import Message

MCQ = [Message("user", "What shall I cook?\n\nA. Fish\n\nB. Lentils\n\nC. Rice\n\nD. Soup\n\nOne letter, please.")]
PLAIN = [Message("user", "Please write me a note about A. and B.")]


def ask(model: ChatModel, messages: Sequence[Message]) -> str:
    return asyncio.run(model.generate(messages)).text


def test_replies_come_in_order_and_are_counted() -> None:
    model = FakeModel(["one", "two"])
    assert isinstance(model, ChatModel)
    assert [ask(model, PLAIN), ask(model, MCQ)] == ["one", "two"]
    assert model.num_calls == 2
    assert model.requests == [tuple(PLAIN), tuple(MCQ)]


def test_exhausted_script_and_scripted_error() -> None:
    model = FakeModel([ProviderError("busy", kind="rate_limit")])
    with pytest.raises(ProviderError, match="busy"):
        ask(model, PLAIN)
    with pytest.raises(ProviderError, match="call 2, but the script has 1"):
        ask(model, PLAIN)


def test_callable_sees_the_messages() -> None:
    assert ask(FakeModel(lambda messages: messages[-1].text.upper()), [Message("user", "tea")]) == "TEA"


def test_hash_is_the_same_in_another_process() -> None:
    script = (
        "import asyncio; from hub_toolkit.models.fake import FakeModel; from hub_toolkit.types import Message;"
        f"print(asyncio.run(FakeModel().generate([Message('user', {MCQ[0].text!r})])).text)"
    )
    other = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == ask(FakeModel(), MCQ)


def test_hash_chooses_every_letter() -> None:
    model = FakeModel()
    answers = {ask(model, [Message("user", f"{MCQ[0].text} {n}")]) for n in range(40)}
    assert answers == {f"Final Answer: {letter}" for letter in "ABCD"}


@pytest.mark.parametrize(("script", "start"), [("first", "Final Answer: A"), ("echo", "Reply ")])
def test_built_in_scripts(script: str, start: str) -> None:
    assert ask(FakeModel(SCRIPTS[script]), MCQ).startswith(start)
    assert ask(FakeModel(SCRIPTS[script]), PLAIN).startswith("Reply ")
    assert ask(FakeModel(SCRIPTS[script]), [])


def test_stream_is_the_reply_in_pieces() -> None:
    async def collect() -> list[str]:
        return [piece async for piece in FakeModel(["  two words\nmore"]).stream(PLAIN)]

    pieces = asyncio.run(collect())
    assert len(pieces) > 2
    assert "".join(pieces) == "  two words\nmore"


def test_usage_is_marked_as_estimated() -> None:
    usage = asyncio.run(FakeModel(["one"]).generate(PLAIN)).usage
    assert usage.is_estimated
    assert usage.input_tokens > usage.output_tokens > 0
