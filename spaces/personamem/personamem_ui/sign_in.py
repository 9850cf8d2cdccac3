"""Signing in with the Hub, and asking models with a quota of one's own."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from hub_toolkit.errors import ProviderError
from hub_toolkit.settings import Settings
from personamem_ui.visitor_models import VisitorModels

DEFAULT_MODEL = "meta-llama/Llama-3.1-8B-Instruct"
MAX_MODEL_CHARACTERS = 200


@dataclass(frozen=True)
class SignIn:
    """The components whose events are wired below."""

    model: gr.Textbox
    use: gr.Button
    stop: gr.Button
    said: gr.HTML


def create_sign_in(settings: Settings) -> SignIn | None:
    """Lay out the panel; nothing where the page runs without a sign-in of the Hub."""
    if not settings.has_sign_in:
        return None
    with gr.Accordion("Sign in: your own quota, your own memory", open=False, elem_id="pm-sign-in"):
        gr.HTML(_EXPLAINED, apply_default_css=False)
        with gr.Row(equal_height=False, elem_classes="pm-ask"):
            gr.LoginButton(size="md", scale=0, min_width=270, elem_id="pm-login")
            model = gr.Textbox(
                DEFAULT_MODEL, label="Model of the Hub", max_length=MAX_MODEL_CHARACTERS, elem_id="pm-own-model"
            )
            use = gr.Button("Use my own quota", scale=0, min_width=200, elem_id="pm-own")
            stop = gr.Button("Use the page's model", scale=0, min_width=240, elem_id="pm-own-stop")
        said = gr.HTML(render_quota(None, None), apply_default_css=False, elem_id="pm-quota")
    return SignIn(model, use, stop, said)


_EXPLAINED = """<p class="pm-small">Signed in, you may answer with models of the Hub's inference providers: the calls
count on your own account. The token stays in your browser's cookie; this page reads it for each call and keeps it
nowhere.</p>"""


def render_quota(model: str | None, error: str | None) -> str:
    """Say which model answers, or why it does not."""
    if error:
        return f'<div class="pm-alert" role="alert"><strong>Error:</strong> {escape(error)}</div>'
    text = (
        f"Answers come from <strong>{escape(model)}</strong>, on your quota." if model else "The page's model answers."
    )
    return f'<p class="pm-small" role="status">{text}</p>'


def wire_sign_in(panel: SignIn | None, models: VisitorModels) -> None:
    """Connect the events."""
    if panel is None:
        return

    async def on_use(model_id: str | None) -> str:
        wanted = (model_id or "").strip()
        try:
            models.use_own(wanted)
        except ProviderError as error:
            return render_quota(None, str(error))
        return render_quota(wanted, None)

    async def on_stop() -> str:
        models.use_own(None)
        return render_quota(None, None)

    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    gr.on([panel.use.click, panel.model.submit], on_use, [panel.model], [panel.said], **quiet)
    panel.stop.click(on_stop, None, [panel.said], **quiet)
