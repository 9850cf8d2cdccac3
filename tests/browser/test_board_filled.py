"""A leaderboard of 1,000 rows: found, filtered, sorted, opened, compared and read, on a phone and a desk."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from benchmarks.page_board import make_rows, serve_board, time_page
from hub_toolkit.leaderboard import board
from hub_toolkit.leaderboard.rank import TableRow
from tests.browser.screenshots import keep_screenshot
from tests.browser.watched import Watched, check_look
from tests.conftest import require_extra
from tests.leaderboard_factory import dump_lines, gold, make_lines, make_meta
from tests.page_visitor import PageVisitor

NUM_ROWS = 1_000
ATTACK = (
    "hostile <script>window.hacked=1</script><img src=x onerror=window.hacked=1><svg onload=window.hacked=1>"
    "[x](javascript:window.hacked=1)</h4></table><iframe srcdoc='<script>parent.hacked=1</script>'>"
)
REMOTE = "<img src=http://127.0.0.2:9/spy.png>"
"""Asked for, it would be seen among the page's requests."""

HOSTILE: TableRow = {
    **dict.fromkeys(
        ("name", "model", "revision", "licence", "submitter", "contact", "notes", "harness"), ATTACK + REMOTE
    ),
    "url": 'https://x.example/"onmouseover="window.hacked=1',
    "flags": [ATTACK, REMOTE],
    "dispute": {"who": ATTACK, "time": ATTACK, "reason": ATTACK},
    "verified": {"who": ATTACK, REMOTE: ATTACK},
    "judges": ATTACK,
    "accuracy": 1.0,
    "accuracy_low": 1.0,
    "accuracy_high": 1.0,
    "by_type": {ATTACK: {"value": 1.0, "low": 1.0, "high": 1.0, "n": 9}},
}
"""What a results repo would hold that somebody else has written: the best row, so that the plots draw it too."""
TABLE = "#pm-board-table"
CUT_OFF = """[...document.querySelectorAll('#pm-board-plots svg text')]
  .filter((e) => e.getBBox().x + e.getBBox().width > e.ownerSVGElement.viewBox.baseVal.width)
  .map((e) => e.textContent)"""
OVERLAPPING = """[...document.querySelectorAll('.pm-compared thead th')]
  .filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.textContent)"""
ROWS = f"document.querySelectorAll('{TABLE} tbody tr').length"


