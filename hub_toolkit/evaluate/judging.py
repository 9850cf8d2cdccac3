"""Judges the open answers of a complete run: a journal of verdicts, then `judgements.jsonl` and `judge.json`.

A report reads `load_judgements`, fills them into the rows with `apply_judgements`, and goes on as with any other rows.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from hub_toolkit.data.schema import Sample
from hub_toolkit.errors import DataFormatError
from hub_toolkit.evaluate.budget import Meter
from hub_toolkit.evaluate.journal import encode_json, lock_run, write_atomically
from hub_toolkit.evaluate.plan import Arm
from hub_toolkit.evaluate.record import SAMPLES_FILE, Answer, Row, RunRecord, load_record, load_rows
from hub_toolkit.evaluate.verdict_book import VerdictBook, request_key
from hub_toolkit.judge.agreement import Price, describe_cost, measure_agreement
from hub_toolkit.judge.panel import Job, Judgement, Panel, deviations, judge_all, judgement_as_dict, judgement_from_dict
from hub_toolkit.judge.rubric import judge_prompt_hashes, rubric_of
from hub_toolkit.types import Usage

JUDGE_FILE = "judge.json"
JUDGEMENTS_FILE = "judgements.jsonl"
JUDGE_JOURNAL_FILE = "judge_journal.jsonl"


@dataclass(frozen=True)
class JudgeRecord:
    """All that a run's judgements depend on, and what came out.

    `samples_sha256` is of the answers judged; `deviations` is what the panel was told otherwise than by the protocol.
    """

    protocol: str
    status: Literal["running", "complete"]
    judges: list[str]
    panel: dict[str, Any]
    deviations: dict[str, Any]
    prompts: dict[str, str]
    samples_sha256: str
    counts: dict[str, int] = field(default_factory=dict)
    counterfactual_counts: dict[str, int] | None = None
    agreement: dict[str, Any] | None = None
    cost: dict[str, Any] | None = None
    times: dict[str, Any] = field(default_factory=dict)

    def identity(self) -> dict[str, Any]:
        """Return what must be the same when judging goes on; more answers may have come since."""
        names = ("protocol", "judges", "panel", "prompts")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class JudgingOptions:
    """How to judge; nothing here changes a verdict. `meter` is the one that weighs the judges' calls."""

    num_concurrent: int = 8
    is_retrying_failed: bool = False
    prices: Mapping[str, Price] | None = None
    meter: Meter | None = None
    on_progress: Callable[[int, int], None] = lambda *_: None


@dataclass(frozen=True)
class _OpenAnswer:
    row: Row
    arm: Arm
    text: str
    sample: Sample


async def judge_open_answers(
    folder: Path, samples: Sequence[Sample], panel: Panel, options: JudgingOptions | None = None
) -> JudgeRecord:
    """Judge every open answer of the run in `folder`, or go on where it stopped.

    Raises: DataFormatError: no complete run of open answers, another dataset, or judged by another panel.
        ProviderError: a judge cannot be used at all. BudgetError: a limit is reached. What was acknowledged is kept.
    """
    options = options or JudgingOptions()
    with lock_run(folder):
        started = time.monotonic()
        rows = load_rows(folder)
        run = open_run(folder)
        answers = _open_answers(rows, samples)
        record = _open_record(folder, run, panel)
        book = VerdictBook(folder / JUDGE_JOURNAL_FILE, is_retrying_failed=options.is_retrying_failed)
        try:
            book.learn(_load_lines(folder))
            charge_meter(options.meter, book)
            jobs = [_job(answer, panel, book) for answer in answers]
            options.on_progress(0, len(jobs))
            judgements = await judge_all(
                jobs,
                num_concurrent=options.num_concurrent,
                on_done=lambda done: options.on_progress(done, len(jobs)),
            )
        finally:
            await book.finish()
        _save_lines(folder, answers, jobs, judgements)
        record = replace(
            record,
            status="complete",
            **_results(rows, answers, [judgements[job.key] for job in jobs], panel, options.prices),
            times={**record.times, "finished": _now(), "last_session_s": round(time.monotonic() - started, 3)},
        )
        _save_record(folder, record)
        book.path.unlink(missing_ok=True)
        return record


def charge_meter(meter: Meter | None, book: VerdictBook) -> None:
    """Let a budget count what earlier sessions spent."""
    if meter is not None:
        for judge, tokens in book.spent().items():
            meter.add(judge, tokens)


def open_run(folder: Path) -> RunRecord:
    """Return the record of a complete run of the task `open`.

    Raises: DataFormatError: there is none.
    """
    record = load_record(folder)
    if record is None:
        raise DataFormatError("holds no run.json; make one with `personamem eval run --task open`", file=str(folder))
    if record.config["task"] != "open":
        raise DataFormatError("is a run of multiple choice, which needs no judge", file=str(folder))
    if record.status != "complete":
        raise DataFormatError("this run is not complete; the same `eval run` command goes on with it", file=str(folder))
    return record


