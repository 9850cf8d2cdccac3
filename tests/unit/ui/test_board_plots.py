"""Names in the plots of the leaderboard stand beside their own dots and cover no other."""

from __future__ import annotations

from typing import Any, cast

from hub_toolkit.leaderboard.rank import TableRow
from personamem_ui.board_plots import LABEL_HEIGHT, _labelled, _y

BOUNDS = (0.2, 1.0)


def named(*systems: tuple[str, float, float]) -> dict[str, str]:
    rows = [(x, cast(TableRow, {"name": name, "submission": name, "accuracy": share})) for name, x, share in systems]
    return _labelled(cast(Any, rows), BOUNDS)


def test_a_name_turns_away_from_a_dot_beside_it() -> None:
    assert named(("best", 300, 0.83), ("ceiling", 260, 0.82)) == {"best": "start"}
    assert named(("best", 300, 0.83), ("ceiling", 320, 0.82)) == {"best": "end"}
    assert named(("best", 300, 0.83), ("left", 290, 0.82), ("right", 310, 0.82))["left"] == "end"


def test_no_name_leaves_the_drawing_or_meets_another() -> None:
    assert named(("a name of twenty-eight signs", 540, 0.5)) == {"a name of twenty-eight signs": "end"}
    assert named(("a name of twenty-eight signs", 60, 0.5)) == {"a name of twenty-eight signs": "start"}
    many = named(*((f"s{i}", 100 + 40 * i, 0.5 + i / 10_000) for i in range(9)))
    assert len(many) == 1, "names at one height would run into each other"
    assert abs(_y(0.5, BOUNDS) - _y(0.6, BOUNDS)) > LABEL_HEIGHT
