"""What an owner does to single bullets: add, change, pin, merge, delete, and decide what waits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from hub_toolkit.data.tokens import TokenCounter
from hub_toolkit.errors import BoundaryError, ConflictError, StoreError
from hub_toolkit.memory.builders.drafts import Committed, Draft, commit_draft
from hub_toolkit.memory.document import Bullet, MemoryDocument
from hub_toolkit.memory.forget.forgetting import is_forgotten
from hub_toolkit.memory.guard import Finding, Guard
from hub_toolkit.memory.owner import edits
from hub_toolkit.memory.owner.timeline import REFUSED
from hub_toolkit.memory.state import Change, ChangeKind, Held, MemoryState, Receipt
from hub_toolkit.memory.stores.store import MemoryStore

Edit = Callable[[MemoryDocument], MemoryDocument]


@dataclass(frozen=True)
class Editor:
    """Makes an owner's changes. What the owner types is checked as all that is written, but nobody doubts who speaks."""

    store: MemoryStore
    user: str
    counter: TokenCounter
    empty: Callable[[], MemoryDocument]
    guards_for: Callable[[MemoryState], Sequence[Guard]]

    def apply(
        self,
        kind: ChangeKind,
        reason: str,
        edit: Edit,
        *,
        touches: Sequence[str] = (),
        seen_document: MemoryDocument | None = None,
    ) -> Committed:
        """Commit what `edit` makes of the document. `touches` are the ids of the bullets that the owner saw.

        `seen_document`: the owner saw all bullets as they stand in it.

        Raises: ConflictError: one of them was changed meanwhile. BoundaryError: a rule forbids the new words.
        StoreError: no such bullet.
        """
        seen: dict[str, str | None] = {}

        def draft(_: int, state: MemoryState) -> Draft:
            if seen_document is not None and state.document.bullets != seen_document.bullets:
                raise ConflictError("the memory was changed meanwhile; nothing was written: edit it again")
            now = {b.id: b.text for b in state.document.bullets}
            for bullet_id in touches:
                if seen.setdefault(bullet_id, now.get(bullet_id)) != now.get(bullet_id):
                    raise ConflictError(
                        f"bullet {bullet_id} was changed meanwhile; nothing was written: look at it again"
                    )
                if bullet_id not in now:
                    raise StoreError(f"there is no bullet {bullet_id}; `show` lists those there are")
            return self._screened(state, kind, reason, edit(self._begin(state.document)))

        committed = commit_draft(self.store, self.user, draft)
        assert committed is not None
        if committed.version.reason == REFUSED:
            raise BoundaryError(_explain(committed.draft.change.receipts[0].reason, committed.before))
        return committed

    def release(self, held_id: str) -> Committed:
        """Let a held span be remembered, as the owner's own words.

        Raises: StoreError: nothing of that id waits. BoundaryError: a rule forbids it.
        """

        def draft(_: int, state: MemoryState) -> Draft:
            held = find_held(state, held_id)
            document = edits.add_bullet(self._begin(state.document), held.text, counter=self.counter)
            made = self._screened(state, "release", f"released {held_id}", document)
            return made if made.change.reason == REFUSED else replace(made, state=_without_held(made.state, held_id))

        committed = commit_draft(self.store, self.user, draft)
        assert committed is not None
        if committed.version.reason == REFUSED:
            raise BoundaryError(_explain(committed.draft.change.receipts[0].reason, committed.before))
        return committed

    def discard(self, held_id: str) -> Committed:
        """Drop a held span; `undo` brings it back, `forget` does not.

        Raises: StoreError: nothing of that id waits.
        """

        def draft(_: int, state: MemoryState) -> Draft:
            held = find_held(state, held_id)
            change = Change("release", "user", f"discarded {held_id}", (Receipt("refused", held.reason),))
            return Draft(_without_held(state, held_id), change)

        committed = commit_draft(self.store, self.user, draft)
        assert committed is not None
        return committed

    def _begin(self, document: MemoryDocument) -> MemoryDocument:
        if document.builder:
            return document
        empty = self.empty()
        return replace(document, cap_tokens=empty.cap_tokens, builder=empty.builder, counter=empty.counter)

    def _screened(self, state: MemoryState, kind: ChangeKind, reason: str, document: MemoryDocument) -> Draft:
        """Draft the change; where a check refuses the new words, draft that nothing changes, with the receipt."""
        guards = [guard for guard in self.guards_for(state) if guard.name != "poison"]
        known = set(state.document.bullets)
        for bullet in document.bullets:
            finding = None if bullet in known else refuse(bullet, document, guards)
            if finding is not None:
                receipt = Receipt("refused", finding.reason, digest=finding.digest)
                return Draft(state, Change(kind, "user", REFUSED, (receipt,)))
        return Draft(replace(state, document=document), Change(kind, "user", reason))


def refuse(bullet: Bullet, document: MemoryDocument, guards: Sequence[Guard]) -> Finding | None:
    """Return why a bullet may not stand, None where it may."""
    if is_forgotten(bullet.text, document.forgotten):
        return Finding("forgotten")
    return next((found for guard in guards if (found := guard.screen_bullet(bullet, None))), None)


def find_held(state: MemoryState, held_id: str) -> Held:
    """Return the span that waits under an id.

    Raises: StoreError: there is none.
    """
    found = next((held for held in state.held if held.id == held_id), None)
    if found is None:
        raise StoreError(f"nothing waits under {held_id}; `held list` shows what waits")
    return found


def _without_held(state: MemoryState, held_id: str) -> MemoryState:
    return replace(state, held=tuple(held for held in state.held if held.id != held_id))


def _explain(reason: str, state: MemoryState) -> str:
    what, _, name = reason.partition(":")
    if what == "forgotten":
        return "this is about something you asked to forget, and what was forgotten is not written again"
    if what == "rule":
        text = next((f' ("{rule.text}")' for rule in state.rules if rule.id == name), "")
        return f"your rule {name}{text} forbids this; remove the rule first, or write it without that"
    if what == "secret":
        return f"this holds a secret or contact data ({name or 'secret'}), which is never stored; write it without"
    return f"this may not be written ({reason})"
