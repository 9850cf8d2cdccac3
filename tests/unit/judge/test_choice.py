"""The one parser of multiple-choice replies."""

from __future__ import annotations

import pytest

from hub_toolkit.judge.choice import parse_choice


@pytest.mark.parametrize(
    ("reply", "letter"),
    [
        (r"\boxed{a}", "A"),
        (r"\boxed{(A)}", "A"),
        (r"\boxed{ d }", "D"),
        (r"$\boxed{\text{B}}$", "B"),
        (r"\boxed{\textbf{(c)}}", "C"),
        (r"\boxed{**B**}", "B"),
        (r"\boxed{C.}", "C"),
        ("Final Answer: B", "B"),
        ("Final Answer: B.", "B"),
        ("**Final Answer:** (C)", "C"),
        ("**Final Answer**: **D**", "D"),
        ("final answer: [b]", "B"),
        ("Final Answer:\n\nC", "C"),
        ("The final answer is D", "D"),
        ("Final Answer: Option A", "A"),
        ("Final Answer: A because you said so", "A"),
        ("Final Answer: B because you said so", "B"),
        ("Final Answer: A\nHope this helps", "A"),
        (r"Final Answer: $\boxed{C}$", "C"),
        (r"First \boxed{A}, no: \boxed{D}", "D"),
        (r"\boxed{A} on second thought. Final Answer: B", "B"),
        (r"Final Answer: B, that is \boxed{c}", "C"),
        (r"\boxed{B} Try the quiet trail.", "B"),
    ],
)
def test_letter_is_read(reply: str, letter: str) -> None:
    assert parse_choice(reply) == letter


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "Answer: The",
        "Final Answer: The",
        "Final Answer: The best is the second",
        "Final Answer: Do it",
        "Final Answer: A good walk",
        "Final Answer: a good walk",
        "Final Answer: D-day",
        "Final Answer: A's",
        "Final Answer: E",
        r"\boxed{E}",
        r"\boxed{letter}",
        r"\boxed{AB}",
        r"\boxed{A, B}",
        r"\boxed{}",
        "I would go with the second option",
        "Answer: T",
        "boxed{A}",
    ],
)
def test_no_letter_is_invented(reply: str) -> None:
    assert parse_choice(reply) is None


def test_a_letter_out_of_range_does_not_hide_the_last_good_one() -> None:
    assert parse_choice(r"\boxed{B} or \boxed{E}") == "B"


def test_long_replies_are_read_quickly() -> None:
    assert parse_choice("Final Answer " * 20_000 + r"\boxed{ " * 5_000 + "Final Answer: " + " " * 20_000) is None
