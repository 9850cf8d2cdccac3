"""Asking a question: the components, and what happens when they are used."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from personamem_ui.answering import PageModel
from personamem_ui.memory_tab import HEAVY, NUM_HEAVY, Show
from personamem_ui.render_answer import render_asked
from personamem_ui.sessions import MAX_QUESTION_CHARACTERS, Session


@dataclass(frozen=True)
class AskTab:
    """The components whose events are wired below."""

    examples: gr.Dropdown
    question: gr.Textbox
    ask: gr.Button
    asked: gr.HTML
    reveal: gr.Button

    @property
    def outputs(self) -> list[Any]:
        """What `show` fills, in its order."""
        return [self.asked, self.reveal]

    @staticmethod
    def show(session: Session) -> list[Any]:
        """Return the state of the page's lower half."""
        asked = session.asked
        can_reveal = asked is not None and asked.question is not None and not asked.is_gold_shown
        return [render_asked(session), gr.update(visible=can_reveal)]


def example_choices(session: Session) -> list[tuple[str, str]]:
    """Return the benchmark's questions for the chosen persona."""
    return [(sample.user_query.text, sample.sample_id) for sample in session.samples]


def create_ask_tab(session: Session) -> AskTab:
    """Lay out the lower half of the page."""
    gr.HTML("<h3>3 · Ask</h3>", apply_default_css=False)
    examples = gr.Dropdown(
        example_choices(session),
        value=None,
        label="Example questions of this person",
        info="From the benchmark, with four options each.",
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
    asked = gr.HTML(render_asked(session), apply_default_css=False, elem_id="pm-asked")
    reveal = gr.Button("Reveal the right answer", visible=False, elem_id="pm-reveal")
    return AskTab(examples, question, ask, asked, reveal)


def wire_ask_tab(
    tab: AskTab, state: gr.State, page_model: PageModel, *, page_outputs: list[Any], show_page: Show
) -> None:
    """Connect the events. `show_page` returns what `page_outputs` show for a session."""

    async def on_example(sample_id: str | None, session: Session) -> Any:
        found = next((s for s in session.samples if s.sample_id == sample_id), None)
        return found.user_query.text if found else gr.skip()

    async def on_ask(text: str | None, session: Session) -> AsyncIterator[list[Any]]:
        asked, step = session.ask(text or ""), session.step
        yield [session, *show_page(session)]
        if asked is None or step is None or page_model.choice.kind == "none":
            return
        async for _ in page_model.answer(asked, step.document):
            if session.asked is not asked:
                return
            yield [session, *show_page(session)]

    async def on_reveal(session: Session) -> list[Any]:
        if session.asked is not None:
            session.asked.is_gold_shown = True
        return [session, *tab.show(session)]

    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    heavy: dict[str, Any] = {"concurrency_id": HEAVY, "concurrency_limit": NUM_HEAVY}
    tab.examples.input(on_example, [tab.examples, state], [tab.question], **quiet)
    gr.on([tab.ask.click, tab.question.submit], on_ask, [tab.question, state], [state, *page_outputs], **heavy, **quiet)
    tab.reveal.click(on_reveal, [state], [state, *tab.outputs], **quiet)


def wire_examples(tab: AskTab, state: gr.State, chosen: list[Any]) -> None:
    """Offer other examples after the events that choose another history."""

    async def on_chosen(session: Session) -> list[Any]:
        if session.upload_error:
            return [gr.skip(), gr.skip()]
        choices = example_choices(session)
        return [gr.update(choices=choices, value=None, visible=bool(choices)), ""]

    for event in chosen:
        event.success(
            on_chosen, [state], [tab.examples, tab.question], show_progress="hidden", api_visibility="private"
        )
