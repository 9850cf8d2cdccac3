"""The Ask tab: a question answered with the memory, without it and with the whole history; and a game of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from hub_toolkit.answer.mcq import question_messages
from hub_toolkit.answer.open_ended import open_messages
from hub_toolkit.types import Message
from personamem_ui.answering import PageModel, contexts_for
from personamem_ui.costs import count_read
from personamem_ui.memory_layout import ACT_JS, HEAVY, NUM_HEAVY, Show
from personamem_ui.render_answer import memory_pick, render_asked, render_score
from personamem_ui.sessions import MAX_QUESTION_CHARACTERS, Asked, Session

QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
HEAVY_EVENT: dict[str, Any] = {"concurrency_id": HEAVY, "concurrency_limit": NUM_HEAVY}


@dataclass(frozen=True)
class AskTab:
    """The components whose events are wired below."""

    page_model: PageModel
    examples: gr.Dropdown
    question: gr.Textbox
    ask: gr.Button
    with_full: gr.Checkbox
    score: gr.HTML
    asked: gr.HTML
    reveal: gr.Button

    @property
    def outputs(self) -> list[Any]:
        """What `show` fills, in its order."""
        return [self.score, self.asked, self.reveal]

    def show(self, session: Session) -> list[Any]:
        """Return the state of the tab."""
        asked = session.asked
        can_reveal = asked is not None and asked.question is not None and not asked.is_gold_shown
        return [
            render_score(session.score),
            render_asked(session, self.page_model.price),
            gr.update(visible=can_reveal),
        ]


def example_choices(session: Session) -> list[tuple[str, str]]:
    """Return the benchmark's questions for the chosen persona."""
    return [(sample.user_query.text, sample.sample_id) for sample in session.samples]


def create_ask_tab(session: Session, page_model: PageModel) -> AskTab:
    """Lay out the tab."""
    gr.HTML("<h3>3 · Ask</h3>", apply_default_css=False)
    examples = gr.Dropdown(
        example_choices(session),
        value=None,
        label="Play: questions of the benchmark about this person",
        info="Four options each. You guess first, then you see what the memory says and what is right.",
        elem_id="pm-examples",
    )
    with gr.Row(equal_height=False, elem_classes="pm-ask"):
        question = gr.Textbox(
            label="Question",
            placeholder="Ask something to which the answer depends on who asks…",
            max_length=MAX_QUESTION_CHARACTERS,
            lines=2,
            max_lines=6,
            scale=5,
            elem_id="pm-question",
        )
        ask = gr.Button("Ask", variant="primary", scale=0, min_width=110, elem_id="pm-ask")
    with_full = gr.Checkbox(
        value=True,
        label="Also answer with the full history",
        info="The raw chats, as they were said: many more tokens, and rules do not bound them.",
        visible=page_model.choice.kind != "none",
        elem_id="pm-with-full",
    )
    score = gr.HTML(render_score(session.score), apply_default_css=False, elem_id="pm-score")
    asked = gr.HTML(render_asked(session), apply_default_css=False, elem_id="pm-asked", js_on_load=ACT_JS)
    reveal = gr.Button("Show the answer without guessing", visible=False, elem_id="pm-reveal")
    return AskTab(page_model, examples, question, ask, with_full, score, asked, reveal)


async def count_asked(session: Session, asked: Asked) -> None:
    """Note what each way of answering reads, whether or not a model is asked."""
    contexts = await asyncio.to_thread(contexts_for, session, with_full=True)
    posed = question_messages(asked.question) if asked.question else open_messages(Message("user", asked.text))
    asked.read_tokens = await asyncio.to_thread(count_read, contexts, posed, session.counter)
    session.num_asked += 1


async def answer_asked(
    session: Session, asked: Asked, page_model: PageModel, *, with_full: bool
) -> AsyncIterator[None]:
    """Let the model answer from each context, where there is a model; yields while the question stands."""
    if page_model.choice.kind == "none":
        return
    contexts = await asyncio.to_thread(contexts_for, session, with_full=with_full)
    async for _ in page_model.answer(asked, contexts):
        if session.asked is not asked:
            return
        yield


