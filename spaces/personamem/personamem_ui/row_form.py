"""Under a row's page: dispute it, or withdraw one's own. First what would happen, then the confirmation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr

from hub_toolkit.errors import PersonaMemError, SubmissionError
from hub_toolkit.hub.leaderboard.keeping import MAX_REASON_CHARS
from hub_toolkit.leaderboard.rank import TableRow
from personamem_ui.board_format import e
from personamem_ui.board_source import BoardSource
from personamem_ui.board_view import View
from personamem_ui.sending import MAX_DISPUTES_A_DAY, RowAct, act_on_row, check_act, find_sender
from personamem_ui.submit_render import render_error, render_waiting

_EFFECT: dict[RowAct, str] = {
    "dispute": "marks it as disputed, until the maintainers have looked at it",
    "withdraw": "takes it out of the table for good; the same files cannot be sent again",
}
_DONE: dict[RowAct, str] = {
    "dispute": "is marked as disputed, and the public log below its figures says so",
    "withdraw": "has left the table; its log is found by its digest in the tab Submit",
}


@dataclass(frozen=True)
class PlannedAct:
    """What a visitor has been shown and not confirmed."""

    act: RowAct
    digest: str
    name: str
    sender: str
    reason: str


@dataclass(frozen=True)
class RowForm:
    """The components whose events are wired below."""

    fields: gr.Accordion
    who: gr.Textbox
    reason: gr.Textbox
    dispute: gr.Button
    withdraw: gr.Button
    plan: gr.State
    said: gr.HTML
    confirm: gr.Button
    cancel: gr.Button

    @property
    def planned(self) -> list[Any]:
        """What a plan fills."""
        return [self.plan, self.said, self.confirm, self.cancel]

    @property
    def emptied(self) -> list[Any]:
        """Values of `planned` while nothing is planned."""
        return _planned(None, "")


def _planned(plan: PlannedAct | None, said: str) -> list[Any]:
    shown = gr.update(visible=plan is not None)
    return [plan, said, shown, shown]


def create_row_form(source: BoardSource) -> RowForm:
    """Lay out the form, unseen until a row is open."""
    parts: dict[str, Any] = {"plan": gr.State(None)}
    with gr.Accordion("Dispute or withdraw this row", open=False, visible=False, elem_id="pm-row-acts") as fields:
        gr.HTML(
            '<p class="pm-small">Anybody may dispute a row; who sent it may withdraw it. Your name, the time and the '
            f"reason go into the public log. At most {MAX_DISPUTES_A_DAY} disputes a day.</p>",
            apply_default_css=False,
        )
        with gr.Row(equal_height=False):
            parts["who"] = gr.Textbox(
                label="Your name in this rehearsal", max_length=40, visible=not source.has_sign_in, elem_id="pm-row-who"
            )
            parts["reason"] = gr.Textbox(
                label="Reason, shown in public", max_length=MAX_REASON_CHARS, scale=3, elem_id="pm-row-reason"
            )
        with gr.Row(elem_classes="pm-actions"):
            for act in ("dispute", "withdraw"):
                parts[act] = gr.Button(
                    f"{act.capitalize()} …", size="sm", scale=0, min_width=140, elem_id=f"pm-row-{act}"
                )
    parts["said"] = gr.HTML(apply_default_css=False, elem_id="pm-row-said")
    with gr.Row(elem_classes="pm-actions"):
        parts["confirm"] = gr.Button(
            "Yes, do it", variant="primary", size="sm", visible=False, scale=0, min_width=140, elem_id="pm-row-confirm"
        )
        parts["cancel"] = gr.Button(
            "Leave it", size="sm", visible=False, scale=0, min_width=140, elem_id="pm-row-cancel"
        )
    return RowForm(fields=fields, **parts)


def render_plan(plan: PlannedAct) -> str:
    """Say what a confirmation would do."""
    return (
        f'<div class="pm-alert" role="alert"><p><strong>{plan.act.capitalize()} {e(plan.name)}?</strong> That '
        f"{_EFFECT[plan.act]}. The public log will say: {e(plan.sender)}, “{e(plan.reason)}”.</p></div>"
    )


class RowFormEvents:
    """What happens when the form is used."""

    def __init__(self, source: BoardSource) -> None:
        self.source = source

    async def on_plan(self, act: RowAct, view: View, who: str | None, reason: str | None) -> list[Any]:
        """Say what would happen, and ask for a confirmation."""
        try:
            plan = await asyncio.to_thread(self._plan, act, view.opened, who or "", reason or "")
        except PersonaMemError as error:
            return _planned(None, render_error(str(error)))
        return _planned(plan, render_plan(plan))

    def _plan(self, act: RowAct, digest: str, who: str, reason: str) -> PlannedAct:
        sender, row = find_sender(self.source, who), self._row(digest)
        return PlannedAct(act, row["submission"], row["name"], sender, check_act(row, act, sender, reason))

    def _row(self, digest: str) -> TableRow:
        row = self.source.known().find(digest)
        if row is None:
            raise SubmissionError("this row is not in the table any more; press Refresh")
        return row

    async def on_confirm(self, plan: PlannedAct | None) -> AsyncIterator[list[Any]]:
        """Do what was planned, if whoever planned it is still signed in."""
        if plan is None:
            yield _planned(None, render_error("choose Dispute or Withdraw first"))
            return
        yield [None, render_waiting("Writing it into the public log …"), *_planned(None, "")[2:]]
        yield _planned(None, await asyncio.to_thread(self._do, plan))

    def _do(self, plan: PlannedAct) -> str:
        try:
            sender = find_sender(self.source, plan.sender)
            if sender != plan.sender:
                raise SubmissionError(f"you are signed in as {sender} now; choose Dispute or Withdraw again")
            act_on_row(self.source, plan.act, plan.digest, sender=sender, reason=plan.reason)
        except PersonaMemError as error:
            return render_error(str(error))
        return f'<div class="pm-result" role="status"><p>{e(plan.name)} {_DONE[plan.act]}.</p></div>'


def wire_row_form(
    form: RowForm, source: BoardSource, view: gr.State, drawn: list[Any], redraw: Callable[[View], Awaitable[list[Any]]]
) -> None:
    """Connect the events; after one that is done `redraw` draws the table and the row anew."""
    events = RowFormEvents(source)
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    acts: tuple[tuple[RowAct, gr.Button], ...] = (("dispute", form.dispute), ("withdraw", form.withdraw))
    for act, button in acts:
        button.click(partial(events.on_plan, act), [view, form.who, form.reason], form.planned, **quiet)
    done = form.confirm.click(events.on_confirm, [form.plan], form.planned, **quiet)
    done.success(redraw, [view], drawn, **quiet)
    form.cancel.click(lambda: form.emptied, None, form.planned, queue=False, **quiet)
