"""The measurements can fail: a planted leak is learned, a repeated text is seen."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from hub_toolkit.data.parse import load_samples
from hub_toolkit.generate.attacks import GUESSES, guess_scores, other_answers
from hub_toolkit.generate.blind import option_order, score_blind, train_blind
from hub_toolkit.generate.variety import measure_variety, share_of_known


def test_a_word_that_gives_the_answer_away_is_learned_and_without_it_chance_remains() -> None:
    balanced = [s for s in load_samples("mini") if s.is_balanced]
    leaky = [dataclasses.replace(s, correct_answer=s.correct_answer + " Certainly.") for s in balanced]
    half = [s for s in leaky if s.cluster <= 4], [s for s in leaky if s.cluster > 4]
    found = list(score_blind(train_blind(half[0], seed=0), half[1]))
    assert sum(found) / len(found) > 0.9
    groups: dict[str | None, list[float]] = {}
    weights = train_blind(balanced, seed=0)
    for sample, score in zip(balanced, score_blind(weights, balanced), strict=True):
        groups.setdefault(sample.group_id, []).append(score)
    assert all(abs(sum(scores) - 1) < 1e-9 for scores in groups.values())


def test_options_stand_in_the_same_order_for_all_owners() -> None:
    orders: dict[str, set[tuple[str, ...]]] = {}
    for sample in load_samples("mini"):
        if sample.group_id:
            orders.setdefault(sample.group_id, set()).add(tuple(option_order(sample)))
    assert {len(found) for found in orders.values()} == {1}


def test_repetition_lowers_variety() -> None:
    varied = ["The old clock in the hall struck nine twice. Nobody in the house had wound it since May."]
    again = measure_variety(varied * 3, num_words=100)
    once = measure_variety(varied, num_words=100)
    assert once.repeated_sentences == 0
    assert again.repeated_sentences == 1
    assert all(again.distinct[n] < once.distinct[n] for n in (1, 2, 3))
    assert share_of_known(varied, varied) == 1
    assert share_of_known(varied, ["Something else stands here, word after word."]) == 0


def test_words_are_counted_up_to_a_limit() -> None:
    assert measure_variety(["one two three four five six seven"] * 9, num_words=20).num_words == 20


def test_no_file_of_the_room_reads_the_clock() -> None:
    """Dates would make two runs differ."""
    room = Path(__file__).parents[3] / "hub_toolkit" / "generate"
    assert [p.name for p in room.glob("*.py") if "import time" in p.read_text() or "datetime" in p.read_text()] == []


def test_rules_of_thumb_find_what_they_look_for() -> None:
    options = [
        "Take the ferry and read on deck.",
        "Take the ferry and sleep on deck.",
        "Take the ferry, then stay on deck.",
        "Buy a kite.",
    ]
    central = guess_scores("Shall I fly a kite?", options, 0)
    assert central["central_option"] > 0 == central["odd_option"] == central["like_query"]
    odd = guess_scores("Shall I fly a kite?", options, 3)
    assert (odd["odd_option"], odd["like_query"], odd["shortest_option"], odd["central_option"]) == (1, 1, 1, 0)
    assert set(odd) == set(GUESSES)
    equal = guess_scores("?", ["red tin", "blue jar", "green box", "grey sack"], 1)
    assert equal["central_option"] == equal["odd_option"] == equal["like_query"] == 0.25


def test_no_rule_of_thumb_is_above_chance_in_swap_groups_and_other_answers_leave_the_own_one_out() -> None:
    balanced = [s for s in load_samples("mini") if s.is_balanced]
    scores = [
        guess_scores(s.user_query.text, order := option_order(s), order.index(s.correct_answer)) for s in balanced
    ]
    for name in GUESSES:
        assert abs(sum(score[name] for score in scores) / len(scores) - 0.25) < 1e-9
    tell = other_answers(balanced)
    first, *others = [s for s in balanced if s.cluster == balanced[0].cluster]
    assert first.correct_answer not in tell(first)
    assert all(other.correct_answer in tell(first) for other in others)
