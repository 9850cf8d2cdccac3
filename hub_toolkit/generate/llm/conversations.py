"""Stage 5: the conversations of every set, with updates, requests to forget, friends and invented persons."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from hub_toolkit.generate.config import QUAD
from hub_toolkit.generate.conversations import SCENARIOS, count_tokens
from hub_toolkit.generate.llm.asking import Desk, NoReply, Prompt, all_of
from hub_toolkit.generate.llm.curation import worst
from hub_toolkit.generate.llm.people import describe
from hub_toolkit.generate.llm.photos import Photo, caption_photo, draw_photo
from hub_toolkit.generate.llm.preferences import plan_set
from hub_toolkit.generate.llm.records import PreferenceSet, Rejection, Secret, SetPlan, Told
from hub_toolkit.generate.llm.shapes import ConversationReply, ExchangesReply, Fault, OppositeReply
from hub_toolkit.generate.llm.tally import Tally
from hub_toolkit.generate.llm.text_checks import holds_secret, is_stated
from hub_toolkit.generate.records import Block, BlockRole, SimPersona
from hub_toolkit.generate.seeding import rng_for
from hub_toolkit.prompts.render import load_prompt
from hub_toolkit.types import Message

_SCENARIO_OF_KIND = {"therapy": "trouble_consult"}
_FOLLOWUPS = "The last ones are follow-ups: the user comes back to the same task."
_VERDICTS = ("self", "others", "stated", "missing")
_PASSING = {
    "evidence": ("self",),
    "update": ("self",),
    "others": ("others",),
    "trap": ("others",),
    "forget": ("self", "stated"),
}


@dataclass(frozen=True)
class Order:
    """One conversation to be written. `expects` names what the check of it must say, by `_PASSING`."""

    name: str
    topic: str
    person: SimPersona
    situation: str
    scenario: str
    role: BlockRole
    preference: str
    expects: str
    secret: str | None = None
    photo: Photo | None = None


async def tell_all(desk: Desk, sets: Sequence[PreferenceSet], people: Sequence[SimPersona], tally: Tally) -> list[Told]:
    """Return the blocks of every set that is whole."""
    tally.enter("sets", len(sets))
    by_member = {person.member: person for person in people}
    parts = await all_of(_tell_set(desk, each, by_member, tally) for each in sets)
    return [told for part in parts for told in part]


async def tell_secrets(desk: Desk, secrets: Sequence[Secret], people: Sequence[SimPersona], tally: Tally) -> list[Told]:
    """Return the conversations into which the secrets slip."""
    by_member = {person.member: person for person in people}

    async def tell(secret: Secret) -> list[Told]:
        tally.enter("sets")
        situation = load_prompt("generate_situation_secret").render(label=secret.label, value=secret.value)
        order = Order(
            secret.set_id,
            "personal data",
            by_member[secret.member],
            situation,
            "professional_email",
            "secret",
            "",
            "",
            secret.value,
        )
        messages = await _write(desk, order, tally)
        if messages is None:
            tally.reject(Rejection("sets", "incomplete", secret.set_id))
            return []
        return [Told(secret.set_id, 0, _block(order, messages, secret.set_id), secret.value)]

    return [told for part in await all_of(tell(secret) for secret in secrets) for told in part]


async def _tell_set(desk: Desk, each: PreferenceSet, by_member: dict[int, SimPersona], tally: Tally) -> list[Told]:
    plan = plan_set(desk.config, each)
    places = range(len(each.members) - (plan.twin is not None))
    parts = await all_of(_tell_place(desk, each, plan, place, by_member, tally) for place in places)
    told = [block for part in parts if part is not None for block in part]
    if plan.twin is not None and parts[0] is not None:
        changed = await _tell_twin(desk, each, plan, by_member[each.members[0]], parts[0], tally)
        parts.append(None if changed is None else [changed])
        told += [changed] if changed is not None else []
    if any(part is None for part in parts):
        tally.reject(Rejection("sets", "incomplete", each.set_id))
        return []
    return told


async def _tell_place(
    desk: Desk, each: PreferenceSet, plan: SetPlan, place: int, by_member: dict[int, SimPersona], tally: Tally
) -> list[Told] | None:
    """Return the blocks of one owner; None where one of them could not be written."""
    person = by_member[each.members[place]]
    rng = rng_for(desk.config.seed, "place", each.set_id, place)
    is_special = place == plan.special and plan.twin is None
    own = each.texts[place]
    writer = _Writer(desk, each, place, person, rng, tally)
    if is_special and plan.kind == "others":
        told = await writer.friend(each.texts[plan.source])
    elif is_special and plan.kind == "forget":
        told = await writer.forget(each.texts[plan.source])
    elif plan.kind == "update" and plan.twin is None:
        told = await writer.update(own, each.texts[(place + 1) % len(each.texts)])
    else:
        told = await writer.own(own, may_repeat=plan.twin is None)
    others = [text for text in each.texts if text not in {block.shown for block in told or ()}]
    if told and others and rng.random() < desk.config.shares.hypothetical:
        trap = await writer.hypothetical(rng.choice(others))
        return told + trap if trap is not None else None
    return told


@dataclass
class _Writer:
    """Writes the blocks of one owner of a set."""

    desk: Desk
    each: PreferenceSet
    place: int
    person: SimPersona
    rng: random.Random
    tally: Tally

    async def own(self, text: str, *, may_repeat: bool = True) -> list[Told] | None:
        shares = self.desk.config.shares
        if may_repeat and self.each.kind not in _SCENARIO_OF_KIND and self.rng.random() < shares.repeated:
            return await self._repeated(text, self.rng.randint(1, 6))
        photo = draw_photo(self.desk.config, self.rng)
        scenario = _SCENARIO_OF_KIND.get(self.each.kind) or self.rng.choice(SCENARIOS)
        situation = load_prompt("generate_situation_self").render(preference=text)
        if photo is not None:
            scenario = "photo_query"
            situation = load_prompt("generate_situation_photo").render(caption=photo.caption, preference=text)
        order = self._order("own", situation, scenario, "evidence", text)
        return await self._told(replace(order, photo=photo), text)

    async def friend(self, text: str) -> list[Told] | None:
        situation = load_prompt("generate_situation_others").render(preference=text)
        order = self._order("friend", situation, self._scenario(), "evidence", text)
        return await self._told(replace(order, expects="others"), text, who="others")

    async def hypothetical(self, text: str) -> list[Told] | None:
        situation = load_prompt("generate_situation_hypothetical").render(preference=text)
        order = self._order("trap", situation, "creative_writing", "trap", text)
        return await self._told(replace(order, expects="trap"), text, who="others")

    async def forget(self, text: str) -> list[Told] | None:
        told = await self.own(text, may_repeat=False)
        if told is None:
            return None
        messages = await self.forget_request(text)
        if messages is None:
            return None
        order = self._order("forget", "", "chat_message", "forget", text)
        block = _block(order, messages, self.each.set_id)
        after = told[-1].block.block_id
        return [*told, self._tell(replace(block, after=after, is_adjacent=True), text)]

    async def forget_request(self, text: str) -> tuple[Message, ...] | None:
        asked = load_prompt("generate_forget").render(
            person=describe(self.person), preference=text, language=self.desk.config.language
        )
        order = self._order("forget", "", "chat_message", "forget", text)
        return await _write(self.desk, replace(order, expects="forget"), self.tally, (asked, "generate_forget", 2))

    async def update(self, own: str, other: str) -> list[Told] | None:
        """Swap: the next owner's preference comes first. Upstream: the own one comes first, then its opposite."""
        old, new = other, own
        if len(self.each.members) == 1:
            opposite = await self._opposite(own)
            if opposite is None:
                return None
            old, new = own, opposite
        situation = load_prompt("generate_situation_self").render(preference=old)
        first = await self._told(self._order("old", situation, self._scenario(), "evidence", old), old)
        situation = load_prompt("generate_situation_update").render(old=old, preference=new)
        order = self._order("update", situation, self._scenario(), "update", new)
        second = await self._told(replace(order, expects="update"), new)
        if first is None or second is None:
            return None
        later = replace(second[0], block=replace(second[0].block, after=first[0].block.block_id), old=old)
        return [first[0], later]

    async def _opposite(self, text: str) -> str | None:
        asked = load_prompt("generate_opposite").render(
            preference=text, topic=self.each.topic, language=self.desk.config.language
        )
        self.tally.enter("conversations")
        name = f"{self.each.set_id}.{self.place}.opposite"
        try:
            reply = await self.desk.ask(Prompt(f"opposite:{name}", "generate_opposite", asked), OppositeReply)
        except NoReply as failed:
            self.tally.reject(Rejection("conversations", failed.reason, name, detail=failed.detail))
            return None
        return reply.preference

    async def _repeated(self, text: str, num: int) -> list[Told] | None:
        """Write questions that come back to one matter, each a block of its own."""
        asked = load_prompt("generate_knowledge").render(
            person=describe(self.person), preference=text, num=str(num), language=self.desk.config.language
        )
        order = self._order("ask", "", "knowledge_query", "evidence", text)
        messages = await _write(self.desk, order, self.tally, (asked, "generate_knowledge", 2 * num))
        if messages is None:
            return None
        pairs = [messages[start : start + 2] for start in range(0, len(messages), 2)]
        blocks = [_block(replace(order, name=f"{order.name}{n}"), p, self.each.set_id) for n, p in enumerate(pairs)]
        return [self._tell(block, text) for block in blocks]

    def _scenario(self) -> str:
        return self.rng.choice(SCENARIOS)

    def _order(self, part: str, situation: str, scenario: str, role: BlockRole, text: str) -> Order:
        name = f"{self.each.set_id}.{self.place}.{part}"
        return Order(name, self.each.topic, self.person, situation, scenario, role, text, "evidence")

    def _tell(self, block: Block, text: str) -> Told:
        return Told(self.each.set_id, self.place, block, text)

    async def _told(self, order: Order, text: str, *, who: str = "self") -> list[Told] | None:
        messages = await _write(self.desk, order, self.tally)
        if messages is None:
            return None
        block = _block(order, messages, self.each.set_id)
        told = self._tell(replace(block, who="others") if who == "others" else block, text)
        return [replace(told, image=order.photo.path) if order.photo else told]


