"""What a run says: accuracy beside everything that puts it in doubt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from hub_toolkit.errors import DataFormatError
from hub_toolkit.evaluate.record import CHANCE, Answer, Row, RunRecord, count_statuses, load_record, load_rows
from hub_toolkit.metrics.accuracy import NUM_RESAMPLES, Estimate, estimate_mean, group_accuracy, paired_lift
from hub_toolkit.metrics.leakage import BASELINES, baseline_scores, length_weights
from hub_toolkit.metrics.slices import distance_bin, slice_rows

Report = dict[str, Any]

NUM_SLICE_RESAMPLES = 2_000
"""There are hundreds of topics."""

SLICES: dict[str, Callable[[Row], str]] = {
    "pref_type": lambda row: row.pref_type,
    "conversation_scenario": lambda row: row.conversation_scenario,
    "topic": lambda row: row.topic,
    "who": lambda row: row.who,
    "updated": lambda row: str(row.is_updated),
    "distance_tokens": lambda row: distance_bin(row.distance_tokens),
}
"""Source: protocol v1, breakdowns; secrets and context size are told apart elsewhere."""


def load_run(folder: Path) -> tuple[RunRecord, list[Row]]:
    """Read a complete run.

    Raises: DataFormatError: there is none, or it is not complete.
    """
    record = load_record(folder)
    if record is None:
        raise DataFormatError("holds no run.json; make one with `personamem eval run`", file=str(folder))
    if record.status != "complete":
        raise DataFormatError("this run is not complete; the same `eval run` command goes on with it", file=str(folder))
    return record, load_rows(folder)


def build_report(folder: Path, *, no_context: Path | None = None) -> Report:
    """Return the report on a run; `no_context` is a run of the same model with the reader `none`.

    Raises: DataFormatError: a run is missing, incomplete, or the two do not belong together.
    """
    record, rows = load_run(folder)
    report: Report = {
        "run": describe_run(record),
        "counts": count_statuses(rows),
        "failures": [{"sample_id": row.sample_id, "error": row.answer.error} for row in rows if row.answer.error],
        "counterfactual_failures": [
            {"sample_id": row.sample_id, "error": row.counterfactual.answer.error}
            for row in rows
            if row.counterfactual and row.counterfactual.answer.error
        ],
        "tokens": record.tokens,
        "memories": record.memories,
    }
    if record.config["task"] == "open":
        return {
            **report,
            "accuracy": None,
            "note": "open answers are stored unscored: judges give their verdicts later",
        }
    return {**report, **_score(record, rows, _no_context_answers(record, rows, no_context))}


def describe_run(record: RunRecord) -> dict[str, Any]:
    """Return what names a result, without which it is none."""
    config = record.config
    return {
        "protocol": record.protocol,
        "dataset": record.dataset,
        "task": config["task"],
        "reader": config["reader"],
        "builder": config["builder"] if config["reader"] == "memory" else None,
        "cap_tokens": config["cap_tokens"] if config["reader"] == "memory" else None,
        "context": config["context"],
        "persona_system": record.persona_system,
        "truncate": config["truncate"],
        "model": record.model,
        "seed": record.seed,
        "token_counter": record.token_counter,
    }


def _score(record: RunRecord, rows: Sequence[Row], no_context: dict[str, Answer] | None) -> Report:
    """Score the rows of which chance is known: those in swap groups where there are some; secrets never."""
    ordinary = [row for row in rows if not row.is_safety]
    balanced = [row for row in ordinary if row.group_id is not None]
    scored = balanced or ordinary
    apart = {
        "sensitive_info": [row for row in rows if row.is_safety],
        "unbalanced": [row for row in ordinary if row.group_id is None] if balanced else [],
    }
    seed = record.seed
    groups = group_accuracy(
        (row.group_id, row.group_size or 0, row.answer.points > 0) for row in balanced if row.group_id
    )
    return {
        "rows": "balanced" if balanced else "all",
        "accuracy": accuracy(scored, seed),
        "chance": CHANCE,
        "baselines": _baselines(scored, no_context, seed),
        "length_controlled": _length_controlled(scored, seed),
        "counterfactual_lift": _lift(scored, seed),
        "group_accuracy": asdict(groups),
        "breakdown": {
            name: {
                value: accuracy(part, seed, num_resamples=NUM_SLICE_RESAMPLES)
                for value, part in slice_rows(scored, key).items()
            }
            for name, key in SLICES.items()
        },
        **{name: accuracy(part, seed) if part else None for name, part in apart.items()},
    }


def accuracy(rows: Sequence[Row], seed: int, *, num_resamples: int = NUM_RESAMPLES) -> dict[str, Any]:
    """Return the share answered right, unparsed and failed rows in the denominator, with the counts beside it."""
    points = [row.answer.points for row in rows]
    counts = count_statuses(rows)
    counts.pop("rows")
    return {**_estimate(estimate_mean(points, _clusters(rows), seed=seed, num_resamples=num_resamples)), **counts}


def _baselines(rows: Sequence[Row], no_context: dict[str, Answer] | None, seed: int) -> dict[str, Any]:
    scores = [baseline_scores(row.options or (), row.gold_index) for row in rows]
    baselines: dict[str, Any] = {"no_context": None}
    if no_context is not None:
        asked = [replace(row, answer=no_context[row.sample_id]) for row in rows]
        baselines["no_context"] = accuracy(asked, seed)
    for name in BASELINES:
        baselines[name] = _estimate(estimate_mean([score[name] for score in scores], _clusters(rows), seed=seed))
    return baselines


def _length_controlled(rows: Sequence[Row], seed: int) -> dict[str, Any]:
    """Return the accuracy in which every length rank of the right option has the same weight."""
    weights = length_weights([(row.options or (), row.gold_index) for row in rows])
    points = [weight * row.answer.points for weight, row in zip(weights, rows, strict=True)]
    return _estimate(estimate_mean(points, _clusters(rows), seed=seed))


def _lift(rows: Sequence[Row], seed: int) -> dict[str, Any] | None:
    """Return by how much the own memory beats another owner's; pairs with a failed half are left out and counted."""
    asked = [(row, row.counterfactual.answer) for row in rows if row.counterfactual is not None]
    if not asked:
        return None
    pairs = [(row, other) for row, other in asked if "failed" not in (row.answer.status, other.status)]
    own, others = [row.answer.points for row, _ in pairs], [other.points for _, other in pairs]
    clusters = _clusters([row for row, _ in pairs])
    return {
        **_estimate(paired_lift(own, others, clusters, seed=seed)),
        "own": _estimate(estimate_mean(own, clusters, seed=seed)),
        "other": _estimate(estimate_mean(others, clusters, seed=seed)),
        "num_left_out": len(asked) - len(pairs),
    }


