"""`personamem memory build`: a memory file from a chat history."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

from hub_toolkit.data.history import load_history
from hub_toolkit.data.schema import History
from hub_toolkit.data.tokens import EstimateCounter, TokenCounter
from hub_toolkit.errors import DataFormatError, ProviderError
from hub_toolkit.memory.build import DEFAULT_CHUNK_TOKENS, MemoryBuilder, MemoryStep, build_memory
from hub_toolkit.memory.builders.named import BuilderOptions, open_builder
from hub_toolkit.memory.document import DEFAULT_CAP_TOKENS, MemoryDocument
from hub_toolkit.models.base import ChatModel
from hub_toolkit.models.registry import load_model
from hub_toolkit.settings import load_settings


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


def load_chat_model(spec: str | None, base_url: str | None) -> ChatModel:
    """Return the model that is named, else the one of the settings.

    Raises: ProviderError: none is named, or it cannot be had.
    """
    settings = load_settings()
    chosen = spec or settings.model
    if not chosen:
        raise ProviderError(
            "no model is named: pass --model openai/<model> (with --base-url or PERSONAMEM_BASE_URL), "
            "or --model local/SmolLM2-135M-Instruct",
            kind="missing",
        )
    return load_model(chosen, settings=settings, base_url=base_url)


@click.command("build")
@click.argument("history", type=click.Path(path_type=Path))
@click.option(
    "--builder", default="extractive", show_default=True, help="extractive, agentic, or module:function of your own."
)
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
    if config.builder == "agentic" or config.model:
        chat_model = load_chat_model(config.model, base_url)
        counter = chat_model.counter
    memory_builder = open_builder(config.builder, BuilderOptions(counter, config.cap_tokens, chat_model))
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
