"""How a question is put under the other protocol, methods and readers, and what the row says of it."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import pytest

from hub_toolkit.answer.likelihood import OptionScore
from hub_toolkit.answer.protocol import load_protocol
from hub_toolkit.answer.rag import read_passages
from hub_toolkit.data.history import load_history
from hub_toolkit.errors import DataFormatError, PersonaMemError, ProviderError
from hub_toolkit.evaluate.plan import EvalConfig, protocol_defaults
from hub_toolkit.evaluate.record import load_rows
from hub_toolkit.evaluate.run import RunOptions
from hub_toolkit.memory.builders.passages import PassageIndex, cut_passages
from hub_toolkit.models.base import Completion, GenerateConfig
from hub_toolkit.models.fake import FakeModel
from hub_toolkit.types import Message
from tests.unit.evaluate.conftest import Evaluation, mini_samples

BOXED_A = r"\boxed{A}"


class Scorer(FakeModel):
    """Likes an option by its words and, where there is a context, those that it shares with it."""

    def __init__(self) -> None:
        super().__init__(name="fake/scorer")
        self.scored: list[tuple[tuple[Message, ...], tuple[str, ...]]] = []

    async def score_options(self, messages: Sequence[Message], options: Sequence[str]) -> list[OptionScore]:
        self.scored.append((tuple(messages), tuple(options)))
        read = set(" ".join(message.text for message in messages[:-1]).lower().split())
        scores = []
        for option in options:
            words = option.lower().split()
            base = -2.0 - (zlib.crc32(option.encode()) % 100) / 100
            scores.append(OptionScore(len(words) * base + sum(word in read for word in words), len(words)))
        return scores


def test_four_orders_put_the_gold_once_at_each_place(evaluation: Evaluation) -> None:
    model = FakeModel(lambda _: BOXED_A, name="fake/a")
    record = evaluation.go(model, reader="none", num_permutations=4, limit=10, options=RunOptions(3))
    rows = load_rows(evaluation.out)
    assert model.num_calls == 40 and len(rows) == 10
    for row in rows:
        answers = row.answer.permutations
        assert len(answers) == 4
        assert sum(bool(answer.is_correct) for answer in answers) == 1, "who always takes A is right once in four"
        assert row.answer.points == 0.25
        assert row.answer.input_tokens == sum(answer.input_tokens for answer in answers)
        assert row.answer.choice == answers[0].choice == "A"
    assert record.counts["scored"] == 10
    assert record.tokens["answers"]["input"] == sum(row.answer.input_tokens for row in rows)


def test_one_failed_order_fails_the_row_and_is_asked_again_alone(evaluation: Evaluation) -> None:
    calls = iter(range(1000))

    def reply(_: Sequence[Message]) -> str:
        if next(calls) == 6:
            raise ProviderError("out of order", kind="server")
        return BOXED_A

    record = evaluation.go(FakeModel(reply, name="fake/a"), reader="none", num_permutations=4, limit=3)
    assert record.counts["failed"] == 1
    failed = next(row for row in load_rows(evaluation.out) if row.answer.status == "failed")
    assert [answer.status for answer in failed.answer.permutations].count("scored") == 3
    assert failed.answer.error == "server: out of order"
    again = FakeModel(lambda _: BOXED_A, name="fake/a")
    options = RunOptions(is_retrying_failed=True)
    assert evaluation.go(again, reader="none", num_permutations=4, limit=3, options=options).counts["failed"] == 0
    assert again.num_calls == 1


def test_likelihoods_choose_with_and_by_what_the_context_adds(evaluation: Evaluation) -> None:
    model = Scorer()
    evaluation.go(model, reader="oracle", method="likelihood", limit=12, is_counterfactual=True)
    rows = load_rows(evaluation.out)
    assert len(model.scored) == 12 * 2 * 2
    for row in rows:
        found = row.answer.likelihood
        assert found is not None and found.lift is not None
        assert row.answer.status == "scored" and row.answer.reply is None
        assert row.answer.choice == "ABCD"[max(range(4), key=found.values.__getitem__)]
        assert found.lift_choice == "ABCD"[max(range(4), key=found.lift.__getitem__)]
        assert found.is_lift_correct == (found.lift_choice == row.gold)
        assert row.counterfactual is not None and row.counterfactual.answer.likelihood is not None
    bare = [messages for messages, _ in model.scored if len(messages) == 1]
    assert len(bare) == len(model.scored) / 2
    assert all("A. " not in messages[-1].text for messages, _ in model.scored), "no option stands in the prompt"
    text = (evaluation.out / "samples.jsonl").read_text("utf-8")
    assert [json.loads(line) for line in text.splitlines()] == [json.loads(json.dumps(row.as_dict())) for row in rows]


def test_likelihoods_are_asked_once_for_all_orders(new_evaluation: Callable[[str], Evaluation]) -> None:
    models = [Scorer(), Scorer()]
    one, four = new_evaluation("one"), new_evaluation("four")
    one.go(models[0], reader="oracle", method="likelihood", limit=8)
    four.go(models[1], reader="oracle", method="likelihood", limit=8, num_permutations=4)
    assert len(models[0].scored) == len(models[1].scored) == 16
    for row, turned in zip(load_rows(one.out), load_rows(four.out), strict=True):
        assert turned.answer.permutations[0] == row.answer
        assert turned.answer.input_tokens == row.answer.input_tokens
        assert turned.answer.points == row.answer.points, "without a tie the place of an option tells nothing"
        places = {answer.choice for answer in turned.answer.permutations}
        assert places == set("ABCD")


def test_without_a_context_there_is_no_lift(evaluation: Evaluation) -> None:
    evaluation.go(Scorer(), reader="none", method="likelihood", limit=3)
    assert all(row.answer.likelihood and row.answer.likelihood.lift is None for row in load_rows(evaluation.out))


def test_model_without_log_probabilities_is_refused_before_anything_is_asked(evaluation: Evaluation) -> None:
    model = FakeModel(name="fake/hash")
    with pytest.raises(ProviderError, match="backends hf or vllm"):
        evaluation.go(model, reader="none", method="likelihood")
    assert model.num_calls == 0 and not evaluation.out.exists()


def test_rag_reads_what_a_search_for_the_query_finds(evaluation: Evaluation) -> None:
    model = FakeModel(name="fake/hash")
    evaluation.go(model, reader="rag", rag_tokens=400, limit=6, options=RunOptions(1))
    rules = load_protocol("v1").rag
    counter = load_protocol("v1").counter
    rows = {row.sample_id: row for row in load_rows(evaluation.out)}
    samples = sorted(mini_samples(), key=lambda s: (s.persona_id, s.history_links["32k"], s.row))[:6]
    for sample, request in zip(samples, model.requests, strict=True):
        history = load_history(evaluation.folder / sample.history_links["32k"])
        index = PassageIndex(
            cut_passages(history, counter, passage_tokens=rules.passage_tokens), k1=rules.k1, b=rules.b
        )
        found = read_passages(index.search(sample.user_query.text, budget_tokens=400))
        assert request[0] == found.messages[0]
        assert rows[sample.sample_id].answer.sources == found.sources
        assert 0 < sum(counter.count(text) for text in found.text.splitlines()) <= 450


def test_external_memory_is_filled_once_a_history_and_searched_for_each_question(evaluation: Evaluation) -> None:
    model = FakeModel(name="fake/hash")
    record = evaluation.go(model, reader="external", external="bm25", limit=9)
    samples = sorted(mini_samples(), key=lambda s: (s.persona_id, s.history_links["32k"], s.row))[:9]
    links = {sample.history_links["32k"] for sample in samples}
    assert record.memories is not None and record.memories["num_complete"] == len(links)
    assert len([path for path in (evaluation.out / "memories").iterdir() if path.is_dir()]) == len(links)
    assert len({request[0].text for request in model.requests}) > len(links)
    assert record.counts["scored"] == 9


def test_external_memory_that_is_not_there_fails_its_rows(evaluation: Evaluation) -> None:
    with pytest.raises(ProviderError, match="nowhere"):
        evaluation.go(FakeModel(name="fake/hash"), reader="external", external="nowhere", limit=3)


def test_upstream_is_asked_and_counted_its_own_way(evaluation: Evaluation) -> None:
    replies = ["Answer: The second one", "Final Answer: A", "nothing"]
    calls = iter(range(1000))
    model = FakeModel(lambda _: replies[next(calls) % 3], name="fake/rambler")
    fixed = protocol_defaults("upstream")
    record = evaluation.go(model, reader="long_context", protocol="upstream", limit=6, options=RunOptions(1), **fixed)
    assert record.protocol == "upstream" and record.persona_system == "keep"
    assert record.rules is not None and record.rules["digest"] == load_protocol("upstream").digest
    assert record.deviations == {}
    assert model.requests[0][0].role == "system" and model.requests[0][-1].role == "system"
    statuses = [(row.answer.status, row.answer.choice) for row in load_rows(evaluation.out)]
    assert statuses[:3] == [("scored", None), ("scored", "A"), ("unparsed", None)], "T is no option's letter"
    assert load_rows(evaluation.out)[0].answer.is_correct is False


def test_generation_settings_are_the_protocols(evaluation: Evaluation) -> None:
    seen: list[GenerateConfig | None] = []

    class Noting(FakeModel):
        async def generate(self, messages: Sequence[Message], config: GenerateConfig | None = None) -> Completion:
            seen.append(config)
            return await super().generate(messages, config)

    evaluation.go(Noting(name="fake/hash"), reader="none", limit=1, seed=7)
    evaluation.out = evaluation.out.with_name("upstream")
    fixed = protocol_defaults("upstream")
    evaluation.go(Noting(name="fake/hash"), reader="none", limit=1, protocol="upstream", **fixed)
    assert seen == [
        GenerateConfig(max_tokens=1024, temperature=0.0, seed=7),
        GenerateConfig(max_tokens=4096, temperature=1.0, seed=0),
    ]


def test_what_deviates_from_the_protocol_is_said(evaluation: Evaluation) -> None:
    record = evaluation.go(FakeModel(name="fake/hash"), reader="none", limit=1, cap_tokens=512, reply_tokens=64)
    assert record.deviations == {"cap_tokens": 512, "reply_tokens": 64}


def test_changed_prompt_ends_the_run(evaluation: Evaluation, monkeypatch: pytest.MonkeyPatch) -> None:
    from hub_toolkit.prompts import render

    real = render.load_prompt("mcq")
    changed = render.Prompt("mcq", real.text + " please", "0" * 64)
    monkeypatch.setattr(
        "hub_toolkit.answer.protocol.load_prompt", lambda name: changed if name == "mcq" else render.load_prompt(name)
    )
    with pytest.raises(DataFormatError, match="mcq"):
        evaluation.go(FakeModel(name="fake/hash"), reader="none", limit=1)


@pytest.mark.parametrize("config", [{"is_counterfactual": True}, {"is_counterfactual": True, "num_permutations": 4}])
def test_all_questions_on_one_history_are_asked_together(evaluation: Evaluation, config: dict[str, Any]) -> None:
    model = FakeModel(name="fake/hash")
    evaluation.go(model, reader="long_context", options=RunOptions(1), **config)
    histories = [repr(request[:-1]) for request in model.requests]
    switches = sum(a != b for a, b in pairwise(histories))
    assert switches == len(set(histories)) - 1, "a server's prefix cache is left once a history"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"method": "likelihood"}, "needs --task mcq and a chat model"),
        ({"method": "likelihood", "model": "fake/x", "task": "open"}, "needs --task mcq"),
        ({"num_permutations": 4, "model": "fake/x", "task": "open"}, "options to permute"),
        ({"num_permutations": 2}, "is 1, or 4"),
        ({"reader": "external"}, "go together"),
        ({"external": "mem0"}, "go together"),
        ({"protocol": "v9"}, "no protocol named"),
    ],
)
def test_parts_that_do_not_go_together(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(PersonaMemError, match=reason):
        EvalConfig("mini", **fields)


def test_record_of_an_older_version_goes_on(new_evaluation: Callable[[str], Evaluation]) -> None:
    evaluation = new_evaluation("old")
    evaluation.go(FakeModel(name="fake/hash"), reader="none", limit=4)
    path = evaluation.out / "run.json"
    record = json.loads(path.read_bytes())
    for name in ("rules", "deviations", "shard", "stop", "requests"):
        del record[name]
    for name in ("protocol", "num_permutations", "method", "rag_tokens", "external", "adapter"):
        del record["config"][name]
    record["prompts"] = {name: record["prompts"][name] for name in ("mcq", "open_ended")}
    path.write_text(json.dumps({**record, "status": "running"}))
    model = FakeModel(name="fake/hash")
    done = evaluation.go(model, reader="none", limit=4)
    assert (model.num_calls, done.status, done.config["protocol"]) == (0, "complete", "v1")
    with pytest.raises(DataFormatError, match="num_permutations was 1, now 4"):
        evaluation.go(model, reader="none", limit=4, num_permutations=4)
