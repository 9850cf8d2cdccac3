"""A visitor's session: building, stopping, going back; and that two visitors share nothing that changes."""

from __future__ import annotations

import asyncio
import copy
import threading
from dataclasses import replace

import pytest

from hub_toolkit.data.history import Chunk
from hub_toolkit.data.tokens import EstimateCounter
from hub_toolkit.memory.builders.agentic import AgenticBuilder
from hub_toolkit.memory.builders.extractive import ExtractiveBuilder
from hub_toolkit.memory.document import MemoryDocument
from hub_toolkit.models.fake import FakeModel
from hub_toolkit.settings import load_settings
from hub_toolkit.types import Message
from personamem_ui.building import BROKEN_OFF, remember_said, run_build, stop_build
from personamem_ui.personas import open_personas
from personamem_ui.render import render_status
from personamem_ui.sessions import Session
from personamem_ui.uploads import chat_of

from .conftest import with_versions

PEOPLE = open_personas(load_settings())


def session_of(key: str) -> Session:
    session, choice = Session(), PEOPLE.find(key)
    assert choice is not None
    session.read((chat_of(choice.load()),), choice.label, choice.samples)
    return session


async def build(session: Session, *, stop_after: int | None = None, chunk_tokens: int = 1_000) -> None:
    counter = EstimateCounter()
    run = session.start_run()
    async for number in run_build(session, run, ExtractiveBuilder(counter), counter, chunk_tokens=chunk_tokens):
        if number == stop_after:
            session.stop()


def test_build_adds_a_step_a_chunk() -> None:
    session = session_of("5-32k")
    asyncio.run(build(session))
    assert session.phase == "done"
    assert session.num_versions == session.num_chunks == session.num_chunks_read > 3
    assert session.step is not None and session.step.number == session.num_versions
    assert all(0 < tokens <= session.step.document.cap_tokens for tokens in session.sizes)
    cited = [source for bullet in session.step.document.bullets for source in bullet.sources]
    assert all(" ".join(s.span.split()) in " ".join(session.messages[s.index].text.split()) for s in cited)


def test_stop_keeps_what_was_read() -> None:
    session = session_of("5-32k")
    asyncio.run(build(session, stop_after=2))
    assert (session.phase, session.num_versions) == ("stopped", 2)


def test_stop_before_the_first_chunk_reads_nothing() -> None:
    session = session_of("5-32k")

    async def go() -> None:
        counter = EstimateCounter()
        run = session.start_run()
        session.stop()
        async for _ in run_build(session, run, ExtractiveBuilder(counter), counter, chunk_tokens=1_000):
            pytest.fail("a stopped build went on")

    asyncio.run(go())
    assert (session.phase, session.sizes) == ("stopped", [])


def test_stop_cancels_a_builder_that_waits() -> None:
    class Waiting(AgenticBuilder):
        was_cancelled = False

        async def update(self, document: MemoryDocument, chunk: Chunk) -> MemoryDocument:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.was_cancelled = True
                raise
            return replace(document, read_messages=chunk.indices[-1])

    session, builder = session_of("5-32k"), Waiting(FakeModel())

    async def go() -> None:
        run = session.start_run()
        asyncio.get_running_loop().call_later(0.05, session.stop)
        async for _ in run_build(session, run, builder, EstimateCounter(), chunk_tokens=1_000):
            pytest.fail("nothing was read")

    asyncio.run(go())
    assert builder.was_cancelled
    assert session.phase == "stopped"


def test_a_stop_within_a_chunk_says_the_same_afterwards() -> None:
    class Slow(ExtractiveBuilder):
        num_chunks = 0

        async def update(self, document: MemoryDocument, chunk: Chunk) -> MemoryDocument:
            self.num_chunks += 1
            if self.num_chunks == 3:
                begun.set()
                assert go_on.wait(60)
            return await super().update(document, chunk)

    begun, go_on = threading.Event(), threading.Event()
    session, counter = session_of("5-32k"), EstimateCounter()

    async def read() -> None:
        async for _ in run_build(session, session.start_run(), Slow(counter), counter, chunk_tokens=1_000):
            pass

    async def go() -> None:
        reading = asyncio.create_task(read())
        assert await asyncio.to_thread(begun.wait, 60)
        stopping = asyncio.create_task(stop_build(session))
        await asyncio.sleep(0)
        assert session.phase == "stopped" and not stopping.done()
        go_on.set()
        await stopping
        said = (session.num_chunks_read, session.num_versions, render_status(session))
        await reading
        assert (session.num_chunks_read, session.num_versions, render_status(session)) == said
        assert session.num_chunks_read == 3 < session.num_chunks

    asyncio.run(go())


