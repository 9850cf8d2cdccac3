"""A second look at what was written: a model, or another checker, asked whether a text implies what a rule forbids."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from hub_toolkit.data.history import Chunk
from hub_toolkit.memory.document import Bullet, MemoryDocument
from hub_toolkit.memory.guard import Finding, Guard, Screened
from hub_toolkit.memory.rules.guard import digest_of
from hub_toolkit.memory.rules.reading import describe_rule
from hub_toolkit.memory.state import Receipt, Rule
from hub_toolkit.models.base import ChatModel, GenerateConfig
from hub_toolkit.models.thoughts import leave_out_thoughts
from hub_toolkit.prompts.render import escape_tags, load_prompt
from hub_toolkit.types import Message, Usage

PROMPT = "memory_policy"
BATCH_TEXTS = 20
MAX_TEXT_CHARS = 2_000
NUM_TRIES = 2
UNREADABLE = "policy:unreadable"
"""The reason of a receipt where the checker's answer could not be read: the text is refused."""


class PolicyCheck(Protocol):
    """Says which rule each text breaks: its id, None for none, `UNREADABLE` where that could not be found out.

    Raises: ProviderError: the checker cannot be asked at all; nothing is kept then, and the chat counts as unread.
    """

    async def judge(self, texts: Sequence[str], rules: Sequence[Rule]) -> list[str | None]: ...


class ModelPolicyCheck:
    """Asks a chat model, several texts at a time. `usage` is of all questions so far."""

    def __init__(self, model: ChatModel, *, batch_texts: int = BATCH_TEXTS) -> None:
        self.model = model
        self.usage = Usage()
        self._batch_texts = batch_texts

    async def judge(self, texts: Sequence[str], rules: Sequence[Rule]) -> list[str | None]:
        """Return the id of the rule that each text breaks."""
        found: list[str | None] = []
        for start in range(0, len(texts), self._batch_texts):
            found += await self._judge_batch(texts[start : start + self._batch_texts], rules)
        return found

    async def _judge_batch(self, texts: Sequence[str], rules: Sequence[Rule]) -> list[str | None]:
        numbered = {str(n): text[:MAX_TEXT_CHARS] for n, text in enumerate(texts, start=1)}
        lines = "\n".join(f"{rule.id}: {_told(rule)}" for rule in rules)
        prompt = load_prompt(PROMPT).render(
            rules=lines, texts=escape_tags(json.dumps(numbered, ensure_ascii=False, indent=0))
        )
        config = GenerateConfig(max_tokens=64 + 16 * len(texts))
        for _ in range(NUM_TRIES):
            reply = await self.model.generate([Message("user", prompt)], config)
            self.usage = self.usage + reply.usage
            verdicts = parse_verdicts(reply.text, len(texts), frozenset(rule.id for rule in rules))
            if verdicts is not None:
                return verdicts
        return [UNREADABLE] * len(texts)


def _told(rule: Rule) -> str:
    return json.dumps(f"{rule.text} ({describe_rule(replace(rule, strictness='normal'))})", ensure_ascii=False)


def parse_verdicts(reply: str, num_texts: int, rule_ids: frozenset[str]) -> list[str | None] | None:
    """Return the verdict on each text; None where the reply is not exactly one verdict a text, each a rule's id or null."""
    plain = leave_out_thoughts(reply).strip().removeprefix("```json").removeprefix("```").removesuffix("```").strip()
    try:
        read: Any = json.loads(plain)
    except (ValueError, RecursionError):
        return None
    wanted = [str(n) for n in range(1, num_texts + 1)]
    if not isinstance(read, Mapping) or set(read) != set(wanted):
        return None
    verdicts = [read[n] for n in wanted]
    if any(v is not None and (not isinstance(v, str) or v not in rule_ids) for v in verdicts):
        return None
    return verdicts


class PolicyGuard:
    """A guard that asks a checker about what a builder wrote; it stands behind the word lists, never in their place."""

    name = "policy"

    def __init__(self, check: PolicyCheck, rules: Sequence[Rule]) -> None:
        self.check = check
        self.rules = tuple(rules)

    def screen_message(self, message: Message, index: int) -> Screened:  # noqa: ARG002
        """Return the message as it is: what is read is not judged, only what is written."""
        return Screened(message)

    def screen_bullet(self, bullet: Bullet, chunk: Chunk | None) -> Finding | None:  # noqa: ARG002
        """Let it pass: a checker is asked once for all that was written, in `findings`."""
        return None

    async def findings(self, bullets: Sequence[Bullet]) -> dict[str, Finding]:
        """Return why bullets may not stand, by id."""
        if not bullets or not self.rules:
            return {}
        texts = ["\n".join((bullet.text, *(source.span for source in bullet.sources))) for bullet in bullets]
        verdicts = await self.check.judge(texts, self.rules)
        return {
            bullet.id: Finding(verdict if verdict == UNREADABLE else f"rule:{verdict}", digest_of(bullet.text))
            for bullet, verdict in zip(bullets, verdicts, strict=True)
            if verdict is not None
        }


async def judge_written(
    before: MemoryDocument, written: MemoryDocument, guards: Sequence[Guard]
) -> tuple[MemoryDocument, list[Receipt]]:
    """Return the document without the new or changed bullets that a checker refuses.

    Raises: ProviderError: the checker cannot be asked.
    """
    known, receipts = set(before.bullets), []
    for guard in guards:
        if not isinstance(guard, PolicyGuard):
            continue
        new = [b for b in written.bullets if b not in known and b.author != "user"]
        refused = await guard.findings(new)
        if refused:
            kept = tuple(b for b in written.bullets if b.id not in refused)
            written = replace(written, bullets=kept)
            receipts += [Receipt("refused", f.reason, digest=f.digest) for f in refused.values()]
    return written, receipts


__all__ = ["ModelPolicyCheck", "PolicyCheck", "PolicyGuard", "judge_written", "parse_verdicts"]
