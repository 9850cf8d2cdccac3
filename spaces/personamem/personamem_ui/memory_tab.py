"""The Memory tab: what happens when its components are used."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import gradio as gr

from hub_toolkit.errors import DataFormatError
from personamem_ui.answering import PageModel
from personamem_ui.building import stop_build
from personamem_ui.keeping import load_from_hub, load_memory_file, save_to_hub
from personamem_ui.memory_layout import (
    HEAVY,
    NUM_HEAVY,
    MemoryTab,
    Show,
    choose_persona,
    create_memory_tab,
    first_session,
    stream_build,
)
from personamem_ui.owner_acts import make_download, perform, why_not_now
from personamem_ui.render_owner import render_talk
from personamem_ui.sessions import Notice, Session
from personamem_ui.talking import hear, reply
from personamem_ui.uploads import read_upload_file
from personamem_ui.visitors import current_visitor

QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}


async def read_upload(file: str | None, session: Session) -> bool:
    """Read an uploaded file and delete it; return whether it brought other chats. A bad one changes nothing else."""
    if file is None:
        return False
    path = Path(file)
    session.upload_error = session.upload_note = None
    try:
        upload = await asyncio.to_thread(read_upload_file, path, path.name)
        if upload.is_memory and not session.can_edit:
            session.notice = Notice(why_not_now(session), is_error=True)
        elif upload.is_memory:
            session.notice = await load_memory_file(session, path)
    except DataFormatError as error:
        session.upload_error = str(error)
        return False
    finally:
        path.unlink(missing_ok=True)
    if upload.is_memory:
        return False
    session.read(upload.chats, path.name)
    session.upload_note = upload.note or None
    return True


def wire_memory_tab(
    tab: MemoryTab, state: gr.State, page_model: PageModel, *, page_outputs: list[Any], show_page: Show
) -> list[Any]:
    """Connect the events and return those that choose another history.

    `show_page` returns what `page_outputs` show for a session.
    """

    async def on_persona(key: str | None, session: Session) -> list[Any]:
        return [await choose_persona(key, session, tab.people), *show_page(session)]

    async def on_upload(file: str | None, session: Session) -> list[Any]:
        is_taken = await read_upload(file, session)
        persona = gr.update(value=None) if is_taken else gr.skip()
        return [session, persona, None, *show_page(session)]

    async def on_start(session: Session) -> list[Any]:
        session.start_run()
        return [session, *show_page(session)]

    async def on_build(session: Session, builder: str, cap: float, chunk: float) -> AsyncIterator[list[Any]]:
        steps = stream_build(session, page_model, builder_name=builder, cap_tokens=int(cap), chunk_tokens=int(chunk))
        async for _ in steps:
            yield [session, *tab.show_core(session)]

    async def on_show(session: Session) -> list[Any]:
        return [session, *show_page(session)]

    async def on_stop(session: Session) -> list[Any]:
        await stop_build(session)
        return [session, *show_page(session)]

    async def on_restart(session: Session) -> list[Any]:
        session.clear_memory()
        return [session, *show_page(session)]

    outputs = [state, *page_outputs]
    by_persona = tab.persona.input(on_persona, [tab.persona, state], outputs, trigger_mode="always_last", **QUIET)
    by_upload = tab.upload.upload(
        on_upload, [tab.upload, state], [state, tab.persona, tab.upload, *page_outputs], **QUIET
    )
    started = tab.build.click(on_start, [state], outputs, queue=False, **QUIET)
    settings = [state, tab.builder, tab.cap, tab.chunk]
    core = [state, *tab.core_outputs]
    built = started.success(on_build, settings, core, concurrency_id=HEAVY, concurrency_limit=NUM_HEAVY, **QUIET)
    built.then(on_show, [state], outputs, **QUIET)
    tab.stop.click(on_stop, [state], outputs, queue=False, **QUIET)
    tab.restart.click(on_restart, [state], outputs, **QUIET)
    _wire_acts(tab, state, outputs, show_page)
    _wire_talk(tab, state, page_model, outputs, show_page)
    _wire_keep(tab, state, page_model, outputs, show_page)
    return [by_persona, by_upload]


def _wire_acts(tab: MemoryTab, state: gr.State, outputs: list[Any], show_page: Show) -> None:
    """Connect what the owner does to the memory: buttons inside HTML name their act, the others are fixed."""
    tools = tab.tools

    async def on_act(session: Session, event: gr.EventData) -> list[Any]:
        act, target, text = (str(event._data.get(name) or "") for name in ("act", "id", "text"))
        await asyncio.to_thread(perform, session, act, target, text)
        return [session, *show_page(session)]

    async def on_step(number: float, session: Session) -> list[Any]:
        session.show_step(int(number))
        return [session, *show_page(session)]

    for panel in (tab.notice, tab.memory, tools.rules, tools.held, tools.log):
        panel.click(on_act, [state], outputs, trigger_mode="multiple", **QUIET)
    tab.step.input(on_step, [tab.step, state], outputs, trigger_mode="always_last", **QUIET)

    def act_with(act: str) -> Any:
        async def on_text(text: str | None, session: Session) -> list[Any]:
            await asyncio.to_thread(perform, session, act, "", text or "")
            is_done = session.notice is not None and not session.notice.is_error
            return ["" if is_done else gr.skip(), session, *show_page(session)]

        return on_text

    typed = (
        (tools.add, tools.add_text, "add"),
        (tools.forget, tools.forget_text, "plan_forget"),
        (tools.rule, tools.rule_text, "plan_rule"),
    )
    for button, box, act in typed:
        gr.on([button.click, box.submit], act_with(act), [box, state], [box, *outputs], **QUIET)

    async def on_merge(ids: list[str] | None, text: str | None, session: Session) -> list[Any]:
        await asyncio.to_thread(perform, session, "merge", " ".join(ids or []), text or "")
        is_done = session.notice is not None and not session.notice.is_error
        return ["" if is_done else gr.skip(), session, *show_page(session)]

    tools.merge.click(on_merge, [tools.merge_ids, tools.merge_text, state], [tools.merge_text, *outputs], **QUIET)

    def act_alone(act: str) -> Any:
        async def on_click(session: Session) -> list[Any]:
            await asyncio.to_thread(perform, session, act)
            return [session, *show_page(session)]

        return on_click

    tools.undo.click(act_alone("undo"), [state], outputs, **QUIET)
    tools.redo.click(act_alone("redo"), [state], outputs, **QUIET)


def _wire_talk(tab: MemoryTab, state: gr.State, page_model: PageModel, outputs: list[Any], show_page: Show) -> None:
    tools = tab.tools

    async def on_send(text: str | None, session: Session) -> list[Any]:
        is_taken = await hear(session, text or "")
        return ["" if is_taken else gr.skip(), session, *show_page(session)]

    async def on_reply(session: Session) -> AsyncIterator[list[Any]]:
        yield [session, render_talk(session)]  # a generator that yields nothing would empty its outputs
        async for _ in reply(session, page_model):
            yield [session, render_talk(session)]

    async def on_show(session: Session) -> list[Any]:
        return [session, *show_page(session)]

    sent = gr.on(
        [tools.send.click, tools.said.submit], on_send, [tools.said, state], [tools.said, *outputs], **QUIET
    )  # fmt: skip
    heavy: dict[str, Any] = {"concurrency_id": HEAVY, "concurrency_limit": NUM_HEAVY}
    replied = sent.then(on_reply, [state], [state, tools.talk], **heavy, **QUIET)
    replied.then(on_show, [state], outputs, **QUIET)


def _wire_keep(tab: MemoryTab, state: gr.State, page_model: PageModel, outputs: list[Any], show_page: Show) -> None:
    tools = tab.tools

    def download_as(file_format: str) -> Any:
        async def on_download(session: Session) -> str:
            return await asyncio.to_thread(render_download, session, file_format)

        return on_download

    async def on_save(session: Session) -> list[Any]:
        visitor = current_visitor()
        session.notice = await asyncio.to_thread(save_to_hub, session, page_model.settings, visitor)
        return [session, *show_page(session)]

    async def on_load(session: Session) -> list[Any]:
        if session.can_edit:
            session.notice = await load_from_hub(session, page_model.settings, current_visitor())
        else:
            session.notice = Notice(why_not_now(session), is_error=True)
        return [session, *show_page(session)]

    tools.as_json.click(download_as("json"), [state], [tools.file], **QUIET)
    tools.as_markdown.click(download_as("markdown"), [state], [tools.file], **QUIET)
    heavy: dict[str, Any] = {"concurrency_id": HEAVY, "concurrency_limit": NUM_HEAVY}
    tools.save.click(on_save, [state], outputs, **heavy, **QUIET)
    tools.load.click(on_load, [state], outputs, **heavy, **QUIET)


def render_download(session: Session, file_format: str) -> str:
    """Return a link that holds the file itself: nothing is written to a disk here."""
    if not session.num_versions:
        return '<p class="pm-alert" role="alert">There is no memory to download yet.</p>'
    made = make_download(session, file_format)
    data = base64.b64encode(made.text.encode("utf-8")).decode("ascii")
    return (
        f'<p class="pm-small" role="status">Made <a download="{made.name}" href="data:{made.media_type};base64,{data}">'
        f"{made.name}</a> ({len(made.text.encode('utf-8')) / 1024:.0f} KB).</p>"
    )


__all__ = [
    "HEAVY",
    "NUM_HEAVY",
    "MemoryTab",
    "Show",
    "create_memory_tab",
    "first_session",
    "read_upload",
    "render_download",
    "wire_memory_tab",
]
