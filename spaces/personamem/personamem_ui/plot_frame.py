"""The frame of a drawing: as wide as there is room, and on a phone wide enough to be read, to be scrolled."""

from __future__ import annotations

from html import escape


def frame_plot(label: str, inside: str, width: int, height: int) -> str:
    """Return an SVG of this many units in a region that the keyboard reaches; `label` says what is drawn."""
    said = escape(label, quote=True)
    return (
        f'<div class="pm-drawn" tabindex="0" role="region" aria-label="Plot">'
        f'<svg viewBox="0 0 {width} {height}" style="--units:{width}" role="img" aria-label="{said}">{inside}</svg>'
        "</div>"
    )
