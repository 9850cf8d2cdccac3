"""What is asked, of whom, in which order."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hub_toolkit.errors import DataFormatError, PersonaMemError
from hub_toolkit.evaluate.plan import Donors, EvalConfig, plan_evaluation
from tests.unit.evaluate.conftest import mini_samples


def test_rows_are_grouped_by_persona_and_limited() -> None:
    plan = plan_evaluation(mini_samples()[::-1], EvalConfig("mini"))
    assert [(s.persona_id, s.row) for s in plan.samples] == sorted((s.persona_id, s.row) for s in mini_samples())
    limited = plan_evaluation(mini_samples(), EvalConfig("mini", limit=5))
    assert limited.samples == plan.samples[:5]
    assert limited.group_sizes == plan.group_sizes


def test_donor_in_a_group_is_another_owner_of_another_family() -> None:
    donors = Donors(mini_samples())
    for sample in mini_samples():
        donor = donors.find(sample)
        assert donor is not None and donor.persona_id != sample.persona_id
        if sample.group_id is None:
            assert donor.cluster != sample.cluster
            continue
        assert donor.group_id == sample.group_id
        owners = donors.groups[sample.group_id]
        if any(owner.cluster != sample.cluster for owner in owners):
            assert donor.cluster != sample.cluster


def test_a_counterfactual_needs_a_second_persona() -> None:
    first = mini_samples()[0].persona_id
    own = [sample for sample in mini_samples() if sample.persona_id == first]
    assert plan_evaluation(own, EvalConfig("mini")).asks
    with pytest.raises(DataFormatError, match="one persona only"):
        plan_evaluation(own, EvalConfig("mini", is_counterfactual=True))


def test_donor_is_the_next_by_id_and_cyclic() -> None:
    first = replace(mini_samples()[0], group_id=None, twin_of=None)
    rows = [replace(first, persona_id=p, row=p, sample_id=str(p)) for p in (1, 5, 9)]
    donors = Donors(rows)
    assert [donors.find(row) for row in rows] == [rows[1], rows[2], rows[0]]
    twins = [rows[0], replace(rows[1], twin_of=1), rows[2]]
    assert Donors(twins).find(twins[0]) == twins[2]
    assert Donors(twins[:2]).find(twins[0]) == twins[1], "a twin is better than nobody"
    assert Donors(rows[:1]).find(rows[0]) is None


def test_every_row_has_both_arms_only_with_the_counterfactual() -> None:
    assert {ask.arm for ask in plan_evaluation(mini_samples(), EvalConfig("mini")).asks} == {"own"}
    plan = plan_evaluation(mini_samples(), EvalConfig("mini", is_counterfactual=True))
    assert len(plan.asks) == len({ask.key for ask in plan.asks}) == 2 * len(plan.samples)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"task": "open"}, "name a chat model"),
        ({"builder": "agentic"}, "needs a chat model"),
        ({"reader": "none", "is_counterfactual": True}, "no counterfactual"),
    ],
)
def test_parts_that_do_not_go_together(fields: dict[str, object], reason: str) -> None:
    with pytest.raises(PersonaMemError, match=reason):
        EvalConfig("mini", **fields)  # type: ignore[arg-type]


def test_history_of_a_size_that_is_missing_is_an_error() -> None:
    rows = [replace(mini_samples()[0], history_links={"32k": "x.json"})]
    with pytest.raises(DataFormatError, match="128k"):
        plan_evaluation(rows, EvalConfig("mini", context="128k"))
    assert plan_evaluation(rows, EvalConfig("mini", context="128k", reader="oracle")).samples == tuple(rows)


def test_no_rows_is_an_error() -> None:
    with pytest.raises(DataFormatError, match="no rows"):
        plan_evaluation([], EvalConfig("mini"))


def test_embeddings_are_of_the_reader_rag_and_depart_from_the_protocol() -> None:
    assert EvalConfig("mini", reader="rag").deviations == {}
    assert EvalConfig("mini", reader="rag", rag_embed="hash").deviations == {"rag_embed": "hash"}
    with pytest.raises(PersonaMemError, match="--rag-embed is of the reader `rag`"):
        EvalConfig("mini", reader="memory", rag_embed="hash")
    with pytest.raises(PersonaMemError, match="no embedder: write hash or minilm"):
        EvalConfig("mini", reader="rag", rag_embed="word2vec")
