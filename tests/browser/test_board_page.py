"""Leaderboard, form and API as visitors and programs meet them: a real browser, real clients, a Hub on this machine."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from hub_toolkit.leaderboard.board import Board, open_board
from tests.browser.conftest import ROOT, serve_page
from tests.browser.screenshots import keep_screenshot
from tests.browser.watched import Watched, check_look
from tests.conftest import require_extra
from tests.hub_server import HubServer
from tests.unit.ui.test_board import files_of

SECRET = "a-webhook-secret"
NAME = '=System one & "co"'
EXAMPLES = ROOT / "spaces" / "personamem" / "personamem_ui" / "examples"


@pytest.fixture(scope="module")
def board() -> Board:
    return open_board()


@pytest.fixture(scope="module")
def board_hub(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:  # noqa: ARG001
    """A Hub of this module alone: one test takes it away."""
    require_extra("rehearse", importlib.util.find_spec("starlette") is not None, "no Starlette")
    with HubServer(tmp_path_factory.mktemp("board-hub") / "hub") as hub:
        yield hub


@pytest.fixture(scope="module")
def board_url(board_hub: HubServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page with a leaderboard on that Hub, empty at first."""
    folder = tmp_path_factory.mktemp("board")
    settings = {"HF_ENDPOINT": board_hub.url, "HF_TOKEN": "hf_alice", "HF_HOME": str(folder / "client")}
    settings |= {"PERSONAMEM_LEADERBOARD": "personamem", "PERSONAMEM_WEBHOOK_SECRET": SECRET}
    with serve_page(folder / "cache", **settings) as url:
        yield url


def client_of(url: str) -> Any:
    from gradio_client import Client

    return Client(url, verbose=False)


def choose_files(page: Any, folder: Path, files: tuple[bytes, bytes]) -> None:
    for name, content, place in zip(("predictions.jsonl", "meta.yaml"), files, ("predictions", "meta"), strict=True):
        (folder / name).write_bytes(content)
        page.set_input_files(f"#pm-submit-{place} input[type=file]", str(folder / name))
        page.wait_for_selector(f"#pm-submit-{place} .file-preview, #pm-submit-{place} table")


def submit(page: Any, folder: Path, files: tuple[bytes, bytes], *, name: str) -> str:
    """Check and send two files by the form; return the digest of the receipt."""
    choose_files(page, folder, files)
    page.click("#pm-submit-check")
    page.wait_for_selector("#pm-submit-result .pm-result")
    page.fill("#pm-submit-name textarea, #pm-submit-name input", name)
    page.click("#pm-submit-send")
    page.wait_for_selector("#pm-submit-receipt >> text=It is scored")
    return str(page.inner_text("#pm-submit-receipt code"))


def test_an_honest_row_appears(board_url: str, board: Board, open_page: Callable[..., Any], tmp_path: Path) -> None:
    """From the empty table over a refused file to a row, its page, a comparison and a download."""
    page = open_page(board_url)
    page.click("#pm-tab-leaderboard-button")
    page.wait_for_selector("#pm-board-table >> text=Nobody has submitted to this table yet")
    page.click("#pm-tab-submit-button")
    page.wait_for_selector("#pm-submit-check")
    predictions, meta = files_of(board, share=0.9, seed=1, name=NAME)
    choose_files(page, tmp_path, (predictions.replace(b"}\n", b"}\nrubbish\n", 1), meta))
    page.click("#pm-submit-check")
    page.wait_for_selector("#pm-submit-result >> text=predictions.jsonl, line 2: broken JSON")
    assert page.is_disabled("#pm-submit-send")

    digest = submit(page, tmp_path, (predictions, meta), name="carol")
    submit(page, tmp_path, files_of(board, share=0.3, seed=2, name="Weak one"), name="dave")
    page.fill("#pm-submit-digest textarea, #pm-submit-digest input", digest[:12])
    page.click("#pm-submit-look")
    page.wait_for_selector("#pm-submit-status >> text=In the table.")

    page.goto(f"{board_url}?tab=leaderboard&submission={digest[:16]}")
    page.wait_for_selector(".pm-row >> text=carol (in a rehearsal")
    page.wait_for_function("document.querySelectorAll('#pm-board-table tbody tr').length === 2")
    assert "not comparable" in page.inner_text("#pm-board-published").casefold()
    page.click("#pm-board-other input")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector(".pm-comparison >> text=Weak one is worse than")
    page.fill("#pm-board-search textarea, #pm-board-search input", "weak")
    page.wait_for_function("document.querySelectorAll('#pm-board-table tbody tr').length === 1")
    page.fill("#pm-board-search textarea, #pm-board-search input", "")
    page.wait_for_function("document.querySelectorAll('#pm-board-table tbody tr').length === 2")
    page.click("[data-sort=accuracy]")
    page.wait_for_selector("th[aria-sort=ascending] [data-sort=accuracy]:focus")
    with page.expect_download() as download:
        page.click("#pm-board-csv")
    assert "'=System" in Path(download.value.path()).read_text("utf-8-sig")
    page.click("[data-close]")
    page.wait_for_selector(".pm-row", state="detached")


