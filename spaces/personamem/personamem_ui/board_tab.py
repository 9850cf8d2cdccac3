"""The leaderboard: the components, and what happens when they are used."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import gradio as gr

from hub_toolkit.leaderboard.rank import TableRow
from personamem_ui.board_format import table_as_csv
from personamem_ui.board_plots import render_plots
from personamem_ui.board_render import describe_column, is_digest, render_age, render_pinned, render_table
from personamem_ui.board_row import render_comparison, render_row
from personamem_ui.board_scripts import DOWNLOAD_JS, ROW_JS, TABLE_JS
from personamem_ui.board_source import BoardSource, Snapshot
from personamem_ui.board_view import (
    COLUMNS,
    CONTEXTS,
    PAGE_ROWS,
    SIZES,
    TIERS,
    TYPE_PREFIX,
    UNKNOWN_SIZE,
    View,
    column_choices,
    select_rows,
    table_rows,
    type_names,
)
from personamem_ui.published import render_published
from personamem_ui.row_form import RowForm, create_row_form, wire_row_form

BOARD_STYLE = Path(__file__).with_name("board.css")
TICK_S, REHEARSAL_TICK_S = 60, 10
MAX_FILTER_CHARACTERS = 100


@dataclass(frozen=True)
class BoardTab:
    """The components whose events are wired below."""

    source: BoardSource
    state: gr.State
    seen: gr.State
    timer: gr.Timer
    age: gr.HTML
    refresh: gr.Button
    column: gr.Dropdown
    task: gr.Radio
    text: gr.Textbox
    contexts: gr.Dropdown
    tiers: gr.Dropdown
    sizes: gr.Dropdown
    licences: gr.Dropdown
    shown: gr.Dropdown
    types: gr.Dropdown
    pinned: gr.HTML
    table: gr.HTML
    download: gr.Button
    csv: gr.Textbox
    row: gr.HTML
    form: RowForm
    other: gr.Dropdown
    comparison: gr.HTML
    plots: gr.HTML

    @property
    def filters(self) -> list[Any]:
        """What narrows the rows, in the order in which `read_view` takes it."""
        return [
            *(self.column, self.task, self.text, self.contexts, self.tiers, self.sizes, self.licences),
            *(self.shown, self.types),
        ]

    @property
    def choices(self) -> list[Any]:
        """The filters whose choices follow the table."""
        return [self.column, self.licences, self.types]

    @property
    def drawn(self) -> list[Any]:
        """What a filter changes at once; the plots follow."""
        return [self.state, self.age, self.pinned, self.table]

    @property
    def opened(self) -> list[Any]:
        """What an opened row fills."""
        return [self.row, self.form.fields, self.other, self.comparison]

    @property
    def ticked(self) -> list[Any]:
        """What may change by itself; the age, which comes first, always does."""
        return [*self.drawn[1:], *self.choices, *self.opened, self.plots, self.seen]


def create_board_tab(source: BoardSource) -> BoardTab:
    """Lay out the leaderboard. It is filled when a page is opened, so that nobody waits for the Hub at the start."""
    parts: dict[str, Any] = {"source": source, "state": gr.State(View(column=source.board.column))}
    parts["seen"] = gr.State("")  # the commit of the table that this page was opened with, or that came by itself
    parts["timer"] = gr.Timer(REHEARSAL_TICK_S if source.is_rehearsal else TICK_S)
    gr.HTML("<h3>Leaderboard</h3>", apply_default_css=False)
    with gr.Row(elem_classes="pm-age-row"):
        parts["age"] = gr.HTML(
            '<p class="pm-age pm-waiting" role="status">Reading the table …</p>', apply_default_css=False
        )
        parts["refresh"] = gr.Button("Refresh", size="sm", scale=0, min_width=110, elem_id="pm-board-refresh")
    parts |= _create_filters(source)
    parts["pinned"] = gr.HTML(apply_default_css=False)
    parts["table"] = gr.HTML(apply_default_css=False, elem_id="pm-board-table", js_on_load=TABLE_JS)
    with gr.Row(elem_classes="pm-actions"):
        parts["download"] = gr.Button(
            "Download these rows (CSV)", size="sm", scale=0, min_width=220, elem_id="pm-board-csv"
        )
        parts["csv"] = gr.Textbox(visible=False)
    parts["row"] = gr.HTML(apply_default_css=False, elem_id="pm-board-row", js_on_load=ROW_JS)
    parts["form"] = create_row_form(source)
    parts["other"] = gr.Dropdown(
        [], value=None, label="Compare this row with", visible=False, elem_id="pm-board-other",
        info="Paired: on the same questions, clustered by persona.",
    )  # fmt: skip
    parts["comparison"] = gr.HTML(apply_default_css=False, elem_id="pm-board-comparison")
    parts["plots"] = gr.HTML(apply_default_css=False, elem_id="pm-board-plots")
    gr.HTML("<h4>Published by others</h4>", apply_default_css=False)
    gr.HTML(render_published(), apply_default_css=False, elem_id="pm-board-published")
    return BoardTab(**parts)


def _create_filters(source: BoardSource) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    own = [board.column for board in source.boards]
    with gr.Row(equal_height=False):
        parts["column"] = gr.Dropdown(
            own, value=own[0], label="Table: dataset, split and protocol", elem_id="pm-board-column", scale=3,
            min_width=260, filterable=False,
        )  # fmt: skip
        parts["task"] = gr.Radio(
            [("Multiple choice", "mcq"), ("Open answers", "open")], value="mcq", label="Track", elem_id="pm-board-task",
            scale=2, min_width=240,
        )  # fmt: skip
        parts["text"] = gr.Textbox(
            label="Search", placeholder="Name, model or sender", max_length=MAX_FILTER_CHARACTERS, max_lines=1,
            elem_id="pm-board-search", scale=2, min_width=200,
        )  # fmt: skip
    with gr.Accordion("Filters and columns", open=False, elem_id="pm-board-filters"):
        with gr.Row(equal_height=False):
            parts["contexts"] = _choose("Reads", [(title, key) for key, title in CONTEXTS.items()], "contexts")
            parts["tiers"] = _choose("Standing", [(title, key) for key, title in TIERS.items()], "tiers")
            parts["sizes"] = _choose("Size", [*SIZES, UNKNOWN_SIZE], "sizes")
            parts["licences"] = _choose("Licence", [], "licences")
        with gr.Row(equal_height=False):
            columns = [(column.title, column.key) for column in COLUMNS]
            parts["shown"] = _choose("Columns", columns, "shown", value=list(View().shown))
            parts["types"] = _choose("Columns by type of question", [], "types")
    return parts


def _choose(label: str, choices: Sequence[Any], name: str, *, value: list[str] | None = None) -> gr.Dropdown:
    return gr.Dropdown(
        list(choices), value=value or [], multiselect=True, label=label, min_width=200, elem_id=f"pm-board-{name}"
    )


def read_view(view: View, values: Sequence[Any]) -> View:
    """Return the view that the filters' values say; what is open stays open."""
    column, task, text, contexts, tiers, sizes, licences, shown, types = values
    is_same = (column, task) == (view.column, view.task)
    wanted = replace(
        view,
        column=str(column or view.column),
        task="open" if task == "open" else "mcq",
        text=str(text or "")[:MAX_FILTER_CHARACTERS],
        contexts=tuple(contexts or ()),
        tiers=tuple(tiers or ()),
        sizes=tuple(sizes or ()),
        licences=tuple(licences or ()),
        shown=(*(shown or ()), *(f"{TYPE_PREFIX}{name}" for name in types or ())),
        limit=PAGE_ROWS,
    )
    return wanted if is_same else replace(wanted, opened="", other="")


