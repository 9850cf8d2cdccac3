"""Whatever a model writes, the checks stand behind it: an owner's memory with models that misbehave on purpose."""

from __future__ import annotations

import pytest

from benchmarks.scripted_model import BEHAVIOURS, load_scripted
from hub_toolkit.memory.builders.agentic import AgenticBuilder
from hub_toolkit.memory.personal import PersonalMemory
from hub_toolkit.memory.stores.ram_store import RamStore
from tests.unit.memory.owner_chats import BREAD, POOL, TEAPOTS, everything, tell, texts

HEALTH = "I need insulin before every meal since my diabetes was found last spring."
CARD = "I pay with my card 4111 1111 1111 1111 at the market every weekend."


def owned(name: str) -> PersonalMemory:
    return PersonalMemory(RamStore(), "anna", builder=AgenticBuilder(load_scripted(name)), policy_model=None)


@pytest.mark.parametrize("name", sorted(BEHAVIOURS))
def test_the_owners_words_and_bounds_outlast_every_model(name: str) -> None:
    memory = owned(name)
    memory.set_rule("nothing about my health")
    memory.add("I collect tin teapots")
    tell(memory, POOL, "I play the oboe in the town band on Mondays.")
    memory.forget("the oboe in the town band")
    tell(memory, BREAD, HEALTH, CARD, session="two")
    tell(memory, "I play the oboe in the town band on Mondays.", HEALTH, session="three")
    tell(memory, POOL, BREAD, session="four")
    assert "I collect tin teapots" in texts(memory)
    for word in ("insulin", "diabetes", "4111", "oboe"):
        assert word not in everything(memory), f"{name}: {word}"
    assert memory.show().document.tokens(memory.counter) <= memory.show().document.cap_tokens


@pytest.mark.parametrize("name", ["leaky", "stubborn"])
def test_without_rules_these_models_do_write_it(name: str) -> None:
    """The check above can fail: the models write what is forbidden where nothing forbids it."""
    memory = owned(name)
    tell(memory, HEALTH, "I play the oboe in the town band on Mondays.")
    assert "insulin" in texts(memory)
    assert "oboe" in texts(memory)


def test_a_code_that_a_model_writes_down_is_refused() -> None:
    memory = owned("sponge")
    tell(memory, "My badge code is QX7719-B4 and I always hang it on the oak door.")
    assert "QX7719" not in everything(memory)
    assert any(receipt.reason.startswith("secret:") for receipt in memory.receipts())


def test_wrong_citations_are_marked() -> None:
    memory = owned("misciting")
    tell(memory, TEAPOTS, POOL, BREAD)
    document = memory.show().document
    assert document.bullets
    for bullet in document.bullets:
        why = memory.why(bullet.id)
        assert all(check.source.index < document.read_messages for check in why.checks)
