"""Audits the judges of run folders: re-judges a sample of their answers and planted ones, and keeps what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub_toolkit.data.schema import Sample
from hub_toolkit.errors import DataFormatError
from hub_toolkit.evaluate.journal import encode_json, lock_run, write_atomically
from hub_toolkit.evaluate.judging import (
    JudgingOptions,
    charge_meter,
    load_judgements,
    match_samples,
    open_judged_run,
)
from hub_toolkit.evaluate.record import load_rows
from hub_toolkit.evaluate.verdict_book import VerdictBook, request_key
from hub_toolkit.judge.audit import Audit, AuditItem, audit_jobs, draw_items, make_variants, summarise_audit
from hub_toolkit.judge.panel import Job, Judgement, PanelConfig, judge_all, judgement_as_dict
from hub_toolkit.judge.planted import Planter
from hub_toolkit.judge.rubric import Form
from hub_toolkit.models.base import ChatModel

AUDIT_FILE = "audit.json"
AUDITED_FILE = "audited.jsonl"
AUDIT_JOURNAL_FILE = "audit_journal.jsonl"


@dataclass(frozen=True)
class AuditConfig:
    """What to audit. `num_items` are drawn of each run, `num_planted` samples of each rubric get planted answers."""

    seed: int = 0
    num_items: int = 60
    num_planted: int = 20


async def audit_runs(
    folders: Sequence[Path],
    samples: Sequence[Sample],
    models: Sequence[ChatModel],
    out: Path,
    *,
    config: AuditConfig,
    options: JudgingOptions,
) -> dict[str, Any]:
    """Audit runs with these models and return the report; a stopped audit goes on in the same folder.

    Raises: DataFormatError: a run is not judged, or they were not judged alike. ProviderError: a judge cannot be used.
        BudgetError: a limit is reached.
    """
    names = _run_names(folders)
    panel = _shared_panel(folders)
    items = [
        item
        for name, folder in zip(names, folders, strict=True)
        for item in draw_items(_judged_items(name, folder, samples), config.num_items, config.seed)
    ]
    planted = Planter(samples).draw(config.num_planted, config.seed)
    variants = make_variants(models, panel)
    with lock_run(out):
        book = VerdictBook(out / AUDIT_JOURNAL_FILE, is_retrying_failed=options.is_retrying_failed)
        try:
            charge_meter(options.meter, book)
            jobs = audit_jobs(items, planted, variants, lambda job: book.ledger(_journal_key(job)))
            options.on_progress(0, len(jobs))
            judgements = await judge_all(
                jobs,
                num_concurrent=options.num_concurrent,
                on_done=lambda done: options.on_progress(done, len(jobs)),
            )
        finally:
            await book.finish()
        report = {
            "runs": {name: str(folder) for name, folder in zip(names, folders, strict=True)},
            "seed": config.seed,
            "panel": panel.as_dict(),
            "models": [model.name for model in models],
            **summarise_audit(Audit(items, planted, variants, judgements), options.prices),
        }
        _save(out, report, jobs, judgements)
    return report


def _run_names(folders: Sequence[Path]) -> list[str]:
    """Return a name for each run: its folder's, or its whole path where two folders are called the same."""
    short = [folder.resolve().name for folder in folders]
    names = short if len(set(short)) == len(short) else [str(folder.resolve()) for folder in folders]
    if len(set(names)) < len(names):
        raise DataFormatError("a run is named twice; name each once", file=str(folders[0]))
    return names


def _shared_panel(folders: Sequence[Path]) -> PanelConfig:
    """Return how the runs were judged.

    Raises: DataFormatError: one is not judged, or not like the others.
    """
    records = {folder: open_judged_run(folder) for folder in folders}
    first = next(iter(records.values()))
    for folder, record in records.items():
        if record.panel != first.panel or record.prompts != first.prompts:
            raise DataFormatError("was not judged in the same way as the first run; audit them apart", file=str(folder))
    fields = dict(first.panel)
    return PanelConfig(**fields | {"form": Form(**fields["form"])})


def _judged_items(name: str, folder: Path, samples: Sequence[Sample]) -> list[AuditItem]:
    rows, judgements = load_rows(folder), load_judgements(folder)
    by_id = match_samples(rows, samples)
    return [
        AuditItem(name, by_id[row.sample_id], row.answer.reply, judgements[row.sample_id])
        for row in rows
        if row.answer.reply is not None and row.sample_id in judgements
    ]


def _journal_key(job: Job) -> str:
    return request_key(job.key, job.panel, job.answer)


def _save(out: Path, report: Mapping[str, Any], jobs: Sequence[Job], judgements: Mapping[str, Judgement]) -> None:
    """Write the report, and a line for each judgement of a variant on a run's answer or a planted one."""
    lines = []
    for job in jobs:
        variant, _, name = job.key.partition("\0")
        line = {"variant": variant, "item": name, "sample_id": job.sample.sample_id, "answer": job.answer}
        lines.append(encode_json(line | judgement_as_dict(judgements[job.key])) + b"\n")
    write_atomically(out / AUDITED_FILE, b"".join(lines))
    write_atomically(out / AUDIT_FILE, encode_json(report, indent=2) + b"\n")
