"""`personamem generate report`."""

from __future__ import annotations

from pathlib import Path

import click

from hub_toolkit.evaluate.journal import write_atomically
from hub_toolkit.generate.inspection.measure import open_inspected
from hub_toolkit.generate.inspection.page import render_inspection
from hub_toolkit.hub.transfer.pull import open_dataset
from hub_toolkit.settings import load_settings


@click.command("report")
@click.argument("data", metavar="DIR")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("report.html"),
    show_default=True,
    help="The page.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the classifier that reads no history.")
def report_command(data: str, out: Path, seed: int) -> None:
    """Look at a dataset: a folder in either layout, `mini`, or hf://owner/name.

    One page, self-contained: counts, distributions, survival of the filters, what is reached without a history, what
    of the benchmark stands in the other splits too, and samples by type.
    """
    folder = open_dataset(data, load_settings())
    made = Path(data) if Path(data).is_dir() else folder
    page = render_inspection(open_inspected(folder), name=Path(data).name or data, made=made, seed=seed)
    write_atomically(out, page.encode("utf-8", "backslashreplace"))
    click.echo(f"wrote {out}")
