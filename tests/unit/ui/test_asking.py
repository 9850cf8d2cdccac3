"""Answers side by side, what they take, and the game: who is right, the visitor or the memory."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from hub_toolkit.data.tokens import EstimateCounter, count_messages
from hub_toolkit.evaluate.budget import Price
from hub_toolkit.memory.document import Bullet, MemoryDocument, Source
from hub_toolkit.models.fake import FakeModel
from hub_toolkit.settings import load_settings
from hub_toolkit.types import Usage
from personamem_ui.answering import WITH_FULL, WITH_MEMORY, WITHOUT, ModelChoice, PageModel, contexts_for
from personamem_ui.ask_tab import answer_asked, count_asked, settle_guess
from personamem_ui.costs import weigh
from personamem_ui.owner_acts import perform
from personamem_ui.personas import open_personas
from personamem_ui.render_answer import render_asked, render_costs, render_score
from personamem_ui.sessions import Asked, Session
from personamem_ui.uploads import chat_of

from .conftest import with_versions
from .test_render import assert_safe

PEOPLE = open_personas(load_settings())
BREAD = MemoryDocument(bullets=(Bullet("m1", "bakes bread on Fridays", (Source(0, "bread"),)),))


class Endpoint(PageModel):
    """A page's endpoint that answers with a fake model."""

    def __init__(self, model: FakeModel) -> None:
        super().__init__(ModelChoice("endpoint", "openai/bread"), load_settings())
        self._model = model


@pytest.fixture
def asked(session: Session) -> Asked:
    with_versions(session, BREAD)
    made = session.ask("Which bread?")
    assert made is not None
    asyncio.run(count_asked(session, made))
    return made


def answer(session: Session, asked: Asked, model: FakeModel, *, with_full: bool) -> None:
    async def go() -> None:
        async for _ in answer_asked(session, asked, Endpoint(model), with_full=with_full):
            pass

    asyncio.run(go())


def test_three_replies_read_memory_nothing_and_all(session: Session, asked: Asked) -> None:
    answer(session, asked, FakeModel(), with_full=True)
    assert list(asked.answers) == [WITH_MEMORY, WITHOUT, WITH_FULL]
    assert all(a.is_done and a.error is None and a.text for a in asked.answers.values())
    memory, nothing, full = (asked.answers[name].usage.input_tokens for name in asked.answers)
    assert nothing < memory and nothing < full
    text = assert_safe(render_asked(session)).text
    assert all(name in text for name in ("With memory", "Without memory", "Full history", "What it takes"))
    answer(session, asked, FakeModel(), with_full=False)
    assert list(asked.answers) == [WITH_MEMORY, WITHOUT]


def test_window_that_is_too_small_is_said_in_its_column(session: Session, asked: Asked) -> None:
    class Small(FakeModel):
        @property
        def context_tokens(self) -> int | None:
            return 1_000

    session.chats = tuple(replace(chat, messages=chat.messages * 200) for chat in session.chats)
    answer(session, asked, Small(), with_full=True)
    assert asked.answers[WITH_MEMORY].error is None
    assert "the model reads 1,000" in (asked.answers[WITH_FULL].error or "")


def test_what_is_counted_is_what_would_be_read(session: Session, asked: Asked) -> None:
    counter = EstimateCounter()
    contexts = contexts_for(session, with_full=True)
    question = asked.read_tokens[WITHOUT]
    assert asked.read_tokens[WITH_FULL] == question + count_messages(counter, session.history.messages)
    assert asked.read_tokens[WITH_MEMORY] == question + contexts[WITH_MEMORY].tokens(counter)
    assert session.num_asked == 1


def test_ratio_with_and_without_the_build() -> None:
    asked = Asked("q", 1, (), read_tokens={WITH_MEMORY: 1_000, WITHOUT: 100, WITH_FULL: 16_000})
    free = weigh(asked, Usage(), 1, None)
    assert (free.ratio, free.ratio_with_build, free.break_even) == (16, 16, 0)
    built = weigh(asked, Usage(30_000, 1_000), 4, Price(1.0, 2.0, 0.5))
    assert built.ratio == 16
    assert built.ratio_with_build == pytest.approx(64_000 / (4_000 + 31_000))
    assert built.break_even == 3
    assert [line.usd for line in built.lines] == pytest.approx([0.001, 0.0001, 0.016])
    text = assert_safe(render_costs(built)).text
    assert "16.0 times" in text and "1.8 times" in text and "31,000 model tokens" in text and "question 3 on" in text
    assert "0.01600 USD" in text
    assert weigh(Asked("q", 1, (), read_tokens={WITH_MEMORY: 9}), Usage(), 1, None).ratio is None


def test_price_comes_from_the_settings_file(tmp_path: Path) -> None:
    path = tmp_path / "prices.toml"
    path.write_text('["openai/bread"]\ninput_usd = 2.0\noutput_usd = 8.0\n')
    model = PageModel(ModelChoice("endpoint", "openai/bread"), replace(load_settings(), prices_file=path))
    assert model.price is not None and model.price.output_usd == 8
    assert PageModel(ModelChoice("endpoint", "openai/other"), model.settings).price is None


def test_game_counts_each_question_once() -> None:
    choice = PEOPLE.choices[0]
    session = Session()
    session.read((chat_of(choice.load()),), choice.label, choice.samples)
    with_versions(session, BREAD)
    sample = choice.samples[0]
    asked = session.ask(sample.user_query.text)
    assert asked is not None and asked.question is not None
    gold = asked.question.gold_index
    for guess in (gold, (gold + 1) % 4):
        again = session.ask(sample.user_query.text)
        assert again is not None
        again.guess, again.is_gold_shown = guess, True
        answer(session, again, FakeModel(), with_full=False)
        settle_guess(session, again)
    assert session.score.guessed == {sample.sample_id: True}
    assert "You 1" in render_score(session.score) and "after 1 question," in render_score(session.score)
    assert assert_safe(render_asked(session)).text.count("Picks") + render_asked(session).count("no option") >= 2


def test_rules_and_forgetting_hold_for_answers(session: Session) -> None:
    perform(session, "add", text="I play the oboe in an orchestra")
    perform(session, "add", text="I have diabetes")
    for plan, text, act in (("plan_forget", "oboe", "forget"), ("plan_rule", "never remember my health", "set_rule")):
        perform(session, plan, text=text)
        perform(session, act)
    read = json.dumps([m.as_dict() for m in contexts_for(session, with_full=False)[WITH_MEMORY].messages])
    assert "oboe" not in read and "diabetes" not in read
