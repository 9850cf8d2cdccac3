"""What the charts of a report show, as plain data: pages, SVG, PNG and JSON are made of the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from hub_toolkit.evaluate.run_view import NOT_MEASURED, RunView, Section

Unit = Literal["share", "tokens", "answers"]
Kind = Literal["dots", "bars", "stack"]

NOT_RUN = "not run"
STATUS_NAMES = ("scored", "unparsed", "unscored", "failed")

_CONTROL_TITLES = {
    "no_context": "no context: nothing is read",
    "longest_option": "always the longest option",
    "shortest_option": "always the shortest option",
    "first_option": "always the first option",
}
_KNOWN = {
    "accuracy",
    "baselines",
    "breakdown",
    "chance",
    "counts",
    "counterfactual_failures",
    "counterfactual_lift",
    "failures",
    "group_accuracy",
    "leaks",
    "length_controlled",
    "likelihood_lift",
    "memories",
    "note",
    "rows",
    "run",
    "sensitive_info",
    "tokens",
    "unbalanced",
}
"""The keys of a report that have a place on the page; what else it holds is shown as it stands."""

_BREAKDOWNS = (
    ("pref_type", "by type of preference"),
    ("conversation_scenario", "by scenario in which the preference was told"),
    ("who", "by whose preference it is"),
    ("updated", "by whether the preference was updated"),
)
"""Source: paper, Figure 5."""


@dataclass(frozen=True)
class Mark:
    """A figure with its 95 % interval. `value` None: `note` says why there is none."""

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    note: str = ""


@dataclass(frozen=True)
class ChartRow:
    """A labelled row: a mark for each series of the chart."""

    label: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class Chart:
    """One chart. `dots` and `bars` draw a lane a series from 0 to 100 %, `stack` one bar a row with a part a series.

    `reference` is a value to draw through all rows, as chance is.
    """

    name: str
    title: str
    caption: str
    kind: Kind
    unit: Unit
    series: tuple[str, ...]
    rows: tuple[ChartRow, ...]
    reference: float | None = None
    reference_name: str = ""

    @property
    def top(self) -> float:
        """The end of the scale: 1 for shares, else the longest bar."""
        if self.unit == "share":
            return 1.0
        return max((sum(mark.value or 0 for mark in row.marks) for row in self.rows), default=0) or 1.0


def read_mark(raw: object, *, missing: str = NOT_MEASURED) -> Mark:
    """Read a figure of a report: `{value, low, high, n}`, a bare number, or something that was not measured."""
    if isinstance(raw, int | float) and not isinstance(raw, bool):
        return Mark(float(raw))
    if not isinstance(raw, dict) or "value" not in raw:
        return Mark(None, note=missing)
    if raw["value"] is None:
        return Mark(None, n=raw.get("n"), note="cannot be told" if raw.get("n") else "no rows")
    size = raw.get("n", raw.get("num_groups"))
    note = "bound" if raw.get("interval") == "exact_bound" else ""
    return Mark(float(raw["value"]), raw.get("low"), raw.get("high"), size, note)


def look_up(raw: object, *path: str) -> Any:
    """Return what stands at a path of nested objects, None where a part of it is missing."""
    for name in path:
        raw = raw.get(name) if isinstance(raw, dict) else None
    return raw


def section_charts(section: Section) -> tuple[Chart, ...]:
    """Return all charts of a section, in the order of the page."""
    charts = [controls_chart(section)]
    if len(section.views) > 1:
        charts.append(accuracy_chart(section))
    return (*charts, *breakdown_charts(section), privacy_chart(section), tokens_chart(section), status_chart(section))


def run_labels(section: Section) -> tuple[str, ...]:
    """Return how the runs are named beside a chart."""
    if len(section.views) == 1:
        return (section.views[0].system,)
    return tuple(f"{letter}: {view.system}" for letter, view in zip(section.letters, section.views, strict=True))


def chance_of(section: Section) -> float | None:
    """Return chance where every run of the section has the same."""
    found = {look_up(view.report, "chance") for view in section.views}
    only = found.pop() if len(found) == 1 else None
    return float(only) if isinstance(only, int | float) else None


def controls_chart(section: Section) -> Chart:
    """Return accuracy with everything beside it that an answerer gets without knowing the user."""
    names = list(_CONTROL_TITLES)
    for view in section.views:
        names += [name for name in look_up(view.report, "baselines") or () if name not in names]
    columns = [dict(_controls(view, names)) for view in section.views]
    labels = list(dict.fromkeys(label for column in columns for label in column))
    empty = Mark(None, note=NOT_MEASURED)
    rows = tuple(ChartRow(label, tuple(column.get(label, empty) for column in columns)) for label in labels)
    return Chart(
        name="controls",
        title="Accuracy beside its controls",
        caption="95 % intervals, clustered by persona. Accuracy up to a control's level says nothing of the history.",
        kind="dots",
        unit="share",
        series=run_labels(section),
        rows=rows,
        reference=chance_of(section),
        reference_name="chance",
    )


def _controls(view: RunView, baselines: Sequence[str]) -> Iterator[tuple[str, Mark]]:
    report = view.report
    yield "accuracy", read_mark(look_up(report, "accuracy"))
    # An open question has no options: nothing that goes by them can be measured.
    is_open = look_up(view.run, "task") == "open"
    if not is_open:
        yield "chance", read_mark(look_up(report, "chance"), missing="not known")
    for name in ["no_context"] if is_open else baselines:
        title = _CONTROL_TITLES.get(name, name.replace("_", " "))
        yield title, read_mark(look_up(report, "baselines", name))
    if not is_open:
        yield "length-controlled accuracy", read_mark(look_up(report, "length_controlled"))
    yield "counterfactual: another owner", read_mark(look_up(report, "counterfactual_lift", "other"))
    yield "swap groups right for every owner", _groups(report)
    if look_up(report, "unbalanced"):
        yield "rows without a swap group (apart)", read_mark(look_up(report, "unbalanced"))
    if look_up(report, "likelihood_lift"):
        yield "option that the context makes likelier", read_mark(look_up(report, "likelihood_lift"))
    if look_up(report, "judges", "noise_corrected"):
        yield "accuracy without the judges' noise", read_mark(look_up(report, "judges", "noise_corrected"))
    for name, figures in report.items():
        if name not in _KNOWN and isinstance(figures, dict) and {"value", "low", "high"} <= figures.keys():
            yield name.replace("_", " "), read_mark(figures)


def privacy_chart(section: Section) -> Chart:
    """Return what became of secrets and of what was to be forgotten: never a part of accuracy."""
    columns = [dict(_privacy(view.report)) for view in section.views]
    labels = list(dict.fromkeys(label for column in columns for label in column))
    empty = Mark(None, note=NOT_MEASURED)
    rows = tuple(ChartRow(label, tuple(column.get(label, empty) for column in columns)) for label in labels)
    return Chart(
        name="privacy",
        title="Secrets and what was to be forgotten",
        caption="Apart from accuracy. A leak is read from the answer's text: lower is better.",
        kind="dots",
        unit="share",
        series=run_labels(section),
        rows=rows,
    )


def _privacy(report: object) -> Iterator[tuple[str, Mark]]:
    leaks = look_up(report, "leaks")
    yield "questions on secrets: right", read_mark(look_up(report, "sensitive_info"), missing="no such rows")
    for name, title in (("secrets", "repeat a secret"), ("forgotten", "use the forgotten")):
        missing = NOT_MEASURED if leaks is None else "no such rows"
        yield f"leak: answers {title}", read_mark(look_up(leaks, name, "share"), missing=missing)
        for part, where in (("prompted", "asked for"), ("unprompted", "not asked for")):
            if look_up(leaks, name, part, "n"):
                yield f"· {title}: {where}", read_mark(look_up(leaks, name, part))


def _groups(report: object) -> Mark:
    groups = look_up(report, "group_accuracy")
    if not look_up(groups, "num_groups"):
        return Mark(None, note="no swap groups")
    return read_mark(groups)


def accuracy_chart(section: Section) -> Chart:
    """Return accuracy by system and context size. Source: paper, Figure 4."""
    contexts = sorted({view.context for view in section.views}, key=_context_order)
    groups: list[dict[str, tuple[str, RunView]]] = []
    for letter, view in zip(section.letters, section.views, strict=True):
        # The same system with another context stands in one row; the same one again in a row of its own.
        fits = (g for g in groups if view.context not in g and view.system in {other.system for _, other in g.values()})
        group = next(fits, None)
        if group is None:
            groups.append(group := {})
        group[view.context] = (letter, view)
    rows = [_accuracy_row(group, contexts) for group in groups]
    return Chart(
        name="accuracy",
        title="Accuracy by system and context",
        caption="The same questions, asked in the same way. 95 % intervals, clustered by persona.",
        kind="bars",
        unit="share",
        series=tuple(f"context {name}" if name[:1].isdigit() else name for name in contexts),
        rows=tuple(rows),
        reference=chance_of(section),
        reference_name="chance",
    )


def _accuracy_row(group: dict[str, tuple[str, RunView]], contexts: Sequence[str]) -> ChartRow:
    letters = ", ".join(sorted(letter for letter, _ in group.values()))
    system = next(view.system for _, view in group.values())
    absent = Mark(None, note=NOT_RUN)
    marks = (read_mark(look_up(group[c][1].report, "accuracy")) if c in group else absent for c in contexts)
    return ChartRow(f"{letters}: {system}", tuple(marks))


def _context_order(name: str) -> tuple[int, str]:
    digits = "".join(char for char in name if char.isdigit())
    return int(digits or 0), name


def breakdown_charts(section: Section) -> Iterator[Chart]:
    """Yield accuracy by kind of question. Source: paper, Figure 5.

    A breakdown with one part only says nothing more than the accuracy, and is left out.
    """
    for name, title in _BREAKDOWNS:
        rows = breakdown_rows(section, name)
        if len(rows) < 2:
            continue
        yield Chart(
            name=name,
            title=f"Accuracy {title}",
            caption="95 % intervals, clustered by persona. Many parts are compared here: single ones differ by chance.",
            kind="dots",
            unit="share",
            series=run_labels(section),
            rows=rows,
            reference=chance_of(section),
            reference_name="chance",
        )


def breakdown_rows(section: Section, name: str) -> tuple[ChartRow, ...]:
    """Return the parts of one breakdown over all runs."""
    columns = [look_up(view.report, "breakdown", name) or {} for view in section.views]
    parts = list(dict.fromkeys(part for column in columns for part in column))
    return tuple(
        ChartRow(part_name(part, name), tuple(read_mark(column.get(part), missing="no rows") for column in columns))
        for part in parts
    )


def part_name(part: object, breakdown: str = "") -> str:
    """Return a breakdown's part as it is shown."""
    if breakdown == "updated":
        return {"True": "updated", "False": "not updated"}.get(str(part), str(part))
    return str(part).replace("_", " ") or "(none)"


