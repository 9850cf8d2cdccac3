"""Where memories are kept: what every store does. Each call names its user, and touches nothing of another's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from hub_toolkit.memory.state import Change, MemoryState, Receipt, Session, Version

Concerns = Callable[[str], bool]
"""Whether a text is about what must go."""


class MemoryStore(Protocol):
    """Versions of the memories of many users.

    Raises (all calls): StoreError: the store is broken, of another schema, or cannot be read or written.
    """

    def users(self) -> list[str]: ...

    def load(self, user: str) -> tuple[int, MemoryState]:
        """Return the newest version's number and state; 0 and an empty state where the user has none."""
        ...

    def commit(self, user: str, state: MemoryState, change: Change, *, expect: int) -> Version:
        """Make `state` the next version; on return it is on the disk.

        Raises: ConflictError: the newest version is not `expect` any more; nothing was written.
        """
        ...

    def purge(self, user: str, state: MemoryState, change: Change, *, concerns: Concerns, expect: int) -> Version:
        """Commit `state`, and take what `concerns` out of all past versions (bullets, spans, reasons, held spans)
        and out of the files, in one step. The receipt of kind `purged` says how many and when.

        Raises: ConflictError, as commit.
        """
        ...

    def state_at(self, user: str, number: int) -> MemoryState:
        """Return a past version, less what was purged since.

        Raises: StoreError: there is no such version.
        """
        ...

    def versions(self, user: str) -> list[Version]: ...

    def receipts(self, user: str) -> list[Receipt]: ...

    def sessions(self, user: str) -> list[Session]: ...

    def delete_user(self, user: str) -> None:
        """Remove a user with all versions, receipts and sessions, from the files too."""
        ...

    def close(self) -> None: ...
