"""Memories of other systems: the registry, filling once, going on after a kill, and the reference adapter."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from hub_toolkit.data.schema import History
from hub_toolkit.data.tokens import EstimateCounter
from hub_toolkit.errors import DataFormatError, ProviderError
from hub_toolkit.memory.builders import external
from hub_toolkit.memory.builders.external import (
    PROGRESS_FILE,
    Bm25Memory,
    ExternalMemory,
    ExternalSystem,
    Filled,
    fill_memory,
    load_progress,
    open_memory,
)
from hub_toolkit.types import Message, Usage

COUNTER = EstimateCounter()


class RecordingMemory:
    """Notes what it is given; fails at the addition that it is told to."""

    name = "recording"
    faults: tuple[str, ...] = ()

    def __init__(self, fail_at: int | None = None) -> None:
        self.added: list[tuple[Message, ...]] = []
        self.usage = Usage()
        self.fail_at = fail_at

    async def add(self, messages: Sequence[Message]) -> None:
        if len(self.added) == self.fail_at:
            raise ProviderError("the system is down", kind="server")
        self.added.append(tuple(messages))
        self.usage += Usage(10, 1)

    async def search(self, query: str) -> str:
        return query

    async def reset(self) -> None:
        self.added.clear()

    async def close(self) -> None:
        """Nothing is open."""


def make_history(num_messages: int = 40) -> History:
    messages = tuple(
        Message("user" if i % 2 == 0 else "assistant", f"message {i} " + "about the lake " * 20)
        for i in range(num_messages)
    )
    return History(messages, tuple(range(1, num_messages + 1)), {}, "h.json")


def fill(memory: ExternalMemory, folder: Path, history: History | None = None, *, chunk_tokens: int = 500) -> Filled:
    return asyncio.run(fill_memory(memory, history or make_history(), folder, COUNTER, chunk_tokens=chunk_tokens))


def test_the_adapters_are_what_the_runner_expects(tmp_path: Path) -> None:
    assert isinstance(Bm25Memory(tmp_path), ExternalMemory)
    assert isinstance(RecordingMemory(), ExternalMemory)


def test_a_history_is_added_whole_in_order_and_once(tmp_path: Path) -> None:
    memory = RecordingMemory()
    filled = fill(memory, tmp_path)
    assert tuple(message for chunk in memory.added for message in chunk) == make_history().messages
    assert len(memory.added) > 3
    assert filled == Filled(41, Usage(10 * len(memory.added), len(memory.added)))
    again = RecordingMemory()
    assert fill(again, tmp_path) == filled
    assert again.added == []


def test_after_a_failure_it_goes_on_with_what_is_missing(tmp_path: Path) -> None:
    broken = RecordingMemory(fail_at=2)
    with pytest.raises(ProviderError, match="down"):
        fill(broken, tmp_path)
    assert load_progress(tmp_path).usage == Usage(20, 2)
    rest = RecordingMemory()
    filled = fill(rest, tmp_path)
    assert tuple(m for chunk in (*broken.added, *rest.added) for m in chunk) == make_history().messages
    assert filled.usage == Usage(10 * (2 + len(rest.added)), 2 + len(rest.added))


def test_a_message_longer_than_a_chunk_is_never_noted_in_part(tmp_path: Path) -> None:
    long = Message("user", "a long tale of the lake " * 200)
    history = History((Message("user", "Hello."), long, Message("user", "Bye.")), (0, 1, 2), {}, "h.json")
    with pytest.raises(ProviderError):
        fill(RecordingMemory(fail_at=2), tmp_path, history, chunk_tokens=200)
    assert load_progress(tmp_path).read_messages == 1
    rest = RecordingMemory()
    fill(rest, tmp_path, history, chunk_tokens=200)
    assert "".join(m.text for chunk in rest.added for m in chunk) == long.text + "Bye."


def test_a_damaged_note_is_named(tmp_path: Path) -> None:
    (tmp_path / PROGRESS_FILE).write_text('{"read_messages": "many"', encoding="utf-8")
    with pytest.raises(DataFormatError, match=PROGRESS_FILE):
        load_progress(tmp_path)


def test_the_reference_adapter_finds_what_was_said_and_nothing_else(tmp_path: Path) -> None:
    async def use() -> tuple[str, str, str, str]:
        memory = open_memory("bm25", tmp_path)
        await memory.add([Message("user", "I row on the lake."), Message("assistant", "Nice.")])
        await memory.add([Message("user", "I bake rye bread.")])
        first = await memory.search("the lake?")
        await memory.close()
        reopened = open_memory("bm25", tmp_path)
        second, third = await reopened.search("rye"), await reopened.search("zebra")
        await reopened.reset()
        return first, second, third, await reopened.search("rye")

    first, second, third, fourth = asyncio.run(use())
    assert "I row on the lake." in first and "rye" not in first
    assert second == "[2]\nuser: I bake rye bread."
    assert (third, fourth) == ("", "")


@pytest.mark.parametrize("spec", ["", "mem1", "bm25,", "bm25,infer", "bm25,infer=", "bm25,k=3"])
def test_an_unknown_system_or_argument_is_named(spec: str, tmp_path: Path) -> None:
    with pytest.raises(ProviderError) as caught:
        open_memory(spec, tmp_path)
    assert caught.value.kind == "missing"


def test_a_missing_package_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system = ExternalSystem("hub_toolkit.memory.nowhere", "no_such_package", "pip install it")
    monkeypatch.setitem(external.EXTERNAL_SYSTEMS, "nowhere", system)
    with pytest.raises(ProviderError, match="pip install it"):
        open_memory("nowhere", tmp_path)


def test_asking_for_one_system_imports_no_other(tmp_path: Path) -> None:
    open_memory("bm25", tmp_path)
    assert "mem0" not in sys.modules or external.EXTERNAL_SYSTEMS["mem0"].is_installed
