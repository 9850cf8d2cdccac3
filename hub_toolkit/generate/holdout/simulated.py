"""Held-out personas by the simulator, in memory: a dataset's files one after the other, never on a disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from hub_toolkit.generate.blocks import write_blocks
from hub_toolkit.generate.config import SimulatorConfig
from hub_toolkit.generate.histories import assemble
from hub_toolkit.generate.holdout.keys import MasterKey
from hub_toolkit.generate.holdout.sealing import File
from hub_toolkit.generate.layout import encode_rows, render_files
from hub_toolkit.generate.personas import make_quad, make_twins
from hub_toolkit.generate.preferences import plan_quad
from hub_toolkit.generate.rows import Row, make_rows
from hub_toolkit.generate.simulator import describe_dataset

BENCHMARK_FILE = "benchmark/text/benchmark.csv"


def held_out_config(config: SimulatorConfig, key: MasterKey) -> SimulatorConfig:
    """Return the configuration with a seed that only the key's holder can know, and everybody in the benchmark.

    A public seed would let anybody write the same personas again.
    """
    secret = int.from_bytes(key.derive(f"seed:{config.seed}", b"personamem-seed", num_bytes=16), "big")
    return replace(config, seed=secret, benchmark_share=1.0, val_share=0.0)


def iter_simulated(config: SimulatorConfig, *, on_progress: Callable[[int, int], None] | None = None) -> Iterator[File]:
    """Yield the files of a simulated dataset with their paths; rows and card come last."""
    rows: dict[int, list[Row]] = {}
    num_twins = 0
    for quad in range(config.num_quads):
        owners, plan = make_quad(config, quad), plan_quad(config, quad)
        for persona in (*owners, *make_twins(config, owners)):
            blocks = write_blocks(config, persona, plan)
            histories = assemble(config, persona, blocks)
            rows[persona.persona_id] = make_rows(config, persona, plan, histories)
            num_twins += persona.twin_of is not None
            files = render_files(Path(), persona, blocks, histories, [])
            yield from ((path.as_posix(), content) for path, content in files.contents.items())
        if on_progress:
            on_progress(quad + 1, config.num_quads)
    ordered = [row for _, mine in sorted(rows.items()) for row in mine]
    yield BENCHMARK_FILE, b"".join(encode_rows(ordered))
    splits = {"benchmark": {"personas": len(rows), "rows": len(ordered)}}
    yield from describe_dataset(config, splits, num_twins)
