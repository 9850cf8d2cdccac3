"""The maintainer's judge job: an open-ended submission is judged in a folder like a run, then scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hub_toolkit.errors import SubmissionError
from hub_toolkit.evaluate.judging import (
    JudgeRecord,
    JudgingOptions,
    apply_judgements,
    judge_open_answers,
    load_judgements,
)
from hub_toolkit.evaluate.record import (
    STATUSES,
    Row,
    RunRecord,
    count_statuses,
    load_record,
    package_versions,
    save_rows,
)
from hub_toolkit.evaluate.report import score_rows
from hub_toolkit.hub.leaderboard.keeping import load_scored
from hub_toolkit.hub.leaderboard.store import BoardRepos, change_table
from hub_toolkit.judge.panel import Panel
from hub_toolkit.leaderboard.board import Board
from hub_toolkit.leaderboard.events import Event, make_event, utc_now
from hub_toolkit.leaderboard.rank import TableRow, figure_columns
from hub_toolkit.leaderboard.rerun import describe_panel, without_rerun
from hub_toolkit.leaderboard.submission import Submission
from hub_toolkit.leaderboard.table_answers import marks_of

if TYPE_CHECKING:
    from huggingface_hub import HfApi


@dataclass(frozen=True)
class JudgeJob:
    """Who judges, and where the verdicts are kept: a job that was killed goes on there and asks nothing twice."""

    panel: Panel
    folder: Path
    who: str
    options: JudgingOptions | None = None


async def judge_submission(
    api: HfApi, repos: BoardRepos, boards: Sequence[Board], name: str, job: JudgeJob
) -> TableRow:
    """Judge an open-ended submission and put its figures into the table; return its figures.

    Raises: SubmissionError: there is no such submission, or it is multiple choice. DataFormatError: the folder holds
        another submission, or was judged by another panel. ProviderError: a judge cannot be used at all.
    """
    board, submission, scored = load_scored(api, repos, boards, name)
    if submission.meta.task != "open":
        raise SubmissionError(f"{submission.digest[:12]} is multiple choice, which needs no judge")
    _write_run(job.folder, board, submission, scored.rows)
    record = await judge_open_answers(job.folder, board.samples, job.panel, job.options)
    rows = apply_judgements(scored.rows, load_judgements(job.folder), load_judgements(job.folder, "other"))
    columns = _columns(rows, record)
    event = make_event(
        submission.digest,
        "judged",
        who=job.who,
        time=utc_now(),
        reason=f"by {columns['judges']}, protocol {record.protocol}",
    )

    def change(table: list[TableRow], _: list[Event]) -> tuple[list[TableRow], list[Event]]:
        if submission.digest not in {row["submission"] for row in table}:
            raise SubmissionError(
                f"{submission.digest[:12]} is not in the table; run `personamem leaderboard work` first"
            )
        return [_with_verdicts(row, columns) if row["submission"] == submission.digest else row for row in table], [
            event
        ]

    change_table(api, repos, change, message=f"Judged {submission.digest[:12]}")
    return columns


def _with_verdicts(row: TableRow, columns: TableRow) -> TableRow:
    """Return a row as judged; a rerun counts no longer where other verdicts stand now, a dispute goes on."""
    is_same = all(row[name] == columns[name] for name in ("judges", "choices"))
    status = "disputed" if row["dispute"] else "scored"
    return {**(row if is_same and row["verified"] else without_rerun(row)), **columns, "status": status}


def _columns(rows: Sequence[Row], record: JudgeRecord) -> TableRow:
    counts = count_statuses(rows)
    report = score_rows(rows)
    return {
        **figure_columns(report),
        **{f"num_{status}": counts[status] for status in STATUSES},
        "rows": report["rows"],
        "judges": describe_panel(record),
        "agreement": (record.agreement or {}).get("alpha"),
        "choices": marks_of(rows),
    }


def _write_run(folder: Path, board: Board, submission: Submission, rows: Sequence[Row]) -> None:
    """Lay the submission down as `eval run --task open` would have left it.

    Raises: SubmissionError: the folder is of another submission.
    """
    known = load_record(folder)
    if known is not None:
        if known.dataset.get("submission") != submission.digest:
            raise SubmissionError(f"{folder} holds another run; name an empty folder")
        return
    meta = submission.meta
    record = RunRecord(
        protocol=meta.protocol,
        status="complete",
        dataset={"name": board.dataset, "revision": board.revision, "submission": submission.digest},
        seed=board.seed,
        model={"name": meta.model, "revision": meta.revision},
        persona_system="",
        token_counter="",
        config={"task": "open", "reader": meta.context, "context": board.context},
        prompts={},
        packages=package_versions(),
        counts=count_statuses(rows),
        tokens={},
        memories=None,
        times={},
    )
    folder.mkdir(parents=True, exist_ok=True)
    save_rows(folder, rows)
    record.save(folder)
