"""A chat-completions endpoint on 127.0.0.1 that is cheap, slow on purpose, counts, and can misbehave.

`python benchmarks/mock_server.py [--port 0] [--latency 0.1] [--log FILE]` prints `{"port": N}` and serves until it is
ended. It is a raw asyncio protocol, so that what a benchmark measures is the client. Every reply comes `latency`
seconds after its request is whole and depends on the request alone. `GET /stats` says what came in;
`POST /control` with `{"latency_s": …, "fault": {"kind": …, "every": …, "times": …}}` changes it and counts anew.

A fault strikes every request whose digest is a multiple of `every`, the first `times` tries of it; 0 stands for ever.
Tokens are counted as a quarter of the bytes of the request's body.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import re
import socket
import subprocess
import sys
import zlib
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO
from urllib.request import Request, urlopen

BYTES_PER_TOKEN = 4
FAULTS = ("429", "500", "hang", "drop", "malformed", "empty", "400", "overflow")
SHARED_SHARE = 0.5
"""A request shares its prefix with the one before it when so much of its body begins alike."""
HANG_S = 3600
_BUFFER_BYTES = 2**20
_BLOCK = 4096
_TAIL = 4096
_BULLETS = 64
"""Bullets of a memory: about as much as the default cap lets through."""
_NEW_BULLETS = 24
# Inside a JSON string a line ends in a backslash and an n.
_BULLET = re.compile(rb"(?<=\\n)- (?:(?!\\n).)+")
_PLACE = re.compile(rb"\\n\[(\d+)\] user: ")
_REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 429: "Too Many Requests", 500: "Internal Server Error"}
_OVERFLOW = (
    "This model's maximum context length is 8192 tokens. However, your messages resulted in 32000 tokens. Please "
    "reduce the length of the messages."
)


@dataclass
class Fault:
    """How the server misbehaves: 429, 500, hang, drop, malformed, empty, 400 or overflow."""

    kind: str = ""
    every: int = 1
    times: int = 1
    retry_after_s: float | None = None


@dataclass
class Seen:
    """What came in since the last reset. `num_repeated` are requests that were asked before, word for word."""

    num_requests: int = 0
    num_faults: int = 0
    num_repeated: int = 0
    num_memory_updates: int = 0
    body_bytes: int = 0
    prompt_tokens: int = 0
    output_tokens: int = 0
    num_sharing: int = 0
    shared_bytes: int = 0
    most_at_once: int = 0
    num_connections: int = 0
    by_fault: dict[str, int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the figures; `prefix_sharing` is the share of requests that begin like the one before them."""
        pairs = max(1, self.num_requests - 1)
        return {**asdict(self), "prefix_sharing": round(self.num_sharing / pairs, 4)}


class Mock:
    """The state that all connections share."""

    def __init__(self, latency_s: float, log: TextIO | None) -> None:
        self.latency_s = latency_s
        self.log = log
        self.reset(Fault())

    def reset(self, fault: Fault) -> None:
        """Count anew."""
        self.seen, self.fault = Seen(), fault
        self.tries: Counter[int] = Counter()
        self.last = b""
        self.now_open = 0

    def take(self, body: bytes) -> tuple[int, int]:
        """Count a request; return its digest and which try of it this is, from 1."""
        seen = self.seen
        seen.num_requests += 1
        seen.body_bytes += len(body)
        seen.prompt_tokens += len(body) // BYTES_PER_TOKEN
        seen.num_memory_updates += is_memory_update(body)
        shared = common_prefix(self.last, body)
        seen.shared_bytes += shared
        seen.num_sharing += bool(self.last) and shared >= SHARED_SHARE * len(body)
        self.last = body
        digest = zlib.crc32(body)
        self.tries[digest] += 1
        seen.num_repeated += self.tries[digest] > 1
        self.now_open += 1
        seen.most_at_once = max(seen.most_at_once, self.now_open)
        if self.log is not None:
            self.log.write(hashlib.sha256(body).hexdigest() + "\n")
            self.log.flush()
        return digest, self.tries[digest]

    def fault_of(self, digest: int, number: int) -> str:
        """Return how this try goes wrong, or nothing."""
        fault = self.fault
        is_due = fault.kind and digest % fault.every == 0 and (fault.times == 0 or number <= fault.times)
        if not is_due:
            return ""
        self.seen.num_faults += 1
        self.seen.by_fault[fault.kind] = self.seen.by_fault.get(fault.kind, 0) + 1
        return fault.kind

    def control(self, body: bytes) -> None:
        """Change what was asked for and count anew."""
        wanted = json.loads(body)
        self.latency_s = wanted.get("latency_s", self.latency_s)
        self.reset(Fault(**wanted.get("fault", {})))