async def _tell_twin(
    desk: Desk, each: PreferenceSet, plan: SetPlan, person: SimPersona, first: list[Told], tally: Tally
) -> Told | None:
    """Return the one block of the twin that differs from its original's."""
    base = first[0].block
    writer = _Writer(desk, each, QUAD - 1, person, rng_for(desk.config.seed, "place", each.set_id, "twin"), tally)
    if plan.kind == "others":
        friend = await writer.friend(each.texts[0])
        if friend is None:
            return None
        block = replace(friend[0].block, block_id=base.block_id, fill_tokens=base.tokens)
        return Told(each.set_id, QUAD - 1, block, each.texts[0])
    shown, old = (each.texts[QUAD - 1], each.texts[0]) if plan.kind == "update" else (each.texts[0], None)
    messages = None
    if plan.kind == "update":
        situation = load_prompt("generate_situation_update").render(old=each.texts[0], preference=shown)
        name = f"{each.set_id}.{QUAD - 1}.update"
        order = Order(name, each.topic, person, situation, base.scenario, "update", shown, "update")
        messages = await _write(desk, order, tally)
    else:
        messages = await writer.forget_request(each.texts[0])
    if messages is None:
        return None
    whole = base.messages + messages
    role: BlockRole = "update" if plan.kind == "update" else "forget"
    changed = replace(base, messages=whole, tokens=count_tokens(whole), fill_tokens=base.tokens, role=role)
    return Told(each.set_id, QUAD - 1, replace(changed, preference=shown), shown, old, first[0].image)


