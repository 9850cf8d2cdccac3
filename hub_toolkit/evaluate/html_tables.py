"""The tables of a report's page: what a result is, the figures behind each chart, slices and failures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from hub_toolkit.evaluate.charts import (
    Chart,
    breakdown_rows,
    further_figures,
    look_up,
    part_name,
    read_mark,
)
from hub_toolkit.evaluate.html_text import amount, escape, isolate, mark_interval, mark_value, shorten
from hub_toolkit.evaluate.run_view import NOT_MEASURED, RunView, Section

MAX_FAILURES = 500
MAX_ERROR_CHARS = 600

_KNOWN_FACTS = {
    "protocol",
    "dataset",
    "task",
    "method",
    "num_permutations",
    "seed",
    "model",
    "reader",
    "builder",
    "cap_tokens",
    "context",
    "persona_system",
    "truncate",
    "token_counter",
}
"""What a run says of itself that has a line of its own; the rest follows under its own name."""

_FAILURES = (
    ("failures", "Answers that failed"),
    ("counterfactual_failures", "Counterfactual questions that failed"),
)


def render_table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]], *, name: str = "") -> str:
    """Return a table that scrolls by itself where it is too wide; the cells are escaped already.

    A row of one value stands for all columns.
    """
    lines = []
    for first, *cells in rows:
        span = f' colspan="{len(head) - 1}"' if len(cells) == 1 < len(head) - 1 else ""
        lines.append(f'<tr><th scope="row">{first}</th>{"".join(f"<td{span}>{cell}</td>" for cell in cells)}</tr>')
    heads = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    label = escape(caption)
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{label}"><table class="{name}">'
        f"<caption>{label}</caption><thead><tr>{heads}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def fold(summary: str, body: str, *, is_open: bool = False) -> str:
    """Return a part that opens without a script."""
    return f"<details{' open' if is_open else ''}><summary>{escape(summary)}</summary>{body}</details>"


def run_heads(section: Section) -> list[str]:
    """Return a column head a run."""
    if len(section.views) == 1:
        return [isolate(section.views[0].name)]
    return [f"{letter} {isolate(view.name)}" for letter, view in zip(section.letters, section.views, strict=True)]


def render_identity(section: Section) -> str:
    """Return what names the results: a row a fact, a column a run."""
    columns = [dict(_facts(view)) for view in section.views]
    names = list(dict.fromkeys(name for column in columns for name in column))
    rows = [[escape(name), *_merge([column.get(name, "none") for column in columns])] for name in names]
    return render_table("What was asked, of whom, and how", ["fact", *run_heads(section)], rows, name="facts")


def _merge(values: Sequence[str]) -> list[str]:
    """Return a cell a run, or one cell where all runs share the value."""
    if len(values) > 1 and len(set(values)) == 1:
        return [f'{isolate(values[0])} <span class="quiet">(all)</span>']
    return [isolate(value) for value in values]


def _facts(view: RunView) -> Iterable[tuple[str, str]]:
    run = view.run
    dataset, model = run.get("dataset") or {}, run.get("model") or {}
    yield "protocol", view.protocol
    yield "dataset", _said(look_up(dataset, "name"))
    yield "dataset revision", _said(look_up(dataset, "revision"), missing="not stated; the fingerprint names the files")
    yield "dataset fingerprint", _said(look_up(dataset, "fingerprint"))[:16]
    yield "split", _said(look_up(dataset, "split"))
    yield "questions", f"{amount(len(view.rows))} of file {_said(look_up(dataset, 'questions_sha256'))[:16]}"
    yield "task", {"mcq": "multiple choice", "open": "open-ended, judged"}.get(run.get("task", ""), NOT_MEASURED)
    yield "method", _said(run.get("method"))
    yield "orders of the options", _said(run.get("num_permutations"))
    yield "seed", _said(run.get("seed"))
    yield "model", _said(look_up(model, "name") if isinstance(model, dict) else model)
    yield "model revision", _said(look_up(model, "revision"), missing="not stated")
    yield "reader", _said(run.get("reader"))
    cap = f", at most {amount(run['cap_tokens'])} tokens" if run.get("cap_tokens") else ""
    yield "memory builder", f"{run['builder']}{cap}" if run.get("builder") else "none: this reader builds no memory"
    yield "context size", view.context
    yield "tokens read per question", _mean_context(view)
    yield "persona system message", _said(run.get("persona_system"))
    yield "overlong prompts", _said(run.get("truncate"), missing="are an error")
    yield "token counter", _said(run.get("token_counter"))
    for name, value in run.items():
        if name not in _KNOWN_FACTS and value not in (None, "", {}):
            yield name.replace("_", " "), _listed(value)


def _listed(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {inner}" for name, inner in value.items())
    return str(value)


def _said(value: Any, *, missing: str = NOT_MEASURED) -> str:
    return missing if value is None or value == "" else str(value)


def _mean_context(view: RunView) -> str:
    answers = [row.answer for row in view.rows]
    sizes = [answer.context_tokens for answer in answers if answer.context_tokens is not None]
    if sizes:
        return f"{amount(round(sum(sizes) / len(sizes)))} on average"
    sizes = [answer.input_tokens // max(1, len(answer.permutations)) for answer in answers if answer.input_tokens]
    told = "on average, with the question, as the model's side counts them"
    return f"{amount(round(sum(sizes) / len(sizes)))} {told}" if sizes else NOT_MEASURED


def render_chart_table(chart: Chart) -> str:
    """Return the figures of a chart."""
    has_interval = any(mark.low is not None for row in chart.rows for mark in row.marks)
    head, several = ["figure"], len(chart.series) > 1
    for series in chart.series:
        head.append(escape(series) if several or chart.kind == "stack" else "value")
        head += [f"95 % interval{f' ({escape(series)})' if several else ''}"] if has_interval else []
    rows = []
    for row in chart.rows:
        cells = [escape(row.label)]
        for mark in row.marks:
            cells.append(escape(mark_value(mark, chart.unit)))
            cells += [escape(mark_interval(mark))] if has_interval else []
        rows.append(cells)
    return render_table(chart.title, head, rows, name="figures")


def render_slices(section: Section) -> str:
    """Return a table a breakdown, the long ones too."""
    names = list(dict.fromkeys(name for view in section.views for name in look_up(view.report, "breakdown") or ()))
    tables = [_slice_table(section, str(name)) for name in names]
    return "".join(tables) or "<p>No breakdown was measured.</p>"


def _slice_table(section: Section, name: str) -> str:
    rows = breakdown_rows(section, name)
    title = f"by {part_name(name)}"
    if len(rows) == 1:
        return f'<p class="quiet">{escape(title)}: all rows are “{isolate(rows[0].label)}”.</p>'
    several = len(section.views) > 1
    head = [escape(part_name(name))]
    for label in run_heads(section):
        head += [f"{label}: accuracy" if several else "accuracy", "95 % interval", "rows"]
    columns = [look_up(view.report, "breakdown", name) or {} for view in section.views]
    counts = [key for key in ("unparsed", "failed", "unscored") if _any_count(columns, key)] if not several else []
    lines = []
    parts = list(dict.fromkeys(part for column in columns for part in column))
    for part in parts:
        cells = [isolate(part_name(part, name))]
        for column in columns:
            mark = read_mark(column.get(part), missing="no rows")
            cells += [escape(mark_value(mark, "share")), escape(mark_interval(mark)), amount(mark.n or 0)]
        lines.append([*cells, *(amount(look_up(columns[0], part, key) or 0) for key in counts)])
    table = render_table(f"Accuracy {title}", [*head, *counts], lines, name="figures")
    return fold(f"{title} ({len(rows)} parts)", table, is_open=len(rows) <= 10 and not several)


def _any_count(columns: Sequence[dict[str, Any]], key: str) -> bool:
    return any(look_up(figures, key) for column in columns for figures in column.values())


def render_failures(section: Section) -> str:
    """Return every failed question with its error, up to a bound."""
    parts = []
    for view in section.views:
        for key, title in _FAILURES:
            failures = look_up(view.report, key) or []
            if not failures:
                continue
            rows = [
                [isolate(failure.get("sample_id", "")), isolate(shorten(failure.get("error", ""), MAX_ERROR_CHARS))]
                for failure in failures[:MAX_FAILURES]
            ]
            heading = f"{title}, run {view.name}: {amount(len(failures))}"
            table = render_table(heading, ["sample", "error"], rows, name="errors")
            if len(failures) > MAX_FAILURES:
                left = amount(len(failures) - MAX_FAILURES)
                table += f"<p>And {left} more: <code>eval report --json</code> lists them all.</p>"
            parts.append(fold(heading, table, is_open=len(failures) <= 20))
    return "".join(parts) or "<p>None: every question got an answer.</p>"


def render_further(section: Section) -> str:
    """Return what the reports hold beside all this, as it stands."""
    columns = [dict(further_figures(view.report)) for view in section.views]
    names = list(dict.fromkeys(name for column in columns for name in column))
    if not names:
        return ""
    rows = [[escape(name), *_merge([column.get(name, NOT_MEASURED) for column in columns])] for name in names]
    table = render_table("Further figures of the report", ["figure", *run_heads(section)], rows, name="facts")
    return f"<h3>Further figures</h3>{fold('As the report has them', table)}"
