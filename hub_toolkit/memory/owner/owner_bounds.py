"""What an owner bounds: forgetting, rules, and going back and forth without loosening either."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from hub_toolkit.data.tokens import TokenCounter
from hub_toolkit.errors import BoundaryError, StoreError
from hub_toolkit.memory.build import drop_forgotten
from hub_toolkit.memory.builders.drafts import Committed, Draft, commit_draft
from hub_toolkit.memory.document import Bullet, MemoryDocument
from hub_toolkit.memory.forget.forgetting import forget_in, is_forgotten
from hub_toolkit.memory.guard import Guard, screen_document
from hub_toolkit.memory.owner.audit import Diff, diff_documents
from hub_toolkit.memory.owner.remembering import merge_receipts
from hub_toolkit.memory.owner.timeline import reason_to, redo_target, undo_target
from hub_toolkit.memory.rules.compile import compile_rule
from hub_toolkit.memory.rules.detect import violates
from hub_toolkit.memory.rules.guard import digest_of
from hub_toolkit.memory.state import Change, ChangeKind, Held, MemoryState, Receipt, Rule, Version
from hub_toolkit.memory.stores.store import MemoryStore

GuardsFor = Callable[[MemoryState], Sequence[Guard]]


@dataclass(frozen=True)
class Forgotten:
    """What a forget removed: how many bullets and held spans, of which kinds; never what they said."""

    version: Version
    num_bullets: int
    num_held: int
    num_purged: int
    kinds: tuple[str, ...]
    receipts: tuple[Receipt, ...]


@dataclass(frozen=True)
class Preview:
    """What a rule or a forget would remove now."""

    bullets: tuple[Bullet, ...]
    held: tuple[Held, ...] = ()
    rule: Rule | None = None


@dataclass(frozen=True)
class Bounds:
    """Sets an owner's bounds on one memory."""

    store: MemoryStore
    user: str
    counter: TokenCounter
    guards_for: GuardsFor

    def preview_forget(self, text: str) -> Preview:
        """Return what forgetting would remove now."""
        _, state = self.store.load(self.user)
        after, _, held = _forget(state, text)
        gone = {b.id for b in state.document.bullets} - {b.id for b in after.bullets}
        return Preview(tuple(b for b in state.document.bullets if b.id in gone), held)

    def forget(self, text: str) -> Forgotten:
        """Forget what a text names: now, in past versions, and when it is said again.

        Raises: BoundaryError: the text names nothing.
        """
        known = len(self.store.receipts(self.user))

        def draft(_: int, state: MemoryState) -> Draft:
            after, concerns, held = _forget(state, text)
            num = len(state.document.bullets) - len(after.bullets)
            kept_held = tuple(h for h in state.held if h not in held)
            receipt = Receipt("forgotten", "asked by the owner", num + len(held), digest_of(text))
            return Draft(
                replace(state, document=after, held=kept_held), Change("forget", "user", "", (receipt,)), concerns
            )

        done = commit_draft(self.store, self.user, draft)
        assert done is not None
        receipts = tuple(self.store.receipts(self.user)[known:])
        gone = _gone(done)
        return Forgotten(
            done.version,
            num_bullets=len(gone),
            num_held=len(done.before.held) - len(done.draft.state.held),
            num_purged=sum(r.count for r in receipts if r.kind == "purged"),
            kinds=tuple(sorted({b.kind for b in gone})),
            receipts=receipts,
        )

    def preview_rule(self, text: str) -> Preview:
        """Return what a rule would remove now.

        Raises: BoundaryError: the rule cannot be compiled.
        """
        _, state = self.store.load(self.user)
        rule = compile_rule(text, f"r{state.next_rule}")
        after, _ = self._rescreened(replace(state, rules=(*state.rules, rule)))
        gone = {b.id for b in state.document.bullets} - {b.id for b in after.document.bullets}
        bullets = tuple(b for b in state.document.bullets if b.id in gone)
        return Preview(bullets, tuple(h for h in state.held if h not in after.held), rule)

    def set_rule(self, text: str) -> Committed:
        """Set a rule: what it refuses goes at once, a "never" rule takes it out of past versions too.

        Raises: BoundaryError: the rule cannot be compiled.
        """

        def draft(_: int, state: MemoryState) -> Draft:
            rule = compile_rule(text, f"r{state.next_rule}")
            after, receipts = self._rescreened(
                replace(state, rules=(*state.rules, rule), next_rule=state.next_rule + 1)
            )
            change = Change("rule", "user", f"set {rule.id}", receipts)
            return Draft(after, change, (lambda past: violates(past, rule)) if rule.effect == "never" else None)

        done = commit_draft(self.store, self.user, draft)
        assert done is not None
        return done

    def remove_rule(self, rule_id: str) -> Committed:
        """Lift a rule; what it kept away does not come back by itself.

        Raises: StoreError: there is no such rule.
        """

        def draft(_: int, state: MemoryState) -> Draft:
            rules = tuple(rule for rule in state.rules if rule.id != rule_id)
            if rules == state.rules:
                raise StoreError(f"there is no rule {rule_id}; `rule list` shows those there are")
            return Draft(replace(state, rules=rules), Change("rule", "user", f"removed {rule_id}"))

        done = commit_draft(self.store, self.user, draft)
        assert done is not None
        return done

    def undo(self, to: int | None = None) -> Committed:
        """Go back one change, or to a version. Rules stay as they are, and what was forgotten stays away.

        Raises: StoreError: no such version, or nothing to undo. BoundaryError: the last change was a forget or a rule.
        """
        return self._return("undo", to)

    def redo(self) -> Committed:
        """Take back the last undo.

        Raises: StoreError: nothing was undone, or the memory was changed since.
        """
        return self._return("redo", None)

    def settle_written(self, state: MemoryState, kind: ChangeKind, reason: str, document: MemoryDocument) -> Draft:
        """Draft a document that somebody else wrote (an import, a consolidation), with all checks."""
        after, receipts = self._rescreened(replace(state, document=document))
        return Draft(after, Change(kind, "user", reason, receipts))

    def _return(self, kind: ChangeKind, to: int | None) -> Committed:
        def draft(number: int, state: MemoryState) -> Draft:
            versions = self.store.versions(self.user)[:number]
            target = to if to is not None else undo_target(versions) if kind == "undo" else redo_target(versions)
            if not 0 <= target <= number:
                raise StoreError(f"there is no version {target}; the newest is {number}")
            past = self.store.state_at(self.user, target) if target else MemoryState()
            after, receipts = self._rescreened(_brought_back(state, past))
            return Draft(after, Change(kind, "user", reason_to(target), receipts))

        done = commit_draft(self.store, self.user, draft)
        assert done is not None
        return done

    def _rescreened(self, state: MemoryState) -> tuple[MemoryState, tuple[Receipt, ...]]:
        """Return the state as today's rules let it stand, with the receipts of what they refuse."""
        document, receipts = drop_forgotten(state.document)
        guards = self.guards_for(state)
        strict = [guard for guard in guards if guard.name != "poison"]
        # The owner's own words were never in doubt; those of a builder were screened for poison when they came.
        document, refused = screen_document(MemoryDocument(), document, strict)
        held = []
        for one in state.held:
            bullet = Bullet("", one.text, (one.source,))
            is_free = all(guard.screen_bullet(bullet, None) is None for guard in strict)
            if is_free and not is_forgotten(one.text, document.forgotten):
                held.append(one)
        document = document.enforce_cap(self.counter)
        return replace(state, document=document, held=tuple(held)), merge_receipts([*receipts, *refused])


