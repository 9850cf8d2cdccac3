"""Prices, and limits that are never passed."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from hub_toolkit.errors import DataFormatError, PersonaMemError
from hub_toolkit.evaluate.budget import Budget, BudgetError, Meter, Price, Tokens, load_prices
from hub_toolkit.evaluate.run import RunOptions
from hub_toolkit.models.base import Completion, GenerateConfig
from hub_toolkit.models.fake import FakeModel
from hub_toolkit.types import Message
from tests.unit.evaluate.conftest import Evaluation

TABLE = """
["openai/m"]
input_usd = 2.0
cached_input_usd = 0.5
output_usd = 8
["vllm/own@r1"]
input_usd = 0
output_usd = 0
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "prices.toml"
    path.write_text(text)
    return path


def test_price_table(tmp_path: Path) -> None:
    prices = load_prices(write(tmp_path, TABLE))
    assert prices["openai/m"] == Price(2.0, 8, 0.5)
    assert prices["openai/m"].usd(Tokens(1_000_000, 500_000)) == 6.0
    assert prices["openai/m"].usd(Tokens(1_000_000, 0, cached=400_000)) == pytest.approx(1.4)
    assert prices["vllm/own@r1"] == Price(0, 0, 0)


def test_documented_price_table_is_one(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "commands.md").read_text("utf-8")
    tables = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert [name for table in tables for name in load_prices(write(tmp_path, table))] == ["openai/gpt-4.1-mini"]


@pytest.mark.parametrize(
    "text",
    [
        "not toml",
        "m = 3",
        '["m"]\ninput_usd = 1',
        '["m"]\ninput_usd = 1\noutput_usd = 1\nper_call = 3',
        '["m"]\ninput_usd = -1\noutput_usd = 1',
        '["m"]\ninput_usd = "1"\noutput_usd = 1',
        '["m"]\ninput_usd = nan\noutput_usd = 1',
        '["m"]\ninput_usd = inf\noutput_usd = 1',
        '["m"]\ninput_usd = true\noutput_usd = 1',
    ],
)
def test_tables_that_are_none(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataFormatError):
        load_prices(write(tmp_path, text))


def test_usd_without_a_price_is_refused_before_anything_is_asked(evaluation: Evaluation) -> None:
    model = FakeModel(name="fake/hash")
    options = RunOptions(budget=Budget(max_usd=1.0))
    with pytest.raises(PersonaMemError, match="price of fake/hash"):
        evaluation.go(model, reader="none", options=options)
    assert model.num_calls == 0


def test_a_call_waits_for_those_under_way_before_it_is_refused() -> None:
    async def go() -> list[str]:
        meter = Meter(Budget(max_tokens=100))
        events: list[str] = []

        async def call(name: str, most: int, taken: int) -> None:
            try:
                await meter.reserve("m", Tokens(most))
            except BudgetError:
                events.append(f"{name} refused")
                return
            events.append(f"{name} begun")
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            meter.settle("m", Tokens(most), Tokens(taken))

        await asyncio.gather(call("a", 60, 30), call("b", 60, 50), call("c", 30, 10), call("d", 200, 0))
        assert meter.spent["m"].total <= 100
        return events

    assert asyncio.run(go()) == ["a begun", "c begun", "d refused", "b begun"]


def test_hours_end_a_run() -> None:
    now = [0.0]
    meter = Meter(Budget(max_hours=0.5), clock=lambda: now[0])
    asyncio.run(meter.reserve("m", Tokens(10**9)))
    now[0] = 1800
    with pytest.raises(BudgetError, match=r"--max-hours 0\.5"):
        asyncio.run(meter.reserve("m", Tokens()))


class SlowModel(FakeModel):
    """Takes several turns of the loop for a reply, so that calls run side by side."""

    async def generate(self, messages: Sequence[Message], config: GenerateConfig | None = None) -> Completion:
        for _ in range(3):
            await asyncio.sleep(0)
        return await super().generate(messages, config)


@pytest.mark.parametrize("config", [{"reader": "oracle"}, {"builder": "agentic"}])
@pytest.mark.parametrize("num_concurrent", [1, 8])
def test_stopped_runs_go_on_and_end_as_if_nothing_was(
    tmp_path: Path, config: dict[str, Any], num_concurrent: int
) -> None:
    whole, parts = Evaluation(tmp_path / "whole"), Evaluation(tmp_path / "parts")
    alone = SlowModel(name="fake/hash")
    reference = whole.go(alone, limit=30, **config)
    assert reference.requests is not None
    total = reference.requests["input_tokens"] + reference.requests["output_tokens"]
    asked: list[tuple[Message, ...]] = []
    statuses = []
    for share in (0.2, 0.5, 0.8, 2.0):
        model = SlowModel(name="fake/hash")
        limit = round(total * share) + (2000 if share > 1 else 0)
        options = RunOptions(num_concurrent, budget=Budget(max_tokens=limit))
        record = parts.go(model, limit=30, options=options, **config)
        asked += model.requests
        statuses.append(record.status)
        assert record.requests is not None
        assert record.requests["input_tokens"] + record.requests["output_tokens"] <= limit
        if record.status == "stopped":
            assert record.stop is not None and record.stop["reason"].startswith(f"--max-tokens {limit:,}")
            assert not (parts.out / "samples.jsonl").exists()
            assert record.stop["answered"] + record.stop["left"] == 30
    assert statuses[0] == "stopped" and statuses[-1] == "complete"
    assert Counter(map(repr, asked)) == Counter(map(repr, alone.requests)), "nothing is paid for twice"
    assert (parts.out / "samples.jsonl").read_bytes() == (whole.out / "samples.jsonl").read_bytes()
    record_json = json.loads((parts.out / "run.json").read_bytes())
    assert record_json["stop"] is None and record_json["times"]["num_sessions"] == len(statuses)


def test_usd_are_kept_too(evaluation: Evaluation) -> None:
    prices = {"fake/hash": Price(10.0, 30.0, 10.0)}
    budget = Budget(max_usd=0.02, prices=prices)
    options = RunOptions(4, budget=budget)
    record = evaluation.go(FakeModel(name="fake/hash"), reader="none", reply_tokens=64, options=options)
    assert record.status == "stopped" and record.requests is not None
    assert 0 < record.requests["usd"] <= 0.02
    assert evaluation.seen[-1].usd == pytest.approx(record.requests["usd"], abs=1e-6)
