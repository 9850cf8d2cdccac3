"""The model behind the page's answers: an endpoint, the small local one, or none; and the two replies side by side."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Literal

from hub_toolkit.answer.choice import parse_choice
from hub_toolkit.answer.mcq import LETTERS, question_messages
from hub_toolkit.answer.open_ended import open_messages
from hub_toolkit.answer.readers import Context, Window, fit_messages, read_history, read_memory, read_nothing
from hub_toolkit.data.tokens import count_messages
from hub_toolkit.errors import PersonaMemError
from hub_toolkit.evaluate.budget import Price, load_prices
from hub_toolkit.models.base import ChatModel, GenerateConfig
from hub_toolkit.models.fetch import cached_gguf
from hub_toolkit.models.registry import load_model
from hub_toolkit.settings import Settings
from hub_toolkit.types import Message, Usage
from personamem_ui.sessions import Answer, Asked, Session

ModelKind = Literal["endpoint", "local", "none"]
LOCAL_MODEL = "local/SmolLM2-135M-Instruct"
REFRESH_S = 0.15
WITH_MEMORY, WITHOUT, WITH_FULL = "memory", "none", "full"
"""What stands before a question: the memory, nothing, the whole history."""

MAX_ANSWER_TOKENS: dict[ModelKind, int] = {"endpoint": 700, "local": 200, "none": 0}


@dataclass(frozen=True)
class ModelChoice:
    """Which model answers, found out without loading it."""

    kind: ModelKind
    spec: str = ""


def choose_model(settings: Settings) -> ModelChoice:
    """Return the model of the settings, else the local one where its weights are there, else none."""
    if settings.model:
        is_local = settings.model.startswith("local/")
        return ModelChoice("local" if is_local else "endpoint", settings.model)
    if importlib.util.find_spec("xllamacpp") and cached_gguf(settings.cache_dir):
        return ModelChoice("local", LOCAL_MODEL)
    return ModelChoice("none")


class PageModel:
    """Opens the model at the first question and keeps it; it knows nothing of who asks."""

    def __init__(self, choice: ModelChoice, settings: Settings) -> None:
        """Raises: DataFormatError: the settings' file of prices cannot be read."""
        self.choice = choice
        self.settings = settings
        self._prices = load_prices(settings.prices_file) if settings.prices_file else {}
        self._model: ChatModel | None = None

    @property
    def price(self) -> Price | None:
        """What the model costs, where the settings say so."""
        return self._prices.get(self.choice.spec)

    async def open(self) -> ChatModel:
        """Return the model. Raises: ProviderError: it is not there, or not set up."""
        if self._model is None:
            self._model = await asyncio.to_thread(load_model, self.choice.spec, settings=self.settings)
        return self._model

    async def answer(self, asked: Asked, contexts: Mapping[str, Context]) -> AsyncIterator[None]:
        """Write a reply into `asked` for each context, yielding whenever there is more to show."""
        asked.model_name, asked.max_answer_tokens = self.choice.spec, MAX_ANSWER_TOKENS[self.choice.kind]
        asked.answers = {name: Answer() for name in contexts}
        tasks = {
            asyncio.create_task(self._write(asked.answers[name], context, asked)) for name, context in contexts.items()
        }
        try:
            while any(not task.done() for task in tasks):
                yield
                await asyncio.wait(tasks, timeout=REFRESH_S)
            for task in tasks:
                task.result()
            yield
        finally:
            for task in tasks:
                task.cancel()

    async def _write(self, answer: Answer, context: Context, asked: Asked) -> None:
        config = GenerateConfig(max_tokens=MAX_ANSWER_TOKENS[self.choice.kind])
        question = asked.question
        try:
            model = await self.open()
            window = Window(model.context_tokens, config.max_tokens)
            posed = question_messages(question) if question else open_messages(Message("user", asked.text))
            messages = await asyncio.to_thread(fit_messages, context, posed, model.counter, window)
            num_read = await asyncio.to_thread(count_messages, model.counter, messages)
            answer.usage = Usage(num_read, 0, is_estimated=True)
            async for piece in model.stream(messages, config):
                answer.text += piece
            answer.usage = Usage(num_read, model.counter.count(answer.text), is_estimated=True)
            letter = parse_choice(answer.text) if question else None
            answer.pick = LETTERS.index(letter) if letter else None
        except PersonaMemError as error:
            answer.error = str(error)
        answer.is_done = True


def contexts_for(session: Session, *, with_full: bool) -> dict[str, Context]:
    """Return what each reply may read before the question: the memory on show, nothing, and all that was said."""
    step = session.step
    if step is None:
        return {}
    memory = read_memory(step.document)
    if step.number == session.num_versions:  # what rules and forgetting let out today
        memory = Context((Message("system", session.memory.context()),), memory.text)
    contexts = {WITH_MEMORY: memory, WITHOUT: read_nothing()}
    if with_full and session.num_messages + len(session.talk):
        contexts[WITH_FULL] = read_history(session.history)
    return contexts
