"""What a question shows: the bullets, two replies as text, the options and the gold when it is asked for."""

from __future__ import annotations

import asyncio

import pytest

from hub_toolkit.data.terms import content_stems
from hub_toolkit.data.tokens import EstimateCounter
from hub_toolkit.memory.builders.extractive import ExtractiveBuilder
from hub_toolkit.memory.document import Bullet, MemoryDocument
from hub_toolkit.settings import load_settings
from personamem_ui.building import run_build
from personamem_ui.personas import open_personas
from personamem_ui.render_answer import mark_words, render_asked
from personamem_ui.sessions import Answer, Session
from personamem_ui.uploads import chat_of

from .conftest import ATTACK, with_versions
from .test_render import assert_safe

PEOPLE = open_personas(load_settings())


@pytest.fixture
def marek() -> Session:
    """A visitor who has built the first persona's memory."""
    session, choice, counter = Session(), PEOPLE.find("1-32k"), EstimateCounter()
    assert choice is not None
    session.read((chat_of(choice.load()),), choice.label, choice.samples)

    async def go() -> None:
        run = session.start_run()
        async for _ in run_build(session, run, ExtractiveBuilder(counter), counter, chunk_tokens=5_000):
            pass

    asyncio.run(go())
    return session


def test_free_question_shows_bullets_and_both_replies(session: Session) -> None:
    with_versions(session, MemoryDocument(bullets=(Bullet("m1", f"bakes bread {ATTACK}"),)))
    asked = session.ask(f"Which bread? {ATTACK}")
    assert asked is not None
    asked.answers = {"memory": Answer(ATTACK, is_done=True), "none": Answer(error=ATTACK, is_done=True)}
    page = assert_safe(render_asked(session))
    assert page.text.count("onerror=alert(1)") == 4
    assert "With memory" in page.text and "Without memory" in page.text
    assert "<mark>bread</mark>" in render_asked(session)
    assert "Which option" not in page.text


def test_reply_under_way_and_an_empty_one(session: Session) -> None:
    with_versions(session, MemoryDocument())
    asked = session.ask("Which bread?")
    assert asked is not None
    asked.answers = {"memory": Answer("So"), "none": Answer(is_done=True)}
    text = assert_safe(render_asked(session)).text
    assert "writing…" in text and "(an empty reply)" in text and "no bullet shares a word" in text


def test_question_without_memory_or_words_says_so(session: Session) -> None:
    assert session.ask("anything") is None
    assert "no memory to ask" in render_asked(session)
    with_versions(session, MemoryDocument())
    assert session.ask("  \n") is None
    assert "no question" in render_asked(session)


def test_benchmark_question_shows_four_options_with_bars(marek: Session) -> None:
    sample = next(s for s in marek.samples if s.topic_query == "dinner")
    asked = marek.ask(f" {sample.user_query.text} ")
    assert asked is not None and asked.question is not None and asked.support is not None
    assert sum(asked.support.with_memory) == pytest.approx(1)
    assert asked.support.without_memory == (0.25,) * 4
    assert asked.question.options[asked.support.pick or 0] == sample.correct_answer
    assert asked.used
    hidden = render_asked(marek)
    assert all(option in assert_safe(hidden).text for option in asked.question.options)
    assert hidden.count('data-act="guess"') == 4
    assert all(told not in hidden for told in ("pm-bar", "memory points", "right answer", sample.preference, "pm-used"))
    asked.is_gold_shown, asked.guess = True, 0
    shown = assert_safe(render_asked(marek)).text
    assert shown.count("25\xa0%") == 4 and "your guess" in shown
    assert "✓ right answer" in shown and sample.preference in shown and "The memory points to it" in shown


def test_memory_that_says_nothing_points_nowhere(marek: Session) -> None:
    marek.clear_memory()
    with_versions(marek, MemoryDocument(bullets=(Bullet("m1", "xylophone"),)))
    asked = marek.ask(marek.samples[0].user_query.text)
    assert asked is not None and asked.support is not None
    assert (asked.support.pick, asked.support.with_memory) == (None, (0.25,) * 4)
    asked.is_gold_shown = True
    assert "it fits no option" in render_asked(marek)


def test_words_are_marked_by_their_stem() -> None:
    stems = frozenset(content_stems("loaves baking"))
    assert mark_words("She bakes <b>bread</b>", stems) == "She <mark>bakes</mark> &lt;b&gt;bread&lt;/b&gt;"
