"""The owner's tools beside the memory: talk, correct, bound, look back, keep. Components, and what they show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from personamem_ui.answering import PageModel
from personamem_ui.keeping import render_keep
from personamem_ui.render_owner import (
    bullet_choices,
    render_held,
    render_log,
    render_receipts,
    render_rules,
    render_talk,
)
from personamem_ui.sessions import MAX_TEXT_CHARACTERS, Session
from personamem_ui.visitors import current_visitor

DOWNLOAD_JS = """
watch('value', () => {
  const link = element.querySelector('a[download]');
  if (link) link.click();
});
"""
"""A file that was made is saved at once; its link stays, to save it again."""

KEPT = """<p class="pm-small">This memory is yours alone and lives in this server's working memory: it vanishes with
your session, at the latest an hour after you close the tab. To keep it, download it; JSON can be uploaded here.</p>"""
HELD_HEAD = '<h4>Held for you</h4><p class="pm-small">Text in a chat that gives the memory orders is not obeyed.</p>'


@dataclass(frozen=True)
class OwnerTools:
    """The components whose events are wired in `memory_tab`."""

    page_model: PageModel
    talk: gr.HTML
    said: gr.Textbox
    send: gr.Button
    add_text: gr.Textbox
    add: gr.Button
    merge_ids: gr.Dropdown
    merge_text: gr.Textbox
    merge: gr.Button
    undo: gr.Button
    redo: gr.Button
    forget_text: gr.Textbox
    forget: gr.Button
    rule_text: gr.Textbox
    rule: gr.Button
    rules: gr.HTML
    held: gr.HTML
    receipts: gr.HTML
    log: gr.HTML
    as_json: gr.Button
    as_markdown: gr.Button
    file: gr.HTML
    keep: gr.HTML
    save: gr.Button
    load: gr.Button

    @property
    def outputs(self) -> list[Any]:
        """What `show` fills, in its order."""
        return [self.talk, self.merge_ids, self.rules, self.held, self.receipts, self.log, self.file, self.keep]

    def show(self, session: Session) -> list[Any]:
        """Return the state of the tools."""
        return [
            render_talk(session),
            gr.update(choices=bullet_choices(session), value=[]),
            render_rules(session),
            HELD_HEAD + render_held(session),
            render_receipts(session),
            render_log(session),
            "",
            render_keep(session, self.page_model.settings, current_visitor()),
        ]


def create_owner_tools(session: Session, page_model: PageModel, *, js: str) -> OwnerTools:
    """Lay out one tab a purpose; `js` makes buttons inside HTML name their act."""
    parts: dict[str, Any] = {"page_model": page_model}
    with gr.Tab("Talk", id="talk"):
        parts |= _create_talk(session)
    with gr.Tab("Correct", id="correct"):
        parts |= _create_correct()
    with gr.Tab("Bounds", id="bounds"):
        parts |= _create_bounds(session, js)
    with gr.Tab("Versions", id="versions"):
        parts["log"] = gr.HTML(render_log(session), apply_default_css=False, elem_id="pm-log", js_on_load=js)
    with gr.Tab("Keep", id="keep"):
        parts |= _create_keep(session, page_model)
    return OwnerTools(**parts)


def _create_talk(session: Session) -> dict[str, Any]:
    talk = gr.HTML(render_talk(session), apply_default_css=False, elem_id="pm-talk")
    said = gr.Textbox(
        label="Your message", placeholder="Write something…", lines=2, max_lines=6, max_length=4_000, elem_id="pm-said"
    )
    send = gr.Button("Send", variant="primary", size="sm", elem_id="pm-send")
    return {"talk": talk, "said": said, "send": send}


def _create_correct() -> dict[str, Any]:
    add_text = gr.Textbox(
        label="Something to remember", placeholder="I bake on Thursdays", max_length=MAX_TEXT_CHARACTERS,
        elem_id="pm-add-text",
    )  # fmt: skip
    add = gr.Button("Add", size="sm", elem_id="pm-add")
    merge_ids = gr.Dropdown([], label="Bullets to merge", multiselect=True, elem_id="pm-merge-ids")
    merge_text = gr.Textbox(
        label="Words for the merged bullet", max_length=MAX_TEXT_CHARACTERS, elem_id="pm-merge-text"
    )
    merge = gr.Button("Merge", size="sm", elem_id="pm-merge")
    with gr.Row(elem_classes="pm-actions"):
        undo = gr.Button("Undo", size="sm", elem_id="pm-undo", min_width=90)
        redo = gr.Button("Redo", size="sm", elem_id="pm-redo", min_width=90)
    gr.HTML(
        '<p class="pm-small">To change, pin, delete or forget one bullet, open it in the list.</p>',
        apply_default_css=False,
    )
    return {
        "add_text": add_text, "add": add, "merge_ids": merge_ids, "merge_text": merge_text, "merge": merge,
        "undo": undo, "redo": redo,
    }  # fmt: skip


def _create_bounds(session: Session, js: str) -> dict[str, Any]:
    forget_text = gr.Textbox(
        label="Forget", info="A matter in a few words, or a bullet's id. You see first what would go.",
        placeholder="my ex", max_length=MAX_TEXT_CHARACTERS, elem_id="pm-forget-text",
    )  # fmt: skip
    forget = gr.Button("Preview forgetting", size="sm", elem_id="pm-forget")
    rule_text = gr.Textbox(
        label="A rule",
        info="In plain words; you see first what it would remove. A “never” rule goes by words and can miss what is "
        "only implied: “only hobbies and work” is the stricter kind.",
        placeholder="never remember my health", max_length=MAX_TEXT_CHARACTERS, elem_id="pm-rule-text",
    )  # fmt: skip
    rule = gr.Button("Preview the rule", size="sm", elem_id="pm-rule")
    rules = gr.HTML(render_rules(session), apply_default_css=False, elem_id="pm-rules", js_on_load=js)
    held = gr.HTML(HELD_HEAD + render_held(session), apply_default_css=False, elem_id="pm-held", js_on_load=js)
    with gr.Accordion("Receipts: what was kept out or removed, never the content", open=False):
        receipts = gr.HTML(render_receipts(session), apply_default_css=False, elem_id="pm-receipts")
    return {
        "forget_text": forget_text, "forget": forget, "rule_text": rule_text, "rule": rule, "rules": rules,
        "held": held, "receipts": receipts,
    }  # fmt: skip


def _create_keep(session: Session, page_model: PageModel) -> dict[str, Any]:
    gr.HTML(KEPT, apply_default_css=False)
    with gr.Row(elem_classes="pm-actions"):
        as_json = gr.Button("Download as JSON", size="sm", elem_id="pm-as-json", min_width=140)
        as_markdown = gr.Button("Download as Markdown", size="sm", elem_id="pm-as-markdown", min_width=140)
    file = gr.HTML("", apply_default_css=False, elem_id="pm-file", js_on_load=DOWNLOAD_JS)
    settings = page_model.settings
    gr.HTML("<h4>Your own dataset on the Hub</h4>", apply_default_css=False)
    keep = gr.HTML(render_keep(session, settings, current_visitor()), apply_default_css=False, elem_id="pm-keep")
    with gr.Row(elem_classes="pm-actions", visible=settings.has_sign_in):
        save = gr.Button("Save there", size="sm", elem_id="pm-save", min_width=110)
        load = gr.Button("Load from there", size="sm", elem_id="pm-load", min_width=110)
    return {"as_json": as_json, "as_markdown": as_markdown, "file": file, "keep": keep, "save": save, "load": load}
