"""`personamem eval run` and `personamem eval report`."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

from hub_toolkit.answer.readers import READERS, TRUNCATIONS
from hub_toolkit.data.parse import load_samples, resolve_dataset, split_path
from hub_toolkit.data.schema import CONTEXT_SIZES, SPLITS
from hub_toolkit.data.tokens import EstimateCounter, TokenCounter
from hub_toolkit.errors import ProviderError
from hub_toolkit.evaluate.plan import BUILDERS, LEXICAL, TASKS, EvalConfig
from hub_toolkit.evaluate.record import RunRecord
from hub_toolkit.evaluate.render import render_report
from hub_toolkit.evaluate.report import build_report
from hub_toolkit.evaluate.run import Progress, RunOptions, Setup, run_evaluation
from hub_toolkit.memory.agentic import AgenticBuilder
from hub_toolkit.memory.build import DEFAULT_CHUNK_TOKENS, MemoryBuilder
from hub_toolkit.memory.document import DEFAULT_CAP_TOKENS
from hub_toolkit.memory.extractive import ExtractiveBuilder
from hub_toolkit.models.base import ChatModel
from hub_toolkit.models.registry import load_model
from hub_toolkit.settings import load_settings


@dataclass(frozen=True)
class Endpoint:
    """Where a model is asked; None: from the settings."""

    base_url: str | None
    api_key: str | None


@click.group("eval")
def eval_group() -> None:
    """Run an evaluation and report on it."""


@eval_group.command("run")
@click.option("--data", required=True, help="A dataset's folder, or `mini` for the one that is shipped.")
@click.option("--split", type=click.Choice(SPLITS), default="benchmark", show_default=True)
@click.option("--reader", type=click.Choice(READERS), default="memory", show_default=True, help="What is read first.")
@click.option("--task", type=click.Choice(TASKS), default="mcq", show_default=True)
@click.option("--model", default=LEXICAL, show_default=True, help="`lexical` (no LLM), openai/…, local/… or fake/….")
@click.option("--base-url", help="Endpoint of an OpenAI-compatible model.")
@click.option("--api-key", help="Key of the endpoint; better set PERSONAMEM_API_KEY.")
@click.option("--builder", type=click.Choice(BUILDERS), default="extractive", show_default=True, help="Of the memory.")
@click.option("--context", type=click.Choice(CONTEXT_SIZES), default="32k", show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--limit", type=click.IntRange(1), help="Ask only the first rows, in the order of personas.")
@click.option("--cap", "cap_tokens", type=click.IntRange(16), default=DEFAULT_CAP_TOKENS, show_default=True)
@click.option("--chunk-tokens", type=click.IntRange(64), default=DEFAULT_CHUNK_TOKENS, show_default=True)
@click.option("--persona-system", type=click.Choice(["drop", "keep"]), default="drop", show_default=True)
@click.option(
    "--truncate", type=click.Choice(TRUNCATIONS), help="What to do when a prompt is too long; else: an error."
)
@click.option("--max-tokens", "reply_tokens", type=click.IntRange(1), default=1024, show_default=True)
@click.option(
    "--counterfactual/--no-counterfactual",
    "is_counterfactual",
    default=None,
    help="Ask everything with another owner's memory too. Default: on for `lexical`, where it is free.",
)
@click.option("--concurrency", type=click.IntRange(1), help="How many questions at once.")
@click.option("--retry-failed", "is_retrying_failed", is_flag=True, help="Ask the failed rows of this run again.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="The run's folder.")
def run_command(
    data: str, base_url: str | None, api_key: str | None, out: Path, concurrency: int | None, **options: Any
) -> None:
    """Ask a split's questions and score the answers.

    The run can be killed at any moment; the same command goes on where it was and asks nothing twice.
    """
    is_retrying_failed = options.pop("is_retrying_failed")
    if options["is_counterfactual"] is None:
        options["is_counterfactual"] = options["model"] == LEXICAL and options["reader"] != "none"
    folder = resolve_dataset(data)
    config = EvalConfig(dataset="mini" if data == "mini" else folder.resolve().name, **options)
    run_options = RunOptions(concurrency or load_settings().num_concurrent, is_retrying_failed)
    record = asyncio.run(_run(config, folder, Endpoint(base_url, api_key), out, run_options))
    click.echo(_summary(record, out))
    if record.counts["failed"] == record.counts["rows"]:
        first = build_report(out)["failures"][0]["error"]
        raise ProviderError(f"every row failed ({first}); mend it and add --retry-failed")


@eval_group.command("report")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--json", "is_json", is_flag=True, help="Everything, as JSON.")
@click.option(
    "--no-context",
    type=click.Path(path_type=Path),
    help="A run of the same model with --reader none, for the baseline. `lexical` needs none.",
)
def report_command(run: Path, is_json: bool, no_context: Path | None) -> None:
    """Print a run's accuracy beside its baselines."""
    report = build_report(run, no_context=no_context)
    click.echo(json.dumps(report, ensure_ascii=False, indent=2) if is_json else render_report(report))


async def _run(config: EvalConfig, folder: Path, endpoint: Endpoint, out: Path, options: RunOptions) -> RunRecord:
    samples = load_samples(folder, config.split)
    model: ChatModel | None = None
    if config.model != LEXICAL:
        model = load_model(config.model, settings=load_settings(), base_url=endpoint.base_url, api_key=endpoint.api_key)
    counter: TokenCounter = model.counter if model else EstimateCounter()

    def make_builder() -> MemoryBuilder:
        if config.builder == "agentic" and model is not None:
            return AgenticBuilder(model, cap_tokens=config.cap_tokens)
        return ExtractiveBuilder(counter, cap_tokens=config.cap_tokens)

    questions = split_path(folder, config.split)
    setup = Setup(config, folder, questions, samples, model, counter, make_builder)
    bar = ProgressBar()
    try:
        return await run_evaluation(setup, out, options=options, on_progress=bar.show)
    finally:
        bar.close()
        if model is not None:
            await model.close()


class ProgressBar:
    """Draws the progress with rate and time left, one bar a stage; nothing where stderr is not a terminal."""

    def __init__(self) -> None:
        self.stage: str | None = None
        self.bar: tqdm[Any] | None = None

    def show(self, progress: Progress) -> None:
        """Draw the state of a stage."""
        if self.bar is None or progress.stage != self.stage:
            self.close()
            self.stage = progress.stage
            # What was done before this session must not count for the rate.
            initial = progress.done if progress.stage == "answers" else 0
            # A terminal that gives no size (0 × 0) gets the usual one; tqdm alone would draw nothing there.
            size = shutil.get_terminal_size()
            self.bar = tqdm(
                total=progress.total,
                initial=initial,
                desc=progress.stage,
                file=sys.stderr,
                disable=None,
                ncols=size.columns,
                nrows=size.lines,
            )
        tokens = f"{_short(progress.input_tokens)} in, {_short(progress.output_tokens)} out"
        self.bar.set_postfix_str(f"{tokens}, {progress.num_failed} failed", refresh=False)
        self.bar.update(progress.done - self.bar.n)

    def close(self) -> None:
        """Take the bar away."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None


def _short(number: int) -> str:
    return str(number) if number < 1000 else str(tqdm.format_sizeof(number))


def _summary(record: RunRecord, out: Path) -> str:
    counts = record.counts
    parts = ", ".join(f"{counts[name]} {name}" for name in ("scored", "unparsed", "failed", "unscored") if counts[name])
    return f"{out}: {counts['rows']} rows ({parts}); `personamem eval report {out}` says what it means"
