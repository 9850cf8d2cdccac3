"""What a run says of itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from hub_toolkit.errors import DataFormatError, ProviderError
from hub_toolkit.evaluate.record import load_rows
from hub_toolkit.evaluate.render import render_report
from hub_toolkit.evaluate.report import build_report
from hub_toolkit.models.fake import FakeModel, reply_by_hash
from hub_toolkit.types import Message
from tests.unit.evaluate.conftest import Evaluation


def test_without_a_context_the_lexical_answerer_is_at_chance(evaluation: Evaluation) -> None:
    evaluation.go(reader="none")
    report = build_report(evaluation.out)
    assert report["rows"] == "balanced"
    for figures in (report["accuracy"], *report["baselines"].values(), report["length_controlled"]):
        assert figures["value"] == pytest.approx(0.25)
    assert report["group_accuracy"]["num_right"] == 0
    assert report["counterfactual_lift"] is None


def test_the_snippet_lifts_the_lexical_answerer(evaluation: Evaluation) -> None:
    evaluation.go(reader="oracle", is_counterfactual=True)
    report = build_report(evaluation.out)
    assert report["accuracy"]["value"] >= 0.5
    assert report["baselines"]["no_context"]["value"] == pytest.approx(0.25)
    lift = report["counterfactual_lift"]
    assert lift["low"] > 0
    assert lift["value"] == pytest.approx(lift["own"]["value"] - lift["other"]["value"])


def test_the_extractive_memory_is_above_chance(evaluation: Evaluation) -> None:
    evaluation.go(is_counterfactual=True)
    report = build_report(evaluation.out)
    assert report["accuracy"]["low"] > 0.25
    assert report["counterfactual_lift"]["low"] > 0


def test_secrets_stand_apart(evaluation: Evaluation) -> None:
    evaluation.go(FakeModel(name="fake/hash"), reader="none")
    report = build_report(evaluation.out)
    num_secret = sum(s.pref_type == "sensitive_info" for s in evaluation.samples)
    assert report["sensitive_info"]["n"] == num_secret > 0
    assert report["accuracy"]["n"] == len(evaluation.samples) - num_secret
    assert "sensitive_info" not in report["breakdown"]["pref_type"]
    assert all(sum(f["n"] for f in part.values()) == report["accuracy"]["n"] for part in report["breakdown"].values())


def test_failed_and_unparsed_rows_are_in_the_denominator(evaluation: Evaluation) -> None:
    calls = iter(range(10_000))

    def reply(messages: Sequence[Message]) -> str:
        number = next(calls)
        if number % 3 == 1:
            raise ProviderError("busy", kind="rate_limit")
        return "no idea" if number % 3 == 2 else reply_by_hash(messages)

    evaluation.go(FakeModel(reply, name="fake/moody"), reader="none")
    report = build_report(evaluation.out)
    accuracy = report["accuracy"]
    rows = [row for row in load_rows(evaluation.out) if row.pref_type != "sensitive_info"]
    assert accuracy["n"] == len(rows) == accuracy["scored"] + accuracy["unparsed"] + accuracy["failed"]
    assert accuracy["value"] == sum(row.answer.is_correct is True for row in rows) / len(rows)
    assert len(report["failures"]) == report["counts"]["failed"] > 0
    text = render_report(report)
    assert f"{accuracy['unparsed']} unparsed, {accuracy['failed']} failed" in text
    assert "rate_limit: busy" in text


def test_rows_without_groups_are_all_scored(evaluation: Evaluation) -> None:
    evaluation.samples = tuple(s for s in evaluation.samples if s.group_id is None)
    evaluation.go(FakeModel(name="fake/hash"), reader="none")
    report = build_report(evaluation.out)
    assert (report["rows"], report["accuracy"]["n"], report["accuracy"]["value"]) == ("all", 0, None)
    assert "no rows" in render_report(report)


def test_no_context_of_a_model_is_a_run_of_its_own(new_evaluation: Callable[[str], Evaluation]) -> None:
    run, bare, other = new_evaluation("run"), new_evaluation("bare"), new_evaluation("other")
    run.go(FakeModel(name="fake/hash"), reader="oracle", limit=50)
    bare.go(FakeModel(name="fake/hash"), reader="none")
    other.go(FakeModel(name="fake/first"), reader="none")
    assert build_report(run.out)["baselines"]["no_context"] is None
    assert "no context                     not run" in render_report(build_report(run.out))
    figures = build_report(run.out, no_context=bare.out)["baselines"]["no_context"]
    assert figures["n"] == build_report(run.out)["accuracy"]["n"]
    with pytest.raises(DataFormatError, match="the same model"):
        build_report(run.out, no_context=other.out)
    with pytest.raises(DataFormatError, match="reader none"):
        build_report(run.out, no_context=run.out)
    with pytest.raises(DataFormatError, match="all rows"):
        build_report(bare.out, no_context=_cut(new_evaluation))


def _cut(new_evaluation: Callable[[str], Evaluation]) -> Path:
    cut = new_evaluation("cut")
    cut.go(FakeModel(name="fake/hash"), reader="none", limit=5)
    return cut.out


def test_open_run_says_that_judges_come_later(evaluation: Evaluation) -> None:
    evaluation.go(FakeModel(lambda _: "Hm.", name="fake/hm"), task="open", limit=4)
    report = build_report(evaluation.out)
    assert report["accuracy"] is None
    assert report["counts"]["unscored"] == 4
    assert "judges" in render_report(report)


def test_report_is_json_and_the_same_every_time(evaluation: Evaluation) -> None:
    evaluation.go(is_counterfactual=True, limit=30)
    assert json.dumps(build_report(evaluation.out)) == json.dumps(build_report(evaluation.out))


@pytest.mark.parametrize("content", [None, "{", '{"protocol": "v0"}'])
def test_what_is_no_run_is_an_error(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "run.json").write_text(content)
    with pytest.raises(DataFormatError):
        build_report(tmp_path)


def test_broken_line_is_named(evaluation: Evaluation) -> None:
    evaluation.go(limit=3)
    path = evaluation.out / "samples.jsonl"
    path.write_text(path.read_text("utf-8").replace('"gold"', '"silver"', 1), encoding="utf-8")
    with pytest.raises(DataFormatError, match="row 1"):
        build_report(evaluation.out)
