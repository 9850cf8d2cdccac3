"""How a memory is changed: read it, draft its next state, commit it; when somebody was faster, draft it again."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from hub_toolkit.errors import ConflictError
from hub_toolkit.memory.state import Change, MemoryState, Version
from hub_toolkit.memory.stores.store import Concerns, MemoryStore

MAX_TRIES = 20


@dataclass(frozen=True)
class Draft:
    """A next state and why it is made. With `concerns`, past versions lose what it names too."""

    state: MemoryState
    change: Change
    concerns: Concerns | None = None


@dataclass(frozen=True)
class Committed:
    """What a change made of a memory: the state before it, and the version after it."""

    version: Version
    before: MemoryState
    draft: Draft


MakeDraft = Callable[[int, MemoryState], Draft | None]
MakeDraftLater = Callable[[int, MemoryState], Awaitable[Draft | None]]


def commit_draft(store: MemoryStore, user: str, make: MakeDraft) -> Committed | None:
    """Commit what `make` drafts from the newest version and its number; None where it drafts nothing.

    Raises: ConflictError: others changed the memory at each of `MAX_TRIES` tries.
    """
    for _ in range(MAX_TRIES):
        number, state = store.load(user)
        draft = make(number, state)
        if draft is None:
            return None
        if (version := _try_commit(store, user, draft, number)) is not None:
            return Committed(version, state, draft)
    raise _too_busy()


async def commit_draft_later(store: MemoryStore, user: str, make: MakeDraftLater) -> Committed | None:
    """Do the same with a draft that waits for a model.

    Raises: ConflictError, as `commit_draft`.
    """
    for _ in range(MAX_TRIES):
        number, state = store.load(user)
        draft = await make(number, state)
        if draft is None:
            return None
        if (version := _try_commit(store, user, draft, number)) is not None:
            return Committed(version, state, draft)
    raise _too_busy()


def key_digest(user: str, digest: str) -> str:
    """Return a digest as receipts hold it: of one owner, so that two owners' receipts cannot be compared."""
    return hmac.new(user.encode("utf-8", "surrogatepass"), digest.encode(), "sha256").hexdigest()[:16] if digest else ""


def _try_commit(store: MemoryStore, user: str, draft: Draft, number: int) -> Version | None:
    receipts = tuple(replace(receipt, digest=key_digest(user, receipt.digest)) for receipt in draft.change.receipts)
    change = replace(draft.change, receipts=receipts)
    try:
        if draft.concerns is None:
            return store.commit(user, draft.state, change, expect=number)
        return store.purge(user, draft.state, change, concerns=draft.concerns, expect=number)
    except ConflictError:
        return None


def _too_busy() -> ConflictError:
    return ConflictError(f"others changed this memory {MAX_TRIES} times meanwhile; nothing was written: try again")
