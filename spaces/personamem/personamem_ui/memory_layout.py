"""The Memory tab: its components, and what they show of a session."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from hub_toolkit.data.tokens import EstimateCounter, TokenCounter
from hub_toolkit.errors import PersonaMemError
from hub_toolkit.memory.build import MemoryBuilder
from hub_toolkit.memory.builders.agentic import AgenticBuilder
from hub_toolkit.memory.builders.extractive import ExtractiveBuilder
from hub_toolkit.memory.document import DEFAULT_CAP_TOKENS
from personamem_ui.answering import PageModel
from personamem_ui.building import run_build
from personamem_ui.owner_tools import OwnerTools, create_owner_tools
from personamem_ui.personas import PersonaList
from personamem_ui.render import render_history_line, render_limits, render_memory, render_plot, render_status
from personamem_ui.render_owner import render_notice
from personamem_ui.sessions import Session
from personamem_ui.uploads import chat_of

MIN_CAP_TOKENS, CAP_STEP_TOKENS = 256, 64
MIN_CHUNK_TOKENS, MAX_CHUNK_TOKENS, CHUNK_STEP_TOKENS = 500, 5_000, 500
PAGE_CHUNK_TOKENS = 2_000
"""Smaller than the paper's 5,000, so that a short history shows several steps."""

HEAVY, NUM_HEAVY = "heavy", 4
"""Builds and answers share one queue with this many places."""

ACT_JS = """
let is_clicked = false;
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-act]');
  if (!button) return;
  const field = button.closest('[data-form]')?.querySelector('textarea');
  is_clicked = button.dataset.act === 'open';
  trigger('click', {act: button.dataset.act, id: button.dataset.id || '', text: field ? field.value : ''});
});
watch('value', () => {
  const panel = is_clicked && element.querySelector('.pm-sources');
  is_clicked = false;
  if (panel) panel.scrollIntoView({block: 'nearest'});
});
"""
"""A click names its act and its bullet; the messages that open are brought into view."""

Show = Callable[[Session], list[Any]]


@dataclass(frozen=True)
class MemoryTab:
    """The components whose events are wired in `memory_tab`, and the people to choose from."""

    people: PersonaList
    persona: gr.Dropdown
    upload: gr.UploadButton
    history_line: gr.HTML
    builder: gr.Radio
    cap: gr.Slider
    chunk: gr.Slider
    build: gr.Button
    stop: gr.Button
    restart: gr.Button
    status: gr.HTML
    notice: gr.HTML
    memory: gr.HTML
    plot: gr.HTML
    step: gr.Slider
    tools: OwnerTools

    @property
    def core_outputs(self) -> list[Any]:
        """What changes while chunks are read: what `show_core` fills, in its order."""
        return [
            self.history_line, self.status, self.notice, self.memory, self.plot, self.step,
            self.build, self.stop, self.restart,
        ]  # fmt: skip

    @property
    def outputs(self) -> list[Any]:
        """What `show` fills, in its order."""
        return [*self.core_outputs, *self.tools.outputs]

    def show(self, session: Session) -> list[Any]:
        """Return the state of the whole tab."""
        return [*self.show_core(session), *self.tools.show(session)]

    @staticmethod
    def show_core(session: Session) -> list[Any]:
        """Return the state of the memory and of its reading."""
        num_versions, step = session.num_versions, session.step
        shown = step.number if step else 1
        name = "Go on reading" if session.phase in ("stopped", "failed") and session.num_chunks_read else "Build memory"
        return [
            render_history_line(session),
            render_status(session),
            render_notice(session),
            render_memory(session),
            render_plot(session),
            gr.update(maximum=max(2, num_versions), value=shown, visible=num_versions > 1 and not session.is_busy),
            gr.update(value=name, interactive=not session.is_busy and session.has_unread),
            gr.update(interactive=session.is_busy),
            gr.update(interactive=not session.is_busy and session.num_versions > 0),
        ]


def first_session(people: PersonaList) -> Session:
    """Return what a visitor begins with: the first persona, nothing built."""
    session, choice = Session(), people.choices[0]
    session.read((chat_of(choice.load()),), choice.label, choice.samples)
    return session


