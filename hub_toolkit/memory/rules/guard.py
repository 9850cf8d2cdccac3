"""The guards of the boundary: an owner's rules, and secrets. They stand before a builder reads and after it wrote."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from hub_toolkit.data.history import Chunk
from hub_toolkit.data.terms import content_stems
from hub_toolkit.memory.document import Bullet
from hub_toolkit.memory.forget.forget_requests import forget_request
from hub_toolkit.memory.guard import Finding, Screened
from hub_toolkit.memory.poison.provenance import own_statements
from hub_toolkit.memory.rules.answers import breaks_rule
from hub_toolkit.memory.rules.cutting import cut_sentences, replace_text
from hub_toolkit.memory.rules.detect import is_harmless, violates
from hub_toolkit.memory.secret.secret_text import find_secrets, may_hold_secret, secret_kinds
from hub_toolkit.memory.state import Rule
from hub_toolkit.types import Message

DateOf = Callable[[int], str | None]
"""The ISO date on which the message of an index was said, None where it is not known."""

SAME_SHARE = 0.5
MIN_REST_STEMS = 4
_PLACEHOLDERS = {"id": "identifier", "url": "link", "ip": "address", "birth": "birth date"}


def digest_of(text: str) -> str:
    """Return by what a refused text is recognised; it is keyed again where receipts are written."""
    return hashlib.sha256(f"personamem:{text}".encode("utf-8", "surrogatepass")).hexdigest()[:16]


class RuleGuard:
    """Keeps an owner's rules: takes what they forbid out of messages, and refuses bullets that say it all the same.

    Remembers, for as long as it lives, the stems of what it took from which message: a bullet that cites such a message
    in other words must be supported by what was left of it.
    """

    name = "rules"

    def __init__(self, rules: Sequence[Rule], *, date_of: DateOf | None = None) -> None:
        self.rules = tuple(rules)
        self._date_of = date_of or (lambda _index: None)
        self._wanted = frozenset(category for rule in self.rules for category in rule.categories)
        never = [rule for rule in self.rules if rule.effect == "never"]
        self._never = tuple(never)
        self._by_more = tuple(r for r in never if r.entities or r.patterns or r.before or r.after)
        self._taken: dict[int, frozenset[str]] = {}
        self._left: dict[int, frozenset[str]] = {}

    def screen_message(self, message: Message, index: int) -> Screened:
        """Return the message without the sentences that a `never` rule forbids; a wish to forget stays whole."""
        text = message.text
        if not self._never or (message.role == "user" and forget_request(text) is not None):
            return Screened(message)
        said_on = self._date_of(index)
        broken: dict[str, list[str]] = {}

        def is_refused(sentence: str) -> bool:
            # Rules of categories alone need no look at a sentence that hints at none of them.
            is_free = bool(self._wanted) and is_harmless(sentence, self._wanted)
            asked = self._by_more if is_free else self._never
            rule = next((r for r in asked if violates(sentence, r, said_on=said_on, wanted=self._wanted)), None)
            if rule:
                broken.setdefault(rule.id, []).append(sentence)
            return rule is not None

        left = cut_sentences(text, is_refused)
        if not broken:
            return Screened(message)
        left = self._without_new_statements(text, left) if message.role == "user" else left
        taken = frozenset(stem for sentences in broken.values() for s in sentences for stem in content_stems(s))
        self._taken[index] = self._taken.get(index, frozenset()) | taken
        self._left[index] = self._left.get(index, frozenset()) | frozenset(content_stems(left))
        findings = tuple(Finding(f"rule:{rule}", digest_of("\n".join(said))) for rule, said in broken.items())
        return Screened(replace_text(message, left), findings=findings if message.role == "user" else ())

    @staticmethod
    def _without_new_statements(text: str, left: str) -> str:
        """Return what is left, or nothing where the cut makes another's words look like the user's own."""
        before = {s.text for s in own_statements(text)}
        return left if all(s.text in before for s in own_statements(left)) else ""

    def screen_bullet(self, bullet: Bullet, chunk: Chunk | None) -> Finding | None:
        """Refuse a bullet that breaks a rule by its words, its spans, or the message from which it was made."""
        said_on = next((day for s in bullet.sources if (day := self._date_of(s.index))), None)
        for rule in self.rules:
            if breaks_rule(bullet, rule, said_on=said_on) or (
                rule.effect == "never" and self._is_said_in(bullet, rule, chunk)
            ):
                return Finding(f"rule:{rule.id}", digest_of(bullet.text))
        if self._stands_on_what_was_taken(bullet, chunk):
            return Finding(f"rule:{self._first_never()}", digest_of(bullet.text))
        return None

    def _first_never(self) -> str:
        return next((rule.id for rule in self.rules if rule.effect == "never"), "")

    def _is_said_in(self, bullet: Bullet, rule: Rule, chunk: Chunk | None) -> bool:
        """Whether the sentence of a cited message that is nearest to a bullet breaks a rule."""
        if chunk is None or bullet.author == "user":
            return False
        stems = set(content_stems(bullet.text))
        cited = {source.index for source in bullet.sources}
        for message, index in zip(chunk.messages, chunk.indices, strict=True):
            if index not in cited:
                continue
            sentences: list[str] = []
            cut_sentences(message.text, lambda s, found=sentences: bool(found.append(s)))  # type: ignore[misc]
            near = [(len(stems & set(content_stems(s))), s) for s in sentences]
            most = max((shared for shared, _ in near), default=0)
            chosen = [s for shared, s in near if shared == most] if most else sentences
            if any(violates(s, rule, said_on=self._date_of(index)) for s in chosen):
                return True
        return False

    def _stands_on_what_was_taken(self, bullet: Bullet, chunk: Chunk | None) -> bool:
        """Whether a bullet cites a message from which something was taken, and not what was left of it."""
        if bullet.author == "user" or not self._taken:
            return False
        cited = {s.index for s in bullet.sources}
        if not cited and chunk is not None:
            cited = set(chunk.indices)
        stems = frozenset(content_stems(bullet.text))
        for index in cited & self._taken.keys():
            taken, left = stems & self._taken[index], stems & self._left[index]
            if len(taken - left) >= 2 and len(taken) >= SAME_SHARE * len(stems):
                return True
            if bullet.sources and not left and not self._is_supported_elsewhere(stems, cited - {index}, chunk):
                return True
        return False

    @staticmethod
    def _is_supported_elsewhere(stems: frozenset[str], cited: set[int], chunk: Chunk | None) -> bool:
        if chunk is None:
            return bool(cited)
        texts = zip(chunk.indices, chunk.messages, strict=True)
        in_chunk = {i: m for i, m in texts if i in cited}
        return bool(cited - in_chunk.keys()) or any(stems & set(content_stems(m.text)) for m in in_chunk.values())


class SecretGuard:
    """Keeps secrets and contact data out of messages and bullets."""

    name = "secrets"
    is_by_message = True

    def screen_message(self, message: Message, index: int) -> Screened:  # noqa: ARG002
        """Return the message with secrets named by their kind only; sentences that hide one in a code are cut."""
        text = message.text
        kinds: dict[str, str] = {}

        def without_secrets(sentence: str) -> str:
            if not may_hold_secret(sentence):
                return sentence
            found = find_secrets(sentence)
            plain = sentence
            for span in reversed(found):
                label = _PLACEHOLDERS.get(span.kind, span.kind)
                plain = plain[: span.start] + f"[{label} withheld]" + plain[span.end :]
                kinds.setdefault(span.kind, sentence[span.start : span.end])
            hidden = secret_kinds(plain)
            kinds.update({kind: sentence for kind in hidden if kind not in kinds})
            is_bare = bool(found) and len(content_stems(plain)) < MIN_REST_STEMS + len(found) * 2
            return "" if hidden or is_bare else plain

        left = cut_sentences(text, lambda _s: False, rewrite=without_secrets)
        if not kinds:
            return Screened(message)
        findings = tuple(Finding(f"secret:{kind}", digest_of(value)) for kind, value in kinds.items())
        return Screened(replace_text(message, left), findings=findings if message.role == "user" else ())

    def screen_bullet(self, bullet: Bullet, chunk: Chunk | None) -> Finding | None:  # noqa: ARG002
        """Refuse a bullet whose text or spans hold a secret."""
        for text in (bullet.text, *(s.span for s in bullet.sources)):
            kinds = secret_kinds(text)
            if kinds:
                return Finding(f"secret:{min(kinds)}", digest_of(text))
        return None
