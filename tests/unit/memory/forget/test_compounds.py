"""Requests that name a compound thing take that thing, and leave what shares a word with it."""

from __future__ import annotations

import asyncio

import pytest

from hub_toolkit.data.history import Chunk
from hub_toolkit.data.tokens import EstimateCounter
from hub_toolkit.memory.builders.extractive import ExtractiveBuilder
from hub_toolkit.memory.document import Bullet, MemoryDocument, Source
from hub_toolkit.memory.forget.blocks import Block
from hub_toolkit.memory.forget.forget_requests import find_request
from hub_toolkit.memory.forget.forgetting import forget_in
from hub_toolkit.types import Message


def document(*texts: str) -> MemoryDocument:
    return MemoryDocument(bullets=tuple(Bullet(f"m{i}", t, (Source(i, t),)) for i, t in enumerate(texts)))


@pytest.mark.parametrize(
    ("wish", "told", "again", "near"),
    [
        ("my bakery job", "I work at the bakery from four", "The bakery closes on Mondays", "I bake rye bread"),
        ("my chess club friend", "My friend Tobias from the chess club moved", "Tobias rang", "I play chess online"),
        ("my running shoes", "My running shoes hurt", "My runing shoes are wet", "I run daily before work"),
        ("my running shoes", "My running shoes hurt", "Meine Laufschuhe sind nass", "My rubber boots are yellow"),
        ("my Spanish teacher", "My Spanish teacher sings", "Mein Spanischlehrer singt", "I speak Spanish at home"),
        ("that I have a piano teacher", "My piano teacher hums", "My teacher of piano hums", "I own a piano"),
        ("my ex boss", "My ex boss Fennimore shouted", "My former boss rang", "My boss is kind"),
        ("my brother's divorce", "My brother's divorce is ugly", "The divorce is through", "My brother builds kites"),
        ("my old boss", "My old boss Fennimore shouted", "I dream of my old boss", "I collect old maps"),
        ("my sister", "My sister, Łucja, sings", "Łucja rang", "I sing in a choir"),
        ("my dad", "My dad Karl is a potter", "My dad rang", "I bake rye bread"),
        ("my cat's divorce lawyer", "My cat Rex has a divorce lawyer", "The divorce lawyer rang", "Rex sleeps a lot"),
        ("my stupid landlord", "My landlord is mean", "My landlord raised the rent", "I like my flat"),
    ],
)
def test_a_compound_goes_whole_and_alone(wish: str, told: str, again: str, near: str) -> None:
    after, concerns = forget_in(document(told, near), f"Please forget {wish}")
    assert [bullet.text for bullet in after.bullets] == [near]
    assert concerns(again)
    assert not concerns(near)


@pytest.mark.parametrize("wish", ["I", "my", "it", "everything", "all you know about me", "everything from 2023"])
def test_what_names_no_matter_leaves_no_tombstone(wish: str) -> None:
    memory = document("I keep it in my shed", "I said everything twice")
    after, _ = forget_in(memory, f"forget {wish}")
    assert after is memory
    request = find_request(f"Please forget {wish}.")
    assert request is None or not request.clause


def test_what_stands_between_a_thing_and_the_request_stays() -> None:
    said = ["I row a skiff on Lake Imber", "I grow figs in a tub", "I sing in a choir", "Please forget my skiff"]
    messages = tuple(m for text in said for m in (Message("user", text), Message("assistant", "Noted.")))
    builder = ExtractiveBuilder(EstimateCounter())
    memory = asyncio.run(builder.update(builder.empty(), Chunk(messages, tuple(range(len(messages))), 100)))
    assert [bullet.text for bullet in memory.bullets] == ["I grow figs in a tub", "I sing in a choir"]


def test_a_short_statement_in_the_block_is_not_blocked_from_being_learnt_again() -> None:
    near = Block(0, is_named=True)
    assert not near.holds(2, "I grow figs in a tub", 4)
    assert near.holds(2, "It costs me forty a month", 4)
    assert Block(0).holds(2, "I grow figs in a tub", 4)
