"""Runs: what is asked, what is kept, what fails and what goes on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from hub_toolkit.answer.readers import Context
from hub_toolkit.data.history import chunk_messages, load_history
from hub_toolkit.errors import DataFormatError, ProviderError
from hub_toolkit.evaluate.journal import lock_run
from hub_toolkit.evaluate.record import load_rows
from hub_toolkit.evaluate.run import RunOptions
from hub_toolkit.memory.document import MemoryDocument
from hub_toolkit.models.base import Completion, GenerateConfig
from hub_toolkit.models.fake import FakeModel, reply_by_hash
from hub_toolkit.types import Message, Usage
from tests.unit.evaluate.conftest import Evaluation

BOXED_B = r"I think \boxed{B}"


def flaky(fails: Callable[[Sequence[Message]], bool], *, kind: str = "server") -> FakeModel:
    def reply(messages: Sequence[Message]) -> str:
        if fails(messages):
            raise ProviderError("out of order", kind=kind)
        return reply_by_hash(messages)

    return FakeModel(reply, name="fake/flaky")


def without_times(folder: Path) -> dict[str, object]:
    record = json.loads((folder / "run.json").read_text("utf-8"))
    del record["times"], record["requests"]
    return dict(record)


def test_one_line_a_sample_in_plan_order(evaluation: Evaluation) -> None:
    record = evaluation.go(FakeModel(name="fake/hash"), reader="none")
    lines = [json.loads(line) for line in (evaluation.out / "samples.jsonl").read_text("utf-8").splitlines()]
    assert len(lines) == len(evaluation.samples) == record.counts["rows"]
    keys = [(line["persona_id"], int(line["sample_id"].split("-")[1])) for line in lines]
    assert keys == sorted(keys)
    for line in lines:
        assert line["status"] == "scored"
        assert line["is_correct"] == (line["choice"] == line["gold"])
        assert line["input_tokens"] > 0 < line["output_tokens"]


def test_rows_are_read_back_as_written(evaluation: Evaluation) -> None:
    evaluation.go(reader="oracle", is_counterfactual=True, limit=9)
    text = (evaluation.out / "samples.jsonl").read_text("utf-8")
    assert [json.loads(line) for line in text.splitlines()] == [row.as_dict() for row in load_rows(evaluation.out)]


def test_record_says_what_the_result_depends_on(evaluation: Evaluation) -> None:
    record = evaluation.go(FakeModel(name="fake/hash@r1"), limit=4, seed=3)
    assert record.protocol == "v1"
    assert record.model == {"name": "fake/hash@r1", "revision": "r1"}
    assert (record.seed, record.persona_system, record.token_counter) == (3, "drop", "estimate-v1")
    assert {"mcq", "open_ended", "memory_context", "memory_update"} <= record.prompts.keys()
    assert {"python", "numpy", "personamem-hub-toolkit"} <= record.packages.keys()
    assert len(record.dataset["fingerprint"]) == 64
    assert record.tokens["input"] == sum(row.answer.input_tokens for row in load_rows(evaluation.out))


@pytest.mark.parametrize("builder", ["extractive", "agentic"])
def test_concurrency_changes_nothing(new_evaluation: Callable[[str], Evaluation], builder: str) -> None:
    one, many = new_evaluation("one"), new_evaluation("many")
    for evaluation, num_concurrent in ((one, 1), (many, 16)):
        evaluation.go(
            FakeModel(name="fake/hash"),
            builder=builder,
            is_counterfactual=True,
            limit=40,
            options=RunOptions(num_concurrent),
        )
    timed = {Path("run.json"), Path("requests/0001.jsonl.gz")}
    files = {path.relative_to(one.out) for path in one.out.rglob("*") if path.is_file()} - timed
    assert {"samples.jsonl", "journal.jsonl"} < {str(file) for file in files}
    for file in files:
        assert (one.out / file).read_bytes() == (many.out / file).read_bytes(), file
    assert without_times(one.out) == without_times(many.out)


def test_memory_is_built_once_a_history_and_knows_no_question(evaluation: Evaluation) -> None:
    model = FakeModel(name="fake/hash")
    record = evaluation.go(model, builder="agentic", options=RunOptions(16))
    updates = [m[0].text for m in model.requests if m[0].role == "user" and "<chat>" in m[0].text]
    links = {sample.history_links["32k"] for sample in evaluation.samples}
    histories = [load_history(evaluation.folder / link) for link in links]
    assert len(updates) == sum(len(chunk_messages(history, model.counter)) for history in histories)
    assert record.memories is not None and record.memories["num_complete"] == len(links)
    queries = {sample.user_query.text for sample in evaluation.samples}
    assert not any(query in update for query in queries for update in updates)
    asked = [m for m in model.requests if m[0].role == "system"]
    assert len(asked) == len(evaluation.samples)


def test_memories_are_files_that_other_commands_read(evaluation: Evaluation) -> None:
    evaluation.go(limit=3)
    (path,) = (evaluation.out / "memories").iterdir()
    assert MemoryDocument.load(path).bullets


def test_complete_run_asks_nothing_again(evaluation: Evaluation) -> None:
    first = evaluation.go(FakeModel(name="fake/hash"), limit=6)
    model = FakeModel(name="fake/hash")
    assert asdict(evaluation.go(model, limit=6)) == asdict(first)
    assert model.num_calls == 0


def test_failed_rows_stay_and_only_they_are_asked_again(evaluation: Evaluation) -> None:
    bad = {s.user_query.text for s in evaluation.samples if s.persona_id == 2}
    record = evaluation.go(flaky(lambda m: any(q in m[-1].text for q in bad)), reader="none")
    num_bad = record.counts["failed"]
    assert 0 < num_bad < record.counts["rows"] == len(load_rows(evaluation.out))
    failed = [row for row in load_rows(evaluation.out) if row.answer.status == "failed"]
    assert {row.answer.error for row in failed} == {"server: out of order"}
    assert all(row.answer.is_correct is None for row in failed)

    again = flaky(lambda _: False)
    assert evaluation.go(again, reader="none").counts["failed"] == num_bad
    assert again.num_calls == 0
    record = evaluation.go(again, reader="none", options=RunOptions(is_retrying_failed=True))
    assert (again.num_calls, record.counts["failed"], record.status) == (num_bad, 0, "complete")


def test_retried_run_equals_one_that_never_failed(new_evaluation: Callable[[str], Evaluation]) -> None:
    good, bad = new_evaluation("good"), new_evaluation("bad")
    good.go(flaky(lambda _: False), builder="agentic", limit=30)
    calls = iter(range(1_000_000))
    bad.go(flaky(lambda _: next(calls) % 7 == 6), builder="agentic", limit=30)
    bad.go(flaky(lambda _: False), builder="agentic", limit=30, options=RunOptions(is_retrying_failed=True))
    assert (good.out / "samples.jsonl").read_bytes() == (bad.out / "samples.jsonl").read_bytes()
    assert without_times(good.out) == without_times(bad.out)


def test_failing_memory_fails_its_rows_with_its_error(evaluation: Evaluation) -> None:
    record = evaluation.go(flaky(lambda m: "<chat>" in m[0].text), builder="agentic", limit=12)
    assert record.counts["failed"] == 12
    assert "building the memory of data/chat_history_32k" in str(load_rows(evaluation.out)[0].answer.error)


@pytest.mark.parametrize("kind", ["auth", "missing", "refused"])
def test_model_that_cannot_be_used_ends_the_run_and_fails_no_row(evaluation: Evaluation, kind: str) -> None:
    configs: list[dict[str, Any]] = [{"reader": "none"}, {"builder": "agentic"}]
    for config in configs:
        evaluation.out = evaluation.out.with_name(next(iter(config)))
        model = flaky(lambda _: True, kind=kind)
        with pytest.raises(ProviderError, match="out of order"):
            evaluation.go(model, options=RunOptions(3), **config)
        assert model.num_calls <= 3
        record = evaluation.go(flaky(lambda _: False), **config)
        assert record.counts["failed"] == 0


def test_endpoint_that_dies_midway_fails_the_rest(evaluation: Evaluation) -> None:
    calls = iter(range(1000))
    model = flaky(lambda _: next(calls) >= 10, kind="refused")
    record = evaluation.go(model, reader="none", options=RunOptions(1))
    assert record.counts == {**record.counts, "scored": 10, "failed": len(evaluation.samples) - 10}


def test_unparsed_counts_as_wrong_and_is_told_apart(evaluation: Evaluation) -> None:
    record = evaluation.go(FakeModel(lambda _: "Answer: The second one", name="fake/rambler"), limit=5)
    assert record.counts == {"rows": 5, "scored": 0, "unparsed": 5, "failed": 0, "unscored": 0}
    assert all(row.answer.is_correct is False and row.answer.choice is None for row in load_rows(evaluation.out))


def test_open_answers_wait_for_judges(evaluation: Evaluation) -> None:
    record = evaluation.go(FakeModel(lambda _: "Go rowing.", name="fake/rower"), task="open", reader="oracle", limit=5)
    assert record.counts["unscored"] == 5
    rows = load_rows(evaluation.out)
    assert all((row.options, row.gold, row.answer.reply) == (None, None, "Go rowing.") for row in rows)


def test_counterfactual_reads_another_owners_snippet(evaluation: Evaluation) -> None:
    model = FakeModel(lambda _: BOXED_B, name="fake/b")
    evaluation.go(model, reader="oracle", is_counterfactual=True, options=RunOptions(1))
    by_persona_query = {(s.persona_id, s.user_query.text): s for s in evaluation.samples}
    rows = {row.sample_id: row for row in load_rows(evaluation.out)}
    for sample in evaluation.samples:
        other = rows[sample.sample_id].counterfactual
        assert other is not None and other.persona_id != sample.persona_id
        if sample.group_id:
            donor = by_persona_query[other.persona_id, sample.user_query.text]
            assert any(list(m[: len(donor.related_snippet)]) == list(donor.related_snippet) for m in model.requests)


def test_overflow_fails_the_row_unless_a_policy_is_named(new_evaluation: Callable[[str], Evaluation]) -> None:
    class SmallModel(FakeModel):
        @property
        def context_tokens(self) -> int | None:
            return 4000

    record = new_evaluation("a").go(SmallModel(name="fake/small"), reader="long_context", limit=3)
    assert record.counts["failed"] == 3
    model = SmallModel(name="fake/small")
    record = new_evaluation("b").go(model, reader="long_context", limit=3, truncate="keep_last")
    assert record.counts["scored"] == 3
    assert all(row.answer.input_tokens <= 4000 - 1024 for row in load_rows(new_evaluation("b").out))


def test_a_context_is_counted_only_where_the_models_side_counts_no_prompt(
    new_evaluation: Callable[[str], Evaluation], monkeypatch: pytest.MonkeyPatch
) -> None:
    class CountingModel(FakeModel):
        async def generate(self, messages: Sequence[Message], config: GenerateConfig | None = None) -> Completion:
            return replace(await super().generate(messages, config), usage=Usage(1234, 5))

    new_evaluation("a").go(FakeModel(name="fake/hash"), reader="long_context", limit=3)
    assert all((row.answer.context_tokens or 0) > 1000 for row in load_rows(new_evaluation("a").out))
    monkeypatch.setattr(Context, "tokens", lambda *_: pytest.fail("a long history was counted for nothing"))
    new_evaluation("b").go(CountingModel(name="fake/counts"), reader="long_context", limit=3)
    answers = [row.answer for row in load_rows(new_evaluation("b").out)]
    assert [(answer.context_tokens, answer.input_tokens) for answer in answers] == [(None, 1234)] * 3


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"limit": 5}, {"reader": "oracle"}, {"cap_tokens": 512}, {"persona_system": "keep"}]
)
def test_another_configuration_is_refused(evaluation: Evaluation, change: dict[str, Any]) -> None:
    evaluation.go(limit=4)
    with pytest.raises(DataFormatError, match="another configuration") as caught:
        evaluation.go(**{"limit": 4, **change})
    assert next(iter(change)) in str(caught.value)


def test_changed_data_is_refused(evaluation: Evaluation, tmp_path: Path) -> None:
    evaluation.folder = tmp_path / "copy"
    shutil.copytree(Evaluation(tmp_path).folder, evaluation.folder)
    evaluation.go(limit=4)
    history = evaluation.folder / evaluation.samples[0].history_links["32k"]
    history.write_text(history.read_text("utf-8") + "\n", encoding="utf-8")
    with pytest.raises(DataFormatError, match="fingerprint"):
        evaluation.go(limit=4)


def test_missing_history_ends_the_run_before_anything_is_asked(evaluation: Evaluation, tmp_path: Path) -> None:
    evaluation.folder = tmp_path / "copy"
    shutil.copytree(Evaluation(tmp_path).folder, evaluation.folder)
    (evaluation.folder / evaluation.samples[-1].history_links["32k"]).unlink()
    model = FakeModel(name="fake/hash")
    with pytest.raises(DataFormatError):
        evaluation.go(model)
    assert model.num_calls == 0


def test_two_processes_cannot_write_one_run(evaluation: Evaluation) -> None:
    with lock_run(evaluation.out), pytest.raises(DataFormatError, match="another process"):
        evaluation.go(limit=2)


def test_foreign_answers_are_not_written_over(evaluation: Evaluation) -> None:
    evaluation.out.mkdir()
    (evaluation.out / "samples.jsonl").write_text("mine\n")
    with pytest.raises(DataFormatError, match=r"no run\.json"):
        evaluation.go(limit=2)
    assert (evaluation.out / "samples.jsonl").read_text() == "mine\n"


def test_progress_counts_up_to_the_end(evaluation: Evaluation) -> None:
    evaluation.go(FakeModel(name="fake/hash"), builder="agentic", limit=30)
    memories = [p for p in evaluation.seen if p.stage == "memories"]
    answers = [p for p in evaluation.seen if p.stage == "answers"]
    assert memories[-1].done == memories[-1].total > 0
    assert [p.done for p in answers] == list(range(31))
    assert answers[-1].input_tokens > answers[0].input_tokens > 0
