"""The leaderboard's table and the words around it as HTML: pure functions, everything from others goes through `e`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hub_toolkit.leaderboard.board import Board
from hub_toolkit.leaderboard.rank import TableRow
from personamem_ui.board_format import e, format_age, format_cell
from personamem_ui.board_source import NOT_SET_UP, Snapshot
from personamem_ui.board_view import PAGE_ROWS, Column, Selection, View, all_columns

_NUMBERS = ("share", "signed", "count", "money", "size")


def render_age(snapshot: Snapshot, source_name: str) -> str:
    """Say how old the table is, and why it is no newer."""
    if snapshot.error == NOT_SET_UP:
        return f'<p class="pm-age" role="status">{e(NOT_SET_UP)}</p>'
    waiting = ""
    if snapshot.num_waiting:
        are = "submissions wait" if snapshot.num_waiting > 1 else "submission waits"
        waiting = f" {snapshot.num_waiting} {are} for scoring."
    if snapshot.age_s is None:
        return _alert("The leaderboard cannot be read, and there is no earlier copy.", snapshot.error)
    age = format_age(snapshot.age_s)
    if snapshot.error:
        said = f"This is the last good copy, read {age}. The Hub could not be read just now."
        return _alert(said, snapshot.error) + (f'<p class="pm-age">{waiting}</p>' if waiting else "")
    commit = f" at commit <code>{e(snapshot.sha[:12])}</code>" if snapshot.sha else ""
    return f'<p class="pm-age" role="status">Read from {e(source_name)}{commit} {age}.{waiting}</p>'


def _alert(text: str, error: str | None) -> str:
    why = f' <span class="pm-why">{e(error)}</span>' if error else ""
    return f'<div class="pm-alert" role="status"><strong>{e(text)}</strong>{why}</div>'


def render_table(selection: Selection, view: View, snapshot: Snapshot) -> str:
    """Return the table, or what to do where it is empty."""
    if not selection.num_all:
        return _render_empty(snapshot)
    if not selection.rows:
        return (
            f'<p class="pm-count" role="status">0 of {selection.num_all:,} rows</p>'
            '<div class="pm-empty pm-board-empty"><p>No row matches these filters. Clear some of them.</p></div>'
        )
    columns = all_columns(view.shown)
    shown = selection.rows[: view.limit]
    head = "".join(_render_head(column, view) for column in columns)
    body = "".join(_render_row(row, columns, selection, view) for row in shown)
    caption = f"{e(describe_column(view.column))}, {_TASKS[view.task]}"
    return (
        f'<p class="pm-count" role="status">{_count(selection)}</p>'
        f'<div class="pm-scroll" tabindex="0" role="region" aria-label="Leaderboard table">'
        f'<table class="pm-board"><caption>{caption}</caption><thead><tr><th scope="col" class="is-number">'
        f'<span title="by accuracy, among all rows of this table">#</span></th><th scope="col">System</th>{head}</tr>'
        f"</thead><tbody>{body}</tbody></table></div>{_render_more(selection, view)}"
    )


_TASKS = {"mcq": "multiple choice", "open": "open answers"}


def describe_column(column: str) -> str:
    """Return what stands in one table, in words."""
    return column or "no table chosen"


def _count(selection: Selection) -> str:
    shown = len(selection.rows)
    if shown == selection.num_all:
        return f"{shown:,} {'row' if shown == 1 else 'rows'}"
    return f"{shown:,} of {selection.num_all:,} rows"


def _render_empty(snapshot: Snapshot) -> str:
    if snapshot.age_s is None:
        return '<div class="pm-empty pm-board-empty"><p>There is no table to show.</p></div>'
    waiting = (
        "<p>Some submissions are being scored; the first row appears when that is done.</p>"
        if snapshot.num_waiting
        else ""
    )
    return (
        '<div class="pm-empty pm-board-empty"><p><strong>Nobody has submitted to this table yet.</strong></p>'
        f"{waiting}<p>Run <code>personamem eval run</code> on its questions and send the outputs: in the tab "
        "<em>Submit</em>, or with <code>personamem leaderboard submit RUN</code>. Every score is computed here from "
        "the raw outputs, and no example rows are shown.</p></div>"
    )


def _render_head(column: Column, view: View) -> str:
    is_sorted = column.key == view.sort
    state = ("ascending" if view.is_rising else "descending") if is_sorted else "none"
    arrow = (" ▲" if view.is_rising else " ▼") if is_sorted else ""
    number = ' class="is-number"' if column.kind in _NUMBERS else ""
    title = f' title="{e(column.hint)}"' if column.hint else ""
    return (
        f'<th scope="col"{number} aria-sort="{state}"><button type="button" class="pm-sort" '
        f'data-sort="{e(column.key)}"{title}>{e(column.title)}<span aria-hidden="true">{arrow}</span></button></th>'
    )


def _render_row(row: TableRow, columns: Sequence[Column], selection: Selection, view: View) -> str:
    digest = row["submission"]
    place = selection.places.get(digest)
    cells = "".join(
        f'<td class="is-number">{format_cell(column, row)}</td>'
        if column.kind in _NUMBERS
        else f"<td>{_render_text(column, row)}</td>"
        for column in columns
    )
    is_open = digest == view.opened
    return (
        f'<tr{_open_class(is_open)}><td class="is-number">{place or "–"}</td><th scope="row"><button type="button" '
        f'class="pm-row-name" data-row="{e(digest)}" aria-expanded="{str(is_open).lower()}">{e(row["name"])}</button>'
        f'<span class="pm-model">{e(row["model"])}</span>{render_marks(row)}</th>{cells}</tr>'
    )


def _open_class(is_open: bool) -> str:
    return ' class="is-open"' if is_open else ""


def _render_text(column: Column, row: TableRow) -> str:
    text = format_cell(column, row)
    if column.key == "tier" and row["tier"] == "verified":
        return f'<span class="pm-flag is-new">✓ {text}</span>'
    return text


def render_marks(row: TableRow) -> str:
    """Return what a reader must know before believing a row."""
    marks = []
    if row["status"] == "pending_judges":
        marks.append('<span class="pm-flag is-changed">waits for judges</span>')
    if row["status"] == "disputed" or row.get("dispute"):
        marks.append('<span class="pm-flag is-removed">disputed</span>')
    if row.get("flags"):
        count = len(row["flags"])
        marks.append(f'<span class="pm-flag is-removed">⚑ {count} {"flag" if count == 1 else "flags"}</span>')
    if row.get("way") == "rehearsal":
        marks.append('<span class="pm-flag is-used">rehearsal</span>')
    return f'<span class="pm-marks">{"".join(marks)}</span>' if marks else ""


def _render_more(selection: Selection, view: View) -> str:
    left = len(selection.rows) - view.limit
    if left <= 0:
        return ""
    more = min(left, PAGE_ROWS)
    return (
        f'<p class="pm-more"><button type="button" class="pm-button" data-more="1">Show {more} more</button> '
        f"<span>{view.limit:,} of {len(selection.rows):,} are shown.</span></p>"
    )


def render_pinned(board: Board | None) -> str:
    """Say what every row of a table has in common."""
    if board is None:
        return '<p class="pm-small">The questions of this table are not open on this page.</p>'
    return (
        f'<p class="pm-small">Every row answers the same {len(board.samples):,} questions (ids '
        f"<code>{board.ids_digest[:12]}</code>) by protocol {e(board.protocol.name)}, version {board.protocol.version} "
        f"(<code>{board.protocol.digest[:12]}</code>). Rows of another dataset, revision or protocol stand in another "
        "table. What a sender claims is never read: outputs are parsed and scored here.</p>"
    )


def is_digest(text: str) -> bool:
    """Whether a text may be the digest of a submission, or its beginning."""
    return bool(re.fullmatch(r"[0-9a-f]{8,64}", text))
