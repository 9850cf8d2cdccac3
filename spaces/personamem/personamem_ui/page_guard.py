"""Stands before the page: what no visitor may ask for, how much they may send, and what a browser may load.

Gradio serves more than this page uses: a proxy, addresses as files, states saved under a link, recordings. What is not
used is not there. No request of a visitor makes the server fetch an address.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import math
import re
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import unquote

from personamem_ui.limits import (
    BODY_LIMIT_S,
    CALL_BODY_BYTES,
    CALLS,
    EVENTS,
    JSON_BODY_BYTES,
    UPLOAD_BODY_BYTES,
    UPLOADS,
    RateLimiter,
)
from personamem_ui.offered import Offered, is_event
from personamem_ui.request_body import Body, BodyError, Event, Held, Receive, Scope

Send = Callable[[Event], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

# Gradio writes its settings into the page and compiles small scripts of its own: inline and eval stay. What matters is
# that nothing is loaded from, sent to or embedded from another place, whatever a memory or a name holds.
POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "frame-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'self' https://huggingface.co https://*.huggingface.co",
    )
)
FILE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
"""A served file is looked at, never run."""

_UNUSED = re.compile(
    r"/gradio_api/(?:proxy=|file=[a-z][a-z0-9+.-]*:|file=[/\\]{2}|stream/|deep_link|process_recording|custom_component/"
    r"|component_server|run-history|runs|vibe-|undo-vibe|profiling)|/monitoring|/(?:svelte|custom_component)/",
    re.I,
)
_UPLOAD, _STARTUP = "/gradio_api/upload", "/gradio_api/startup-events"
_CALL = re.compile(r"/gradio_api/(?:call|run|api|mcp)(?:/|$)")
_FORWARDED = b"x-forwarded-for"


class PageGuard:
    """An ASGI layer around the page; `uploads` is where files arrive, `offered` what can be called.

    `is_starting`: Gradio looks whether its page answers before it serves it, and gives up after 3 s. So that a rush of
    visitors cannot keep a page from coming back, they are told to wait until it has looked.
    """

    def __init__(
        self, app: App, uploads: Path | None = None, offered: Offered | None = None, *, is_starting: bool = False
    ) -> None:
        self._app = app
        self._is_starting = is_starting
        self._upload_folder, self._offered = uploads, offered
        self._held = Held()
        self._uploads, self._events, self._calls = RateLimiter(UPLOADS), RateLimiter(EVENTS), RateLimiter(CALLS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = unquote(str(scope["path"]))
        body = Body(receive, scope, _limit_bytes(path))
        headed = _Headed(send, path, body)
        wait_s = self._wait_s(path, scope)
        try:
            if self._is_starting and path != _STARTUP:
                await self._start(path, scope, headed)
            elif _UNUSED.match(path):
                await _refuse(headed, 404, "there is no such page")
            elif wait_s:
                await body.drain()
                await _refuse(headed, 429, f"too many requests: wait {wait_s} s", retry_after_s=wait_s)
            else:
                await self._serve(path, scope, body, headed)
        except BodyError as error:
            if not headed.has_started:
                await _refuse(headed, error.status, str(error))
        finally:
            self._held.num_bytes -= body.num_held

    async def _start(self, path: str, scope: Scope, send: _Headed) -> None:
        if (path, scope["method"]) == ("/", "HEAD"):
            self._is_starting = False
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})
        else:
            await _refuse(send, 503, "the page is starting: try again in a moment", retry_after_s=1)

    async def _serve(self, path: str, scope: Scope, body: Body, send: _Headed) -> None:
        if _is_upload(path) and self._upload_folder is not None:
            await asyncio.to_thread(sweep_uploads, self._upload_folder)
        if scope["method"] in ("GET", "HEAD", "OPTIONS"):
            body.is_read = True
        if _is_upload(path) or body.is_read:
            await self._app(scope, body.receive, send)
            return
        value, replay = await body.read_json(self._held)
        if self._offered is not None:
            self._offered.check(path, value)
        await self._app(scope, replay, send)

    def _wait_s(self, path: str, scope: Scope) -> int:
        """Return how many seconds this request must wait; 0 where it need not."""
        if scope["method"] != "POST":
            return 0
        limiter = self._uploads if _is_upload(path) else self._events if is_event(path) else None
        limiter = self._calls if limiter is None and _CALL.match(path) else limiter
        return math.ceil(limiter.take(visitor_address(scope))) if limiter else 0


def _limit_bytes(path: str) -> int:
    if _is_upload(path):
        return UPLOAD_BODY_BYTES
    return CALL_BODY_BYTES if _CALL.match(path) and not is_event(path) else JSON_BODY_BYTES


def _is_upload(path: str) -> bool:
    return path.rstrip("/") == _UPLOAD


def visitor_address(scope: Scope) -> str:
    """Return whom a request comes from: behind a proxy of a private network, the last public address it names.

    Of an IPv6 address the first half, which is a household's: the rest of it changes at will.
    """
    peer = str((scope.get("client") or ("",))[0])
    if not _is_private(peer):
        return _household(peer)
    named = [value.decode("latin-1") for name, value in scope["headers"] if name == _FORWARDED]
    hops = [hop.strip() for hop in ",".join(named).split(",") if hop.strip()]
    return _household(next((hop for hop in reversed(hops) if not _is_private(hop)), peer))


def _household(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((parsed, 64), strict=False)) if parsed.version == 6 else address


def _is_private(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_private
    except ValueError:
        return True


def sweep_uploads(folder: Path) -> None:
    """Delete what uploads left behind that broke off; none that can still be under way."""
    until = time.time() - 2 * BODY_LIMIT_S
    for path in folder.glob("tmp*"):
        try:
            if path.is_file() and path.stat().st_mtime < until:
                path.unlink(missing_ok=True)
        except FileNotFoundError:
            continue


class _Headed:
    """A `send` that adds what a browser must know, and hangs up where a body is still coming in."""

    def __init__(self, send: Send, path: str, body: Body) -> None:
        self._send = send
        self._headers = _headers(FILE_POLICY if path.startswith("/gradio_api/file") else POLICY)
        self._body = body
        self.has_started = False

    async def __call__(self, event: Event) -> None:
        if event["type"] == "http.response.start":
            self.has_started = True
            closing = () if self._body.is_read else ((b"connection", b"close"),)
            event["headers"] = [*event.get("headers", ()), *self._headers, *closing]
        await self._send(event)


def _headers(policy: str) -> list[tuple[bytes, bytes]]:
    pairs = {
        "content-security-policy": policy,
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "permissions-policy": "camera=(), microphone=(), geolocation=()",
    }
    return [(name.encode(), value.encode()) for name, value in pairs.items()]


async def _refuse(send: Send, status: int, message: str, *, retry_after_s: int | None = None) -> None:
    body = json.dumps({"detail": message}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    headers += [(b"retry-after", str(retry_after_s).encode())] if retry_after_s else []
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
