"""Who the running event belongs to: a session, an address, and where they signed in a name and a token.

A token is read from the request each time it is needed and kept nowhere.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gradio.context import LocalContext

from personamem_ui.page_guard import visitor_address

NOBODY = "nobody"


@dataclass(frozen=True)
class Visitor:
    """`session` names an open page, `key` whose budget counts: the name where there is one, else the address."""

    session: str = NOBODY
    key: str = NOBODY
    name: str | None = None
    token: str | None = field(default=None, repr=False)


def current_visitor() -> Visitor:
    """Return the visitor of the event under way; nobody outside of one."""
    request = LocalContext.request.get(None)
    inner = getattr(request, "request", None)
    if request is None or inner is None:
        return Visitor()
    session = str(getattr(request, "session_hash", None) or NOBODY)
    name, token = (None, None) if _is_foreign(inner) else _signed_in(inner.scope.get("session"))
    return Visitor(session, f"@{name}" if name else visitor_address(inner.scope), name, token)


def _is_foreign(request: Any) -> bool:
    """Whether another site's page sent this, as the browser says: the cookie goes along with that, too."""
    return request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")


def _signed_in(session: Any) -> tuple[str | None, str | None]:
    info = session.get("oauth_info") if isinstance(session, Mapping) else None
    if not isinstance(info, Mapping) or _is_over(info.get("expires_at")):
        return None, None
    user = info.get("userinfo")
    name = user.get("preferred_username") if isinstance(user, Mapping) else None
    token = info.get("access_token")
    if not isinstance(name, str) or not isinstance(token, str):
        return None, None
    return name, token


def _is_over(expires_at: Any) -> bool:
    """Whether a sign-in has ended: its cookie outlives it by days."""
    return isinstance(expires_at, int | float) and expires_at < time.time()
