"""A person or a time that a rule names is kept away where a text only describes it."""

from __future__ import annotations

import pytest

from hub_toolkit.memory.rules.compile import compile_rule
from hub_toolkit.memory.rules.detect import violates


@pytest.mark.parametrize(
    ("rule", "forbidden", "kept"),
    [
        (
            "nothing about Marisol, my mother-in-law",
            "My husband's mother wants our bed",
            "My husband's motherboard died",
        ),
        ("nothing about my ex-husband", "The man I divorced keeps the boat", "The man I married keeps a boat"),
        ("nothing about my boss", "The woman I report to likes slides", "The report I wrote has slides"),
        ("nothing about December", "The hall is booked for boxing day", "The boxing gym is booked all day"),
        ("nothing about my Fridays", "After jumu'ah I play carrom", "After lunch I play carrom"),
    ],
)
def test_descriptions_fall_under_the_rule(rule: str, forbidden: str, kept: str) -> None:
    compiled = compile_rule(rule, "r1")
    assert violates(forbidden, compiled)
    assert not violates(kept, compiled)
