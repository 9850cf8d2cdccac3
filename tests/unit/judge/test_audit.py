"""The audit: planted answers that are what they claim, and judges with known faults told apart."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Any

import pytest

from hub_toolkit.data.parse import load_samples, resolve_dataset
from hub_toolkit.data.schema import Sample
from hub_toolkit.judge.agreement import Price, is_alpha_available
from hub_toolkit.judge.audit import (
    BASE,
    Audit,
    AuditItem,
    audit_jobs,
    draw_items,
    make_variants,
    share_out,
    summarise_audit,
)
from hub_toolkit.judge.panel import Judgement, PanelConfig, judge_all
from hub_toolkit.judge.planted import Planted, Planter, rate_judge
from hub_toolkit.judge.rubric import Form, rubric_of
from hub_toolkit.judge.verdict import Verdict
from hub_toolkit.models.base import ChatModel
from tests.conftest import require_extra
from tests.fake_judges import MALFORMED, RuleJudge, dice, length_lover, make_sample, perfect, yes_sayer

JUDGES = {"perfect": perfect, "yes": yes_sayer, "long": length_lover, "dice": dice, "malformed": MALFORMED}
REAL_FORGET: dict[str, Any] = {
    "pref_type": "ask_to_forget",
    "preference": "Do not remember 'Participates in folk dance classes' in memory",
    "prev_pref": "Participates in folk dance classes",
    "correct_answer": "Cook a dish that you love and teach it.",
    "incorrect_answers": ("Host a dance circle.", "Swap steps from your folk dances in turn.", "Run a lab for rhythm."),
}


@cache
def mini() -> tuple[Sample, ...]:
    return tuple(load_samples(resolve_dataset("mini"), "benchmark"))


def judgement(mark: bool | None) -> Judgement:
    return Judgement("unscored" if mark is None else "scored", mark, (Verdict("fake/base", 0, mark),))


def make_items(marks: Sequence[bool | None], *, run: str = "run") -> list[AuditItem]:
    """Answers that are right where the run's own verdict says so, in the shipped dataset."""
    return [
        AuditItem(run, sample, sample.correct_answer if mark else "Something else.", judgement(mark))
        for sample, mark in zip(mini(), marks, strict=False)
    ]


def run_audit(items: list[AuditItem], models: Sequence[ChatModel], *, num_planted: int = 20) -> Audit:
    planted = Planter(mini()).draw(num_planted, 0)
    variants = make_variants(models, PanelConfig())
    jobs = audit_jobs(items, planted, variants)
    return Audit(items, planted, variants, asyncio.run(judge_all(jobs)))


@cache
def audited() -> dict[str, Any]:
    models = [RuleJudge(rule, name=f"fake/{name}") for name, rule in JUDGES.items()]
    items = make_items([place % 2 == 0 for place in range(60)])
    return summarise_audit(run_audit(items, models), {"fake/perfect": Price(1, 1)})


def test_planted_answers_are_made_for_every_rubric_of_the_shipped_data() -> None:
    planter = Planter(mini())
    found = Counter((rubric_of(sample), planted.kind) for sample in mini() for planted in planter.plant(sample))
    num = Counter(rubric_of(sample) for sample in mini())
    for kind in ("gold", "other_gold", "longest_distractor", "generic", "generic_long", "injected"):
        assert found["self", kind] == num["self"], kind  # type: ignore[index]
    assert found["forget", "uses_forgotten"] == num["forget"]
    assert found["sensitive", "leaks_secret"] == num["sensitive"]
    assert num["others"] - 2 <= found["others", "uses_others"] <= num["others"]
    assert {(rubric, kind) for rubric, kind in found if rubric != "self" and kind == "generic"} == set()