def test_programs_use_the_same_functions(board_url: str, board: Board) -> None:
    client = client_of(board_url)
    table = client.predict(api_name="/leaderboard")
    assert {row["name"] for row in table["rows"]} == {NAME, "Weak one"}
    assert "choices" not in table["rows"][0]
    good, weak = table["rows"]
    found = client.predict(good["submission"][:12], weak["submission"], api_name="/compare")
    assert found["overall"]["difference"] == pytest.approx(weak["accuracy"] - good["accuracy"])
    assert client.predict(good["submission"], api_name="/submission_status")["status"] == "scored"
    assert client.predict("0" * 64, api_name="/submission_status")["status"] == "unknown"
    predictions, meta = (part.decode() for part in files_of(board, share=0.5, seed=5, name="By a program"))
    assert client.predict(predictions, meta, api_name="/validate_submission")["is_acceptable"] is True
    scored = client.predict(predictions, meta, api_name="/score_predictions")
    assert scored["num_rows"] == len(board.samples)
    assert client.predict(api_name="/leaderboard")["num_rows"] == 2
    with pytest.raises(Exception, match="no digest"):
        client.predict("x", api_name="/submission_status")
    with pytest.raises(Exception, match="write a name first"):
        client.predict(predictions, meta, api_name="/submit")
    sent = client.predict(predictions, meta, "erin", api_name="/submit")
    assert sent["status"] == "received" and "is scored" in sent["note"]
    with pytest.raises(Exception, match="only erin, who sent it"):
        client.predict(sent["digest"], "not mine", "dave", api_name="/withdraw")
    gone = client.predict(sent["digest"][:12], "sent twice", "erin", api_name="/withdraw")
    assert (gone["status"], gone["reason"]) == ("withdrawn", "sent twice")
    assert client.predict(api_name="/leaderboard")["num_rows"] == 2


def test_a_row_is_disputed_and_withdrawn_on_its_page(
    board_url: str, board: Board, watch: Callable[..., Watched], axe: str
) -> None:
    """Nothing happens before the confirmation; the log then says who and why; only who sent a row withdraws it."""
    files = (part.decode() for part in files_of(board, share=0.5, seed=6, name="Doubtful"))
    digest = client_of(board_url).predict(*files, "frank", api_name="/submit")["digest"]
    seen = watch(380, "dark")
    seen.open(f"{board_url}?tab=leaderboard&submission={digest}")
    page = seen.page
    page.wait_for_selector(".pm-row h4:has-text('Doubtful')")
    page.click("#pm-row-acts button >> nth=0")

    def plan(act: str, *, who: str, reason: str, said: str) -> None:
        page.fill("#pm-row-who :is(textarea, input)", who)
        page.fill("#pm-row-reason :is(textarea, input)", reason)
        page.click(f"#pm-row-{act}")
        page.wait_for_selector(f"#pm-row-said [role=alert]:has-text('{said}')")

    plan("dispute", who="dave", reason="<b>wrong</b>", said="markup")
    plan("dispute", who="dave", reason="wrong figures", said="dave, “wrong figures”")
    page.wait_for_selector("#pm-row-confirm", state="visible")
    keep_screenshot(page, "leaderboard-dispute-dark-380")
    check_look(page, axe, width=380, what="a dispute")
    page.click("#pm-row-cancel")
    page.wait_for_selector("#pm-row-confirm", state="hidden")
    assert page.locator(".pm-row .pm-flag:has-text('disputed')").count() == 0
    plan("dispute", who="dave", reason="wrong figures", said="dave, “wrong figures”")
    page.click("#pm-row-confirm")
    page.wait_for_selector(".pm-row .pm-alert:has-text('wrong figures (dave')")
    page.click(".pm-row summary:has-text('Public log')")
    page.wait_for_selector(".pm-row .pm-log li:has-text('disputed by dave: wrong figures')")
    plan("withdraw", who="dave", reason="not mine", said="only frank, who sent it")
    plan("withdraw", who="frank", reason="sent too early", said="Withdraw Doubtful?")
    page.click("#pm-row-confirm")
    page.wait_for_selector("#pm-row-said >> text=has left the table")
    page.wait_for_selector(".pm-row", state="detached")
    page.wait_for_function("document.querySelectorAll('#pm-board-table tbody tr').length === 2")
    assert client_of(board_url).predict(digest, api_name="/submission_status")["status"] == "withdrawn"
    assert seen.said == []


