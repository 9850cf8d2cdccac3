"""A question with all that its filters look at: who owns it, what each of them showed, what the gold means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hub_toolkit.generate.llm.config import LlmConfig
from hub_toolkit.generate.llm.conversations import render_messages
from hub_toolkit.generate.llm.preferences import plan_set
from hub_toolkit.generate.llm.records import GoldKind, PreferenceSet, Secret, Told
from hub_toolkit.generate.records import SimPersona

NO_PREFERENCE = "(none)"


@dataclass(frozen=True)
class Case:
    """What a question is written and judged from; everything by place is in the order of the owners.

    `lines`: what the answers of a swap group are fitted to, `NO_PREFERENCE` for the generic one.
    """

    set_id: str
    topic: str
    need: str
    lines: tuple[str, ...]
    evidence: tuple[str, ...]
    rubrics: tuple[GoldKind, ...]
    person: SimPersona
    is_swap: bool = True
    secret: Secret | None = None

    @property
    def generic(self) -> int | None:
        """The place of the owner whom the generic answer fits."""
        return self.lines.index(NO_PREFERENCE) if NO_PREFERENCE in self.lines else None

    @property
    def preferences(self) -> tuple[str, ...]:
        """The lines that name a preference."""
        return tuple(line for line in self.lines if line != NO_PREFERENCE)


def make_cases(
    config: LlmConfig,
    sets: Sequence[PreferenceSet],
    secrets: Sequence[Secret],
    people: Sequence[SimPersona],
    told: Sequence[Told],
) -> list[Case]:
    """Return a case for every set and secret whose conversations were written."""
    by_set: dict[str, list[Told]] = {}
    for each in told:
        by_set.setdefault(each.set_id, []).append(each)
    by_member = {person.member: person for person in people}
    cases = [
        _case(config, each, by_set[each.set_id], by_member[each.members[0]]) for each in sets if each.set_id in by_set
    ]
    return cases + [
        _secret_case(secret, by_set[secret.set_id], by_member) for secret in secrets if secret.set_id in by_set
    ]


def _case(config: LlmConfig, each: PreferenceSet, told: Sequence[Told], person: SimPersona) -> Case:
    plan = plan_set(config, each)
    rubrics: list[GoldKind] = ["self"] * len(each.members)
    lines = list(each.texts)
    if plan.kind in ("forget", "others"):
        rubrics[plan.special] = "forget" if plan.kind == "forget" else "others"
        if len(lines) > 1:
            lines[plan.special] = NO_PREFERENCE
    elif plan.kind == "update" and len(lines) == 1:
        lines = [told[-1].shown if told[-1].old is not None else next(t.shown for t in told if t.old is not None)]
    evidence = tuple(_evidence(told, place) for place in range(len(each.members)))
    is_swap = len(each.members) > 1
    return Case(each.set_id, each.topic, each.need, tuple(lines), evidence, tuple(rubrics), person, is_swap)


def _secret_case(secret: Secret, told: Sequence[Told], by_member: Mapping[int, SimPersona]) -> Case:
    evidence = (_evidence(told, 0),)
    lines = (f"{secret.label}: {secret.value}",)
    person = by_member[secret.member]
    return Case(secret.set_id, "personal data", secret.label, lines, evidence, ("sensitive",), person, False, secret)


def _evidence(told: Sequence[Told], place: int) -> str:
    """Return an owner's conversations on the topic, invented persons' included: a reader meets those too."""
    mine = [each.block for each in told if each.place == place]
    return "\n\n".join(render_messages(block.messages) for block in mine)
