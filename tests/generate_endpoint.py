"""The scripted writer behind real HTTP on 127.0.0.1, as OpenAI's chat completions, with an endpoint's own faults."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

from tests.generate_script import Writer, digest


@dataclass
class EndpointFaults:
    """What an endpoint does to a request: `once` at its first try, `always` at every one; in parts of 1, by status.

    Status 0 hangs up without an answer, status 1 answers only after `hang_s`.
    """

    once: dict[int, float] = field(default_factory=dict)
    always: dict[int, float] = field(default_factory=dict)
    hang_s: float = 1.0


@dataclass
class Endpoint:
    """The writer behind HTTP; `answered` counts good answers by the body's hash, `usage` what they took."""

    writer: Writer
    faults: EndpointFaults
    answered: dict[str, int] = field(default_factory=dict)
    usage: dict[str, int] = field(default_factory=lambda: {"prompt_tokens": 0, "completion_tokens": 0})
    tried: set[str] = field(default_factory=set)
    url: str = ""
    cached_share: float = 0.0
    lock: Lock = field(default_factory=Lock)

    def answer(self, body: bytes) -> tuple[int, dict[str, Any]]:
        """Return status and JSON of one request."""
        key = hashlib.sha256(body).hexdigest()
        with self.lock:
            is_first = key not in self.tried
            self.tried.add(key)
        status = self._draw(key, is_first)
        if status == 1:
            time.sleep(self.faults.hang_s)
        if status != 200:
            return status, {"error": {"message": "the script says so"}}
        request = json.loads(body)
        prompt = request["messages"][-1]["content"]
        with self.lock:
            text = self.writer.reply(prompt, request.get("seed"))
            self.answered[key] = self.answered.get(key, 0) + 1
            usage = {"prompt_tokens": len(prompt) // 4, "completion_tokens": len(text) // 4 + 1}
            self.usage = {name: self.usage[name] + number for name, number in usage.items()}
        cached = {"prompt_tokens_details": {"cached_tokens": int(self.cached_share * usage["prompt_tokens"])}}
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        return 200, {
            "object": "chat.completion",
            "model": "scripted",
            "choices": [choice],
            "usage": {**usage, **cached},
        }

    def _draw(self, key: str, is_first: bool) -> int:
        drawn = digest("http", key) % 100_000 / 100_000
        for rates, applies in ((self.faults.always, True), (self.faults.once, is_first)):
            for status, rate in rates.items():
                if applies and 0 <= drawn < rate:
                    return status
                drawn -= rate
        return 200


@contextmanager
def serve(writer: Writer, faults: EndpointFaults | None = None) -> Iterator[Endpoint]:
    """Serve until the block ends; `url` is the base address of the API."""
    endpoint = Endpoint(writer, faults or EndpointFaults())
    server = _Server(("127.0.0.1", 0), _make_handler(endpoint))
    endpoint.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield endpoint
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_: object) -> None:
        """Say nothing: clients are killed here on purpose."""


def _make_handler(endpoint: Endpoint) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def do_POST(self) -> None:
            status, value = endpoint.answer(self.rfile.read(int(self.headers["content-length"])))
            if status < 100:
                self.close_connection = True
                return
            data = json.dumps(value).encode()
            head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
            # One write: two would wait for each other's acknowledgement.
            self.wfile.write(head.encode() + data)

    return Handler
