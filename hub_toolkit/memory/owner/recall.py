"""What a memory gives to a prompt: the bullets that may be shown, as data that cannot pass for an instruction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hub_toolkit.data.tokens import TokenCounter
from hub_toolkit.memory.document import EMPTY_MEMORY, Bullet, MemoryDocument
from hub_toolkit.memory.forget.forgetting import is_forgotten
from hub_toolkit.memory.guard import Guard
from hub_toolkit.memory.owner.audit import rank_bullets
from hub_toolkit.memory.rules.answers import redact_answer
from hub_toolkit.memory.state import MemoryState
from hub_toolkit.prompts.render import escape_tags, load_prompt

CONTEXT_PROMPT = "memory_context"
MAX_RECALLED = 50


@dataclass(frozen=True)
class Recalled:
    """Bullets for a question, best first, and the text to put into a prompt: delimited, tags inside escaped."""

    text: str
    bullets: tuple[Bullet, ...]


def visible(state: MemoryState, guards: Sequence[Guard]) -> MemoryDocument:
    """Return the document as it may be shown to a model today, whatever was let in before."""
    kept = tuple(
        bullet
        for bullet in state.document.bullets
        if not is_forgotten(bullet.text, state.document.forgotten)
        and all(guard.screen_bullet(bullet, None) is None for guard in guards)
    )
    return replace(state.document, bullets=kept)


def recall(
    document: MemoryDocument, state: MemoryState, query: str, counter: TokenCounter, max_tokens: int
) -> Recalled:
    """Return the bullets that fit a question best, in at most `max_tokens` tokens with the tags around them."""
    chosen: list[Bullet] = []
    for bullet in rank_bullets(document, query, top=MAX_RECALLED):
        if counter.count(delimit([*chosen, bullet], state)) > max_tokens:
            break
        chosen.append(bullet)
    return Recalled(delimit(chosen, state), tuple(chosen))


def delimit(bullets: Sequence[Bullet], state: MemoryState) -> str:
    """Return bullets between tags that no bullet can close."""
    return f"<memory>\n{_safe_lines(bullets, state)}\n</memory>"


def context(document: MemoryDocument, state: MemoryState) -> str:
    """Return the whole memory as a system message."""
    return load_prompt(CONTEXT_PROMPT).render(memory=_safe_lines(document.bullets, state))


def _safe_lines(bullets: Sequence[Bullet], state: MemoryState) -> str:
    return "\n".join(escape_tags(redact_answer(bullet.render(), state.rules)) for bullet in bullets) or EMPTY_MEMORY