def test_the_documented_examples_run(board_url: str, tmp_path: Path) -> None:
    """Those of the tab About and that of the documentation, as they stand, against the running page."""
    require_extra("space", importlib.util.find_spec("mcp") is not None, "no MCP: pip install 'gradio[mcp]'")
    written = (ROOT / "docs" / "page.md").read_text("utf-8").split("```python\n")[1].split("```")[0]
    (tmp_path / "written.py").write_text(written.replace("http://127.0.0.1:7860", board_url))
    env = {"PAGE": board_url.rstrip("/"), "PATH": "/usr/bin:/bin", "NO_PROXY": "127.0.0.1"}
    commands = {
        "client": [sys.executable, str(EXAMPLES / "client.py"), board_url],
        "mcp": [sys.executable, str(EXAMPLES / "mcp_client.py"), board_url],
        "written": [sys.executable, str(tmp_path / "written.py")],
        "http": ["bash", str(EXAMPLES / "http.sh")],
    }
    expected = {
        "client": ("sourdough", "'kind': 'purged'", "## Rules", "Weak one"),
        "mcp": ("sourdough", "Weak one"),
        "written": ("sourdough",),
        "http": ("event: complete", "Weak one", '"added": ["m1"]'),
    }

    def run(name: str) -> str:
        own = {"env": env} if name == "http" else {}
        return subprocess.run(commands[name], capture_output=True, text=True, timeout=120, check=True, **own).stdout

    with ThreadPoolExecutor(len(commands)) as pool:
        said = dict(zip(commands, pool.map(run, commands), strict=True))
    assert {name: [one for one in parts if one not in said[name]] for name, parts in expected.items()} == {
        name: [] for name in commands
    }


def test_the_webhook_wants_its_secret(board_url: str) -> None:
    def call(secret: str) -> int:
        request = Request(f"{board_url}webhook", b"{}", {"X-Webhook-Secret": secret}, method="POST")
        try:
            with urlopen(request, timeout=60) as answer:
                return len(json.loads(answer.read())) and int(answer.status)
        except HTTPError as error:
            return error.code

    assert call("wrong") == 403
    assert call(SECRET) == 200


def test_the_table_fits_a_phone(board_url: str, open_page: Callable[..., Any]) -> None:
    """How long it takes is printed, and never fails a test."""
    page = open_page(board_url, width=380, height=800)
    start = time.perf_counter()
    page.goto(f"{board_url}?tab=leaderboard")
    page.wait_for_selector("#pm-board-table tbody tr")
    print(f"first paint of the table: {time.perf_counter() - start:.2f} s")
    assert page.evaluate("document.documentElement.scrollWidth") <= 380


def test_without_the_hub_the_last_good_copy_is_shown_with_its_age(
    board_hub: HubServer, board_url: str, open_page: Callable[..., Any]
) -> None:
    """The last test of this module: the Hub is gone."""
    board_hub.stop()
    page = open_page(board_url)
    page.goto(f"{board_url}?tab=leaderboard")
    page.wait_for_selector("#pm-board-table tbody tr")
    for _ in range(200):  # a table that was read a moment ago is not read again
        page.click("#pm-board-refresh")
        page.wait_for_timeout(500)
        if page.locator(".pm-age-row .pm-why").count():
            break
    assert "last good copy" in page.inner_text(".pm-age-row")
    assert page.locator("#pm-board-table tbody tr").count() == 2
    keep_screenshot(page, "leaderboard-last-good-copy", is_whole=False)
