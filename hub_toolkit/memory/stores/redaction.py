"""Taking what was forgotten out of past states, the owner's log and what is held."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from hub_toolkit.memory.document import Bullet
from hub_toolkit.memory.state import Change, Held, MemoryState, Receipt, Rule

PURGED = "(purged)"
"""Stands where a reason stood that named what was forgotten."""

MIN_QUOTE_CHARS = 12
"""A shorter text is only found where it stands alone: in longer ones it may be chance."""

_TO_VERSION = "to version "


@dataclass(frozen=True)
class Redaction:
    """What must go: what `concerns` says, and the bullets that fell with it, under any wording they ever had.

    A rule that is in force stays, though it names the matter: it is the owner's word, and it is what blocks it.
    """

    concerns: Callable[[str], bool]
    gone_ids: frozenset[str] = frozenset()
    gone_texts: frozenset[str] = frozenset()
    rules: tuple[Rule, ...] = ()

    @classmethod
    def of_change(cls, before: MemoryState, after: MemoryState, concerns: Callable[[str], bool]) -> Redaction:
        """Return the redaction of a change that forgets: bullets that it removes are forgotten with the rest."""
        kept = {bullet.id for bullet in after.document.bullets}
        texts = {bullet.text for bullet in after.document.bullets}
        gone = [bullet for bullet in before.document.bullets if bullet.id not in kept]
        ids = frozenset(b.id for b in gone if b.id)
        return cls(concerns, ids, frozenset(b.text for b in gone if b.text.strip()) - texts, after.rules)

    def text(self, text: str) -> bool:
        """Whether a text must go: what `concerns` says, and what quotes a bullet that went."""
        return self.concerns(text) or any(
            gone == text or (len(gone) >= MIN_QUOTE_CHARS and gone in text) for gone in self.gone_texts
        )

    def reason(self, reason: str) -> str:
        """Return a version's reason, without what it names; where an undo went to stays readable."""
        if reason.startswith(_TO_VERSION) and reason.removeprefix(_TO_VERSION).isdecimal():
            return reason
        return PURGED if self.text(reason) else reason

    def past_bullet(self, bullet: Bullet) -> Bullet | None:
        """Return a bullet of a past version as it may stay, None where it may not."""
        return None if bullet.id in self.gone_ids else self.bullet(bullet)

    def bullet(self, bullet: Bullet) -> Bullet | None:
        """Return a bullet without spans that must go; the model's words go with the last span that carried them."""
        if self.text(bullet.text):
            return None
        sources = tuple(source for source in bullet.sources if not self.text(source.span))
        if len(sources) == len(bullet.sources):
            return bullet
        return replace(bullet, sources=sources) if sources or bullet.author == "user" else None

    def held(self, held: Held) -> Held | None:
        """Return what is held, None where it must go."""
        return None if any(map(self.text, (held.text, held.source.span, held.reason))) else held

    def fault(self, fault: str) -> str | None:
        """Return a fault, None where it must go."""
        return None if self.text(fault) else fault

    def past_rule(self, rule: Rule) -> Rule | None:
        """Return a rule of a past version, None where it must go."""
        if rule in self.rules:
            return rule
        return None if any(map(self.text, (rule.text, *rule.entities, *rule.patterns))) else rule

    def state(self, state: MemoryState) -> MemoryState:
        """Return the state that a forgetting change leaves behind, itself without what `concerns` says."""
        own = Redaction(self.concerns)
        bullets = tuple(kept for bullet in state.document.bullets if (kept := own.bullet(bullet)) is not None)
        faults = tuple(fault for fault in state.document.faults if own.fault(fault) is not None)
        held = tuple(held for held in state.held if own.held(held) is not None)
        return replace(state, document=replace(state.document, bullets=bullets, faults=faults), held=held)

    def past_state(self, state: MemoryState) -> tuple[MemoryState, frozenset[object]]:
        """Return a past state as it may stay, and the bullets, held spans, rules and faults that went or lost a span."""
        document = state.document
        bullets = tuple(b for b in map(self.past_bullet, document.bullets) if b is not None)
        faults = tuple(f for f in document.faults if self.fault(f) is not None)
        held = tuple(h for h in state.held if self.held(h) is not None)
        rules = tuple(r for r in state.rules if self.past_rule(r) is not None)
        left = replace(state, document=replace(document, bullets=bullets, faults=faults), held=held, rules=rules)
        return left, _parts(state) - _parts(left)


def keep_tombstones(before: MemoryState, state: MemoryState) -> MemoryState:
    """Return the state with all tombstones there were: no undo and no import brings back what was forgotten."""
    known = set(state.document.forgotten)
    lost = tuple(group for group in before.document.forgotten if group not in known)
    if not lost:
        return state
    return replace(state, document=replace(state.document, forgotten=(*lost, *state.document.forgotten)))


def purge_receipt(change: Change, num_removed: int, time: str) -> Receipt:
    """Return the receipt of a purge; its digest is that of what was asked."""
    digest = next((receipt.digest for receipt in change.receipts if receipt.digest), "")
    return Receipt("purged", change.kind, num_removed, digest, time)


def _parts(state: MemoryState) -> frozenset[object]:
    return frozenset((*state.document.bullets, *state.document.faults, *state.held, *state.rules))
