"""Fills the rehearsal's leaderboard by the way that everybody takes: runs are made, exported, submitted and scored.

Run as a process of its own beside the page: `python -m hub_toolkit.cli.rehearsal_board FOLDER`, with the Hub in
`HF_ENDPOINT` and `HF_TOKEN`.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import click

from hub_toolkit import __version__
from hub_toolkit.answer.mcq import LETTERS, Question
from hub_toolkit.answer.protocol import load_protocol
from hub_toolkit.data.parse import resolve_dataset, split_path
from hub_toolkit.errors import PersonaMemError
from hub_toolkit.evaluate.plan import EvalConfig
from hub_toolkit.evaluate.questions import load_questions
from hub_toolkit.evaluate.run import run_evaluation
from hub_toolkit.evaluate.run_setup import Setup
from hub_toolkit.hub.client import connect
from hub_toolkit.hub.leaderboard.intake import Intake
from hub_toolkit.hub.leaderboard.store import BoardRepos, read_results
from hub_toolkit.hub.leaderboard.worker import process_pending
from hub_toolkit.leaderboard.board import Board, open_board
from hub_toolkit.leaderboard.export import export_run, render_meta
from hub_toolkit.memory.builders.extractive import ExtractiveBuilder
from hub_toolkit.settings import load_settings, prepare_hub_client

OWNER = "personamem"
SUBMITTER = "demo"
_SAID = {"licence": "apache-2.0", "contact": "the rehearsal on this machine", "parameters_b": 0, "cost_usd": 0}
_NICE = 10


def _longest(question: Question) -> str:
    return LETTERS[max(range(len(LETTERS)), key=lambda place: len(question.options[place]))]


def _shortest(question: Question) -> str:
    return LETTERS[min(range(len(LETTERS)), key=lambda place: len(question.options[place]))]


def _first(_: Question) -> str:
    return LETTERS[0]


RULES: dict[str, tuple[str, Callable[[Question], str]]] = {
    "control: the longest option": ("longest", _longest),
    "control: the shortest option": ("shortest", _shortest),
    "control: always the first option": ("first", _first),
}
RUNS: dict[str, EvalConfig] = {
    "word overlap, no history": EvalConfig("mini", reader="none"),
    "word overlap, the right snippet (ceiling)": EvalConfig("mini", reader="oracle", is_counterfactual=True),
    "word overlap, the whole history": EvalConfig("mini", reader="long_context", is_counterfactual=True),
    "word overlap, extractive memory": EvalConfig("mini", reader="memory", is_counterfactual=True),
}
"""The cheapest first, so that the table is never empty for long."""


def fill_board(folder: Path) -> int:
    """Submit and score the controls, then every run as soon as it is made; return how many rows the table has.

    Raises: PersonaMemError: a part failed; what was scored before stays.
    """
    api, repos, board = connect(load_settings()), BoardRepos.of(OWNER), open_board("mini")
    intake = Intake(api, repos, [board], daily_limit=None, gap_s=0.0)
    for name in RULES:
        intake.receive(*_follow_rule(name, board), SUBMITTER, way="rehearsal")
    process_pending(api, repos, board)
    for number, (name, config) in enumerate(RUNS.items()):
        out = folder / f"run{number}"
        asyncio.run(run_evaluation(set_up_lexical(config, resolve_dataset(config.dataset)), out))
        intake.receive(*export_run(out, board, {**_SAID, "name": name}), SUBMITTER, way="rehearsal")
        process_pending(api, repos, board)
    # Counted there and not here: the page beside this scores what waits too.
    return len(read_results(api, repos)[1])


def _follow_rule(name: str, board: Board) -> tuple[bytes, bytes]:
    rule, choose = RULES[name]
    choices = {sample: f"\\boxed{{{choose(question)}}}" for sample, question in board.questions.items()}
    lines = [
        {"sample_id": sample, "output": output, "no_context_output": output, "input_tokens": 0, "output_tokens": 0}
        for sample, output in choices.items()
    ]
    meta = {
        **_SAID,
        "name": name,
        "model": f"personamem/{rule}",
        "revision": f"toolkit:{__version__}",
        "dataset": board.dataset,
        "dataset_revision": board.revision,
        "protocol": board.protocol.name,
        "task": "mcq",
        "context": "none",
        "harness": f"personamem-hub-toolkit {__version__}",
    }
    return "".join(f"{json.dumps(line)}\n" for line in lines).encode(), render_meta(meta)


def set_up_lexical(config: EvalConfig, folder: Path) -> Setup:
    """Return what a run of the lexical answerer works on. Raises: DataFormatError: the dataset is broken."""
    counter = load_protocol(config.protocol).counter
    return Setup(
        config,
        folder,
        split_path(folder, config.split),
        load_questions(folder, config.split),
        None,
        counter,
        lambda: ExtractiveBuilder(counter, cap_tokens=config.cap_tokens),
    )


def main(folder: str) -> None:
    """Fill the board, giving way to the page."""
    os.nice(_NICE)
    prepare_hub_client()
    try:
        num_rows = fill_board(Path(folder))
    except PersonaMemError as error:
        click.echo(f"rehearsal: the leaderboard is not whole: {error}", err=True)
        raise SystemExit(1) from None
    click.echo(f"rehearsal: the leaderboard has {num_rows} rows, submitted and scored through this Hub", err=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
