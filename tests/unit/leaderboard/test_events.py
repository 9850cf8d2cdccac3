"""The public log: what happens once stands there once."""

from __future__ import annotations

import pytest

from hub_toolkit.leaderboard.events import add_events, describe_next_day, make_event


def test_what_happens_once_is_written_once() -> None:
    first = make_event("a", "scored", who="personamem", time="2026-11-21T10:00:00Z", reason="accuracy 0.5")
    again = make_event("a", "scored", who="personamem", time="2026-11-21T10:00:09Z", reason="accuracy 0.6")
    other = make_event("b", "scored", who="personamem", time="2026-11-21T10:00:09Z")
    assert add_events([first], [again, other, other]) == [first, other]


def test_two_disputes_of_one_row_are_two_events() -> None:
    one, two = (
        make_event("a", "disputed", who="bob", time="2026-11-21T10:00:00Z", reason=reason) for reason in ("x", "y")
    )
    assert add_events([one], [two, {**one, "time": "2026-11-21T11:00:00Z"}]) == [one, two]


@pytest.mark.parametrize(
    ("time", "said"),
    [
        ("2026-12-31T23:59:30Z", "2027-01-01 00:00 UTC (in 0 h 1 min)"),
        ("2026-11-21T00:00:00Z", "2026-11-22 00:00 UTC (in 24 h 0 min)"),
    ],
)
def test_the_next_day_is_utc(time: str, said: str) -> None:
    assert describe_next_day(time) == said
