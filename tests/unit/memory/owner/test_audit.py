"""Support, why, diff and search."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hub_toolkit.errors import StoreError
from hub_toolkit.memory.document import Bullet, MemoryDocument, Source
from hub_toolkit.memory.owner.audit import (
    check_support,
    diff_documents,
    drop_unsupported,
    explain_bullet,
    rank_bullets,
    unsupported_bullets,
)

TEXTS = {3: "Well,\n I keep  bees behind my garage. And hens.", 5: "I sold the boat."}
BEES = Bullet("m1", "Keeps bees", (Source(3, "I keep bees behind my garage."),))


@pytest.mark.parametrize(
    ("bullet", "is_supported"),
    [
        (BEES, True),
        (replace(BEES, sources=(Source(5, "I keep bees behind my garage."),)), False),  # cites another message
        (replace(BEES, sources=(Source(99, "I keep bees"),)), False),
        (replace(BEES, sources=(Source(3, "I keep bees in town"),)), False),  # invented words
        (replace(BEES, sources=(Source(5, "I sold the boat."),)), False),  # real, but of something else
        (replace(BEES, sources=(Source(3, ""),)), False),
        (replace(BEES, sources=()), False),
        (replace(BEES, sources=(), author="user"), True),
        (replace(BEES, text="Keeps bees and owns seven vineyards, two yachts and a castle near Bordeaux"), False),
        (Bullet("m2", "🙂", (Source(3, "I keep bees"),)), False),
    ],
)
def test_support(bullet: Bullet, is_supported: bool) -> None:
    assert check_support(bullet, TEXTS) is is_supported


def test_one_good_source_is_enough_and_why_tells_them_apart() -> None:
    bullet = replace(BEES, sources=(Source(5, "I keep bees"), *BEES.sources))
    why = explain_bullet(MemoryDocument((bullet,)), "m1", TEXTS)
    assert why.is_supported
    assert [(c.stands, c.is_support) for c in why.checks] == [(False, False), (True, True)]
    assert why.checks[1].shared == ("bee",)
    with pytest.raises(StoreError, match="m9"):
        explain_bullet(MemoryDocument((bullet,)), "m9")


def test_without_the_messages_spans_are_taken_as_they_are() -> None:
    assert check_support(replace(BEES, sources=(Source(5, "I keep bees"),)))
    assert not check_support(replace(BEES, sources=(Source(5, "I sold the boat"),)))


def test_other_scripts_and_emoji_are_supported() -> None:
    assert check_support(Bullet("m1", "喜欢游泳", (Source(0, "我每天早上去游泳"),)), {0: "我每天早上去游泳。"})
    assert check_support(Bullet("m1", "🏊", (Source(0, "me: 🏊"),)), {0: "me: 🏊"})


def test_the_policy_drops_what_nothing_bears_out_but_not_the_users_own() -> None:
    loose = Bullet("m2", "Owns a castle", (Source(5, "I sold the boat."),))
    pinned = replace(loose, id="m3", is_pinned=True)
    document = MemoryDocument((BEES, loose, pinned, Bullet("m4", "Mine", author="user")))
    assert [b.id for b in unsupported_bullets(document, TEXTS)] == ["m2", "m3"]
    assert [b.id for b in drop_unsupported(document, TEXTS).bullets] == ["m1", "m3", "m4"]


def test_diff() -> None:
    a = MemoryDocument((BEES, Bullet("m2", "Hens"), Bullet("m3", "Boat")))
    b = MemoryDocument((replace(BEES, weight=9, confidence=0.9), Bullet("m2", "Two hens"), Bullet("m4", "Bike")))
    diff = diff_documents(a, b)
    assert [x.id for x in diff.added] == ["m4"]
    assert [(x.text, y.text) for x, y in diff.changed] == [("Hens", "Two hens")]
    assert [x.id for x in diff.removed] == ["m3"]
    assert diff_documents(a, a).is_empty
    assert [x.is_pinned for _, x in diff_documents(a, MemoryDocument((replace(BEES, is_pinned=True),))).changed] == [
        True
    ]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("swimming", "m1"),
        ("游泳", "m2"),
        ("السباحة", "m3"),
        ("🚲", "m4"),
        ("C++", "m5"),
        ("Where do I swim?", "m1"),
        ("猫", "m6"),
    ],
)
def test_search_finds_inflections_and_other_scripts(query: str, found: str) -> None:
    texts = [
        "I swam and swim laps",
        "我每天早上去游泳",
        "أحب السباحة في الصباح",
        "rides a 🚲",
        "writes C++",
        "我有一只猫",
    ]
    document = MemoryDocument(tuple(Bullet(f"m{i}", text) for i, text in enumerate(texts, 1)))
    assert [b.id for b in rank_bullets(document, query)][:1] == [found]


def test_search_finds_nothing_where_nothing_is_shared() -> None:
    document = MemoryDocument((Bullet("m1", "owns a kayak"),))
    assert rank_bullets(document, "what is pi?") == []
    assert rank_bullets(document, "a") == [document.bullets[0]]  # the word `a` stands there
    assert rank_bullets(document, "ya") == []  # inside a word it does not count
    assert rank_bullets(document, "  ") == []
    assert rank_bullets(MemoryDocument(), "kayak") == []
