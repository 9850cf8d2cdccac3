"""Stage 5: swap groups: one query and four options, each right for one of four owners (PROTOCOL §6)."""

from __future__ import annotations

from hub_toolkit.generate.config import QUAD, SimulatorConfig
from hub_toolkit.generate.grammar import capitalise, load_grammar
from hub_toolkit.generate.records import Assignment, SwapGroup
from hub_toolkit.generate.seeding import rng_for

OPTION_WORDS = 4


def make_group(config: SimulatorConfig, assignment: Assignment) -> SwapGroup:
    """Write a group's query and options: one frame for all four, and an order drawn per group."""
    rng = rng_for(config.seed, "question", assignment.group_id)
    grammar = load_grammar()
    query = capitalise(grammar.expand("query", {"need": assignment.topic.need}, rng))
    generic = tuple(grammar.expand("generic", {}, rng).split(", "))
    frame_seed = rng.random()
    order = rng.sample(range(QUAD), QUAD)
    options = [""] * QUAD
    for member, place in enumerate(order):
        nouns = generic
        if not is_generic(assignment, member):
            nouns = tuple(rng.sample(assignment.topic.alternatives[assignment.liked[member]].words, OPTION_WORDS))
        frame = rng_for(config.seed, "frame", assignment.group_id, frame_seed)
        options[place] = capitalise(grammar.expand("option", dict(zip("wxyz", nouns, strict=True)), frame))
    return SwapGroup(assignment.group_id, query, tuple(options), tuple(order))


def is_generic(assignment: Assignment, member: int) -> bool:
    """Whether the answer that uses no liking is right for this member."""
    return assignment.kind in ("forget", "others") and member == assignment.special
