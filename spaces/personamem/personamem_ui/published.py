"""What others have published, in a table of its own that says so."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from personamem_ui.board_format import NONE, e

FILE = Path(__file__).with_name("published.toml")
_KINDS = {"paper": "the benchmark's paper", "claim": "its authors or vendor", "rerun": "users' measurement"}


@dataclass(frozen=True)
class PublishedFigure:
    """A figure as it was published, in per cent; `source` names one of the file's sources."""

    system: str
    reads: str
    kind: str
    source: str
    mcq: float | None = None
    open: float | None = None
    note: str = ""


@dataclass(frozen=True)
class PublishedSource:
    """Where figures come from."""

    title: str
    url: str | None = None


@cache
def load_published() -> tuple[tuple[PublishedFigure, ...], dict[str, PublishedSource]]:
    """Return the published figures and their sources."""
    raw = tomllib.loads(FILE.read_text("utf-8"))
    sources = {name: PublishedSource(**part) for name, part in raw["sources"].items()}
    return tuple(PublishedFigure(**part) for part in raw["figures"]), sources


def render_published() -> str:
    """Return the published figures, apart from everything that was recomputed."""
    figures, sources = load_published()
    numbers = {name: number for number, name in enumerate(sources, 1)}
    body = "".join(_render_figure(figure, numbers[figure.source]) for figure in figures)
    listed = "".join(f"<li>{_render_source(source)}</li>" for source in sources.values())
    head = "".join(
        f'<th scope="col"{" class=is-number" if text.endswith("%)") else ""}>{text}</th>'
        for text in ("System", "Multiple choice (%)", "Open (%)", "Reads", "Says who", "Source", "Remark")
    )
    return (
        '<section class="pm-published" aria-label="Published figures">'
        '<p class="pm-notice"><strong>Not comparable with the table above.</strong> These figures were published by '
        "others, under protocols, judges and rows that differ. Nothing here was recomputed.</p>"
        '<div class="pm-scroll" tabindex="0" role="region" aria-label="Published figures, table">'
        f'<table class="pm-board is-published"><caption>Published by others, not recomputed</caption><thead><tr>{head}'
        f'</tr></thead><tbody>{body}</tbody></table></div><ol class="pm-sources-list">{listed}</ol></section>'
    )


def _render_figure(figure: PublishedFigure, number: int) -> str:
    shares = "".join(
        f'<td class="is-number">{NONE if value is None else f"{value:.1f}"}</td>' for value in (figure.mcq, figure.open)
    )
    return (
        f'<tr><th scope="row">{e(figure.system)}</th>{shares}<td>{e(figure.reads)}</td>'
        f"<td>{e(_KINDS[figure.kind])}</td><td>[{number}]</td><td>{e(figure.note)}</td></tr>"
    )


def _render_source(source: PublishedSource) -> str:
    if source.url is None:
        return e(source.title)
    return f'{e(source.title)}: <a href="{e(source.url)}" rel="noopener">{e(source.url)}</a>'
