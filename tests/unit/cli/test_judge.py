"""`personamem eval judge` and `personamem judge audit`: what they print, and how they fail."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from hub_toolkit.cli.judge import judge, judge_run
from hub_toolkit.errors import DataFormatError, PersonaMemError, ProviderError
from hub_toolkit.evaluate.judging import load_judgements
from hub_toolkit.models.base import ChatModel
from tests.fake_judges import MALFORMED, RuleJudge, dice, length_lover, perfect, yes_sayer
from tests.judged_runs import write_open_run

RULES = {"good": perfect, "yes": yes_sayer, "long": length_lover, "dice": dice, "mute": MALFORMED}


@pytest.fixture(autouse=True)
def opened(monkeypatch: pytest.MonkeyPatch) -> list[RuleJudge]:
    """The judges that a command opened; `broken` fails from its first call on."""
    models: list[RuleJudge] = []

    def load(spec: str, **_: Any) -> ChatModel:
        name = spec.removeprefix("fake/")
        models.append(RuleJudge(RULES.get(name, perfect), name=spec, fail_after=0 if name == "broken" else None))
        models[-1].error_kind = "server"
        return models[-1]

    monkeypatch.setattr("hub_toolkit.cli.judge.load_model", load)
    return models


def invoke(command: click.Command, *arguments: str | Path) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def test_judge_prints_what_became_of_the_answers(tmp_path: Path, opened: list[RuleJudge]) -> None:
    write_open_run(tmp_path / "run")
    result = invoke(judge_run, tmp_path / "run", "--model", "fake/good")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "12 answers: 8 correct, 4 incorrect, 0 unscored, 0 failed" in result.stdout
    assert "36 verdicts" in result.stdout and "Krippendorff alpha" in result.stdout
    assert len(opened) == 1
    assert len(load_judgements(tmp_path / "run")) == 12
    again = invoke(judge_run, tmp_path / "run", "--model", "fake/good", "--json")
    assert json.loads(again.stdout)["counts"]["correct"] == 8
    assert opened[1].num_calls == 0


def test_three_models_may_judge(tmp_path: Path, opened: list[RuleJudge]) -> None:
    write_open_run(tmp_path)
    result = invoke(judge_run, tmp_path, "--model", "fake/good,fake/yes", "--model", "fake/dice", "--json")
    assert json.loads(result.stdout)["judges"] == ["fake/good", "fake/yes", "fake/dice"]
    assert [model.num_calls for model in opened] == [12, 12, 12]


def test_what_is_told_otherwise_than_the_protocol_is_recorded(tmp_path: Path, opened: list[RuleJudge]) -> None:
    write_open_run(tmp_path)
    arguments = ["--model", "fake/good", "--temperature", "0", "--verdicts", "1", "--reply-tokens", "50", "--seed", "7"]
    result = invoke(judge_run, tmp_path, *arguments, "--json")
    record = json.loads(result.stdout)
    assert record["deviations"] == {"temperature": 0, "num_verdicts": 1, "reply_tokens": 50}
    assert record["panel"]["seed"] == 7
    assert {(config.temperature, config.max_tokens) for config in opened[0].configs} == {(0, 50)}


def test_model_may_come_from_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_open_run(tmp_path)
    with pytest.raises(ProviderError, match="--model"):
        raise invoke(judge_run, tmp_path).exception or AssertionError
    monkeypatch.setenv("PERSONAMEM_MODEL", "fake/good")
    assert invoke(judge_run, tmp_path).exit_code == 0


def test_prices_give_a_cost(tmp_path: Path) -> None:
    write_open_run(tmp_path / "run")
    prices = tmp_path / "prices.toml"
    prices.write_text('["fake/good"]\ninput_usd = 1000.0\noutput_usd = 2000\n')
    result = invoke(judge_run, tmp_path / "run", "--model", "fake/good", "--prices", prices)
    assert "USD" in result.stdout
    prices.write_text('["fake/good"]\ninput = 1\n')
    failed = invoke(judge_run, tmp_path / "run", "--model", "fake/good", "--prices", prices)
    assert isinstance(failed.exception, DataFormatError) and "a price is a table" in str(failed.exception)


def test_budget_stops_cleanly_and_goes_on(tmp_path: Path, opened: list[RuleJudge]) -> None:
    write_open_run(tmp_path)
    arguments = [str(tmp_path), "--model", "fake/good", "--max-tokens"]
    stopped = invoke(judge_run, *arguments, "12000")
    assert stopped.exit_code == 3 and "--max-tokens 12,000" in stopped.stdout
    again = invoke(judge_run, *arguments, "12000")
    assert again.exit_code == 3
    assert opened[0].num_calls > 0 and opened[1].num_calls == 0, "what earlier sessions took counts"
    assert invoke(judge_run, *arguments, "1000000").exit_code == 0
    assert opened[0].num_calls + opened[2].num_calls == 36
    free = invoke(judge_run, tmp_path, "--model", "fake/good", "--max-usd", "1")
    assert isinstance(free.exception, PersonaMemError) and "--prices" in str(free.exception)


def test_judge_that_always_fails_is_an_error_and_can_be_mended(tmp_path: Path) -> None:
    write_open_run(tmp_path)
    result = invoke(judge_run, tmp_path, "--model", "fake/broken")
    assert isinstance(result.exception, ProviderError) and "--retry-failed" in str(result.exception)
    assert "12 unscored" in result.stdout


@pytest.mark.parametrize(
    ("models", "changes", "reason"),
    [
        ("fake/good,fake/yes", {}, "2 judges for 3 verdicts"),
        ("fake/good", {"dataset": {"name": "Other", "split": "benchmark"}}, "--data"),
        ("fake/good", {"config": {"task": "mcq"}}, "needs no judge"),
        ("fake/good", {"protocol": "v0"}, "no protocol"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_asked(
    tmp_path: Path, opened: list[RuleJudge], models: str, changes: dict[str, Any], reason: str
) -> None:
    write_open_run(tmp_path, **changes)
    result = invoke(judge_run, tmp_path, "--model", models)
    assert isinstance(result.exception, PersonaMemError) and reason in str(result.exception)
    assert sum(model.num_calls for model in opened) == 0


def test_audit_tells_judges_apart(tmp_path: Path) -> None:
    run = tmp_path / "run"
    write_open_run(run, limit=60)
    invoke(judge_run, run, "--model", "fake/good")
    names = [f"fake/{name}" for name in RULES]
    arguments = [run, "--models", ",".join(names), "--sample", "12"]
    text = invoke(judge, "audit", *arguments).stdout
    assert "fake/good: usable" in text
    for name in names[1:]:
        assert f"{name}: not usable" in text
    assert "verdict flips" in text and "not usable where" in text and "other wording" in text
    report = json.loads(invoke(judge, "audit", *arguments, "--json").stdout)
    assert report == json.loads((run / "audit" / "audit.json").read_text("utf-8"))
    assert report["flips"]["fake/yes"]["against_run"]["items"]


def test_audit_takes_the_judges_of_the_run_and_asks_nothing_twice(tmp_path: Path, opened: list[RuleJudge]) -> None:
    run = tmp_path / "run"
    write_open_run(run)
    invoke(judge_run, run, "--model", "fake/dice")
    arguments = ["audit", str(run), "--planted", "1", "--sample", "4", "--out", str(tmp_path / "out")]
    assert invoke(judge, *arguments).exit_code == 0
    assert [model.name for model in opened] == ["fake/dice", "fake/dice"]
    assert opened[1].num_calls > 0
    assert invoke(judge, *arguments).exit_code == 0
    assert opened[2].num_calls == 0


def test_audit_of_several_runs_shows_their_order(tmp_path: Path) -> None:
    for name, step in (("a", 2), ("b", 4)):
        write_open_run(
            tmp_path / name, reply=lambda place, sample, step=step: sample.correct_answer * (place % step > 0)
        )
        invoke(judge_run, tmp_path / name, "--model", "fake/good")
    result = invoke(judge, "audit", tmp_path / "a", tmp_path / "b", "--planted", "0")
    assert "order of 2 runs" in result.stdout and "tau 1.00" in result.stdout


def test_audit_needs_judgements(tmp_path: Path) -> None:
    write_open_run(tmp_path)
    result = invoke(judge, "audit", tmp_path)
    assert isinstance(result.exception, DataFormatError) and "personamem eval judge" in str(result.exception)
    result = invoke(judge, "audit", tmp_path / "nowhere")
    assert isinstance(result.exception, DataFormatError) and "holds no run.json" in str(result.exception)


def test_every_option_has_help() -> None:
    """As the guards ask of every command."""
    for command in (judge_run, judge.commands["audit"]):
        assert command.help
        options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
        assert [option.name for option in options if not (option.help or option.show_default)] == []
    assert judge.help
