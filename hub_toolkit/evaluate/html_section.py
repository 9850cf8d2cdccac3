"""One section of a report's page: runs on a common scale, what they score, and what puts that in doubt."""

from __future__ import annotations

from collections.abc import Iterator

from hub_toolkit.evaluate.charts import Chart, Mark, look_up, read_mark, section_charts
from hub_toolkit.evaluate.html_svg import render_svg
from hub_toolkit.evaluate.html_tables import (
    fold,
    render_chart_table,
    render_failures,
    render_further,
    render_identity,
    render_slices,
)
from hub_toolkit.evaluate.html_text import amount, escape, isolate, mark_interval, points, share
from hub_toolkit.evaluate.run_view import NOT_MEASURED, RunView, Section

_TASKS = {"mcq": "multiple choice", "open": "open-ended"}
_CONTROLS = {
    "no_context": "the same answerer without any history",
    "longest_option": "taking the longest option",
    "shortest_option": "taking the shortest option",
    "first_option": "taking the first option",
}


def section_title(section: Section) -> str:
    """Return what was asked in a few words."""
    asked = section.views[0].asked
    task = _TASKS.get(asked["task"], asked["task"])
    protocol = asked["protocol"].partition(",")[0]
    return f"{asked['dataset']} · {asked['split']} · {task} · protocol {protocol}"


def render_section(section: Section, number: int) -> str:
    """Return the section; `number` counts from 1 and makes its ids unique."""
    charts = {chart.name: chart for chart in section_charts(section)}
    parts = [f'<section id="s{number}" aria-labelledby="s{number}-head">']
    parts.append(f'<h2 id="s{number}-head">{isolate(section_title(section))}</h2>')
    if section.reason:
        parts.append(f'<p class="apart">{isolate(section.reason)}</p>')
    cards = '<div class="cards">' + "".join(_cards(section)) + "</div>"
    controls = _figure(charts.pop("controls"), number)
    identity = f"<h3>What this result is</h3>{render_identity(section)}"
    if len(section.views) == 1:
        parts.append(f'<div class="lead"><div>{cards}{identity}</div>{controls}</div>')
    else:
        parts += [cards, controls, identity]
    if "accuracy" in charts:
        parts.append(f"<h3>Systems side by side</h3>{_figure(charts.pop('accuracy'), number)}")
    last = [charts.pop("privacy"), charts.pop("tokens"), charts.pop("answers")]
    if charts:
        figures = "".join(_figure(chart, number) for chart in charts.values())
        parts.append(f'<h3>By kind of question</h3><div class="pair">{figures}</div>')
    figures = "".join(_figure(chart, number) for chart in last)
    parts.append(f'<h3>Privacy, cost and completeness</h3><div class="pair">{figures}</div>')
    parts.append(f"<h3>Failures</h3>{render_failures(section)}")
    parts.append(f"<h3>Every slice</h3>{render_slices(section)}")
    parts.append(render_further(section))
    return "".join(parts) + "</section>"


def _figure(chart: Chart, number: int) -> str:
    caption = escape(chart.caption)
    if chart.reference is not None:
        caption += f" The dashed line is {escape(chart.reference_name)} ({share(chart.reference)})."
    return (
        f'<figure id="s{number}-{chart.name}"><h4>{escape(chart.title)}</h4>'
        f"{render_svg(chart, name=f's{number}-{chart.name}-svg')}<figcaption>{caption}</figcaption>"
        f"{fold('The same as a table', render_chart_table(chart))}</figure>"
    )


def _cards(section: Section) -> Iterator[str]:
    several = len(section.views) > 1
    for letter, view in zip(section.letters, section.views, strict=True):
        mark = read_mark(look_up(view.report, "accuracy"))
        name = f'<span class="letter">{letter}</span> ' if several else ""
        size = _size(view, mark)
        interval = escape(mark_interval(mark)) if mark.value is not None else ""
        yield (
            f'<article class="card"><h3>{name}{isolate(view.system)}</h3>'
            f'<p class="quiet">run {isolate(view.name)}, {escape(_read(view))}</p>'
            f'<p class="headline">{share(mark.value)} <span class="interval">{interval}</span></p>'
            f'<p class="quiet">{escape(size)}</p><ul>{"".join(f"<li>{line}</li>" for line in _doubts(view, mark))}'
            "</ul></article>"
        )


