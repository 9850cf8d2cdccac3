"""The offline pass with a model: it may word several bullets as one, and nothing that it writes is taken on trust."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from hub_toolkit.data.terms import content_stems
from hub_toolkit.data.tokens import TokenCounter
from hub_toolkit.memory.builders.consolidate import consolidate, is_no_larger, join, turning_words
from hub_toolkit.memory.document import Bullet, MemoryDocument
from hub_toolkit.memory.guard import Guard
from hub_toolkit.models.base import ChatModel, GenerateConfig
from hub_toolkit.models.thoughts import leave_out_thoughts
from hub_toolkit.prompts.render import escape_tags, load_prompt
from hub_toolkit.types import Message

PROMPT = "memory_consolidate"
MIN_KEPT_SHARE = 0.5
"""A joint wording must hold this share of the content words of each bullet for which it stands."""

MAX_REPLY_CHARS = 100_000
_PROPOSAL = re.compile(r"[-*•][ \t]{0,4}\((?P<ids>[\w, \t]{3,200})\)[ \t]{1,4}(?P<text>[^\n]{1,2000})")


@dataclass(frozen=True)
class Proposal:
    """A wording that shall stand for several bullets."""

    ids: tuple[str, ...]
    text: str


async def consolidate_by_model(
    document: MemoryDocument, model: ChatModel, counter: TokenCounter, *, guards: Sequence[Guard] = ()
) -> MemoryDocument:
    """Return the memory after the model's proposals that hold, and after the pass without a model.

    A proposal holds where all its bullets are free, of one owner and alike in what turns their sense, where its words
    are all theirs, most of each bullet's words stand in it, and the memory does not grow.

    Raises: ProviderError, from the model.
    """
    before = consolidate(document, counter, guards=guards)
    if len(before.bullets) < 2:
        return before
    lines = "\n".join(f"- ({b.id}) {escape_tags(b.text)}" for b in before.bullets if not b.is_protected)
    config = GenerateConfig(max_tokens=document.cap_tokens)
    reply = await model.generate([Message("user", load_prompt(PROMPT).render(memory=lines))], config)
    after = before
    for proposal in parse_proposals(leave_out_thoughts(reply.text)):
        tried = apply_proposal(after, proposal)
        if tried is not None and is_no_larger(tried, after, counter):
            after = tried
    return consolidate(after, counter, guards=guards)


def parse_proposals(reply: str) -> list[Proposal]:
    """Read `- (m3, m7) wording` lines; what is not of this form is no proposal."""
    found = []
    for line in reply[:MAX_REPLY_CHARS].splitlines():
        if match := _PROPOSAL.fullmatch(line.strip()):
            ids = tuple(dict.fromkeys(match["ids"].replace(",", " ").split()))
            found.append(Proposal(ids, match["text"].strip()))
    return found


def apply_proposal(document: MemoryDocument, proposal: Proposal) -> MemoryDocument | None:
    """Return the document with one bullet in place of several, None where the proposal does not hold."""
    parts = [bullet for bullet in document.bullets if bullet.id in proposal.ids]
    if len(parts) < 2 or len(parts) != len(proposal.ids) or not _holds(parts, proposal.text):
        return None
    joined = parts[0]
    for part in parts[1:]:
        joined = join(joined, part)
    joined = replace(joined, text=proposal.text)
    gone = {part.id for part in parts[1:]}
    bullets = (joined if bullet.id == joined.id else bullet for bullet in document.bullets)
    return replace(document, bullets=tuple(bullet for bullet in bullets if bullet.id not in gone))


def _holds(parts: Sequence[Bullet], text: str) -> bool:
    if any(part.is_protected for part in parts) or len({part.owner for part in parts}) > 1:
        return False
    stems = frozenset(content_stems(text))
    theirs = [frozenset(content_stems(part.text)) for part in parts]
    if not stems or not stems <= frozenset().union(*theirs):
        return False
    turns = turning_words(text)
    if any(turning_words(part.text) != turns for part in parts):
        return False
    return all(len(own & stems) >= MIN_KEPT_SHARE * len(own) for own in theirs)