def draw(tab: BoardTab, view: View, snapshot: Snapshot) -> list[Any]:
    """Return what `tab.drawn` shows."""
    selection = select_rows(snapshot.rows, view)
    return [
        view,
        render_age(snapshot, describe_hub(tab.source)),
        render_pinned(next((board for board in tab.source.boards if board.column == view.column), None)),
        render_table(selection, view, snapshot),
    ]


def draw_opened(tab: BoardTab, view: View, snapshot: Snapshot) -> list[Any]:
    """Return what `tab.opened` shows: a row's page, what it can be compared with, and the comparison."""
    row = snapshot.find(view.opened)
    if row is None:
        return ["", gr.update(visible=False), gr.update(visible=False, value=None), ""]
    others = compare_choices(row, snapshot)
    known = view.other if view.other in {digest for _, digest in others} else None
    other = snapshot.find(known) if known else None
    return [
        render_row(row, tab.source, snapshot),
        gr.update(visible=tab.source.can_send),
        gr.update(visible=bool(others), choices=others, value=known),
        render_comparison(row, other, tab.source.boards) if other else "",
    ]


def compare_choices(row: TableRow, snapshot: Snapshot) -> list[tuple[str, str]]:
    """Return the rows that stand in one table with this one."""
    view = View(column=row["column"], task=row["task"])
    rows = [one for one in table_rows(snapshot.rows, view) if one["submission"] != row["submission"]]
    return [(f"{one['name']} ({one['submission'][:8]})", one["submission"]) for one in rows]


