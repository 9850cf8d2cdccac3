"""`personamem data convert`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from hub_toolkit.hub.layout.convert import ConvertReport

_SHOWN = 3


@click.command("convert")
@click.argument("src")
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--to",
    "target",
    type=click.Choice(["parquet", "upstream"]),
    default="parquet",
    show_default=True,
    help="The layout to write: our Parquet, or upstream's CSV and JSON.",
)
@click.option("--config", "configs", multiple=True, help="Write this config only (again for more). Default: all.")
def convert(src: str, out: Path, target: str, configs: tuple[str, ...]) -> None:
    """Write the dataset in SRC (a folder, or `mini`) into the folder OUT in another layout.

    From upstream's layout to Parquet, which `datasets.load_dataset` reads at once, and back without loss. A call that
    was killed goes on where it was; a call with nothing to do does nothing.
    """
    if target == "upstream" and configs:
        raise click.UsageError("--config chooses what is written as Parquet; leave it out with --to upstream")
    from hub_toolkit.hub.layout.convert import convert_dataset
    from hub_toolkit.hub.layout.upstream import write_upstream
    from hub_toolkit.hub.transfer.pull_convert import name_configs

    if target == "upstream":
        report = write_upstream(Path(src), out, on_progress=_say)
    else:
        report = convert_dataset(Path(src), out, configs=configs or None, on_progress=_say)
        name_configs(out)
    _print(report)


def _say(line: str) -> None:
    click.echo(line, err=True)


def _print(report: ConvertReport) -> None:
    groups: dict[str, list[int]] = {}
    for file in report.files:
        name = file.path if file.path.endswith(".csv") else _group(file.path)
        rows, size_bytes, num_files = groups.get(name, [0, 0, 0])
        groups[name] = [rows + file.rows, size_bytes + file.size_bytes, num_files + 1]
    for name, (rows, size_bytes, num_files) in groups.items():
        files = f"{num_files:,} file{'s' if num_files > 1 else ''}"
        click.echo(f"{name}: {f'{rows:,} rows, ' if rows else ''}{files}, {size_bytes:,} bytes")
    _print_paths(report.left_out, "left out (no row names it)")
    _print_paths(report.missing, "named, but not there")
    size_bytes = sum(file.size_bytes for file in report.files)
    if report.is_nothing_to_do:
        click.echo(f"nothing to do: {report.out} holds all of it ({size_bytes:,} bytes)")
        return
    kept = f", {report.num_kept:,} of them kept from an earlier call" if report.num_kept else ""
    click.echo(f"wrote {len(report.files):,} files, {size_bytes:,} bytes, to {report.out}{kept}")


def _group(path: str) -> str:
    """Return `config/split` of a Parquet file, the folder of any other."""
    folder, _, name = path.rpartition("/")
    return f"{folder}/{name.split('-')[0]}" if name.endswith(".parquet") else folder


def _print_paths(paths: tuple[str, ...], what: str) -> None:
    if paths:
        more = f" and {len(paths) - _SHOWN:,} more" if len(paths) > _SHOWN else ""
        click.echo(f"{what}: {', '.join(paths[:_SHOWN])}{more}")
