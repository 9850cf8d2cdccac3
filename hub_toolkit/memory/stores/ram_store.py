"""A store that lives in this process: for tests, for a try-out, and for a chat that shall leave nothing behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from hub_toolkit.errors import ConflictError, StoreError
from hub_toolkit.memory.owner.audit import diff_documents
from hub_toolkit.memory.state import Change, MemoryState, Receipt, Session, Version
from hub_toolkit.memory.stores.redaction import Redaction, keep_tombstones, purge_receipt
from hub_toolkit.memory.stores.store import Concerns


@dataclass
class _Memory:
    states: list[MemoryState] = field(default_factory=list)
    versions: list[Version] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    sessions: list[Session] = field(default_factory=list)


class RamStore:
    """Keeps what a `MemoryStore` keeps, until the process ends."""

    def __init__(self, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now = now
        self._memories: dict[str, _Memory] = {}

    def users(self) -> list[str]:
        return sorted(self._memories)

    def load(self, user: str) -> tuple[int, MemoryState]:
        memory = self._memories.get(user)
        return (len(memory.states), memory.states[-1]) if memory else (0, MemoryState())

    def commit(self, user: str, state: MemoryState, change: Change, *, expect: int) -> Version:
        memory = self._memories.get(user) or _Memory()
        if len(memory.states) != expect:
            raise ConflictError(
                f"the memory of {user} is at version {len(memory.states)}, not {expect}: somebody else changed it; "
                "read it again and repeat the change"
            )
        before = memory.states[-1] if memory.states else MemoryState()
        state = keep_tombstones(before, state)
        time = self._now().isoformat(timespec="seconds")
        counts = diff_documents(before.document, state.document).counts
        version = Version(expect + 1, change.kind, change.author, change.reason, time, *counts)
        memory.states.append(state)
        memory.versions.append(version)
        memory.receipts += [replace(receipt, time=time) for receipt in change.receipts]
        memory.sessions += change.sessions
        self._memories[user] = memory
        return version

    def purge(self, user: str, state: MemoryState, change: Change, *, concerns: Concerns, expect: int) -> Version:
        redaction = Redaction.of_change(self.load(user)[1], state, concerns)
        version = self.commit(user, redaction.state(state), change, expect=expect)
        memory, purged = self._memories[user], set[object]()
        for place, past in enumerate(memory.states[:-1]):
            memory.states[place], gone = redaction.past_state(past)
            purged |= gone
        memory.versions = [replace(v, reason=redaction.reason(v.reason)) for v in memory.versions]
        memory.receipts.append(purge_receipt(change, len(purged), version.time))
        return memory.versions[-1]

    def state_at(self, user: str, number: int) -> MemoryState:
        memory = self._memories.get(user)
        if number == 0:
            return MemoryState()
        if memory is None or not 0 < number <= len(memory.states):
            raise StoreError(f"the memory of {user} has no version {number}; `log` lists those there are")
        return memory.states[number - 1]

    def versions(self, user: str) -> list[Version]:
        return list(self._memories[user].versions) if user in self._memories else []

    def receipts(self, user: str) -> list[Receipt]:
        return list(self._memories[user].receipts) if user in self._memories else []

    def sessions(self, user: str) -> list[Session]:
        return list(self._memories[user].sessions) if user in self._memories else []

    def delete_user(self, user: str) -> None:
        self._memories.pop(user, None)

    def close(self) -> None:
        """Nothing is open."""