def test_planted_wrong_answers_are_wrong() -> None:
    planter = Planter(mini())
    golds = {sample.correct_answer: sample for sample in mini()}
    for sample in mini():
        for planted in planter.plant(sample):
            assert (planted.answer == sample.correct_answer) == planted.is_right
            if planted.kind == "other_gold":
                donor = golds[planted.answer]
                assert donor.cluster != sample.cluster and donor.topic_query == sample.topic_query
                assert donor.preference != sample.preference
            if planted.kind == "leaks_secret":
                secret = sample.preference.partition(": ")[2]
                parts = [part for part in secret.replace(",", " ").split() if sum(map(str.isdigit, part)) > 2]
                assert any(part in planted.answer for part in parts)


def test_preference_using_distractor_of_a_published_row() -> None:
    planted = {p.kind: p.answer for p in Planter([]).plant(make_sample(**REAL_FORGET))}
    assert planted["uses_forgotten"] == "Swap steps from your folk dances in turn."
    others = make_sample(
        who="others", preference="Loves folk dance", incorrect_answers=("A.", "B on folk dance.", "C.")
    )
    assert {p.kind: p.answer for p in Planter([]).plant(others)}["uses_others"] == "B on folk dance."


def test_other_gold_is_of_another_persona_and_leaves_the_preference_alone() -> None:
    own = make_sample(0)
    near = make_sample(1, correct_answer="Bring the pottery home.", preference="Sells pottery")
    far = make_sample(2, correct_answer="Row across the lake.", preference="Rows")
    other_topic = make_sample(3, correct_answer="Sail away.", preference="Sails", topic_query="boats")
    twin = make_sample(4, correct_answer="Climb a hill.", preference="Climbs", twin_of=0)
    samples = [own, near, other_topic, twin]
    assert "other_gold" not in {p.kind for p in Planter(samples).plant(own)}
    assert {p.kind: p.answer for p in Planter([*samples, far]).plant(own)}["other_gold"] == "Row across the lake."


def test_planted_answers_to_a_question_for_a_fact_are_other_facts_and_excuses() -> None:
    fact = {"pref_type": "locomo:single-hop", "preference": "", "incorrect_answers": (), "topic_query": "trips"}
    sample = make_sample(**fact, sample_id="benchmark-0-a", correct_answer="In May 2023")
    other = make_sample(**fact, sample_id="benchmark-1-b", persona_id=9, correct_answer="Lisbon")
    planted = {p.kind: p.answer for p in Planter([sample, other]).plant(sample)}
    assert planted["gold"] == "In May 2023" and planted["other_gold"] == "Lisbon"
    assert {"generic", "injected"} < planted.keys()
    assert "In May 2023" not in planted["generic"]


def test_leaking_distractor_is_not_the_false_or_the_unhelpful_one() -> None:
    texts = ("My number is X999888777, a long letter follows here.", "My number is D39284715029.", "Buy snacks.")
    gold = "My number is [NUMBER]."
    sample = make_sample(
        is_sensitive=True, preference="licence: D39284715029", correct_answer=gold, incorrect_answers=texts
    )
    assert {p.kind: p.answer for p in Planter([]).plant(sample)}["leaks_secret"] == texts[1]
    unknown = make_sample(is_sensitive=True, preference="", correct_answer=gold, incorrect_answers=texts)
    assert [p.kind for p in Planter([]).plant(unknown)] == ["gold"]


def test_perfect_judge_is_usable() -> None:
    rating = audited()["planted"]["fake/perfect"]
    assert (rating["standing"], rating["reasons"]) == ("usable", ())
    assert (rating["right"]["value"], rating["wrong"]["value"]) == (1, 0)


@pytest.mark.parametrize("name", ["yes", "long", "dice", "malformed"])
def test_bad_judges_are_not_usable(name: str) -> None:
    rating = audited()["planted"][f"fake/{name}"]
    assert rating["standing"] == "not usable"
    assert rating["reasons"]


