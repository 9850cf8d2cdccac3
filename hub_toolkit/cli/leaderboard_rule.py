"""`personamem leaderboard withdraw | dispute | verify | judge | export`."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hub_toolkit.cli.leaderboard_options import (
    data_option,
    open_hub,
    repos_option,
    run_path,
    take_board,
    take_repos,
)

if TYPE_CHECKING:
    from huggingface_hub import HfApi

    from hub_toolkit.hub.leaderboard.store import BoardRepos
    from hub_toolkit.judge.panel import PanelConfig
    from hub_toolkit.leaderboard.board import Board
    from hub_toolkit.leaderboard.rank import TableRow

_reason = click.option("--reason", required=True, help="Shown in the public log.")


@click.command()
@click.argument("submission")
@_reason
@repos_option
def withdraw(submission: str, reason: str, **options: Any) -> None:
    """Take SUBMISSION from the table; the log keeps that it was there.

    Without the right to write, a discussion asks for it.
    """
    _ask("withdraw", submission, reason, options)


@click.command()
@click.argument("submission")
@_reason
@click.option("--settle", "is_settled", is_flag=True, help="Take the mark off again (for maintainers).")
@repos_option
def dispute(submission: str, reason: str, is_settled: bool, **options: Any) -> None:
    """Mark SUBMISSION as disputed, with the reason.

    Without the right to write, a discussion asks for it.
    """
    _ask("settle" if is_settled else "dispute", submission, reason, options)


def _ask(kind: str, submission: str, reason: str, options: dict[str, Any]) -> None:
    from hub_toolkit.hub.deploy.space_rights import who_am_i
    from hub_toolkit.hub.leaderboard.keeping import (
        clean_reason,
        dispute_submission,
        settle_dispute,
        withdraw_submission,
    )
    from hub_toolkit.hub.leaderboard.proposal import may_write, open_request

    repos = take_repos(options)
    api, _ = open_hub()
    me = who_am_i(api, "this")
    if not may_write(api, repos.results, me):
        url = open_request(api, repos, kind, submission, clean_reason(reason))
        click.echo(f"asked for in {url}; the next pass of the worker answers there")
        return
    do = {"withdraw": withdraw_submission, "dispute": dispute_submission, "settle": settle_dispute}[kind]
    digest = do(api, repos, submission, who=str(me["name"]), reason=reason)
    click.echo(f"{kind}: {digest} is changed, and the log says so")


@click.command()
@click.argument("submission")
@click.option("--run", type=run_path, required=True, help="Your own run of the same system on the board's questions.")
@click.option("--held-out", type=run_path, help="Your run of it on personas that nobody else has.")
@data_option
@repos_option
def verify(submission: str, run: Path, held_out: Path | None, **options: Any) -> None:
    """Record a maintainer's rerun of SUBMISSION: how far the answers agree, and the gap on held-out personas.

    Runs of open answers come judged (`personamem eval judge`), by the judges that the row names.
    """
    from hub_toolkit.hub.deploy.space_rights import who_am_i
    from hub_toolkit.hub.leaderboard.verifying import Rerun, verify_submission
    from hub_toolkit.leaderboard.rerun import describe_rerun

    board, repos = take_board(options), take_repos(options)
    api, _ = open_hub()
    rerun = Rerun(run, str(who_am_i(api, "verifying")["name"]), held_out)
    found = verify_submission(api, repos, [board], submission, rerun)
    what = "verified" if found["is_borne_out"] else "not verified, and flagged: the rerun scored less"
    click.echo(f"{what}: {describe_rerun(found)}")


@click.command("judge")
@click.argument("submission")
@click.option("--judge", "models", multiple=True, required=True, help="A judge, or one for each verdict.")
@click.option("--verdicts", "num_verdicts", type=click.IntRange(1), help="Verdicts an answer. Default: the protocol's.")
@click.option("--base-url", help="Endpoint of OpenAI-compatible judges.")
@click.option("--api-key", help="Key of the endpoint; better set PERSONAMEM_API_KEY.")
@click.option("--concurrency", type=click.IntRange(1), help="How many calls at once.")
@click.option("--out", type=run_path, required=True, help="Folder of the verdicts; the same command goes on there.")
@data_option
@repos_option
def judge_command(submission: str, models: tuple[str, ...], out: Path, **options: Any) -> None:
    """Judge the open-ended SUBMISSION and put its accuracy into the table (for maintainers)."""
    from hub_toolkit.cli.judge import Judges
    from hub_toolkit.evaluate.judging import JudgingOptions
    from hub_toolkit.judge.panel import protocol_config

    board, repos = take_board(options), take_repos(options)
    api, settings = open_hub()
    config = protocol_config(board.protocol.name)
    if options["num_verdicts"] is not None:
        config = replace(config, num_verdicts=options["num_verdicts"])
    judging = JudgingOptions(options["concurrency"] or settings.num_concurrent)
    judges = Judges(models, options["base_url"], options["api_key"])
    row = asyncio.run(_judge(api, repos, board, submission, (judges, config, judging), out))
    click.echo(
        f"judged: accuracy {row['accuracy']:.1%} by {row['judges']}" if row["accuracy"] is not None else "judged"
    )


async def _judge(
    api: HfApi, repos: BoardRepos, board: Board, submission: str, how: tuple[Any, PanelConfig, Any], out: Path
) -> TableRow:
    from hub_toolkit.hub.deploy.space_rights import who_am_i
    from hub_toolkit.hub.leaderboard.judge_job import JudgeJob, judge_submission
    from hub_toolkit.judge.panel import Panel

    judges, config, judging = how
    who = str(who_am_i(api, "judging")["name"])
    async with AsyncExitStack() as stack:
        panel = Panel(judges.open(stack, judging), config)
        return await judge_submission(api, repos, [board], submission, JudgeJob(panel, out, who, judging))


@click.command()
@click.argument("submission")
@click.option("--to", "model_repo", metavar="MODEL_REPO", required=True, help="The model's repo, as the row names it.")
@repos_option
def export(submission: str, model_repo: str, **options: Any) -> None:
    """Propose SUBMISSION's row to its model's repo as an evaluation result, in a pull request."""
    from hub_toolkit.hub.leaderboard.result_export import export_row

    repos = take_repos(options)
    api, _ = open_hub()
    done = export_row(api, repos, submission, model_repo)
    click.echo(done.pr_url or f"nothing to do: {done.url}")