def create_memory_tab(session: Session, page_model: PageModel, people: PersonaList) -> MemoryTab:
    """Lay out the tab."""
    choices = [(choice.label, choice.key) for choice in people.choices]
    gr.HTML("<h3>1 · Whose chats?</h3>", apply_default_css=False)
    with gr.Row(equal_height=False):
        with gr.Column(scale=3, min_width=300):
            persona = gr.Dropdown(
                choices,
                value=choices[0][1],
                label=f"A person from {people.source}",
                info="Invented people. A twin has the same history with one thing changed.",
                elem_id="pm-persona",
            )
        with gr.Column(scale=2, min_width=300):
            upload = gr.UploadButton(
                "Or upload yours: chats, or a saved memory",
                file_types=[".json", ".zip"],
                size="md",
                elem_id="pm-upload",
                variant="secondary",
            )
            gr.HTML(render_limits(), apply_default_css=False)
    history_line = gr.HTML(render_history_line(session), apply_default_css=False, elem_id="pm-history")
    builder, cap, chunk = _create_settings(page_model)
    gr.HTML("<h3>2 · Watch the memory form</h3>", apply_default_css=False)
    with gr.Row(elem_classes="pm-actions"):
        build = gr.Button("Build memory", variant="primary", elem_id="pm-build", scale=0, min_width=180)
        stop = gr.Button("Stop", variant="stop", elem_id="pm-stop", interactive=False, scale=0, min_width=110)
        restart = gr.Button("Start over", elem_id="pm-restart", interactive=False, scale=0, min_width=110)
    status = gr.HTML(render_status(session), apply_default_css=False, elem_id="pm-status")
    notice = gr.HTML("", apply_default_css=False, elem_id="pm-notice", js_on_load=ACT_JS)
    with gr.Row(equal_height=False):
        with gr.Column(scale=3, min_width=300):
            memory = gr.HTML(render_memory(session), apply_default_css=False, elem_id="pm-memory", js_on_load=ACT_JS)
        with gr.Column(scale=2, min_width=300), gr.Tabs(overflow_behavior="wrap", elem_id="pm-tools"):
            with gr.Tab("Growth", id="growth"):
                plot = gr.HTML(render_plot(session), apply_default_css=False, elem_id="pm-plot")
                step = gr.Slider(
                    1, 2, value=1, step=1, precision=0, visible=False, elem_id="pm-step", buttons=[],
                    label="Look at an earlier version", info="What each chunk, and each act of yours, did.",
                )  # fmt: skip
            tools = create_owner_tools(session, page_model, js=ACT_JS)
    return MemoryTab(
        people, persona, upload, history_line, builder, cap, chunk, build, stop, restart, status, notice, memory, plot,
        step, tools,
    )  # fmt: skip


def _create_settings(page_model: PageModel) -> tuple[gr.Radio, gr.Slider, gr.Slider]:
    has_endpoint = page_model.choice.kind == "endpoint"
    choices = [("Extractive: the user's own words, no model", "extractive")]
    choices += [("Agentic: the model rewrites the memory after each chunk", "agentic")] if has_endpoint else []
    info = "" if has_endpoint else "The agentic builder, in which a model rewrites the memory, needs an endpoint."
    with gr.Accordion("Settings", open=False), gr.Row():
        builder = gr.Radio(choices, value="extractive", label="Builder", info=info or None, elem_id="pm-builder")
        cap = gr.Slider(
            MIN_CAP_TOKENS, DEFAULT_CAP_TOKENS, value=DEFAULT_CAP_TOKENS, step=CAP_STEP_TOKENS, elem_id="pm-cap",
            label="Cap (tokens)", info="The memory never grows beyond it.",
        )  # fmt: skip
        chunk = gr.Slider(
            MIN_CHUNK_TOKENS, MAX_CHUNK_TOKENS, value=PAGE_CHUNK_TOKENS, step=CHUNK_STEP_TOKENS, elem_id="pm-chunk",
            label="Chunk (tokens)", info="How much is read at a time. The paper: up to 5,000.",
        )  # fmt: skip
    return builder, cap, chunk


async def choose_persona(key: str | None, session: Session, people: PersonaList) -> Session:
    """Read a persona's history."""
    choice = people.find(key or "")
    if choice is not None:
        history = await asyncio.to_thread(choice.load)
        session.read((chat_of(history),), choice.label, choice.samples)
    return session


async def stream_build(
    session: Session, page_model: PageModel, *, builder_name: str, cap_tokens: int, chunk_tokens: int
) -> AsyncIterator[None]:
    """Build the memory, yielding after each chunk; an error of the model becomes the session's."""
    run = session.run
    if run is None:
        return
    try:
        builder, counter = await _create_builder(page_model, builder_name, cap_tokens)
        async for _ in run_build(session, run, builder, counter, chunk_tokens=chunk_tokens):
            yield
    except PersonaMemError as error:
        if session.run is run:
            session.settle()
            session.phase, session.error = "failed", str(error)
    yield


async def _create_builder(page_model: PageModel, name: str, cap_tokens: int) -> tuple[MemoryBuilder, TokenCounter]:
    if name == "agentic" and page_model.choice.kind == "endpoint":
        model = await page_model.open()
        return AgenticBuilder(model, cap_tokens=cap_tokens), model.counter
    counter = EstimateCounter()
    return ExtractiveBuilder(counter, cap_tokens=cap_tokens), counter
