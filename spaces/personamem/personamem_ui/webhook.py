"""The door for the Hub's webhook: the table has changed, read it anew."""

from __future__ import annotations

import asyncio
import hmac

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from personamem_ui.board_source import BoardSource

WEBHOOK_PATH = "/webhook"
SECRET_HEADER = "x-webhook-secret"


def webhook_route(source: BoardSource) -> Route:
    """Return the route; without a secret in the settings it refuses everybody. The body is not read."""
    secret = source.settings.webhook_secret if source.settings is not None else None

    async def on_change(request: Request) -> Response:
        given = request.headers.get(SECRET_HEADER, "")
        if not secret or not hmac.compare_digest(given.encode(), secret.encode()):
            return JSONResponse({"detail": "the secret is missing or wrong"}, 403)
        snapshot = await asyncio.to_thread(source.refresh)
        return JSONResponse({"num_rows": len(snapshot.rows), "age_s": snapshot.age_s, "error": snapshot.error})

    return Route(WEBHOOK_PATH, on_change, methods=["POST"])
