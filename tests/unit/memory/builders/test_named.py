"""Builders by name: ours, and one's own from a module."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from hub_toolkit.data.history import load_history
from hub_toolkit.data.parse import resolve_dataset
from hub_toolkit.data.tokens import EstimateCounter
from hub_toolkit.errors import ProviderError
from hub_toolkit.memory.build import build_memory
from hub_toolkit.memory.builders.external import open_memory
from hub_toolkit.memory.builders.named import BuilderOptions, open_builder

COUNTER = EstimateCounter()

OWN = '''
from dataclasses import replace

from hub_toolkit.memory.document import Bullet, MemoryDocument
from hub_toolkit.types import Usage


class Hoarder:
    """Keeps every chunk's first message and heeds no cap."""

    name, usage = "hoarder", Usage()

    def __init__(self, options):
        self.cap_tokens = options.cap_tokens

    def empty(self):
        return MemoryDocument(cap_tokens=self.cap_tokens)

    async def update(self, document, chunk):
        new = [Bullet(f"m{i}", m.text[:300]) for i, m in zip(chunk.indices, chunk.messages) if m.role == "user"]
        return replace(document, bullets=(*document.bullets, *new), read_messages=chunk.indices[-1] + 1)


def make(options):
    return Hoarder(options)


def empty_handed(options):
    return None


text = "no function"


class Notes:
    name, usage, faults = "notes", Usage(), ()

    def __init__(self):
        self.lines = []

    async def add(self, messages):
        self.lines += [message.text for message in messages]

    async def search(self, query):
        return self.lines[0]

    async def reset(self):
        self.lines = []

    async def close(self):
        pass


def load(options):
    return Notes()
'''


@pytest.fixture
def own_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "my_own_memory.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))
    return "my_own_memory"


def test_a_builder_of_ones_own_reads_a_history_and_its_cap_holds(own_module: str) -> None:
    history = load_history(resolve_dataset("mini") / "data/chat_history_32k/chat_history_persona1.json")
    builder = open_builder(f"{own_module}:make", BuilderOptions(COUNTER, 300))
    memory = asyncio.run(build_memory(history, builder, COUNTER))
    assert memory.bullets
    assert memory.tokens(COUNTER) <= 300


def test_ours_go_by_name() -> None:
    assert open_builder("extractive", BuilderOptions(COUNTER, 512)).name == "extractive"
    with pytest.raises(ProviderError, match="needs a chat model"):
        open_builder("agentic", BuilderOptions(COUNTER, 512))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nosuch", "module:function"),
        ("no_such_module:make", "No module named"),
        ("my_own_memory:nothing", "no attribute 'nothing'"),
        ("my_own_memory:text", "no function"),
        ("my_own_memory:empty_handed", "lacks a part of MemoryBuilder"),
    ],
)
@pytest.mark.usefixtures("own_module")
def test_what_is_no_builder_is_told_so(name: str, said: str) -> None:
    with pytest.raises(ProviderError, match=said):
        open_builder(name, BuilderOptions(COUNTER, 512))


def test_another_system_is_a_module_with_load(own_module: str, tmp_path: Path) -> None:
    assert open_memory(own_module, tmp_path / "memory").name == "notes"
    (tmp_path / "bare_module.py").write_text("")
    with pytest.raises(ProviderError, match="no load"):
        open_memory("bare_module", tmp_path / "memory")
    with pytest.raises(ProviderError, match="bm25, mem0, or a module"):
        open_memory("no_such_module", tmp_path / "memory")
