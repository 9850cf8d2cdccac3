"""`personamem generate`: called bare, the simulator writes a dataset; what else can be done are its sub-commands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hub_toolkit.cli.lazy import Entry, LazyGroup

if TYPE_CHECKING:
    from hub_toolkit.generate.config import SimulatorConfig

COMMANDS: dict[str, Entry] = {
    "chain": Entry("hub_toolkit.cli.generate_chain", "chain_command", "Simulate, publish, load, evaluate and submit."),
    "estimate": Entry("hub_toolkit.cli.generate_llm", "estimate_command", "Say what a run with a model would take."),
    "holdout": Entry("hub_toolkit.cli.generate_holdout", "holdout", "Seal, open and trace held-out personas."),
    "report": Entry("hub_toolkit.cli.generate_report", "report_command", "Look at a dataset on one HTML page."),
    "run": Entry("hub_toolkit.cli.generate_llm", "run_command", "Write a dataset with a language model."),
}


@click.group(cls=LazyGroup, entries=COMMANDS, invoke_without_command=True)
@click.option("--engine", type=click.Choice(["simulator"]), default="simulator", show_default=True, help="Who writes.")
@click.option("--personas", type=int, default=8, show_default=True, help="Owners; filled up to a multiple of four.")
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed gives the same bytes.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write to; with --holdout a file.")
@click.option("--questions", type=int, default=24, show_default=True, help="Balanced questions of a persona.")
@click.option("--tokens", type=int, default=32_000, show_default=True, help="Longest 32k history.")
@click.option("--long-tokens", type=int, default=124_000, show_default=True, help="Longest 128k history; 0: none.")
@click.option(
    "--stage",
    type=click.Choice(["personas", "preferences", "conversations", "questions", "histories"]),
    help="Write this stage's records as JSON lines, and no dataset.",
)
@click.option("--padding", metavar="DATA", help="Dialogues for 128k: a JSON file or hf://owner/name. Default: bundled.")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes.")
@click.option("--holdout", "is_held_out", is_flag=True, help="Seal the dataset in one encrypted file.")
@click.option("--key", "key_file", type=click.Path(path_type=Path), help="With --holdout: the maintainer's key file.")
@click.pass_context
def generate(  # noqa: PLR0913  (one parameter an option)
    ctx: click.Context,
    engine: str,
    personas: int,
    seed: int,
    out: Path | None,
    questions: int,
    tokens: int,
    long_tokens: int,
    stage: str | None,
    padding: str | None,
    workers: int,
    is_held_out: bool,
    key_file: Path | None,
) -> None:
    """Write a new dataset in PersonaMem's layout.

    The simulator needs no model: a grammar writes conversations and balanced questions. For scale tests, training smoke
    and CI; its texts are not human-like. A call that was killed goes on where it was.
    """
    if ctx.invoked_subcommand is not None:
        return
    if out is None:
        raise click.UsageError("Missing option '--out'.")
    if key_file is not None and not is_held_out:
        raise click.UsageError("--key goes with --holdout: nothing else is sealed")
    if is_held_out and stage:
        raise click.UsageError("--holdout seals a whole dataset; leave out --stage")
    if padding is not None and long_tokens <= 0:
        raise click.UsageError("--padding fills 128k histories; leave out --long-tokens 0")
    from hub_toolkit.cli.generate_padding import take_padding
    from hub_toolkit.generate.config import SimulatorConfig

    config = SimulatorConfig(
        num_personas=whole_quads(personas),
        seed=seed,
        topics_per_quad=questions,
        context_32k_tokens=tokens,
        context_128k_tokens=max(long_tokens, tokens),
        has_128k=long_tokens > 0,
        padding=take_padding(padding) if padding is not None else None,
    )
    if is_held_out:
        from hub_toolkit.cli.generate_holdout import seal_simulated

        seal_simulated(config, out, key_file)
    elif stage:
        from hub_toolkit.generate.stages import write_stage

        click.echo(f"wrote stage {stage} to {write_stage(config, stage, out)}")
    else:
        _simulate(config, out, workers, engine)


def _simulate(config: SimulatorConfig, out: Path, workers: int, engine: str) -> None:
    from hub_toolkit.generate.simulator import simulate

    report = simulate(config, out, num_workers=workers, on_progress=say_progress)
    for name, split in report.splits.items():
        click.echo(f"{name}: {split['rows']:,} questions, {split['personas']:,} personas")
    if report.num_written == 0:
        click.echo(f"nothing to do: {out} holds all of it")
        return
    click.echo(f"wrote {report.num_written:,} personas ({report.num_twins:,} twins in all) with {engine} to {out}")


def whole_quads(personas: int) -> int:
    """Return the least multiple of four that holds so many personas, and say so where it is more."""
    from hub_toolkit.generate.config import QUAD

    whole = -(-personas // QUAD) * QUAD
    if 0 < personas < whole:
        click.echo(f"writing {whole:,} personas instead of {personas:,}: a swap group has {QUAD} owners", err=True)
    return whole


def say_progress(done: int, total: int) -> None:
    """Say now and then how far the writing is."""
    if done == total or done % max(1, total // 20) == 0:
        click.echo(f"{done:,} of {total:,} quads", err=True)
