"""The model behind the page's answers: an endpoint, the small local one, or none; and the two replies side by side."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal

from hub_toolkit.answer.open_ended import open_messages
from hub_toolkit.answer.readers import Context, Window, fit_messages, read_memory, read_nothing
from hub_toolkit.errors import PersonaMemError
from hub_toolkit.memory.document import MemoryDocument
from hub_toolkit.models.base import ChatModel, GenerateConfig
from hub_toolkit.models.fetch import cached_gguf
from hub_toolkit.models.registry import load_model
from hub_toolkit.settings import Settings
from hub_toolkit.types import Message
from personamem_ui.sessions import Answer, Asked

ModelKind = Literal["endpoint", "local", "none"]
LOCAL_MODEL = "local/SmolLM2-135M-Instruct"
REFRESH_S = 0.15
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
        self.choice = choice
        self._settings = settings
        self._model: ChatModel | None = None

    async def open(self) -> ChatModel:
        """Return the model. Raises: ProviderError: it is not there, or not set up."""
        if self._model is None:
            self._model = await asyncio.to_thread(load_model, self.choice.spec, settings=self._settings)
        return self._model

    async def answer(self, asked: Asked, document: MemoryDocument) -> AsyncIterator[None]:
        """Write both replies into `asked`, yielding whenever there is more to show."""
        asked.model_name, asked.max_answer_tokens = self.choice.spec, MAX_ANSWER_TOKENS[self.choice.kind]
        asked.with_memory, asked.without_memory = Answer(), Answer()
        tasks = {
            asyncio.create_task(self._write(asked.with_memory, read_memory(document), asked.text)),
            asyncio.create_task(self._write(asked.without_memory, read_nothing(), asked.text)),
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

    async def _write(self, answer: Answer, context: Context, question: str) -> None:
        config = GenerateConfig(max_tokens=MAX_ANSWER_TOKENS[self.choice.kind])
        try:
            model = await self.open()
            window = Window(model.context_tokens, config.max_tokens)
            posed = open_messages(Message("user", question))
            messages = await asyncio.to_thread(fit_messages, context, posed, model.counter, window)
            async for piece in model.stream(messages, config):
                answer.text += piece
        except PersonaMemError as error:
            answer.error = str(error)
        answer.is_done = True