class Connection(asyncio.Protocol):
    """One connection: reads a request, answers it after the latency, and waits for the next."""

    transport: asyncio.Transport

    def __init__(self, mock: Mock) -> None:
        self.mock = mock
        self.parts: list[bytes] = []
        self.size = 0
        self.wanted = 0
        self.head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.mock.seen.num_connections += 1

    def data_received(self, data: bytes) -> None:
        self.parts.append(data)
        self.size += len(data)
        if not self.head:
            self.read_head()
        if self.head and self.size >= self.wanted:
            raw = b"".join(self.parts)
            head, body, rest = self.head, raw[: self.wanted], raw[self.wanted :]
            self.head, self.parts, self.size = b"", [rest] if rest else [], len(rest)
            self.handle(head, body)

    def read_head(self) -> None:
        raw = b"".join(self.parts)
        head, found, rest = raw.partition(b"\r\n\r\n")
        if not found:
            return
        self.head = head
        self.parts, self.size = [rest] if rest else [], len(rest)
        lengths = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
        self.wanted = int(lengths[0].partition(b":")[2]) if lengths else 0

    def handle(self, head: bytes, body: bytes) -> None:
        path = head.split(b" ", 2)[1]
        if path.endswith(b"/chat/completions"):
            self.complete(body)
        elif path.endswith(b"/stats"):
            self.send(200, self.mock.seen.as_dict())
        elif path.endswith(b"/control"):
            self.mock.control(body)
            self.send(200, {})
        else:
            self.send(404, {"error": {"message": "no such path"}})

    def complete(self, body: bytes) -> None:
        mock = self.mock
        digest, number = mock.take(body)
        kind = mock.fault_of(digest, number)
        delay = HANG_S if kind == "hang" else mock.latency_s
        asyncio.get_running_loop().call_later(delay, self.reply, body, kind)

    def reply(self, body: bytes, kind: str) -> None:
        self.mock.now_open -= 1
        if self.transport.is_closing():
            return
        message = {"error": {"message": f"this is a planned {kind}", "code": "planned"}}
        if kind == "429":
            wait_s = self.mock.fault.retry_after_s
            self.send(429, message, b"" if wait_s is None else f"Retry-After: {wait_s}\r\n".encode())
        elif kind in ("500", "400"):
            self.send(int(kind), message)
        elif kind == "overflow":
            self.send(400, {"error": {"message": _OVERFLOW, "code": "context_length_exceeded"}})
        elif kind == "drop":
            self.transport.abort()
        elif kind == "malformed":
            self.send_raw(200, b'{"choices": [{"message": {"con')
        elif kind == "empty":
            self.send(200, {"choices": [], "usage": {"prompt_tokens": 0, "completion_tokens": 0}})
        else:
            self.send(200, self.completion(body))

    def completion(self, body: bytes) -> dict[str, Any]:
        text = reply_text(body)
        usage = {"prompt_tokens": len(body) // BYTES_PER_TOKEN, "completion_tokens": len(text) // BYTES_PER_TOKEN}
        self.mock.seen.output_tokens += usage["completion_tokens"]
        usage["total_tokens"] = sum(usage.values())
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
        return {
            "id": f"chatcmpl-{zlib.crc32(body):08x}",
            "object": "chat.completion",
            "created": 1_700_000_000,
            "model": "mock",
            "choices": [choice],
            "usage": usage,
        }

    def send(self, status: int, value: object, headers: bytes = b"") -> None:
        self.send_raw(status, json.dumps(value).encode(), headers)

    def send_raw(self, status: int, body: bytes, headers: bytes = b"") -> None:
        head = (
            f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        )
        self.transport.write(head.encode() + headers + b"\r\n" + body)


def common_prefix(a: bytes, b: bytes) -> int:
    """Return how many bytes two bodies begin alike."""
    size, place = min(len(a), len(b)), 0
    step = _BLOCK
    while step:
        while place + step <= size and a[place : place + step] == b[place : place + step]:
            place += step
        step //= 2
    return place


def is_memory_update(body: bytes) -> bool:
    """Whether the request asks for a memory, by the tag that stands around its chunk."""
    return b"<chat>" in body


def reply_text(body: bytes) -> str:
    """Return a memory's bullets where one is asked for, else a choice; both depend on the request alone.

    A memory keeps its bullets by their ids and adds some that cite messages of the chunk, until it is full.
    """
    digest = zlib.crc32(body[-_TAIL:])
    if not is_memory_update(body):
        return f"\\boxed{{{'ABCD'[digest % 4]}}}"
    memory = body.partition(b"<memory>")[2].partition(b"</memory>")[0]
    kept = [line.decode() for line in _BULLET.findall(memory)][:_BULLETS]
    places = [number.decode() for number in _PLACE.findall(body)] or [""]
    new = [
        f"- Detail {number} of {digest:08x}: likes quiet mornings, long walks by the water and plain, unhurried meals "
        f"[{places[number % len(places)]}]"
        for number in range(_NEW_BULLETS)
    ]
    return "\n".join([*kept, *new][:_BULLETS]) or "No previous memory"


class RunningMock:
    """The server in a process of its own, for a `with` statement."""

    def __init__(self, latency_s: float = 0.0, *, log: Path | None = None) -> None:
        command = [sys.executable, __file__, "--latency", str(latency_s)]
        self.command = command + (["--log", str(log)] if log else [])

    def __enter__(self) -> RunningMock:
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.port = int(json.loads(self.process.stdout.readline())["port"])
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.process.terminate()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    @property
    def base_url(self) -> str:
        """Where the API is."""
        return f"http://127.0.0.1:{self.port}/v1"

    def stats(self) -> dict[str, Any]:
        """Return what came in since the last `control`."""
        return fetch_stats(self.base_url)

    def control(self, **wanted: Any) -> None:
        """Set the latency or a fault, and count anew."""
        control(self.base_url, **wanted)


def fetch_stats(base_url: str) -> dict[str, Any]:
    """Ask a mock server what came in."""
    with urlopen(f"{base_url}/stats") as reply:
        figures: dict[str, Any] = json.load(reply)
    return figures


def control(base_url: str, **wanted: Any) -> None:
    """Tell a mock server how to be; it counts anew."""
    with urlopen(Request(f"{base_url}/control", data=json.dumps(wanted).encode(), method="POST")) as reply:
        reply.read()


async def serve(options: argparse.Namespace) -> None:
    """Serve until the process is ended."""
    log = options.log.open("a", encoding="utf-8") if options.log else None
    mock = Mock(options.latency, log)
    listener = socket.create_server(("127.0.0.1", options.port), backlog=1024)
    # A request comes in at one go, so that requests are whole in the order in which they are sent.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
    server = await asyncio.get_running_loop().create_server(lambda: Connection(mock), sock=listener)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    async with server:
        await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.1, help="seconds from request to reply")
    parser.add_argument("--log", type=Path, help="a line with the sha256 of the body for each request, as it comes in")
    options = parser.parse_args()
    try:
        asyncio.run(serve(options))
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
