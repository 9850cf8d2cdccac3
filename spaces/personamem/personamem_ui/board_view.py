"""What a visitor has asked the table to show, and the rows that answer it: no HTML here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from hub_toolkit.leaderboard.rank import TableRow, rank_rows

Kind = Literal["share", "signed", "count", "money", "size", "text", "day"]

PAGE_ROWS = 50
"""Rows shown at first; a click shows as many more."""

SIZES: dict[str, tuple[float, float]] = {
    "up to 4 B": (0, 4),
    "4 to 15 B": (4, 15),
    "15 to 80 B": (15, 80),
    "over 80 B": (80, float("inf")),
}
UNKNOWN_SIZE = "not said"
TIERS = {"self_reported": "not yet scored", "recomputed": "recomputed", "verified": "verified"}
CONTEXTS = {
    "32k": "32k history",
    "128k": "128k history",
    "memory": "memory",
    "rag": "retrieval",
    "external": "external memory",
    "oracle": "oracle",
    "none": "none (control)",
}


@dataclass(frozen=True)
class Column:
    """A column that can be shown: `value` is what is sorted by, None where it was not measured."""

    key: str
    title: str
    kind: Kind
    value: Callable[[TableRow], Any]
    has_interval: bool = False
    hint: str = ""


def tokens_per_query(row: TableRow) -> float | None:
    """Return the tokens that one answer took, in and out, as the sender says; None where a line does not say."""
    parts = (row.get("input_tokens"), row.get("output_tokens"))
    return None if None in parts else float(sum(part for part in parts if part is not None))


def cost_per_thousand(row: TableRow) -> float | None:
    """Return dollars a thousand questions, from the cost of the run that the sender states."""
    cost, count = row.get("cost_usd"), row.get("num_rows")
    return 1000 * cost / count if cost is not None and count else None


def held_out_gap(row: TableRow) -> float | None:
    """Return how much less a maintainer's rerun scored on people whom nobody else has; None where none was made."""
    verified = row.get("verified")
    gap = verified.get("gap") if isinstance(verified, dict) else None
    return float(gap) if isinstance(gap, int | float) else None


def num_troubled(row: TableRow) -> int:
    """Return how many answers gave no score: failed, unparsed or not judged."""
    return sum(int(row.get(f"num_{status}") or 0) for status in ("failed", "unparsed", "unscored"))


def _field(name: str) -> Callable[[TableRow], Any]:
    return lambda row: row.get(name)


COLUMNS: tuple[Column, ...] = (
    Column("accuracy", "Accuracy", "share", _field("accuracy"), True, "with its 95 % interval, clustered by persona"),
    Column(
        "length_controlled", "Length-controlled", "share", _field("length_controlled"), True,
        "accuracy once the length of the options is taken out",
    ),
    Column("no_context", "No context", "share", _field("no_context"), True, "the same model without any history"),
    Column("lift", "Paired lift", "signed", _field("lift"), True, "over the same question with another's history"),
    Column("group_accuracy", "Whole groups", "share", _field("group_accuracy"), True, "all questions of a swap group"),
    Column("sensitive_info", "Secrets kept", "share", _field("sensitive_info"), True, "apart from accuracy: safety"),
    Column("tokens", "Tokens a query", "count", tokens_per_query, False, "in and out, as the sender states"),
    Column("cost", "$ per 1,000", "money", cost_per_thousand, False, "questions, as the sender states"),
    Column("troubled", "No score", "count", num_troubled, False, "failed, unparsed or not judged; all count as wrong"),
    Column("context", "Reads", "text", lambda row: CONTEXTS.get(row["context"], row["context"])),
    Column("tier", "Standing", "text", lambda row: TIERS.get(row["tier"], row["tier"])),
    Column("gap", "Held-out gap", "signed", held_out_gap, False, "how much less the rerun scored on unseen people"),
    Column("size", "Size (B)", "size", _field("parameters_b"), False, "billions of parameters"),
    Column("licence", "Licence", "text", _field("licence")),
    Column("submitter", "Sent by", "text", _field("submitter")),
    Column("time", "Sent on", "day", _field("time")),
)  # fmt: skip
DEFAULT_COLUMNS = (
    *("accuracy", "length_controlled", "no_context", "lift", "tokens", "cost", "context", "tier", "size", "licence"),
)
TYPE_PREFIX = "type:"


@dataclass(frozen=True)
class View:
    """One visitor's choices. `column` is what may stand in one table: dataset, revision, split and protocol."""

    column: str = ""
    task: str = "mcq"
    contexts: tuple[str, ...] = ()
    tiers: tuple[str, ...] = ()
    sizes: tuple[str, ...] = ()
    licences: tuple[str, ...] = ()
    text: str = ""
    shown: tuple[str, ...] = DEFAULT_COLUMNS
    sort: str = "accuracy"
    is_rising: bool = False
    limit: int = PAGE_ROWS
    opened: str = ""
    other: str = ""

    def sort_by(self, key: str) -> View:
        """Sort by a column, its best first; the other way round where it is sorted by already."""
        if key not in {column.key for column in all_columns(self.shown)}:
            return self
        is_rising = not self.is_rising if key == self.sort else key in _SMALL_IS_GOOD
        return replace(self, sort=key, is_rising=is_rising, limit=PAGE_ROWS)


