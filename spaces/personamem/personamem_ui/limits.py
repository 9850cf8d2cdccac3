"""What one visitor may take of the page, in requests and bytes; everything here is plain arithmetic."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

MB = 1024 * 1024
UPLOAD_FILE_BYTES = 16 * MB
"""What the server takes of one file at all; a file under it and over the page's own limit gets the page's own error."""

UPLOAD_BODY_BYTES, JSON_BODY_BYTES, CALL_BODY_BYTES = 40 * MB, 8 * MB, 24 * MB
"""A call of the API may hold a file as large as the form takes, with the backslashes that JSON adds to it."""

BODIES_HELD_BYTES = 512 * MB
"""What all requests under way may hold together: what more would want to send is told to wait."""

JSON_DEPTH = 64
DRAINED_BYTES = 64 * 1024
BODY_PAUSE_S, BODY_LIMIT_S = 20.0, 180.0
"""A body may pause this long between two pieces, and take this long in all."""

MAX_KNOWN = 20_000
"""So many addresses are remembered; the one that was silent longest is forgotten first."""


@dataclass(frozen=True)
class Rate:
    """`burst` requests at once, then `per_s` of them a second."""

    burst: int
    per_s: float


UPLOADS, EVENTS, CALLS = Rate(200, 2.0), Rate(1_500, 50.0), Rate(300, 10.0)
"""Uploads, the page's own events, and calls of the API: what a room of people behind one address does, or more."""


class RateLimiter:
    """A bucket of tokens for each key, filled as time passes."""

    def __init__(self, rate: Rate, *, now: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._now = now
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> float:
        """Take one token; return 0, or in how many seconds there will be one."""
        now = self._now()
        left, then = self._buckets.pop(key, (float(self._rate.burst), now))
        left = min(float(self._rate.burst), left + (now - then) * self._rate.per_s)
        wait_s = 0.0 if left >= 1 else (1 - left) / self._rate.per_s
        self._buckets[key] = (left - 1 if left >= 1 else left, now)
        while len(self._buckets) > MAX_KNOWN:
            self._buckets.popitem(last=False)
        return wait_s
