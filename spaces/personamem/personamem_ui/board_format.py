"""Figures as words, and everything that comes from others made safe for HTML and for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from html import escape
from typing import Any

from hub_toolkit.leaderboard.rank import COLUMNS as ROW_COLUMNS
from hub_toolkit.leaderboard.rank import TableRow, encode_row
from personamem_ui.board_view import Column, interval_of

NONE = "–"
MINUS = "−"
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""The signs of a formula, also as wide as a letter of East Asia."""


def e(text: object) -> str:
    """Escape text for HTML, in elements and in quoted attributes."""
    return escape(str(text), quote=True)


def format_share(value: float | None) -> str:
    """Return 0.4567 as `45.7 %`."""
    return NONE if value is None else f"{100 * value:.1f} %"


def format_signed(value: float | None) -> str:
    """Return 0.123 as `+12.3`, in percentage points."""
    if value is None:
        return NONE
    return f"{MINUS if value < 0 else '+'}{abs(100 * value):.1f}"


def format_interval(bounds: tuple[float, float] | None, *, is_signed: bool = False) -> str:
    """Return the bounds of an interval, in per cent."""
    if bounds is None:
        return ""
    if is_signed:
        return f"{format_signed(bounds[0])} to {format_signed(bounds[1])}"
    return f"{100 * bounds[0]:.1f}–{100 * bounds[1]:.1f}"


def format_value(column: Column, value: Any) -> str:
    """Return a cell's figure as plain text."""
    if value is None or value == "":
        return NONE
    if column.kind == "share":
        return format_share(value)
    if column.kind == "signed":
        return format_signed(value)
    if column.kind == "count":
        return f"{value:,.0f}"
    if column.kind == "money":
        return f"{value:,.2f}"
    if column.kind == "size":
        return f"{value:g}"
    return format_day(value) if column.kind == "day" else str(value)


def format_cell(column: Column, row: TableRow) -> str:
    """Return a cell as HTML: the figure, and its interval in small."""
    text = e(format_value(column, column.value(row)))
    if not column.has_interval or column.value(row) is None:
        return text
    bounds = format_interval(interval_of(row, column.key), is_signed=column.kind == "signed")
    return f'{text}<span class="pm-bounds">{e(bounds)}</span>' if bounds else text


def format_day(time: str) -> str:
    """Return the day of a time (ISO 8601); the text itself where it is none."""
    try:
        return f"{datetime.fromisoformat(time):%Y-%m-%d}"
    except ValueError:
        return time


def format_age(age_s: float) -> str:
    """Return how long ago something was."""
    if age_s < 60:
        return "less than a minute ago"
    for unit, seconds in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if age_s >= seconds:
            count = int(age_s // seconds)
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return ""


def defuse_cell(value: Any) -> str:
    """Return a cell that no spreadsheet takes for a formula; numbers stay numbers."""
    if value is None:
        return ""
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list | tuple):
        value = "; ".join(map(str, value))
    text = str(value).replace("\x00", "")
    return f"'{text}" if text.lstrip(" \n").startswith(_FORMULA) else text


def table_as_csv(rows: Iterable[TableRow], columns: Sequence[str] = tuple(ROW_COLUMNS)) -> str:
    """Return rows as CSV with every column of the published table."""
    out = io.StringIO()
    # All in quotes: where a spreadsheet parts cells by semicolons, one within a text begins no cell of its own.
    writer = csv.writer(out, lineterminator="\r\n", quoting=csv.QUOTE_ALL)
    writer.writerow(columns)
    for row in rows:
        line = encode_row(row)
        writer.writerow([defuse_cell(line.get(name)) for name in columns])
    return out.getvalue()
