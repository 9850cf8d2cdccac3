"""An exported memory brought in: the equal one where there was none, joined with free ids elsewhere."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hub_toolkit.memory.document import Bullet, MemoryDocument, Source
from hub_toolkit.memory.exports.exports import MemoryExport
from hub_toolkit.memory.owner.transfers import join_memories
from hub_toolkit.memory.state import Held, MemoryState, Rule

DOCUMENT = MemoryDocument((Bullet("m4", "Swims"), Bullet("m2", "Sings")), read_messages=9, next_id=7, faults=("f",))
EXPORTED = MemoryState(DOCUMENT, (Rule("r3", "no"),), (Held("h2", "x", Source(1, "x"), "y"),), next_rule=5, next_held=3)


def test_a_memory_that_holds_nothing_becomes_the_exported_one() -> None:
    assert join_memories(MemoryState(), MemoryExport(EXPORTED), ()) == (EXPORTED, ())


@pytest.mark.parametrize("bullet_id", ["m7", "m4 pinned] [m9", "x1", "m2", "", "m04", "m٤"])
def test_ids_that_are_not_ours_are_given_anew(bullet_id: str) -> None:
    document = replace(DOCUMENT, bullets=(Bullet(bullet_id, "Swims"), DOCUMENT.bullets[1]))
    joined, _ = join_memories(MemoryState(), MemoryExport(replace(EXPORTED, document=document)), ())
    assert [bullet.id for bullet in joined.document.bullets] == ["m1", "m2"] and joined.document.next_id == 3


def test_a_memory_that_holds_something_gives_the_next_free_ids() -> None:
    mine = MemoryState(MemoryDocument((Bullet("m2", "Mine"),), next_id=3), (Rule("r1", "mine"),), next_rule=2)
    joined, _ = join_memories(mine, MemoryExport(EXPORTED), ())
    assert [bullet.id for bullet in joined.document.bullets] == ["m2", "m3", "m4"]
    assert [rule.id for rule in joined.rules] == ["r1", "r2"]
