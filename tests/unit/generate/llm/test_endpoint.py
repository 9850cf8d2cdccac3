"""The commands and the engine against a real endpoint on 127.0.0.1 that errs."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hub_toolkit.cli.main import main
from hub_toolkit.generate.llm.config import load_config
from hub_toolkit.generate.llm.pipeline import RunOptions, run_llm
from tests.generate_endpoint import EndpointFaults, serve
from tests.generate_faults import read_rows
from tests.generate_judges import Script
from tests.generate_script import ScriptedModel, Writer

CONFIG = """
num_personas = 4
has_128k = false
context_32k_tokens = 8000
batch = 4
twin_every = 0
padding_dialogues = 20
[preferences]
stereotypical = 1
anti_stereotypical = 1
neutral = 2
therapy = 0
medical = 1
sensitive = 1
"""
PRICES = '["openai/scripted"]\ninput_usd = 1.0\noutput_usd = 2.0\n'


def call(tmp_path: Path, *args: str) -> Result:
    """Call `personamem generate …` with the small configuration."""
    config = tmp_path / "small.toml"
    config.write_text(CONFIG)
    return CliRunner().invoke(main, ["generate", args[0], "--config", str(config), *args[1:]])


def call_run(tmp_path: Path, url: str, *args: str, out: str = "out") -> Result:
    target = ("--model", "openai/scripted", "--base-url", url, "--api-key", "none", "--out", str(tmp_path / out))
    return call(tmp_path, "run", *target, *args)


def test_run_writes_a_dataset_and_says_what_passed(tmp_path: Path) -> None:
    with serve(Writer(Script())) as endpoint:
        result = call_run(tmp_path, endpoint.url)
    assert result.exit_code == 0, result.output
    assert "filters" in result.output and "questions" in result.output
    rows = list(read_rows(tmp_path / "out"))
    assert len(rows) == 24
    assert json.loads((tmp_path / "out" / "generate_report.json").read_text())["num_rows"] == 24


def test_a_model_that_writes_nonsense_ends_with_one_line_and_every_reason_kept(tmp_path: Path) -> None:
    result = call(tmp_path, "run", "--model", "fake/echo", "--out", str(tmp_path / "out"))
    assert result.exit_code == 1
    assert "no question passed; rejections.jsonl says why" in result.output
    reasons = [json.loads(line)["reason"] for line in (tmp_path / "out" / "rejections.jsonl").read_text().splitlines()]
    assert "bad_json" in reasons


def test_errors_that_pass_cost_nothing_but_time(tmp_path: Path) -> None:
    faults = EndpointFaults(once={429: 0.02, 500: 0.02, 0: 0.01})
    (tmp_path / "small.toml").write_text(CONFIG)
    run_here(tmp_path / "calm", 4, Script())
    with serve(Writer(Script()), faults) as endpoint:
        result = call_run(tmp_path, endpoint.url, out="rough")
        assert len(endpoint.tried) == len(endpoint.answered)
    assert result.exit_code == 0, result.output
    names = ("survival.json", "rejections.jsonl", "benchmark/text/benchmark.csv")
    for name in names:
        assert (tmp_path / "calm" / name).read_bytes() == (tmp_path / "rough" / name).read_bytes()


def test_errors_that_stay_are_recorded_as_failed_and_pass_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERSONAMEM_TIMEOUT_S", "0.3")
    monkeypatch.setattr("hub_toolkit.models.retry.RetryPolicy.wait_s", lambda *_: 0.0)
    faults = EndpointFaults(always={400: 0.03, 500: 0.02, 1: 0.004}, hang_s=0.5)
    with serve(Writer(Script()), faults) as endpoint:
        result = call_run(tmp_path, endpoint.url)
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "out" / "generate_report.json").read_text())
    assert sum(row["failed"] for row in report["replies"].values()) > 5
    assert list(read_rows(tmp_path / "out"))


def test_a_budget_ends_with_its_own_status_and_the_same_command_goes_on(tmp_path: Path) -> None:
    with serve(Writer(Script())) as endpoint:
        stopped = call_run(tmp_path, endpoint.url, "--max-tokens", "40000")
        assert stopped.exit_code == 3 and "stopped: --max-tokens" in stopped.output
        assert sum(endpoint.usage.values()) <= 40_000
        assert call_run(tmp_path, endpoint.url).exit_code == 0
        assert max(endpoint.answered.values()) == 1


def run_here(out: Path, num_personas: int, script: Script) -> dict[str, int]:
    """Run the small configuration without HTTP; return the tokens that it took."""
    config = load_config(out.parent / "small.toml", num_personas=num_personas)
    model = ScriptedModel(Writer(script), "openai/scripted")
    report = asyncio.run(run_llm(config, model, out, options=RunOptions(num_concurrent=16)))
    rows = report.facts["replies"].values()
    return {name: sum(row[name] for row in rows) for name in ("input", "output")}


def test_estimate_from_a_pilot_and_the_run_agree_within_a_tenth(tmp_path: Path) -> None:
    script = Script({"gold": 0.1, "not_shown": 0.03}, refusal=0.01, bad_json=0.02, wrong_vote=0.01)
    prices = tmp_path / "prices.toml"
    prices.write_text(PRICES)
    (tmp_path / "small.toml").write_text(CONFIG)
    run_here(tmp_path / "pilot", 8, script)
    took = run_here(tmp_path / "full", 24, script)
    args = ("--personas", "24", "--like", str(tmp_path / "pilot"), "--model", "openai/scripted")
    estimated = json.loads(call(tmp_path, "estimate", *args, "--prices", str(prices), "--json").output)
    assert estimated["prompts"]["total"]["input"] == pytest.approx(took["input"], rel=0.1)
    assert estimated["prompts"]["total"]["output"] == pytest.approx(took["output"], rel=0.1)
    assert estimated["usd"] == pytest.approx((took["input"] + 2 * took["output"]) / 1e6, rel=0.1)


def test_what_was_read_before_is_cheaper_in_the_estimate_as_in_the_run(tmp_path: Path) -> None:
    prices = tmp_path / "prices.toml"
    prices.write_text(PRICES + "cached_input_usd = 0.1\n")
    with serve(Writer(Script())) as endpoint:
        endpoint.cached_share = 0.8
        cost = call_run(tmp_path, endpoint.url, "--prices", str(prices)).output.rpartition(", ")[2]
        took = endpoint.usage
    paid = (0.2 + 0.8 * 0.1) * took["prompt_tokens"] + 2 * took["completion_tokens"]
    assert float(cost.removesuffix(" USD\n")) == pytest.approx(paid / 1e6, abs=0.01)
    args = ("--like", str(tmp_path / "out"), "--model", "openai/scripted", "--prices", str(prices), "--json")
    assert json.loads(call(tmp_path, "estimate", *args).stdout)["usd"] == pytest.approx(paid / 1e6, rel=0.01)


def test_a_limit_in_usd_without_a_price_is_refused(tmp_path: Path) -> None:
    result = call_run(tmp_path, "http://127.0.0.1:9/v1", "--max-usd", "1")
    assert result.exit_code == 1 and "--prices" in result.output


def test_estimate_without_a_pilot_says_that_it_assumes(tmp_path: Path) -> None:
    result = call(tmp_path, "estimate", "--personas", "400", "--call-s", "2", "--concurrency", "8")
    assert result.exit_code == 0, result.output
    assert "assumed, since no run was named" in result.output
    assert "time: not known" not in result.output and "cost: not known" in result.output


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("num_personas = 5", "multiple of 4"),
        ("num_persona = 4", "no such setting"),
        ("[votes]\nnumber = 3", "votes.number"),
        ("[votes]\nthreshold = 0.3", "no majority"),
        ('filters = ["magic"]', "no filter is called 'magic'"),
        ("seed = 'x'", "seed"),
        ("[shares]\nothers = 1.5", "shares.others"),
        ('persona_lines = "none.txt"', "none.txt"),
        ('images = "nowhere"', "captions"),
        ('padding = "nowhere.json"', "nowhere.json"),
        ('[padding]\nname = "x"', "must name a JSON file"),
        ("seed = ", "is no configuration"),
    ],
)
def test_a_configuration_that_cannot_be_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    target = ("--model", "fake/hash", "--out", str(tmp_path / "out"))
    result = CliRunner().invoke(main, ["generate", "run", "--config", str(path), *target])
    assert result.exit_code == 1
    assert said in result.output and result.output.count("\n") == 1


def test_personas_beside_the_file_are_filled_up_to_fours_and_that_is_said(tmp_path: Path) -> None:
    asked, whole = (call(tmp_path, "estimate", "--personas", num, "--json") for num in ("7", "8"))
    assert "writing 8 personas instead of 7" in asked.stderr and not whole.stderr
    assert asked.stdout == whole.stdout
