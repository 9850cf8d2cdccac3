"""A report as one page: nothing is loaded from elsewhere, nothing needs a script, everything foreign is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from hub_toolkit import __version__
from hub_toolkit.errors import PersonaMemError
from hub_toolkit.evaluate.html_section import render_section, section_title
from hub_toolkit.evaluate.html_text import escape, isolate
from hub_toolkit.evaluate.journal import write_atomically
from hub_toolkit.evaluate.run_view import RunView, group_runs

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""Should anything slip through the escaping, the browser runs and loads nothing of it."""


def write_html(views: Sequence[RunView], out: Path) -> None:
    """Write the page at once; the same runs give the same bytes."""
    write_atomically(out, render_page(views).encode("utf-8"))


def render_page(views: Sequence[RunView]) -> str:
    """Return the page. Runs that were asked differently stand in sections of their own.

    Raises: PersonaMemError: there is no run.
    """
    sections = group_runs(views)
    if not sections:
        raise PersonaMemError("there is no run to report on; name the folder of one")
    title = f"Evaluation report: {', '.join(view.name for view in views)}"
    links = "".join(
        f'<li><a href="#s{number}">{isolate(section_title(section))}</a> ({len(section.views)} '
        f"{'run' if len(section.views) == 1 else 'runs'})</li>"
        for number, section in enumerate(sections, 1)
    )
    contents = f'<nav aria-label="Sections"><ol>{links}</ol></nav>' if len(sections) > 1 else ""
    apart = (
        "<p>These runs were not all asked the same in the same way. Each section has its own scale.</p>"
        if len(sections) > 1
        else ""
    )
    body = "".join(render_section(section, number) for number, section in enumerate(sections, 1))
    return wrap_page(
        title,
        f"<header><h1>Evaluation report</h1>{apart}{contents}</header>{body}",
        footer="A figure without its protocol, dataset, seed and model is not a result: quote them together.",
    )


def wrap_page(title: str, body: str, *, footer: str) -> str:
    """Return a whole page; `body` is HTML, escaped already, `title` and `footer` are text."""
    style = "".join((files("hub_toolkit.evaluate") / name).read_text("utf-8") for name in ("page.css", "chart.css"))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><meta name="referrer" content="no-referrer">'
        f"<title>{escape(title)}</title><style>{style}</style></head><body><main>{body}"
        f"<footer>Made by personamem-hub-toolkit {escape(__version__)}. {escape(footer)}</footer>"
        "</main></body></html>\n"
    )
