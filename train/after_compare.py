"""Runs of several models side by side: each with its controls, each pair tested on the same questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from hub_toolkit.errors import DataFormatError, PersonaMemError
from hub_toolkit.evaluate.compare import compare_runs
from hub_toolkit.evaluate.record import RunRecord, load_record
from hub_toolkit.evaluate.report import build_report
from hub_toolkit.hub.cards.card_figures import format_count, format_estimate, format_share, plain, table
from hub_toolkit.hub.cards.results_card import accuracy_table, identity_table, statuses_table
from hub_toolkit.metrics.comparison import correct_by_holm

_TAGS = ("personamem-results", "personalization", "memory", "evaluation")


@dataclass(frozen=True)
class Entry:
    """One model's run. `no_context` is a run of the same model that reads nothing, its control."""

    name: str
    run: Path
    no_context: Path | None = None


@dataclass(frozen=True)
class Contest:
    """`b` against `a` on the questions of both; `result` is what `compare_runs` gives, `p_holm` over all contests."""

    a: str
    b: str
    result: Mapping[str, Any]
    p_holm: float | None


@dataclass(frozen=True)
class SideBySide:
    """Everything that the table and the card say."""

    entries: tuple[Entry, ...]
    records: Mapping[str, RunRecord]
    reports: Mapping[str, Mapping[str, Any]]
    contests: tuple[Contest, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the figures."""
        return {
            "runs": {
                name: {
                    "accuracy": report["accuracy"],
                    "no_context": report["baselines"]["no_context"],
                    "counterfactual_lift": report["counterfactual_lift"],
                    "chance": report["chance"],
                    "counts": report["counts"],
                }
                for name, report in self.reports.items()
            },
            "contests": [
                {"name_a": one.a, "name_b": one.b, **one.result["overall"], "p_holm": one.p_holm}
                for one in self.contests
            ],
        }


def put_side_by_side(entries: Sequence[Entry]) -> SideBySide:
    """Report on each run and test each pair; p values are corrected by Holm over the pairs.

    Raises: DataFormatError: a run is missing, not complete or not scored, or two were not asked the same.
        PersonaMemError: fewer than two runs, or two of one name.
    """
    names = [entry.name for entry in entries]
    if len(entries) < 2 or len(set(names)) < len(names):
        raise PersonaMemError("name two runs or more, each by a name of its own, as in base=runs/base sft=runs/sft")
    reports = {entry.name: build_report(entry.run, no_context=entry.no_context) for entry in entries}
    records = {entry.name: _load(entry.run) for entry in entries}
    for entry in entries:
        if reports[entry.name]["accuracy"] is None:
            raise DataFormatError(f"is not scored: {reports[entry.name]['note']}", file=str(entry.run))
    pairs = list(combinations(entries, 2))
    results = [compare_runs(a.run, b.run) for a, b in pairs]
    corrected = correct_by_holm([result["overall"]["p"] for result in results])
    contests = tuple(
        Contest(a.name, b.name, result, p) for (a, b), result, p in zip(pairs, results, corrected, strict=True)
    )
    return SideBySide(tuple(entries), records, reports, contests)


def _load(run: Path) -> RunRecord:
    record = load_record(run)
    if record is None:
        raise DataFormatError("has no record; run `personamem eval run` to its end", file=str(run))
    return record


def models_table(found: SideBySide) -> str:
    """Return one line a model: accuracy beside chance and its own control without a context."""
    rows = []
    for name, report in found.reports.items():
        control = report["baselines"]["no_context"]
        lift = report["counterfactual_lift"]
        counts = report["counts"]
        lost = counts["unparsed"] + counts["failed"] + counts["unscored"]
        rows.append(
            [
                plain(name),
                format_estimate(report["accuracy"]),
                format_estimate(control),
                format_estimate(lift),
                format_share(report["chance"]),
                format_count(report["accuracy"]["n"]),
                format_count(lost),
            ]
        )
    head = ("model", "accuracy [interval]", "no context", "counterfactual lift", "chance", "rows", "lost")
    return table(head, rows)


def contests_table(found: SideBySide) -> str:
    """Return one line a pair: the difference in points with its interval, p raw and corrected."""
    rows = []
    for one in found.contests:
        overall = one.result["overall"]
        interval = "no interval"
        if overall["low"] is not None:
            interval = f"[{100 * overall['low']:+.1f}, {100 * overall['high']:+.1f}]"
        rows.append(
            [
                f"{plain(one.b)} - {plain(one.a)}",
                f"{100 * overall['difference']:+.1f} {interval}",
                _p(overall["p"]),
                _p(one.p_holm),
                format_count(overall["n"]),
            ]
        )
    return table(("pair", "points [interval]", "p", "p, Holm", "rows"), rows)


def render_card(found: SideBySide, *, title: str, dataset_revision: str | None = None) -> str:
    """Return a README.md for a results repo: all models, all pairs, and what names each run."""
    import yaml

    front = {"pretty_name": title, "language": ["en"], "tags": list(_TAGS)}
    parts = [
        f"---\n{yaml.safe_dump(front, sort_keys=False, allow_unicode=True).strip()}\n---",
        f"# {plain(title)}",
        "Every model answered the same questions. Intervals and tests are clustered by persona. A model's own control "
        "reads no history: what it gets right there, it gets right without remembering anybody.",
        models_table(found),
        "## Pairs",
        f"Differences in points, paired by question; p corrected by Holm over {len(found.contests)} pairs.",
        contests_table(found),
    ]
    for entry in found.entries:
        report = found.reports[entry.name]
        parts += [f"## {plain(entry.name)}", identity_table(found.records[entry.name], dataset_revision)]
        parts += [statuses_table(report), accuracy_table(report)]
    return "\n\n".join(parts) + "\n"


def _p(p: float | None) -> str:
    if p is None:
        return "-"
    return f"{p:.3f}" if p >= 0.001 else "<.001"
