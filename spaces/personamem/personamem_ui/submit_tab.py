"""The form for submissions: the components, and what happens when they are used."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from hub_toolkit.errors import PersonaMemError, SubmissionError
from hub_toolkit.hub.leaderboard.worker import preview_row
from hub_toolkit.leaderboard.meta import MAX_META_BYTES, META_FILE
from hub_toolkit.leaderboard.submission import PREDICTIONS_FILE
from personamem_ui.board_source import BoardSource
from personamem_ui.board_status import find_status
from personamem_ui.checking import PAGE_LIMITS, fetch_public_files, list_problems, read_upload
from personamem_ui.sending import find_sender, score_sent
from personamem_ui.submit_render import (
    render_error,
    render_intro,
    render_preview,
    render_problems,
    render_receipt,
    render_sender,
    render_status,
    render_waiting,
)

CHECKS, NUM_CHECKS = "checks", 2
"""Checking and scoring share one queue with this many places."""

DRAFT_LIFE_S = 1800


@dataclass
class Draft:
    """A checked submission that has not been sent; gone when it is sent, or after a while."""

    predictions: bytes = b""
    meta: bytes = b""
    digest: str = ""


@dataclass(frozen=True)
class SubmitTab:
    """The components whose events are wired below."""

    source: BoardSource
    draft: gr.State
    predictions: gr.File
    meta: gr.File
    check: gr.Button
    repo: gr.Textbox
    revision: gr.Textbox
    predictions_path: gr.Textbox
    meta_path: gr.Textbox
    check_hub: gr.Button
    result: gr.HTML
    name: gr.Textbox
    send: gr.Button
    receipt: gr.HTML
    digest: gr.Textbox
    look: gr.Button
    status: gr.HTML


def create_submit_tab(source: BoardSource) -> SubmitTab:
    """Lay out the form."""
    parts: dict[str, Any] = {"source": source}
    parts["draft"] = gr.State(Draft(), time_to_live=DRAFT_LIFE_S)
    gr.HTML("<h3>Submit</h3>", apply_default_css=False)
    gr.HTML(render_intro(source.board), apply_default_css=False)
    gr.HTML("<h4>1 · Check</h4>", apply_default_css=False)
    with gr.Row(equal_height=False):
        parts["predictions"] = gr.File(
            label=PREDICTIONS_FILE, file_types=[".jsonl", ".json"], height=120, elem_id="pm-submit-predictions"
        )
        parts["meta"] = gr.File(
            label=META_FILE, file_types=[".yaml", ".yml", ".json"], height=120, elem_id="pm-submit-meta"
        )
    with gr.Row(elem_classes="pm-actions"):
        parts["check"] = gr.Button(
            "Check the files", variant="primary", scale=0, min_width=180, elem_id="pm-submit-check"
        )
    parts |= _create_hub_fields()
    parts["result"] = gr.HTML(apply_default_css=False, elem_id="pm-submit-result")
    gr.HTML("<h4>2 · Send</h4>", apply_default_css=False)
    gr.HTML(render_sender(source), apply_default_css=False)
    with gr.Row(equal_height=False, elem_classes="pm-ask"):
        parts["name"] = gr.Textbox(
            label="Your name in this rehearsal",
            max_length=40,
            visible=source.can_send and not source.has_sign_in,
            elem_id="pm-submit-name",
        )
        parts["send"] = gr.Button("Send", interactive=False, scale=0, min_width=140, elem_id="pm-submit-send")
    parts["receipt"] = gr.HTML(apply_default_css=False, elem_id="pm-submit-receipt")
    gr.HTML("<h4>Status of a submission</h4>", apply_default_css=False)
    with gr.Row(equal_height=False, elem_classes="pm-ask"):
        parts["digest"] = gr.Textbox(
            label="Digest", placeholder="The digits of your receipt, at least the first 8", max_length=64,
            elem_id="pm-submit-digest",
        )  # fmt: skip
        parts["look"] = gr.Button("Look it up", scale=0, min_width=140, elem_id="pm-submit-look")
    parts["status"] = gr.HTML(apply_default_css=False, elem_id="pm-submit-status")
    return SubmitTab(**parts)


def _create_hub_fields() -> dict[str, Any]:
    with gr.Accordion("Or name two files in a public dataset repo of the Hub", open=False, elem_id="pm-submit-hub"):
        with gr.Row(equal_height=False):
            repo = gr.Textbox(label="Repo", placeholder="owner/name", max_length=200, elem_id="pm-submit-repo")
            revision = gr.Textbox(label="Revision", placeholder="main", max_length=100, elem_id="pm-submit-revision")
        with gr.Row(equal_height=False):
            predictions = gr.Textbox(
                PREDICTIONS_FILE, label="Path of the predictions", max_length=300, elem_id="pm-submit-predictions-path"
            )
            meta = gr.Textbox(META_FILE, label="Path of the description", max_length=300, elem_id="pm-submit-meta-path")
        check = gr.Button("Fetch and check", scale=0, min_width=180, elem_id="pm-submit-check-hub")
    names = ("repo", "revision", "predictions_path", "meta_path", "check_hub")
    return dict(zip(names, (repo, revision, predictions, meta, check), strict=True))


class SubmitEvents:
    """What happens when the form is used."""

    def __init__(self, tab: SubmitTab) -> None:
        self.tab, self.source = tab, tab.source

    async def on_check(self, predictions: str | None, meta: str | None) -> AsyncIterator[list[Any]]:
        """Check two uploads."""
        yield [Draft(), render_waiting("Checking …"), gr.update(interactive=False), gr.skip(), gr.skip()]
        draft, said = await asyncio.to_thread(self._check_uploads, predictions, meta)
        yield [draft, said, gr.update(interactive=bool(draft.digest) and self.source.can_send), None, None]

    def _check_uploads(self, predictions: str | None, meta: str | None) -> tuple[Draft, str]:
        read: list[bytes] = []
        problems = []
        for file, name, cap in (
            (predictions, PREDICTIONS_FILE, PAGE_LIMITS.size_bytes),
            (meta, META_FILE, MAX_META_BYTES),
        ):
            try:
                read.append(read_upload(file, name=name, max_bytes=cap))
            except SubmissionError as error:
                problems.append(str(error))
        if problems:
            return Draft(), render_problems(problems)
        return self._check(read[0], read[1])

    async def on_check_hub(self, repo: str, revision: str, predictions: str, meta: str) -> AsyncIterator[list[Any]]:
        """Fetch two files of the Hub by name, and check them."""
        yield [Draft(), render_waiting("Fetching …"), gr.update(interactive=False)]
        draft, said = await asyncio.to_thread(self._check_hub, repo, revision, (predictions, meta))
        yield [draft, said, gr.update(interactive=bool(draft.digest) and self.source.can_send)]

    def _check_hub(self, repo: str, revision: str, paths: tuple[str, str]) -> tuple[Draft, str]:
        if self.source.settings is None:
            return Draft(), render_error("this page knows no Hub")
        places = (paths[0].strip() or PREDICTIONS_FILE, paths[1].strip() or META_FILE)
        try:
            files = fetch_public_files(self.source.settings, repo.strip(), revision.strip(), places)
        except PersonaMemError as error:
            return Draft(), render_error(str(error))
        return self._check(*files)

    def _check(self, predictions: bytes, meta: bytes) -> tuple[Draft, str]:
        problems = list_problems(predictions, meta, self.source.boards)
        if problems:
            return Draft(), render_problems(problems)
        row = preview_row(predictions, meta, self.source.boards)
        return Draft(predictions, meta, row["submission"]), render_preview(row)

    async def on_send(self, draft: Draft | None, name: str | None) -> AsyncIterator[list[Any]]:
        """Send what was checked, under the visitor's account; in a rehearsal under the name that they chose."""
        if draft is None or not draft.digest:
            yield [Draft(), render_error("check the files first; a check is kept for half an hour"), gr.skip()]
            return
        try:
            submitter = find_sender(self.source, name or "")
        except SubmissionError as error:
            yield [draft, render_error(str(error)), gr.skip()]
            return
        yield [draft, render_waiting("Sending …"), gr.update(interactive=False)]
        try:
            received = await asyncio.to_thread(self.source.send, draft.predictions, draft.meta, submitter)
        except PersonaMemError as error:
            yield [draft, render_error(str(error)), gr.update(interactive=True)]
            return
        is_rehearsal = self.source.is_rehearsal
        yield [
            Draft(),
            render_receipt(received, submitter, is_rehearsal=is_rehearsal, note="It is being scored …"),
            gr.update(interactive=False),
        ]
        note = await asyncio.to_thread(score_sent, self.source, received.digest)
        yield [Draft(), render_receipt(received, submitter, is_rehearsal=is_rehearsal, note=note), gr.skip()]

    async def on_look(self, digest: str | None) -> str:
        """Look a submission up."""
        try:
            return render_status(await asyncio.to_thread(find_status, self.source, digest or ""))
        except PersonaMemError as error:
            return render_error(str(error))


def wire_submit_tab(tab: SubmitTab) -> None:
    """Connect the events."""
    events = SubmitEvents(tab)
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    heavy: dict[str, Any] = {**quiet, "concurrency_id": CHECKS, "concurrency_limit": NUM_CHECKS}
    files = [tab.predictions, tab.meta]
    tab.check.click(events.on_check, files, [tab.draft, tab.result, tab.send, *files], **heavy)
    named = [tab.repo, tab.revision, tab.predictions_path, tab.meta_path]
    tab.check_hub.click(events.on_check_hub, named, [tab.draft, tab.result, tab.send], **heavy)
    # Not in the queue of checks: whoever sends together shares one commit.
    tab.send.click(
        events.on_send, [tab.draft, tab.name], [tab.draft, tab.receipt, tab.send], concurrency_limit=40, **quiet
    )
    gr.on([tab.look.click, tab.digest.submit], events.on_look, [tab.digest], [tab.status], **quiet)
