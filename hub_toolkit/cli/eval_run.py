"""`personamem eval run`."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hub_toolkit.answer.protocol import load_protocol
from hub_toolkit.cli.eval_options import asking_options, prices_option, take_config
from hub_toolkit.cli.eval_progress import ProgressBar
from hub_toolkit.data.parse import split_path
from hub_toolkit.data.tokens import TokenCounter
from hub_toolkit.errors import ProviderError
from hub_toolkit.evaluate.budget import Budget
from hub_toolkit.evaluate.cache import ResponseCache
from hub_toolkit.evaluate.metered import MeteredModel
from hub_toolkit.evaluate.plan import LEXICAL, EvalConfig
from hub_toolkit.evaluate.questions import load_questions
from hub_toolkit.evaluate.record import RunRecord, load_rows
from hub_toolkit.evaluate.run import RunOptions, run_evaluation
from hub_toolkit.evaluate.run_setup import Setup
from hub_toolkit.evaluate.shards import parse_shard
from hub_toolkit.models.registry import EngineOptions, load_model
from hub_toolkit.settings import load_settings

if TYPE_CHECKING:
    from hub_toolkit.memory.build import MemoryBuilder

_SELDOM = (5_000, 20, 20)
EXIT_STOPPED = 3
"""A limit of the budget was reached; the same command goes on."""


@dataclass(frozen=True)
class Access:
    """How the model is reached; None: from the settings."""

    base_url: str | None
    api_key: str | None
    engine: EngineOptions
    is_cached: bool


@click.command("run")
@asking_options
@click.option("--base-url", help="Endpoint of an OpenAI-compatible model.")
@click.option("--api-key", help="Key of the endpoint; better set PERSONAMEM_API_KEY.")
@click.option("--tensor-parallel", type=click.IntRange(1), default=1, show_default=True, help="vllm: GPUs a copy.")
@click.option("--data-parallel", type=click.IntRange(1), default=1, show_default=True, help="vllm: copies.")
@click.option("--window", "context_tokens", type=click.IntRange(64), help="hf, vllm: read less than the model could.")
@click.option("--concurrency", type=click.IntRange(1), help="How many questions at once.")
@click.option("--shard", help="Ask one part of the personas, as in 2/4; `eval merge` puts the parts together.")
@click.option("--max-usd", type=click.FloatRange(0), help="Stop before the run costs more; needs --prices.")
@click.option("--max-tokens", type=click.IntRange(0), help="Stop before the run takes more tokens, in and out.")
@click.option("--max-hours", type=click.FloatRange(0), help="Stop after so many hours of this call.")
@prices_option
@click.option("--cache", "is_cached", is_flag=True, help="Keep replies for other runs, and take what is kept.")
@click.option("--retry-failed", "is_retrying_failed", is_flag=True, help="Ask the failed rows of this run again.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="The run's folder.")
@click.pass_context
def run_command(ctx: click.Context, /, data: str, out: Path, **options: Any) -> None:
    """Ask a split's questions and score the answers.

    The run can be killed at any moment; the same command goes on where it was and asks nothing twice. Where a limit is
    reached it stops with exit status 3, and goes on when it is called again.
    """
    config, folder = take_config(data, options)
    engine = EngineOptions(
        adapter=config.adapter,
        **{name: options.pop(name) for name in ("tensor_parallel", "data_parallel", "context_tokens")},
    )
    access = Access(options.pop("base_url"), options.pop("api_key"), engine, options.pop("is_cached"))
    record = asyncio.run(_run(config, folder, access, out, _read_options(options)))
    if record.stop is not None:
        click.echo(_describe_stop(record, out))
        ctx.exit(EXIT_STOPPED)
    click.echo(_summary(record, out))
    if record.counts["failed"] == record.counts["rows"]:
        first = next(row.answer.error for row in load_rows(out))
        raise ProviderError(f"every row failed ({first}); mend it and add --retry-failed")


def _read_options(options: dict[str, Any]) -> RunOptions:
    shard, concurrency = options.pop("shard"), options.pop("concurrency")
    is_retrying_failed = options.pop("is_retrying_failed")
    return RunOptions(
        concurrency or load_settings().num_concurrent,
        is_retrying_failed,
        budget=Budget(**options),
        shard=parse_shard(shard) if shard else None,
    )


async def _run(config: EvalConfig, folder: Path, access: Access, out: Path, options: RunOptions) -> RunRecord:
    samples = load_questions(folder, config.split)
    model = _open_model(config, access, options.num_concurrent)
    counter = load_protocol(config.protocol).counter
    setup = Setup(
        config,
        folder,
        split_path(folder, config.split),
        samples,
        model,
        counter,
        lambda: _open_builder(config, model, counter),
    )
    bar = ProgressBar()
    try:
        if config.reader == "memory":
            setup.make_builder()  # says at once where there is no such builder
        with _collecting_seldom():
            return await run_evaluation(setup, out, options=options, on_progress=bar.show)
    finally:
        bar.close()
        if model is not None:
            await model.close()


@contextmanager
def _collecting_seldom() -> Iterator[None]:
    """Keep the garbage collector from going through all questions again and again while they are asked.

    They live as long as the run, and each request leaves some cycles: it costs a tenth of the time otherwise.
    """
    usual = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_SELDOM)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()


def _open_model(config: EvalConfig, access: Access, num_concurrent: int) -> MeteredModel | None:
    """Return the model that the configuration names; what caps a memory is the protocol's counter, not the model's."""
    if config.model == LEXICAL:
        return None
    settings = load_settings()
    model = load_model(
        config.model,
        settings=settings,
        base_url=access.base_url,
        api_key=access.api_key,
        num_concurrent=num_concurrent,
        engine=access.engine,
    )
    cache = ResponseCache(settings.cache_dir) if access.is_cached else None
    return MeteredModel(model, cache=cache, counter=load_protocol(config.protocol).counter)


def _open_builder(config: EvalConfig, model: MeteredModel | None, counter: TokenCounter) -> MemoryBuilder:
    # Loading them takes a third of a second, which a run without memories does not need.
    from hub_toolkit.memory.builders.named import BuilderOptions, open_builder

    return open_builder(config.builder, BuilderOptions(counter, config.cap_tokens, model))


def _describe_stop(record: RunRecord, out: Path) -> str:
    stop = record.stop or {}
    return f"{out}: stopped: {stop['reason']}. {stop['answered']} answers are kept, {stop['left']} are left to ask"


def _summary(record: RunRecord, out: Path) -> str:
    counts = record.counts
    parts = ", ".join(f"{counts[name]} {name}" for name in ("scored", "unparsed", "failed", "unscored") if counts[name])
    return f"{out}: {counts['rows']} rows ({parts}); `personamem eval report {out}` says what it means"