def draw_choices(tab: BoardTab, view: View, snapshot: Snapshot) -> list[Any]:
    """Return what `tab.choices` offer for the table as it stands."""
    rows = table_rows(snapshot.rows, view)
    columns = column_choices(snapshot.rows, [board.column for board in tab.source.boards])
    types = [(name.replace("_", " "), name) for name in type_names(rows)]
    return [
        gr.update(choices=[(describe_column(column), column) for column in columns], value=view.column),
        gr.update(choices=sorted({row["licence"] for row in rows} | set(view.licences))),
        gr.update(choices=types),
    ]


def describe_hub(source: BoardSource) -> str:
    """Return where the table comes from, in words."""
    if source.settings is None or source.repos is None:
        return "nowhere"
    host = "a Hub on this machine" if source.is_rehearsal else str(urlsplit(source.settings.hub_endpoint).hostname)
    return f"{source.repos.results.repo_id} on {host}"


def start_view(tab: BoardTab, wanted: str, snapshot: Snapshot) -> View:
    """Return the view of a page that was just opened; a link may name a submission."""
    view = View(column=tab.source.board.column)
    row = snapshot.find(wanted) if is_digest(wanted) else None
    return view if row is None else replace(view, column=row["column"], task=row["task"], opened=row["submission"])


class BoardEvents:
    """What happens when the leaderboard is used; it reads the table, and keeps nothing of a visitor."""

    def __init__(self, tab: BoardTab) -> None:
        self.tab, self.source = tab, tab.source

    async def _known(self) -> Snapshot:
        return await asyncio.to_thread(self.source.known)

    def _draw_all(self, view: View, snapshot: Snapshot) -> list[Any]:
        tab = self.tab
        return [*draw(tab, view, snapshot), *draw_choices(tab, view, snapshot), *draw_opened(tab, view, snapshot)]

    async def on_open(self, request: gr.Request) -> list[Any]:
        """Fill the table of a page that was just opened."""
        snapshot = await asyncio.to_thread(self.source.read)
        view = start_view(self.tab, str(request.query_params.get("submission") or ""), snapshot)
        return [*self._draw_all(view, snapshot), view.task, snapshot.sha or ""]

    async def on_refresh(self, view: View) -> list[Any]:
        """Read the table anew."""
        return self._draw_all(view, await asyncio.to_thread(self.source.refresh))

    async def on_tick(self, view: View, seen: str) -> list[Any]:
        """Say again how old the table is; an old one is read anew on the way, and drawn where it has changed."""
        snapshot = await asyncio.to_thread(self.source.read)
        await asyncio.to_thread(self.source.catch_up)
        sha = snapshot.sha or ""
        if sha == seen:
            age = render_age(snapshot, describe_hub(self.source))
            return [age, *(gr.skip() for _ in self.tab.ticked[1:])]
        _, *drawn = self._draw_all(view, snapshot)  # the view stays: a filter may be under way
        plots = await asyncio.to_thread(lambda: render_plots(select_rows(snapshot.rows, view).rows))
        return [*drawn, plots, sha]

    async def on_filter(self, view: View, *values: Any) -> list[Any]:
        """Show other rows; what is open and what can be chosen changes only with the table."""
        snapshot, now = await self._known(), read_view(view, values)
        if (now.column, now.task) != (view.column, view.task):
            return self._draw_all(now, snapshot)
        return [*draw(self.tab, now, snapshot), *(gr.skip() for _ in [*self.tab.choices, *self.tab.opened])]

    async def on_plots(self, view: View) -> str:
        """Draw the plots of the rows on show."""
        snapshot = await self._known()
        return await asyncio.to_thread(lambda: render_plots(select_rows(snapshot.rows, view).rows))

    async def on_table(self, view: View, event: gr.EventData) -> list[Any]:
        """Sort, show more rows, or open a row."""
        said = {name: str(event._data.get(name) or "") for name in ("sort", "row", "more")}
        snapshot, now = await self._known(), _clicked(view, said)
        opened = [*draw_opened(self.tab, now, snapshot), *self.tab.form.emptied]
        if not said["row"]:
            opened = [gr.skip() for _ in opened]
        return [now, _draw_table(now, snapshot), *opened]

    async def on_close(self, view: View) -> list[Any]:
        """Close the row that is open."""
        snapshot, now = await self._known(), replace(view, opened="", other="")
        return [now, _draw_table(now, snapshot), *draw_opened(self.tab, now, snapshot), *self.tab.form.emptied]

    async def on_other(self, view: View, digest: str | None) -> list[Any]:
        """Compare the open row with another."""
        snapshot, now = await self._known(), replace(view, other=str(digest or ""))
        row, other = snapshot.find(now.opened), snapshot.find(now.other)
        if row is None or other is None:
            return [now, ""]
        return [now, await asyncio.to_thread(render_comparison, row, other, self.source.boards)]

    async def on_download(self, view: View) -> str:
        """Return all rows that the filters leave, as CSV."""
        return table_as_csv(select_rows((await self._known()).rows, view).rows)


