"""Short English bullets have few small words that tell their language; no list's foreign words may be read into them."""

from __future__ import annotations

import pytest

from hub_toolkit.memory.rules.compile import compile_rule
from hub_toolkit.memory.rules.detect import violates

PLAIN = (
    "Bakes sourdough rye bread every Sunday morning",
    "Prefers more options open, avoids waste",
    "Washes dishes by hand, dislikes displays",
    "Collects glass rabbits and opera posters",
    "Enjoys dinner parties, particularly fantasy themes",
    "Likes certain animals: herons, otters",
    "Keeps chords simple, practises arpeggios",
    "Depends on test zones, tests automation",
    "Grows avocado, sorts industrial lamps",
    "Sketches torches, tortilla presses, arcades",
)
TOPICS = (
    *("my health", "my mental health", "my drinking", "my body", "my sexuality", "my family", "my children", "my age"),
    *("my ethnicity", "my religion", "my politics", "my money", "my legal trouble"),
)


@pytest.mark.parametrize("topic", TOPICS)
def test_a_plain_bullet_stays_under_a_strict_rule(topic: str) -> None:
    rule = compile_rule(f"nothing about {topic} (strict)", "r1")
    assert rule.strictness == "strict"
    assert [text for text in PLAIN if violates(text, rule)] == []
