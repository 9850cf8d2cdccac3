"""The local model: what is said when it is not there, and the real one where it is."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from hub_toolkit.errors import ProviderError
from hub_toolkit.models.base import ChatModel, GenerateConfig
from hub_toolkit.models.fetch import SMOLLM2, cached_gguf
from hub_toolkit.models.local import LocalModel
from hub_toolkit.models.registry import load_model
from hub_toolkit.settings import Settings, load_settings
from hub_toolkit.types import Message
from tests.conftest import require_extra

T = TypeVar("T")
SPEC = "local/SmolLM2-135M-Instruct"
HELLO = [Message("system", "You answer in one short sentence."), Message("user", "What is the capital of France?")]
SHORT = GenerateConfig(max_tokens=24)


def hide_package(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    find_spec: Callable[..., Any] = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda asked, *rest: None if asked == name else find_spec(asked, *rest)
    )


def test_missing_package(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    hide_package(monkeypatch, "xllamacpp")
    with pytest.raises(ProviderError, match=r"pip install 'personamem-hub-toolkit\[local\]'") as caught:
        load_model(SPEC, settings=settings)
    assert caught.value.kind == "missing"


def test_missing_weights(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    find_spec: Callable[..., Any] = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda asked, *rest: asked == "xllamacpp" or find_spec(asked, *rest)
    )
    with pytest.raises(ProviderError, match="run `personamem models fetch`") as caught:
        load_model(SPEC, settings=settings)
    assert caught.value.kind == "missing"


@pytest.mark.parametrize("context_tokens", [0, 8193])
def test_context_is_the_models_own_at_most(context_tokens: int) -> None:
    with pytest.raises(ProviderError, match="1 to 8192 tokens"):
        LocalModel(Path("x.gguf"), context_tokens=context_tokens)


@pytest.fixture(scope="module")
def weights() -> Path:
    is_installed = importlib.util.find_spec("xllamacpp") is not None
    require_extra("local", is_installed, "xllamacpp is not installed: pip install 'personamem-hub-toolkit[local]'")
    path = cached_gguf(load_settings().cache_dir)
    require_extra("local", path is not None, f"{SMOLLM2.gguf_name} is not in the cache: personamem models fetch")
    assert path is not None
    return path


@pytest.fixture(scope="module")
def model(weights: Path) -> Iterator[LocalModel]:
    # A small context loads faster, and its overflow is quick to reach.
    model = LocalModel(weights, context_tokens=512)
    yield model
    asyncio.run(model.close())


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


async def collect(pieces: AsyncIterator[str]) -> list[str]:
    return [piece async for piece in pieces]


def test_a_reply_depends_on_the_messages_alone(model: LocalModel) -> None:
    assert isinstance(model, ChatModel)
    first = run(model.generate(HELLO, SHORT))
    run(model.generate([Message("user", "Something else")], SHORT))
    assert run(model.generate(HELLO, SHORT)) == first
    assert "Paris" in first.text
    assert not first.usage.is_estimated
    assert first.usage.input_tokens > 10
    assert 0 < first.usage.output_tokens <= 24


def test_stream_is_the_same_reply_in_pieces(model: LocalModel) -> None:
    pieces = run(collect(model.stream(HELLO, SHORT)))
    assert len(pieces) > 3
    assert "".join(pieces) == run(model.generate(HELLO, SHORT)).text


def test_calls_at_once_wait_for_each_other(model: LocalModel) -> None:
    async def ask_three() -> list[str]:
        return [c.text for c in await asyncio.gather(*(model.generate(HELLO, SHORT) for _ in range(3)))]

    assert len(set(run(ask_three()))) == 1


def test_length_stop_and_limit(model: LocalModel) -> None:
    completion = run(model.generate(HELLO, GenerateConfig(max_tokens=2)))
    assert (completion.finish_reason, completion.usage.output_tokens) == ("length", 2)
    assert "Paris" not in run(model.generate(HELLO, GenerateConfig(max_tokens=24, stop=("Paris",)))).text


def test_a_stream_that_is_left_stops_the_generation(model: LocalModel) -> None:
    async def leave() -> str:
        pieces = model.stream([Message("user", "Tell a long story.")], GenerateConfig(max_tokens=400))
        first = await anext(pieces)
        await pieces.aclose()  # type: ignore[attr-defined]
        await asyncio.wait_for(model.generate(HELLO, SHORT), 60)
        return first

    assert run(leave())


@pytest.mark.parametrize("is_streamed", [False, True])
def test_overflow_is_an_error(is_streamed: bool, model: LocalModel) -> None:
    long = [Message("user", "word " * 600)]
    with pytest.raises(ProviderError, match=r"the prompt has 6\d\d tokens and the context holds 512") as caught:
        run(collect(model.stream(long))) if is_streamed else run(model.generate(long))
    assert caught.value.kind == "bad_request"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([{"type": "image_url", "image_url": "data:image/png;base64,AA"}], "text only"),
        ("\ud83d", "refused the messages"),
    ],
)
def test_what_it_cannot_read(content: Any, message: str, model: LocalModel) -> None:
    with pytest.raises(ProviderError, match=message):
        run(model.generate([Message("user", content)]))


def test_counter_is_the_models_own_tokenizer(model: LocalModel) -> None:
    counter = model.counter
    assert counter.name == "smollm2"
    assert [counter.count(text) for text in ("", "hello world", "hello world" * 2)] == [0, 2, 4]
    assert counter.count("<|im_start|>") > 1
    assert counter.count("\ud83d") > 0


def test_nothing_is_printed_and_close_can_be_followed_by_a_call(
    weights: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    model = LocalModel(weights, context_tokens=256)

    async def twice() -> list[str]:
        texts = []
        for _ in range(2):
            texts.append((await model.generate(HELLO, SHORT)).text)
            await model.close()
        return texts

    first, second = run(twice())
    assert first == second
    assert capfd.readouterr() == ("", "")


def test_weights_that_cannot_be_loaded(tmp_path: Path, weights: Path) -> None:
    broken = tmp_path / weights.name
    broken.write_bytes(b"GGUF" + bytes(1000))
    with pytest.raises(ProviderError, match="could not be loaded") as caught:
        run(LocalModel(broken).generate(HELLO))
    assert caught.value.kind == "missing"
