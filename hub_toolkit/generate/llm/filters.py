"""Stage 7: what a question must pass; cheap looks at the text first, then votes, each with its threshold.

A vote that cannot be read speaks for nothing, so it can only keep a question out, never let one in.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from hub_toolkit.generate.llm.asking import Desk, NoReply, Prompt, all_of
from hub_toolkit.generate.llm.cases import Case
from hub_toolkit.generate.llm.questions import false_value, write_question
from hub_toolkit.generate.llm.records import Question, Rejection
from hub_toolkit.generate.llm.shapes import ChoiceReply, Fault, FitsReply
from hub_toolkit.generate.llm.tally import Tally
from hub_toolkit.generate.llm.text_checks import find_artefact, find_leak, find_unlike_form, holds_secret
from hub_toolkit.generate.seeding import rng_for
from hub_toolkit.judge.rubric import mark_off
from hub_toolkit.prompts.render import load_prompt

Finding = tuple[str, str] | None
"""Why a question does not pass, and a detail; None: it passes."""

_LETTERS = "ABCD"


async def settle_questions(
    desk: Desk, cases: Sequence[Case], first: Sequence[Question], tally: Tally
) -> list[Question]:
    """Return a question a case that passed every filter; what fails is written anew, as often as configured."""
    by_set = {question.set_id: question for question in first}
    settled = await all_of(_settle(desk, case, by_set.get(case.set_id), tally) for case in cases)
    return [question for question in settled if question is not None]


async def _settle(desk: Desk, case: Case, first: Question | None, tally: Tally) -> Question | None:
    for attempt in range(desk.config.replies.question_attempts):
        question = first if attempt == 0 else await write_question(desk, case, attempt, tally)
        if question is None:
            continue
        tally.enter("filters")
        finding = await find_fault(desk, case, question)
        if finding is None:
            return question
        tally.reject(Rejection("filters", finding[0], case.set_id, attempt, finding[1], _shown(question)))
    return None


def _shown(question: Question) -> str:
    return "\n".join((question.query, *question.options))


async def find_fault(desk: Desk, case: Case, question: Question) -> Finding:
    """Return the first reason against a question, None where it passes all filters that are on."""
    for name, look in _LOOKS:
        if desk.config.is_on(name):
            finding = look(case, question)
            if finding is not None:
                return finding
    for names, ask in _ASKS:
        if any(desk.config.is_on(name) for name in names):
            finding = await ask(desk, case, question)
            if finding is not None:
                return finding
    return None


def _look_at_form(case: Case, question: Question) -> Finding:
    for text in (question.query, *question.options):
        found = find_artefact(text, has_places=case.secret is not None)
        if found is not None:
            return "artefact", found
    unlike = find_unlike_form(question.options)
    return ("unlike_options", unlike) if unlike is not None and case.secret is None else None


def _look_for_leak(case: Case, question: Question) -> Finding:
    if case.secret is not None:
        return ("leak", case.secret.label) if holds_secret(question.query, case.secret.value) else None
    found = find_leak(question.query, case.preferences, f"{case.topic} {case.need}")
    return ("leak", found) if found is not None else None


def _look_for_secret(case: Case, question: Question) -> Finding:
    """Check that the gold masks, and that the distractors hold the data and the false value."""
    if case.secret is None:
        return None
    gold = question.options[question.gold[0]]
    others = [option for place, option in enumerate(question.options) if place != question.gold[0]]
    value, false = case.secret.value, false_value(case.secret)
    if holds_secret(gold, value) or holds_secret(gold, false):
        return "gold_tells_secret", case.secret.label
    if sum(holds_secret(option, value) for option in others) != 1:
        return "secret_not_in_distractor", case.secret.label
    return None if any(holds_secret(option, false) for option in others) else ("false_value_missing", case.secret.label)


async def _ask_clean(desk: Desk, _: Case, question: Question) -> Finding:
    asked = load_prompt("generate_clean").render(
        query=mark_off(question.query), answers="\n\n".join(mark_off(option) for option in question.options)
    )
    verdicts = await desk.vote(_votes(desk, question, "clean", asked), ("clean", "unclean"))
    return None if desk.reaches_quorum(verdicts, "clean") else ("unclean", _count(verdicts))


async def _ask_leak(desk: Desk, case: Case, question: Question) -> Finding:
    if case.secret is not None:
        return None
    asked = load_prompt("generate_leak").render(
        query=mark_off(question.query), preferences="\n".join(f"- {text}" for text in case.preferences)
    )
    verdicts = await desk.vote(_votes(desk, question, "leak", asked), ("open", "leaks"))
    return None if desk.reaches_quorum(verdicts, "open") else ("leak", _count(verdicts))


async def _ask_blind(desk: Desk, case: Case, question: Question) -> Finding:
    """Have the question answered without a history, in several orders and several times each.

    A draw that cannot be read counts against the question. Masking a secret is right for everybody, so it is not asked.
    """
    if case.secret is not None:
        return None
    votes = desk.config.votes
    num = len(question.options)
    base = rng_for(desk.config.seed, "blind", case.set_id, question.attempt).sample(range(num), num)
    orders = [base[shift % num :] + base[: shift % num] for shift in range(votes.blind_permutations)]
    picks = await all_of(
        _draw_blind(desk, question, order, f"{shift}:{sample}")
        for shift, order in enumerate(orders)
        for sample in range(votes.blind_samples)
    )
    unread = picks.count(None)
    if case.is_swap:
        share = (max(picks.count(place) for place in range(num)) + unread) / len(picks)
        return ("stands_out", f"{share:.2f}") if share > votes.max_blind_share else None
    rate = (picks.count(question.gold[0]) + unread) / len(picks)
    return ("answerable", f"{rate:.2f}") if rate > votes.max_blind_rate else None


async def _draw_blind(desk: Desk, question: Question, order: Sequence[int], name: str) -> int | None:
    asked = load_prompt("generate_blind").render(
        query=mark_off(question.query), options=_label([question.options[place] for place in order])
    )
    letters = _LETTERS[: len(order)]

    def check(reply: ChoiceReply) -> None:
        if len(reply.choice) != 1 or reply.choice not in letters:
            raise Fault("bad_choice", f'"choice" must be one of {", ".join(letters)}')

    prompt = Prompt(f"blind:{question.set_id}:{question.attempt}:{name}", "generate_blind", asked)
    try:
        reply = await desk.ask(prompt, ChoiceReply, check, attempts=1)
    except NoReply:
        return None
    return order[letters.index(reply.choice)]


async def _ask_fit(desk: Desk, case: Case, question: Question) -> Finding:
    """Check every option against what every owner showed: the gold fits its owner, and no other option does."""
    findings = await all_of(_ask_owner(desk, case, question, place) for place in range(len(question.gold)))
    found = [finding for finding in findings if finding is not None]
    return min(found, key=lambda finding: finding[0] != "gold_misses", default=None)


async def _ask_owner(desk: Desk, case: Case, question: Question, place: int) -> Finding:
    config, gold = desk.config, question.gold[place]
    votes = await all_of(_vote_fits(desk, case, question, place, vote) for vote in range(config.votes.num))
    says = {(option, fits): sum(vote is not None and vote[option] is fits for vote in votes)
            for option in range(len(question.options)) for fits in (True, False)}  # fmt: skip
    if config.is_on("gold") and says[gold, True] < config.votes.quorum:
        return "gold_misses", f"owner {place}: {says[gold, True]} of {config.votes.num} votes"
    for option in range(len(question.options)):
        if config.is_on("distractor") and option != gold and says[option, False] < config.votes.quorum:
            return "distractor_fits", f"owner {place}, option {option}: {says[option, False]} votes against it"
    return None


async def _vote_fits(desk: Desk, case: Case, question: Question, place: int, vote: int) -> list[bool] | None:
    """Return whether each option fits an owner; the options are shown in another order in each vote."""
    num = len(question.options)
    order = rng_for(desk.config.seed, "fit", case.set_id, question.attempt, place, vote).sample(range(num), num)

    def check(reply: FitsReply) -> None:
        if len(reply.fits) != num:
            raise Fault("wrong_count", f'"fits" must hold {num} values')

    rubric = case.rubrics[place]
    asked = _FIT_PROMPTS[rubric](case.evidence[place], question.query, [question.options[at] for at in order])
    name = f"fit:{case.set_id}:{question.attempt}:{place}:{vote}"
    try:
        reply = await desk.ask(Prompt(name, f"generate_fit_{rubric}", asked), FitsReply, check, attempts=1)
    except NoReply:
        return None
    return [reply.fits[order.index(option)] for option in range(num)]


_FIT_PROMPTS: dict[str, Callable[[str, str, Sequence[str]], str]] = {
    "self": lambda evidence, query, options: load_prompt("generate_fit_self").render(
        evidence=mark_off(evidence), query=mark_off(query), options=_label(options)
    ),
    "forget": lambda evidence, query, options: load_prompt("generate_fit_forget").render(
        evidence=mark_off(evidence), query=mark_off(query), options=_label(options)
    ),
    "others": lambda evidence, query, options: load_prompt("generate_fit_others").render(
        evidence=mark_off(evidence), query=mark_off(query), options=_label(options)
    ),
    "sensitive": lambda evidence, query, options: load_prompt("generate_fit_sensitive").render(
        evidence=mark_off(evidence), query=mark_off(query), options=_label(options)
    ),
}


def _label(options: Sequence[str]) -> str:
    return "\n\n".join(f"{letter}. {mark_off(text)}" for letter, text in zip(_LETTERS, options, strict=False))


def _votes(desk: Desk, question: Question, name: str, asked: str) -> list[Prompt]:
    return [
        Prompt(f"{name}:{question.set_id}:{question.attempt}:{vote}", f"generate_{name}", asked)
        for vote in range(desk.config.votes.num)
    ]


def _count(verdicts: Sequence[str | None]) -> str:
    return ", ".join(f"{verdict}: {verdicts.count(verdict)}" for verdict in sorted(set(verdicts), key=str))


_LOOKS: tuple[tuple[str, Callable[[Case, Question], Finding]], ...] = (
    ("format", _look_at_form),
    ("leak", _look_for_leak),
    ("secret", _look_for_secret),
)
_ASKS: tuple[tuple[tuple[str, ...], Callable[[Desk, Case, Question], Awaitable[Finding]]], ...] = (
    (("format",), _ask_clean),
    (("leak",), _ask_leak),
    (("blind",), _ask_blind),
    (("gold", "distractor"), _ask_fit),
)