def test_a_reading_that_breaks_off_says_so_and_goes_on() -> None:
    class Faulty(ExtractiveBuilder):
        num_chunks = 0

        async def update(self, document: MemoryDocument, chunk: Chunk) -> MemoryDocument:
            self.num_chunks += 1
            if self.num_chunks == 3:
                raise IndexError("a fault that nobody foresaw")
            return await super().update(document, chunk)

    session, counter = session_of("5-32k"), EstimateCounter()

    async def go() -> None:
        async for _ in run_build(session, session.start_run(), Faulty(counter), counter, chunk_tokens=1_000):
            pass

    with pytest.raises(IndexError):
        asyncio.run(go())
    assert (session.phase, session.error, session.num_versions) == ("failed", BROKEN_OFF, 2)
    assert session.can_edit and session.has_unread
    asyncio.run(build(session))
    assert session.phase == "done" and session.num_versions > 3


def test_another_history_ends_the_build_of_the_last() -> None:
    session, other = session_of("5-32k"), session_of("6-32k")

    async def go() -> None:
        counter = EstimateCounter()
        run = session.start_run()
        async for _ in run_build(session, run, ExtractiveBuilder(counter), counter, chunk_tokens=1_000):
            session.read(other.chats, "other")

    asyncio.run(go())
    assert (session.phase, session.sizes, session.label) == ("empty", [], "other")


def test_new_visitor_shares_nothing_that_changes() -> None:
    first = session_of("5-32k")
    asyncio.run(build(first))
    first.ask("bread")
    second = copy.deepcopy(first)
    assert (second.sizes, second.asked, second.run, second.phase) == ([], None, None, "empty")
    assert second.chats is first.chats and second.memory.store is not first.memory.store
    second.memory.add("only the second knows this")
    assert "only the second" not in first.memory.export()


def test_going_on_after_a_stop_reads_the_rest_once() -> None:
    session, whole = session_of("5-32k"), session_of("5-32k")
    asyncio.run(build(whole))
    asyncio.run(build(session, stop_after=2))
    asyncio.run(build(session))
    assert session.phase == "done" and session.num_versions == whole.num_versions
    assert session.memory.show().document.bullets == whole.memory.show().document.bullets
    assert len(session.messages) == session.num_messages


def test_model_of_a_build_is_let_go_with_it() -> None:
    session = session_of("5-32k")

    async def go() -> None:
        builder = AgenticBuilder(FakeModel(), cap_tokens=512)
        async for _ in run_build(session, session.start_run(), builder, EstimateCounter(), chunk_tokens=5_000):
            assert session.memory.builder is builder

    asyncio.run(go())
    assert session.phase == "done"
    assert isinstance(session.memory.builder, ExtractiveBuilder)
    assert session.memory.builder.empty().cap_tokens == 512


def test_going_back_shows_the_earlier_memory_and_drops_its_answer() -> None:
    session = with_versions(Session(), *[MemoryDocument(read_messages=n) for n in (1, 2, 3)])
    session.ask("bread")
    session.show_step(1)
    assert session.step is not None and session.step.document.read_messages == 1
    assert session.previous_document is None and session.asked is None
    session.show_step(99)
    assert session.step.document.read_messages == 3 and session.previous_document is not None
    assert session.previous_document.read_messages == 2
    session.show_step(-5)
    assert session.step.number == 1


def test_what_is_said_on_the_page_is_remembered_at_once() -> None:
    session = Session()
    said = "I moved to Leeds in May and started knitting mittens for my daughter."
    asyncio.run(remember_said(session, Message("user", said)))
    assert session.step is not None and "Leeds" in session.step.document.render()
    assert session.messages == {0: Message("user", said)}
    asyncio.run(remember_said(session, Message("assistant", "Merino is warm.")))
    assert list(session.messages) == [0, 1] and session.num_versions == 2


def test_unknown_bullet_opens_nothing() -> None:
    session = session_of("5-32k")
    asyncio.run(build(session))
    session.toggle_bullet("<b>")
    assert session.open_bullet is None


def test_personas_are_named_in_plain_words() -> None:
    labels = [choice.label for choice in PEOPLE.choices]
    assert len(labels) == len(set(labels)) >= 20
    assert sum("asked to forget" in label for label in labels) == 4
    assert sum("a friend's" in label for label in labels) == 4
    assert sum("changed a preference" in label for label in labels) == 4
    assert sum("long history" in label for label in labels) >= 2
    assert labels[0].startswith("Marek Zielinski, city bus driver")
    assert PEOPLE.find("../etc") is None
