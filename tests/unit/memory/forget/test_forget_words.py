"""Forgetting in other words: what comes with a thing, what answers a question, names, and requests in many wordings."""

from __future__ import annotations

from typing import Any

import pytest

from hub_toolkit.memory.document import Bullet, MemoryDocument, Source
from hub_toolkit.memory.forget.forget_requests import find_request
from hub_toolkit.memory.forget.forgetting import ForgetGuard, forget_in
from hub_toolkit.memory.forget.tombstones import is_forgotten, make_tombstone
from hub_toolkit.types import Message


def document(*texts: str) -> MemoryDocument:
    return MemoryDocument(bullets=tuple(Bullet(f"m{i}", t, (Source(i, t),)) for i, t in enumerate(texts)))


@pytest.mark.parametrize(
    ("wish", "said", "stays"),
    [
        ("forget about my gallbladder surgery", "My cholecystectomy scar itches", "I whittled a spoon"),
        ("forget that I drive a Tesla", "My electric car is at the wallbox", "I repaint old bicycles white"),
        ("forget that I smoke weed", "I bought edibles at the dispensary", "I am planting flower beds"),
        ("forget my birthday", "I was born in 1988", "In April I plant beans"),
        ("forget about my crypto investments", "My Ethereum is down", "I share a greenhouse with Ben"),
        ("forget Robert", "Bob called me on Sunday", "Rosa lives next door"),
        ("forget that I'm a morning person", "I am an early bird", "I close the shop at six"),
        ("forget my passion for trains", "I photographed a steam locomotive", "I have a passion for soup"),
        ("forget my motorbike", "I toured the coast on my Ducati", "I ride my bicycle to the pool"),
        ("forget my in-laws", "My mother-in-law stays with us", "My niece stays with us"),
        ("forget that I live alone", "I have the flat to myself", "I tune pianos for a living"),
    ],
)
def test_what_comes_with_a_thing_goes_with_it(wish: str, said: str, stays: str) -> None:
    _, concerns = forget_in(document("I water my plants"), wish)
    assert concerns(said)
    assert not concerns(stays)


def test_the_answer_to_an_open_wish_is_learnt_from_what_goes() -> None:
    memory = document(
        "I live in Leeds near the university", "My flat in Leeds is on the third floor", "Leo lives in Bath"
    )
    after, concerns = forget_in(memory, "Please forget where I live")
    assert concerns("My Leeds neighbours are noisy")
    assert not any("Leeds" in bullet.text for bullet in after.bullets)
    control, concerns = forget_in(document("I live in Bath"), "Please forget my knee")
    assert control.bullets
    assert not concerns("My Leeds neighbours are noisy")


def test_the_name_of_a_thing_is_learnt_in_other_languages() -> None:
    _, concerns = forget_in(document("Ich habe einen Hund namens Balu"), "vergiss, dass ich einen Hund habe")
    assert concerns("Balu hat heute einen Schuh zerbissen")


def test_a_script_without_spaces_keeps_its_neighbours() -> None:
    memory = document("我每天早上喝两杯咖啡", "我每天早上跑步")
    after, concerns = forget_in(memory, "请忘记我喜欢咖啡")
    assert [bullet.text for bullet in after.bullets] == ["我每天早上跑步"]
    assert concerns("咖啡是我的最爱")


@pytest.mark.parametrize(
    "text",
    [
        "scrap what I said about my tattoo",
        "erase from your memory that I have insomnia",
        "Delete the memory about my car accident",
        "Please remove anything about Uncle Bob",
        "I'd appreciate it if you forgot my job title.",
        "Can we pretend I never told you about my abortion?",
        "I no longer want you to know about my tattoos.",
        "I shouldn't have told you about the pregnancy. Please erase it.",
        "pls 4get that i smoke",
        "That I was in prison should not be remembered.",
        "Don't forget that I like tea, but please forget that I like coffee",
        "Borra de tu memoria que soy gay.",
        "私が離婚したことを忘れてください",
        "내가 담배 피우는 거 잊어줘",
        "Забудь, что я курю",
        "Zapomnij, że palę",
        "sigara içtiğimi unut lütfen",
    ],
)
def test_requests_in_many_wordings_are_seen(text: str) -> None:
    request = find_request(text)
    assert request is not None
    assert request.wish


@pytest.mark.parametrize(
    "text",
    [
        "Please don't forget my birthday!",
        "How can I forget about her and move on?",
        "Remove anything about pricing from the email.",
        "Could you cut this down to ninety words? I told Ines that I like it short.",
        "Drop the tent idea, let's look at hotels.",
        "Translate: 'Please forget that I like jazz.'",
        "My mom has dementia and forgets that I am her son.",
        "Vergiss nicht, dass ich allergisch bin.",
        "Не забудь купить молоко",
    ],
)
def test_what_only_sounds_like_a_request_is_none(text: str) -> None:
    assert find_request(text) is None


def test_what_only_hints_needs_company() -> None:
    tombstone = (make_tombstone("my motorbike"),)
    assert is_forgotten("I bought a helmet for my bike", tombstone)
    assert not is_forgotten("I bought a helmet for the kayak trip", tombstone)


def test_the_guard_reads_the_text_of_a_message_with_images() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    parts: list[dict[str, Any]] = [{"type": "text", "text": "I love jazz so much. I bake bread."}, image]
    screened = ForgetGuard((make_tombstone("jazz"),)).screen_message(Message("user", parts), 3)
    assert "jazz" not in screened.message.text
    assert "bread" in screened.message.text
    assert image in screened.message.content
    assert len(screened.findings) == 1
    untouched = ForgetGuard((make_tombstone("knitting"),)).screen_message(Message("user", parts), 3)
    assert untouched.message.content == parts
