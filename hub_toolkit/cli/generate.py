"""`personamem generate`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.option("--engine", type=click.Choice(["simulator"]), default="simulator", show_default=True, help="Who writes.")
@click.option("--personas", type=int, default=8, show_default=True, help="Owners; a multiple of four.")
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed gives the same bytes.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write to.")
@click.option("--questions", type=int, default=24, show_default=True, help="Balanced questions of a persona.")
@click.option("--tokens", type=int, default=32_000, show_default=True, help="Longest 32k history.")
@click.option("--long-tokens", type=int, default=124_000, show_default=True, help="Longest 128k history; 0: none.")
@click.option(
    "--stage",
    type=click.Choice(["personas", "preferences", "conversations", "questions", "histories"]),
    help="Write this stage's records as JSON lines, and no dataset.",
)
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes.")
def generate(  # noqa: PLR0913  (one parameter an option)
    engine: str,
    personas: int,
    seed: int,
    out: Path,
    questions: int,
    tokens: int,
    long_tokens: int,
    stage: str | None,
    workers: int,
) -> None:
    """Write a new dataset in PersonaMem's layout.

    The simulator needs no model: a grammar writes conversations and balanced questions. For scale tests, training smoke
    and CI; its texts are not human-like. A call that was killed goes on where it was.
    """
    from hub_toolkit.generate.config import SimulatorConfig
    from hub_toolkit.generate.simulator import simulate

    config = SimulatorConfig(
        num_personas=personas,
        seed=seed,
        topics_per_quad=questions,
        context_32k_tokens=tokens,
        context_128k_tokens=max(long_tokens, tokens),
        has_128k=long_tokens > 0,
    )
    if stage:
        from hub_toolkit.generate.stages import write_stage

        click.echo(f"wrote stage {stage} to {write_stage(config, stage, out)}")
        return
    report = simulate(config, out, num_workers=workers, on_progress=_say)
    for name, split in report.splits.items():
        click.echo(f"{name}: {split['rows']:,} questions, {split['personas']:,} personas")
    if report.num_written == 0:
        click.echo(f"nothing to do: {out} holds all of it")
        return
    click.echo(f"wrote {report.num_written:,} personas ({report.num_twins:,} twins in all) with {engine} to {out}")


def _say(done: int, total: int) -> None:
    if done == total or done % max(1, total // 20) == 0:
        click.echo(f"{done:,} of {total:,} quads", err=True)
