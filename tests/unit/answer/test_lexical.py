"""The answerer without an LLM."""

from __future__ import annotations

from hub_toolkit.answer.lexical import pick, relevant_bullets, support
from hub_toolkit.memory.document import Bullet, MemoryDocument

OPTIONS = (
    "Take the kayak round the headland before the tide turns.",
    "Roll the dice and write a dungeon for the campaign.",
    "Feed the sourdough starter and shape a loaf.",
    "Walk to the sauna and jump off the jetty.",
)


def test_picks_what_the_text_supports() -> None:
    assert pick("- my starter sank, so the loaf was flat\n- bought a lamp", OPTIONS) == 2


def test_no_text_supports_nothing_and_picks_the_first() -> None:
    assert support("", OPTIONS) == [0, 0, 0, 0]
    assert pick("", OPTIONS) == 0


def test_words_shared_by_all_options_or_the_query_count_nothing() -> None:
    options = ("tea with honey", "tea with lemon", "tea with milk", "tea with mint")
    assert support("- tea tea tea", options) == [0, 0, 0, 0]
    assert support("- honey", options, query="honey or lemon?") == [0, 0, 0, 0]


def test_a_twin_option_without_the_forgotten_thing_wins_without_it() -> None:
    options = (
        "dumplings, then the karaoke booth",
        "dumplings, then a stroll",
        "theatre, then the rink",
        "theatre, then a stroll",
    )
    assert pick("- forty dumplings on one table", options) == 1
    assert pick("- forty dumplings on one table\n- we sang karaoke in the booth", options) == 0


def test_relevant_bullets_share_words_with_the_question() -> None:
    document = MemoryDocument(bullets=(Bullet("m1", "bakes sourdough loaves"), Bullet("m2", "owns a kayak")))
    assert [b.id for b in relevant_bullets(document, "Where could I paddle my kayak?")] == ["m2"]
    assert relevant_bullets(document, "What is pi?") == []
