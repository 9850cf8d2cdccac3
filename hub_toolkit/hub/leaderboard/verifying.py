"""A maintainer's rerun of a submission's system, recorded beside its row: what makes the tier `verified`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub_toolkit.errors import SubmissionError
from hub_toolkit.evaluate.judging import load_judge_record
from hub_toolkit.evaluate.record import Row, RunRecord
from hub_toolkit.evaluate.report import load_run
from hub_toolkit.hub.leaderboard.keeping import Act, change_row, load_scored
from hub_toolkit.hub.leaderboard.store import BoardRepos, read_results
from hub_toolkit.leaderboard.board import Board
from hub_toolkit.leaderboard.events import utc_now
from hub_toolkit.leaderboard.export import check_run, describe_system
from hub_toolkit.leaderboard.flags import NOT_REPRODUCED, Flag
from hub_toolkit.leaderboard.meta import COMMIT
from hub_toolkit.leaderboard.rank import TableRow
from hub_toolkit.leaderboard.rerun import describe_panel, describe_rerun, measure_gap, set_beside, without_rerun
from hub_toolkit.leaderboard.submission import Submission
from hub_toolkit.leaderboard.table_answers import rows_of

if TYPE_CHECKING:
    from huggingface_hub import HfApi

VIA_API = "openai/"
"""How a run names a model behind an endpoint; whoever sends it may name the model alone."""


@dataclass(frozen=True)
class Rerun:
    """A maintainer's own run of a submission's system; `held_out` is one on personas that nobody else has.

    Runs of open answers are judged, by the panel that judged what was sent.
    """

    run: Path
    who: str
    held_out: Path | None = None


def verify_submission(
    api: HfApi, repos: BoardRepos, boards: Sequence[Board], name: str, rerun: Rerun
) -> dict[str, Any]:
    """Record a maintainer's rerun of the same system: how far its answers agree, and what it scores.

    A rerun that scores worse than what was sent, beyond chance, is recorded and flagged, and verifies nothing. Of the
    held-out run only the accuracy and its gap to the public rerun are shown.
    Raises: SubmissionError: the rerun is of another system, of other questions, judged by others, or too much of it
        failed; or the submission waits for judges. DataFormatError: a run is not complete, or not judged to the end.
    """
    board, submission, scored = load_scored(api, repos, boards, name)
    record, rows = load_run(rerun.run)
    _check_system(board, submission, record, rows, rerun.run)
    sent: Sequence[Row] = scored.rows
    if submission.meta.task == "open":
        row = _judged_row(api, repos, submission.digest)
        _check_judges(rerun.run, row["judges"])
        sent = rows_of(row, boards)
    found = {
        "who": rerun.who,
        "time": utc_now(),
        "rerun_model": record.model["name"],
        **set_beside(rows, sent),
        **_held_out(rerun, record, rows, board),
    }
    reason = describe_rerun(found)
    flag = None if found["is_borne_out"] else str(Flag(NOT_REPRODUCED, reason))
    act = Act("verified" if flag is None else "flagged", rerun.who, flag or reason)
    change_row(api, repos, submission.digest, act, lambda row: _with_rerun(row, found, flag))
    return found


def _judged_row(api: HfApi, repos: BoardRepos, digest: str) -> TableRow:
    """Return the row of judged answers. Raises: SubmissionError: it is not in the table, or waits for its judges."""
    row = next((row for row in read_results(api, repos)[1] if row["submission"] == digest), None)
    if row is None:
        raise SubmissionError(f"{digest[:12]} is not in the table; run `personamem leaderboard work` first")
    if row["judges"] is None:
        raise SubmissionError(
            f"{digest[:12]} waits for judges; run `personamem leaderboard judge {digest[:12]} --judge …` first"
        )
    return row


def _check_judges(run: Path, judges: str) -> None:
    """Raises: SubmissionError: a run of open answers is not judged, or not by the panel that judged the row."""
    found = load_judge_record(run)
    if found is None:
        raise SubmissionError(f"{run}: nobody judged its answers; run `personamem eval judge {run}` with {judges}")
    if describe_panel(found) != judges:
        raise SubmissionError(
            f"{run}: was judged by {describe_panel(found)}, the row by {judges}: a difference would be theirs too; "
            "judge both alike"
        )


def _held_out(rerun: Rerun, record: RunRecord, rows: Sequence[Row], board: Board) -> dict[str, Any]:
    """Return what the same system scores on personas that nobody else has."""
    folder = rerun.held_out
    if folder is None:
        return {"held_out_accuracy": None, "held_out_rows": None, "gap": None}
    other, private = load_run(folder)
    if {row.sample_id for row in private} & set(board.by_id):
        raise SubmissionError(f"{folder}: holds questions of the public board; a held-out run has none of them")
    for what, a, b in (
        ("task", record.config["task"], other.config["task"]),
        ("model", record.model, other.model),
        ("protocol", record.protocol, other.protocol),
        ("reader", record.config["reader"], other.config["reader"]),
    ):
        if a != b:
            raise SubmissionError(f"{folder}: its {what} is not that of {rerun.run}; run both alike")
    judged = load_judge_record(rerun.run)
    if judged is not None:
        _check_judges(folder, describe_panel(judged))
    return measure_gap(rows, private)


def _check_system(board: Board, submission: Submission, record: RunRecord, rows: list[Row], run: Path) -> None:
    """Raises: SubmissionError: a run is not of the submission's system, or not of the board's questions."""
    if "submission" in record.dataset:
        raise SubmissionError(f"{run}: holds what was sent, as it was judged; a rerun is a run of your own")
    check_run(record, rows, board, run)
    system, meta = describe_system(record, board), submission.meta
    for name, verb in (("task", "answered"), ("context", "read")):
        if system[name] != getattr(meta, name):
            raise SubmissionError(
                f"{run}: {verb} {system[name]}, the submission {getattr(meta, name)}; run it as it was sent"
            )
    asked, sent = (text.removeprefix(VIA_API) for text in (str(system["model"]), meta.model))
    if asked != sent:
        raise SubmissionError(
            f"{run}: is of the model {asked}, the submission of {sent}; run what was sent, under its name"
        )
    revision = str(system["revision"])
    if COMMIT.fullmatch(revision) and COMMIT.fullmatch(meta.revision) and revision != meta.revision:
        raise SubmissionError(
            f"{run}: is of {sent} at {revision[:12]}, the submission at {meta.revision[:12]}; run what was sent"
        )


def _with_rerun(row: TableRow, found: dict[str, Any], flag: str | None) -> TableRow:
    bare = without_rerun(row)
    if flag is not None:
        return {**bare, "verified": found, "flags": sorted([*bare["flags"], flag])}
    return {**bare, "verified": found, "tier": "verified"}
