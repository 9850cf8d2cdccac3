"""From the folder of a run to the two files of a submission."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from hub_toolkit import __version__
from hub_toolkit.errors import SubmissionError
from hub_toolkit.evaluate.record import Answer, Row, RunRecord
from hub_toolkit.evaluate.report import load_run
from hub_toolkit.leaderboard.board import SEED, Board
from hub_toolkit.leaderboard.meta import OWN_MODEL, Track
from hub_toolkit.leaderboard.submission import make_plain

_TRACKS = {
    "long_context": None,
    "memory": "memory",
    "rag": "rag",
    "external": "external",
    "oracle": "oracle",
    "none": "none",
}


def export_run(
    run: Path, board: Board, said: Mapping[str, Any], *, no_context: Path | None = None
) -> tuple[bytes, bytes]:
    """Return `predictions.jsonl` and `meta.yaml` of a run.

    `said` holds what a run does not know: name, licence, contact, and whatever shall stand otherwise. `no_context` is a
    run of the same model with the reader `none`.
    Raises: SubmissionError: the run is not of this board or not complete, or its outputs were shown in another order.
    """
    record, rows = load_run(run)
    check_run(record, rows, board, run)
    controls = _control_replies(no_context, record)
    lines = [_line(row, controls) for row in rows]
    predictions = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()
    return predictions, render_meta({**describe_system(record, board), **said})


def render_meta(fields: Mapping[str, Any]) -> bytes:
    """Return a `meta.yaml` with these fields; what is None is left out."""
    import yaml

    given = {name: value for name, value in fields.items() if value is not None}
    return yaml.safe_dump(given, sort_keys=False, allow_unicode=True, width=1000).encode()


def render_template(board: Board) -> bytes:
    """Return a `meta.yaml` to fill in, with what each field means."""
    lines = [
        ("name", "My system", "shown in the table"),
        ("model", "owner/name", "the model's repo on the Hub, or provider/model"),
        ("revision", "", "its commit (40 hex digits), or api:2026-01-31, the day on which an API answered"),
        ("dataset", board.dataset, "as this board pins it"),
        ("dataset_revision", board.revision, "as this board pins it"),
        ("protocol", board.protocol.name, "as this board pins it"),
        ("task", "mcq", "mcq or open"),
        ("context", "memory", f"what was read: {', '.join(get_args(Track))}"),
        ("harness", "", "the program that asked, and its version"),
        ("licence", "", "of the model: its SPDX name, as in apache-2.0, or proprietary"),
        ("contact", "", "shown in public: an account of the Hub, an address, a page"),
        ("parameters_b", "null", "billions of parameters, if known"),
        ("cost_usd", "null", "of the whole run, if known"),
        ("url", "null", "a paper or a page, https"),
        ("notes", '""', "at most 500 characters"),
    ]
    text = "".join(f"# {comment}\n{name}: {value}\n" for name, value, comment in lines)
    return f"# Scores are computed from predictions.jsonl; they are not claimed here.\n{text}".encode()


def describe_system(record: RunRecord, board: Board) -> dict[str, Any]:
    """Return what a run's record tells of a `meta.yaml`; a revision that it does not know is left out."""
    config = record.config
    name = str(record.model["name"])
    is_own = "/" not in name
    revision = record.model.get("revision")
    return {
        "name": None,
        "model": OWN_MODEL + name if is_own else re.sub(r"^(?:hf|vllm)/", "", name).partition("@")[0],
        "revision": f"toolkit:{revision}" if is_own else revision,
        "dataset": board.dataset,
        "dataset_revision": board.revision,
        "protocol": record.protocol,
        "task": config["task"],
        "context": _TRACKS[config["reader"]] or config["context"],
        "harness": f"personamem-hub-toolkit {__version__}",
    }


def check_run(record: RunRecord, rows: list[Row], board: Board, run: Path) -> None:
    """Raises: SubmissionError: a run is not of all the board's questions, as the board asks them."""
    for is_wrong, message in (
        (record.protocol != board.protocol.name, f"was made by protocol {record.protocol}"),
        (record.seed != SEED, f"was made with seed {record.seed}; the board's is {SEED}"),
        (bool(record.deviations), f"deviates from the protocol in {', '.join(record.deviations or {})}"),
        (record.config.get("num_permutations", 1) != 1, "asked in several orders; submit a run with one"),
        (record.config.get("method", "generate") != "generate", "scored likelihoods; submit a run that generates"),
        ({row.sample_id for row in rows} != set(board.by_id), "does not answer all questions of the board"),
        (
            not _has_board_options(rows, board),
            "was shown other options than the board's; run it on the board's revision",
        ),
    ):
        if is_wrong:
            raise SubmissionError(f"{run}: the run {message}")


def _has_board_options(rows: list[Row], board: Board) -> bool:
    """Whether every option stood where the board has it, or a letter would mean another one."""
    asked = [(row, board.questions[row.sample_id]) for row in rows if row.sample_id in board.by_id and row.options]
    return all(row.options == question.options for row, question in asked)


def _control_replies(no_context: Path | None, own: RunRecord) -> dict[str, str | None]:
    if no_context is None:
        return {}
    record, rows = load_run(no_context)
    for is_wrong, message in (
        (record.config["reader"] != "none", "is no no-context run; make one with --reader none"),
        (record.model != own.model, f"is of the model {record.model['name']}, not {own.model['name']}"),
        ((record.protocol, record.seed) != (own.protocol, own.seed), "has another protocol or seed"),
    ):
        if is_wrong:
            raise SubmissionError(f"{no_context}: the run {message}")
    return {row.sample_id: row.answer.reply for row in rows}


def _line(row: Row, controls: Mapping[str, str | None]) -> dict[str, Any]:
    line: dict[str, Any] = {"sample_id": row.sample_id, "output": make_plain(row.answer.reply)}
    if row.answer.reply is None:
        line["error"] = make_plain((row.answer.error or "no output")[:500])
    control = controls.get(row.sample_id) or (f"\\boxed{{{row.no_context_choice}}}" if row.no_context_choice else None)
    if control is not None:
        line["no_context_output"] = make_plain(control)
    other: Answer | None = row.counterfactual.answer if row.counterfactual else None
    if row.counterfactual and other is not None and other.reply is not None:
        line |= {"other_output": make_plain(other.reply), "other_persona_id": row.counterfactual.persona_id}
    read_tokens = row.answer.input_tokens or row.answer.context_tokens
    if read_tokens is not None:
        line |= {"input_tokens": read_tokens, "output_tokens": row.answer.output_tokens}
    return line
