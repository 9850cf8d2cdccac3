"""Stands before the sign-in's way back: a refusal at the Hub, or a code that is no good, leads to the page again."""

from __future__ import annotations

from personamem_ui.page_guard import App, Send
from personamem_ui.request_body import Receive, Scope

_CALLBACK = "/login/callback"


class SignInGuard:
    """An ASGI layer; Gradio answers a visitor who says no at the Hub with an error 500."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != _CALLBACK:
            await self._app(scope, receive, send)
            return
        from authlib.integrations.base_client import OAuthError  # type: ignore[import-untyped]

        try:
            await self._app(scope, receive, send)
        except OAuthError:  # raised before anything is answered
            await send({"type": "http.response.start", "status": 307, "headers": [(b"location", b"/")]})
            await send({"type": "http.response.body", "body": b""})
