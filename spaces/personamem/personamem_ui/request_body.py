"""A request's body within its limits: not too large, not too slow, not without end, and naming no address as a file."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from personamem_ui.limits import BODIES_HELD_BYTES, BODY_LIMIT_S, BODY_PAUSE_S, DRAINED_BYTES, JSON_DEPTH

Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]

_ADDRESS = re.compile(r"\s*(?:[a-z][a-z0-9+.-]*:|[/\\]{2})", re.I)


class BodyError(Exception):
    """A body that is not taken. `status`: 400, 404, 408, 413, 422 or 503."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(message)


@dataclass
class Held:
    """How many bytes of JSON the page holds while it reads and answers requests."""

    num_bytes: int = 0

    def add(self, count: int) -> None:
        """Raises: BodyError: all together are too many."""
        if self.num_bytes + count > BODIES_HELD_BYTES:
            raise BodyError(503, "too much is being sent to this page at once: try again in a minute")
        self.num_bytes += count


class Body:
    """Reads a body of at most `limit_bytes`. `is_read`: nothing of it is on its way; `num_held`: bytes of JSON kept."""

    def __init__(self, receive: Receive, scope: Scope, limit_bytes: int) -> None:
        self._receive = receive
        self._limit_bytes = limit_bytes
        self._until = asyncio.get_running_loop().time() + BODY_LIMIT_S
        self._num_seen = 0
        declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
        self._is_declared_too_large = declared.isdigit() and int(declared) > limit_bytes
        self.is_read = False
        self.num_held = 0

    async def receive(self) -> Event:
        """Return the next piece, as an ASGI app asks for it. Raises: BodyError."""
        if self.is_read:  # what comes now is the end of the connection: it may take as long as the answer
            return await self._receive()
        too_large = f"the request is larger than {self._limit_bytes // 2**20} MB"
        if self._is_declared_too_large:
            raise BodyError(413, too_large)
        left_s = min(BODY_PAUSE_S, self._until - asyncio.get_running_loop().time())
        try:
            event = await asyncio.wait_for(self._receive(), max(0.0, left_s))
        except TimeoutError:
            raise BodyError(408, "the request took too long to arrive") from None
        self._num_seen += len(event.get("body") or b"")
        if self._num_seen > self._limit_bytes:
            raise BodyError(413, too_large)
        self.is_read = not event.get("more_body")
        return event

    async def drain(self) -> None:
        """Read a short body whose request is refused, so that the answer arrives; a long one is cut off."""
        while not self.is_read and self._num_seen < DRAINED_BYTES:
            await self.receive()

    async def read_json(self, held: Held) -> tuple[Any, Receive]:
        """Read all of it and check it; return what it says, and what hands it on. Raises: BodyError."""
        body = bytearray()
        while not self.is_read:
            event = await self.receive()
            if event["type"] == "http.disconnect":
                raise BodyError(400, "the request broke off")
            piece = event.get("body") or b""
            held.add(len(piece))
            self.num_held += len(piece)
            body += piece
        value = check_json(bytes(body))
        parts = [{"type": "http.request", "body": bytes(body), "more_body": False}]

        async def replay() -> Event:
            return parts.pop() if parts else await self._receive()

        return value, replay


def check_json(body: bytes) -> Any:
    """Return what it says; None for what is no JSON, which is left to who reads it.

    A file that is an address is refused, and so is nesting without end.

    Raises: BodyError.
    """
    try:
        value = json.loads(body or b"null")
    except RecursionError:
        raise BodyError(400, "the request is nested too deeply") from None
    except ValueError:
        return None
    layer: list[Any] = [value]
    for _ in range(JSON_DEPTH):
        if any(_is_fetched(item) for item in layer):
            raise BodyError(400, "a file must be uploaded: this page fetches no addresses")
        layer = [part for item in layer for part in _parts(item)]
        if not layer:
            return value
    raise BodyError(400, "the request is nested too deeply")


def _is_fetched(value: Any) -> bool:
    """Whether Gradio would take this for a file and fetch it."""
    path = value.get("path") if isinstance(value, dict) else None
    return isinstance(path, str) and bool(_ADDRESS.match(path))


def _parts(value: Any) -> list[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [part for part in inner if isinstance(part, dict | list)]
