"""Requests to forget that only a memory which holds the thing tells from other talk."""

from __future__ import annotations

import asyncio

import pytest

from hub_toolkit.data.history import Chunk
from hub_toolkit.data.tokens import EstimateCounter
from hub_toolkit.memory.builders.extractive import ExtractiveBuilder
from hub_toolkit.memory.document import MemoryDocument
from hub_toolkit.memory.forget.bare_requests import find_bare_request
from hub_toolkit.types import Message

HELD = "I fold paper cranes with my uncle Osvaldo, and I row a skiff on Lake Imber every Sunday"
WISHES = [
    "the skiff thing, forget it",
    "Erase the skiff.",
    "no more skiff notes please",
    "no notes about Lake Imber please, forget",
    "take the skiff out please",
    "i dont want the skiff in here anymore",
    "Don't keep in mind that I row a skiff.",
    "I take it back about the skiff, forget it",
    "never mention the skiff again",
    "Bitte nichts mehr von dem Lake Imber, vergiss es",
    "Cancella Lake Imber dai tuoi ricordi",
]
NO_WISHES = [
    "forget it",
    "Delete the second paragraph.",
    "erase the background layer",
    "drop the comma",
    "remove the last row",
    "Forget the skiff for now",
    "Forget the recipe, what about a salad?",
    "take the bins out",
    "never talk about the skiff if the client asks",
    "I want to write about how people forget the war, and what comes of it when nobody keeps a note of what was done there",
]


def build(*texts: str) -> MemoryDocument:
    builder = ExtractiveBuilder(EstimateCounter())
    messages = tuple(Message("user", text) for text in texts)
    return asyncio.run(builder.update(builder.empty(), Chunk(messages, tuple(range(len(messages))), 100)))


@pytest.mark.parametrize("wish", WISHES)
def test_a_short_request_is_carried_out_where_the_memory_holds_the_thing(wish: str) -> None:
    left = " ".join(bullet.text.lower() for bullet in build(HELD, "I grow figs in a tub", wish).bullets)
    assert "skiff" not in left and "imber" not in left and "figs" in left


@pytest.mark.parametrize("wish", [wish for wish in WISHES if "take it back" not in wish])
def test_it_is_none_where_the_memory_does_not(wish: str) -> None:
    document = build("I grow figs in a tub", wish)
    assert "figs" in " ".join(bullet.text for bullet in document.bullets)
    assert not document.forgotten


@pytest.mark.parametrize("text", NO_WISHES)
def test_other_talk_is_none(text: str) -> None:
    assert find_bare_request(text) is None
    assert "skiff" in " ".join(bullet.text for bullet in build(HELD, text).bullets)
