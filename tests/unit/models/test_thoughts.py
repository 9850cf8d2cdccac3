"""Replies of reasoning models: what counts is what comes after the thoughts."""

from __future__ import annotations

import pytest

from hub_toolkit.judge.verdict import parse_verdict
from hub_toolkit.memory.builders.agentic import parse_update
from hub_toolkit.models.thoughts import leave_out_thoughts


@pytest.mark.parametrize(
    ("reply", "left"),
    [
        ("plain", "plain"),
        ("<think>a\nb</think>\n\nplain", "plain"),
        ("opened in the prompt</think>plain", "plain"),
        ("\n<think>never ends: plain", ""),
        ('{"reason": "it wrote </think>"}', '{"reason": "it wrote </think>"}'),
        ("a < b, and <thinking> is a word", "a < b, and <thinking> is a word"),
        ("", ""),
    ],
)
def test_only_what_follows_the_thoughts_is_left(reply: str, left: str) -> None:
    assert leave_out_thoughts(reply) == left


def test_a_judge_may_think_first() -> None:
    thought = '<think>Is it {"verdict": "incorrect"}? No.</think>'
    assert parse_verdict(thought + '{"verdict": "correct", "reason": "it is"}').is_correct


def test_what_a_builder_thinks_is_no_memory() -> None:
    reply = "<think>\nI might keep:\n- The user has an ulcer [1]\n</think>\n- The user bakes rye bread [3]"
    assert [line.text for line in parse_update(reply) or []] == ["The user bakes rye bread"]
    assert parse_update("<think>\n- The user has an ulcer [1]") is None
