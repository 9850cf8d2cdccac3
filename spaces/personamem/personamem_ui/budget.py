"""How many tokens one visitor may take of the model that the page's owner pays for."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from hub_toolkit.errors import ProviderError

MAX_KNOWN = 20_000
"""So many visitors are remembered; the one that was silent longest is forgotten first."""


@dataclass
class _Spent:
    """What a visitor took in the window that began at `since`."""

    since: float
    tokens: int = 0


@dataclass
class Reserved:
    """Tokens set aside for one call, until it is known what it took."""

    budget: TokenBudget
    key: str
    tokens: int
    is_settled: bool = field(default=False)

    def settle(self, tokens: int) -> None:
        """Replace what was set aside by what was taken; once."""
        if not self.is_settled:
            self.is_settled = True
            self.budget.add(self.key, tokens - self.tokens)


class TokenBudget:
    """`limit` tokens a visitor in each window of `window_s` seconds, from their first call on."""

    def __init__(self, limit: int, *, window_s: float = 3600, now: Callable[[], float] = time.monotonic) -> None:
        self.limit = limit
        self._window_s = window_s
        self._now = now
        self._spent: OrderedDict[str, _Spent] = OrderedDict()

    def left(self, key: str) -> int:
        """Return what a visitor may still take."""
        return max(0, self.limit - self._of(key).tokens)

    def reserve(self, key: str, tokens: int) -> Reserved:
        """Set tokens aside before a call.

        Raises: ProviderError (`rate_limit`): there are not so many left.
        """
        spent = self._of(key)
        if spent.tokens + tokens > self.limit:
            minutes = max(1, round((spent.since + self._window_s - self._now()) / 60))
            raise ProviderError(
                f"this call may take {tokens:,} tokens, and {self.left(key):,} of your {self.limit:,} are left: wait "
                f"{minutes} min, ask for less, or sign in and use a quota of your own",
                kind="rate_limit",
            )
        spent.tokens += tokens
        return Reserved(self, key, tokens)

    def add(self, key: str, tokens: int) -> None:
        """Count tokens without asking; a call may give back what it did not take."""
        spent = self._of(key)
        spent.tokens = max(0, spent.tokens + tokens)

    def _of(self, key: str) -> _Spent:
        now = self._now()
        spent = self._spent.pop(key, None)
        if spent is None or now - spent.since >= self._window_s:
            spent = _Spent(now)
        self._spent[key] = spent
        while len(self._spent) > MAX_KNOWN:
            self._spent.popitem(last=False)
        return spent
