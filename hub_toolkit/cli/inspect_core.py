"""The parts of inspect's task: the same core as `personamem eval run`, so that both score alike. Needs inspect."""

from __future__ import annotations

import atexit
import importlib
import importlib.util
import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub_toolkit.answer.mcq import LETTERS, Question
from hub_toolkit.answer.protocol import load_protocol
from hub_toolkit.answer.readers import Window
from hub_toolkit.data.foreign import has_options
from hub_toolkit.data.parse import resolve_dataset
from hub_toolkit.data.schema import Sample
from hub_toolkit.data.tokens import EstimateCounter, TokenCounter
from hub_toolkit.errors import DataFormatError, PersonaMemError, ProviderError
from hub_toolkit.evaluate.contexts import ContextSource
from hub_toolkit.evaluate.inspect_export import INSPECT_HINT
from hub_toolkit.evaluate.memories import ExternalStore, MemoryStore
from hub_toolkit.evaluate.plan import Ask, EvalConfig, plan_evaluation
from hub_toolkit.evaluate.questions import load_questions
from hub_toolkit.memory.build import MemoryBuilder
from hub_toolkit.memory.builders.named import BuilderOptions, open_builder
from hub_toolkit.models.base import Completion, GenerateConfig
from hub_toolkit.types import Message, Usage

if importlib.util.find_spec("inspect_ai") is None:
    raise PersonaMemError(INSPECT_HINT)

_dataset: Any = importlib.import_module("inspect_ai.dataset")
_model: Any = importlib.import_module("inspect_ai.model")
_scorer: Any = importlib.import_module("inspect_ai.scorer")
_solver: Any = importlib.import_module("inspect_ai.solver")


class InspectModel:
    """Inspect's model as one of ours, for the builders of memories."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._counter = EstimateCounter()

    @property
    def name(self) -> str:
        return f"inspect/{self._model}"

    @property
    def counter(self) -> TokenCounter:
        return self._counter

    @property
    def context_tokens(self) -> int | None:
        return None

    async def generate(self, messages: Sequence[Message], config: GenerateConfig | None = None) -> Completion:
        """Ask the model that inspect was called with.

        Raises: ProviderError: it gave no reply.
        """
        output = await self._model.generate(to_inspect(messages), config=generate_config(config or GenerateConfig()))
        if not output.choices:
            raise ProviderError(f"{self.name}: no reply ({output.error})", kind="bad_reply")
        usage = Usage(output.usage.input_tokens, output.usage.output_tokens) if output.usage else Usage()
        return Completion(output.completion, usage, "length" if output.stop_reason == "max_tokens" else "stop")

    async def stream(self, messages: Sequence[Message], config: GenerateConfig | None = None) -> AsyncIterator[str]:
        yield (await self.generate(messages, config)).text

    async def close(self) -> None:
        """Inspect closes its models itself."""


@dataclass(frozen=True)
class Core:
    """What the task's solver and scorer share: the configuration, the questions and what they read."""

    config: EvalConfig
    samples: dict[str, Sample]
    contexts: ContextSource

    def pose(self, sample: Sample) -> Question:
        """Return the question as the protocol poses it."""
        return load_protocol(self.config.protocol).pose(sample, self.config.seed)

    async def prompt(self, sample: Sample) -> list[Message]:
        """Return what the model is asked, with what it reads first."""
        rules = load_protocol(self.config.protocol)
        reading = await self.contexts.read(Ask(sample, "own", sample))
        window = Window(None, self.config.reply_tokens, self.config.truncate)
        return rules.messages(reading.context, self.pose(sample), rules.counter, window)


def make_core(config: EvalConfig) -> Core:
    """Load the questions and make ready what they read; memories live as long as the process.

    Raises: DataFormatError: the dataset is not as published.
    """
    folder = resolve_dataset(config.dataset)
    chosen = plan_evaluation(load_questions(folder, config.split), config).samples
    bare = next((sample for sample in chosen if not has_options(sample)), None)
    if bare is not None:
        raise DataFormatError(
            "has no options; this task asks multiple choice only", file=config.dataset, row=bare.row + 1
        )
    counter = load_protocol(config.protocol).counter
    # A folder for this process: a memory of an earlier one may have been built by another model.
    scratch = Path(tempfile.mkdtemp(prefix="personamem-inspect-"))
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)

    def make_builder() -> MemoryBuilder:
        model = None if config.builder == "extractive" else InspectModel(_model.get_model())
        return open_builder(config.builder, BuilderOptions(counter, config.cap_tokens, model))

    memories = MemoryStore(scratch / "memories", config, counter, make_builder)
    externals = ExternalStore(scratch / "external", config, counter, None)
    contexts = ContextSource(folder, config, counter, memories, externals)
    return Core(config, {sample.sample_id: sample for sample in chosen}, contexts)


def make_dataset(core: Core, name: str) -> Any:
    """Return the questions as inspect's dataset."""
    return _dataset.MemoryDataset([inspect_sample(core, sample) for sample in core.samples.values()], name=name)


def inspect_sample(core: Core, sample: Sample) -> Any:
    """Return a question as inspect's sample; what is read first comes only when it is asked."""
    question = core.pose(sample)
    return _dataset.Sample(
        id=sample.sample_id,
        input=sample.user_query.text,
        choices=list(question.options),
        target=question.gold,
        metadata={
            "persona_id": sample.persona_id,
            "pref_type": sample.pref_type,
            "conversation_scenario": sample.conversation_scenario,
            "who": sample.who,
            "updated": sample.is_updated,
            "group_id": sample.group_id,
        },
    )


def read_and_ask(core: Core) -> Any:
    """Return the solver: the protocol's prompt, then the model's reply."""

    def make() -> Any:
        async def solve(state: Any, generate: Any) -> Any:
            state.messages = to_inspect(await core.prompt(core.samples[state.sample_id]))
            return await generate(state)

        return solve

    return _solver.solver(name="personamem_reader")(make)()


def choice_scorer(core: Core) -> Any:
    """Return the scorer: the protocol's parser; a reply without a choice is no answer and counts as wrong."""
    rules = load_protocol(core.config.protocol)

    def make() -> Any:
        async def score(state: Any, target: Any) -> Any:
            choice = rules.parse(state.output.completion)
            if choice not in LETTERS:
                return _scorer.Score(value=_scorer.NOANSWER, explanation="no choice could be read")
            value = _scorer.CORRECT if choice == target.text else _scorer.INCORRECT
            return _scorer.Score(value=value, answer=choice)

        return score

    metrics = [_scorer.accuracy(), _scorer.stderr(cluster="persona_id")]
    return _scorer.scorer(metrics=metrics, name="personamem_choice")(make)()


def to_inspect(messages: Sequence[Message]) -> list[Any]:
    """Return our messages as inspect's."""
    kinds = {
        "system": _model.ChatMessageSystem,
        "user": _model.ChatMessageUser,
        "assistant": _model.ChatMessageAssistant,
    }
    return [kinds[message.role](content=_content(message)) for message in messages]


def _content(message: Message) -> Any:
    if isinstance(message.content, str):
        return message.content
    return [
        _model.ContentText(text=part["text"])
        if part["type"] == "text"
        else _model.ContentImage(image=part["image_url"]["url"])
        for part in message.content
    ]


def generate_config(config: GenerateConfig) -> Any:
    """Return our settings as inspect's."""
    return _model.GenerateConfig(
        max_tokens=config.max_tokens,
        temperature=config.temperature,
        top_p=config.top_p,
        seed=config.seed,
        stop_seqs=list(config.stop) or None,
    )
