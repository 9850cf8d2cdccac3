"""What a run says of itself."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hub_toolkit.data.parse import resolve_dataset
from hub_toolkit.data.schema import Sample
from hub_toolkit.errors import DataFormatError, ProviderError
from hub_toolkit.evaluate.judging import judge_open_answers
from hub_toolkit.evaluate.plan import protocol_defaults
from hub_toolkit.evaluate.record import load_rows
from hub_toolkit.evaluate.render import render_report
from hub_toolkit.evaluate.report import build_report
from hub_toolkit.judge.panel import Panel, PanelConfig
from hub_toolkit.models.fake import FakeModel, reply_by_hash
from hub_toolkit.types import Message
from tests.unit.evaluate.conftest import Evaluation, mini_samples

OPTION = re.compile(r"^([A-D])\. (.+)$", re.M)


def choosing(choose: Callable[[str], float], name: str) -> FakeModel:
    """A model that takes the option for which `choose` gives the most."""

    def reply(messages: Sequence[Message]) -> str:
        options = OPTION.findall(messages[-1].text)
        return f"\\boxed{{{max(options, key=lambda option: choose(option[1]))[0]}}}"

    return FakeModel(reply, name=name)


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


def test_upstream_leaves_failed_rows_out_and_the_report_shows_both(new_evaluation: Callable[[str], Evaluation]) -> None:
    def reply(messages: Sequence[Message]) -> str:
        if len(messages[-2].text) % 3 == 0:
            raise ProviderError("busy", kind="rate_limit")
        return "Final Answer: A"

    upstream, ours = new_evaluation("upstream"), new_evaluation("ours")
    defaults = protocol_defaults("upstream")
    upstream.go(FakeModel(reply, name="fake/moody"), reader="none", protocol="upstream", **defaults)
    report = build_report(upstream.out)
    kept, without = report["accuracy"], report["without_failed"]
    assert kept["failed"] > 0 == without["failed"]
    assert without["n"] == kept["n"] - kept["failed"]
    assert without["value"] * without["n"] == pytest.approx(kept["value"] * kept["n"])
    assert "as its protocol counts" in render_report(report)
    ours.go(reader="none")
    assert build_report(ours.out)["without_failed"] is None


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


def test_open_run_says_that_judges_come_later(evaluation: Evaluation) -> None:
    evaluation.go(FakeModel(lambda _: "Hm.", name="fake/hm"), task="open", limit=4)
    report = build_report(evaluation.out)
    assert report["accuracy"] is None
    assert report["counts"]["unscored"] == 4
    assert "judges" in render_report(report)
    assert report["leaks"]["secrets"] is None


def test_who_recognises_golds_without_reading_has_no_lift(evaluation: Evaluation) -> None:
    one_a_group = {sample.group_id: sample for sample in mini_samples() if sample.group_id}
    golds = {sample.correct_answer for sample in one_a_group.values()}
    evaluation.samples = tuple(replace(sample, group_id=None) for sample in one_a_group.values())
    model = choosing(lambda text: text in golds, "fake/recogniser")
    evaluation.go(model, reader="oracle", is_counterfactual=True)
    report = build_report(evaluation.out)
    lift = report["counterfactual_lift"]
    assert report["accuracy"]["value"] == lift["own"]["value"] == lift["other"]["value"] == 1.0
    assert lift["value"] == 0.0 and lift["low"] < 0 < lift["high"]


def longest_golds() -> tuple[Sample, ...]:
    return tuple(
        sample
        for sample in mini_samples()
        if sample.group_id and len(sample.correct_answer) > max(map(len, sample.incorrect_answers))
    )


def test_picker_of_the_longest_is_found_out_by_its_counterfactual_answers(evaluation: Evaluation) -> None:
    evaluation.samples = longest_golds()
    evaluation.go(choosing(len, "fake/longest"), reader="oracle", is_counterfactual=True)
    report = build_report(evaluation.out)
    controlled = report["length_controlled"]
    assert report["accuracy"]["value"] == 1.0
    assert (controlled["value"], controlled["basis"], controlled["control_arm"]) == (0.25, "bound", None)
    assert "length controlled               25.0%" in render_report(report)
    assert "a lower bound" in render_report(report) and "the control answers cannot tell" in render_report(report)


def test_text_names_what_was_asked_of_whom(evaluation: Evaluation) -> None:
    evaluation.go(reader="external", external="bm25", limit=3)
    report = build_report(evaluation.out)
    assert "reader external (bm25), context 32k" in render_report(report)
    report["run"] |= {
        "method": "likelihood",
        "num_permutations": 4,
        "adapter": "lora",
        "reader": "rag",
        "rag_tokens": 64,
    }
    text = render_report(report)
    for part in (
        "mcq by likelihood in 4 orders of the options,",
        "model lexical with lora,",
        "reader rag (64 tokens),",
    ):
        assert part in text


def test_text_says_who_counted_the_tokens(evaluation: Evaluation) -> None:
    evaluation.go(FakeModel(name="fake/hash"), reader="none", limit=3)
    report = build_report(evaluation.out)
    assert "\ntokens (estimate-v1): " in render_report(report)
    report["tokens"]["is_estimated"] = False
    assert "\ntokens (counted by the model): " in render_report(report)


def test_reader_keeps_its_accuracy_on_the_same_rows(new_evaluation: Callable[[str], Evaluation]) -> None:
    run, bare = new_evaluation("run"), new_evaluation("bare")
    for evaluation in (run, bare):
        evaluation.samples = longest_golds()
    wanted = {sample.related_snippet[0].text: sample.correct_answer for sample in longest_golds()}

    def read(messages: Sequence[Message]) -> str:
        gold = next((gold for snippet, gold in wanted.items() if snippet in messages[0].text), None)
        options = OPTION.findall(messages[-1].text)
        return next((f"Final Answer: {letter}" for letter, text in options if text == gold), reply_by_hash(messages))

    run.go(FakeModel(read, name="fake/reader"), reader="oracle", is_counterfactual=True)
    bare.go(FakeModel(read, name="fake/reader"), reader="none")
    report = build_report(run.out, no_context=bare.out)
    controlled = report["length_controlled"]
    assert report["accuracy"]["value"] > 0.9
    assert (controlled["basis"], controlled["control_arm"]) == ("control", "no_context")
    assert controlled["value"] == pytest.approx(report["accuracy"]["value"], abs=0.03)
    assert "by what the no-context answers go for" in render_report(report)
    by_other_memory = build_report(run.out)["length_controlled"]
    assert (by_other_memory["basis"], by_other_memory["control_arm"]) == ("control", "counterfactual")
    assert by_other_memory["value"] == pytest.approx(report["accuracy"]["value"], abs=0.03)


def test_every_order_of_the_options_counts(evaluation: Evaluation) -> None:
    evaluation.go(choosing(len, "fake/longest"), reader="none", num_permutations=4)
    report = build_report(evaluation.out)
    controlled = report["length_controlled"]
    assert report["accuracy"]["value"] == report["baselines"]["longest_option"]["value"] == 0.25
    assert (controlled["value"], controlled["basis"]) == (pytest.approx(0.25), "own_choices")
    assert controlled["n"] == report["accuracy"]["n"]
    assert report["run"]["num_permutations"] == 4


def test_who_knows_the_answer_keeps_it_in_every_order(evaluation: Evaluation) -> None:
    evaluation.samples = tuple({sample.group_id: sample for sample in mini_samples() if sample.group_id}.values())
    golds = {sample.correct_answer for sample in evaluation.samples}
    evaluation.go(choosing(lambda text: text in golds, "fake/recogniser"), reader="none", num_permutations=4)
    report = build_report(evaluation.out)
    assert report["accuracy"]["value"] == 1.0
    assert report["length_controlled"]["value"] == pytest.approx(1.0)


def test_answers_that_repeat_a_secret_are_counted(evaluation: Evaluation) -> None:
    leaks = {s.incorrect_answers[0] for s in mini_samples() if s.pref_type == "sensitive_info"}
    evaluation.go(choosing(lambda text: text in leaks, "fake/leaky"), reader="none")
    report = build_report(evaluation.out)
    secrets = report["leaks"]["secrets"]
    assert (secrets["share"]["value"], secrets["by_chance"]) == (1.0, 0.25)
    assert len(secrets["sample_ids"]) == secrets["share"]["n"] == report["sensitive_info"]["n"]
    assert report["sensitive_info"]["value"] == 0.0
    assert "answers that repeat a secret   100.0%" in render_report(report)


def test_open_answers_leak_by_their_text(evaluation: Evaluation) -> None:
    evaluation.samples = tuple(s for s in mini_samples() if s.pref_type in ("sensitive_info", "ask_to_forget"))
    answers = {
        s.user_query.text: s.incorrect_answers[0] if s.pref_type == "sensitive_info" else "Then sing karaoke."
        for s in evaluation.samples
    }
    model = FakeModel(lambda m: next(a for q, a in answers.items() if q in m[-1].text), name="fake/open")
    evaluation.go(model, task="open", reader="none")
    leaks = build_report(evaluation.out)["leaks"]
    assert leaks["secrets"]["share"]["value"] == 1.0
    assert leaks["forgotten"]["share"]["value"] == 2 / 8
    assert (leaks["secrets"]["by_chance"], leaks["forgotten"]["num_unanswered"]) == (None, 0)
    assert "answers that use the forgotten  25.0%" in render_report(build_report(evaluation.out))


def test_leaks_of_another_dataset_need_its_folder(evaluation: Evaluation, tmp_path: Path) -> None:
    evaluation.go(limit=40)
    path = evaluation.out / "run.json"
    path.write_text(path.read_text().replace('"name": "mini"', '"name": "elsewhere"', 1))
    report = build_report(evaluation.out)
    assert report["leaks"] is None
    assert "name the dataset with --data" in render_report(report)
    assert build_report(evaluation.out, data=resolve_dataset("mini"))["leaks"]["secrets"]["share"]["n"] > 0
    shutil.copytree(resolve_dataset("mini") / "benchmark", tmp_path / "other" / "benchmark")
    questions = tmp_path / "other" / "benchmark" / "text" / "benchmark.csv"
    questions.write_bytes(questions.read_bytes().replace(b"birthday", b"anniversary"))
    with pytest.raises(DataFormatError, match="other questions"):
        build_report(evaluation.out, data=tmp_path / "other")


def judge_run(evaluation: Evaluation, verdict_of: Callable[[int], str], **config: Any) -> None:
    calls = iter(range(10_000))

    def verdict(_: Sequence[Message]) -> str:
        return json.dumps({"verdict": verdict_of(next(calls)), "reason": "so"})

    panel = Panel([FakeModel(verdict, name="fake/judge")], PanelConfig(**config))
    asyncio.run(judge_open_answers(evaluation.out, evaluation.samples, panel))


def test_judged_open_answers_are_scored_with_their_judges(evaluation: Evaluation) -> None:
    evaluation.go(FakeModel(lambda _: "Hm.", name="fake/hm"), task="open", reader="none")
    judge_run(evaluation, lambda call: "correct" if call % 6 < 3 or call % 30 == 5 else "incorrect")
    report = build_report(evaluation.out)
    assert 0.4 < report["accuracy"]["value"] < 0.6
    assert report["chance"] is None
    assert report["accuracy"]["unscored"] == 0
    corrected = report["judges"]["noise_corrected"]
    assert corrected["n"] == report["accuracy"]["n"]
    assert corrected["low"] < corrected["value"] < corrected["high"]
    text = render_report(report)
    assert "without the judges' noise" in text and "longest option" not in text


def test_answers_that_no_judge_could_score_are_not_wrong(evaluation: Evaluation) -> None:
    evaluation.go(FakeModel(lambda _: "Hm.", name="fake/hm"), task="open", reader="none")
    calls = iter(range(10_000))

    def verdict(_: Sequence[Message]) -> str:
        return '{"verdict": "correct", "reason": "so"}' if next(calls) % 2 else "no idea"

    panel = Panel([FakeModel(verdict, name="fake/judge")], PanelConfig(num_verdicts=1))
    asyncio.run(judge_open_answers(evaluation.out, evaluation.samples, panel))
    report = build_report(evaluation.out)
    accuracy = report["accuracy"]
    assert accuracy["value"] == 1.0
    assert accuracy["n"] + accuracy["unscored"] == 112
    assert f"n={accuracy['n']}, {accuracy['unscored']} unscored" in render_report(report)


def test_judges_that_stop_early_leave_nothing_to_correct_by(evaluation: Evaluation) -> None:
    evaluation.go(FakeModel(lambda _: "Hm.", name="fake/hm"), task="open", reader="none", limit=40)
    judge_run(evaluation, lambda call: "correct" if call % 3 else "incorrect", is_stopping_early=True)
    judges = build_report(evaluation.out)["judges"]
    assert (judges["noise_corrected"], judges["judges"]) == (None, [f"fake/judge #{n}" for n in (1, 2, 3)])


def test_group_accuracy_has_an_interval_over_owners_that_share_nobody(evaluation: Evaluation) -> None:
    evaluation.go(is_counterfactual=True)
    groups = build_report(evaluation.out)["group_accuracy"]
    assert (groups["num_groups"], groups["num_clusters"]) == (28, 2)
    assert groups["low"] < groups["value"] < groups["high"]


def test_report_is_json_and_the_same_every_time(evaluation: Evaluation) -> None:
    evaluation.go(is_counterfactual=True, limit=30)
    assert json.dumps(build_report(evaluation.out)) == json.dumps(build_report(evaluation.out))


@pytest.mark.parametrize("content", [None, "{", '{"protocol": "v0"}'])
def test_what_is_no_run_is_an_error(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "run.json").write_text(content)
    with pytest.raises(DataFormatError):
        build_report(tmp_path)


def test_rows_that_were_cut_off_are_no_run(evaluation: Evaluation) -> None:
    evaluation.go(limit=4)
    path = evaluation.out / "samples.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))
    with pytest.raises(DataFormatError, match="holds 2 rows of the 4"):
        build_report(evaluation.out)


def test_broken_line_is_named(evaluation: Evaluation) -> None:
    evaluation.go(limit=3)
    path = evaluation.out / "samples.jsonl"
    path.write_text(path.read_text("utf-8").replace('"gold"', '"silver"', 1), encoding="utf-8")
    with pytest.raises(DataFormatError, match="row 1"):
        build_report(evaluation.out)