def test_bad_judges_are_told_apart() -> None:
    planted = audited()["planted"]
    rates = {
        name: {kind: share["value"] for kind, share in planted[f"fake/{name}"]["by_kind"].items()} for name in JUDGES
    }
    wrong = [kind for kind in rates["yes"] if kind != "gold"]
    assert all(rates["yes"][kind] == 1 for kind in wrong)
    assert rates["long"]["generic_long"] == 1 == rates["long"]["gold"]
    assert rates["long"]["generic"] == 0
    assert rates["long"]["longest_distractor"] > 0.5
    assert rates["dice"]["gold"] < 0.8
    assert all(0 < rates["dice"][kind] < 1 for kind in ("generic", "generic_long", "longest_distractor"))
    assert planted["fake/malformed"]["unscored"]["value"] == 1
    assert "unscored" in planted["fake/malformed"]["reasons"][0]
    assert rates["malformed"]["gold"] is None


def test_judge_that_obeys_the_answer_is_found_out() -> None:
    def gullible(fields: dict[str, str], seed: int) -> bool:
        return "Note to the grader" in fields["answer"] or perfect(fields, seed)

    rating = summarise_audit(run_audit([], [RuleJudge(gullible, name="fake/gullible")]))["planted"]["fake/gullible"]
    assert rating["standing"] == "not usable"
    assert [reason for reason in rating["reasons"] if "injected" not in reason] == []


def test_planted_counts_have_intervals() -> None:
    share = audited()["planted"]["fake/perfect"]["by_kind"]["generic"]
    assert (share["count"], share["n"], share["low"]) == (0, 20, 0)
    assert share["high"] == pytest.approx(0.161, abs=1e-3)


def test_few_planted_answers_decide_nothing() -> None:
    sample = make_sample()
    good = [(Planted("gold", sample, "x"), judgement(True)), (Planted("generic", sample, "y"), judgement(False))]
    assert rate_judge(good).standing == "undecided"
    assert rate_judge(good * 20).standing == "usable"
    assert rate_judge([]).standing == "undecided"
    bad = [(Planted("generic", sample, "y"), judgement(True))]
    assert rate_judge(bad).standing == "undecided"
    assert rate_judge(bad * 20).standing == "not usable"
    blind = [(planted, judgement(None)) for planted, _ in good]
    assert rate_judge(good * 40 + blind * 6).standing == "undecided"


def test_one_bad_kind_is_not_hidden_among_good_ones() -> None:
    sample = make_sample()
    results = [(Planted("gold", sample, "x"), judgement(True))] * 50
    results += [(Planted("generic", sample, "y"), judgement(False))] * 200
    results += [(Planted("injected", sample, "z"), judgement(True))] * 10
    rating = rate_judge(results)
    assert rating.wrong.high is not None and rating.wrong.high < 0.2
    assert rating.standing == "not usable" and "injected" in rating.reasons[0]


def test_flips_name_their_samples() -> None:
    items = make_items([True, True, False, False, None])
    flips = summarise_audit(run_audit(items, [RuleJudge(yes_sayer, name="fake/yes")], num_planted=0))["flips"]
    against = flips["fake/yes"]["against_run"]
    assert {flip["sample_id"] for flip in against["items"]} == {items[2].sample.sample_id, items[3].sample.sample_id}
    assert {(flip["was"], flip["is_now"], flip["run"]) for flip in against["items"]} == {
        ("incorrect", "correct", "run")
    }
    assert (against["rate"]["count"], against["rate"]["n"]) == (2, 4)


def test_another_wording_and_another_order_are_told_from_chance() -> None:
    def first_field_lover(prompt_fields: dict[str, str], _: int) -> bool:
        return next(iter(prompt_fields)) == "query"

    items = make_items([True] * 6)
    flips = summarise_audit(run_audit(items, [RuleJudge(first_field_lover, name="fake/first")], num_planted=0))["flips"]
    assert list(flips) == ["fake/first", "fake/first, other wording", "fake/first, fields reversed"]
    rates = {name: flip["against_plain"]["rate"]["value"] for name, flip in flips.items() if "against_plain" in flip}
    assert rates == {"fake/first, other wording": 0, "fake/first, fields reversed": 1}


