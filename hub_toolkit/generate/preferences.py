"""Stage 2: what the four owners of a quad like, drawn topic by topic, so that no choice tells of another."""

from __future__ import annotations

import random

from hub_toolkit.generate.config import QUAD, SimulatorConfig
from hub_toolkit.generate.records import TWIN_KINDS, Assignment, GroupKind, QuadPlan, Topic
from hub_toolkit.generate.seeding import rng_for
from hub_toolkit.generate.topics import load_topics


def plan_quad(config: SimulatorConfig, quad: int) -> QuadPlan:
    """Draw a quad's topics, who likes what, and what happens to it later."""
    rng = rng_for(config.seed, "preferences", quad)
    topics = list(load_topics())
    rng.shuffle(topics)
    num_twins = len(TWIN_KINDS) if config.twin_every and quad % config.twin_every == 0 else 0
    num_asked = config.topics_per_quad
    asked = tuple(_assign(config, rng, topic, f"q{quad:05}.{i:02}") for i, topic in enumerate(topics[:num_asked]))
    twin_topics = topics[num_asked : num_asked + num_twins]
    twins = tuple(
        _assign_twin(rng, topic, f"q{quad:05}.{kind}") for kind, topic in zip(TWIN_KINDS, twin_topics, strict=False)
    )
    rest = topics[num_asked + num_twins :]
    extra = tuple(
        tuple(
            (topic, rng.randrange(len(topic.alternatives)))
            for topic in rng.sample(rest, min(len(rest), config.extra_topics))
        )
        for _ in range(QUAD)
    )
    return QuadPlan(quad, asked, twins, extra)


def draw_kind(config: SimulatorConfig, rng: random.Random) -> GroupKind:
    """Draw what a group is about."""
    drawn = rng.random()
    if drawn < config.update_share:
        return "update"
    if drawn < config.update_share + config.forget_share:
        return "forget"
    if drawn < config.update_share + config.forget_share + config.others_share:
        return "others"
    return "plain"


def _assign(config: SimulatorConfig, rng: random.Random, topic: Topic, group_id: str) -> Assignment:
    """Give each owner an alternative of its own; of forget and others groups, one owner shares another's."""
    pool = rng.sample(range(len(topic.alternatives)), QUAD)
    kind = draw_kind(config, rng)
    special, source = rng.sample(range(QUAD), 2)
    liked = list(pool)
    if kind in ("forget", "others"):
        liked[special] = liked[source]
        pool = [place for member, place in enumerate(liked) if member != special]
    return Assignment(group_id, topic, kind, (liked[0], liked[1], liked[2], liked[3]), special, source, tuple(pool))


def _assign_twin(rng: random.Random, topic: Topic, group_id: str) -> Assignment:
    """Assign a group whose four owners are members 0, 1, 2 and a twin of 0: the twin takes the place of member 3."""
    pool = rng.sample(range(len(topic.alternatives)), QUAD)
    kind: GroupKind = "update"
    if group_id.endswith("forget"):
        kind = "forget"
    elif group_id.endswith("friend"):
        kind = "others"
    liked = list(pool)
    if kind != "update":
        liked[3] = liked[0]
        pool = liked[:3]
    return Assignment(group_id, topic, kind, (liked[0], liked[1], liked[2], liked[3]), 3, 0, tuple(pool))