def _no_context_answers(record: RunRecord, rows: Sequence[Row], folder: Path | None) -> dict[str, Answer] | None:
    """Return what each row is answered without any context, by sample; None where that was not run.

    Raises: DataFormatError: the other run is not of the same model, questions and options, or lacks a row.
    """
    if folder is None:
        if record.config["reader"] == "none":
            return {row.sample_id: row.answer for row in rows}
        choices = {row.sample_id: (row.no_context_choice, row.gold) for row in rows if row.no_context_choice}
        return {name: Answer("scored", pick, pick == gold) for name, (pick, gold) in choices.items()} or None
    other, other_rows = load_run(folder)
    for name, is_same in {
        "reader none": other.config["reader"] == "none",
        "the task mcq": other.config["task"] == "mcq",
        "the same model": other.model == record.model,
        "the same seed": other.seed == record.seed,
        "the same prompts": other.prompts.get("mcq") == record.prompts.get("mcq"),
        "the same protocol": other.protocol == record.protocol,
        "the same questions": other.dataset["questions_sha256"] == record.dataset["questions_sha256"],
        "all rows of this run": {row.sample_id for row in rows} <= {row.sample_id for row in other_rows},
    }.items():
        if not is_same:
            raise DataFormatError(f"cannot be the no-context baseline: it has not {name}", file=str(folder))
    return {row.sample_id: row.answer for row in other_rows}


def _clusters(rows: Sequence[Row]) -> list[int]:
    return [row.cluster for row in rows]


def _estimate(estimate: Estimate) -> dict[str, Any]:
    return asdict(estimate)