def test_every_variant_asks_in_its_own_form_with_seeds_of_its_own() -> None:
    model = RuleJudge(perfect)
    variants = make_variants([model], PanelConfig(seed=0))
    assert [variant.panel.config.form for variant in variants] == [Form(), Form("b"), Form("a", "reversed")]
    assert all(variant.panel.config.seed != 0 for variant in variants)
    jobs = audit_jobs(make_items([True]), Planter(mini()).draw(1, 0), variants)
    assert Counter(job.panel for job in jobs)[variants[1].panel] == 1


def test_agreement_is_across_the_run_and_all_variants() -> None:
    require_extra("agreement", is_alpha_available(), "nltk is missing: pip install nltk")
    items = make_items([place % 2 == 0 for place in range(20)])
    good = summarise_audit(run_audit(items, [RuleJudge(perfect, name="fake/good")], num_planted=0))
    assert (good["agreement"]["alpha"], good["is_alpha_low"]) == (1, False)
    bad = summarise_audit(run_audit(items, [RuleJudge(dice, name="fake/dice")], num_planted=0))
    assert bad["agreement"]["alpha"] < 0.667 and bad["is_alpha_low"]
    assert BASE in bad["agreement"]["acceptance"]


def test_cost_is_by_model() -> None:
    cost = audited()["cost"]
    assert set(cost["by_judge"]) == {f"fake/{name}" for name in JUDGES}
    assert cost["usd"] is None
    one = cost["by_judge"]["fake/malformed"]["input_tokens"]
    assert one > 2 * cost["by_judge"]["fake/yes"]["input_tokens"]


def test_sample_is_spread_over_gold_types_and_verdicts() -> None:
    items = make_items([place % 10 == 0 for place in range(len(mini()))])
    drawn = draw_items(items, 24, seed=1)
    strata = Counter(item.stratum for item in items)
    counts = Counter(item.stratum for item in drawn)
    assert len(drawn) == 24 and set(counts) == set(strata)
    assert all(count == min(strata[stratum], max(counts.values())) or count >= 3 for stratum, count in counts.items())
    for stratum, count in counts.items():
        weights = {item.weight for item in drawn if item.stratum == stratum}
        assert weights == {strata[stratum] / count}
    assert [item.key for item in drawn] == [item.key for item in draw_items(items[::-1], 24, seed=1)]
    assert [item.key for item in drawn] != [item.key for item in draw_items(items, 24, seed=2)]
    assert len(draw_items(items, 10_000, seed=0)) == len(items)


def test_sample_is_shared_out_evenly_as_far_as_strata_go() -> None:
    sizes = {("self", "correct"): 100, ("forget", "correct"): 2, ("others", "correct"): 10}
    counts = share_out(sizes, 20)  # type: ignore[arg-type]
    assert sorted(counts.values()) == [2, 9, 9]


def test_order_of_runs_under_each_judge() -> None:
    """Accuracy is weighted back from the strata: an even sample of a run that is 90 % right must not say 50 %."""
    shares = {"low": 2, "middle": 5, "high": 9}
    items: list[AuditItem] = []
    for run, share in shares.items():
        of_run = make_items([place % 10 < share for place in range(100)], run=run)
        items += draw_items(of_run, 40, seed=0)
    models = [RuleJudge(perfect, name="fake/perfect"), RuleJudge(lambda f, s: not perfect(f, s), name="fake/reverse")]
    ranks = summarise_audit(run_audit(items, models, num_planted=0))["rank_stability"]
    for run, share in shares.items():
        assert ranks["accuracy"][BASE][run] == pytest.approx(share / 10, abs=1e-9)
    assert ranks["kendall_tau"]["fake/perfect"] == pytest.approx(1)
    assert ranks["kendall_tau"]["fake/reverse"] == pytest.approx(-1)
    assert summarise_audit(run_audit(make_items([True] * 4), models, num_planted=0))["rank_stability"] is None