@pytest.fixture(scope="module")
def filled_url(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:  # noqa: ARG001
    require_extra("rehearse", importlib.util.find_spec("starlette") is not None, "no Starlette")
    rows = make_rows(board.open_board(), NUM_ROWS)
    rows[-1] = {**rows[-1], **HOSTILE}
    with serve_board(tmp_path_factory.mktemp("filled"), rows) as (url, _):
        yield url


def open_board(seen: Watched, url: str) -> Any:
    seen.open(f"{url}?tab=leaderboard")
    seen.page.wait_for_selector(f"{TABLE} tbody tr")
    return seen.page


def open_row_and_compare(page: Any) -> None:
    page.click(f"{TABLE} [data-row] >> nth=1")
    page.wait_for_selector(".pm-row")
    page.click("#pm-board-other input")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector(".pm-comparison")


@pytest.mark.parametrize(("width", "scheme"), [(380, "dark"), (1440, "light")])
def test_a_filled_board_is_whole(
    filled_url: str, watch: Callable[..., Watched], axe: str, width: int, scheme: str
) -> None:
    """With a row and a comparison open: readable, named, drawn, nothing sticking out, no complaint of axe."""
    seen = watch(width, scheme)
    page = open_board(seen, filled_url)
    assert page.inner_text(f"{TABLE} .pm-count") == "1,000 rows"
    open_row_and_compare(page)
    page.wait_for_selector("#pm-board-plots svg >> nth=2")
    boxes = [page.locator("#pm-board-plots svg").nth(place).bounding_box() for place in range(3)]
    assert all(box["width"] > 250 and box["height"] > 100 for box in boxes), boxes
    written = page.evaluate("""Math.min(...[...document.querySelectorAll('#pm-board-plots svg text')]
        .map((e) => e.getBoundingClientRect().height))""")
    assert written >= 10, "the words in the plots are too small"
    assert page.evaluate(CUT_OFF) == [], "words in the plots are cut off"
    assert page.evaluate(OVERLAPPING) == [], "heads of the comparison run into each other"
    assert page.locator("#pm-board-plots circle").count() == 200  # the best 100, against tokens and over time
    assert page.locator(f"{TABLE} :text('GPT-5-Chat')").count() == 0
    assert page.locator("#pm-board-published :text('GPT-5-Chat')").count() == 1
    keep_screenshot(page, f"leaderboard-filled-{scheme}-{width}")
    check_look(page, axe, width=width, what="a filled leaderboard")
    assert seen.said == []


def test_rows_are_found_sorted_and_shown_piece_by_piece(filled_url: str, watch: Callable[..., Watched]) -> None:
    page = open_board(watch(), filled_url)
    assert page.evaluate(ROWS) == 50
    page.click("[data-more]")
    page.wait_for_function(f"{ROWS} === 100")
    page.focus("[data-sort=tokens]")
    page.keyboard.press("Enter")
    page.wait_for_selector("th[aria-sort=ascending] [data-sort=tokens]:focus")
    page.click("#pm-board-filters button")
    page.click("#pm-board-licences input")
    page.locator("[role=option]").filter(has_text="mit").first.click()
    page.wait_for_selector(f"{TABLE} .pm-count:has-text('333 of 1,000 rows')")
    page.fill("#pm-board-search :is(textarea, input)", "sender30")
    page.wait_for_function(f"{ROWS} === 11")  # of which every third has this licence, and all do here
    page.fill("#pm-board-search :is(textarea, input)", "nobody of this name")
    page.wait_for_selector(f"{TABLE} >> text=No row matches these filters")
    page.click("#pm-board-task >> text=Open answers")
    page.wait_for_selector(f"{TABLE} >> text=Nobody has submitted to this table yet")


def test_how_soon_it_follows_is_printed(filled_url: str, browser: Any) -> None:
    """Never a reason to fail; `benchmarks/page_board.py` compares it with a short table."""
    times = time_page(browser, filled_url, num_paints=1, num_filters=6)
    assert len(times.filters) == 6 and all(value > 0 for value in [*times.filters, *times.rows, *times.sortings])
    print(f"1,000 rows painted after {times.rows[0]:.0f} ms, a filter after {median(times.filters):.0f} ms")


def test_a_row_has_an_address_of_its_own(filled_url: str, watch: Callable[..., Watched]) -> None:
    page = open_board(watch(), filled_url)
    page.click(f"{TABLE} [data-row] >> nth=2")
    page.wait_for_selector(".pm-row")
    name = page.inner_text(".pm-row h4")
    page.goto(f"{filled_url}{page.get_attribute('.pm-row >> text=Link to this row', 'href')}")
    page.wait_for_selector(f".pm-row h4:text-is('{name}')")
    said = page.inner_text(".pm-row")
    assert all(words in said for words in ("Sent by", "Revision", "unparsed", "predictions.jsonl", "Dataset revision"))
    page.click("[data-close]")
    page.wait_for_selector(".pm-row", state="detached")


def test_a_hostile_row_stays_text_and_loads_nothing(filled_url: str, watch: Callable[..., Watched]) -> None:
    """Name, model, notes, flags, types and log of the best row are attacks: in table, page, plots and comparison."""
    seen = watch()
    page = open_board(seen, filled_url)
    page.click(f"{TABLE} [data-row] >> nth=0")
    page.wait_for_selector(".pm-row h4:has-text('hostile <script>')")
    page.click("#pm-board-other input")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector(".pm-comparison >> text=hostile <script>")
    page.wait_for_selector("#pm-board-plots .pm-keys >> text=hostile <script>")
    page.hover(".pm-row a[href^='https://x.example']")
    foreign = (
        page.locator("#pm-tab-leaderboard")
        .locator(".pm-board, .pm-row, .pm-plots, .pm-comparison, #pm-board-plots")
        .locator("script, img, iframe, [onerror], [onload], [onmouseover], a[href^='javascript']")
    )
    assert foreign.count() == 0
    assert page.evaluate("window.hacked") is None
    assert seen.hosts <= {"127.0.0.1", ""}


def test_bombs_and_markup_in_a_submission_are_refused_by_the_running_page(filled_url: str, tmp_path: Path) -> None:
    """By the API, which takes what the form takes; and one bomb by the form."""
    meta = json.loads(make_meta())
    bad = {
        "anchors": "a: &a [x, x]\nb: [*a, *a]\n",
        "tags": "name: !!python/object/apply:os.system [ls]\n",
        "nested too deeply": "[" * 8_000,
        "no YAML": "parameters_b: " + "9" * 15_000,
        "is no number": json.dumps({**meta, "parameters_b": float("inf")}),
        "parameters_b": json.dumps(meta)[:-1] + ', "parameters_b": 0x' + "f" * 15_000 + "}",
        "name holds markup": json.dumps({**meta, "name": "<b>x</b>"}),
        "contact holds markup": json.dumps({**meta, "contact": "[x](javascript:alert(1))"}),
        "url": json.dumps({**meta, "url": "http://169.254.169.254/latest/"}),
        "HTML": "",
    }
    lines = make_lines(gold)
    lines[0]["output"] = ATTACK
    with PageVisitor(filled_url) as visitor:
        for words, text in bad.items():
            predictions = dump_lines(lines if words == "HTML" else make_lines(gold)).decode()
            said = call(visitor, "validate_submission", [predictions, text or json.dumps(meta)])
            assert said["is_acceptable"] is False, words
            assert any(words in problem for problem in said["problems"]), (words, said["problems"])
        (tmp_path / "predictions.jsonl").write_bytes(dump_lines(make_lines(gold)))
        (tmp_path / "meta.yaml").write_text(bad["anchors"])
        for name, place in (("predictions.jsonl", "predictions"), ("meta.yaml", "meta")):
            visitor.values[visitor.component(f"pm-submit-{place}")] = visitor.upload(tmp_path / name)
        visitor.fire("pm-submit-check")
        assert "anchors" in visitor.values[visitor.component("pm-submit-result")]


def call(visitor: PageVisitor, name: str, data: list[Any]) -> Any:
    """Call a function of the API as a program does, and return what it returns."""
    begun = visitor.client.post(f"gradio_api/call/{name}", json={"data": data})
    answer = visitor.client.get(f"gradio_api/call/{name}/{begun.json()['event_id']}").text
    return json.loads(answer.partition("event: complete\ndata: ")[2])[0]
