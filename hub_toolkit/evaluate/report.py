"""What a run says: accuracy beside everything that puts it in doubt."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from hub_toolkit.answer.mcq import LETTERS
from hub_toolkit.data.foreign import load_samples
from hub_toolkit.data.parse import resolve_dataset, split_path
from hub_toolkit.data.schema import Sample
from hub_toolkit.errors import DataFormatError
from hub_toolkit.evaluate.judging import apply_judgements, load_judge_record, load_judgements
from hub_toolkit.evaluate.record import (
    CHANCE,
    SAMPLES_FILE,
    Answer,
    Row,
    RunRecord,
    count_statuses,
    load_record,
    load_rows,
)
from hub_toolkit.metrics.accuracy import GroupRow, estimate_mean, group_accuracy, paired_lift
from hub_toolkit.metrics.judge_noise import correct_verdicts
from hub_toolkit.metrics.leakage import BASELINES, baseline_scores
from hub_toolkit.metrics.leaks import GivenAnswer, measure_forgotten, measure_secrets
from hub_toolkit.metrics.length import LengthRow, length_controlled
from hub_toolkit.metrics.slices import distance_bin, slice_rows

Report = dict[str, Any]

SLICES: dict[str, Callable[[Row], str]] = {
    "pref_type": lambda row: row.pref_type,
    "conversation_scenario": lambda row: row.conversation_scenario,
    "topic": lambda row: row.topic,
    "who": lambda row: row.who,
    "updated": lambda row: str(row.is_updated),
    "distance_tokens": lambda row: distance_bin(row.distance_tokens),
}
"""Source: protocol v1, breakdowns; secrets and context size are told apart elsewhere."""


QUESTION_PROMPTS = {"mcq": "mcq", "open": "open_ended"}
"""The prompt that asks a task's question."""

_UNJUDGED = "open answers are stored unscored: judges give their verdicts with `personamem eval judge`"
_UNREADABLE = "the judges gave no verdict that could be read: look into judgements.jsonl, and judge with another model"


def load_run(folder: Path) -> tuple[RunRecord, list[Row]]:
    """Read a complete run; open answers with what their judges said of them.

    Raises: DataFormatError: there is none, or it or its judging is not complete.
    """
    record = load_record(folder)
    if record is None:
        raise DataFormatError("holds no run.json; make one with `personamem eval run`", file=str(folder))
    if record.status != "complete":
        raise DataFormatError("this run is not complete; the same `eval run` command goes on with it", file=str(folder))
    rows = load_rows(folder)
    if len(rows) != record.counts["rows"]:
        raise DataFormatError(
            f"holds {len(rows)} rows of the {record.counts['rows']} that run.json counts: restore the file, "
            "or remove it, and the same `eval run` command writes it anew",
            file=str(folder / SAMPLES_FILE),
        )
    if record.config["task"] == "open":
        rows = apply_judgements(rows, load_judgements(folder), load_judgements(folder, "other"))
    return record, rows


def build_report(folder: Path, *, no_context: Path | None = None, data: Path | None = None) -> Report:
    """Return the report on a run.

    `no_context` is a run of the same model with the reader `none`; `data` is the dataset's folder, from which the leak
    meter takes the secrets (PersonaMem-mini needs none).
    Raises: DataFormatError: a run is missing, incomplete, or the two do not belong together; the data are others.
    """
    record, rows = load_run(folder)
    samples = load_own_samples(record, data)
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
        "leaks": measure_leaks(rows, samples) if samples is not None else None,
    }
    if record.config["task"] == "open" and not any(row.answer.status == "scored" for row in rows):
        return {
            **report,
            "accuracy": None,
            "note": _UNREADABLE if load_judge_record(folder) is not None else _UNJUDGED,
        }
    report["judges"] = _describe_judges(folder, rows) if record.config["task"] == "open" else None
    report["without_failed"] = _without_failed(record, rows)
    answers = _other_answers(folder, no_context) if no_context is not None else _own_no_context(record, rows)
    return {**report, **score_rows(rows, answers)}


