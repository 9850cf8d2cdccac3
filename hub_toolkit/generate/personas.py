"""Stage 1: quads of personas that are alike in age, work and manner, and differ in name alone."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any, Literal

from hub_toolkit.data.schema import Split
from hub_toolkit.generate.config import QUAD, SimulatorConfig
from hub_toolkit.generate.grammar import load_grammar
from hub_toolkit.generate.records import TWIN_KINDS, SimPersona
from hub_toolkit.generate.seeding import rng_for

TWIN_OFFSET = 1_000_000
"""A twin's id is its original's plus this times the place of its kind, from 1."""


def quad_split(config: SimulatorConfig, quad: int) -> Split:
    """Return a quad's split: all four owners of a group stand in one, so no persona and no group is in two."""
    order = list(range(config.num_quads))
    rng_for(config.seed, "split").shuffle(order)
    place = order.index(quad)
    num_benchmark = max(1, round(config.benchmark_share * config.num_quads))
    num_val = round(config.val_share * config.num_quads)
    if place < num_benchmark:
        return "benchmark"
    return "val" if place < num_benchmark + num_val else "train"


def make_quad(config: SimulatorConfig, quad: int) -> tuple[SimPersona, ...]:
    """Return the four owners of a quad."""
    rng = rng_for(config.seed, "persona", quad)
    grammar = load_grammar()
    shared: dict[str, Any] = {
        key: grammar.expand(f"persona_{key}", {}, rng) for key in ("job", "city", "home", "household", "style")
    }
    age = rng.randint(24, 67)
    split = quad_split(config, quad)
    used: set[str] = set()
    return tuple(
        _make_member(rng, quad, member, {**shared, "age": age, "split": split}, used) for member in range(QUAD)
    )


def _make_member(rng: random.Random, quad: int, member: int, shared: dict[str, Any], used: set[str]) -> SimPersona:
    grammar = load_grammar()
    pronoun: Literal["he", "she"] = "she" if member % 2 == 0 else "he"
    name = ""
    while not name or name.split()[0] in used:
        name = f"{grammar.expand(f'first_{pronoun}', {}, rng)} {grammar.expand('surname', {}, rng)}"
    used.add(name.split()[0])
    short = f"A {shared['age']}-year-old {shared['job']} in {shared['city']} who brings everyday writing and questions."
    expanded = {
        "name": name,
        "age": shared["age"],
        "occupation": shared["job"],
        "location": shared["city"],
        "home": shared["home"],
        "household": shared["household"],
        "speaking_style_with_chatbot": shared["style"],
    }
    persona_id = quad * QUAD + member + 1
    return SimPersona(persona_id, quad, member, shared["split"], name, pronoun, short, expanded)


def make_twins(config: SimulatorConfig, owners: tuple[SimPersona, ...]) -> tuple[SimPersona, ...]:
    """Return the quad's twins: copies of its first owner that differ in one block each; none in most quads."""
    if not config.twin_every or owners[0].quad % config.twin_every:
        return ()
    return tuple(
        replace(
            owners[0],
            persona_id=owners[0].persona_id + TWIN_OFFSET * place,
            twin_of=owners[0].persona_id,
            twin_kind=kind,
        )
        for place, kind in enumerate(TWIN_KINDS, 1)
    )
