"""Every stage on its own: its typed records as JSON lines, made from the configuration alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hub_toolkit.evaluate.journal import encode_json, write_atomically
from hub_toolkit.generate.blocks import write_blocks
from hub_toolkit.generate.config import SimulatorConfig
from hub_toolkit.generate.histories import assemble
from hub_toolkit.generate.personas import make_quad, make_twins
from hub_toolkit.generate.preferences import plan_quad
from hub_toolkit.generate.questions import make_group

Record = dict[str, Any]


def _personas(config: SimulatorConfig, quad: int) -> Iterator[Record]:
    owners = make_quad(config, quad)
    for persona in (*owners, *make_twins(config, owners)):
        yield dataclasses.asdict(persona)


def _preferences(config: SimulatorConfig, quad: int) -> Iterator[Record]:
    plan = plan_quad(config, quad)
    for assignment in (*plan.asked, *plan.twins):
        yield dataclasses.asdict(assignment)


def _conversations(config: SimulatorConfig, quad: int) -> Iterator[Record]:
    plan, owners = plan_quad(config, quad), make_quad(config, quad)
    for persona in (*owners, *make_twins(config, owners)):
        for block in write_blocks(config, persona, plan):
            yield {"persona_id": persona.persona_id, **dataclasses.asdict(block)}


def _questions(config: SimulatorConfig, quad: int) -> Iterator[Record]:
    plan = plan_quad(config, quad)
    for assignment in (*plan.asked, *plan.twins):
        yield dataclasses.asdict(make_group(config, assignment))


def _histories(config: SimulatorConfig, quad: int) -> Iterator[Record]:
    """Yield where each block ends; the messages themselves are those of the conversations."""
    plan, owners = plan_quad(config, quad), make_quad(config, quad)
    for persona in (*owners, *make_twins(config, owners)):
        for history in assemble(config, persona, write_blocks(config, persona, plan)):
            facts = {"size": history.size, "tokens": history.tokens, "padding_tokens": history.padding_tokens}
            yield {"persona_id": persona.persona_id, **facts, "ends": history.ends}


STAGES: dict[str, Callable[[SimulatorConfig, int], Iterator[Record]]] = {
    "personas": _personas,
    "preferences": _preferences,
    "conversations": _conversations,
    "questions": _questions,
    "histories": _histories,
}
"""Stages that can be run alone, in their order; splits and layout are the whole command's."""


def write_stage(config: SimulatorConfig, stage: str, out: Path) -> Path:
    """Write one stage's records, a file a quad; quads that are there are kept. Return the folder."""
    folder = out / f"stage_{stage}_{config.digest}"
    for quad in range(config.num_quads):
        path = folder / f"quad{quad:06}.jsonl"
        if not path.is_file():
            lines = [encode_json(record) + b"\n" for record in STAGES[stage](config, quad)]
            write_atomically(path, b"".join(lines))
    return folder
