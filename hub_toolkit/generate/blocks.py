"""Stages 3 and 4: the conversations of one persona, with updates and requests to forget."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import Any

from hub_toolkit.generate.config import QUAD, SimulatorConfig
from hub_toolkit.generate.conversations import SCENARIOS, Writer, count_tokens
from hub_toolkit.generate.records import Alternative, Assignment, Block, BlockRole, QuadPlan, SimPersona, Topic
from hub_toolkit.generate.seeding import rng_for
from hub_toolkit.types import Message

SECRETS = (
    ("bank account", "{:04d} {:04d} {:04d} {:04d}"),
    ("passport number", "PX{:04d}{:04d}"),
    ("staff card number", "{:04d}-{:04d}-K"),
    ("door code", "#{:04d}{:04d}"),
    ("insurance number", "VN {:04d} {:04d} {:04d}"),
)
"""Labels and shapes of invented secrets."""


@dataclass
class _Desk:
    """Collects one persona's blocks; each block has its own generator, so that one more changes no other."""

    config: SimulatorConfig
    persona: SimPersona
    blocks: list[Block] = field(default_factory=list)

    def rng(self, block_id: str) -> random.Random:
        return rng_for(self.config.seed, "block", self.persona.quad, self.persona.member, block_id)

    def add(self, block_id: str, topic: str, role: BlockRole, messages: tuple[Message, ...], **more: Any) -> Block:
        block = Block(
            block_id, topic, str(more.pop("scenario", "chat_message")), "self", role, messages, count_tokens(messages)
        )
        block = replace(block, **more)
        self.blocks.append(block)
        return block

    def own(self, block_id: str, topic: Topic, liked: Alternative, **more: Any) -> Block:
        rng = self.rng(block_id)
        scenario = str(more.pop("scenario", "") or rng.choice(SCENARIOS))
        messages = Writer(self.persona, rng).own(liked, scenario, followup_share=self.config.followup_share)
        role = more.pop("role", "evidence")
        return self.add(block_id, topic.key, role, messages, scenario=scenario, preference=liked.name, **more)

    def other(self, block_id: str, topic: Topic, liked: Alternative, role: BlockRole, **more: Any) -> Block:
        rng = self.rng(block_id)
        is_hypothetical = role == "trap" and rng.random() < self.config.hypothetical_share / self.config.trap_share
        messages = Writer(self.persona, rng).of_other(
            liked, is_hypothetical=is_hypothetical, followup_share=self.config.followup_share
        )
        scenario = "creative_writing" if is_hypothetical else "chat_message"
        return self.add(
            block_id, topic.key, role, messages, scenario=scenario, preference=liked.name, who="others", **more
        )


def write_blocks(config: SimulatorConfig, persona: SimPersona, plan: QuadPlan) -> tuple[Block, ...]:
    """Write all blocks of a persona, a twin's with its one block changed."""
    desk = _Desk(config, persona)
    for assignment in plan.asked:
        _write_asked(desk, assignment, persona.member)
    for assignment in plan.twins:
        _write_twin_topic(desk, assignment, persona)
    label, secret = draw_secret(config, persona)
    messages = Writer(persona, desk.rng("secret")).secret(label, secret)
    desk.add("secret", "personal data", "secret", messages, scenario="professional_email", is_required=True)
    for topic, place in plan.extra[persona.member]:
        _write_filler(desk, topic, place)
    return tuple(desk.blocks)


def draw_secret(config: SimulatorConfig, persona: SimPersona) -> tuple[str, str]:
    """Return the label and the invented secret of a persona; twins share it with their original."""
    rng = rng_for(config.seed, "secret", persona.quad, persona.member)
    label, shape = rng.choice(SECRETS)
    return label, shape.format(*(rng.randrange(10_000) for _ in range(shape.count("{"))))


