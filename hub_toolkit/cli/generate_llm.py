"""`personamem generate run` and `personamem generate estimate`."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hub_toolkit.cli.eval_options import prices_option
from hub_toolkit.cli.eval_run import EXIT_STOPPED
from hub_toolkit.errors import DataFormatError

if TYPE_CHECKING:
    from hub_toolkit.evaluate.budget import Price
    from hub_toolkit.generate.llm.config import LlmConfig
    from hub_toolkit.generate.llm.estimate import Estimate
    from hub_toolkit.generate.llm.pipeline import RunReport

_LINE = "{:<32}{:>12}{:>16}{:>16}"
_SURVIVAL_LINE = "{:<16}{:>9}{:>9}  {}"
_RUN_STAGES = (
    *("personas", "preferences", "contradiction", "stereotype"),
    *("conversations", "questions", "filters", "histories"),
)

_config_option = click.option(
    "--config", "config_file", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="TOML or YAML file."
)
_personas_option = click.option("--personas", type=int, help="Filled up to fours. Default: the file's, else 8.")
_seed_option = click.option("--seed", type=int, help="Default: the file's, else 0.")
_padding_option = click.option("--padding", metavar="DATA", help="Dialogues for 128k: a JSON file or hf://owner/name.")
_concurrency_option = click.option("--concurrency", type=click.IntRange(1), help="How many calls at once.")


@click.command("run")
@_config_option
@_personas_option
@_seed_option
@_padding_option
@click.option("--model", "spec", required=True, help="openai/…, vllm/…, hf/… or local/….")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="The dataset's folder.")
@click.option("--stage", "until", type=click.Choice(_RUN_STAGES), help="Stop after this stage; a later call goes on.")
@click.option("--quads", "quads_at_once", type=click.IntRange(1), default=2, show_default=True, help="Quads at once.")
@_concurrency_option
@click.option("--base-url", help="Endpoint of an OpenAI-compatible model.")
@click.option("--api-key", help="Key of the endpoint; better set PERSONAMEM_API_KEY.")
@click.option("--tensor-parallel", type=click.IntRange(1), default=1, show_default=True, help="vllm: GPUs a copy.")
@click.option("--data-parallel", type=click.IntRange(1), default=1, show_default=True, help="vllm: copies.")
@click.option("--max-usd", type=click.FloatRange(0), help="Stop before the run costs more; needs --prices.")
@click.option("--max-tokens", type=click.IntRange(0), help="Stop before the run takes more tokens, in and out.")
@click.option("--max-hours", type=click.FloatRange(0), help="Stop after so many hours of this call.")
@prices_option
@click.option("--cache", "is_cached", is_flag=True, help="Keep replies for other runs, and take what is kept.")
@click.pass_context
def run_command(ctx: click.Context, /, **options: Any) -> None:
    """Write a dataset with a language model, and keep only what passes every filter.

    Can be killed at any moment; the same command goes on and asks nothing twice that was answered. Where a limit is
    reached it stops with exit status 3, and goes on when it is called again.
    """
    config = _load(options)
    report = asyncio.run(_run(config, options))
    click.echo(_render_survival(report))
    if report.stopped is not None:
        click.echo(f"{report.out}: stopped: {report.stopped}")
        ctx.exit(EXIT_STOPPED)
    click.echo(_summary(report, options["until"], options["prices"].get(options["spec"])))
    if report.status == "complete" and not report.facts["num_rows"]:
        raise DataFormatError("no question passed; rejections.jsonl says why", file=str(report.out))


@click.command("estimate")
@_config_option
@_personas_option
@_seed_option
@click.option("--model", "spec", help="Whose price to take from --prices.")
@prices_option
@click.option("--like", type=click.Path(path_type=Path, file_okay=False), help="A finished run to learn from.")
@click.option("--call-s", type=click.FloatRange(0, min_open=True), help="Seconds that one call takes.")
@_concurrency_option
@click.option("--json", "is_json", is_flag=True, help="Everything, as JSON.")
def estimate_command(is_json: bool, **options: Any) -> None:
    """Say what `generate run` with the same configuration would take: calls, tokens, USD and time.

    Run a few personas first and name that run with --like; without it, the configuration's assumptions are taken.
    """
    from hub_toolkit.generate.llm.estimate import Pace, estimate_run, load_pilot
    from hub_toolkit.settings import load_settings

    config = _load(options)
    pilot = load_pilot(options["like"]) if options["like"] is not None else None
    num_concurrent = options["concurrency"] or load_settings().num_concurrent
    pace = Pace(options["call_s"], num_concurrent, options["prices"].get(options["spec"]))
    estimate = estimate_run(config, pilot=pilot, pace=pace)
    if is_json:
        rows = {name: asdict(row) for name, row in {**estimate.by_prompt, "total": estimate.total}.items()}
        known = {"usd": estimate.usd, "seconds": estimate.seconds, "source": estimate.source}
        click.echo(json.dumps({"prompts": rows, **known}, indent=2))
        return
    click.echo(_render_estimate(estimate, config))


def _load(options: dict[str, Any]) -> LlmConfig:
    from hub_toolkit.cli.generate import whole_quads
    from hub_toolkit.cli.generate_padding import take_padding
    from hub_toolkit.generate.llm.config import load_config

    personas = None if options["personas"] is None else whole_quads(options["personas"])
    given = {"num_personas": personas, "seed": options["seed"], "padding": options.get("padding")}
    return load_config(options["config_file"], open_source=take_padding, **given)


async def _run(config: LlmConfig, options: dict[str, Any]) -> RunReport:
    from hub_toolkit.evaluate.budget import Budget
    from hub_toolkit.evaluate.cache import ResponseCache
    from hub_toolkit.generate.llm.pipeline import RunOptions, run_llm
    from hub_toolkit.models.registry import EngineOptions, load_model
    from hub_toolkit.settings import load_settings

    settings = load_settings()
    budget = Budget(options["max_usd"], options["max_tokens"], options["max_hours"], options["prices"])
    num_concurrent = options["concurrency"] or settings.num_concurrent
    model = load_model(
        options["spec"],
        settings=settings,
        base_url=options["base_url"],
        api_key=options["api_key"],
        num_concurrent=num_concurrent,
        engine=EngineOptions(tensor_parallel=options["tensor_parallel"], data_parallel=options["data_parallel"]),
    )
    run = RunOptions(
        num_concurrent,
        options["quads_at_once"],
        options["until"],
        budget,
        ResponseCache(settings.cache_dir) if options["is_cached"] else None,
        _say,
    )
    try:
        return await run_llm(config, model, options["out"], options=run)
    finally:
        await model.close()


def _say(done: int, total: int) -> None:
    click.echo(f"{done:,} of {total:,} quads", err=True)


def _render_survival(report: RunReport) -> str:
    lines = [_SURVIVAL_LINE.format("stage", "in", "out", "rejected")]
    for stage, row in report.survival.items():
        reasons = ", ".join(f"{reason} {num:,}" for reason, num in row["rejected"].items())
        lines.append(_SURVIVAL_LINE.format(stage, f"{row['in']:,}", f"{row['out']:,}", reasons).rstrip())
    return "\n".join(lines)


def _summary(report: RunReport, until: str | None, price: Price | None) -> str:
    from hub_toolkit.evaluate.budget import Tokens

    rows = report.facts["replies"].values()
    calls, tokens_in, out, cached = (sum(row[name] for row in rows) for name in ("calls", "input", "output", "cached"))
    taken = f"{calls:,} calls, {tokens_in:,} tokens in, {out:,} out"
    if price is not None:
        taken += f", {price.usd(Tokens(tokens_in, out, cached)):,.2f} USD"
    if report.status == "staged":
        return f"{report.out}: all quads are through stage {until}; {taken}"
    facts = report.facts
    splits = ", ".join(f"{name} {split['rows']:,}" for name, split in facts["splits"].items()) or "none"
    return f"{report.out}: {facts['num_rows']:,} questions ({splits}) of {facts['num_personas']:,} personas; {taken}"


def _render_estimate(estimate: Estimate, config: LlmConfig) -> str:
    lines = [_LINE.format("", "calls", "prompt tokens", "output tokens")]
    for name, row in {**estimate.by_prompt, "all": estimate.total}.items():
        shown = name.removeprefix("generate_")
        lines.append(_LINE.format(shown, f"{row.calls:,.0f}", f"{row.input:,.0f}", f"{row.output:,.0f}"))
    cost = "not known; name the model with --model and its price with --prices"
    time = "not known; say how long a call takes with --call-s"
    lines += ["", "cost: " + (cost if estimate.usd is None else f"{estimate.usd:,.2f} USD")]
    lines.append("time: " + (time if estimate.seconds is None else f"{estimate.seconds / 3600:,.1f} h"))
    source = "from the run named with --like" if estimate.source == "pilot" else "assumed, since no run was named"
    lines.append(f"for {config.num_personas:,} personas; lengths and survival are {source}")
    return "\n".join(lines)
