"""Comparing two runs over the same questions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from hub_toolkit.errors import DataFormatError, ProviderError
from hub_toolkit.evaluate.compare import compare_runs
from hub_toolkit.evaluate.judging import judge_open_answers
from hub_toolkit.evaluate.record import load_rows
from hub_toolkit.evaluate.render_comparison import render_comparison
from hub_toolkit.evaluate.report import build_report
from hub_toolkit.evaluate.run import RunOptions
from hub_toolkit.evaluate.shards import Shard
from hub_toolkit.judge.panel import Panel, PanelConfig
from hub_toolkit.models.fake import FakeModel, reply_by_hash
from hub_toolkit.types import Message
from tests.unit.evaluate.conftest import Evaluation

New = Callable[[str], Evaluation]


def run(evaluation: Evaluation, **config: Any) -> Path:
    evaluation.go(**config)
    return evaluation.out


def edit_record(folder: Path, **fields: Any) -> None:
    path = folder / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run that reads nothing and one with the memory; never written to."""
    folder = tmp_path_factory.mktemp("runs")
    return run(Evaluation(folder / "a"), reader="none"), run(Evaluation(folder / "b"))


def test_difference_is_paired_and_agrees_with_both_reports(runs: tuple[Path, Path]) -> None:
    a, b = runs
    comparison = compare_runs(a, b)
    overall = comparison["overall"]
    assert overall["a"] == build_report(a)["accuracy"]["value"] == pytest.approx(0.25)
    assert overall["b"] == build_report(b)["accuracy"]["value"]
    assert overall["difference"] == pytest.approx(overall["b"] - overall["a"])
    assert 0 < overall["low"] < overall["difference"] < overall["high"]
    assert overall["p"] < 0.05
    assert set(comparison["compared"]) == {"reader", "builder", "cap_tokens"}
    assert comparison["rows"] == {
        "kind": "balanced", "compared": 112, "in_common": 124, "only_a": 0, "only_b": 0, "unscored": 0
    }  # fmt: skip


def test_other_way_round_it_is_the_other_sign(runs: tuple[Path, Path]) -> None:
    a, b = runs
    there, back = compare_runs(a, b)["overall"], compare_runs(b, a)["overall"]
    assert there["difference"] == -back["difference"]
    assert there["low"] == pytest.approx(-back["high"])
    assert there["p"] == pytest.approx(back["p"])


def test_run_against_itself_differs_nowhere(runs: tuple[Path, Path]) -> None:
    a, _ = runs
    comparison = compare_runs(a, a)
    assert (comparison["overall"]["difference"], comparison["overall"]["p"]) == (0.0, 1.0)
    assert comparison["compared"] == {}
    assert {part["p"] for part in comparison["slices"]} <= {1.0, None}


def test_slices_cover_all_rows_and_are_corrected_for_their_number(runs: tuple[Path, Path]) -> None:
    a, b = runs
    comparison = compare_runs(a, b)
    slices = comparison["slices"]
    for kind in {part["slice"] for part in slices}:
        assert sum(part["n"] for part in slices if part["slice"] == kind) == 112
    tested = sorted((part["p"], part["p_holm"]) for part in slices if part["p"] is not None)
    assert comparison["num_slices"] == len(tested)
    assert tested[0][1] == pytest.approx(min(1.0, tested[0][0] * len(tested)))
    assert all(corrected >= raw for raw, corrected in tested)


def test_failed_rows_stay_wrong_and_are_listed(new_evaluation: New) -> None:
    calls = iter(range(10_000))

    def moody(messages: Sequence[Message]) -> str:
        if next(calls) % 10 == 4:
            raise ProviderError("busy", kind="rate_limit")
        return reply_by_hash(messages)

    a = run(new_evaluation("a"), model=FakeModel(name="fake/hash"), reader="none")
    b = run(new_evaluation("b"), model=FakeModel(moody, name="fake/moody"), reader="none")
    comparison = compare_runs(a, b)
    failed = [row.sample_id for row in load_rows(b) if row.answer.status == "failed" and not row.is_safety]
    assert [failure["sample_id"] for failure in comparison["failures"]["b"]] == failed
    assert comparison["failures"]["a"] == []
    assert comparison["overall"]["n"] == 112
    assert comparison["overall"]["b"] <= comparison["overall"]["a"]
    text = render_comparison(comparison)
    assert f"failed in B, counted as wrong: {len(failed)}" in text
    assert "rate_limit: busy" in text


def test_rows_of_one_run_alone_are_left_out_and_counted(new_evaluation: New) -> None:
    a, b = run(new_evaluation("a"), reader="none", limit=50), run(new_evaluation("b"), reader="oracle")
    rows = compare_runs(a, b)["rows"]
    assert (rows["in_common"], rows["only_a"], rows["only_b"]) == (50, 0, 74)
    assert 0 < rows["compared"] <= 50