def _read(view: RunView) -> str:
    return view.context if view.context == "no history" else f"histories of {view.context}"


def _size(view: RunView, mark: Mark) -> str:
    if mark.value is None:
        return str(look_up(view.report, "note") or "accuracy was not measured")
    kind = "rows in swap groups" if look_up(view.report, "rows") == "balanced" else "rows"
    personas = look_up(view.report, "accuracy", "num_clusters")
    whose = "1 persona" if personas == 1 else f"{amount(personas)} personas"
    return f"accuracy on {amount(mark.n)} {kind} of {whose}; 95 % interval, in percent"


def _doubts(view: RunView, accuracy: Mark) -> Iterator[str]:
    """Yield what a reader should know before believing the number; each line is escaped."""
    if accuracy.value is None:
        return
    deviations = look_up(view.run, "deviations")
    if deviations and isinstance(deviations, dict):
        texts = ", ".join(f"{name} {value}" for name, value in deviations.items())
        yield f"<strong>Not the protocol's own: {escape(texts)}.</strong>"
    if look_up(view.run, "reader") == "none":
        yield "This run is the no-context baseline itself."
    yield from _control_lines(view, accuracy)
    if not _is_open(view):
        yield _length_line(view.report)
    yield _lift_line(view.report)
    yield _status_line(view.report)


def _control_lines(view: RunView, accuracy: Mark) -> Iterator[str]:
    """Yield how the accuracy stands beside its controls; of an open answer none goes by options."""
    is_left_out = {name: _is_open(view) for name in _CONTROLS}
    is_left_out["no_context"] = look_up(view.run, "reader") == "none"
    controls = {} if _is_open(view) else {"chance": read_mark(look_up(view.report, "chance"), missing="")}
    for name, title in _CONTROLS.items():
        if not is_left_out[name]:
            controls[title] = read_mark(look_up(view.report, "baselines", name))
    low = accuracy.low
    measured = {title: mark.value for title, mark in controls.items() if mark.value is not None}
    reached = [f"{title} ({share(value)})" for title, value in measured.items() if low is not None and value >= low]
    if low is None:
        yield "<strong>No interval, which takes two personas: nothing shows that this is above any control.</strong>"
    elif reached:
        yield f"<strong>The interval is not above {escape('; '.join(reached))}.</strong>"
    elif measured.keys() - {"chance"}:
        yield "The interval lies above every control that was measured."
    missing = [title for title, mark in controls.items() if mark.value is None and mark.note]
    if missing:
        yield f"Not measured: {escape('; '.join(missing))}."


def _is_open(view: RunView) -> bool:
    return bool(look_up(view.run, "task") == "open")


def _length_line(report: object) -> str:
    mark = read_mark(look_up(report, "length_controlled"))
    if mark.value is None:
        return "Length-controlled accuracy: not measured."
    is_bound = look_up(report, "length_controlled", "basis") == "bound"
    bound = ", a lower bound: length alone may explain these answers" if is_bound else ""
    return f"Length-controlled: {share(mark.value)} {escape(mark_interval(mark))}{bound}."


def _lift_line(report: object) -> str:
    lift = look_up(report, "counterfactual_lift")
    if look_up(lift, "value") is None:
        return "Lift over another owner's memory: not measured."
    low, high = look_up(lift, "low"), look_up(lift, "high")
    interval = f" [{points(low)}, {points(high)}]" if low is not None and high is not None else ""
    verdict = ": nothing shows that the own history was read" if low is not None and low <= 0 else ""
    left_out = look_up(lift, "num_left_out")
    pairs = f"; {amount(left_out)} pairs left out" if left_out else ""
    return f"Lift over another owner's memory: {points(lift['value'])} points{interval}{verdict}{pairs}."


def _status_line(report: object) -> str:
    counts = {name: look_up(report, "counts", name) for name in ("unparsed", "failed", "unscored")}
    if all(count == 0 for count in counts.values()):
        return "Every answer could be read and scored."
    texts = (
        f"{NOT_MEASURED if count is None else amount(count)} {name}" for name, count in counts.items() if count != 0
    )
    return f"Among all answers: {escape(', '.join(texts))}."
