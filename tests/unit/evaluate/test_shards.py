"""Parts of a run for several machines, and the whole put together again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hub_toolkit.errors import DataFormatError, PersonaMemError
from hub_toolkit.evaluate.merge import merge_shards
from hub_toolkit.evaluate.plan import EvalConfig, plan_evaluation
from hub_toolkit.evaluate.record import load_record
from hub_toolkit.evaluate.report import build_report
from hub_toolkit.evaluate.run import RunOptions
from hub_toolkit.evaluate.shards import Shard, cut_plan, parse_shard
from hub_toolkit.models.fake import FakeModel
from tests.unit.evaluate.conftest import Evaluation, mini_samples


@pytest.mark.parametrize("text", ["0/4", "5/4", "1/0", "1", "a/b", "1/4/2", "-1/4", "1.0/4", ""])
def test_texts_that_are_no_shard(text: str) -> None:
    with pytest.raises(PersonaMemError, match="write i/n"):
        parse_shard(text)


@pytest.mark.parametrize("total", [1, 2, 3, 7, 20])
def test_every_row_is_in_one_shard_and_personas_stay_whole(total: int) -> None:
    plan = plan_evaluation(mini_samples(), EvalConfig("mini", is_counterfactual=True))
    shards = [cut_plan(plan, Shard(number, total)) for number in range(1, total + 1)]
    assert [sample for shard in shards for sample in shard.samples] == list(plan.samples)
    assert [ask for shard in shards for ask in shard.asks] == list(plan.asks), "donors are those of the whole"
    personas = [{sample.persona_id for sample in shard.samples} for shard in shards]
    assert sum(map(len, personas)) == len(set().union(*personas))
    assert all(shard.samples for shard in shards)
    if total <= 3:
        assert max(len(shard.samples) for shard in shards) < 1.5 * len(plan.samples) / total


def test_one_large_persona_leaves_no_shard_empty() -> None:
    first = replace(mini_samples()[0], group_id=None)
    sizes = {1: 50, 2: 1, 3: 1, 4: 1}
    rows = [replace(first, persona_id=p, row=n, sample_id=f"{p}-{n}") for p, size in sizes.items() for n in range(size)]
    plan = plan_evaluation(rows, EvalConfig("mini", reader="none"))
    assert [len(cut_plan(plan, Shard(number, 4)).samples) for number in (1, 2, 3, 4)] == [50, 1, 1, 1]
    with pytest.raises(DataFormatError, match="5 shards for 4 personas"):
        cut_plan(plan, Shard(1, 5))


def go_all(new_evaluation: Callable[[str], Evaluation], total: int, **config: Any) -> list[Path]:
    folders = []
    for number in range(1, total + 1):
        evaluation = new_evaluation(f"shard{number}")
        evaluation.go(FakeModel(name="fake/hash"), options=RunOptions(shard=Shard(number, total)), **config)
        folders.append(evaluation.out)
    return folders


@pytest.mark.parametrize(
    "config",
    [
        {"builder": "agentic", "is_counterfactual": True},
        {"reader": "long_context", "limit": 41},
        {"reader": "oracle", "num_permutations": 4},
    ],
)
def test_merged_shards_are_the_whole_run(
    new_evaluation: Callable[[str], Evaluation], tmp_path: Path, config: dict[str, Any]
) -> None:
    whole = new_evaluation("whole")
    record = whole.go(FakeModel(name="fake/hash"), **config)
    shards = go_all(new_evaluation, 3, **config)
    merged = merge_shards(tmp_path / "merged", [shards[2], shards[0], shards[1]])
    files = {p.relative_to(whole.out) for p in whole.out.rglob("*") if p.is_file() and p.parent.name != "requests"}
    for file in files - {Path("run.json"), Path(".lock")}:
        assert (tmp_path / "merged" / file).read_bytes() == (whole.out / file).read_bytes(), file
    assert merged.identity() == record.identity()
    assert (merged.status, merged.counts) == ("complete", record.counts)
    assert merged.tokens["answers"] == record.tokens["answers"]
    assert build_report(tmp_path / "merged")["accuracy"] == build_report(whole.out)["accuracy"]


def test_what_is_not_all_of_one_run_is_refused(new_evaluation: Callable[[str], Evaluation], tmp_path: Path) -> None:
    shards = go_all(new_evaluation, 3, reader="none")
    other = new_evaluation("other")
    other.go(FakeModel(name="fake/hash"), reader="none", seed=1, options=RunOptions(shard=Shard(2, 3)))
    halves = new_evaluation("half")
    halves.go(FakeModel(name="fake/hash"), reader="none", options=RunOptions(shard=Shard(1, 2)))
    whole = new_evaluation("whole")
    whole.go(FakeModel(name="fake/hash"), reader="none")
    unfinished = tmp_path / "unfinished"
    shutil.copytree(shards[1], unfinished)
    record = json.loads((unfinished / "run.json").read_bytes())
    (unfinished / "run.json").write_text(json.dumps({**record, "status": "stopped"}))
    out = tmp_path / "merged"
    for folders, reason in (
        ([shards[0], shards[2]], "1 of 3 shards are missing: 2/3"),
        ([shards[0], shards[1], shards[1], shards[2]], "name each once"),
        ([shards[0], other.out, shards[2]], "its config, seed differs"),
        ([shards[0], halves.out], "number of shards differs"),
        ([whole.out], "is no shard"),
        ([shards[0], unfinished, shards[2]], "not complete"),
    ):
        with pytest.raises(DataFormatError, match=reason):
            merge_shards(out, folders)
        assert not out.exists()
    out.mkdir()
    (out / "mine").write_text("")
    with pytest.raises(DataFormatError, match="not empty"):
        merge_shards(out, shards)


def test_a_row_in_two_shards_is_refused(new_evaluation: Callable[[str], Evaluation], tmp_path: Path) -> None:
    shards = go_all(new_evaluation, 2, reader="none")
    rows = (shards[0] / "samples.jsonl").read_bytes().splitlines(keepends=True)
    with (shards[1] / "samples.jsonl").open("ab") as out:
        out.write(rows[0])
    with pytest.raises(DataFormatError, match="stands in two shards"):
        merge_shards(tmp_path / "merged", shards)


def test_more_shards_than_personas_leave_no_run_behind(evaluation: Evaluation) -> None:
    with pytest.raises(DataFormatError, match="a shard needs one at least"):
        evaluation.go(reader="none", options=RunOptions(shard=Shard(99, 99)), is_counterfactual=False)
    assert load_record(evaluation.out) is None


def test_a_shard_goes_on_only_as_the_same_shard(evaluation: Evaluation) -> None:
    evaluation.go(reader="none", options=RunOptions(shard=Shard(1, 3)), is_counterfactual=False)
    with pytest.raises(DataFormatError, match="shard was '1/3', now '2/3'"):
        evaluation.go(reader="none", options=RunOptions(shard=Shard(2, 3)), is_counterfactual=False)
    with pytest.raises(DataFormatError, match="shard was '1/3', now None"):
        evaluation.go(reader="none", is_counterfactual=False)
