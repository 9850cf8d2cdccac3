"""`personamem ask`: a question, answered with a memory."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from hub_toolkit.answer.lexical import relevant_bullets
from hub_toolkit.answer.open_ended import open_messages
from hub_toolkit.answer.readers import Window, fit_messages, read_memory
from hub_toolkit.cli.memory_build import load_chat_model
from hub_toolkit.memory.document import MemoryDocument
from hub_toolkit.models.base import ChatModel, GenerateConfig
from hub_toolkit.settings import load_settings
from hub_toolkit.types import Message


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
    chat_model = load_chat_model(spec, base_url)
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
