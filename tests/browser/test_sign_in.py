"""A signed-in visitor answers with a quota of their own; the token is used for the call, never printed, never kept."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.browser.conftest import ROOT
from tests.conftest import require_extra
from tests.hub_server import free_port
from tests.page_visitor import PageVisitor

TOKEN = "hf_oauth_plantedvisitortoken"
SECRET = "client-secret-of-the-space"


class Router(ThreadingHTTPServer):
    """Stands for the Hub's router; `keys` are those that calls came with."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Completions)
        self.keys: list[str] = []
        self.models: list[str] = []


class _Completions(BaseHTTPRequestHandler):
    server: Router

    def do_GET(self) -> None:
        """Answer as a sign-in's provider; nobody gets that far here."""
        self._send(b"{}")

    def do_POST(self) -> None:
        raw = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.keys.append(self.headers.get("Authorization", ""))
        self.server.models.append(raw["model"])
        event = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": raw["model"]}
        choices = [{"index": 0, "delta": {"content": "From your own quota."}, "finish_reason": "stop"}]
        self._send(
            f"data: {json.dumps({**event, 'choices': choices})}\n\ndata: [DONE]\n\n".encode(), "text/event-stream"
        )

    def _send(self, body: bytes, kind: str = "application/json") -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def router() -> Iterator[Router]:
    server = Router()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join(20)
    server.server_close()


@contextmanager
def serve_space(folder: Path, **settings: str) -> Iterator[str]:
    """Run the page as a Space does: its folder with the toolkit beside app.py, and nothing of the checkout.

    The checkout's own folder `spaces` would stand for the Hub's package of that name.
    """
    app, port, log = folder / "app", free_port(), folder / "log"
    shutil.copytree(ROOT / "spaces" / "personamem", app, ignore=shutil.ignore_patterns("__pycache__"))
    (app / "hub_toolkit").symlink_to(ROOT / "hub_toolkit")
    env = {
        "PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": sysconfig.get_path("purelib"),
        "GRADIO_SERVER_PORT": str(port), "GRADIO_SERVER_NAME": "127.0.0.1", "GRADIO_ANALYTICS_ENABLED": "False",
        "PERSONAMEM_CACHE": str(folder), "GRADIO_TEMP_DIR": str(folder / "uploads"), "NO_PROXY": "127.0.0.1",
    }  # fmt: skip
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-S", "app.py"], cwd=app, env=env | settings, stdout=output, stderr=output
        )
    url = f"http://127.0.0.1:{port}/"
    try:
        for _ in range(600):
            assert process.poll() is None, log.read_text("utf-8", "replace")
            try:
                httpx.get(f"{url}config", trust_env=False)
                break
            except httpx.TransportError:
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(20)


def sign_cookie(name: str, token: str) -> str:
    """Return the cookie that a browser holds after the sign-in, signed as the page signs it."""
    import itsdangerous

    info = {
        "access_token": token,
        "expires_at": int(time.time()) + 3600,
        "userinfo": {"sub": "1", "name": name, "preferred_username": name, "profile": "", "picture": ""},
    }
    key = hashlib.sha256(f"{SECRET}-v4".encode()).hexdigest()
    data = base64.b64encode(json.dumps({"oauth_info": info}).encode())
    return f"session={itsdangerous.TimestampSigner(key).sign(data).decode()}"


def ask(visitor: PageVisitor) -> str:
    """Build a memory, ask, and return all that came back from here on."""
    visitor.fire("pm-build")
    visitor.seen.clear()
    visitor.values[visitor.component("pm-question")] = "What shall I bake?"
    visitor.fire("pm-ask")
    return visitor.seen_text


def test_own_quota_with_a_token_that_stays_nowhere(router: Router, tmp_path: Path) -> None:
    for name in ("gradio", "authlib", "itsdangerous"):
        require_extra("space", importlib.util.find_spec(name) is not None, f"{name} is not installed")
    place = f"http://127.0.0.1:{router.server_address[1]}"
    env: dict[str, Any] = {
        "SYSTEM": "spaces", "SPACE_ID": "personamem/page", "SPACE_HOST": "127.0.0.1", "OAUTH_CLIENT_ID": "client",
        "OAUTH_CLIENT_SECRET": SECRET, "OAUTH_SCOPES": "openid profile", "OPENID_PROVIDER_URL": place,
        "PERSONAMEM_ROUTER_URL": f"{place}/v1",
    }  # fmt: skip
    with serve_space(tmp_path, **env) as url:
        with PageVisitor(url, headers={"cookie": sign_cookie("ada", TOKEN)}) as ada:
            ada.values[ada.component("pm-own-model")] = "some/model-1:provider"
            ada.fire("pm-own")
            assert "some/model-1:provider" in ada.values[ada.component("pm-quota")]
            assert "From your own quota." in ask(ada)
            num_asked = len(router.keys)
            assert num_asked and set(router.keys) == {f"Bearer {TOKEN}"}
            assert set(router.models) == {"some/model-1:provider"}
            assert TOKEN not in ada.seen_text
            for wrong in ("http://169.254.169.254/x", "a/b/c", "../..", "x" * 150):
                ada.values[ada.component("pm-own-model")] = wrong
                ada.fire("pm-own")
                assert 'role="alert"' in ada.values[ada.component("pm-quota")]
        for header in ({}, {"cookie": sign_cookie("eve", "x").replace(".", "x.", 1)}):  # nobody, and a forged cookie
            with PageVisitor(url, headers=header) as nobody:
                nobody.values[nobody.component("pm-own-model")] = "some/model-1"
                nobody.fire("pm-own")
                assert "sign in first" in nobody.values[nobody.component("pm-quota")]
                ask(nobody)
        assert len(router.keys) == num_asked
    assert SECRET not in (tmp_path / "log").read_text("utf-8", "replace")
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]
    assert kept == []
