"""How one question is put: its context, its wording, its reply as the journal keeps it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hub_toolkit.answer.likelihood import OptionScore, length_normalised
from hub_toolkit.answer.mcq import answer_lexically
from hub_toolkit.answer.protocol import Protocol, load_protocol
from hub_toolkit.answer.readers import Context, Window
from hub_toolkit.data.tokens import count_messages
from hub_toolkit.errors import ProviderError
from hub_toolkit.evaluate.contexts import ContextSource, Reading
from hub_toolkit.evaluate.metered import MeteredModel
from hub_toolkit.evaluate.plan import Ask, EvalConfig
from hub_toolkit.evaluate.rows import Entry
from hub_toolkit.models.base import Completion
from hub_toolkit.types import Message, Usage

_NOTHING = {"reply": None, "finish_reason": None, "context_tokens": None}
_NO_USAGE = vars(Usage())


@dataclass(frozen=True)
class Asker:
    """Puts the questions of one run; `model` is None for the lexical answerer."""

    config: EvalConfig
    contexts: ContextSource
    model: MeteredModel | None

    @property
    def protocol(self) -> Protocol:
        """What fixes how it is asked."""
        return load_protocol(self.config.protocol)

    async def settle(self, ask: Ask) -> Entry:
        """Return the journal's entry for an ask.

        Raises: ProviderError: there is no answer. BudgetError: a limit would be passed.
        """
        reading = await self.contexts.read(ask)
        context = reading.context
        if self.config.method == "likelihood":
            return await self._score(ask, reading)
        completion = await self._answer(ask, context)
        is_counted = self.model is not None and not completion.usage.is_estimated
        sources = {"sources": list(context.sources)} if context.sources else {}
        return {
            **name_ask(ask),
            "reply": completion.text,
            "finish_reason": completion.finish_reason,
            "context_tokens": None if is_counted else reading.num_tokens,
            **vars(completion.usage),
            **sources,
            "error": None,
        }

    async def _answer(self, ask: Ask, context: Context) -> Completion:
        config, protocol = self.config, self.protocol
        if self.model is None:
            return answer_lexically(protocol.pose(ask.sample, config.seed, ask.permutation), context)
        is_mcq = config.task == "mcq"
        question = (
            protocol.pose(ask.sample, config.seed, ask.permutation)
            if is_mcq
            else protocol.pose_open(ask.sample, config.seed)
        )
        messages = protocol.messages(context, question, self.model.model.counter, self._window(self.model))
        return await self.model.generate(
            messages, protocol.generate_config(config.seed, max_tokens=config.reply_tokens)
        )

    async def _score(self, ask: Ask, reading: Reading) -> Entry:
        """Return the options' log-probabilities with the context and, where there is one, without."""
        model, context = self.model, reading.context
        assert model is not None
        options = self.protocol.pose(ask.sample, self.config.seed, ask.permutation).options
        prompts = [self._score_prompt(ask, part, model) for part in (context, Context())]
        own = await model.score_options(prompts[0], options)
        bare = await model.score_options(prompts[1], options) if context.messages else None
        for scores in (own, bare) if bare is not None else (own,):
            length_normalised(scores, options, length=self.protocol.likelihood.length)
        asked = prompts if bare is not None else prompts[:1]
        num_tokens = sum(count_messages(model.counter, prompt) for prompt in asked)
        return {
            **name_ask(ask),
            **_NOTHING,
            "context_tokens": reading.num_tokens,
            **vars(Usage(num_tokens, 0, is_estimated=True)),
            "scores": {"with_context": _plain(own), "without_context": _plain(bare) if bare is not None else None},
            "error": None,
        }

    def _score_prompt(self, ask: Ask, context: Context, model: MeteredModel) -> list[Message]:
        return self.protocol.likelihood_messages(context, ask.sample, model.model.counter, self._window(model))

    def _window(self, model: MeteredModel) -> Window:
        return Window(model.context_tokens, self.config.reply_tokens, self.config.truncate)


def failed_entry(ask: Ask, error: ProviderError) -> Entry:
    """Return the journal's entry for an ask that has no answer, and why."""
    return {**name_ask(ask), **_NOTHING, **_NO_USAGE, "error": f"{error.kind}: {error}"}


def name_ask(ask: Ask) -> Entry:
    """Return the fields that name an ask; the first order of the options is not named."""
    entry: Entry = {"sample_id": ask.sample.sample_id, "arm": ask.arm, "donor": ask.donor.sample_id}
    if ask.permutation:
        entry["permutation"] = ask.permutation
    return entry


def _plain(scores: Sequence[OptionScore]) -> list[list[float]]:
    return [[score.logprob, score.num_tokens] for score in scores]
