"""The embedded memory on small histories."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from hub_toolkit.data.history import parse_history
from hub_toolkit.data.schema import History
from hub_toolkit.data.tokens import EstimateCounter
from hub_toolkit.memory.build import build_memory
from hub_toolkit.memory.builders.consolidate import consolidate
from hub_toolkit.memory.builders.extractive import ExtractiveBuilder
from hub_toolkit.memory.document import MemoryDocument

COUNTER = EstimateCounter()


def history(*texts: str) -> History:
    messages = [
        m for t in texts for m in ({"role": "user", "content": t}, {"role": "assistant", "content": "Of course."})
    ]
    return parse_history({"metadata": {}, "chat_history": messages}, source="test")


def build(
    chat: History, *, cap_tokens: int = 2048, document: MemoryDocument | None = None, chunk_tokens: int = 5000
) -> MemoryDocument:
    builder = ExtractiveBuilder(COUNTER, cap_tokens=cap_tokens)
    return asyncio.run(build_memory(chat, builder, COUNTER, document=document, chunk_tokens=chunk_tokens))


CHAT = history(
    "Shorten my post: I was at the pool again before work, forty laps with the new goggles in the slow lane.",
    "What is the capital of Peru?",
    "I bought porcelain teapots at the flea market again, three with cracked spouts, and my shelf is full.",
    "Which glaze marks should I look for on old porcelain teapots at an auction?",
    "My passport number is 53118820X, please write the form letter for my consulate appointment tomorrow.",
)


def test_bullets_are_verbatim_and_cite_their_messages() -> None:
    document = build(CHAT)
    assert document.bullets
    texts = dict(zip(CHAT.indices, (m.text for m in CHAT.messages), strict=True))
    for bullet in document.bullets:
        assert 1 <= len(bullet.sources) <= 3
        assert bullet.text in bullet.sources[0].span
        for source in bullet.sources:
            assert source.span in " ".join(texts[source.index].split())


def test_secrets_never_enter() -> None:
    assert "53118820X" not in str(build(CHAT).as_dict())


def test_forget_removes_the_block_and_blocks_relearning_but_neighbours_stay() -> None:
    wish = parse_history(
        {"metadata": {}, "chat_history": [*({"role": m.role, "content": m.text} for m in CHAT.messages[:8]),
            {"role": "user", "content": "Please forget that I collect porcelain teapots."},
            {"role": "user", "content": "I found two more porcelain teapots today, blue ones with a bamboo handle each."},
            {"role": "assistant", "content": "Nice."}]},
        source="test",
    )  # fmt: skip
    document = build(wish)
    assert "teapot" in build(CHAT).render()
    assert "teapot" not in str(document.as_dict())
    assert "goggles" in document.render()


@pytest.mark.parametrize("cap_tokens", [16, 40, 120])
def test_cap_holds_at_whole_bullets(cap_tokens: int) -> None:
    document = build(CHAT, cap_tokens=cap_tokens)
    assert document.tokens(COUNTER) <= cap_tokens
    assert all(line.startswith("- ") for line in document.render().splitlines()) or not document.bullets


def test_reading_on_equals_reading_at_once() -> None:
    first = replace(CHAT, messages=CHAT.messages[:4], indices=CHAT.indices[:4])
    resumed = build(CHAT, document=build(first))
    assert resumed.read_messages == len(CHAT)
    assert resumed.bullets == build(CHAT).bullets


def test_building_is_causal() -> None:
    first = replace(CHAT, messages=CHAT.messages[:4], indices=CHAT.indices[:4])
    other = replace(
        CHAT, messages=(*CHAT.messages[:4], *history("I keep bees and three hives behind my garage.").messages)
    )
    steps: list[MemoryDocument] = []
    builder = ExtractiveBuilder(COUNTER)
    asyncio.run(build_memory(replace(other, indices=tuple(range(len(other.messages)))), builder, COUNTER,
                             chunk_tokens=70, on_step=lambda step: steps.append(step.document)))  # fmt: skip
    assert steps[0].bullets == build(replace(first, messages=first.messages[:2], indices=first.indices[:2])).bullets


def test_same_input_same_memory() -> None:
    assert build(CHAT).as_dict() == build(CHAT).as_dict()


@pytest.mark.parametrize(
    "text",
    [
        "Remember that I'm vegetarian.",
        "I gave up dairy last spring",
        "I'm allergic to peanuts",
        "call me Sam",
        "I am bisexual",
        "I own two bitcoin",
        "Tengo diabetes tipo 2",
        "我喜欢咖啡",
    ],
)
def test_short_plain_facts_are_kept(text: str) -> None:
    assert [bullet.text for bullet in build(history(text)).bullets] == [text]


@pytest.mark.parametrize("text", ["I think so too", "I have a question", "I need the volcano table", "What do I need?"])
def test_chatter_is_not_kept(text: str) -> None:
    assert not build(history(text)).bullets


def test_a_newer_measure_takes_the_place_of_the_older() -> None:
    chat = history("My rent is 900 euros a month", "I have a boat in Leeds", "My rent is 950 euros a month")
    texts = [bullet.text for bullet in build(chat).bullets]
    assert "My rent is 950 euros a month" in texts
    assert "My rent is 900 euros a month" not in texts


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("I am allergic to walnuts since childhood.", "I am allergic to penicillin since childhood."),
        ("My daughter Ida plays the flute at school.", "My daughter Mia plays the flute at school."),
    ],
)
def test_two_things_in_the_same_words_are_two(one: str, other: str) -> None:
    document = build(history(one, other), chunk_tokens=16)
    assert [bullet.text for bullet in document.bullets] == [one, other]
    assert set(consolidate(document, COUNTER).bullets) == set(document.bullets)


def test_what_the_user_asks_to_remember_comes_first() -> None:
    chat = history(
        "I am drawn to long walks by the river and always take the same bench in the evening light",
        "Please remember that I take one sugar in my tea",
    )
    heaviest = max(build(chat).bullets, key=lambda bullet: bullet.weight)
    assert "one sugar" in heaviest.text
