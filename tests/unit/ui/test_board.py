"""The leaderboard's table, its row pages and downloads: what is shown, what is not mixed, and what cannot do harm."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import gradio as gr
import pytest

from hub_toolkit.errors import HubError
from hub_toolkit.hub.leaderboard.last_good import LoadedTable
from hub_toolkit.hub.leaderboard.store import BoardRepos
from hub_toolkit.leaderboard.board import Board, open_board
from hub_toolkit.leaderboard.flags import Flag
from hub_toolkit.leaderboard.rank import Receipt, TableRow, make_table_row
from hub_toolkit.leaderboard.score import score_submission
from hub_toolkit.leaderboard.submission import read_submission
from hub_toolkit.leaderboard.table_answers import compare_entries, marks_of, rows_of
from hub_toolkit.settings import load_settings
from personamem_ui import board_source
from personamem_ui.board_format import defuse_cell, table_as_csv
from personamem_ui.board_plots import render_plots
from personamem_ui.board_render import render_age, render_table
from personamem_ui.board_row import render_comparison, render_row
from personamem_ui.board_source import NOT_SET_UP, BoardSource, Snapshot
from personamem_ui.board_tab import BoardEvents, BoardTab
from personamem_ui.board_view import View, column_choices, select_rows, size_class, table_rows
from personamem_ui.published import load_published, render_published
from tests.unit.ui.conftest import ATTACK

ERROR = "cannot read dataset personamem/personamem-results: the connection failed"


@pytest.fixture(scope="module")
def board() -> Board:
    return open_board()


def files_of(board: Board, *, share: float, seed: int = 1, **said: Any) -> tuple[bytes, bytes]:
    """Predictions of which about `share` are right, and a description."""
    draw = random.Random(seed)
    lines = []
    for number, (sample_id, question) in enumerate(board.questions.items()):
        choice = question.gold if draw.random() < share else draw.choice("ABCD")
        line = {"sample_id": sample_id, "output": f"Final Answer: {choice}", "input_tokens": 2000, "output_tokens": 9}
        lines.append(json.dumps(line if number else {**line, "output": "I cannot say"}))
    meta = {
        "name": "A system",
        "model": "some/model",
        "revision": "a" * 40,
        "dataset": board.dataset,
        "dataset_revision": board.revision,
        "protocol": "v1",
        "task": "mcq",
        "context": "memory",
        "harness": "own 1.0",
        "licence": "mit",
        "contact": "someone",
        "parameters_b": 4.0,
        "cost_usd": 1.24,
        **said,
    }
    return ("\n".join(lines) + "\n").encode(), json.dumps(meta).encode()


def make_row(board: Board, *, share: float, seed: int = 1, **said: Any) -> TableRow:
    submission = read_submission(*files_of(board, share=share, seed=seed, **said), board)
    flags = [Flag("same_choices", "every choice is another's")] if said.get("name") == "Copy" else []
    receipt = Receipt("carol", "2026-11-20T10:00:00Z", "form")
    return make_table_row(submission, score_submission(submission, board), board, receipt, flags)


@pytest.fixture(scope="module")
def rows(board: Board) -> list[TableRow]:
    return [
        make_row(board, share=0.9, seed=1, name="Good", context="memory", licence="mit", parameters_b=4),
        make_row(board, share=0.3, seed=2, name="Weak", context="32k", licence="apache-2.0", parameters_b=70),
        make_row(board, share=0.6, seed=3, name="Copy", context="rag", licence="mit", parameters_b=None),
    ]


def view_of(board: Board, **wanted: Any) -> View:
    return View(column=board.column, **wanted)


def test_rows_of_another_protocol_or_task_never_stand_in_the_same_table(board: Board, rows: list[TableRow]) -> None:
    strangers = [{**rows[0], "column": "other@1 · benchmark · v1.1"}, {**rows[0], "task": "open"}]
    withdrawn = {**rows[0], "status": "withdrawn"}
    assert table_rows([*rows, *strangers, withdrawn], view_of(board)) == rows
    assert column_choices([*rows, *strangers], [board.column]) == [board.column, strangers[0]["column"]]


def test_filters_narrow_and_places_stay_those_of_the_whole_table(board: Board, rows: list[TableRow]) -> None:
    wanted = {
        "contexts": ("rag",),
        "licences": ("apache-2.0",),
        "sizes": ("up to 4 B",),
        "text": "wEa",
        "tiers": ("verified",),
    }
    found = {key: select_rows(rows, view_of(board, **{key: value})) for key, value in wanted.items()}
    assert {key: [row["name"] for row in one.rows] for key, one in found.items()} == {
        "contexts": ["Copy"],
        "licences": ["Weak"],
        "sizes": ["Good"],
        "text": ["Weak"],
        "tiers": [],
    }
    assert found["text"].places[rows[1]["submission"]] == 3
    assert (found["text"].num_all, size_class(rows[2])) == (3, "not said")


def test_sorting_turns_round_and_what_was_not_measured_stays_last(board: Board, rows: list[TableRow]) -> None:
    view = view_of(board).sort_by("size")
    names = [row["name"] for row in select_rows(rows, view).rows]
    assert names == ["Good", "Weak", "Copy"]
    assert [row["name"] for row in select_rows(rows, view.sort_by("size")).rows] == ["Weak", "Good", "Copy"]
    assert view.sort_by("no such column") == view


def test_the_table_shows_figures_with_intervals_flags_and_failures(board: Board, rows: list[TableRow]) -> None:
    view = view_of(board, shown=("accuracy", "tokens", "cost", "troubled", "type:neutral_preferences"))
    html = render_table(select_rows(rows, view), view, Snapshot(tuple(rows), age_s=1.0))
    first = select_rows(rows, view).rows[0]
    assert f"{100 * first['accuracy']:.1f} %" in html
    assert f"{100 * first['accuracy_low']:.1f}–{100 * first['accuracy_high']:.1f}" in html
    assert "Neutral preferences" in html
    assert "2,009" in html
    assert "10.00" in html
    assert "⚑ 1 flag" in html
    assert 'aria-sort="descending"' in html


def test_an_empty_table_says_how_to_submit_and_shows_no_rows(board: Board) -> None:
    view = view_of(board)
    html = render_table(select_rows([], view), view, Snapshot(age_s=3.0, num_waiting=2))
    assert "personamem leaderboard submit" in html
    assert "being scored" in html
    assert "<tr" not in html


def test_the_age_of_the_data_and_the_error_are_said(rows: list[TableRow]) -> None:
    stale = render_age(Snapshot(tuple(rows), age_s=7300.0, error=ERROR), "here")
    assert "last good copy, read 2 hours ago" in stale
    assert ERROR in stale
    assert "no earlier copy" in render_age(Snapshot(error=ERROR), "here")
    assert "3 submissions wait" in render_age(Snapshot(age_s=400.0, sha="f" * 40, num_waiting=3), "here")
    assert NOT_SET_UP in render_age(BoardSource(()).read(), "here")


def test_nothing_that_others_wrote_becomes_markup(board: Board, rows: list[TableRow]) -> None:
    fields = ("name", "model", "submitter", "licence", "notes", "contact", "harness", "revision", "time", "url")
    bad = {**rows[0], **dict.fromkeys(fields, ATTACK), "flags": [ATTACK], "dispute": {"who": ATTACK, "reason": ATTACK}}
    bad |= {
        "by_type": {ATTACK: {"value": 0.5, "low": 0.1, "high": 0.9, "n": 3}},
        "verified": {"who": ATTACK, "gap": ATTACK},
    }
    log = ({"submission": bad["submission"], "kind": ATTACK, "who": ATTACK, "time": ATTACK, "reason": ATTACK},)
    snapshot = Snapshot((bad, rows[1]), log, age_s=1.0, error=ATTACK)
    view = view_of(board, shown=("accuracy", "licence", "submitter", "time", f"type:{ATTACK}"))
    page = "".join(
        (
            render_table(select_rows(snapshot.rows, view), view, snapshot),
            render_row(bad, BoardSource((board,)), snapshot),
            render_plots([bad]),
            render_age(snapshot, ATTACK),
            render_comparison(bad, rows[1], (board,)),
        )
    )
    assert "<img" not in page
    assert "<script" not in page
    assert 'href="javascript' not in page
    assert "&lt;script&gt;" in page


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "\n=1", "\uff1d1+1"])
def test_a_cell_is_never_a_formula(text: str) -> None:
    assert defuse_cell(text) == f"'{text}"


def test_the_download_holds_every_row_and_numbers_stay_numbers(rows: list[TableRow]) -> None:
    bad = [{**row, "name": "=HYPERLINK(1)", "notes": 'a "quoted", note;=1+1'} for row in rows]
    found = list(csv.DictReader(io.StringIO(table_as_csv(bad))))
    assert [row["submission"] for row in found] == [row["submission"] for row in rows]
    assert {row["name"] for row in found} == {"'=HYPERLINK(1)"}
    assert float(found[0]["accuracy"]) == rows[0]["accuracy"]
    assert all(not value.startswith(("=", "+", "@")) for row in found for value in row.values())


def test_a_comparison_from_the_table_is_that_of_the_scored_rows(board: Board, rows: list[TableRow]) -> None:
    good, weak = rows[0], rows[1]
    found = compare_entries(weak, good, (board,))
    assert found["overall"]["a"] == pytest.approx(weak["accuracy"])
    assert found["overall"]["b"] == pytest.approx(good["accuracy"])
    assert "Good is better than Weak" in render_comparison(weak, good, (board,))
    assert sum(row.answer.status == "unparsed" for row in rows_of(good, (board,))) == 1


def test_rows_that_do_not_compare_say_why(board: Board, rows: list[TableRow]) -> None:
    assert "same questions" in render_comparison(rows[0], {**rows[1], "column": "x"}, (board,))
    assert "holds no answers" in render_comparison({**rows[0], "choices": ""}, rows[1], (board,))
    assert "not open here" in render_comparison(*({**row, "column": "x"} for row in rows[:2]), (board,))


def test_open_answers_compare_by_what_their_judges_said(board: Board, rows: list[TableRow]) -> None:
    def judged(marks: str, judges: str = "j1, j2") -> TableRow:
        name = f"Marked {marks[:4]}"
        return {**rows[0], "task": "open", "choices": marks, "judges": judges, "name": name, "status": "scored"}

    count = len(board.samples)
    right, wrong, some = judged("1" * count), judged("0" * count), judged(("1!?0" * count)[:count])
    assert compare_entries(wrong, right, (board,))["overall"]["difference"] == 1.0
    statuses = [row.answer.status for row in rows_of(some, (board,))][:4]
    assert statuses == ["scored", "failed", "unscored", "scored"]
    assert marks_of(rows_of(some, (board,))) == some["choices"]
    assert "is better than" in render_comparison(wrong, right, (board,))
    assert "different judges" in render_comparison(wrong, judged("1" * count, "j3"), (board,))
    waiting = {**right, "choices": "", "status": "pending_judges"}
    assert "waits for judges" in render_comparison(wrong, waiting, (board,))


def test_a_rerun_is_told_in_words_and_one_that_scored_less_verifies_nothing(board: Board, rows: list[TableRow]) -> None:
    found = {"who": "maintainer", "rerun_accuracy": 0.61, "excess": 0.2, "gap": 0.055, "is_borne_out": True}
    for tier, title in (("verified", "Verified by"), ("recomputed", "scored less")):
        row = {**rows[0], "tier": tier, "verified": found}
        page = render_row(row, BoardSource((board,)), Snapshot((row,)))
        assert all(words in page for words in (title, "61.0 %", "+20.0 points", "+5.5 points", "maintainer"))
        view = view_of(board, shown=("accuracy", "gap"))
        assert "+5.5" in render_table(select_rows((row,), view), view, Snapshot((row,)))
    assert "Not verified" in render_row(rows[0], BoardSource((board,)), Snapshot((rows[0],)))


def test_published_figures_have_sources_and_stand_apart(board: Board, rows: list[TableRow]) -> None:
    figures, sources = load_published()
    assert {figure.source for figure in figures} == set(sources)
    by_name = {figure.system: figure for figure in figures}
    assert (by_name["Agentic memory, Qwen3-4B"].mcq, by_name["Agentic memory, Qwen3-4B"].open) == (55.2, 60.7)
    assert (by_name["GPT-5-Chat"].mcq, by_name["GPT-5-Chat"].open) == (45.6, 46.2)
    assert "Not comparable" in render_published()
    view = view_of(board)
    table = render_table(select_rows(rows, view), view, Snapshot(tuple(rows), age_s=1.0))
    assert not any(figure.system in table for figure in figures)


def test_a_digest_finds_its_row_only_where_it_is_long_enough(rows: list[TableRow]) -> None:
    snapshot = Snapshot(tuple(rows), age_s=1.0)
    digest = rows[0]["submission"]
    assert snapshot.find(digest[:8]) == rows[0]
    assert snapshot.find(digest[:7]) is None


def test_a_thousand_rows_are_drawn_in_pieces(board: Board, rows: list[TableRow]) -> None:
    many = [{**rows[n % 3], "submission": f"{n:064x}", "name": f"System {n}"} for n in range(1000)]
    view = view_of(board)
    start = time.perf_counter()
    html = render_table(select_rows(many, view), view, Snapshot(tuple(many), age_s=1.0))
    print(f"1,000 rows: {1000 * (time.perf_counter() - start):.0f} ms, {len(html) / 1024:.0f} KB")
    assert html.count("<tr") == 51
    assert "Show 50 more" in html
    assert render_table(select_rows(many, view), replace(view, limit=1000), Snapshot(age_s=1.0)).count("<tr") == 1001


class Door:
    """A lock that says when 20 more than the first have come to it."""

    def __init__(self, lock: threading.Lock) -> None:
        self.lock, self.crowd, self.come = lock, threading.Event(), list[int]()

    def __enter__(self) -> None:
        self.come.append(1)
        if len(self.come) >= 21:
            self.crowd.set()
        self.lock.acquire()

    def __exit__(self, *_: object) -> None:
        self.lock.release()


def test_many_senders_share_a_pass_and_each_is_scored(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    sent, scored, passes = list[int](), set[int](), list[int]()

    def process(*_: object) -> None:
        seen = list(sent)
        scored.update(seen)
        passes.append(len(seen))

    monkeypatch.setattr(board_source, "process_pending", process)
    source = BoardSource((board,), cast(Any, object()), BoardRepos.of("personamem"))

    def send(number: int) -> bool:
        sent.append(number)
        return source.work() is None and number in scored

    source._working = cast(Any, Door(source._working))
    with ThreadPoolExecutor(20) as pool:
        with source._working:  # as if a pass were under way when they come
            answers = pool.map(send, range(20))
            assert source._working.crowd.wait(60)
        assert all(answers)
    assert len(passes) == 1
    monkeypatch.setattr(board_source, "process_pending", refuse)
    assert source.work() == "no right to write"


def refuse(*_: object) -> None:
    raise HubError("no right to write")


def test_an_open_page_follows_the_table_by_itself(board: Board, rows: list[TableRow]) -> None:
    """Whatever says how old the table is also shows that table; what has not changed is not drawn again."""
    shown = Snapshot(tuple(rows[:1]), age_s=9.0, sha="1" * 40)
    source = BoardSource((board,))
    source.read = lambda: shown  # type: ignore[method-assign]
    tab = cast(BoardTab, SimpleNamespace(source=source, ticked=range(12)))
    events, view = BoardEvents(tab), View(column=board.column)
    first = asyncio.run(events.on_tick(view, ""))
    assert len(first) == len(tab.ticked) and first[-1] == "1" * 40
    assert rows[0]["name"] in first[2] and "svg" in first[-2]
    again = asyncio.run(events.on_tick(view, first[-1]))
    assert "less than a minute" in again[0] and all(value == gr.skip() for value in again[1:])
    shown = Snapshot(tuple(rows), age_s=9.0, sha="2" * 40)
    assert rows[1]["name"] in asyncio.run(events.on_tick(view, first[-1]))[2]


def test_what_this_page_has_changed_is_in_the_table_that_it_shows_next(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where another visitor's reading was under way, or ended, while it was changed."""
    source = BoardSource((board,), cast(Any, object()), BoardRepos.of("personamem"), load_settings())
    reading, changed, read = threading.Event(), threading.Event(), list[str]()
    content = "old"

    def load(*_: object) -> LoadedTable:
        found = content
        reading.set()
        if not read:
            assert changed.wait(30)
        read.append(found)
        return LoadedTable([], [], age_s=0.0, is_live=True, sha=found)

    monkeypatch.setattr(board_source, "load_table", load)
    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(source.read)
        assert reading.wait(30)
        content = "new"
        source.expire()
        mine = pool.submit(source.refresh)
        changed.set()
        assert mine.result(30).sha == "new" and slow.result(30).sha in ("old", "new")
    assert source.known().sha == "new" and read == ["old", "new"]
    assert source.refresh().sha == "new" and len(read) == 2  # read a moment ago
