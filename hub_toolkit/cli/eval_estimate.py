"""`personamem eval estimate`."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click

from hub_toolkit.cli.eval_options import asking_options, prices_option, take_config
from hub_toolkit.errors import DataFormatError
from hub_toolkit.evaluate.estimate import Estimate, Expectations, Part, estimate_run
from hub_toolkit.evaluate.plan import BUILDERS, EvalConfig, plan_evaluation
from hub_toolkit.evaluate.questions import load_questions
from hub_toolkit.evaluate.record import load_record
from hub_toolkit.evaluate.shards import cut_plan, parse_shard
from hub_toolkit.settings import load_settings

_LINE = "{:<12}{:>12}{:>18}{:>16}{:>10}{:>12}"


@click.command("estimate")
@asking_options
@prices_option
@click.option("--judge", help="The judge of --task open. Default: the answering model.")
@click.option("--answer-tokens", type=click.FloatRange(0), help="Of one answer. Default: as long as it may be.")
@click.option("--judge-tokens", type=click.FloatRange(0), help="Of one verdict. Default: as long as it may be.")
@click.option("--call-s", type=click.FloatRange(0, min_open=True), help="Seconds that one call takes.")
@click.option("--like", type=click.Path(path_type=Path, file_okay=False), help="Take both from an earlier run.")
@click.option("--concurrency", type=click.IntRange(1), help="How many questions at once.")
@click.option("--shard", help="One part of the personas, as in 2/4.")
@click.option("--json", "is_json", is_flag=True, help="Everything, as JSON.")
def estimate_command(data: str, is_json: bool, shard: str | None, like: Path | None, **options: Any) -> None:
    """Say what `eval run` with the same options would take: calls, tokens, USD and time.

    Counts the real prompts; nothing is asked. Replies, verdicts and memories are taken at their longest unless told
    otherwise.
    """
    config, folder = take_config(data, options)
    options["num_concurrent"] = options.pop("concurrency") or load_settings().num_concurrent
    expected = Expectations(**options)
    if like is not None:
        expected = learn(like, expected)
    plan = plan_evaluation(load_questions(folder, config.split), config)
    if shard is not None:
        plan = cut_plan(plan, parse_shard(shard))
    estimate = estimate_run(plan, folder, config, expected)
    if is_json:
        parts = {name: asdict(part) for name, part in {**estimate.parts, "total": estimate.total}.items()}
        click.echo(json.dumps({**parts, "usd": estimate.usd, "usd_cached": estimate.usd_cached}, indent=2))
        return
    click.echo(render_estimate(estimate, config, expected))


def learn(run: Path, expected: Expectations) -> Expectations:
    """Fill what is not said from what an earlier run took: the mean answer, and the median call.

    Raises: DataFormatError: the run is not complete, or it asked no model.
    """
    record = load_record(run)
    if record is None or record.status != "complete" or not (record.requests and record.requests["seconds"]):
        raise DataFormatError("is no complete run that asked a model; name another with --like", file=str(run))
    num_answered = record.counts["rows"] - record.counts["failed"]
    # A row in several orders of its options holds as many answers; likelihoods are no answers.
    num_answers = num_answered * record.config.get("num_permutations", 1)
    is_telling = num_answers and record.config.get("method", "generate") == "generate"
    answer_tokens = record.tokens["answers"]["output"] / num_answers if is_telling else None
    return replace(
        expected,
        answer_tokens=expected.answer_tokens if expected.answer_tokens is not None else answer_tokens,
        call_s=expected.call_s if expected.call_s is not None else record.requests["seconds"]["p50"],
    )


def render_estimate(estimate: Estimate, config: EvalConfig, expected: Expectations) -> str:
    """Return the estimate as lines for a terminal."""
    lines = [_LINE.format("", "calls", "prompt tokens", "output tokens", "shared", "time")]
    lines += [_render_part(name, part) for name, part in estimate.parts.items() if part.calls]
    lines += [_render_part("all", estimate.total), "", _render_cost(estimate, config), _render_time(estimate, expected)]
    if config.reader == "memory" and config.builder not in BUILDERS:
        lines.append(f"memories: not known what the builder {config.builder} takes; it is not in these figures")
    if config.reader == "external" and config.external != "bm25":
        lines.append(f"memories: not known what {config.external} asks of a model; it is not in these figures")
    if estimate.memories.calls:
        lines.append(f"memories: taken as full, {config.cap_tokens:,} tokens each")
    if estimate.questions.tokens.output:
        known = expected.answer_tokens
        lines.append(
            f"answers: taken at their longest, {config.reply_tokens:,} tokens; --answer-tokens or --like RUN say better"
            if known is None
            else f"answers: {known:,.0f} tokens each"
        )
    return "\n".join(lines)


def _render_part(name: str, part: Part) -> str:
    share = f"{part.tokens.cached / part.tokens.input:.1%}" if part.tokens.input else "-"
    time = "-" if part.seconds is None else _duration(part.seconds)
    return _LINE.format(name, f"{part.calls:,}", f"{part.tokens.input:,}", f"{part.tokens.output:,}", share, time)


def _render_cost(estimate: Estimate, config: EvalConfig) -> str:
    if estimate.usd is None or estimate.usd_cached is None:
        return f"cost: not known; name a file with the price of {config.model} with --prices"
    cached = f" ({estimate.usd_cached:,.2f} USD where shared beginnings are charged as cached)"
    return f"cost: {estimate.usd:,.2f} USD" + (cached if estimate.usd_cached < estimate.usd else "")


def _render_time(estimate: Estimate, expected: Expectations) -> str:
    seconds = estimate.total.seconds
    if seconds is None:
        return "time: not known; say how long a call takes with --call-s or --like RUN"
    if expected.call_s is None:
        return "time: no call to wait for"
    return f"time: {_duration(seconds)} at {expected.call_s:g} s a call, {expected.num_concurrent} at once"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
