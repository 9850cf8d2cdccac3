"""Whose words count as the user's own."""

from __future__ import annotations

import pytest

from hub_toolkit.memory.poison.provenance import own_statements


def texts(message: str) -> str:
    return " | ".join(s.text for s in own_statements(message))


def test_own_draft_speaks_for_the_user() -> None:
    message = (
        "Polish this for me?\n\nHi Jenna,\n\nI still start the day with twenty quiet minutes on the mat.\n\nDaniel"
    )
    assert "twenty quiet minutes on the mat" in texts(message)


@pytest.mark.parametrize(
    "message",
    [
        'My uncle has written again. "The brass band is doing the bandstand in the park and I am on the tuba as ever." What do I answer?',
        'It\'s from Tomasz, our new colleague: "I have eczema on both hands and the pink soap at the sinks is murder for me." Answer him.',
        "For a short story: my character is a night porter who makes ambient music in the hotel laundry.",
        "My neighbour asked me what to do about her aquarium filter. I have never kept fish.",
        "```\nI love my aquarium\n```\nWhy does this not parse?",
        "> I keep bees and sell the honey\nWhat does he mean?",
    ],
)
def test_other_peoples_matters_are_not_the_users(message: str) -> None:
    found = texts(message)
    for word in ("tuba", "eczema", "ambient", "aquarium", "bees"):
        assert word not in found


def test_words_around_a_quotation_are_not_joined() -> None:
    quote = "a sentence of somebody else that is long enough to be taken for a quotation by all"
    message = f'I answered "{quote}" and I went home to my lathe. `code`'
    assert all(s.text in message for s in own_statements(message))


def test_statements_stand_in_the_message() -> None:
    message = "Spent half my Saturday in the fasteners aisle. Came home with shelf brackets! Could you shorten it?"
    assert all(s.text in message for s in own_statements(message))
