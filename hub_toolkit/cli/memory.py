"""`personamem memory build` and `personamem ask`."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

from hub_toolkit.answer.lexical import relevant_bullets
from hub_toolkit.answer.open_ended import open_messages
from hub_toolkit.answer.readers import Window, fit_messages, read_memory
from hub_toolkit.data.history import load_history
from hub_toolkit.data.schema import History
from hub_toolkit.data.tokens import EstimateCounter, TokenCounter
from hub_toolkit.errors import DataFormatError, ProviderError
from hub_toolkit.memory.agentic import AgenticBuilder
from hub_toolkit.memory.build import DEFAULT_CHUNK_TOKENS, MemoryBuilder, MemoryStep, build_memory
from hub_toolkit.memory.document import DEFAULT_CAP_TOKENS, MemoryDocument
from hub_toolkit.memory.extractive import ExtractiveBuilder
from hub_toolkit.models.base import ChatModel, GenerateConfig
from hub_toolkit.models.registry import load_model
from hub_toolkit.settings import load_settings
from hub_toolkit.types import Message


@dataclass(frozen=True)
class BuildConfig:
    """What `memory build` was asked to do."""

    history: Path
    builder: str
    model: str | None
    cap_tokens: int
    chunk_tokens: int
    is_resumed: bool
    out: Path


@click.group()
def memory() -> None:
    """Build and read personal memories."""


def _load_chat_model(spec: str | None, base_url: str | None, api_key: str | None) -> ChatModel:
    settings = load_settings()
    chosen = spec or settings.model
    if not chosen:
        raise ProviderError(
            "no model is named: pass --model openai/<model> (with --base-url or PERSONAMEM_BASE_URL), "
            "or --model local/SmolLM2-135M-Instruct",
            kind="missing",
        )
    return load_model(chosen, settings=settings, base_url=base_url, api_key=api_key)


@memory.command("build")
@click.argument("history", type=click.Path(path_type=Path))
@click.option("--builder", type=click.Choice(["extractive", "agentic"]), default="extractive", show_default=True)
@click.option("--model", help="Model of the agentic builder, for example openai/gpt-4.1-mini.")
@click.option("--base-url", help="Endpoint of an OpenAI-compatible model.")
@click.option("--cap", "cap_tokens", type=click.IntRange(16), default=DEFAULT_CAP_TOKENS, show_default=True)
@click.option("--chunk-tokens", type=click.IntRange(64), default=DEFAULT_CHUNK_TOKENS, show_default=True)
@click.option("--resume", "is_resumed", is_flag=True, help="Go on from the memory in --out; read only what is new.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The memory file to write.")
def build_command(base_url: str | None, **options: Any) -> None:
    """Build a memory from a history file; every chunk is saved, so a killed build goes on with --resume."""
    asyncio.run(_build(BuildConfig(**options), base_url))


async def _build(config: BuildConfig, base_url: str | None) -> None:
    history = load_history(config.history)
    chat_model: ChatModel | None = None
    counter: TokenCounter = EstimateCounter()
    memory_builder: MemoryBuilder
    if config.builder == "agentic":
        chat_model = _load_chat_model(config.model, base_url, None)
        counter = chat_model.counter
        memory_builder = AgenticBuilder(chat_model, cap_tokens=config.cap_tokens)
    else:
        memory_builder = ExtractiveBuilder(counter, cap_tokens=config.cap_tokens)
    start = _starting_point(config, history, memory_builder)
    try:
        document = await _build_with_progress(config, history, memory_builder, counter, start)
    finally:
        if chat_model:
            await chat_model.close()
    document.save(config.out, counter)
    for fault in document.faults:
        click.echo(f"warning: {fault}", err=True)
    click.echo(
        f"{config.out}: {len(document.bullets)} bullets, {document.tokens(counter)} of {document.cap_tokens} tokens, "
        f"{document.read_messages} messages read"
    )


async def _build_with_progress(
    config: BuildConfig, history: History, builder: MemoryBuilder, counter: TokenCounter, start: MemoryDocument
) -> MemoryDocument:
    with tqdm(desc="memory", unit="chunk", disable=None) as bar:

        def on_step(step: MemoryStep) -> None:
            if step.is_whole:
                step.document.save(config.out, counter)
            bar.total = step.num_chunks
            bar.set_postfix(bullets=len(step.document.bullets), faults=len(step.document.faults))
            bar.update()

        return await build_memory(
            history, builder, counter, document=start, chunk_tokens=config.chunk_tokens, on_step=on_step
        )


def _starting_point(config: BuildConfig, history: History, builder: MemoryBuilder) -> MemoryDocument:
    """Return the memory to go on from.

    Raises: DataFormatError: the memory in `out` has another builder, another cap or another history.
    """
    empty = builder.empty()
    if not (config.is_resumed and config.out.exists()):
        return empty
    document = MemoryDocument.load(config.out)
    for field in ("builder", "cap_tokens", "counter"):
        was, is_now = getattr(document, field), getattr(empty, field)
        if was != is_now:
            raise DataFormatError(
                f"was built with {field} {was}, not {is_now}; use the same, or build anew without --resume",
                file=str(config.out),
            )
    texts = {i: " ".join(m.text.split()) for m, i in zip(history.messages, history.indices, strict=True)}
    for bullet in document.bullets:
        for source in bullet.sources:
            if " ".join(source.span.split()) not in texts.get(source.index, ""):
                raise DataFormatError(
                    f"bullet {bullet.id} cites message {source.index}, which {config.history} does not hold; "
                    "it was built from another history: build anew without --resume",
                    file=str(config.out),
                )
    return document


@click.command()
@click.argument("question")
@click.option("--memory", "memory_file", type=click.Path(path_type=Path), required=True, help="A memory file.")
@click.option("--model", help="The model that answers; without one, the bullets that an answer would use are shown.")
@click.option("--base-url", help="Endpoint of an OpenAI-compatible model.")
@click.option("--max-tokens", type=click.IntRange(1), default=512, show_default=True, help="Longest answer.")
def ask(question: str, memory_file: Path, model: str | None, base_url: str | None, max_tokens: int) -> None:
    """Answer a question from a memory; the answer is printed as it comes."""
    document = MemoryDocument.load(memory_file)
    spec = model or load_settings().model
    if spec is None or spec == "lexical":
        click.echo("No model is set (--model or PERSONAMEM_MODEL). An answer would use:")
        bullets = relevant_bullets(document, question)
        for bullet in bullets:
            click.echo(f"{bullet.render()}  (messages {', '.join(str(s.index) for s in bullet.sources)})")
        if not bullets:
            click.echo("- nothing in this memory: no bullet shares a word with the question")
        return
    chat_model = _load_chat_model(spec, base_url, None)
    asyncio.run(_ask(question, document, chat_model, GenerateConfig(max_tokens=max_tokens)))


async def _ask(question: str, document: MemoryDocument, chat_model: ChatModel, config: GenerateConfig) -> None:
    try:
        window = Window(chat_model.context_tokens, config.max_tokens)
        question_messages = open_messages(Message("user", question))
        messages = fit_messages(read_memory(document), question_messages, chat_model.counter, window)
        async for piece in chat_model.stream(messages, config):
            click.echo(piece, nl=False)
    finally:
        await chat_model.close()
    click.echo()
