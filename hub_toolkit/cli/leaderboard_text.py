"""Rows of the leaderboard as plain text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hub_toolkit.leaderboard.rank import TableRow
from hub_toolkit.leaderboard.rerun import describe_rerun

_FIGURES = {
    "accuracy": "accuracy",
    "length_controlled": "length controlled",
    "no_context": "no context",
    "lift": "lift over another's memory",
    "group_accuracy": "whole swap groups",
    "sensitive_info": "on secrets (apart)",
}


def render_table(rows: Sequence[TableRow]) -> str:
    """Return the table, a block a column."""
    lines: list[str] = []
    column = None
    for row in rows:
        if (row["column"], row["task"]) != column:
            column = (row["column"], row["task"])
            lines += ["", f"{row['column']} · {row['task']}"] if lines else [f"{row['column']} · {row['task']}"]
        marks = "".join(mark for mark, is_set in (("!", row["flags"]), ("?", row["dispute"])) if is_set)
        lines.append(
            f"  {row['submission'][:12]} {_share(row, 'accuracy'):>22}  {row['context']:<8} {row['tier']:<13} "
            f"{row['name']} ({row['submitter']}){f' [{marks}]' if marks else ''}"
        )
    return "\n".join(lines)


def render_row(row: TableRow) -> str:
    """Return one row with everything that it says."""
    lines = [
        f"{row['name']}: {row['model']} at {row['revision']}",
        f"  submission            {row['submission']}",
        f"  board                 {row['column']} · {row['task']} · context {row['context']}",
        f"  state                 {row['status']}, {row['tier']}",
    ]
    if row["status"] != "pending_judges":
        lines += [f"  {title:<21} {_share(row, name)}" for name, title in _FIGURES.items()]
    counts = ", ".join(f"{row[f'num_{name}']} {name}" for name in ("scored", "unparsed", "failed", "unscored"))
    lines += [f"  rows                  {row['num_rows']} ({counts})"]
    if row["judges"]:
        agreement = f", agreement {row['agreement']:.2f}" if row["agreement"] is not None else ""
        lines.append(f"  judges                {row['judges']}{agreement}")
    if row["verified"]:
        lines.append(f"  maintainers' rerun    {describe_rerun(row['verified'])}")
    lines += [f"  flag                  {flag}" for flag in row["flags"]]
    if row["dispute"]:
        lines.append(f"  disputed              by {row['dispute']['who']}: {row['dispute']['reason']}")
    return "\n".join(lines)


def _share(row: TableRow, name: str) -> str:
    value, low, high = row[name], row[f"{name}_low"], row[f"{name}_high"]
    if value is None:
        return "not measured" if row["status"] != "pending_judges" else "awaits judges"
    return f"{value:.1%}" + (f" [{low:.1%}, {high:.1%}]" if low is not None and high is not None else "")


def render_comparison(found: dict[str, Any], names: tuple[str, str]) -> str:
    """Return what a paired comparison says, in three lines."""
    overall = found["overall"]
    low, high = overall["low"], overall["high"]
    reach = f" [{low:+.1%}, {high:+.1%}]" if low is not None else ""
    p = f", p = {overall['p']:.3g}" if overall["p"] is not None else ""
    return (
        f"A {names[0]}: {overall['a']:.1%}\nB {names[1]}: {overall['b']:.1%}\n"
        f"B - A: {overall['difference']:+.1%}{reach}{p}, paired over {found['rows']['compared']} questions"
    )