def test_tokens_of_an_answer_are_those_of_each_run(new_evaluation: New) -> None:
    model = FakeModel(name="fake/hash")
    a = run(new_evaluation("a"), model=model, reader="none")
    b = run(new_evaluation("b"), model=model, builder="agentic", limit=30)
    tokens = compare_runs(a, b)["tokens_per_answer"]
    rows = load_rows(b)
    assert tokens["b"]["input"] == pytest.approx(sum(row.answer.input_tokens for row in rows) / len(rows))
    assert tokens["b"]["input"] > tokens["a"]["input"] > 0
    assert tokens["b"]["memories"] > tokens["a"]["memories"] == 0


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"protocol": "upstream"}, "its protocol is upstream, the other run's v1"),
        ({"persona_system": "keep"}, "its persona_system is keep, the other run's drop"),
        ({"seed": 7}, "its seed is 7, the other run's 0"),
    ],
)
def test_runs_that_were_not_asked_alike_are_refused(new_evaluation: New, fields: dict[str, Any], reason: str) -> None:
    a, b = run(new_evaluation("a"), reader="none", limit=20), run(new_evaluation("b"), reader="none", limit=20)
    edit_record(b, **fields)
    with pytest.raises(DataFormatError, match="cannot be compared") as caught:
        compare_runs(a, b)
    assert reason in str(caught.value)


def test_other_questions_tasks_and_options_are_refused(new_evaluation: New) -> None:
    a, b = run(new_evaluation("a"), reader="none", limit=20), run(new_evaluation("b"), reader="none", limit=20)
    dataset = json.loads((b / "run.json").read_text())["dataset"]
    edit_record(b, dataset={**dataset, "questions_sha256": "f" * 64})
    with pytest.raises(DataFormatError, match="questions is ffffffffffff…"):
        compare_runs(a, b)
    edit_record(b, dataset=dataset)
    rows = [json.loads(line) for line in (b / "samples.jsonl").read_text().splitlines()]
    rows[3]["gold"] = "B" if rows[3]["gold"] == "A" else "A"
    (b / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(DataFormatError, match="other options"):
        compare_runs(a, b)
    opened = run(new_evaluation("c"), model=FakeModel(lambda _: "Hm.", name="fake/hm"), task="open", limit=4)
    with pytest.raises(DataFormatError, match="its task is open"):
        compare_runs(a, opened)
    last = run(new_evaluation("d"), reader="none", options=RunOptions(shard=Shard(8, 8)))
    with pytest.raises(DataFormatError, match="no scored row in common"):
        compare_runs(a, last)


def test_other_number_of_permutations_is_refused(new_evaluation: New) -> None:
    model = FakeModel(name="fake/hash")
    a = run(new_evaluation("a"), model=model, reader="none", limit=4)
    b = run(new_evaluation("b"), model=model, reader="none", limit=4, num_permutations=4)
    with pytest.raises(DataFormatError, match="number of permutations is 4"):
        compare_runs(a, b)
    assert compare_runs(b, b)["overall"]["difference"] == 0


def test_open_answers_are_compared_where_they_were_judged_alike(new_evaluation: New) -> None:
    folders = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        evaluation = new_evaluation(name)
        folders.append(run(evaluation, model=FakeModel(lambda _: "Hm.", name="fake/hm"), task="open", limit=40))
        if name == "b":
            with pytest.raises(DataFormatError, match="b: is not judged yet"):
                compare_runs(*folders)
        verdict = json.dumps({"verdict": "correct" if name == "b" else "incorrect", "reason": "so"})
        panel = Panel([FakeModel(lambda _, verdict=verdict: verdict, name="fake/judge")], PanelConfig(seed=seed))
        asyncio.run(judge_open_answers(evaluation.out, evaluation.samples, panel))
    overall = compare_runs(folders[0], folders[1])["overall"]
    assert (overall["a"], overall["b"], overall["difference"]) == (0.0, 1.0, 1.0)
    with pytest.raises(DataFormatError, match="was not judged as"):
        compare_runs(folders[0], folders[2])


def test_missing_run_is_named(runs: tuple[Path, Path], tmp_path: Path) -> None:
    a, _ = runs
    with pytest.raises(DataFormatError, match=r"nothing.*holds no run\.json"):
        compare_runs(a, tmp_path / "nothing")


def test_text_shows_every_part(runs: tuple[Path, Path]) -> None:
    a, b = runs
    comparison = compare_runs(a, b)
    text = render_comparison(comparison)
    for part in ("reader: A none, B memory", "112 balanced rows compared", "tokens an answer, B", "accuracy  "):
        assert part in text
    assert f"corrected by Holm for {comparison['num_slices']} slices" in text
    assert "topic (28 of 28 not shown)" in text
    assert json.loads(json.dumps(comparison)) == comparison