def _write_asked(desk: _Desk, assignment: Assignment, member: int) -> None:
    topic, group_id = assignment.topic, assignment.group_id
    liked = topic.alternatives[assignment.liked[member]]
    is_special = member == assignment.special
    marks = {"is_required": True, "group_id": group_id}
    if is_special and assignment.kind == "others":
        desk.other(f"{group_id}.friend", topic, liked, "evidence", **marks)
    elif is_special and assignment.kind == "update":
        _write_update(desk, assignment, liked)
    elif is_special and assignment.kind == "forget":
        _write_forget(desk, topic, group_id, liked)
    else:
        _write_own(desk, topic, group_id, liked)
    rng = desk.rng(f"{group_id}.trap?")
    if rng.random() < desk.config.trap_share:
        wrong = topic.alternatives[rng.choice([p for p in assignment.pool if p != assignment.liked[member]])]
        desk.other(f"{group_id}.trap", topic, wrong, "trap", is_required=True)


def _write_own(desk: _Desk, topic: Topic, group_id: str, liked: Alternative) -> None:
    rng = desk.rng(f"{group_id}.repeated?")
    if rng.random() >= desk.config.repeated_share:
        desk.own(f"{group_id}.own", topic, liked, is_required=True, group_id=group_id)
        return
    for number in range(rng.randint(2, 4)):
        desk.own(
            f"{group_id}.ask{number}", topic, liked, is_required=True, group_id=group_id, scenario="knowledge_query"
        )


def _write_update(desk: _Desk, assignment: Assignment, liked: Alternative) -> None:
    topic, group_id = assignment.topic, assignment.group_id
    old = topic.alternatives[assignment.liked[assignment.source]]
    first = desk.own(f"{group_id}.old", topic, old, is_required=True, group_id=group_id)
    messages = Writer(desk.persona, desk.rng(f"{group_id}.update")).update(old, liked)
    desk.add(
        f"{group_id}.update",
        topic.key,
        "update",
        messages,
        after=first.block_id,
        is_required=True,
        group_id=group_id,
        preference=liked.name,
    )


def _write_forget(desk: _Desk, topic: Topic, group_id: str, liked: Alternative) -> None:
    first = desk.own(f"{group_id}.own", topic, liked, is_required=True, group_id=group_id)
    messages = Writer(desk.persona, desk.rng(f"{group_id}.forget")).forget(liked)
    desk.add(
        f"{group_id}.forget",
        topic.key,
        "forget",
        messages,
        after=first.block_id,
        is_adjacent=True,
        is_required=True,
        group_id=group_id,
        preference=liked.name,
    )


def _write_twin_topic(desk: _Desk, assignment: Assignment, persona: SimPersona) -> None:
    """Write a topic on which the first owner and one twin differ; the quad's fourth owner has no part in it."""
    if persona.member == QUAD - 1:
        return
    topic, group_id = assignment.topic, assignment.group_id
    kind = group_id.rpartition(".")[2]
    liked = topic.alternatives[assignment.liked[persona.member]]
    block = desk.own(f"{group_id}.own", topic, liked, is_required=True, group_id=group_id)
    if persona.twin_kind == "friend" == kind:
        desk.blocks.pop()
        marks = {"is_required": True, "group_id": group_id, "fill_tokens": block.tokens}
        desk.other(f"{group_id}.own", topic, liked, "evidence", **marks)
        return
    if persona.twin_kind != kind:
        return
    writer = Writer(persona, desk.rng(f"{group_id}.change"))
    if kind == "forget":
        messages = writer.forget(liked)
    else:
        liked = topic.alternatives[assignment.liked[assignment.special]]
        messages = writer.update(topic.alternatives[assignment.liked[0]], liked)
    whole = block.messages + messages
    role: BlockRole = "forget" if kind == "forget" else "update"
    desk.blocks[-1] = replace(
        block,
        messages=whole,
        tokens=count_tokens(whole),
        fill_tokens=block.tokens,
        preference=liked.name,
        role=role,
    )


def _write_filler(desk: _Desk, topic: Topic, place: int) -> None:
    liked = topic.alternatives[place]
    rng = desk.rng(f"filler.{topic.key}?")
    if rng.random() < desk.config.trap_share:
        desk.other(f"filler.{topic.key}", topic, liked, "filler")
    else:
        desk.own(f"filler.{topic.key}", topic, liked, role="filler")
