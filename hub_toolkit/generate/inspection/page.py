"""A dataset on one page: nothing is loaded from elsewhere, nothing needs a script, everything foreign is escaped."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from hub_toolkit.data.schema import Sample
from hub_toolkit.evaluate.charts import Chart, ChartRow, Mark
from hub_toolkit.evaluate.html import wrap_page
from hub_toolkit.evaluate.html_svg import render_svg
from hub_toolkit.evaluate.html_tables import fold, render_chart_table, render_table
from hub_toolkit.evaluate.html_text import amount, escape, isolate, share, shorten
from hub_toolkit.generate.inspection.measure import (
    KINDS,
    Blind,
    Inspected,
    Likeness,
    bin_width,
    count_distances,
    count_kinds,
    measure_baselines,
    measure_blind,
    measure_likeness,
    measure_spreads,
)
from hub_toolkit.generate.inspection.survival import load_rejections, load_survival
from hub_toolkit.metrics.accuracy import Estimate

CHANCE = 0.25
NUM_SAMPLES = 2
MAX_VALUES = 12
MAX_CHARS = 700
_BASELINES = {
    "longest_option": "longest option",
    "shortest_option": "shortest option",
    "first_option": "first option",
    "like_query": "option most like the query",
    "central_option": "option most like the others",
    "odd_option": "option least like the others",
}
_TITLES = {
    "pref_type": "Type of preference",
    "conversation_scenario": "Scenario in which it was told",
    "who": "Whose preference it is",
    "updated": "Whether it was updated",
    "sensitive_info": "Whether it is a secret",
    "topic_query": "Topic of the query",
}


def render_inspection(inspected: Inspected, *, name: str, made: Path | None = None, seed: int = 0) -> str:
    """Return the page. `made` is the folder in which the dataset was generated, where it is another.

    Raises: DataFormatError: a history cannot be read, or the survival file is broken.
    """
    sections = (
        ("counts", "What it holds", render_counts(inspected)),
        ("kinds", "Distributions", render_kinds(inspected) + render_spreads(inspected)),
        ("survival", "What survived the filters", render_survival(made or inspected.folder)),
        (
            "leaks",
            "Can it be answered without the history?",
            render_leaks(inspected, measure_blind(inspected, seed=seed)),
        ),
        ("neighbours", "Nearest neighbours across splits", render_likeness(measure_likeness(inspected))),
        ("samples", "Samples by type", render_samples(inspected)),
    )
    links = "".join(f'<li><a href="#{anchor}">{escape(title)}</a></li>' for anchor, title, _ in sections)
    body = "".join(
        f'<section id="{anchor}" aria-labelledby="{anchor}-head"><h2 id="{anchor}-head">{escape(title)}</h2>{part}'
        "</section>"
        for anchor, title, part in sections
    )
    head = f"<header><h1>Dataset: {isolate(name)}</h1><nav aria-label='Sections'><ol>{links}</ol></nav></header>"
    footer = "Whoever trains or evaluates on these rows should have seen some of them."
    return wrap_page(f"Dataset report: {name}", head + body, footer=footer)


def render_counts(inspected: Inspected) -> str:
    """Return rows, personas, swap groups and histories by split."""
    names = list(inspected.samples)
    head = ["", *map(escape, names), "together"]
    columns = [_counts(inspected.samples[name]) for name in names] + [_counts(inspected.rows)]
    rows = [[escape(fact), *(amount(column[fact]) for column in columns)] for fact in columns[0]]
    shared = _shared_personas(inspected)
    note = (
        f'<p class="apart">{amount(shared)} personas stand in more than one split: what is learned of them in training '
        "helps in the benchmark.</p>"
        if shared
        else "<p>No persona stands in more than one split.</p>"
    )
    text = escape(f"The {inspected.modality} rows.")
    return f"<p>{text}</p>{render_table('Rows by split', head, rows, name='figures')}{note}"


def _counts(samples: Sequence[Sample]) -> dict[str, int]:
    return {
        "questions": len(samples),
        "questions in swap groups": sum(sample.is_balanced for sample in samples),
        "swap groups": len({sample.group_id for sample in samples if sample.group_id}),
        "personas": len({sample.persona_id for sample in samples}),
        "of them twins": len({sample.persona_id for sample in samples if sample.twin_of is not None}),
        "histories": len({link for sample in samples for link in sample.history_links.values()}),
        "topics": len({sample.topic_query for sample in samples}),
    }


def _shared_personas(inspected: Inspected) -> int:
    seen: set[int] = set()
    shared: set[int] = set()
    for samples in inspected.samples.values():
        mine = {sample.cluster for sample in samples}
        shared |= mine & seen
        seen |= mine
    return len(shared)


def render_kinds(inspected: Inspected) -> str:
    """Return a chart a column: which share of each split's rows has which value."""
    names = tuple(inspected.samples)
    columns = [count_kinds(inspected.samples[name]) for name in names]
    parts = []
    for kind in KINDS:
        totals = count_kinds(inspected.rows)[kind]
        values = [value for value, _ in sorted(totals.items(), key=lambda item: (-item[1], item[0]))]
        rows = [
            ChartRow(value, tuple(_part(column[kind][value], column[kind].total()) for column in columns))
            for value in values[:MAX_VALUES]
        ]
        left = f" The {MAX_VALUES} most frequent of {len(values)}." if len(values) > MAX_VALUES else ""
        caption = f"Share of the rows of each split.{left}"
        chart = Chart(f"kind-{kind}", _TITLES[kind], caption, "bars", "share", names, tuple(rows))
        parts.append(_figure(chart))
    return f'<div class="pair">{"".join([*parts, _distances(inspected)])}</div>'


