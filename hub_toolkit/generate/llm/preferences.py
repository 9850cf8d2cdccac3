"""Stage 2: preferences by topic, for all owners of a set at once, and what each member will let slip."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache

from hub_toolkit.generate.config import QUAD
from hub_toolkit.generate.llm.asking import Desk, NoReply, Prompt, all_of
from hub_toolkit.generate.llm.config import LlmConfig
from hub_toolkit.generate.llm.people import describe, load_lines
from hub_toolkit.generate.llm.records import PREF_KINDS, PreferenceSet, PrefKind, Rejection, Secret, SetPlan
from hub_toolkit.generate.llm.shapes import Fault, SecretsReply, TopicsReply
from hub_toolkit.generate.llm.tally import Tally
from hub_toolkit.generate.records import TWIN_KINDS, GroupKind, SimPersona, TwinKind
from hub_toolkit.generate.seeding import rng_for
from hub_toolkit.generate.topics import load_topics
from hub_toolkit.prompts.render import load_prompt

MIN_SECRET_CHARS = 4
"""Letters and digits below which a secret cannot be told from other text."""
_FAMILY: dict[str, str] = {"therapy": "worries", "medical": "health"}
"""The families of topics that belong to one kind alone."""


@dataclass(frozen=True)
class SetSlot:
    """A set to be written: its id, its kind and topic, and who owns it."""

    set_id: str
    kind: PrefKind
    topic: str
    members: tuple[int, ...]


@lru_cache(maxsize=4)
def _topics(path: str | None) -> dict[str, tuple[str, ...]]:
    """Return the topics' names by family; those of a file belong to every kind."""
    if path is not None:
        return {"": load_lines(path)}
    families: dict[str, list[str]] = {}
    for topic in load_topics():
        family = topic.family if topic.family in _FAMILY.values() else ""
        families.setdefault(family, []).append(topic.key)
    return {family: tuple(keys) for family, keys in families.items()}


def slots_of(config: LlmConfig, quad: int) -> list[SetSlot]:
    """Return the sets of a quad with their topics, drawn from the seed; a topic comes again when all were used."""
    owners = [tuple(range(QUAD))] if config.questions == "swap" else [(member,) for member in range(QUAD)]
    counts = asdict(config.preferences)
    slots = []
    for members in owners:
        rng = rng_for(config.seed, "topics", quad, members)
        place = "" if len(members) > 1 else f".m{members[0]}"
        pools: dict[str, list[str]] = {}
        for kind in PREF_KINDS:
            for number in range(counts[kind]):
                topic = _draw_topic(config, rng, pools, kind)
                slots.append(SetSlot(f"q{quad:05}{place}.{kind}.{number:02}", kind, topic, members))
    return slots


def _draw_topic(config: LlmConfig, rng: random.Random, pools: dict[str, list[str]], kind: str) -> str:
    families = _topics(config.topics)
    family = _FAMILY.get(kind, "")
    family = family if family in families else ""
    if not pools.get(family):
        pools[family] = rng.sample(families[family], len(families[family]))
    return pools[family].pop()


def plan_set(config: LlmConfig, slot: SetSlot | PreferenceSet) -> SetPlan:
    """Draw what happens to a set (PROTOCOL §5); the seed and the set's id alone decide."""
    rng = rng_for(config.seed, "plan", slot.set_id)
    special = rng.randrange(len(slot.members))
    source = rng.choice([place for place in range(len(slot.members)) if place != special] or [special])
    twin = _twins(config, int(slot.set_id[1:6])).get(slot.set_id)
    if twin is not None:
        kinds: dict[str, GroupKind] = {"forget": "forget", "friend": "others", "update": "update"}
        return SetPlan(kinds[twin], QUAD - 1, 0, twin)
    return SetPlan(_draw_kind(config, rng, slot.kind), special, source)


def _draw_kind(config: LlmConfig, rng: random.Random, kind: PrefKind) -> GroupKind:
    shares = config.shares
    if rng.random() < shares.others:
        return "others"
    if rng.random() < shares.forget:
        return "forget"
    if rng.random() < shares.update and kind != "therapy":
        return "update"
    return "plain"


@lru_cache(maxsize=64)
def _twins(config: LlmConfig, quad: int) -> dict[str, TwinKind]:
    """Return the sets on which a twin of the quad's first owner differs from it."""
    if config.questions != "swap" or not config.twin_every or quad % config.twin_every:
        return {}
    ids = [slot.set_id for slot in slots_of(config, quad) if slot.kind != "therapy"]
    chosen = rng_for(config.seed, "twins", quad).sample(ids, min(len(ids), len(TWIN_KINDS)))
    return dict(zip(chosen, TWIN_KINDS, strict=False))