def load_judge_record(folder: Path) -> JudgeRecord | None:
    """Read `judge.json`; None where the run is not judged.

    Raises: DataFormatError: it is not of this version.
    """
    path = folder / JUDGE_FILE
    if not path.exists():
        return None
    try:
        return JudgeRecord(**json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise DataFormatError(
            f"is no record of judgements; remove it and judge again ({error})", file=str(path)
        ) from None


def open_judged_run(folder: Path) -> JudgeRecord:
    """Return how a complete run of open answers was judged.

    Raises: DataFormatError: there is no such run, or it is not judged.
    """
    open_run(folder)
    record = load_judge_record(folder)
    if record is None:
        raise DataFormatError("is not judged yet; run `personamem eval judge` on it first", file=str(folder))
    return record


def load_judgements(folder: Path, arm: Arm = "own") -> dict[str, Judgement]:
    """Return the judgements on a run's answers by sample, empty where it is not judged.

    `arm` `other` asks for those on the counterfactual answers. A row without a reply has none.
    Raises: DataFormatError: judging is not complete, its answers have changed since, or a file is damaged.
    """
    record = load_judge_record(folder)
    if record is None:
        return {}
    if record.status != "complete":
        raise DataFormatError("is not judged to the end; the same `eval judge` command goes on", file=str(folder))
    if record.samples_sha256 != _sha256(folder / SAMPLES_FILE):
        raise DataFormatError("its answers have changed; `eval judge` again judges the new ones", file=str(folder))
    found = {line["sample_id"]: line["judgement"] for line in _load_lines(folder) if line["arm"] == arm}
    counts = (record.counts if arm == "own" else record.counterfactual_counts) or {"rows": 0, "failed": 0}
    if len(found) != (wanted := counts["rows"] - counts["failed"]):
        raise DataFormatError(
            f"holds {len(found)} of {wanted} judgements; restore the file, or `eval judge` again asks for the rest",
            file=str(folder / JUDGEMENTS_FILE),
        )
    return found


def apply_judgements(rows: Sequence[Row], own: Mapping[str, Judgement], other: Mapping[str, Judgement]) -> list[Row]:
    """Return the rows with what the judges said: `scored` with a mark, or `unscored`; a failed row stays failed."""
    applied = []
    for row in rows:
        counterfactual = row.counterfactual
        if counterfactual is not None:
            judged = _applied(counterfactual.answer, other.get(row.sample_id))
            counterfactual = replace(counterfactual, answer=judged)
        answer = _applied(row.answer, own.get(row.sample_id))
        applied.append(replace(row, answer=answer, counterfactual=counterfactual))
    return applied


def _open_record(folder: Path, run: RunRecord, panel: Panel) -> JudgeRecord:
    """Return the record to go on with, or a new one, saved before any verdict is.

    Raises: DataFormatError: the run was judged by another panel.
    """
    new = JudgeRecord(
        protocol=run.protocol,
        status="running",
        judges=list(panel.labels),
        panel=panel.config.as_dict(),
        deviations=deviations(panel.config),
        prompts=judge_prompt_hashes(panel.config.form),
        samples_sha256=_sha256(folder / SAMPLES_FILE),
        times={"started": _now(), "num_sessions": 1},
    )
    old = load_judge_record(folder)
    if old is not None:
        was, is_now = old.identity(), new.identity()
        changed = [name for name in was if was[name] != is_now[name]]
        if changed:
            raise DataFormatError(
                f"was judged by another panel ({', '.join(changed)} differ): use the same, compare judges with "
                f"`personamem judge audit`, or remove {JUDGE_FILE} to judge anew",
                file=str(folder),
            )
        new = replace(new, times={**old.times, "num_sessions": old.times["num_sessions"] + 1})
    _save_record(folder, new)
    return new


def match_samples(rows: Sequence[Row], samples: Sequence[Sample]) -> dict[str, Sample]:
    """Return the samples by id. Raises: DataFormatError: a row of the run is not among them."""
    by_id = {sample.sample_id: sample for sample in samples}
    for row in rows:
        if row.sample_id not in by_id:
            raise DataFormatError(f"{row.sample_id} of the run is not in this dataset; name the right one with --data")
    return by_id


def _open_answers(rows: Sequence[Row], samples: Sequence[Sample]) -> list[_OpenAnswer]:
    """Return every reply of the run with its sample. Raises: DataFormatError: the samples are not those of the run."""
    by_id = match_samples(rows, samples)
    answers = []
    for row in rows:
        replies: list[tuple[Arm, Answer]] = [("own", row.answer)]
        if row.counterfactual is not None:
            replies.append(("other", row.counterfactual.answer))
        answers += [
            _OpenAnswer(row, arm, answer.reply, by_id[row.sample_id])
            for arm, answer in replies
            if answer.reply is not None
        ]
    return answers


def _job(answer: _OpenAnswer, panel: Panel, book: VerdictBook) -> Job:
    key = request_key(f"{answer.arm}/{answer.row.sample_id}", panel, answer.text)
    return Job(key, panel, answer.sample, answer.text, book.ledger(key))


def _results(
    rows: Sequence[Row],
    answers: Sequence[_OpenAnswer],
    judgements: Sequence[Judgement],
    panel: Panel,
    prices: Mapping[str, Price] | None,
) -> dict[str, Any]:
    by_arm: defaultdict[Arm, list[Judgement]] = defaultdict(list)
    for answer, judgement in zip(answers, judgements, strict=True):
        by_arm[answer.arm].append(judgement)
    has_other = any(row.counterfactual is not None for row in rows)
    # A panel that stops early asks the last ones only in doubt: the first ones alone are asked about every answer.
    num_judges = panel.config.quorum if panel.config.is_stopping_early else panel.config.num_verdicts
    agreement = measure_agreement([j.marks[:num_judges] for j in by_arm["own"]], panel.labels[:num_judges])
    usage: defaultdict[str, Usage] = defaultdict(Usage)
    for verdict in (verdict for judgement in judgements for verdict in judgement.verdicts):
        usage[verdict.judge] += verdict.usage
    return {
        "counts": _counts(by_arm["own"], sum(row.answer.reply is None for row in rows)),
        "counterfactual_counts": _counts(by_arm["other"], _num_unanswered(rows)) if has_other else None,
        "agreement": asdict(agreement),
        "cost": describe_cost(usage, prices),
    }


def _num_unanswered(rows: Sequence[Row]) -> int:
    return sum(row.counterfactual is not None and row.counterfactual.answer.reply is None for row in rows)


def _counts(judgements: Sequence[Judgement], num_failed: int) -> dict[str, int]:
    """Return what became of the answers; `failed` gave no reply, `failed_verdicts` and `repaired` count verdicts."""
    verdicts = [verdict for judgement in judgements for verdict in judgement.verdicts]
    return {
        "rows": len(judgements) + num_failed,
        "scored": sum(judgement.status == "scored" for judgement in judgements),
        "correct": sum(judgement.is_correct is True for judgement in judgements),
        "unscored": sum(judgement.status == "unscored" for judgement in judgements),
        "failed": num_failed,
        "verdicts": len(verdicts),
        "repaired": sum(verdict.num_calls == 2 and verdict.is_correct is not None for verdict in verdicts),
        "unreadable_verdicts": sum(verdict.fault is not None for verdict in verdicts),
        "failed_verdicts": sum(verdict.error is not None for verdict in verdicts),
    }


def _applied(answer: Answer, judgement: Judgement | None) -> Answer:
    if answer.reply is None or judgement is None:
        return answer
    return replace(answer, status=judgement.status, is_correct=judgement.is_correct)


def _save_lines(
    folder: Path, answers: Sequence[_OpenAnswer], jobs: Sequence[Job], judgements: Mapping[str, Judgement]
) -> None:
    lines = []
    for answer, job in zip(answers, jobs, strict=True):
        named = {"sample_id": answer.row.sample_id, "arm": answer.arm, "rubric": None, "key": job.key}
        named["rubric"] = rubric_of(answer.sample, job.panel.config.protocol)
        lines.append(encode_json(named | judgement_as_dict(judgements[job.key])) + b"\n")
    write_atomically(folder / JUDGEMENTS_FILE, b"".join(lines))


def _load_lines(folder: Path) -> list[dict[str, Any]]:
    """Read `judgements.jsonl`, none where there is none; each line's judgement stands under `judgement`.

    Raises: DataFormatError: a line is not a judgement.
    """
    path = folder / JUDGEMENTS_FILE
    lines: list[dict[str, Any]] = []
    for number, text in enumerate(path.read_bytes().splitlines() if path.exists() else [], start=1):
        try:
            line = json.loads(text)
            lines.append({name: line[name] for name in ("sample_id", "arm", "rubric", "key")})
            lines[-1]["judgement"] = judgement_from_dict(line)
        except (ValueError, KeyError, TypeError) as error:
            raise DataFormatError("is not a judgement of this version", file=str(path), row=number) from error
    return lines


def _save_record(folder: Path, record: JudgeRecord) -> None:
    write_atomically(folder / JUDGE_FILE, encode_json(asdict(record), indent=2) + b"\n")


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError as error:
        raise DataFormatError(f"cannot be read: {error.strerror}", file=str(path)) from error


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