def _forget(state: MemoryState, text: str) -> tuple[MemoryDocument, Callable[[str], bool], tuple[Held, ...]]:
    document, concerns = forget_in(state.document, text)
    if document is state.document:
        raise BoundaryError(
            "that names nothing to forget; name the matter in a few words, or a bullet's id "
            "(a rule such as 'nothing from 2023' takes out a time, `delete-user` the whole memory)"
        )
    held = tuple(h for h in state.held if concerns(h.text) or concerns(h.source.span))
    return document, concerns, held


def _brought_back(now: MemoryState, past: MemoryState) -> MemoryState:
    """Return a past state as it may come back: bounds only ever grow, and no id or index is given twice."""
    document = replace(
        past.document,
        builder=now.document.builder,
        counter=now.document.counter,
        cap_tokens=now.document.cap_tokens,
        read_messages=max(past.document.read_messages, now.document.read_messages),
        next_id=max(past.document.next_id, now.document.next_id),
        forgotten=now.document.forgotten,
    )
    return replace(now, document=document, held=past.held)


def _gone(done: Committed) -> tuple[Bullet, ...]:
    return diff_of(done).removed


def diff_of(done: Committed) -> Diff:
    """Return what a change did to the document."""
    return diff_documents(done.before.document, done.draft.state.document)
