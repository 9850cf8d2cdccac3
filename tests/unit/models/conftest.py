"""A loopback HTTP server whose answers a test writes."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from hub_toolkit.settings import Settings

Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Endpoint:
    """Gives each answer once, the last one for ever; `requests` and `headers` are what came in."""

    base_url: str
    answers: list[Answer] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next_answer(self) -> Answer:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def send(
    body: bytes | str | dict[str, Any], *, status: int = 200, content_type: str = "application/json", **headers: str
) -> Answer:
    raw = json.dumps(body).encode() if isinstance(body, dict) else body.encode() if isinstance(body, str) else body

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {"Content-Type": content_type, "Content-Length": str(len(raw)), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(raw)

    return answer


def chat(text: str | None, **extra: Any) -> Answer:
    return send({"choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}], **extra})


def event_stream(*pieces: str, is_whole: bool = True) -> Answer:
    events: list[Any] = [{"choices": [{"delta": {"content": piece}, "finish_reason": None}]} for piece in pieces]
    events += [{"choices": [{"delta": {}, "finish_reason": "stop"}]}, {"choices": [], "usage": {}}] if is_whole else []
    lines = [f"data: {json.dumps(event)}\n\n" for event in events] + (["data: [DONE]\n\n"] if is_whole else [])
    return send("".join(lines), content_type="text/event-stream")


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            with seen.lock:
                seen.requests.append(json.loads(body))
                seen.headers.append({name.lower(): value for name, value in self.headers.items()})
                answer = seen.next_answer()
            answer(self)

        def log_message(self, format: str, *args: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    seen = Endpoint(f"http://127.0.0.1:{server.server_address[1]}/v1")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield seen
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        base_url=None, api_key=None, model=None, cache_dir=tmp_path, server_port=0, num_concurrent=2, timeout_s=5
    )