def _distances(inspected: Inspected) -> str:
    """Return a chart of how far the evidence is from the query; nothing where no row states it."""
    names, width = tuple(inspected.samples), bin_width(inspected.rows)
    counts = [count_distances(inspected.samples[name], width) for name in names]
    last = max((place for count in counts for place in count), default=-1)
    rows = [
        ChartRow(
            f"{amount(place * width)} to {amount((place + 1) * width - 1)} tokens",
            tuple(_part(count[place], count.total()) for count in counts),
        )
        for place in range(last + 1)
    ]
    if not rows:
        return ""
    caption = "In the shorter history. Share of the rows of each split."
    chart = Chart("distances", "From evidence to query", caption, "bars", "share", names, tuple(rows))
    return _figure(chart)


def _part(num: int, total: int) -> Mark:
    return Mark(num / total if total else None, note="no rows")


def _figure(chart: Chart) -> str:
    return (
        f"<figure><h3>{escape(chart.title)}</h3>{render_svg(chart, name=chart.name)}"
        f"<figcaption>{escape(chart.caption)}</figcaption>{fold('The figures', render_chart_table(chart))}</figure>"
    )


def render_spreads(inspected: Inspected) -> str:
    """Return how long histories, queries and options are, and how far the evidence is, by split."""
    rows = []
    for split, samples in inspected.samples.items():
        for name, spread in measure_spreads(samples).items():
            figures = (spread.low, spread.quarter, spread.median, spread.three_quarters, spread.high)
            rows.append((name, [escape(f"{name} ({split})"), amount(spread.n), *map(amount, figures)]))
    head = ["", "number", "least", "a quarter", "median", "three quarters", "most"]
    ordered = [row for _, row in sorted(rows, key=lambda item: item[0])]
    return render_table("Lengths and distances", head, ordered, name="figures")


def render_survival(folder: Path) -> str:
    """Return what each stage let through, and why the rest was rejected."""
    stages = load_survival(folder)
    if not stages:
        return (
            "<p>The folder holds no survival.json: what it holds was written without filters, or by somebody else.</p>"
        )
    rows = []
    for stage in stages:
        ordered = sorted(stage.rejected.items(), key=lambda item: (-item[1], item[0]))
        why = ", ".join(f"{isolate(reason)} {amount(num)}" for reason, num in ordered) or "–"
        rows.append([isolate(stage.stage), amount(stage.num_in), amount(stage.num_out), share(stage.share), why])
    head = ["stage", "in", "out", "survived", "rejected for"]
    counts, examples = load_rejections(folder)
    kept = "".join(
        fold(
            f"{reason}: {amount(num)} kept in rejections.jsonl",
            "<ul>" + "".join(f"<li>{isolate(shorten(text, MAX_CHARS))}</li>" for text in examples[reason]) + "</ul>",
        )
        for reason, num in counts.most_common()
    )
    return render_table("Survival by stage", head, rows) + (f"<h3>Rejected</h3>{kept}" if kept else "")


def render_leaks(inspected: Inspected, blind: Blind | None) -> str:
    """Return what is reached with query and options alone, beside chance."""
    if not inspected.choices:
        return "<p>No row has four options.</p>"
    groups = {
        "in swap groups": [sample for sample in inspected.choices if sample.is_balanced],
        "in no swap group": [sample for sample in inspected.choices if not sample.is_balanced],
    }
    rows = [
        ChartRow(f"{_BASELINES[name]}, {where}", (_mark(value),))
        for where, samples in groups.items()
        if samples
        for name, value in measure_baselines(samples).items()
    ]
    rows.append(ChartRow("classifier without a history", (_mark(blind.score) if blind else _TOO_FEW,)))
    how = f"The classifier {blind.how}: {amount(blind.num_learned)} rows. " if blind else ""
    caption = f"{how}95 % intervals, clustered by persona. Rows on secrets are left out. The line is chance."
    chart = Chart("leaks", "Accuracy without a history", caption, "dots", "share", ("",), tuple(rows), CHANCE, "chance")
    by_type = _baselines_by_type(inspected.choices)
    return _figure(chart) + fold("Baselines by type", by_type)