async def _write(
    desk: Desk, order: Order, tally: Tally, asked: tuple[str, str, int] | None = None
) -> tuple[Message, ...] | None:
    """Return a conversation that shows what it should; None where no attempt did. `asked`: text, template, messages."""
    for attempt in range(desk.config.replies.attempts):
        tally.enter("conversations")
        text, template, num = asked or _ask_for(desk, order)
        try:
            written = await _compose(desk, order, Prompt(f"{template}:{order.name}:{attempt}", template, text), num)
        except NoReply as failed:
            tally.reject(Rejection("conversations", failed.reason, order.name, attempt, failed.detail))
            return None
        messages = caption_photo(written, order.photo)
        reason = await _find_unshown(desk, order, messages, attempt)
        if reason is None:
            return messages
        tally.reject(
            Rejection("conversations", reason, order.name, attempt, order.preference, render_messages(messages))
        )
    return None


def _ask_for(desk: Desk, order: Order) -> tuple[str, str, int]:
    config = desk.config
    rng = rng_for(config.seed, "turns", order.name)
    num, has_followups = rng.randint(1, 3), rng.random() < config.shares.followup
    num += rng.randint(1, 2) if has_followups else 0
    scenario = load_prompt("generate_scenario").render(
        name=order.scenario,
        languages=f"into {rng.choice(config.languages)}" if order.scenario == "translation" else "as follows",
    )
    text = load_prompt("generate_conversation").render(
        person=describe(order.person),
        situation=order.situation,
        scenario=scenario,
        num_exchanges=str(num),
        num_messages=str(2 * num),
        followups=_FOLLOWUPS if has_followups else "",
        language=config.language,
    )
    return text, "generate_conversation", 2 * num