def _without_failed(record: RunRecord, rows: Sequence[Row]) -> dict[str, Any] | None:
    """Return the accuracy as a protocol counts that leaves failed rows out of the denominator; None for others.

    Source: upstream's published script; ours keeps them, and shows both.
    """
    if not record.rules or record.rules["counting"]["failed"] != "left_out":
        return None
    return accuracy([row for row in chosen_rows(rows) if row.answer.status != "failed"])


def _describe_judges(folder: Path, rows: Sequence[Row]) -> dict[str, Any] | None:
    """Return who judged, how far they agree, and the accuracy without the noise of their verdicts.

    Judges who stop once the majority is certain leave out just the verdicts that would show it: no correction then.
    """
    record = load_judge_record(folder)
    if record is None:
        return None
    judgements = load_judgements(folder)
    judged = [row for row in chosen_rows(rows) if row.sample_id in judgements]
    marks = [[m for m in judgements[row.sample_id].marks if m is not None] for row in judged]
    has_all = not record.panel["is_stopping_early"]
    return {
        "judges": record.judges,
        "protocol": record.protocol,
        "agreement": record.agreement,
        "noise_corrected": asdict(correct_verdicts(marks, _clusters(judged))) if has_all else None,
    }


def describe_run(record: RunRecord) -> dict[str, Any]:
    """Return what names a result, without which it is none."""
    config, rules = record.config, record.rules
    reader = config["reader"]
    named = {name: rules[name] for name in ("name", "version", "digest")} if rules else record.protocol
    return {
        "protocol": named,
        "deviations": record.deviations or {},
        "dataset": record.dataset,
        "task": config["task"],
        "method": config.get("method", "generate"),
        "num_permutations": config.get("num_permutations", 1),
        "reader": reader,
        "builder": config["builder"] if reader == "memory" else None,
        "cap_tokens": config["cap_tokens"] if reader == "memory" else None,
        "rag_tokens": config.get("rag_tokens") if reader == "rag" else None,
        "rag_embed": config.get("rag_embed"),
        "external": config.get("external"),
        "context": config["context"],
        "persona_system": record.persona_system,
        "truncate": config["truncate"],
        "model": record.model,
        "adapter": config.get("adapter"),
        "seed": record.seed,
        "token_counter": record.token_counter,
        "shard": record.shard,
    }


def chosen_rows(rows: Sequence[Row]) -> list[Row]:
    """Return the rows of which chance is known: those in swap groups where there are some; secrets never."""
    ordinary = [row for row in rows if not row.is_safety]
    return [row for row in ordinary if row.group_id is not None] or ordinary


def score_rows(rows: Sequence[Row], no_context: dict[str, Answer] | None = None) -> Report:
    """Return every figure on the rows; `no_context` holds the same model's answers without a context, by sample."""
    scored = chosen_rows(rows)
    is_balanced = any(row.group_id is not None for row in scored)
    apart = {
        "sensitive_info": [row for row in rows if row.is_safety],
        "unbalanced": [row for row in rows if not row.is_safety and row.group_id is None] if is_balanced else [],
    }
    groups = group_accuracy(
        GroupRow(row.group_id, row.group_size or 0, row.cluster, row.answer.points == 1)
        for row in scored
        if row.group_id is not None
    )
    return {
        "rows": "balanced" if is_balanced else "all",
        "accuracy": accuracy(scored),
        "chance": CHANCE if all(row.options for row in scored) else None,
        "baselines": _baselines(scored, no_context),
        "length_controlled": _length_controlled(scored, no_context),
        "likelihood_lift": _likelihood_lift(scored),
        "counterfactual_lift": _lift(scored),
        "group_accuracy": asdict(groups),
        "breakdown": {
            name: {value: accuracy(part) for value, part in slice_rows(scored, key).items()}
            for name, key in SLICES.items()
        },
        **{name: accuracy(part) if part else None for name, part in apart.items()},
    }


