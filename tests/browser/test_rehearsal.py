"""`make demo`: the page reads PersonaMem-mini from a Hub on this machine, by the path that a real release takes."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.browser.conftest import serve_page
from tests.browser.screenshots import keep_screenshot
from tests.conftest import require_extra


def test_page_reads_from_a_rehearsed_release(browser: Any, open_page: Callable[..., Any], tmp_path: Path) -> None:  # noqa: ARG001
    for name in ("huggingface_hub", "datasets", "pyarrow", "starlette", "uvicorn"):
        require_extra("rehearse", importlib.util.find_spec(name) is not None, f"{name} is not installed")
    with serve_page(tmp_path, "--rehearse") as url:
        page = open_page(url)
        board = open_page(url)
        board.click("#pm-tab-leaderboard-button")
        assert page.get_by_text("A person from personamem/mini at ").is_visible()
        assert page.get_by_text(", on a Hub on this machine").is_visible()
        page.click("#pm-build")
        page.wait_for_selector("#pm-memory [data-bullet]")
        # Its rows are really submitted and scored beside the page, and appear without a hand being moved.
        board.wait_for_function("document.querySelectorAll('#pm-board-table tbody tr').length === 7", timeout=240_000)
        table = board.inner_text("#pm-board-table")
        assert re.search(r"extractive memory\s+personamem/lexical\s+rehearsal\s+8\d\.\d %", table)
        assert table.count("recomputed") == table.count("rehearsal") == 7
        keep_screenshot(board, "leaderboard-rehearsed")
    assert not [file for file in tmp_path.rglob("*") if file.is_file() and b"hf_" in file.read_bytes()]
