"""Stages 3 and 4: preferences that repeat or contradict each other go, and so do those that miss their kind."""

from __future__ import annotations

from collections.abc import Sequence

from hub_toolkit.generate.llm.asking import Desk, NoReply, Prompt, all_of
from hub_toolkit.generate.llm.near_duplicates import Rarity
from hub_toolkit.generate.llm.people import describe
from hub_toolkit.generate.llm.records import PreferenceSet, Rejection
from hub_toolkit.generate.llm.shapes import InferReply
from hub_toolkit.generate.llm.tally import Tally
from hub_toolkit.generate.records import SimPersona
from hub_toolkit.prompts.render import load_prompt

COPY_SHARE = 0.8
"""Weight of shared stems by that of all stems, from which two preferences are the same."""
_WANTED = {"stereotypical": "close", "anti_stereotypical": "against"}


async def drop_contradictions(desk: Desk, sets: Sequence[PreferenceSet], tally: Tally) -> list[PreferenceSet]:
    """Return the sets in which nobody's preference repeats or contradicts one of that person's before it.

    What is compared with is all that was written before, kept or not: so no set waits for another.
    """
    tally.enter("contradiction", len(sets))
    rarity = Rarity(text for each in sets for text in each.texts)
    reasons = await all_of(_find_contradiction(desk, each, sets[:number], rarity) for number, each in enumerate(sets))
    return _keep(sets, reasons, "contradiction", tally)


async def check_stereotypes(
    desk: Desk, sets: Sequence[PreferenceSet], people: Sequence[SimPersona], tally: Tally
) -> list[PreferenceSet]:
    """Return the sets whose preferences, seen alone, point at their owner, or away from them, as their kind says."""
    tally.enter("stereotype", len(sets))
    by_member = {person.member: person for person in people}
    reasons = await all_of(_find_wrong_stereotype(desk, each, by_member) for each in sets)
    return _keep(sets, reasons, "stereotype", tally)


def _keep(
    sets: Sequence[PreferenceSet], reasons: Sequence[tuple[str, str] | None], stage: str, tally: Tally
) -> list[PreferenceSet]:
    kept = []
    for each, reason in zip(sets, reasons, strict=True):
        if reason is None:
            kept.append(each)
        else:
            tally.reject(Rejection(stage, reason[0], each.set_id, detail=reason[1], text="\n".join(each.texts)))
    return kept


async def _find_contradiction(
    desk: Desk, new: PreferenceSet, before: Sequence[PreferenceSet], rarity: Rarity
) -> tuple[str, str] | None:
    if desk.config.is_on("duplicate"):
        for place, text in enumerate(new.texts):
            known = [*_texts_of(before, new.members[place]), *new.texts[:place]]
            copy = next((other for other in known if rarity.likeness(text, other) >= COPY_SHARE), None)
            if copy is not None:
                return "copy", f"{text} | {copy}"
    if not desk.config.is_on("contradiction"):
        return None
    found = await all_of(
        _vote_contradiction(desk, new, place, _texts_of(before, member)) for place, member in enumerate(new.members)
    )
    return next((reason for reason in found if reason is not None), None)


def _texts_of(sets: Sequence[PreferenceSet], member: int) -> list[str]:
    return [each.texts[each.members.index(member)] for each in sets if member in each.members]


async def _vote_contradiction(
    desk: Desk, new: PreferenceSet, place: int, known: Sequence[str]
) -> tuple[str, str] | None:
    if not known:
        return None
    text = new.texts[place]
    asked = load_prompt("generate_contradiction").render(known="\n".join(f"- {each}" for each in known), new=text)
    prompts = [
        Prompt(f"contradiction:{new.set_id}:{place}:{vote}", "generate_contradiction", asked)
        for vote in range(desk.config.votes.num)
    ]
    verdicts = await desk.vote(prompts, ("contradicts", "repeats", "fits"))
    if desk.reaches_quorum(verdicts, "fits"):
        return None
    return worst(verdicts, ("contradicts", "repeats")), text


def worst(verdicts: Sequence[str | None], bad: Sequence[str]) -> str:
    """Return which of the bad verdicts came most; `no_majority` where votes could not be read instead."""
    most = max(bad, key=verdicts.count)
    return most if verdicts.count(most) > verdicts.count(None) else "no_majority"


async def _find_wrong_stereotype(
    desk: Desk, each: PreferenceSet, by_member: dict[int, SimPersona]
) -> tuple[str, str] | None:
    wanted = _WANTED.get(each.kind)
    if wanted is None or not desk.config.is_on("stereotype"):
        return None
    found = await all_of(
        _vote_stereotype(desk, f"{each.set_id}:{place}", text, by_member[each.members[place]], wanted)
        for place, text in enumerate(each.texts)
    )
    return next((reason for reason in found if reason is not None), None)


async def _vote_stereotype(desk: Desk, name: str, text: str, person: SimPersona, wanted: str) -> tuple[str, str] | None:
    """Isolate the preference, have its owner guessed, and compare; a guess a vote."""
    verdicts = await all_of(_guess(desk, f"{name}:{vote}", text, person) for vote in range(desk.config.votes.num))
    if desk.reaches_quorum(verdicts, wanted):
        return None
    return worst(verdicts, [v for v in ("close", "against", "unrelated") if v != wanted]), text


async def _guess(desk: Desk, name: str, text: str, person: SimPersona) -> str | None:
    asked = load_prompt("generate_infer").render(preference=text)
    try:
        guess = await desk.ask(Prompt(f"infer:{name}", "generate_infer", asked), InferReply, attempts=1)
    except NoReply:
        return None
    compared = load_prompt("generate_compare").render(guess=guess.person, person=describe(person, is_whole=True))
    verdicts = await desk.vote([Prompt(f"compare:{name}", "generate_compare", compared)], _COMPARED)
    return verdicts[0]


_COMPARED = ("close", "against", "unrelated")