def accuracy(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the share answered right, unparsed and failed rows in the denominator, with the counts beside it.

    Open answers that no judge could score are counted beside it alone.
    """
    counted = [row for row in rows if row.answer.status != "unscored"]
    counts = count_statuses(rows)
    counts.pop("rows")
    return {**asdict(estimate_mean([row.answer.points for row in counted], _clusters(counted))), **counts}


def _baselines(rows: Sequence[Row], no_context: dict[str, Answer] | None) -> dict[str, Any]:
    baselines: dict[str, Any] = {"no_context": None}
    if no_context is not None:
        baselines["no_context"] = accuracy([replace(row, answer=no_context[row.sample_id]) for row in rows])
    posed = [row for row in rows if row.options]
    scores = [baseline_scores(row.options or (), row.gold_index) for row in posed]
    for name in BASELINES:
        baselines[name] = asdict(estimate_mean([score[name] for score in scores], _clusters(posed)))
    return baselines


def _length_controlled(rows: Sequence[Row], no_context: dict[str, Answer] | None) -> dict[str, Any]:
    """Return the length-controlled accuracy; its control arm is the no-context one, else the counterfactual one."""
    arms: dict[str, dict[str, Answer]] = {
        "no_context": no_context or {},
        "counterfactual": {row.sample_id: row.counterfactual.answer for row in rows if row.counterfactual is not None},
    }
    arm = next((name for name, answers in arms.items() if answers), None)
    controls = arms[arm] if arm else {}
    figures = length_controlled([part for row in rows for part in _length_rows(row, controls.get(row.sample_id))])
    num_rows = sum(row.options is not None for row in rows)
    return {**asdict(figures), "n": num_rows, "control_arm": arm if figures.basis == "control" else None}


def _length_rows(row: Row, control: Answer | None) -> list[LengthRow]:
    """Return a row as the length estimator takes it, once for every order in which its options were shown."""
    lengths = tuple(len(option) for option in row.options or ())
    controls = control.permutations or (control,) if control is not None else ()
    parts = []
    for order, answer in enumerate(row.answer.permutations or (row.answer,) if lengths else ()):
        chosen = _place(controls[order]) if order < len(controls) else None
        gold = (row.gold_index - order) % len(lengths)
        parts.append(LengthRow(lengths[order:] + lengths[:order], gold, _place(answer), chosen, row.cluster))
    return parts


def _likelihood_lift(rows: Sequence[Row]) -> dict[str, Any] | None:
    """Return the accuracy of choosing what the context makes likelier the most; None where it was not measured."""
    marks = [
        (float(answer.likelihood.is_lift_correct), row.cluster)
        for row in rows
        for answer in row.answer.permutations or (row.answer,)
        if answer.likelihood is not None and answer.likelihood.is_lift_correct is not None
    ]
    return asdict(estimate_mean([mark for mark, _ in marks], [cluster for _, cluster in marks])) if marks else None


def _place(answer: Answer | None) -> int | None:
    return LETTERS.index(answer.choice) if answer is not None and answer.choice is not None else None


def _lift(rows: Sequence[Row]) -> dict[str, Any] | None:
    """Return by how much the own memory beats another owner's; pairs with a failed half are left out and counted."""
    asked = [(row, row.counterfactual.answer) for row in rows if row.counterfactual is not None]
    if not asked:
        return None
    unusable = {"failed", "unscored"}
    pairs = [(row, other) for row, other in asked if not unusable & {row.answer.status, other.status}]
    own, others = [row.answer.points for row, _ in pairs], [other.points for _, other in pairs]
    clusters = _clusters([row for row, _ in pairs])
    return {
        **asdict(paired_lift(own, others, clusters)),
        "own": asdict(estimate_mean(own, clusters)),
        "other": asdict(estimate_mean(others, clusters)),
        "num_left_out": len(asked) - len(pairs),
    }


def measure_leaks(rows: Sequence[Row], samples: Sequence[Sample]) -> dict[str, Any]:
    """Return how many answers repeat a secret or use what was to be forgotten, from their text.

    Raises: DataFormatError: a row is not among the samples.
    """
    by_id = {sample.sample_id: sample for sample in samples}
    missing = next((row.sample_id for row in rows if row.sample_id not in by_id), None)
    if missing is not None:
        raise DataFormatError(f"the dataset has no row {missing}; name the one that the run was made on")
    answers = [GivenAnswer(by_id[row.sample_id], _text(row), row.options or ()) for row in rows]
    secrets, forgotten = measure_secrets(answers), measure_forgotten(answers)
    return {
        "secrets": asdict(secrets) if secrets else None,
        "forgotten": asdict(forgotten) if forgotten else None,
    }


def _text(row: Row) -> str | None:
    """Return what a row's answer says: the option chosen, or the open reply."""
    if row.options is None:
        return row.answer.reply
    place = _place(row.answer)
    return None if place is None else row.options[place]


def load_own_samples(record: RunRecord, data: Path | None) -> list[Sample] | None:
    """Read the rows that a run was made on; None where no folder is named and the shipped one is not the one.

    Raises: DataFormatError: the named folder holds other questions.
    """
    if data is None and record.dataset["name"] != "mini":
        return None
    folder = resolve_dataset(data or "mini")
    split = record.dataset["split"]
    path = split_path(folder, split)
    is_same = path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == record.dataset["questions_sha256"]
    if is_same:
        return load_samples(folder, split)
    if data is None:
        return None
    raise DataFormatError("holds other questions than the run was made on; name the same dataset", file=str(path))


def _own_no_context(record: RunRecord, rows: Sequence[Row]) -> dict[str, Answer] | None:
    """Return what each row is answered without any context, by sample, as far as the run itself says so."""
    if record.config["reader"] == "none":
        return {row.sample_id: row.answer for row in rows}
    choices = {row.sample_id: (row.no_context_choice, row.gold) for row in rows if row.no_context_choice}
    return {name: Answer("scored", pick, pick == gold) for name, (pick, gold) in choices.items()} or None


def _other_answers(own: Path, folder: Path) -> dict[str, Answer]:
    """Return the answers of the run in `folder`, by sample, as the no-context baseline of the one in `own`.

    Raises: DataFormatError: it reads something, another system answers, the questions were asked or judged otherwise,
        or a row is missing.
    """
    (record, rows), (other, other_rows) = load_run(own), load_run(folder)
    run, told = describe_run(record), describe_run(other)
    task = run["task"]
    prompt = QUESTION_PROMPTS.get(task, "")
    for name, is_same in {
        "reader none": told["reader"] == "none",
        f"the task {task}": told["task"] == task,
        "the same model": other.model == record.model,
        "the same adapter": told["adapter"] == run["adapter"],
        "the same method": told["method"] == run["method"],
        "the same number of orders of the options": told["num_permutations"] == run["num_permutations"],
        "the same seed": other.seed == record.seed,
        "the same prompts": other.prompts.get(prompt) == record.prompts.get(prompt),
        "the same protocol": other.protocol == record.protocol,
        "the same questions": other.dataset["questions_sha256"] == record.dataset["questions_sha256"],
        "the same judges": _judges_of(folder) == _judges_of(own),
        "all rows of this run": {row.sample_id for row in rows} <= {row.sample_id for row in other_rows},
    }.items():
        if not is_same:
            raise DataFormatError(f"cannot be the no-context baseline: it has not {name}", file=str(folder))
    return {row.sample_id: row.answer for row in other_rows}


def _judges_of(folder: Path) -> dict[str, Any] | None:
    record = load_judge_record(folder)
    return record.identity() if record is not None else None


def _clusters(rows: Sequence[Row]) -> list[int]:
    return [row.cluster for row in rows]
