"""What a run would take, beside what it took."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from hub_toolkit.cli.main import main
from hub_toolkit.data.parse import resolve_dataset
from hub_toolkit.evaluate.budget import Price
from hub_toolkit.evaluate.estimate import Estimate, Expectations, estimate_run
from hub_toolkit.evaluate.plan import EvalConfig, plan_evaluation
from hub_toolkit.evaluate.shards import Shard, cut_plan
from hub_toolkit.models.fake import FakeModel
from tests.unit.evaluate.conftest import Evaluation, mini_samples


def estimate(expected: Expectations | None = None, **config: Any) -> Estimate:
    chosen = EvalConfig("mini", **{"model": "fake/hash", **config})
    return estimate_run(
        plan_evaluation(mini_samples(), chosen), resolve_dataset("mini"), chosen, expected or Expectations()
    )


@pytest.mark.parametrize(
    "config",
    [
        {"reader": "none"},
        {"reader": "oracle", "limit": 20},
        {"reader": "long_context", "is_counterfactual": True},
        {"reader": "long_context", "limit": 10, "num_permutations": 4},
        {"reader": "none", "task": "open"},
    ],
)
def test_prompts_are_those_of_the_run(evaluation: Evaluation, config: dict[str, Any]) -> None:
    said = estimate(Expectations(answer_tokens=5), **config)
    record = evaluation.go(FakeModel(name="fake/hash"), **config)
    assert record.requests is not None
    assert said.questions.calls == record.requests["tries"]
    assert said.questions.tokens.input == record.requests["input_tokens"]


def test_memories_are_never_underestimated(evaluation: Evaluation) -> None:
    said = estimate(builder="agentic")
    record = evaluation.go(FakeModel(name="fake/hash"), builder="agentic")
    assert record.requests is not None and record.memories is not None
    assert said.total.calls == record.requests["tries"]
    assert said.memories.tokens.input >= record.memories["input_tokens"]
    assert said.total.tokens.input >= record.requests["input_tokens"]
    assert said.memories.tokens.input < 2 * record.memories["input_tokens"]


def test_shared_beginnings_are_what_the_next_question_on_a_history_begins_with() -> None:
    said = estimate(reader="long_context").questions.tokens
    one_each = estimate(reader="long_context", limit=1).questions.tokens
    assert 0.7 < said.cached / said.input < 1
    assert one_each.cached == 0
    assert estimate(reader="none").questions.tokens.cached == 0


def test_cost_and_time() -> None:
    prices = {"fake/hash": Price(1.0, 4.0, 0.1), "fake/judge": Price(10.0, 0.0, 10.0)}
    expected = Expectations(answer_tokens=100, judge_tokens=50, call_s=2, num_concurrent=10, prices=prices)
    said = estimate(expected, reader="long_context")
    tokens = said.questions.tokens
    assert tokens.output == 124 * 100
    assert said.usd == pytest.approx(tokens.input * 1e-6 + tokens.output * 4e-6)
    assert said.usd_cached == pytest.approx(said.usd - 0.9e-6 * tokens.cached)
    assert said.total.seconds == 13 * 2
    judged = estimate(Expectations(judge="fake/judge", prices=prices), reader="none", task="open")
    assert judged.judges.calls == 3 * 124
    assert judged.usd is not None and judged.usd > judged.judges.tokens.input * 10e-6
    assert estimate(reader="none").usd is None and estimate(reader="none").total.seconds is None


def test_updates_of_one_memory_wait_for_each_other() -> None:
    few = estimate(Expectations(call_s=1, num_concurrent=1000), builder="agentic", chunk_tokens=500)
    assert few.memories.calls > 100
    assert few.memories.seconds is not None and few.memories.seconds >= 10


def test_lexical_and_extractive_ask_nobody() -> None:
    assert estimate(model="lexical").total.calls == 0
    assert estimate(builder="extractive").memories.calls == 0
    assert estimate(model="lexical").usd == 0


def test_likelihood_reads_each_prompt_with_and_without_its_context() -> None:
    said = estimate(reader="oracle", method="likelihood", limit=5)
    assert (said.questions.calls, said.questions.tokens.output) == (10, 0)
    assert estimate(reader="none", method="likelihood", limit=5).questions.calls == 5


def test_a_shard_takes_its_part() -> None:
    config = EvalConfig("mini", reader="long_context", model="fake/hash")
    plan = plan_evaluation(mini_samples(), config)
    parts = [
        estimate_run(cut_plan(plan, Shard(n, 3)), resolve_dataset("mini"), config, Expectations()) for n in (1, 2, 3)
    ]
    whole = estimate(reader="long_context")
    assert sum(part.questions.tokens.input for part in parts) == whole.questions.tokens.input


def test_command(tmp_path: Path) -> None:
    def run(*words: str) -> str:
        result = CliRunner().invoke(main, ["eval", "estimate", "--data", "mini", *words])
        assert result.exit_code == 0, result.output
        return result.stdout

    (tmp_path / "prices.toml").write_text('["openai/m"]\ninput_usd = 1.0\noutput_usd = 2.0\n')
    words = ["--model", "openai/m", "--builder", "agentic"]
    text = run(*words)
    for part in ("memories", "questions", "cost: not known", "time: not known", "at their longest"):
        assert part in text
    text = run(*words, "--prices", str(tmp_path / "prices.toml"), "--call-s", "2", "--answer-tokens", "80")
    assert "USD" in text and "at 2 s a call, 8 at once" in text and "80 tokens each" in text
    figures = json.loads(run(*words, "--json"))
    assert figures["total"]["calls"] == figures["memories"]["calls"] + figures["questions"]["calls"]

    run_folder = tmp_path / "run"
    done = CliRunner().invoke(
        main, ["eval", "run", "--data", "mini", "--reader", "none", "--model", "fake/hash", "--out", str(run_folder)]
    )
    assert done.exit_code == 0
    assert "6 tokens each" in run(*words, "--like", str(run_folder))
    record = json.loads((run_folder / "run.json").read_bytes())
    for change, said in (({"num_permutations": 2}, "3 tokens each"), ({"method": "likelihood"}, "at their longest")):
        (run_folder / "run.json").write_text(json.dumps(record | {"config": record["config"] | change}))
        assert said in run(*words, "--like", str(run_folder))
    bad = CliRunner().invoke(main, ["eval", "estimate", "--data", "mini", "--like", str(tmp_path)])
    assert bad.exit_code == 1 and "no complete run" in bad.stderr
