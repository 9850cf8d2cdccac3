"""What a bullet is about, whom, how it came and how well it is founded."""

from __future__ import annotations

import pytest

from hub_toolkit.memory.document import KINDS, Bullet, Source
from hub_toolkit.memory.kinds import classify
from hub_toolkit.types import Message


def bullet(text: str, *spans: str) -> Bullet:
    return classify(Bullet("m1", text, tuple(Source(2 * i, span) for i, span in enumerate(spans))))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("I love smoked tea and prefer it strong", "preference"),
        ("My migraines came back and the doctor changed the tablets", "health"),
        ("I booked the ferry for next month", "plan"),
        ("My wife and our two kids moved in", "relationship"),
        ("My boss put me on the late shift with new clients", "work"),
        ("I usually run every evening", "habit"),
        ("I go to church and vote green", "sensitive"),
        ("The shed is blue", "fact"),
        ("我每天早上去游泳 🏊", "fact"),
    ],
)
def test_kind(text: str, kind: str) -> None:
    assert kind in KINDS
    assert bullet(text, text).kind == kind


@pytest.mark.parametrize(
    ("text", "spans", "owner"),
    [
        ("My sister loves sailing", ["My sister loves sailing."], "other"),
        ("The user's best friend is allergic to nuts", ["my best friend is allergic to nuts"], "other"),
        ("Loves sailing", ["My sister loves sailing."], "other"),
        ("User loves sailing", ["My sister loves sailing."], "other"),
        ("My sister and I love sailing", ["My sister and I love sailing."], "self"),
        ("I taught my sister to sail", ["I taught my sister to sail"], "self"),
        ("Loves sailing", ["I love sailing."], "self"),
        ("Loves sailing", ["My sister loves sailing.", "I went sailing again."], "self"),
    ],
)
def test_owner(text: str, spans: list[str], owner: str) -> None:
    assert bullet(text, *spans).owner == owner


def test_origin() -> None:
    said = "I keep bees behind my garage"
    assert bullet(said, said).origin == "said"
    assert bullet("Might own hives somewhere", said).origin == "inferred"
    assert bullet(said, "How do I treat mites in my hives?").origin == "inferred"
    assert bullet(said, said, "my bees again").origin == "repeated"
    twice = Bullet("m1", said, (Source(4, said), Source(4, "my bees")))
    assert classify(twice).origin == "said"


def test_confidence_grows_with_each_ground_alone() -> None:
    said, asked = "I keep bees behind my garage", "How do I treat mites in hives?"
    one, two, three = bullet(said, said), bullet(said, said, said), bullet(said, said, said, said)
    assert one.confidence < two.confidence < three.confidence <= 1
    assert bullet(asked, asked).confidence < one.confidence
    ages = [classify(one, read_messages=n).confidence for n in (10, 600, 5000)]
    assert ages == sorted(ages, reverse=True)
    assert ages[0] > ages[1] > ages[2]
    assert bullet(said).confidence < bullet(asked, asked).confidence
    assert classify(Bullet("m1", "x", author="user")).confidence == 1


def test_a_span_that_does_not_stand_in_its_message_founds_nothing() -> None:
    invented = Bullet("m1", "Keeps bees", (Source(0, "I keep bees"),))
    assert classify(invented, {0: Message("user", "I keep hens")}).confidence == 0.1
    assert classify(invented, {0: Message("user", "I keep\n bees")}).confidence > 0.1


def test_first_and_last_seen_never_shrink() -> None:
    seen = classify(Bullet("m1", "bees", (Source(7, "bees"), Source(9, "bees")), first_seen=2, last_seen=8))
    assert (seen.first_seen, seen.last_seen) == (2, 9)
    assert classify(Bullet("m1", "x", author="user")).first_seen is None
