"""mem0 behind the adapter: the real package where it is installed, with a scripted model and no network."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeVar

import pytest

from hub_toolkit.data.schema import History
from hub_toolkit.data.tokens import EstimateCounter
from hub_toolkit.errors import ProviderError
from hub_toolkit.memory.builders.external import ExternalMemory, fill_memory, load_progress, open_memory
from hub_toolkit.models.base import Completion, GenerateConfig
from hub_toolkit.models.fake import FakeModel, Script
from hub_toolkit.types import Message
from tests.conftest import require_extra

require_extra("mem0", importlib.util.find_spec("mem0") is not None, "pip install -e '.[mem0]'")

Result = TypeVar("Result")
CHAT = (
    Message("user", "I row on the lake at dawn."),
    Message("assistant", "Lovely."),
    Message("user", "And I bake rye bread."),
)


def extract(*texts: str) -> str:
    return json.dumps({"memory": [{"id": str(i), "text": text} for i, text in enumerate(texts)]})


def use(
    folder: Path, work: Callable[[ExternalMemory], Awaitable[Result]], *, spec: str = "mem0,embed=hash",
    replies: Script | None = None,
) -> tuple[Result, ExternalMemory, FakeModel]:  # fmt: skip
    model = FakeModel(replies)

    async def run() -> tuple[Result, ExternalMemory]:
        memory = open_memory(spec, folder, model)
        try:
            return await work(memory), memory
        finally:
            await memory.close()

    result, memory = asyncio.run(run())
    return result, memory, model


def test_what_the_model_extracts_is_found_and_stays(tmp_path: Path) -> None:
    async def add_and_search(memory: ExternalMemory) -> str:
        await memory.add(CHAT)
        return await memory.search("Where could I row?")

    replies = [extract("The user rows on the lake at dawn", "The user bakes rye bread")]
    found, memory, model = use(tmp_path, add_and_search, replies=replies)
    assert found == "- The user rows on the lake at dawn"
    assert model.num_calls == 1
    assert "I bake rye bread" in model.requests[0][-1].text
    assert memory.usage.input_tokens > 1000 and memory.faults == ()
    assert "hash-1024" in memory.name and "fake/scripted" in memory.name

    again, _, model = use(tmp_path, lambda m: m.search("rye"), replies=[])
    assert again == "- The user bakes rye bread"
    assert model.num_calls == 0


def test_without_inference_messages_are_kept_as_they_are(tmp_path: Path) -> None:
    async def add_and_search(memory: ExternalMemory) -> str:
        await memory.add([*CHAT, Message("user", "  ")])
        return await memory.search("rye bread")

    found, memory, model = use(tmp_path, add_and_search, spec="mem0,infer=false,embed=hash")
    assert found == "- And I bake rye bread."
    assert (model.num_calls, memory.usage.input_tokens) == (0, 0)


def test_two_histories_know_nothing_of_each_other(tmp_path: Path) -> None:
    spec = "mem0,infer=false,embed=hash"
    use(tmp_path / "a", lambda m: m.add(CHAT), spec=spec)
    found, _, _ = use(tmp_path / "b", lambda m: m.search("rye"), spec=spec)
    assert found == ""


def test_reset_forgets_everything(tmp_path: Path) -> None:
    async def add_and_reset(memory: ExternalMemory) -> str:
        await memory.add(CHAT)
        await memory.reset()
        return await memory.search("rye")

    found, _, _ = use(tmp_path, add_and_reset, spec="mem0,infer=false,embed=hash")
    assert found == ""


@pytest.mark.parametrize(
    "reply", ["I cannot do that.", '{"facts": []}', '{"memory": "none"}', '{"memory": ["Rows"]}', "[]", "7", ""]
)
def test_a_reply_that_mem0_cannot_read_is_a_fault(reply: str, tmp_path: Path) -> None:
    _, memory, _ = use(tmp_path, lambda m: m.add(CHAT), replies=[reply])
    assert len(memory.faults) == 1


@pytest.mark.parametrize(
    "reply", ['{"memory": []}', "```json\n" + extract("Rows") + "\n```", "Here: " + extract("Rows")]
)
def test_a_reply_that_mem0_can_read_is_none(reply: str, tmp_path: Path) -> None:
    _, memory, _ = use(tmp_path, lambda m: m.add(CHAT), replies=[reply])
    assert memory.faults == ()


def test_the_models_error_is_the_error(tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match="no key") as caught:
        use(tmp_path, lambda m: m.add(CHAT), replies=[ProviderError("no key", kind="auth")])
    assert caught.value.kind == "auth"


def test_a_cancelled_addition_leaves_no_thread_waiting(tmp_path: Path) -> None:
    class StuckModel(FakeModel):
        async def generate(self, messages: Sequence[Message], config: GenerateConfig | None = None) -> Completion:  # noqa: ARG002
            await asyncio.sleep(3600)
            raise AssertionError

    async def run() -> None:
        memory = open_memory("mem0,embed=hash", tmp_path, StuckModel())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(memory.add(CHAT), timeout=0.5)
        await memory.close()

    asyncio.run(asyncio.wait_for(run(), timeout=30))


def test_a_history_is_filled_once(tmp_path: Path) -> None:
    history = History(CHAT * 3, tuple(range(9)), {}, "h.json")
    counter = EstimateCounter()

    def fill(memory: ExternalMemory) -> Awaitable[object]:
        return fill_memory(memory, history, tmp_path, counter, chunk_tokens=30)

    _, _, model = use(tmp_path, fill, replies=lambda _: "I cannot do that.")
    assert model.num_calls > 2
    assert load_progress(tmp_path).num_faults == model.num_calls
    _, _, again = use(tmp_path, fill, replies=[])
    assert again.num_calls == 0


@pytest.mark.parametrize("spec", ["mem0,infer=maybe", "mem0,speed=high", "mem0,embed=openai"])
def test_an_unknown_argument_is_named(spec: str, tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match="it knows infer"):
        open_memory(spec, tmp_path, FakeModel())


def test_inference_needs_a_model(tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match="infer=false"):
        open_memory("mem0", tmp_path)


def test_nothing_is_reported_or_written_to_the_home_folder(tmp_path: Path) -> None:
    use(tmp_path, lambda m: m.add(CHAT), spec="mem0,infer=false,embed=hash")
    from mem0.memory import telemetry

    assert telemetry.MEM0_TELEMETRY is False
    assert telemetry.client_telemetry.posthog is None
    assert not (Path.home() / ".mem0").exists()


def test_of_a_reply_in_part_unusable_the_rest_is_kept(tmp_path: Path) -> None:
    async def add_and_search(memory: ExternalMemory) -> str:
        await memory.add(CHAT)
        return await memory.search("rows rye")

    reply = json.dumps({"memory": [{"text": "The user rows"}, "bakes rye", {"text": 7}]})
    found, memory, _ = use(tmp_path, add_and_search, replies=[reply])
    assert found == "- The user rows"
    assert len(memory.faults) == 1
    assert "rye" not in memory.faults[0]
