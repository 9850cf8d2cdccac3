"""Scores of a submission, computed anew from its raw outputs by the evaluator's own parser and report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import mean
from typing import Any

from hub_toolkit.answer.mcq import LETTERS, Question
from hub_toolkit.data.schema import Sample
from hub_toolkit.evaluate.record import Answer, Counterfactual, Row, Status
from hub_toolkit.evaluate.report import measure_leaks, score_rows
from hub_toolkit.evaluate.rows import make_row
from hub_toolkit.leaderboard.board import Board
from hub_toolkit.leaderboard.submission import Prediction, Submission


@dataclass(frozen=True)
class Scored:
    """A submission's rows, and the evaluator's report on them; `report` is None while judges are awaited."""

    rows: tuple[Row, ...]
    report: dict[str, Any] | None
    samples: tuple[Sample, ...]

    @cached_property
    def leaks(self) -> dict[str, Any]:
        """How many answers repeat a secret, or use what was to be forgotten: measured when it is asked for."""
        return measure_leaks(self.rows, self.samples)


def score_submission(submission: Submission, board: Board) -> Scored:
    """Parse every raw output and score it; what the submission claims is never read."""
    rows = tuple(_row(prediction, submission, board) for prediction in submission.predictions)
    if submission.meta.task == "open":
        return Scored(rows, None, board.samples)
    return Scored(rows, score_rows(rows, _no_context(submission.predictions, board)), board.samples)


def _row(prediction: Prediction, submission: Submission, board: Board) -> Row:
    sample = board.by_id[prediction.sample_id]
    question = board.questions[prediction.sample_id] if submission.meta.task == "mcq" else None
    row = make_row(
        sample,
        question,
        _read(prediction.output, prediction, question, board),
        group_size=board.group_sizes.get(sample.group_id or ""),
        context="128k" if submission.meta.context == "128k" else board.context,
    )
    if prediction.other_output is None or prediction.other_persona_id in (None, sample.persona_id):
        return row
    other = _read(prediction.other_output, prediction, question, board)
    return replace(row, counterfactual=Counterfactual(prediction.other_persona_id or 0, other))


def _read(output: str | None, prediction: Prediction, question: Question | None, board: Board) -> Answer:
    """Return an answer as `evaluate.rows` reads it from a journal, without the entry: it takes a third of the time."""
    read_tokens, written_tokens = prediction.input_tokens or 0, prediction.output_tokens or 0
    status: Status = "unscored"
    choice = is_correct = error = None
    if output is None:
        status, error = "failed", prediction.error or "no output"
    elif question is not None:
        choice = board.protocol.parse(output)
        status, is_correct = ("unparsed", False) if choice is None else ("scored", choice == question.gold)
    # The published script's parser reads letters that no option has: they choose nothing, and that is wrong.
    chosen = choice if choice in LETTERS else None
    return Answer(
        status,
        chosen,
        is_correct,
        output,
        input_tokens=read_tokens,
        output_tokens=written_tokens,
        error=error,
    )


def _no_context(predictions: Sequence[Prediction], board: Board) -> dict[str, Answer] | None:
    """Return the answers without any context; None unless each question has one, or the control would be chosen."""
    if any(prediction.no_context_output is None for prediction in predictions):
        return None
    return {p.sample_id: _read(p.no_context_output, p, board.questions[p.sample_id], board) for p in predictions}


def mean_tokens(predictions: Sequence[Prediction]) -> dict[str, float | None]:
    """Return the tokens a question, as submitted: they cannot be recomputed. None where a line does not say."""
    means: dict[str, float | None] = {}
    for name in ("input_tokens", "output_tokens"):
        values = [getattr(prediction, name) for prediction in predictions]
        means[name] = None if None in values else mean(values)
    return means
