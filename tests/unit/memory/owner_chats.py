"""Chats and stores that the tests of an owner's memory share."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from hub_toolkit.memory.owner.remembering import Remembered
from hub_toolkit.memory.personal import PersonalMemory
from hub_toolkit.types import Message

TEAPOTS = "I bought porcelain teapots at the flea market again, three with cracked spouts."
POOL = "I was at the pool again before work, forty laps with the new goggles."
BREAD = "I always bake sourdough bread on Thursday evening, two tins of rye."


def chat(*texts: str) -> list[Message]:
    """Return a chat in which the user says these things and is answered."""
    return [m for text in texts for m in (Message("user", text), Message("assistant", "Noted."))]


def tell(memory: PersonalMemory, *texts: str, session: str | None = None, at: str | None = None) -> Remembered:
    """Let the memory read a chat."""
    return asyncio.run(memory.remember(chat(*texts), session=session, started_at=at))


def find(memory: PersonalMemory, word: str) -> str:
    """Return the id of the one bullet that holds a word."""
    [bullet] = [b for b in memory.show().document.bullets if word in b.text]
    return bullet.id


def texts(memory: PersonalMemory) -> str:
    return "\n".join(b.text for b in memory.show().document.bullets)


def everything(memory: PersonalMemory) -> str:
    """Return all that the store gives out about the owner, in every version."""
    versions = memory.log()
    states: Sequence[object] = [memory.store.state_at(memory.user, v.number) for v in versions]
    return repr((states, versions, memory.receipts(), memory.store.sessions(memory.user)))