def settle_guess(session: Session, asked: Asked) -> None:
    """Count a guessed question for the visitor and for the memory."""
    if asked.guess is None or asked.question is None or asked.sample is None:
        return
    gold = asked.question.gold_index
    session.score.count(
        asked.sample.sample_id, is_guess_right=asked.guess == gold, is_memory_right=memory_pick(asked) == gold
    )


def wire_ask_tab(
    tab: AskTab, state: gr.State, page_model: PageModel, *, page_outputs: list[Any], show_page: Show
) -> None:
    """Connect the events. `show_page` returns what `page_outputs` show for a session."""

    async def on_example(sample_id: str | None, session: Session) -> Any:
        found = next((s for s in session.samples if s.sample_id == sample_id), None)
        return found.user_query.text if found else gr.skip()

    async def on_ask(text: str | None, session: Session) -> list[Any]:
        asked = session.ask(text or "")
        if asked is not None:
            await count_asked(session, asked)
        return [session, *show_page(session)]

    async def on_answer(session: Session, with_full: bool) -> AsyncIterator[list[Any]]:
        asked = session.asked
        yield [session, *tab.show(session)]  # a generator that yields nothing would empty its outputs
        if asked is None or asked.question is not None:  # the visitor guesses first
            return
        async for _ in answer_asked(session, asked, page_model, with_full=with_full):
            yield [session, *tab.show(session)]

    tab.examples.input(on_example, [tab.examples, state], [tab.question], **QUIET)
    asking = [tab.ask.click, tab.question.submit]
    taken = gr.on(asking, on_ask, [tab.question, state], [state, *page_outputs], **QUIET)
    taken.success(on_answer, [state, tab.with_full], [state, *tab.outputs], **HEAVY_EVENT, **QUIET)
    for event in _wire_guess(tab, state, page_model):
        event.then(lambda session: [session, *show_page(session)], [state], [state, *page_outputs], **QUIET)


def _wire_guess(tab: AskTab, state: gr.State, page_model: PageModel) -> list[Any]:
    """Connect the two ways to see what is right, and return their events."""

    async def on_guess(session: Session, with_full: bool, event: gr.EventData) -> AsyncIterator[list[Any]]:
        asked, place = session.asked, str(event._data.get("id"))
        if asked is None or asked.question is None or asked.is_gold_shown or place not in ("0", "1", "2", "3"):
            yield [session, *tab.show(session)]
            return
        asked.guess = int(place)
        async for shown in _reveal(session, asked, with_full=with_full):
            yield shown

    async def on_reveal(session: Session, with_full: bool) -> AsyncIterator[list[Any]]:
        yield [session, *tab.show(session)]
        if session.asked is not None and not session.asked.is_gold_shown:
            async for shown in _reveal(session, session.asked, with_full=with_full):
                yield shown

    async def _reveal(session: Session, asked: Asked, *, with_full: bool) -> AsyncIterator[list[Any]]:
        asked.is_gold_shown = True
        async for _ in answer_asked(session, asked, page_model, with_full=with_full):
            yield [session, *tab.show(session)]
        settle_guess(session, asked)
        yield [session, *tab.show(session)]

    inputs, own = [state, tab.with_full], [state, *tab.outputs]
    return [
        tab.asked.click(on_guess, inputs, own, **HEAVY_EVENT, **QUIET),
        tab.reveal.click(on_reveal, inputs, own, **HEAVY_EVENT, **QUIET),
    ]


def wire_examples(tab: AskTab, state: gr.State, chosen: list[Any]) -> None:
    """Offer other examples after the events that choose another history."""

    async def on_chosen(session: Session) -> list[Any]:
        if session.upload_error:
            return [gr.skip(), gr.skip()]
        choices = example_choices(session)
        return [gr.update(choices=choices, value=None, visible=bool(choices)), ""]

    for event in chosen:
        event.success(on_chosen, [state], [tab.examples, tab.question], **QUIET)
