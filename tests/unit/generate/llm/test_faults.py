"""Filters: what is planted is caught, by the filter that is there for it, and what is good stays."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from hub_toolkit.generate.llm.config import PreferenceCounts
from tests.generate_faults import FILTER_OF, RATES, plant_faults, read_rows, small_config, without
from tests.generate_judges import Script

SWAP = small_config(
    "swap",
    num_personas=16,
    twin_every=4,
    has_128k=False,
    preferences=PreferenceCounts(6, 6, 8, 3, 2, 2),
    context_32k_tokens=32_000,
)
UPSTREAM = small_config("upstream", has_128k=False, preferences=PreferenceCounts(2, 2, 3, 1, 1, 1))
ALL_GROUPS = {
    *("stereotypical_pref", "anti_stereotypical_pref", "neutral_preferences", "therapy_background"),
    *("health_and_medical_conditions", "ask_to_forget"),
}
NOISY = Script(RATES, refusal=0.01, bad_json=0.02, wrong_count=0.02, unreadable_vote=0.02, wrong_vote=0.01)


def test_planted_faults_of_every_filter_are_caught(tmp_path: Path) -> None:
    outcome = plant_faults(SWAP, Script(RATES), tmp_path)
    assert outcome.planted.total() >= 200
    assert {FILTER_OF[kind] for kind in outcome.planted} == set(SWAP.filters)
    assert outcome.caught >= 0.99, outcome.left
    assert outcome.good_lost == 0
    assert outcome.num_rows > 200


def test_without_filters_the_same_faults_stay(tmp_path: Path) -> None:
    outcome = plant_faults(without(SWAP), Script(RATES), tmp_path)
    assert outcome.caught < 0.1
    assert set(outcome.left) == set(outcome.planted)


def test_a_filter_that_is_off_lets_its_own_faults_through_and_no_others(tmp_path: Path) -> None:
    config = without(small_config(num_personas=8, has_128k=False), "leak", "shown")
    rates = {**RATES, "leak_word": 0.3, "leak_hint": 0.3, "not_shown": 0.1, "duplicate": 0.0}
    outcome = plant_faults(config, Script(rates), tmp_path)
    assert {FILTER_OF[kind] for kind in outcome.left} == {"leak", "shown"}


def test_upstream_questions_are_caught_by_the_rules_of_their_gold(tmp_path: Path) -> None:
    outcome = plant_faults(UPSTREAM, Script(RATES), tmp_path / "on")
    assert outcome.planted["gold"] + outcome.planted["distractor"] > 20
    assert outcome.caught >= 0.99, outcome.left
    control = plant_faults(without(UPSTREAM), Script(RATES), tmp_path / "off")
    assert control.caught < 0.1


def test_noisy_judges_and_broken_replies_let_nothing_in(tmp_path: Path) -> None:
    outcome = plant_faults(small_config(num_personas=16, has_128k=False), NOISY, tmp_path)
    assert outcome.planted.total() > 80
    assert outcome.caught >= 0.99, outcome.left
    assert outcome.num_rows > 60


def test_votes_that_cannot_be_read_pass_nothing(tmp_path: Path) -> None:
    config = small_config(num_personas=4, has_128k=False)
    outcome = plant_faults(config, Script(unreadable_vote=1.0), tmp_path)
    assert outcome.num_rows == 0
    survival = json.loads((tmp_path / "survival.json").read_text())
    assert survival["contradiction"]["rejected"]["no_majority"] > 0
    assert "no question" not in (tmp_path / "README.md").read_text()


@pytest.mark.parametrize(
    ("judge", "silenced"),
    [
        ("infer", {"stereotypical_pref", "anti_stereotypical_pref"}),
        ("compare", {"stereotypical_pref", "anti_stereotypical_pref"}),
        ("shown", ALL_GROUPS),
        ("leak", ALL_GROUPS),
        ("clean", ALL_GROUPS | {"sensitive_info"}),
        ("blind", ALL_GROUPS),
        ("fit_self", ALL_GROUPS),
        ("fit_others", {"others"}),
        ("fit_sensitive", {"sensitive_info"}),
    ],
)
def test_a_filter_whose_votes_cannot_be_read_passes_nothing(tmp_path: Path, judge: str, silenced: set[str]) -> None:
    config = small_config(num_personas=4, has_128k=False, preferences=PreferenceCounts(2, 2, 3, 1, 1, 1))
    plant_faults(config, Script({}, muted=frozenset({judge})), tmp_path)
    rows = list(read_rows(tmp_path))
    assert not [row for row in rows if {row["pref_type"], row["who"]} & silenced]
    assert rows or silenced >= ALL_GROUPS | {"sensitive_info"}


def test_every_rejection_is_kept_with_its_reason_and_counts_add_up(tmp_path: Path) -> None:
    plant_faults(UPSTREAM, NOISY, tmp_path)
    rejections = [json.loads(line) for line in (tmp_path / "rejections.jsonl").read_text("utf-8").splitlines()]
    survival = json.loads((tmp_path / "survival.json").read_text())
    assert all(each["reason"] and each["item"] for each in rejections)
    for stage, row in survival.items():
        mine = Counter(each["reason"] for each in rejections if each["stage"] == stage)
        assert mine == row["rejected"]
        assert row["in"] - mine.total() == row["out"] >= 0


@pytest.mark.parametrize("kind", ["refusal", "bad_json", "wrong_count"])
def test_replies_that_are_always_unusable_are_recorded_as_failed(tmp_path: Path, kind: str) -> None:
    script = Script(**{kind: 1.0})
    outcome = plant_faults(small_config(num_personas=4, has_128k=False), script, tmp_path)
    survival = json.loads((tmp_path / "survival.json").read_text())
    stage = "preferences" if kind == "wrong_count" else "personas"
    assert outcome.num_rows == 0
    assert survival[stage]["rejected"][kind] > 0
