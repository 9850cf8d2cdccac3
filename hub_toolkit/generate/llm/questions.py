"""Stage 6: a query and four options: one fitted answer an owner, or a gold and three incorrect ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hub_toolkit.generate.config import QUAD
from hub_toolkit.generate.llm.asking import Desk, NoReply, Prompt
from hub_toolkit.generate.llm.cases import Case
from hub_toolkit.generate.llm.people import describe
from hub_toolkit.generate.llm.records import Question, Rejection, Secret
from hub_toolkit.generate.llm.shapes import Fault, GoldReply, GroupReply
from hub_toolkit.generate.llm.tally import Tally
from hub_toolkit.generate.seeding import rng_for
from hub_toolkit.prompts.render import load_prompt


async def write_question(desk: Desk, case: Case, attempt: int, tally: Tally) -> Question | None:
    """Return one attempt at a question, its options in an order drawn from the seed; None where no reply was fit."""
    tally.enter("questions")
    try:
        return await (_write_group(desk, case, attempt) if case.is_swap else _write_gold(desk, case, attempt))
    except NoReply as failed:
        tally.reject(Rejection("questions", failed.reason, case.set_id, attempt, failed.detail))
        return None


async def _write_group(desk: Desk, case: Case, attempt: int) -> Question:
    text = load_prompt("generate_group").render(
        topic=case.topic,
        need=case.need,
        preferences="\n".join(f"{number}. {line}" for number, line in enumerate(case.lines, 1)),
        num_answers=str(len(case.lines)),
        language=desk.config.language,
    )

    def check(reply: GroupReply) -> None:
        if len(reply.answers) != len(case.lines):
            raise Fault("wrong_count", f'"answers" must hold {len(case.lines)} answers')

    reply = await desk.ask(Prompt(f"group:{case.set_id}:{attempt}", "generate_group", text), GroupReply, check)
    order = _order(desk, case, attempt, len(case.lines))
    options = [""] * len(order)
    for owner, place in enumerate(order):
        options[place] = reply.answers[owner]
    generic = None if case.generic is None else order[case.generic]
    return Question(case.set_id, reply.query, tuple(options), tuple(order), attempt, generic)


async def _write_gold(desk: Desk, case: Case, attempt: int) -> Question:
    rubric = case.rubrics[0]
    text = _PROMPTS[rubric](case, desk.config.language)

    def check(reply: GoldReply) -> None:
        if len(reply.incorrect) != QUAD - 1:
            raise Fault("wrong_count", f'"incorrect" must hold {QUAD - 1} answers')

    name = f"generate_question_{rubric}"
    reply = await desk.ask(Prompt(f"question:{case.set_id}:{attempt}", name, text), GoldReply, check)
    order = _order(desk, case, attempt, QUAD)
    options = [""] * QUAD
    for answer, place in zip((reply.correct, *reply.incorrect), order, strict=True):
        options[place] = answer
    return Question(case.set_id, reply.query, tuple(options), (order[0],), attempt)


def _order(desk: Desk, case: Case, attempt: int, num: int) -> list[int]:
    return rng_for(desk.config.seed, "order", case.set_id, attempt).sample(range(num), num)


def false_value(secret: Secret) -> str:
    """Return a value of the secret's shape that is not the secret."""
    rng = rng_for(0, "false", secret.set_id, secret.value)
    letters = {True: "ABCDEFGHJKLMNPQRSTUVWXYZ", False: "abcdefghijkmnopqrstuvwxyz"}
    changed = secret.value
    while changed == secret.value:
        changed = "".join(
            rng.choice("0123456789")
            if char.isdigit()
            else rng.choice(letters[char.isupper()])
            if char.isalpha() and (char.isupper() or not any(c.isdigit() for c in secret.value))
            else char
            for char in secret.value
        )
        if not any(char.isalnum() for char in secret.value):
            changed += "0"
    return changed


def _sensitive(case: Case, language: str) -> str:
    secret: Any = case.secret
    return load_prompt("generate_question_sensitive").render(
        person=describe(case.person),
        label=secret.label,
        value=secret.value,
        false_value=false_value(secret),
        language=language,
    )


_PROMPTS: dict[str, Callable[[Case, str], str]] = {
    "self": lambda case, language: load_prompt("generate_question_self").render(
        person=describe(case.person, is_whole=True), preference=case.lines[0], language=language
    ),
    "forget": lambda case, language: load_prompt("generate_question_forget").render(
        person=describe(case.person), preference=case.lines[0], language=language
    ),
    "others": lambda case, language: load_prompt("generate_question_others").render(
        person=describe(case.person), preference=case.lines[0], language=language
    ),
    "sensitive": _sensitive,
}
