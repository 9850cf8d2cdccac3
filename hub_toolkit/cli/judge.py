"""`personamem eval judge` and `personamem judge audit`."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import click
from tqdm import tqdm

from hub_toolkit.cli.eval_options import prices_option
from hub_toolkit.data.schema import Sample
from hub_toolkit.errors import DataFormatError, ProviderError
from hub_toolkit.evaluate.budget import Budget, BudgetError, Meter
from hub_toolkit.evaluate.judge_audit import AuditConfig, audit_runs
from hub_toolkit.evaluate.judging import (
    JudgeRecord,
    JudgingOptions,
    judge_open_answers,
    load_judgements,
    open_judged_run,
    open_run,
)
from hub_toolkit.evaluate.metered import MeteredModel
from hub_toolkit.evaluate.questions import load_questions
from hub_toolkit.evaluate.render_judging import render_audit, render_judging
from hub_toolkit.hub.transfer.pull import open_dataset
from hub_toolkit.judge.agreement import Price
from hub_toolkit.judge.panel import Panel, PanelConfig, protocol_config
from hub_toolkit.models.base import ChatModel
from hub_toolkit.models.registry import load_model
from hub_toolkit.settings import load_settings

Command = TypeVar("Command", bound=Callable[..., Any])
Result = TypeVar("Result")

EXIT_STOPPED = 3
"""A limit of the budget was reached; the same command goes on."""


@dataclass(frozen=True)
class Judges:
    """Which models judge, and how they are reached; None: from the settings."""

    names: tuple[str, ...]
    base_url: str | None
    api_key: str | None

    def open(self, stack: AsyncExitStack, options: JudgingOptions) -> list[ChatModel]:
        """Open each model once, its calls weighed by the options' meter; they are closed with the stack.

        Raises: PersonaMemError: a model cannot be opened, or has no price where a limit in USD needs one.
        """
        settings = load_settings()
        meter = options.meter or Meter()
        opened: dict[str, MeteredModel] = {}
        for name in self.names:
            if name not in opened:
                model = load_model(
                    name,
                    settings=settings,
                    base_url=self.base_url,
                    api_key=self.api_key,
                    num_concurrent=options.num_concurrent,
                )
                stack.push_async_callback(model.close)
                opened[name] = MeteredModel(model)
                opened[name].bind(None, meter)
        meter.budget.check(*(model.name for model in opened.values()))
        return [opened[name] for name in self.names]


def _split_names(_: click.Context, __: click.Parameter, values: Sequence[str]) -> tuple[str, ...]:
    """Return the models named, whether repeated or with commas."""
    names = [name.strip() for value in values for name in value.split(",")]
    return tuple(name for name in names if name)


_run_path = click.Path(path_type=Path, file_okay=False)
_ASKING = (
    click.option("--data", help="The dataset of the run; not needed for `mini`."),
    click.option("--base-url", help="Endpoint of OpenAI-compatible judges."),
    click.option("--api-key", help="Key of the endpoint; better set PERSONAMEM_API_KEY."),
    click.option("--concurrency", type=click.IntRange(1), help="How many calls at once."),
    click.option("--max-usd", type=click.FloatRange(0), help="Stop before judging costs more; needs --prices."),
    click.option("--max-tokens", type=click.IntRange(0), help="Stop before judging takes more tokens, in and out."),
    click.option("--max-hours", type=click.FloatRange(0), help="Stop after so many hours of this call."),
    prices_option,
    click.option("--retry-failed", "is_retrying_failed", is_flag=True, help="Ask again where a judge gave no reply."),
    click.option("--json", "is_json", is_flag=True, help="Everything, as JSON."),
)


def _asking_options(command: Command) -> Command:
    """Add the options that say how judges are asked."""
    for option in reversed(_ASKING):
        command = option(command)
    return command


@click.group()
def judge() -> None:
    """Audit the judges of open answers."""


@click.command("judge")
@click.argument("run", type=_run_path)
@click.option("--model", "models", multiple=True, callback=_split_names, help="The judge, or one for each verdict.")
@click.option("--verdicts", "num_verdicts", type=click.IntRange(1), help="Verdicts an answer. Default: the protocol's.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--temperature", type=click.FloatRange(0), help="Default: the protocol's.")
@click.option("--reply-tokens", type=click.IntRange(1), help="The longest verdict. Default: the protocol's.")
@click.option(
    "--early-stop", "is_stopping_early", is_flag=True, help="Leave out the verdicts that cannot change the majority."
)
@_asking_options
@click.pass_context
def judge_run(ctx: click.Context, /, run: Path, models: tuple[str, ...], **options: Any) -> None:
    """Judge the open answers of a run, three verdicts each.

    It can be killed at any moment; the same command goes on and asks nothing twice. Where a limit is reached it stops
    with exit status 3. `personamem eval report` then gives the accuracy.
    """
    judges, judging = _take_asking(models or _default_models(), options)
    data, is_json = options.pop("data"), options.pop("is_json")
    record = open_run(run)
    told = {name: value for name, value in options.items() if value is not None}
    config = replace(protocol_config(record.protocol), **told)
    samples = _load_samples(record.dataset, data)
    judged = _finish(ctx, _judge(run, samples, judges, config, judging))
    click.echo(json.dumps(asdict(judged), ensure_ascii=False, indent=2) if is_json else render_judging(judged))
    if judged.counts["verdicts"] and judged.counts["failed_verdicts"] == judged.counts["verdicts"]:
        first = next(verdict.error for judgement in load_judgements(run).values() for verdict in judgement.verdicts)
        raise ProviderError(f"every verdict failed ({first}); mend it and add --retry-failed")


@judge.command("audit")
@click.argument("runs", nargs=-1, required=True, type=_run_path)
@click.option("--models", multiple=True, callback=_split_names, help="Judges to try. Default: those of the first run.")
@click.option("--sample", "num_items", type=click.IntRange(1), default=60, show_default=True, help="Answers a run.")
@click.option(
    "--planted", "num_planted", type=click.IntRange(0), default=20, show_default=True, help="Samples a gold type."
)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--out", type=_run_path, help="Folder of the audit. Default: `audit` in the first run.")
@_asking_options
@click.pass_context
def audit_command(
    ctx: click.Context, /, runs: tuple[Path, ...], models: tuple[str, ...], out: Path | None, **options: Any
) -> None:
    """Re-judge a sample of judged runs with other models, wordings and orders, and with planted answers.

    Says how far the judges agree, which verdicts flip, whether the order of several runs survives, and what share of
    planted wrong answers each judge accepts. It can be killed; the same command goes on.
    """
    record = open_judged_run(runs[0])
    names = models or tuple(name.partition(" #")[0] for name in record.judges)
    judges, judging = _take_asking(tuple(dict.fromkeys(names)), options)
    data, is_json = options.pop("data"), options.pop("is_json")
    samples = _load_samples(open_run(runs[0]).dataset, data)
    out = out or runs[0] / "audit"
    report = _finish(ctx, _audit(runs, samples, judges, out, config=AuditConfig(**options), options=judging))
    click.echo(json.dumps(report, ensure_ascii=False, indent=2) if is_json else render_audit(report))


def _take_asking(names: tuple[str, ...], options: dict[str, Any]) -> tuple[Judges, JudgingOptions]:
    """Take what changes no verdict out of a command's options."""
    judges = Judges(names, *(options.pop(name) for name in ("base_url", "api_key")))
    prices = options.pop("prices")
    limits = {name: options.pop(name) for name in ("max_usd", "max_tokens", "max_hours")}
    judging = JudgingOptions(
        options.pop("concurrency") or load_settings().num_concurrent,
        options.pop("is_retrying_failed"),
        {name: Price(price.input_usd, price.output_usd) for name, price in prices.items()},
        Meter(Budget(**limits, prices=prices)),
    )
    return judges, judging