def wire_board_tab(tab: BoardTab, page: gr.Blocks) -> None:
    """Connect the events; `page` is the whole page, at whose opening the table is read."""
    events = BoardEvents(tab)
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    quick: dict[str, Any] = {**quiet, "queue": False}
    everything = [*tab.drawn, *tab.choices, *tab.opened]
    drawn = [
        page.load(events.on_open, None, [*everything, tab.task, tab.seen], **quick),
        tab.refresh.click(events.on_refresh, [tab.state], everything, **quiet),
    ]
    tab.timer.tick(events.on_tick, [tab.state, tab.seen], tab.ticked, **quick)
    chosen = [part.input for part in tab.filters if part is not tab.text]
    # A text that is pasted or filled in by a program is a change, and not always an input.
    drawn += [
        trigger(events.on_filter, [tab.state, *tab.filters], everything, trigger_mode="always_last", **quick)
        for trigger in (*chosen, tab.text.change)
    ]
    for event in drawn:
        event.success(events.on_plots, [tab.state], [tab.plots], trigger_mode="always_last", **quick)
    clicked = [tab.state, tab.table, *tab.opened, *tab.form.planned]
    tab.table.click(events.on_table, [tab.state], clicked, trigger_mode="multiple", **quick)
    tab.row.click(events.on_close, [tab.state], clicked, **quick)
    wire_row_form(tab.form, tab.source, tab.state, everything, events.on_refresh)
    tab.other.input(events.on_other, [tab.state, tab.other], [tab.state, tab.comparison], **quiet)
    prepared = tab.download.click(events.on_download, [tab.state], [tab.csv], **quick)
    prepared.success(None, [tab.csv], [tab.csv], js=DOWNLOAD_JS, show_progress="hidden", api_visibility="private")


def _clicked(view: View, said: dict[str, str]) -> View:
    """Return the view after a click in the table; a second click on an open row closes it."""
    if said["sort"]:
        return view.sort_by(said["sort"])
    if said["more"]:
        return replace(view, limit=view.limit + PAGE_ROWS)
    if is_digest(said["row"]):
        return replace(view, opened="" if said["row"] == view.opened else said["row"], other="")
    return view


def _draw_table(view: View, snapshot: Snapshot) -> str:
    return render_table(select_rows(snapshot.rows, view), view, snapshot)