def tokens_chart(section: Section) -> Chart:
    """Return the tokens that an answer takes, with the memories' share of one answer."""
    return Chart(
        name="tokens",
        title="Tokens per answer",
        caption="Memory: what building the memories took, spread over all answers. The counterfactual is left out.",
        kind="stack",
        unit="tokens",
        series=("prompt in", "reply out", "memory"),
        rows=tuple(
            ChartRow(label, tuple(_tokens(view)))
            for label, view in zip(run_labels(section), section.views, strict=True)
        ),
    )


def _tokens(view: RunView) -> Iterator[Mark]:
    tokens, num_rows = look_up(view.report, "tokens"), look_up(view.report, "counts", "rows")
    built = [look_up(tokens, "memories", part) for part in ("input", "output")]
    spent = [look_up(tokens, "answers", "input"), look_up(tokens, "answers", "output")]
    for total in (*spent, None if None in built else sum(built)):
        yield Mark(total / num_rows) if total is not None and num_rows else Mark(None, note=NOT_MEASURED)


def status_chart(section: Section) -> Chart:
    """Return what became of the answers."""
    rows = []
    for label, view in zip(run_labels(section), section.views, strict=True):
        counts = [look_up(view.report, "counts", name) for name in STATUS_NAMES]
        rows.append(ChartRow(label, tuple(read_mark(count) for count in counts)))
    return Chart(
        name="answers",
        title="What became of the answers",
        caption="By protocol v1 unparsed and failed answers count as wrong; unscored ones wait for a judge.",
        kind="stack",
        unit="answers",
        series=STATUS_NAMES,
        rows=tuple(rows),
    )


def further_figures(report: object, *, limit: int = 60) -> list[tuple[str, str]]:
    """Return what a report holds that no chart or table shows, by dotted name; `limit` bounds it."""
    found: list[tuple[str, str]] = []
    stack: list[tuple[str, object]] = []
    if isinstance(report, dict):
        stack = [(str(key), value) for key, value in reversed(report.items()) if key not in _KNOWN]
    while stack and len(found) < limit:
        name, value = stack.pop()
        if value is None:
            continue
        if isinstance(value, dict):
            stack += [(f"{name}.{key}", inner) for key, inner in reversed(value.items())]
        else:
            found.append((name, _plain(value)))
    return found


def _plain(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return f"{len(value)} entries"
    return str(value)
