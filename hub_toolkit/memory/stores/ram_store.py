"""A store that lives in this process: for tests, for a try-out, and for a chat that shall leave nothing behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from hub_toolkit.errors import ConflictError, StoreError
from hub_toolkit.memory.document import MemoryDocument
from hub_toolkit.memory.state import Change, MemoryState, Receipt, Session, Version
from hub_toolkit.memory.stores.redaction import Redaction
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
        time = self._now().isoformat(timespec="seconds")
        added, changed, removed = _count_changes(before.document, state.document)
        version = Version(expect + 1, change.kind, change.author, change.reason, time, added, changed, removed)
        memory.states.append(state)
        memory.versions.append(version)
        memory.receipts += [replace(receipt, time=time) for receipt in change.receipts]
        memory.sessions += change.sessions
        self._memories[user] = memory
        return version

    def purge(self, user: str, state: MemoryState, change: Change, *, concerns: Concerns, expect: int) -> Version:
        redaction = Redaction.of_change(self.load(user)[1], state, concerns)
        version = self.commit(user, redaction.state(state), change, expect=expect)
        memory, num_purged = self._memories[user], 0
        for place, past in enumerate(memory.states[:-1]):
            memory.states[place], num = _redact(past, redaction)
            num_purged += num
        memory.versions = [replace(v, reason=redaction.reason(v.reason)) for v in memory.versions]
        memory.receipts.append(Receipt("purged", change.kind, num_purged, time=version.time))
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


def _count_changes(before: MemoryDocument, after: MemoryDocument) -> tuple[int, int, int]:
    old, new = ({b.id: b for b in document.bullets} for document in (before, after))
    changed = sum(old[i] != new[i] for i in old.keys() & new.keys())
    return len(new.keys() - old.keys()), changed, len(old.keys() - new.keys())


def _redact(state: MemoryState, redaction: Redaction) -> tuple[MemoryState, int]:
    """Return a past state without what must go, and how many bullets and held spans that were."""
    bullets = tuple(b for b in map(redaction.past_bullet, state.document.bullets) if b is not None)
    held = tuple(h for h in map(redaction.held, state.held) if h is not None)
    rules = tuple(r for r in map(redaction.past_rule, state.rules) if r is not None)
    num = len(state.document.bullets) - len(bullets) + len(state.held) - len(held)
    return replace(state, document=replace(state.document, bullets=bullets), held=held, rules=rules), num
