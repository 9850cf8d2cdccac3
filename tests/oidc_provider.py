"""Stands for the Hub where a visitor signs in, and for its router: OpenID Connect's code flow, on this machine."""

from __future__ import annotations

import base64
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

CLIENT, SECRET = "client-of-the-space", "client-secret-of-the-space"
REPLY = "From your own quota."


class OidcProvider(ThreadingHTTPServer):
    """Whoever is sent here agrees at once, as `name`, unless `is_refused`; a code is taken once.

    Every code brings `token`; `num_issued` counts them. `keys` are those that calls of the router came with.
    """

    daemon_threads = True

    def __init__(self, name: str, token: str) -> None:
        from joserfc.jwk import RSAKey

        super().__init__(("127.0.0.1", 0), _Answers)
        self.name, self.token, self.is_refused = name, token, False
        self.key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
        self.asked: dict[str, dict[str, str]] = {}
        self.num_issued = 0
        self.keys: list[str] = []
        self.models: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def metadata(self) -> dict[str, Any]:
        places = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "jwks"}
        return {"issuer": self.url, **{name: f"{self.url}/oauth/{place}" for name, place in places.items()}}

    def authorize(self, asked: dict[str, str]) -> str:
        """Return where the visitor is sent back to."""
        assert asked["client_id"] == CLIENT and asked["response_type"] == "code" and asked["nonce"]
        code = secrets.token_hex(8)
        self.asked[code] = asked
        said = {"error": "access_denied"} if self.is_refused else {"code": code}
        return f"{asked['redirect_uri']}&{urlencode({**said, 'state': asked['state']})}"

    def give_token(self, form: dict[str, str], authorization: str) -> dict[str, Any] | None:
        """Return a token for a code; None where the code, the place or the client is wrong."""
        from joserfc import jwt

        asked = self.asked.pop(form.get("code", ""), None)
        client = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        if asked is None or authorization != f"Basic {client}" or form["redirect_uri"] != asked["redirect_uri"]:
            return None
        self.num_issued, now = self.num_issued + 1, int(time.time())
        claims = {
            "iss": self.url, "aud": CLIENT, "sub": "1", "iat": now, "exp": now + 600, "nonce": asked["nonce"],
            "name": self.name, "preferred_username": self.name, "profile": "", "picture": "",
        }  # fmt: skip
        signed = jwt.encode({"alg": "RS256", "kid": "one"}, claims, self.key)
        return {"access_token": self.token, "token_type": "bearer", "expires_in": 600, "id_token": signed}


class _Answers(BaseHTTPRequestHandler):
    server: OidcProvider

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path == "/.well-known/openid-configuration":
            self._send(json.dumps(self.server.metadata()).encode())
        elif parts.path == "/oauth/jwks":
            self._send(json.dumps({"keys": [self.server.key.as_dict(private=False)]}).encode())
        elif parts.path == "/oauth/authorize":
            self.send_response(302)
            self.send_header("Location", self.server.authorize(dict(parse_qsl(parts.query))))
            self.end_headers()
        else:
            self.send_error(404)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        authorization = self.headers.get("Authorization", "")
        if self.path == "/oauth/token":
            token = self.server.give_token(dict(parse_qsl(body)), authorization)
            self._send(json.dumps(token or {"error": "invalid_grant"}).encode(), status=200 if token else 400)
        else:
            self._complete(json.loads(body), authorization)

    def _complete(self, raw: dict[str, Any], authorization: str) -> None:
        self.server.keys.append(authorization)
        self.server.models.append(raw["model"])
        event = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": raw["model"]}
        choices = [{"index": 0, "delta": {"content": REPLY}, "finish_reason": "stop"}]
        said = f"data: {json.dumps({**event, 'choices': choices})}\n\ndata: [DONE]\n\n"
        self._send(said.encode(), kind="text/event-stream")

    def _send(self, body: bytes, *, kind: str = "application/json", status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serve_provider(name: str, token: str) -> Iterator[OidcProvider]:
    """Run a provider at which everybody is `name`."""
    server = OidcProvider(name, token)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join(20)
        server.server_close()
