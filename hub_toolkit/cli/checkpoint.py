"""`personamem checkpoint`: check, push and pull models and adapters."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from hub_toolkit.errors import HubError
from hub_toolkit.settings import load_settings

_MAX_SHOWN = 40
_EXCLUDE = click.option(
    "--exclude", multiple=True, metavar="GLOB", help="Leave out files, or whole folders, of this name. Repeatable."
)


@click.group()
def checkpoint() -> None:
    """Check, push and pull checkpoints: full models and PEFT adapters, in safetensors only."""


@checkpoint.command()
@click.argument("path", type=click.Path(path_type=Path))
@_EXCLUDE
@click.option("--deep", is_flag=True, help="Read every tensor, and name those that hold NaN or infinity.")
@click.option("--json", "is_json", is_flag=True, help="Print what was found as one JSON object.")
@click.pass_context
def check(context: click.Context, path: Path, exclude: tuple[str, ...], deep: bool, is_json: bool) -> None:
    """Say everything that keeps a checkpoint from being published, each with its file and what to do.

    Exit status 1 where there are problems.
    """
    from hub_toolkit.hub.checkpoints.checkpoint_check import check_checkpoint

    report = check_checkpoint(path, exclude=exclude, is_deep=deep)
    if is_json:
        click.echo(json.dumps(report.as_dict(), ensure_ascii=False, indent=1))
    else:
        _print_report(report)
    context.exit(1 if report.problems else 0)


@checkpoint.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.argument("repo")
@click.option("--dry-run/--no-dry-run", default=True, show_default=True, help="Only show the plan.")
@click.option("--public", "is_public", is_flag=True, help="Create the repo public; without it, private.")
@click.option("--create-pr", is_flag=True, help="Propose the commit as a pull request.")
@click.option("--tag", help="Tag the commit, as in v1.0.")
@click.option("--step", type=click.IntRange(min=0), help="Publish it as the revision step-000N, too.")
@click.option("--merged/--adapter", "is_merged", default=None, help="Merged or adapter; detected where not said.")
@click.option(
    "--licence", "--license", "license_id", help="The model's licence, as the Hub names it; before the record's."
)
@click.option("--eval", "eval_runs", multiple=True, type=click.Path(path_type=Path), help="A run's folder. Repeatable.")
@click.option("--eval-dataset", metavar="REPO@SHA", help="The dataset that the --eval runs were made on.")
@_EXCLUDE
@click.option("--message", help="The commit's first line.")
def push(path: Path, repo: str, dry_run: bool, **options: Any) -> None:
    """Publish the checkpoint PATH as REPO in one commit, with its model card and evaluation results.

    Private and a dry run by default. Files of the repo that PATH has not are deleted in the same commit, but for
    .gitattributes, licences and notices, evaluation results of others, and text in the card below our mark.
    """
    from hub_toolkit.hub.checkpoints.checkpoint_io import plan_push, prepare_push, push_checkpoint
    from hub_toolkit.hub.client import connect, parse_repo, require_packages

    require_packages("huggingface_hub", "yaml")
    prepared = prepare_push(path, parse_repo(repo, repo_type="model"), _push_options(**options))
    api = connect(load_settings())
    target, plan = plan_push(api, prepared)
    for line in plan.lines():
        click.echo(line)
    click.echo(f"{prepared.report.kind}, {target.line}")
    if dry_run:
        click.echo("dry run: nothing was sent; --no-dry-run sends it")
        return
    result = push_checkpoint(api, prepared)
    if not result.is_new:
        click.echo(f"nothing to do: {repo} holds this already ({result.sha})")
    else:
        click.echo(f"pushed: {result.pr_url or result.url}")
    if result.tag:
        click.echo(f"tagged {result.tag}")


@checkpoint.command()
@click.argument("repo")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--revision", help="A branch, tag or commit; a step's is step-000N. Default: main.")
@click.option("--skip-unsafe", is_flag=True, help="Leave unsafe files out instead of refusing the checkpoint.")
def pull(repo: str, out: Path, revision: str | None, skip_unsafe: bool) -> None:
    """Get the checkpoint REPO into the new folder OUT: pinned to a commit, verified, whole or not at all.

    The listing is judged before anything is downloaded. OUT opens as it is with transformers and `vllm serve`.
    """
    from hub_toolkit.hub.checkpoints.checkpoint_pull import inspect_remote, pull_checkpoint
    from hub_toolkit.hub.checkpoints.model_card import serve_command
    from hub_toolkit.hub.client import connect, require_packages

    require_packages("huggingface_hub")
    api = connect(load_settings())
    remote = inspect_remote(api, _with_revision(repo, revision))
    for problem in remote.problems:
        click.echo(f"{'left out' if skip_unsafe else 'refused'}: {problem.file}: {problem.message}")
    result = pull_checkpoint(api, remote, out, skip_unsafe=skip_unsafe, on_event=click.echo)
    for problem in result.report.problems:
        click.echo(f"note: {problem}")
    click.echo(f"{'pulled' if result.is_new else 'there already'}: {remote.ref.repo_id} at {result.sha} in {out}")
    click.echo(f"serve it: {serve_command(result.report, str(out))}")


def _push_options(
    *,
    eval_runs: tuple[Path, ...],
    eval_dataset: str | None,
    is_merged: bool | None,
    license_id: str | None,
    **rest: Any,
) -> Any:
    from hub_toolkit.hub.checkpoints.checkpoint_io import PushOptions
    from hub_toolkit.hub.checkpoints.eval_results import entry_from_run

    if eval_runs and not eval_dataset:
        raise click.UsageError("--eval needs --eval-dataset owner/name@commit")
    results = tuple(entry_from_run(run, _dataset_pin(eval_dataset or "")) for run in eval_runs)
    return PushOptions(license=license_id, is_merged=is_merged, eval_results=results, on_event=click.echo, **rest)


def _dataset_pin(text: str) -> Any:
    from hub_toolkit.hub.checkpoints.checkpoint_record import Pin, is_commit
    from hub_toolkit.hub.client import parse_repo

    ref = parse_repo(text)
    if ref.revision is None or not is_commit(ref.revision):
        raise click.UsageError(f"--eval-dataset {text}: name the commit too, as in owner/name@ and 40 hex digits")
    return Pin(ref.repo_id, ref.revision)


def _with_revision(repo: str, revision: str | None) -> Any:
    from dataclasses import replace

    from hub_toolkit.hub.client import parse_repo

    ref = parse_repo(repo, repo_type="model")
    if revision and ref.revision and revision != ref.revision:
        raise HubError(f"{repo} names a revision and --revision another one; name one")
    return replace(ref, revision=revision or ref.revision)


def _print_report(report: Any) -> None:
    from hub_toolkit.hub.transfer.push_plan import format_bytes

    for problem in report.problems[:_MAX_SHOWN]:
        click.echo(f"problem: {problem}")
    if len(report.problems) > _MAX_SHOWN:
        click.echo(f"… and {len(report.problems) - _MAX_SHOWN} more: is this a checkpoint's folder?")
    size = f"{len(report.content)} files, {format_bytes(report.size_bytes)}, {report.num_parameters:,} parameters"
    click.echo(f"{report.kind}{f' of {report.base_model}' if report.base_model else ''}: {size}")
    num_problems = len(report.problems)
    click.echo(f"{num_problems} problem{'s' if num_problems > 1 else ''}" if num_problems else "no problems")