def _finish(ctx: click.Context, job: Coroutine[Any, Any, Result]) -> Result:
    """Return what judging came to; where a limit comes first, say so and end with its exit status."""
    try:
        return asyncio.run(job)
    except BudgetError as error:
        click.echo(f"stopped: {error}")
        ctx.exit(EXIT_STOPPED)


def _default_models() -> tuple[str, ...]:
    model = load_settings().model
    if not model:
        raise ProviderError("no judge is named: pass --model openai/<model>, or set PERSONAMEM_MODEL", kind="missing")
    return (model,)


def _load_samples(dataset: Mapping[str, Any], data: str | None) -> list[Sample]:
    if data is None and dataset["name"] != "mini":
        raise DataFormatError(f"the run was made on {dataset['name']}; name its folder with --data")
    return load_questions(open_dataset(data or "mini", load_settings()), dataset["split"])


async def _judge(
    run: Path, samples: Sequence[Sample], judges: Judges, config: PanelConfig, options: JudgingOptions
) -> JudgeRecord:
    async with AsyncExitStack() as stack:
        panel = Panel(judges.open(stack, options), config)
        return await judge_open_answers(run, samples, panel, _with_bar(options, stack))


async def _audit(
    runs: Sequence[Path],
    samples: Sequence[Sample],
    judges: Judges,
    out: Path,
    *,
    config: AuditConfig,
    options: JudgingOptions,
) -> dict[str, Any]:
    async with AsyncExitStack() as stack:
        return await audit_runs(
            runs, samples, judges.open(stack, options), out, config=config, options=_with_bar(options, stack)
        )


def _with_bar(options: JudgingOptions, stack: AsyncExitStack) -> JudgingOptions:
    """Return the options with a progress bar, drawn on a terminal only."""
    # A terminal that gives no size (0 × 0) gets the usual one; tqdm alone would draw nothing there.
    size = shutil.get_terminal_size()
    bar = tqdm(desc="judged", file=sys.stderr, disable=None, ncols=size.columns, nrows=size.lines)
    stack.callback(bar.close)

    def show(done: int, total: int) -> None:
        bar.total = total
        bar.update(done - bar.n)

    return replace(options, on_progress=show)
