"""The public log: what happened to a submission, when, and by whom."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

Kind = Literal[
    "received", "accepted", "refused", "scored", "flagged", "judged", "withdrawn", "disputed", "verified", "exported"
]
Event = dict[str, Any]

_ONCE = frozenset({"received", "accepted", "refused", "scored", "withdrawn"})
FINAL = frozenset({"refused", "withdrawn"})
"""After these a submission is not scored again."""


def make_event(submission: str, kind: Kind, *, who: str, time: str, reason: str = "") -> Event:
    """Return a line of the log; every line has the same fields. `who` is the account that caused it."""
    return {"time": time, "submission": submission, "kind": kind, "who": who, "reason": reason}


def add_events(log: Sequence[Event], new: Iterable[Event]) -> list[Event]:
    """Return the log with the new events, without those that it has: what happens once is written once."""
    known = {_key(event) for event in log}
    added = list(log)
    for event in new:
        if _key(event) not in known:
            known.add(_key(event))
            added.append(event)
    return added


def _key(event: Event) -> tuple[str, ...]:
    if event["kind"] in _ONCE:
        return event["submission"], event["kind"]
    return event["submission"], event["kind"], event["who"], event["reason"]


def utc_now() -> str:
    """Return the time as receipts and the log hold it (UTC, seconds)."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def describe_next_day(time: str) -> str:
    """Return when the next UTC day begins and how far off that is."""
    now = datetime.fromisoformat(time)
    next_day = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    minutes = -(-int((next_day - now).total_seconds()) // 60)
    return f"{next_day:%Y-%m-%d} 00:00 UTC (in {minutes // 60} h {minutes % 60} min)"