async def _compose(desk: Desk, order: Order, prompt: Prompt, num: int) -> tuple[Message, ...]:
    def check_messages(reply: ConversationReply) -> None:
        roles = [message.role for message in reply.messages]
        if len(roles) != num:
            raise Fault("wrong_count", f'"messages" must hold {num} messages')
        if roles != ["user", "assistant"] * (num // 2):
            raise Fault("wrong_roles", "user and assistant must take turns, the user first")
        _check_texts(desk, order, [message.content for message in reply.messages if message.role == "user"])

    def check_exchanges(reply: ExchangesReply) -> None:
        if len(reply.exchanges) != num // 2:
            raise Fault("wrong_count", f'"exchanges" must hold {num // 2} entries')
        _check_texts(desk, order, [each.question for each in reply.exchanges])

    if prompt.name != "generate_knowledge":
        reply = await desk.ask(prompt, ConversationReply, check_messages)
        return tuple(Message(message.role, message.content) for message in reply.messages)
    several = await desk.ask(prompt, ExchangesReply, check_exchanges)
    pairs = ((Message("user", each.question), Message("assistant", each.answer)) for each in several.exchanges)
    return tuple(message for pair in pairs for message in pair)


def _check_texts(desk: Desk, order: Order, texts: Sequence[str]) -> None:
    if order.secret is not None:
        if desk.config.is_on("secret") and not any(holds_secret(text, order.secret) for text in texts):
            raise Fault("secret_missing", "the user must write the personal data out, word for word")
    elif order.role != "forget" and desk.config.is_on("shown") and is_stated(order.preference, texts):
        raise Fault("stated", "the user must not state the preference; it shows through details")


async def _find_unshown(desk: Desk, order: Order, messages: Sequence[Message], attempt: int) -> str | None:
    """Return why a conversation does not show what it should, None where enough votes say that it does."""
    if order.secret is not None or not desk.config.is_on("shown"):
        return None
    asked = load_prompt("generate_shown").render(conversation=render_messages(messages), preference=order.preference)
    prompts = [
        Prompt(f"shown:{order.name}:{attempt}:{vote}", "generate_shown", asked) for vote in range(desk.config.votes.num)
    ]
    passing = _PASSING[order.expects]
    verdicts = ["passed" if verdict in passing else verdict for verdict in await desk.vote(prompts, _VERDICTS)]
    if desk.reaches_quorum(verdicts, "passed"):
        return None
    failing = {"self": "shown_as_own", "others": "shown_as_others", "stated": "stated", "missing": "not_shown"}
    found = worst(verdicts, [verdict for verdict in _VERDICTS if verdict not in passing])
    return failing.get(found, found)


def render_messages(messages: Sequence[Message]) -> str:
    """Return messages as prompts show them."""
    return "\n".join(f"{message.role.upper()}: {message.text}" for message in messages)


def _block(order: Order, messages: Sequence[Message], set_id: str) -> Block:
    whole = tuple(messages)
    return Block(
        order.name,
        order.topic,
        order.scenario,
        "self",
        order.role,
        whole,
        count_tokens(whole),
        is_required=True,
        group_id=set_id,
        preference=order.preference,
    )
