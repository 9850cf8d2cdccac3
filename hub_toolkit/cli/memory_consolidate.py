"""`personamem memory frontier`: what a memory's cap and its consolidation are worth."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from pathlib import Path

import click

from hub_toolkit.data.history import load_history
from hub_toolkit.data.tokens import EstimateCounter
from hub_toolkit.memory.builders.extractive import ExtractiveBuilder
from hub_toolkit.memory.builders.frontier import DEFAULT_CAPS, Point, load_evidence, measure_frontier

MIN_CAP_TOKENS = 16
_LINE = "{:>7} {:>6} {:>7} {:>8} {:>8} {:>8}"


class Caps(click.ParamType[tuple[int, ...]]):
    """A list of numbers of tokens, as in 256,512."""

    name = "N,N…"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """Read it."""
        if isinstance(value, tuple):
            return value
        pieces = str(value).split(",")
        if not all(piece.strip().isdecimal() and int(piece) >= MIN_CAP_TOKENS for piece in pieces):
            self.fail(f"write numbers of {MIN_CAP_TOKENS} tokens or more, as in 256,512", param, ctx)
        return tuple(sorted({int(piece) for piece in pieces}))


@click.command("frontier")
@click.argument("history", type=click.Path(path_type=Path))
@click.option("--questions", type=click.Path(path_type=Path), required=True, help="JSON lines with evidence_messages.")
@click.option("--caps", type=Caps(), default=DEFAULT_CAPS, help="Caps in tokens. [default: 256,512,…,8192]")
@click.option("--passes", "num_passes", type=click.IntRange(0, 8), default=2, show_default=True)
@click.option("--json", "is_json", is_flag=True, help="Print JSON for a program.")
def frontier_command(history: Path, questions: Path, caps: tuple[int, ...], num_passes: int, is_json: bool) -> None:
    """Build memories of several caps and show how much of the evidence each holds, before and after each pass.

    Pass 0 is the memory as it was built; pass 1 consolidates it; each further one reads the history again first.
    """
    counter, evidence = EstimateCounter(), load_evidence(questions)
    points = asyncio.run(
        measure_frontier(
            load_history(history),
            evidence,
            lambda cap: ExtractiveBuilder(counter, cap_tokens=cap),
            counter,
            caps=caps,
            num_passes=num_passes,
        )
    )
    if is_json:
        click.echo(json.dumps({"num_questions": len(evidence), "points": [asdict(point) for point in points]}))
        return
    click.echo(_LINE.format("cap", "passes", "tokens", "bullets", "recall", "time"))
    for point in points:
        click.echo(_render(point))
    click.echo(f"recall: share of {len(evidence)} questions with an evidence message among the sources")


def _render(point: Point) -> str:
    recall = "-" if point.recall is None else f"{100 * point.recall:.1f} %"
    time = f"{point.seconds:.1f} s"
    return _LINE.format(point.cap_tokens, point.num_passes, point.tokens, point.num_bullets, recall, time)
