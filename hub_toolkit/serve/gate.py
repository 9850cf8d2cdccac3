"""What stands before every request: where it comes from, who sends it, and how much."""

from __future__ import annotations

from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub_toolkit.serve.auth import Accounts
from hub_toolkit.serve.failures import Failure

MAX_BODY_BYTES = 8 * 2**20
OWNER_KEY = "personamem.owner"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})

_FOREIGN = Failure(403, "foreign", "the request names another host or comes from another site", "call it directly")
_UNKNOWN = Failure(401, "unauthorized", "no valid token", "send the header Authorization: Bearer <token>")
_TOO_LARGE = Failure(413, "too_large", f"a request may have {MAX_BODY_BYTES:,} bytes", "send it in parts")


class Gate:
    """Lets a request through with its owner in the scope, the body read and bounded.

    `hosts`: the only names under which the server may be addressed, so that no page in a browser reaches it under a
    name of its own; None allows all. A request of another origin is refused, and no CORS header is ever sent.
    """

    def __init__(
        self, app: ASGIApp, accounts: Accounts, *, open_paths: Collection[str], hosts: Collection[str] | None
    ) -> None:
        self.app, self.accounts = app, accounts
        self.open_paths, self.hosts = frozenset(open_paths), hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        failure = self._refuse(headers)
        if failure is None and scope["path"] not in self.open_paths:
            owner = self.accounts.owner(bearer_token(headers))
            if owner is None:
                failure = _UNKNOWN
            scope[OWNER_KEY] = owner
        body = await read_body(receive) if failure is None else None
        if failure is None and body is None:
            failure = _TOO_LARGE
        if failure is not None or body is None:
            await refuse(failure or _TOO_LARGE)(scope, receive, send)
            return
        await self.app(scope, _replay(body, receive), send)

    def _refuse(self, headers: Headers) -> Failure | None:
        host = headers.get("host", "")
        if self.hosts is not None and _name(host) not in self.hosts:
            return _FOREIGN
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2] != host:
            return _FOREIGN
        length = headers.get("content-length", "0")
        return _TOO_LARGE if length.isdecimal() and len(length) < 20 and int(length) > MAX_BODY_BYTES else None


def bearer_token(headers: Headers) -> str:
    """Return the token of a request, an empty text where it has none."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def refuse(failure: Failure) -> JSONResponse:
    """Return a failure as a response."""
    headers = {"WWW-Authenticate": "Bearer"} if failure.status == 401 else {}
    return JSONResponse(failure.as_dict(), failure.status, headers=headers)


async def read_body(receive: Receive) -> bytes | None:
    """Return the whole body; None as soon as it is larger than allowed."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return bytes(body)
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            return None
        if not message.get("more_body"):
            return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    is_sent = False

    async def replayed() -> Message:
        nonlocal is_sent
        if is_sent:
            return await receive()
        is_sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed


def _name(host: str) -> str:
    """Return a Host header's name without its port."""
    return host.rpartition(":")[0] if ":" in host and not host.endswith("]") else host
