"""Rules before an answer: which bullets may be read, and an answer without what may not be said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hub_toolkit.memory.document import Bullet, MemoryDocument
from hub_toolkit.memory.rules.detect import DELICATE, find_categories, sentence_spans, violates
from hub_toolkit.memory.secret.secret_text import find_secrets, has_secret
from hub_toolkit.memory.state import Rule

WITHHELD = "[withheld]"


@dataclass(frozen=True)
class Preview:
    """What a new rule would do: the bullets it would remove, and how many would stay."""

    rule: Rule
    removed: tuple[Bullet, ...]
    num_kept: int


def breaks_rule(bullet: Bullet, rule: Rule, *, said_on: str | None = None) -> bool:
    """Whether a bullet may not stand under a rule: its text, or any span under a `never` rule."""
    if rule.effect == "only":
        return violates(bullet.text, rule, said_on=said_on)
    return any(violates(text, rule, said_on=said_on) for text in (bullet.text, *(s.span for s in bullet.sources)))


def allowed_bullets(document: MemoryDocument, rules: Sequence[Rule]) -> tuple[Bullet, ...]:
    """Return the bullets that no rule forbids, in their order."""
    return tuple(b for b in document.bullets if not any(breaks_rule(b, rule) for rule in rules))


def preview_rule(document: MemoryDocument, rule: Rule) -> Preview:
    """Say what a rule would remove from a memory."""
    removed = tuple(b for b in document.bullets if breaks_rule(b, rule))
    return Preview(rule, removed, len(document.bullets) - len(removed))


def redact_answer(text: str, rules: Sequence[Rule]) -> str:
    """Return an answer without sentences that a `never` rule forbids, and with secrets withheld.

    An `only` rule says what is remembered, not what may be talked of: it withholds no more than delicate things.
    """
    parts, at = [], 0
    for start, end in sentence_spans(text):
        if start < at:  # windows of one long sentence overlap: it goes as a whole
            start = at
        parts.append(text[at:start])
        parts.append(_redact_sentence(text[start:end], rules))
        at = end
    return "".join([*parts, text[at:]])


def _redact_sentence(sentence: str, rules: Sequence[Rule]) -> str:
    if any(_may_not_be_said(sentence, rule) for rule in rules):
        return WITHHELD
    for span in reversed(find_secrets(sentence)):
        sentence = sentence[: span.start] + WITHHELD + sentence[span.end :]
    return WITHHELD if has_secret(sentence) else sentence


def _may_not_be_said(sentence: str, rule: Rule) -> bool:
    if rule.effect == "only":
        return bool((find_categories(sentence) & DELICATE).difference(rule.categories))
    return violates(sentence, rule)
