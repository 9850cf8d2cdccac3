"""`personamem leaderboard show | compare | work`."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import click

from hub_toolkit.cli.leaderboard_options import data_option, open_hub, repos_option, take_board, take_repos
from hub_toolkit.cli.leaderboard_text import render_comparison, render_row, render_table
from hub_toolkit.errors import HubError

if TYPE_CHECKING:
    from huggingface_hub import HfApi

    from hub_toolkit.hub.leaderboard.store import BoardRepos
    from hub_toolkit.leaderboard.board import Board


@click.command()
@click.argument("submission", required=False)
@click.option("--from", "from_repo", metavar="OWNER/NAME", help="The repo of results; default: the owner's.")
@click.option("--text", default="", help="Only rows whose name, model or sender holds this.")
@click.option("--log", "is_log", is_flag=True, help="Print the public log instead.")
@click.option("--json", "is_json", is_flag=True, help="Print JSON.")
@repos_option
def show(submission: str | None, from_repo: str | None, text: str, is_log: bool, is_json: bool, **options: Any) -> None:
    """Print the table, or one SUBMISSION; from the last good copy where the Hub cannot be reached."""
    from hub_toolkit.hub.leaderboard.last_good import load_table
    from hub_toolkit.hub.leaderboard.store import find_submission
    from hub_toolkit.leaderboard.rank import filter_rows

    options["results"] = from_repo or options["results"]
    repos = take_repos(options)
    api, settings = open_hub()
    table = load_table(api, repos, settings.cache_dir)
    if table.age_s is None:
        raise HubError(f"the table was never read here: {table.error}")
    if not table.is_live:
        click.echo(f"the last good copy, {table.age_s:.0f} s old: {table.error}", err=True)
    rows = filter_rows(table.rows, text=text)
    digests = [row["submission"] for row in table.rows] + [event["submission"] for event in table.log]
    name = find_submission(digests, submission) if submission else None
    events = [event for event in table.log if name in (None, event["submission"])]
    chosen = [row for row in rows if name in (None, row["submission"])]
    if is_json:
        click.echo(json.dumps(events if is_log else chosen, ensure_ascii=False, indent=1))
        return
    if is_log or (name and not chosen):
        for event in events:
            click.echo(
                f"{event['time']}  {event['submission'][:12]}  {event['kind']:<9}  {event['who']}  {event['reason']}"
            )
        return
    click.echo(render_row(chosen[0]) if name else render_table(chosen) or "the table is empty")
    if table.num_waiting and not name:
        click.echo(f"{table.num_waiting} submissions wait to be scored")


@click.command()
@click.argument("a")
@click.argument("b")
@click.option("--json", "is_json", is_flag=True, help="Everything, as JSON.")
@data_option
@repos_option
def compare(a: str, b: str, is_json: bool, **options: Any) -> None:
    """Compare submissions A and B question by question: the difference, its interval and p value."""
    from hub_toolkit.hub.leaderboard.keeping import compare_submissions

    board = take_board(options)
    repos = take_repos(options)
    api, _ = open_hub()
    found = compare_submissions(api, repos, [board], a, b)
    click.echo(json.dumps(found, ensure_ascii=False, indent=1) if is_json else render_comparison(found, (a, b)))


@click.command()
@click.option("--every", "every_s", type=click.IntRange(5), metavar="SECONDS", help="Go on, a pass every so often.")
@data_option
@repos_option
def work(every_s: int | None, **options: Any) -> None:
    """Take in pull requests and requests, score what was sent, and write table and log.

    It can be killed at any moment, and several may run at once.
    """
    board = take_board(options)
    repos = take_repos(options)
    api, _ = open_hub()
    while True:
        try:
            _one_pass(api, repos, board)
        except HubError as error:
            if every_s is None:
                raise
            click.echo(f"this pass failed, the next comes in {every_s} s: {error}", err=True)
        if every_s is None:
            return
        time.sleep(every_s)


def _one_pass(api: HfApi, repos: BoardRepos, board: Board) -> None:
    from hub_toolkit.hub.leaderboard.requests import take_pull_requests, take_requests
    from hub_toolkit.hub.leaderboard.worker import process_pending

    for note in (*take_pull_requests(api, repos, [board]), *take_requests(api, repos)):
        click.echo(note)
    while True:
        done = process_pending(api, repos, [board])
        if not (done.scored or done.refused):
            break
        click.echo(f"scored {len(done.scored)}, refused {len(done.refused)}, {done.num_waiting} wait")
    click.echo("nothing waits")