async def write_sets(desk: Desk, quad: int, people: Sequence[SimPersona], tally: Tally) -> list[PreferenceSet]:
    """Return the sets that could be written, kind by kind; a batch sees what the batches before it wrote."""
    slots = slots_of(desk.config, quad)
    owners = sorted({slot.members for slot in slots})
    by_member = {person.member: person for person in people}
    present = [members for members in owners if set(members) <= by_member.keys()]
    parts = await all_of(
        _write_owners(desk, [by_member[m] for m in members], [s for s in slots if s.members == members], tally)
        for members in present
    )
    return [each for part in parts for each in part]


async def _write_owners(
    desk: Desk, people: list[SimPersona], slots: list[SetSlot], tally: Tally
) -> list[PreferenceSet]:
    written: list[PreferenceSet] = []
    for kind in PREF_KINDS:
        mine = [slot for slot in slots if slot.kind == kind]
        for start in range(0, len(mine), desk.config.batch):
            batch = mine[start : start + desk.config.batch]
            tally.enter("preferences", len(batch))
            try:
                written += await _write_batch(desk, people, batch, written)
            except NoReply as failed:
                for slot in batch:
                    tally.reject(Rejection("preferences", failed.reason, slot.set_id, detail=failed.detail))
    return written


async def _write_batch(
    desk: Desk, people: list[SimPersona], batch: list[SetSlot], known: list[PreferenceSet]
) -> list[PreferenceSet]:
    num = len(people)

    def check(reply: TopicsReply) -> None:
        if [topic.topic for topic in reply.topics] != [slot.topic for slot in batch]:
            raise Fault("wrong_count", f"it must hold the {len(batch)} topics, each once, in the order given")
        wrong = [topic.topic for topic in reply.topics if len(topic.preferences) != num]
        if wrong:
            raise Fault("wrong_count", f"{wrong[0]!r} must have {num} preferences")

    shown = {
        person.name: [each.texts[each.members.index(person.member)] for each in known if person.member in each.members]
        for person in people
    }
    text = load_prompt("generate_preferences").render(
        people="\n".join(describe(person, is_whole=True) for person in people),
        topics=json.dumps([slot.topic for slot in batch], ensure_ascii=False),
        known=json.dumps(shown, ensure_ascii=False),
        num_topics=str(len(batch)),
        num_people=str(num),
        kind=_KIND_TEXTS[batch[0].kind](),
        language=desk.config.language,
    )
    reply = await desk.ask(Prompt(f"preferences:{batch[0].set_id}", "generate_preferences", text), TopicsReply, check)
    return [
        PreferenceSet(slot.set_id, slot.kind, slot.topic, topic.need, slot.members, tuple(topic.preferences))
        for slot, topic in zip(batch, reply.topics, strict=True)
    ]


_KIND_TEXTS = {
    "stereotypical": lambda: load_prompt("generate_kind_stereotypical").render(),
    "anti_stereotypical": lambda: load_prompt("generate_kind_anti_stereotypical").render(),
    "neutral": lambda: load_prompt("generate_kind_neutral").render(),
    "therapy": lambda: load_prompt("generate_kind_therapy").render(),
    "medical": lambda: load_prompt("generate_kind_medical").render(),
}


async def write_secrets(desk: Desk, people: Sequence[SimPersona], tally: Tally) -> list[Secret]:
    """Return what the members will let slip."""
    parts = await all_of(_write_secrets(desk, person, tally) for person in people)
    return [secret for part in parts for secret in part]


async def _write_secrets(desk: Desk, person: SimPersona, tally: Tally) -> list[Secret]:
    num = desk.config.preferences.sensitive
    if not num:
        return []
    tally.enter("preferences", num)
    name = f"q{person.quad:05}.m{person.member}.sensitive"

    def check(reply: SecretsReply) -> None:
        if len(reply.secrets) != num or len({secret.value for secret in reply.secrets}) != num:
            raise Fault("wrong_count", f'"secrets" must hold {num} different entries')
        if any(sum(char.isalnum() for char in secret.value) < MIN_SECRET_CHARS for secret in reply.secrets):
            raise Fault("bad_secret", f'every "value" must have {MIN_SECRET_CHARS} letters or digits')

    text = load_prompt("generate_secrets").render(person=describe(person), num=str(num), language=desk.config.language)
    try:
        reply = await desk.ask(Prompt(f"secrets:{name}", "generate_secrets", text), SecretsReply, check)
    except NoReply as failed:
        for number in range(num):
            tally.reject(Rejection("preferences", failed.reason, f"{name}.{number:02}", detail=failed.detail))
        return []
    return [
        Secret(f"{name}.{number:02}", person.member, secret.label, secret.value)
        for number, secret in enumerate(reply.secrets)
    ]
