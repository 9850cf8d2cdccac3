"""Multiple choice: order, gold and prompt."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from dataclasses import replace

import pytest

from hub_toolkit.answer.mcq import answer_lexically, option_order, pose_question, question_messages
from hub_toolkit.answer.open_ended import open_messages
from hub_toolkit.answer.readers import Context
from hub_toolkit.data.schema import Sample
from hub_toolkit.judge.choice import parse_choice
from hub_toolkit.types import Message


def make_sample(**fields: object) -> Sample:
    sample = Sample(
        sample_id="benchmark-0-abc",
        split="benchmark",
        row=0,
        persona_id=1,
        user_query=Message("user", "What shall I do on Sunday?"),
        correct_answer="Row out on the lake at dawn.",
        incorrect_answers=("Bake a rye loaf.", "Practise the cello.", "Visit the flea market."),
        related_snippet=(),
        history_links={"32k": "h.json"},
        short_persona="",
        expanded_persona={},
        raw_persona_file="",
        preference="",
        prev_pref=None,
        pref_type="neutral_preferences",
        topic_preference="",
        topic_query="",
        conversation_scenario="",
        who="self",
        is_updated=False,
        is_sensitive=False,
    )
    return replace(sample, **fields)  # type: ignore[arg-type]


def test_order_is_the_same_in_another_process() -> None:
    code = "from hub_toolkit.answer.mcq import option_order; print(option_order('g01', 7))"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert other == str(option_order("g01", 7))


def test_order_is_pinned() -> None:
    orders = [option_order("g01", 0), option_order("g02", 0), option_order("g01", 1)]
    assert all(sorted(order) == [0, 1, 2, 3] for order in orders)
    assert orders == [(0, 3, 1, 2), (1, 3, 0, 2), (1, 2, 0, 3)]


def test_orders_are_even() -> None:
    counts = Counter(option_order(str(i), 0) for i in range(24_00))
    assert len(counts) == 24
    assert min(counts.values()) > 60


def test_gold_letter_points_at_the_correct_answer() -> None:
    sample = make_sample()
    for seed in range(20):
        question = pose_question(sample, seed)
        assert question.options[question.gold_index] == sample.correct_answer
        assert sorted(question.options) == sorted((sample.correct_answer, *sample.incorrect_answers))


def test_owners_of_a_group_see_the_same_list() -> None:
    a = make_sample(group_id="g", sample_id="a")
    correct, *others = a.incorrect_answers
    b = make_sample(group_id="g", sample_id="b", correct_answer=correct, incorrect_answers=(*others, a.correct_answer))
    posed = pose_question(a, 5), pose_question(b, 5)
    assert posed[0].options == posed[1].options
    assert posed[0].gold != posed[1].gold
    without_context = {answer_lexically(question, Context()).text for question in posed}
    assert len(without_context) == 1


def test_prompt_shows_query_and_options_in_order() -> None:
    question = pose_question(make_sample(), 0)
    (message,) = question_messages(question)
    assert message.role == "user"
    text = message.text
    places = [text.index(f"{letter}. {option}") for letter, option in zip("ABCD", question.options, strict=True)]
    assert text.startswith("What shall I do on Sunday?")
    assert places == sorted(places)
    assert parse_choice(text) is None, "an echo of the prompt must not read as a choice"


@pytest.mark.parametrize(
    "build", [lambda s: question_messages(pose_question(s, 0)), lambda s: open_messages(s.user_query)]
)
def test_images_of_the_query_stay(build: object) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,AA=="}}
    sample = make_sample(user_query=Message("user", [{"type": "text", "text": "And this?"}, image]))
    (message,) = build(sample)  # type: ignore[operator]
    assert image in message.content
    assert message.text.startswith("And this?")


def test_lexical_pick_follows_the_context_and_reads_back() -> None:
    question = pose_question(make_sample(), 0)
    context = Context(text="- Rows on the lake at dawn before work\n- Has two cats")
    assert parse_choice(answer_lexically(question, context).text) == question.gold
