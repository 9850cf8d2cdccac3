"""The page as a visitor meets it: served by its own process, opened in a real browser."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.browser.axe import load_axe
from tests.browser.watched import WAIT_MS, Watched, wait_until_live
from tests.conftest import require_extra

ROOT = Path(__file__).resolve().parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSER_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A browser stalls now and then on two busy cores: what fails here runs once more, and both runs are reported."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture(scope="session")
def chromium() -> str:
    """Where Chromium is; who needs it skips here, before a server is started."""
    require_extra("space", importlib.util.find_spec("gradio") is not None, "no Gradio: pip install -e '.[space]'")
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    require_extra(
        "browser", importlib.util.find_spec("playwright") is not None, "no Playwright: pip install playwright"
    )
    require_extra("browser", found is not None, "no Chromium: apt-get update && apt-get install -y chromium")
    return str(found)


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Any]:
    """A headless Chromium. Of one module: while Playwright is open, no other test can run an event loop."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=BROWSER_FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Any]]:
    """Opens a page in a context of its own, as another visitor would; a script error on it fails the test."""
    contexts, errors = [], list[str]()

    def open_one(url: str, *, width: int = 1280, height: int = 900) -> Any:
        context = browser.new_context(viewport={"width": width, "height": height})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(WAIT_MS)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(url)
        wait_until_live(page)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert errors == []


@pytest.fixture(scope="module")
def axe(browser: Any) -> str:  # noqa: ARG001  (skips first where there is no browser)
    return load_axe()


@pytest.fixture
def watch(browser: Any) -> Iterator[Callable[..., Watched]]:
    opened: list[Watched] = []

    def open_one(width: int = 1440, scheme: str = "light") -> Watched:
        opened.append(Watched(browser, width=width, scheme=scheme))
        return opened[-1]

    yield open_one
    for one in opened:
        one.context.close()


def end_process(process: subprocess.Popen[Any]) -> None:
    """End a server; one that still talks to somebody is not waited for without end."""
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def serve_page(cache: Path, *options: str, **settings: str) -> Iterator[str]:
    """Run `personamem demo` on a free port and yield its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PERSONAMEM_", "OPENAI_", "GRADIO_"))}
    clean |= {"PERSONAMEM_CACHE": str(cache), "GRADIO_TEMP_DIR": str(cache / "uploads"), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "hub_toolkit.cli.main", "demo", "--port", str(port), *options]
    process = subprocess.Popen(
        command, cwd=ROOT, env=clean | settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    drain = threading.Thread(target=process.stdout.read, daemon=True)
    try:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("The page is at "):
                break
        else:
            pytest.fail("the page did not start:\n" + "".join(lines))
        drain.start()
        yield f"http://127.0.0.1:{port}/"
    finally:
        end_process(process)
        if drain.ident is not None:
            drain.join(20)
        process.stdout.close()


@pytest.fixture(scope="session")
def page_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the page without a model keeps files; its `uploads` must be empty after a test."""
    return tmp_path_factory.mktemp("page")


@pytest.fixture(scope="session")
def page_url(chromium: str, page_cache: Path) -> Iterator[str]:  # noqa: ARG001  (skips before a server is started)
    """The page without any model, one for all modules: its start takes longer than most tests."""
    with serve_page(page_cache) as url:
        yield url


class Endpoint(ThreadingHTTPServer):
    """An endpoint that tells a prompt with a memory from one without; `hold` makes it wait."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Completions)
        self.hold = threading.Event()
        self.release = threading.Event()
        self.asked = threading.Event()
        self.num_held = 0

    def reply_to(self, text: str) -> str:
        if "Write the memory anew" in text:
            return "- Bakes sourdough with a starter [1]\n- Drives a bus <b>early</b> [3]"
        return "With the notes: <b>bread</b>." if "<memory>" in text else "Without any notes."


class _Completions(BaseHTTPRequestHandler):
    server: Endpoint

    def do_POST(self) -> None:
        raw = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        is_held = self.server.hold.is_set()
        self.server.num_held += is_held
        self.server.asked.set()
        if is_held:
            self.server.release.wait(200)
            self.server.num_held -= 1
        text = self.server.reply_to("\n".join(m["content"] for m in raw["messages"]))
        base = {"id": "1", "created": 0, "model": raw["model"]}
        if raw.get("stream"):
            pieces = [{"content": word + " "} for word in text.split()] + [{}]
            events = [
                {**base, "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": p, "finish_reason": r}]}
                for p, r in zip(pieces, [None] * (len(pieces) - 1) + ["stop"], strict=True)
            ]
            body = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
            kind = "text/event-stream"
        else:
            message = {"role": "assistant", "content": text}
            usage = {"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            body = json.dumps({**base, "object": "chat.completion", "choices": [choice], "usage": usage})
            kind = "application/json"
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="session")
def endpoint() -> Iterator[Endpoint]:
    server = Endpoint()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.release.set()
    server.shutdown()
    thread.join(20)
    server.server_close()


@pytest.fixture(scope="session")
def endpoint_page_url(chromium: str, endpoint: Endpoint, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:  # noqa: ARG001
    """The page with a real endpoint behind it."""
    url = f"http://127.0.0.1:{endpoint.server_address[1]}/v1"
    settings = {"PERSONAMEM_BASE_URL": url, "PERSONAMEM_API_KEY": "k-secret", "PERSONAMEM_MODEL": "openai/bread-1"}
    with serve_page(tmp_path_factory.mktemp("endpoint-page"), **settings) as page_url:
        yield page_url