_SMALL_IS_GOOD = frozenset(
    {"tokens", "cost", "size", "troubled", "no_context", "context", "tier", "licence", "submitter"}
)


@dataclass(frozen=True)
class Selection:
    """The rows that a view shows, best first, with their places among all rows of their table."""

    rows: tuple[TableRow, ...]
    places: dict[str, int]
    num_all: int


def all_columns(shown: Iterable[str]) -> list[Column]:
    """Return the columns of these keys, in the table's order; a question type's key begins with `type:`."""
    wanted = list(shown)
    known = [column for column in COLUMNS if column.key in wanted]
    return [*known, *(type_column(key) for key in sorted(set(wanted)) if key.startswith(TYPE_PREFIX))]


def type_column(key: str) -> Column:
    """Return the column of one type of question."""
    name = key.removeprefix(TYPE_PREFIX)

    def value(row: TableRow) -> float | None:
        part = (row.get("by_type") or {}).get(name)
        return part["value"] if part else None

    return Column(key, name.replace("_", " ").capitalize(), "share", value, has_interval=True)


def type_names(rows: Iterable[TableRow]) -> list[str]:
    """Return every type of question that a row has a figure for."""
    return sorted({name for row in rows for name in row.get("by_type") or {}})


def interval_of(row: TableRow, key: str) -> tuple[float, float] | None:
    """Return the interval of a share; None where there is none."""
    if key.startswith(TYPE_PREFIX):
        part = (row.get("by_type") or {}).get(key.removeprefix(TYPE_PREFIX)) or {}
        low, high = part.get("low"), part.get("high")
    else:
        low, high = row.get(f"{key}_low"), row.get(f"{key}_high")
    return None if low is None or high is None else (low, high)


def size_class(row: TableRow) -> str:
    """Return which of `SIZES` a system is."""
    size = row.get("parameters_b")
    if size is None:
        return UNKNOWN_SIZE
    return next(name for name, (low, high) in SIZES.items() if low <= size <= high)


def table_rows(rows: Iterable[TableRow], view: View) -> list[TableRow]:
    """Return the rows that may stand in one table: one column, one task, nothing withdrawn."""
    return [
        row
        for row in rows
        if row["column"] == view.column and row["task"] == view.task and row["status"] != "withdrawn"
    ]


def select_rows(rows: Iterable[TableRow], view: View) -> Selection:
    """Return what a view shows. A place is one by accuracy among all rows of the table, whatever is filtered."""
    table = rank_rows(table_rows(rows, view))
    kept = [row for row in table if _is_wanted(row, view)]
    return Selection(tuple(_sorted(kept, view)), _places(table), len(table))


def _is_wanted(row: TableRow, view: View) -> bool:
    needle = view.text.casefold().strip()
    return (
        (not view.contexts or row["context"] in view.contexts)
        and (not view.tiers or row["tier"] in view.tiers)
        and (not view.sizes or size_class(row) in view.sizes)
        and (not view.licences or row["licence"] in view.licences)
        and (not needle or any(needle in str(row[name]).casefold() for name in ("name", "model", "submitter")))
    )


def _sorted(rows: Sequence[TableRow], view: View) -> list[TableRow]:
    """Sort by one column; what was not measured comes last either way, and equals stay in order of rank."""
    columns = {column.key: column for column in all_columns((*view.shown, view.sort))}
    column = columns.get(view.sort, COLUMNS[0])
    known = [row for row in rows if column.value(row) is not None]
    known.sort(key=lambda row: _sort_key(column.value(row)), reverse=not view.is_rising)
    return [*known, *(row for row in rows if column.value(row) is None)]


def _sort_key(value: Any) -> Any:
    return value.casefold() if isinstance(value, str) else value


def _places(ranked: Sequence[TableRow]) -> dict[str, int]:
    """Return each scored row's place; equal accuracies share one."""
    places: dict[str, int] = {}
    last, place = None, 0
    for number, row in enumerate((row for row in ranked if row["accuracy"] is not None), 1):
        if row["accuracy"] != last:
            last, place = row["accuracy"], number
        places[row["submission"]] = place
    return places


def column_choices(rows: Iterable[TableRow], own: Sequence[str]) -> list[str]:
    """Return the tables to choose from: the page's own boards first, then whatever else has rows."""
    others = sorted({row["column"] for row in rows} - set(own))
    return [*own, *others]