_TOO_FEW = Mark(None, note="too few personas")


def _mark(estimate: Estimate) -> Mark:
    note = "bound" if estimate.interval == "exact_bound" else "" if estimate.value is not None else "no rows"
    return Mark(estimate.value, estimate.low, estimate.high, estimate.n, note)


def _baselines_by_type(samples: Sequence[Sample]) -> str:
    kinds = sorted({sample.pref_type for sample in samples}) + [
        f"who: {who}" for who in sorted({s.who for s in samples})
    ]
    rows = []
    for kind in kinds:
        mine = [sample for sample in samples if kind in (sample.pref_type, f"who: {sample.who}")]
        values = measure_baselines(mine).values()
        rows.append([isolate(kind), amount(len(mine)), *(share(value.value) for value in values)])
    return render_table("Baselines by type", ["type", "rows", *_BASELINES.values()], rows, name="figures")


def render_likeness(found: Sequence[Likeness]) -> str:
    """Return how much of the benchmark stands in the other splits too, with the nearest pairs."""
    if not found:
        return "<p>There is one split only: nothing to compare.</p>"
    rows = [
        [
            escape(like.what),
            amount(like.num_compared),
            amount(like.num_equal),
            f"{amount(like.num_near)} (from {share(like.threshold)})",
            share(like.median),
            share(like.pairs[0].similarity if like.pairs else 0.0),
        ]
        for like in found
    ]
    head = ["of the benchmark", "compared", "word for word elsewhere", "near-duplicates", "median", "nearest"]
    note = (
        "<p>Shared runs of words by all of both (Jaccard; two words for queries, five for what the user says in a "
        "history). Median and nearest: how like a text's nearest neighbour is.</p>"
    )
    return (
        note
        + render_table("Benchmark beside the other splits", head, rows, name="figures")
        + "".join(map(_pairs, found))
    )


def _pairs(like: Likeness) -> str:
    shown = [pair for pair in like.pairs if {pair.left, pair.right} <= like.texts.keys()]
    parts = []
    for pair in shown:
        cards = "".join(
            f'<div class="card"><h4>{where}: {isolate(name)}</h4><p>{_text(like.texts[name])}</p></div>'
            for where, name in (("benchmark", pair.left), ("elsewhere", pair.right))
        )
        parts.append(f'<p>{share(pair.similarity)} alike</p><div class="cards">{cards}</div>')
    return fold(f"The nearest {like.what}", "".join(parts) or "<p>None.</p>", is_open=like.num_near > 0)


def _text(text: str) -> str:
    return isolate(shorten(text, MAX_CHARS)).replace("\n", "<br>")


def render_samples(inspected: Inspected) -> str:
    """Return some rows of each type, drawn by the hash of their ids, with the right option marked."""
    by_type: dict[str, list[Sample]] = {}
    for sample in inspected.rows:
        by_type.setdefault(sample.pref_type, []).append(sample)
    parts = []
    for kind, samples in sorted(by_type.items()):
        drawn = sorted(samples, key=lambda sample: hashlib.sha256(sample.sample_id.encode()).digest())[:NUM_SAMPLES]
        cards = "".join(f'<div class="card">{"".join(_card(sample))}</div>' for sample in drawn)
        parts.append(fold(f"{kind} ({amount(len(samples))})", f'<div class="cards">{cards}</div>', is_open=True))
    return "".join(parts)


def _card(sample: Sample) -> Iterator[str]:
    yield f"<h4>{isolate(sample.sample_id)}</h4>"
    who = f"persona {sample.persona_id}, {sample.who}, {sample.conversation_scenario}, {sample.topic_query}"
    yield f'<p class="quiet">{isolate(who)}</p><p>{_text(sample.user_query.text)}</p><ul>'
    for option in sorted((sample.correct_answer, *sample.incorrect_answers)):
        mark = "<strong>right: </strong>" if option == sample.correct_answer else ""
        yield f"<li>{mark}{_text(option)}</li>"
    yield f"</ul><p>Preference: {_text(sample.preference)}</p>"
    told = "".join(f"<p><b>{escape(message.role)}</b> {_text(message.text)}</p>" for message in sample.related_snippet)
    yield fold("Where the history shows it", told or "<p>Nowhere.</p>")
