"""`personamem memory remember`, `import`, `export`, `consolidate`: what comes in, goes out, and is tidied."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import click
from tqdm import tqdm

from hub_toolkit.cli.memory_build import load_chat_model
from hub_toolkit.cli.memory_edit import report
from hub_toolkit.cli.memory_options import Owner, echo_json, json_option, open_memory, owner_options
from hub_toolkit.cli.memory_render import clean, render_diff
from hub_toolkit.data.tokens import EstimateCounter
from hub_toolkit.memory.build import MemoryBuilder
from hub_toolkit.memory.builders.agentic import AgenticBuilder
from hub_toolkit.memory.builders.extractive import ExtractiveBuilder
from hub_toolkit.memory.document import DEFAULT_CAP_TOKENS
from hub_toolkit.memory.exports.exports import save_export
from hub_toolkit.memory.owner.transfers import Imported
from hub_toolkit.memory.personal import ExportFormat, PersonalMemory
from hub_toolkit.models.base import ChatModel

SHOWN = 20
"""So many bullets of an import are printed."""

BUILDERS = ("extractive", "agentic")


@dataclass(frozen=True)
class ReaderConfig:
    """Who reads the chats."""

    builder: str
    model: str | None
    base_url: str | None
    cap_tokens: int
    policy_model: str | None = None


def reader_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say who reads."""
    options = [
        click.option(
            "--builder", type=click.Choice(["extractive", "agentic"]), default="extractive", show_default=True
        ),
        click.option("--model", help="Model of the agentic builder, for example openai/gpt-4.1-mini."),
        click.option(
            "--policy-model",
            help="A model that is asked whether what would be kept implies what a rule forbids; it sees those texts. "
            "Without it the agentic builder's model is asked; none: nobody.",
        ),
        click.option("--base-url", help="Endpoint of an OpenAI-compatible model."),
        click.option("--cap", "cap_tokens", type=click.IntRange(16), default=DEFAULT_CAP_TOKENS, show_default=True),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@contextmanager
def _reading_memory(owner: Owner, config: ReaderConfig) -> Iterator[tuple[PersonalMemory, list[ChatModel]]]:
    model: ChatModel | None = None
    builder: MemoryBuilder = ExtractiveBuilder(EstimateCounter(), cap_tokens=config.cap_tokens)
    if config.builder == "agentic":
        model = load_chat_model(config.model, config.base_url)
        builder = AgenticBuilder(model, cap_tokens=config.cap_tokens)
    judge = None
    if config.policy_model and config.policy_model != "none":
        judge = load_chat_model(config.policy_model, config.base_url)
    policy: ChatModel | Literal["builder"] | None = judge if config.policy_model else "builder"
    counter = model.counter if model else None
    with open_memory(owner, builder=builder, counter=counter, policy_model=policy) as memory:
        yield memory, [asked for asked in (model, judge) if asked]


@click.command("remember")
@click.argument("file", type=click.Path(path_type=Path))
@reader_options
@owner_options
@json_option
def remember_command(file: Path, owner: Owner, is_json: bool, **options: Any) -> None:
    """Read the chats of FILE into the memory: messages, a history, or an export. The same as `import`."""
    _import(file, owner, ReaderConfig(**options), is_json=is_json)


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@reader_options
@owner_options
@json_option
def import_command(file: Path, owner: Owner, is_json: bool, **options: Any) -> None:
    """Read FILE: an export of ChatGPT or Claude (ZIP or JSON), plain messages, or a memory that `export` wrote.

    A chat that was read before is read on from where it had ended, so that importing twice changes nothing.
    """
    _import(file, owner, ReaderConfig(**options), is_json=is_json)


def _import(file: Path, owner: Owner, config: ReaderConfig, *, is_json: bool) -> None:
    with _reading_memory(owner, config) as (memory, models), tqdm(desc="memory", unit="chat", disable=None) as bar:
        done = asyncio.run(_run_import(memory, models, file, bar))
    if is_json:
        echo_json(done)
        return
    click.echo(_summary(done))
    for skipped in done.skipped:
        click.echo(f"warning: {clean(skipped.place)}: {clean(skipped.reason)}", err=True)
    if not done.diff.is_empty:
        click.echo(render_diff(done.diff, limit=SHOWN))
    for receipt in done.receipts:
        click.echo(f"kept out: {receipt.count} ({receipt.kind}, {receipt.reason})")


async def _run_import(memory: PersonalMemory, models: list[ChatModel], file: Path, bar: Any) -> Imported:
    try:
        return await memory.import_(file, on_session=lambda _: bar.update())
    finally:
        for model in models:
            await model.close()


def _summary(done: Imported) -> str:
    chats = f"{done.num_sessions} chat{'s' * (done.num_sessions != 1)}"
    known = f" ({done.num_known} known already)" if done.num_known else ""
    where = f"version {done.version.number}: " if done.version else "nothing new: "
    held = f", {done.num_held} held (see `held list`)" if done.num_held else ""
    skipped = f", {len(done.skipped)} skipped" if done.skipped else ""
    return f"{where}{chats}{known}, {done.num_read} messages read{held}{skipped}"


@click.command("export")
@click.option("--format", "file_format", type=click.Choice(["json", "markdown"]), default="json", show_default=True)
@click.option("--out", "-o", type=click.Path(path_type=Path), help="The file to write; without it, the screen.")
@owner_options
def export_command(file_format: str, out: Path | None, owner: Owner) -> None:
    """Write the memory to a file: JSON gives the equal memory back by `import`, Markdown is to be read."""
    with open_memory(owner) as memory:
        text = memory.export(cast(ExportFormat, file_format))
    if out is None:
        click.echo(text, nl=False)
        return
    save_export(text, out)
    click.echo(f"{out}: written")


@click.command("consolidate")
@click.option("--refuse-unsupported", is_flag=True, help="Drop bullets that no source bears out.")
@owner_options
@json_option
def consolidate_command(refuse_unsupported: bool, owner: Owner, is_json: bool) -> None:
    """Join bullets that say the same, rank them under the cap and check their support. It only ever shrinks."""
    with open_memory(owner) as memory:
        done = memory.consolidate(refuse_unsupported=refuse_unsupported)
    if done is None:
        echo_json(None) if is_json else click.echo("nothing to do")
        return
    report(done, is_json)
