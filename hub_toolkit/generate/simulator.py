"""The simulator: all stages in order, quad by quad, on one or two processes; what is finished is not made again."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub_toolkit.errors import DataFormatError
from hub_toolkit.evaluate.journal import encode_json, lock_run, write_atomically
from hub_toolkit.generate.blocks import write_blocks
from hub_toolkit.generate.card import render_card
from hub_toolkit.generate.config import SimulatorConfig
from hub_toolkit.generate.histories import assemble
from hub_toolkit.generate.layout import (
    CONFIG_FILE,
    REPORT_FILE,
    WORK_FOLDER,
    claim_folder,
    render_files,
    rows_path,
    write_personas,
    write_splits,
)
from hub_toolkit.generate.personas import make_quad, make_twins
from hub_toolkit.generate.preferences import plan_quad
from hub_toolkit.generate.records import SimPersona
from hub_toolkit.generate.rows import make_rows

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class SimulationReport:
    """What a call did. `num_written` personas were made by this call, the others were there."""

    out: Path
    splits: dict[str, dict[str, int]]
    num_personas: int
    num_twins: int
    num_written: int

    @property
    def num_rows(self) -> int:
        """Questions of all splits."""
        return sum(split["rows"] for split in self.splits.values())


def simulate(
    config: SimulatorConfig, out: Path, *, num_workers: int = 1, on_progress: Progress | None = None
) -> SimulationReport:
    """Write a simulated dataset into a folder; the same configuration gives the same bytes.

    Raises: DataFormatError: the folder holds something else, or was begun with another configuration.
    """
    with lock_run(out):
        claim_folder(out, config.as_dict())
        finished = out / REPORT_FILE
        if finished.is_file():
            kept = json.loads(finished.read_bytes())
            shutil.rmtree(out / WORK_FOLDER, ignore_errors=True)
            return SimulationReport(out, kept["splits"], kept["num_personas"], kept["num_twins"], 0)
        num_written = _write_quads(config, out, num_workers, on_progress)
        return _finish(config, out, num_written)


def _write_quads(config: SimulatorConfig, out: Path, num_workers: int, on_progress: Progress | None) -> int:
    jobs = [(config, quad, str(out)) for quad in range(config.num_quads)]
    num_written = 0
    for done, written in enumerate(_run(jobs, num_workers), 1):
        num_written += written
        if on_progress:
            on_progress(done, len(jobs))
    return num_written


def _run(jobs: list[tuple[SimulatorConfig, int, str]], num_workers: int) -> Iterator[int]:
    if num_workers <= 1:
        yield from map(write_quad, jobs)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(num_workers, mp_context=context, initializer=_end_with_parent) as pool:
        try:
            yield from pool.map(write_quad, jobs, chunksize=1)
        except BrokenProcessPool:
            message = "a worker process died; run it again (what is finished is kept), with one worker if it recurs"
            raise DataFormatError(message) from None


def _end_with_parent() -> None:
    """End this worker when the run is killed: else it would wait for ever, or write beside the run that goes on."""
    parent = multiprocessing.parent_process()

    def wait() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def write_quad(job: tuple[SimulatorConfig, int, str]) -> int:
    """Write the unfinished personas of one quad; return how many there were."""
    config, quad, folder = job
    out = Path(folder)
    owners = make_quad(config, quad)
    plan = plan_quad(config, quad)
    files = []
    for persona in (*owners, *make_twins(config, owners)):
        if rows_path(out, persona).is_file():
            continue
        blocks = write_blocks(config, persona, plan)
        histories = assemble(config, persona, blocks)
        files.append(render_files(out, persona, blocks, histories, make_rows(config, persona, plan, histories)))
    write_personas(files)
    return len(files)


def all_personas(config: SimulatorConfig) -> list[SimPersona]:
    """Return every owner and every twin."""
    personas: list[SimPersona] = []
    for quad in range(config.num_quads):
        owners = make_quad(config, quad)
        personas += [*owners, *make_twins(config, owners)]
    return personas


def _finish(config: SimulatorConfig, out: Path, num_written: int) -> SimulationReport:
    """Write splits, card and report, the report last; then the waiting rows are no longer needed."""
    personas = all_personas(config)
    splits = write_splits(out, personas)
    num_twins = sum(persona.twin_of is not None for persona in personas)
    for part in out.rglob("*.part"):
        part.unlink()
    for name, content in describe_dataset(config, splits, num_twins):
        write_atomically(out / name, content)
    shutil.rmtree(out / WORK_FOLDER)
    return SimulationReport(out, splits, len(personas) - num_twins, num_twins, num_written)


def describe_dataset(
    config: SimulatorConfig, splits: dict[str, dict[str, int]], num_twins: int
) -> Iterator[tuple[str, bytes]]:
    """Yield the files that describe a whole dataset: configuration, card, and last the report."""
    facts: dict[str, Any] = {
        "engine": "simulator",
        "config_digest": config.digest,
        "splits": splits,
        "num_personas": sum(split["personas"] for split in splits.values()) - num_twins,
        "num_twins": num_twins,
        "num_rows": sum(split["rows"] for split in splits.values()),
    }
    yield CONFIG_FILE, encode_json(config.as_dict(), indent=1) + b"\n"
    yield "README.md", render_card(config, facts).encode()
    yield REPORT_FILE, encode_json(facts, indent=1) + b"\n"
