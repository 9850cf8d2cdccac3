"""A run that is killed, stopped or cut into stages ends with the bytes of one that was not."""

from __future__ import annotations

import asyncio
import hashlib
import json
import multiprocessing
import os
import random
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hub_toolkit.errors import DataFormatError, ProviderError
from hub_toolkit.evaluate.budget import Budget, Price
from hub_toolkit.evaluate.cache import ResponseCache
from hub_toolkit.generate.llm.config import FILTERS, LlmConfig, PreferenceCounts
from hub_toolkit.generate.llm.pipeline import RUN_STAGES, RunOptions, run_llm
from hub_toolkit.models.base import Completion
from tests.generate_endpoint import serve
from tests.generate_faults import RATES, read_rows, small_config
from tests.generate_judges import Script
from tests.generate_script import ScriptedModel, Writer, read_prompt

SCRIPT = Script(RATES, refusal=0.02, bad_json=0.03, wrong_count=0.02, unreadable_vote=0.02, wrong_vote=0.01)
TINY = small_config(num_personas=4, preferences=PreferenceCounts(1, 1, 2, 0, 1, 1), has_128k=False, twin_every=1)
NUM_KILLS = 20
_LEAST_DELAY_S = 0.002


def tree_of(folder: Path) -> dict[str, str]:
    """Return every file of a dataset with its hash."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != ".lock"]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def run(out: Path, config: LlmConfig = TINY, options: RunOptions | None = None) -> ScriptedModel:
    """Run to the end in this process; return the model that was asked."""
    model = ScriptedModel(Writer(SCRIPT), "openai/scripted")
    report = asyncio.run(run_llm(config, model, out, options=options or RunOptions()))
    assert report.status == "complete"
    return model


def ask_over_http(out: str, url: str) -> None:
    """Run in a process of its own, as the command does."""
    from hub_toolkit.models.openai_api import Endpoint, OpenAIModel

    async def go() -> None:
        model = OpenAIModel("scripted", Endpoint(url, num_concurrent=4))
        await run_llm(TINY, model, Path(out), options=RunOptions(num_concurrent=4))
        await model.close()

    asyncio.run(go())


def test_killed_twenty_times_the_bytes_are_the_same_and_nothing_answered_is_asked_again(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.unit.generate.llm.test_resume", "openai"])
    moments = random.Random(7)
    targets = sorted(moments.randrange(1, whole.num_calls - 1) for _ in range(NUM_KILLS))
    num_killed = 0
    with serve(Writer(SCRIPT)) as endpoint:
        for target in [*targets, whole.num_calls * 2]:
            process = context.Process(target=ask_over_http, args=(str(tmp_path / "killed"), endpoint.url))
            process.start()
            # At least one more answer than before, so that two kills never meet at one place.
            wanted = max(target, sum(endpoint.answered.values()) + 1)
            while process.is_alive() and sum(endpoint.answered.values()) < wanted:
                time.sleep(_LEAST_DELAY_S)
            time.sleep(moments.random() * 0.02)
            if process.is_alive() and target <= whole.num_calls:
                assert process.pid is not None
                os.kill(process.pid, signal.SIGKILL)
                num_killed += 1
            process.join()
        assert process.exitcode == 0
        asked = sum(endpoint.answered.values())
    assert num_killed >= NUM_KILLS - 2
    assert tree_of(tmp_path / "killed") == tree_of(tmp_path / "whole")
    # A kill loses at most the calls that were under way.
    assert whole.num_calls <= asked <= whole.num_calls + 4 * num_killed


def test_bytes_do_not_depend_on_what_runs_at_once(tmp_path: Path) -> None:
    config = small_config(num_personas=8, preferences=TINY.preferences, twin_every=1)
    run(tmp_path / "one", config, RunOptions(num_concurrent=1, quads_at_once=1))
    run(tmp_path / "many", config, RunOptions(num_concurrent=32, quads_at_once=4))
    assert tree_of(tmp_path / "one") == tree_of(tmp_path / "many")


def test_another_seed_gives_another_dataset(tmp_path: Path) -> None:
    run(tmp_path / "a")
    run(tmp_path / "b", small_config(num_personas=4, preferences=TINY.preferences, has_128k=False, seed=1))
    one, two = tree_of(tmp_path / "a"), tree_of(tmp_path / "b")
    assert one["benchmark/text/benchmark.csv"] != two["benchmark/text/benchmark.csv"]


def test_stage_by_stage_is_the_same_as_at_once(tmp_path: Path) -> None:
    run(tmp_path / "whole")
    model = ScriptedModel(Writer(SCRIPT), "openai/scripted")
    calls = []
    for stage in RUN_STAGES:
        before = model.num_calls
        report = asyncio.run(run_llm(TINY, model, tmp_path / "staged", options=RunOptions(until=stage)))
        assert report.status == "staged"
        calls.append(model.num_calls - before)
    assert min(calls[:-1]) > 0 == calls[-1]
    report = asyncio.run(run_llm(TINY, model, tmp_path / "staged"))
    assert report.status == "complete"
    assert tree_of(tmp_path / "whole") == tree_of(tmp_path / "staged")


def test_a_stage_reads_the_records_that_the_one_before_it_left(tmp_path: Path) -> None:
    model = ScriptedModel(Writer(Script()), "openai/scripted")
    asyncio.run(run_llm(TINY, model, tmp_path, options=RunOptions(until="stereotype")))
    path = tmp_path / ".generate" / "stages" / "q00000" / "stereotype.json"
    content = json.loads(path.read_text("utf-8"))
    removed = content["records"].pop()["set_id"]
    path.write_text(json.dumps(content), "utf-8")
    asyncio.run(run_llm(TINY, model, tmp_path))
    groups = {row["group_id"] for row in read_rows(tmp_path)}
    assert groups and removed not in groups


@pytest.mark.parametrize("limit", ["tokens", "usd"])
def test_a_budget_stops_cleanly_and_a_higher_one_goes_on(tmp_path: Path, limit: str) -> None:
    whole = run(tmp_path / "whole")
    prices = {"openai/scripted": Price(1.0, 2.0, 1.0)}
    model = ScriptedModel(Writer(SCRIPT), "openai/scripted")
    # Calls are under way when the limit is reached: they are paid for, and kept.
    model.delay_s = 0.004
    low = Budget(max_tokens=60_000) if limit == "tokens" else Budget(max_usd=0.06, prices=prices)
    report = asyncio.run(run_llm(TINY, model, tmp_path / "cut", options=RunOptions(budget=low)))
    assert report.status == "stopped" and report.stopped is not None and f"--max-{limit}" in report.stopped
    spent = sum(row["input"] + row["output"] for row in report.facts["replies"].values())
    assert 30_000 < spent <= 60_000
    model.delay_s = 0.0
    again = asyncio.run(run_llm(TINY, model, tmp_path / "cut", options=RunOptions(budget=low)))
    assert again.status == "stopped"
    report = asyncio.run(run_llm(TINY, model, tmp_path / "cut"))
    assert report.status == "complete" and model.num_calls == whole.num_calls
    assert tree_of(tmp_path / "whole") == tree_of(tmp_path / "cut")


def test_a_finished_run_asks_nothing_and_another_configuration_is_refused(tmp_path: Path) -> None:
    run(tmp_path)
    before = tree_of(tmp_path)
    assert run(tmp_path).num_calls == 0
    assert tree_of(tmp_path) == before
    with pytest.raises(DataFormatError, match="another configuration"):
        run(tmp_path, small_config(num_personas=8))


def test_a_call_that_ends_while_duplicates_are_taken_out_still_counts_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "topics.txt").write_text("\n".join(f"topic {letter}" for letter in "abcdefg"))
    config = replace(
        small_config(num_personas=8, has_128k=False, twin_every=0), topics=str(tmp_path / "topics.txt"), filters=FILTERS
    )
    writer = Writer(Script({"duplicate": 1.0}))
    options = RunOptions(num_concurrent=8)
    asyncio.run(run_llm(config, ScriptedModel(writer), tmp_path / "whole", options=options))
    dropped = json.loads((tmp_path / "whole" / "survival.json").read_text())["duplicates"]["rejected"]
    assert dropped["duplicate"] >= 3

    def full_disk(*_: object, **__: object) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as patched:
        patched.setattr("hub_toolkit.generate.llm.pipeline.write_splits", full_disk)
        with pytest.raises(OSError, match="no space"):
            asyncio.run(run_llm(config, ScriptedModel(writer), tmp_path / "cut", options=options))
    model = ScriptedModel(writer)
    asyncio.run(run_llm(config, model, tmp_path / "cut", options=options))
    assert model.num_calls == 0
    assert tree_of(tmp_path / "whole") == tree_of(tmp_path / "cut")


def test_a_cache_answers_a_second_run_in_another_folder(tmp_path: Path) -> None:
    cache = ResponseCache(tmp_path / "cache")
    run(tmp_path / "a", options=RunOptions(cache=cache))
    assert run(tmp_path / "b", options=RunOptions(cache=cache)).num_calls == 0
    assert tree_of(tmp_path / "a") == tree_of(tmp_path / "b")


class _Broken(ScriptedModel):
    """Fails from a call on."""

    kind = "server"
    good = 20

    async def generate(self, *args: Any) -> Completion:
        if self.num_calls >= self.good:
            raise ProviderError("it is down", kind=self.kind)
        return await super().generate(*args)


@pytest.mark.parametrize("kind", ["auth", "server"])
def test_an_endpoint_that_is_gone_ends_the_run_instead_of_failing_every_row(tmp_path: Path, kind: str) -> None:
    model = _Broken(Writer(SCRIPT), "openai/scripted")
    model.kind = kind
    with pytest.raises(ProviderError, match="it is down"):
        asyncio.run(run_llm(TINY, model, tmp_path))
    assert not (tmp_path / "survival.json").exists()
    replies = (tmp_path / ".generate" / "replies" / "q00000.journal").read_text("utf-8")
    assert '"error": "' not in replies, "what failed while the endpoint was down is asked again"


class _Stormy(ScriptedModel):
    """Answers nobody for a while, now and then; the requests that it meets then are good ones."""

    kind = "server"
    storm = 20

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.num_failed = 0

    async def generate(self, *args: Any) -> Completion:
        is_storm = self.num_calls in (30, 90, 200) and self.num_failed < self.storm
        self.num_failed = self.num_failed + 1 if is_storm else 0
        if is_storm:
            raise ProviderError("try later", kind=self.kind)
        return await super().generate(*args)


@pytest.mark.parametrize("kind", ["server", "timeout", "rate_limit"])
@pytest.mark.parametrize("num_concurrent", [2, 8])
def test_an_endpoint_that_is_down_for_a_while_loses_nothing(tmp_path: Path, kind: str, num_concurrent: int) -> None:
    run(tmp_path / "calm")
    model = _Stormy(Writer(SCRIPT), "openai/scripted")
    model.kind = kind
    asyncio.run(run_llm(TINY, model, tmp_path / "storm", options=RunOptions(num_concurrent=num_concurrent)))
    assert tree_of(tmp_path / "calm") == tree_of(tmp_path / "storm")


def test_a_request_that_always_breaks_the_server_is_given_up_even_alone(tmp_path: Path) -> None:
    class Breaking(ScriptedModel):
        num_broken = 0

        async def generate(self, messages: Any, config: Any = None) -> Completion:
            if read_prompt(messages[-1].text)[0] == "secrets":
                self.num_broken += 1
                raise ProviderError("it broke", kind="server")
            return await super().generate(messages, config)

    model = Breaking(Writer(SCRIPT), "openai/scripted")
    report = asyncio.run(run_llm(TINY, model, tmp_path, options=RunOptions(num_concurrent=1)))
    assert report.status == "complete" and model.num_broken > 0
    failed = sum(row["failed"] for row in report.facts["replies"].values())
    assert 3 * failed <= model.num_broken <= 4 * failed
    assert list(read_rows(tmp_path))
