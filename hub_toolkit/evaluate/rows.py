"""From what the journal holds to the lines of `samples.jsonl`: replies are read here, once, after all are in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from hub_toolkit.answer.likelihood import OptionScore, length_normalised, lift, pick_likeliest
from hub_toolkit.answer.mcq import LETTERS, Question, pick_lexically
from hub_toolkit.answer.protocol import Protocol
from hub_toolkit.answer.readers import Context
from hub_toolkit.data.schema import ContextSize, Sample
from hub_toolkit.evaluate.plan import LEXICAL, Arm, EvalConfig, Key, Plan
from hub_toolkit.evaluate.record import Answer, Counterfactual, Likelihood, Row, Status
from hub_toolkit.types import Usage

Entry = dict[str, Any]

_WORST_FIRST: tuple[Status, ...] = ("failed", "unscored", "unparsed", "scored")


def entry_key(entry: Entry) -> Key:
    """Return which ask an entry of the journal answers."""
    return entry["sample_id"], entry["arm"], entry.get("permutation", 0)


class RowReader:
    """Puts a run's rows together."""

    def __init__(self, plan: Plan, config: EvalConfig, protocol: Protocol, entries: Mapping[Key, Entry]) -> None:
        self.plan = plan
        self.config = config
        self.protocol = protocol
        self.entries = entries
        self.donors = {(ask.sample.sample_id, ask.arm): ask.donor for ask in plan.asks}

    def rows(self) -> list[Row]:
        """Return a row a sample, in the plan's order."""
        return [self._row(sample) for sample in self.plan.samples]

    def _row(self, sample: Sample) -> Row:
        config = self.config
        posed = self._pose(sample)
        question = posed[0] if posed else None
        donor = self.donors.get((sample.sample_id, "other"))
        other = Counterfactual(donor.persona_id, self._answer(sample, "other", posed)) if donor is not None else None
        is_lexical = question is not None and config.model == LEXICAL
        row = make_row(
            sample,
            question,
            self._answer(sample, "own", posed),
            group_size=self.plan.group_sizes.get(sample.group_id or ""),
            context=config.context,
        )
        choice = pick_lexically(question, Context()) if question and is_lexical else None
        return replace(row, no_context_choice=choice, counterfactual=other)

    def _pose(self, sample: Sample) -> list[Question]:
        """Return the question in each order of its options; none for an open question."""
        if self.config.task == "open":
            return []
        orders = range(self.config.num_permutations)
        return [self.protocol.pose(sample, self.config.seed, number) for number in orders]

    def _answer(self, sample: Sample, arm: Arm, posed: Sequence[Question]) -> Answer:
        first = self.entries[sample.sample_id, arm, 0]
        if not posed:
            return read_open(first)
        orders = range(len(posed))
        if self.config.method == "likelihood":
            entries = [turn_scores(first, number) for number in orders]
        else:
            entries = [self.entries[sample.sample_id, arm, number] for number in orders]
        answers = [read_choice(entry, question, self.protocol) for entry, question in zip(entries, posed, strict=True)]
        return average(answers) if len(answers) > 1 else answers[0]


def make_row(
    sample: Sample, question: Question | None, answer: Answer, *, group_size: int | None, context: ContextSize
) -> Row:
    """Return the line of an answer to a question; `context` is the size from which its distance is taken."""
    return Row(
        sample_id=sample.sample_id,
        persona_id=sample.persona_id,
        cluster=sample.cluster,
        group_id=sample.group_id,
        group_size=group_size,
        pref_type=sample.pref_type,
        conversation_scenario=sample.conversation_scenario,
        topic=sample.topic_query,
        who=sample.who,
        is_updated=sample.is_updated,
        is_sensitive=sample.is_sensitive,
        distance_tokens=sample.counts.get(f"distance_from_related_snippet_to_query_{context}"),
        options=question.options if question else None,
        gold=question.gold if question else None,
        answer=answer,
    )


def turn_scores(entry: Entry, number: int) -> Entry:
    """Return the entry as it would be for the options from number `number` on: how likely an option is does not depend
    on where it is shown, so it is asked once.
    """
    if number == 0:
        return entry
    turned = {**entry, **vars(Usage())}
    if entry.get("scores") is not None:
        turned["scores"] = {
            name: values[number:] + values[:number] if values is not None else None
            for name, values in entry["scores"].items()
        }
    return turned


def average(answers: Sequence[Answer]) -> Answer:
    """Return the answers to one question in several orders as one."""
    return replace(
        answers[0],
        status=next(status for status in _WORST_FIRST if any(answer.status == status for answer in answers)),
        error=next((answer.error for answer in answers if answer.error is not None), None),
        input_tokens=sum(answer.input_tokens for answer in answers),
        output_tokens=sum(answer.output_tokens for answer in answers),
        is_estimated=any(answer.is_estimated for answer in answers),
        permutations=tuple(answers),
    )


def read_open(entry: Entry) -> Answer:
    """Return the answer to an open question, which judges score later."""
    answer = _given(entry)
    return answer if answer.reply is not None else replace(answer, status="failed")


def read_choice(entry: Entry, question: Question, protocol: Protocol) -> Answer:
    """Return the answer to a multiple-choice question."""
    answer = _given(entry)
    if answer.error is not None:
        return replace(answer, status="failed")
    if (scores := entry.get("scores")) is not None:
        return _read_likelihood(answer, scores, question, protocol)
    choice = protocol.parse(answer.reply or "")
    if choice is None:
        return replace(answer, status="unparsed", is_correct=False)
    # The published script's parser reads letters that no option has: they choose nothing, and that is wrong.
    chosen = choice if choice in LETTERS else None
    return replace(answer, status="scored", choice=chosen, is_correct=choice == question.gold)


def _given(entry: Entry) -> Answer:
    names = (
        "reply",
        "finish_reason",
        "context_tokens",
        "input_tokens",
        "output_tokens",
        "is_estimated",
        "error",
    )
    sources = tuple(entry.get("sources", ()))
    return Answer(status="unscored", sources=sources, **{name: entry[name] for name in names})


def _read_likelihood(answer: Answer, scores: Entry, question: Question, protocol: Protocol) -> Answer:
    length = protocol.likelihood.length
    own, bare = _read_scores(scores["with_context"]), _read_scores(scores["without_context"])
    found = pick_likeliest(length_normalised(own, question.options, length=length))
    raised = pick_likeliest(lift(own, bare, question.options, length=length)) if bare else None
    likelihood = Likelihood(
        values=found.values,
        margin=found.margin,
        is_tied=found.is_tied,
        lift=raised.values if raised else None,
        lift_choice=raised.letter if raised else None,
        is_lift_correct=raised.letter == question.gold if raised else None,
    )
    is_correct = found.letter == question.gold
    return replace(answer, status="scored", choice=found.letter, is_correct=is_correct, likelihood=likelihood)


def _read_scores(raw: list[list[float]] | None) -> list[OptionScore]:
    return [OptionScore(logprob, int(num_tokens)) for logprob, num_tokens in raw or ()]
