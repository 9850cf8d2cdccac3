"""`personamem data check`."""

from __future__ import annotations

import json

import click

from hub_toolkit.data.check import CheckReport, SplitCounts, check_dataset
from hub_toolkit.errors import DataFormatError


@click.group()
def data() -> None:
    """Check and show datasets in PersonaMem's layout."""


@data.command("check")
@click.argument("path")
@click.option("--json", "is_json", is_flag=True, help="Print counts and problems as one JSON object.")
@click.pass_context
def check(context: click.Context, path: str, is_json: bool) -> None:
    """Validate a dataset's folder (or `mini`): counts by split, and every problem with file, row and column.

    Exit status 1 where there are problems.
    """
    try:
        report = check_dataset(path)
    except DataFormatError as error:
        if not is_json:
            raise
        report = CheckReport({}, (error,))
    if is_json:
        click.echo(json.dumps(report.as_dict(), ensure_ascii=False, indent=1))
    else:
        _print(report)
    context.exit(1 if report.problems else 0)


def _print(report: CheckReport) -> None:
    for name, counts in report.counts.items():
        click.echo(f"{name}: {counts.rows:,} rows, {len(counts.personas):,} personas")
        for kind in ("pref_type", "who", "updated"):
            click.echo(f"  {kind}: {_shares(counts, kind)}")
    for problem in report.problems:
        click.echo(f"problem: {problem}")
    click.echo(f"{len(report.problems)} problems" if report.problems else "no problems")


def _shares(counts: SplitCounts, kind: str) -> str:
    return ", ".join(f"{value} {count:,}" for value, count in getattr(counts, kind).most_common()) or "none"
