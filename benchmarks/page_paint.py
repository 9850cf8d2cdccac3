"""How soon the page answers and paints, beside an empty page in the same browser.

`python benchmarks/page_paint.py` prints one JSON object on its last line. It needs the extras `space` and `dev` and a
Chromium (`--chromium PATH`).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any
from urllib.request import urlopen

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NUM_RUNS = 5
START_LIMIT_S = 120
FIRST_PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Return as soon as the page is served on the port."""
    until = time.monotonic() + START_LIMIT_S
    while time.monotonic() < until:
        if process.poll() is not None:
            raise SystemExit("the page ended before it answered; run `personamem demo` to see why")
        with suppress(OSError), urlopen(f"http://127.0.0.1:{port}/theme.css", timeout=5):
            return
        time.sleep(0.05)
    raise SystemExit(f"the page did not answer in {START_LIMIT_S} s")


def first_paint_ms(browser: Any, url: str, selector: str) -> float:
    """Open a URL as a new visitor and return its first contentful paint."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(url)
    page.wait_for_selector(selector)
    painted = page.evaluate(FIRST_PAINT)
    context.close()
    return float(painted)


def measure(chromium: str, port: int, empty_page: str) -> dict[str, float]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        pairs = [
            (
                first_paint_ms(browser, f"http://127.0.0.1:{port}", "#pm-build"),
                first_paint_ms(browser, empty_page, "p"),
            )
            for _ in range(NUM_RUNS)
        ]
        browser.close()
    return {
        "first_visit_ms": round(pairs[0][0]),
        "first_paint_ms": round(median(page for page, _ in pairs)),
        "empty_page_ms": round(median(empty for _, empty in pairs)),
        "ratio_to_empty_page": round(median(page / empty for page, empty in pairs), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chromium", default=shutil.which("chromium") or shutil.which("google-chrome"))
    args = parser.parse_args()
    if not args.chromium:
        raise SystemExit("no Chromium: apt-get install chromium, or --chromium PATH")
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        empty_page = Path(folder) / "empty.html"
        empty_page.write_text("<!doctype html><title>empty</title><p>empty</p>", "utf-8")
        started = time.perf_counter()
        command = [sys.executable, "-m", "hub_toolkit.cli.main", "demo", "--port", str(port)]
        page = subprocess.Popen(command, stdout=subprocess.DEVNULL, env={**os.environ, "PERSONAMEM_CACHE": folder})
        try:
            wait_for(port, page)
            answers_s = round(time.perf_counter() - started, 2)
            result = measure(args.chromium, port, empty_page.as_uri())
        finally:
            page.terminate()
            page.wait()
    print(json.dumps({"starts_to_answer_s": answers_s, **result}))


if __name__ == "__main__":
    main()
