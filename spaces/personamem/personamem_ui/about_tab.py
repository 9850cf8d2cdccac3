"""What this is, what it rests on, and how programs use it."""

from __future__ import annotations

import gradio as gr

from personamem_ui.about_text import render_about
from personamem_ui.board_source import BoardSource


def create_about_tab(source: BoardSource) -> None:
    """Lay out the text."""
    gr.HTML("<h3>About</h3>", apply_default_css=False)
    gr.HTML(render_about(source.boards), apply_default_css=False, elem_id="pm-about")
