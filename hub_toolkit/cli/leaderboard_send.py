"""`personamem leaderboard template | validate | score | submit`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from hub_toolkit.cli.leaderboard_options import (
    data_option,
    file_path,
    open_hub,
    repos_option,
    run_path,
    take_board,
    take_repos,
)
from hub_toolkit.errors import SubmissionError
from hub_toolkit.evaluate.record import RECORD_FILE
from hub_toolkit.leaderboard.board import Board
from hub_toolkit.leaderboard.export import export_run, render_template
from hub_toolkit.leaderboard.meta import META_FILE, parse_meta
from hub_toolkit.leaderboard.submission import PREDICTIONS_FILE, SubmissionLimits, read_submission


@click.command()
@data_option
def template(**options: Any) -> None:
    """Print a meta.yaml to fill in, with what the board pins."""
    click.echo(render_template(take_board(options)).decode(), nl=False)


@click.command()
@click.argument("predictions", type=file_path)
@click.argument("meta", type=file_path)
@data_option
def validate(predictions: Path, meta: Path, **options: Any) -> None:
    """Check the two files of a submission; says the first thing that is wrong, and where."""
    board = take_board(options)
    submission = read_submission(*_read_files(predictions, meta), board)
    click.echo(f"acceptable: {submission.digest}, {len(submission.predictions):,} answers for {board.column}")


@click.command()
@click.argument("predictions", type=file_path)
@click.argument("meta", type=file_path)
@data_option
@click.option("--json", "is_json", is_flag=True, help="Print the row as JSON.")
def score(predictions: Path, meta: Path, is_json: bool, **options: Any) -> None:
    """Print what the board would show of a submission; nothing is sent."""
    from hub_toolkit.cli.leaderboard_text import render_row
    from hub_toolkit.hub.leaderboard.worker import preview_row

    row = preview_row(*_read_files(predictions, meta), [take_board(options)])
    click.echo(json.dumps(row, ensure_ascii=False, indent=1) if is_json else render_row(row))


@click.command()
@click.argument("run", type=run_path)
@click.option("--name", help="The system's name in the table.")
@click.option("--licence", help="Of the model: its SPDX name, or proprietary.")
@click.option("--contact", help="Whom to ask; shown in public.")
@click.option("--model", help="Where the run does not name it as owner/name.")
@click.option("--revision", help="Where the run does not know it: the model's commit, or api:YEAR-MONTH-DAY.")
@click.option("--parameters-b", type=float, help="Billions of parameters.")
@click.option("--cost-usd", type=float, help="Of the whole run.")
@click.option("--url", help="A paper or a page.")
@click.option("--notes", help="At most 500 characters.")
@click.option("--no-context", type=run_path, help="A run of the same model with --reader none: the control.")
@click.option("--to", metavar="OWNER/NAME", help="The repo of submissions; default: the owner's.")
@click.option(
    "--way",
    type=click.Choice(["auto", "pr", "direct"]),
    default="auto",
    show_default=True,
    help="direct: a commit (needs the right to write); pr: a pull request.",
)
@click.option("--out", type=run_path, help="Keep the two files in this folder.")
@click.option("--dry-run", "is_dry_run", is_flag=True, help="Check and score, and send nothing.")
@data_option
@repos_option
def submit(run: Path, **options: Any) -> None:
    """Send a run of `personamem eval run`, or a folder with predictions.jsonl and meta.yaml."""
    from hub_toolkit.cli.leaderboard_text import render_row
    from hub_toolkit.hub.leaderboard.worker import preview_row

    board = take_board(options)
    to, way, out, is_dry_run = (options.pop(name) for name in ("to", "way", "out", "is_dry_run"))
    options["submissions"] = to or options["submissions"]
    repos = take_repos(options)
    files = _files_of(run, board, options)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / PREDICTIONS_FILE).write_bytes(files[0])
        (out / META_FILE).write_bytes(files[1])
    if is_dry_run:
        click.echo(render_row(preview_row(*files, [board])))
        click.echo(f"dry run: nothing was sent to {repos.submissions.repo_id}")
        return
    from hub_toolkit.hub.leaderboard.proposal import submit_files

    api, _ = open_hub()
    done = submit_files(api, repos, [board], *files, way=way)
    click.echo(f"{done.status}: {done.digest}\n{done.url}")


def _files_of(run: Path, board: Board, said: dict[str, Any]) -> tuple[bytes, bytes]:
    """Return the two files: as they lie in the folder, or made from a run."""
    no_context = said.pop("no_context")
    given = {name: value for name, value in said.items() if value is not None}
    if (run / PREDICTIONS_FILE).is_file() and (run / META_FILE).is_file():
        if given or no_context:
            raise click.UsageError(
                f"{run} holds a {META_FILE}: write {', '.join(given) or 'the control'} into its files"
            )
        return _read_files(run / PREDICTIONS_FILE, run / META_FILE)
    if not (run / RECORD_FILE).is_file():
        raise SubmissionError(f"{run}: holds neither {RECORD_FILE} nor both {PREDICTIONS_FILE} and {META_FILE}")
    missing = [f"--{name}" for name in ("name", "licence", "contact") if name not in given]
    if missing:
        raise click.UsageError(f"a run does not know {', '.join(missing)}; say it")
    files = export_run(run, board, given, no_context=no_context)
    parse_meta(files[1])
    return files


def _read_files(predictions: Path, meta: Path) -> tuple[bytes, bytes]:
    """Read the files, and no more of them than is taken: a device or a pipe tells no size."""
    limit = SubmissionLimits().size_bytes
    with predictions.open("rb") as lines, meta.open("rb") as fields:
        files = lines.read(limit + 1), fields.read(2**20)
    if len(files[0]) > limit:
        raise SubmissionError(f"{predictions}: more than {limit:,} bytes; no more are taken (leave memories out)")
    return files
