"""The paper's recurrent memory: a model rewrites the bullets after each chunk; it never sees a question."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from hub_toolkit.data.history import Chunk
from hub_toolkit.data.terms import content_stems
from hub_toolkit.memory.boundary import has_secret
from hub_toolkit.memory.builders.extractive import is_quotable
from hub_toolkit.memory.document import (
    DEFAULT_CAP_TOKENS,
    EMPTY_MEMORY,
    MAX_SOURCES,
    Bullet,
    MemoryDocument,
    Source,
    number_bullets,
)
from hub_toolkit.memory.forget.forgetting import forget_at, is_forgotten
from hub_toolkit.memory.kinds import classify
from hub_toolkit.memory.owner.audit import check_support, drop_unsupported
from hub_toolkit.memory.owner.overruled import protect
from hub_toolkit.memory.poison.provenance import split_sentences
from hub_toolkit.models.base import ChatModel, GenerateConfig
from hub_toolkit.models.thoughts import leave_out_thoughts
from hub_toolkit.prompts.render import escape_tags, load_prompt
from hub_toolkit.types import Message, Usage

UPDATE_PROMPT = "memory_update"
SAME_BULLET_SHARE = 0.6
_LINE = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s+(?:\((?P<id>m\d+)\)\s*)?(?P<text>.*?)\s*(?P<cites>(?:\[[\d,;\s]+\]\s*)*)$")


@dataclass(frozen=True)
class _Line:
    bullet_id: str | None
    text: str
    cited: tuple[int, ...]


class AgenticBuilder:
    """Updates the memory by a `ChatModel`; ids and sources survive, an unusable reply changes nothing.

    Whatever the model writes, the user's edits stand above it, and sources are what users' messages really hold.
    `refuse_unsupported`: a bullet that no source bears out is not kept.

    Raises (update): ProviderError, from the model.
    Source: PersonaMem-v2, agentic memory; the prompt is ours.
    """

    name = "agentic"

    def __init__(
        self, model: ChatModel, *, cap_tokens: int = DEFAULT_CAP_TOKENS, refuse_unsupported: bool = False
    ) -> None:
        self.model = model
        self.cap_tokens = cap_tokens
        self.refuse_unsupported = refuse_unsupported
        self._usage = Usage()

    @property
    def usage(self) -> Usage:
        return self._usage

    def empty(self) -> MemoryDocument:
        return MemoryDocument(
            cap_tokens=self.cap_tokens, builder=f"{self.name}:{self.model.name}", counter=self.model.counter.name
        )

    async def update(self, document: MemoryDocument, chunk: Chunk) -> MemoryDocument:
        """Return the memory after one chunk, or the same memory with a fault recorded."""
        prompt = load_prompt(UPDATE_PROMPT).render(
            cap_tokens=str(self.cap_tokens), memory=_render_memory(document), chunk=render_chunk(chunk)
        )
        completion = await self.model.generate(
            [Message("user", prompt)], GenerateConfig(max_tokens=self.cap_tokens + self.cap_tokens // 2)
        )
        self._usage += completion.usage
        read = max(document.read_messages, max((i + 1 for i in chunk.indices), default=0))
        document = replace(document, read_messages=read)
        lines = parse_update(completion.text)
        if lines is None:
            # The reply's words may be what must not be kept: the fault says only how long it was.
            size = len(completion.text)
            fault = (
                f"messages up to {read - 1}: a reply of {size:,} characters has no bullets; kept the memory as it was"
            )
            kept = _described(_keep_boundary(document, list(document.bullets), chunk), chunk)
            return replace(kept, faults=(*kept.faults, fault))
        texts = _user_texts(chunk)
        bullets = [_reconcile(line, document.bullets, texts) for line in lines]
        numbered = number_bullets(document, _unique(bullets))
        # The user's word goes above the model's first: what the chunk asks to forget then takes both.
        written = protect(document, numbered, self.model.counter)
        clean = _described(_keep_boundary(written, list(written.bullets), chunk), chunk)
        supported = drop_unsupported(clean) if self.refuse_unsupported else clean
        return supported.enforce_cap(self.model.counter)


def _render_memory(document: MemoryDocument) -> str:
    lines = [
        f"- ({b.id}) {escape_tags(b.text)} [{', '.join(str(s.index) for s in b.sources)}]" for b in document.bullets
    ]
    return "\n".join(lines) or EMPTY_MEMORY


def render_chunk(chunk: Chunk) -> str:
    pairs = zip(chunk.messages, chunk.indices, strict=True)
    return "\n\n".join(f"[{index}] {message.role}: {escape_tags(message.text)}" for message, index in pairs)


def parse_update(reply: str) -> list[_Line] | None:
    """Read the bullets of a reply; an empty list where it says that there is nothing, None where it has none."""
    reply = leave_out_thoughts(reply)
    lines = []
    for raw in reply.splitlines():
        found = _LINE.match(raw)
        if found and found["text"]:
            cited = tuple(int(n) for n in re.findall(r"\d{1,9}", found["cites"]))
            lines.append(_Line(found["id"], found["text"], cited))
    if lines:
        return lines
    return [] if reply.strip().rstrip(".").lower() == EMPTY_MEMORY.lower() else None


def _share(a: frozenset[str], b: frozenset[str]) -> float:
    return len(a & b) / max(1, min(len(a), len(b)))


def _previous(line: _Line, bullets: Sequence[Bullet]) -> Bullet | None:
    """Return the bullet that a line continues: by its id, else by its words."""
    by_id = {b.id: b for b in bullets}
    if line.bullet_id in by_id:
        return by_id[line.bullet_id]
    stems = frozenset(content_stems(line.text))
    best = max(bullets, key=lambda b: _share(stems, frozenset(content_stems(b.text))), default=None)
    if best and _share(stems, frozenset(content_stems(best.text))) >= SAME_BULLET_SHARE:
        return best
    return None


def _user_texts(chunk: Chunk) -> dict[int, str]:
    """Return what the user wrote, by index: nobody else's words bear out a bullet. Pieces of one message are joined."""
    texts: dict[int, str] = {}
    for index, message in zip(chunk.indices, chunk.messages, strict=True):
        if message.role == "user":
            texts[index] = f"{texts[index]}\n{message.text}" if index in texts else message.text
    return texts


def _support(text: str, message: str, index: int) -> tuple[int, Source | None]:
    """Return how many content words a message's best sentence shares with a bullet, and that sentence if it bears out."""
    stems = frozenset(content_stems(text))
    sentences = [sentence for sentence in split_sentences(message) if is_quotable(sentence)]
    best = max(sentences, key=lambda s: len(stems & set(content_stems(s))), default="")
    source = Source(index, best)
    is_support = check_support(Bullet("", text, (source,)))
    return len(stems & set(content_stems(best))), source if is_support else None


def _reconcile(line: _Line, bullets: Sequence[Bullet], texts: Mapping[int, str]) -> Bullet:
    """Give a line its id and its sources: cited messages that really share words with it, newest first."""
    previous = _previous(line, bullets)
    found = [_support(line.text, texts[i], i) for i in line.cited if i in texts]
    if not any(source for _, source in found) and previous is None:
        best = max((_support(line.text, m, i) for i, m in texts.items()), key=lambda pair: pair[0], default=(0, None))
        found = [best] if best[0] >= 2 else []
    sources = [source for _, source in sorted(found, key=lambda pair: -pair[0]) if source]
    if previous is None:
        return Bullet("", line.text, tuple(sources[:MAX_SOURCES]))
    known = {s.index for s in sources}
    sources += [s for s in previous.sources if s.index not in known]
    bullet = replace(previous, text=line.text, sources=tuple(sources[:MAX_SOURCES]))
    return bullet if line.text == previous.text else replace(bullet, author="model", is_pinned=False)


def _unique(bullets: Sequence[Bullet]) -> list[Bullet]:
    """Let an id stand once, and weigh bullets in the order in which the model wrote them."""
    seen: set[str] = set()
    unique = []
    for place, bullet in enumerate(bullets):
        if bullet.id in seen:  # a second line is the model's own, whatever the first one is
            bullet = replace(bullet, id="", author="model", is_pinned=False)
        seen.add(bullet.id)
        unique.append(replace(bullet, weight=1.0 - 0.001 * place))
    return unique


def _described(document: MemoryDocument, chunk: Chunk) -> MemoryDocument:
    """Return the document with each bullet's kind, owner, origin and confidence."""
    messages = dict(zip(chunk.indices, chunk.messages, strict=True))
    whole = {i: message for i, message in messages.items() if chunk.indices.count(i) == 1}
    bullets = tuple(classify(b, whole, read_messages=document.read_messages) for b in document.bullets)
    return replace(document, bullets=bullets)


def _keep_boundary(document: MemoryDocument, bullets: list[Bullet], chunk: Chunk) -> MemoryDocument:
    """Whatever the model wrote: no secret, and nothing that the user asked to forget."""
    forgotten = document.forgotten
    for place in range(len(chunk.messages)):
        after_wish = forget_at(bullets, forgotten, chunk, place)
        if after_wish is not None:
            bullets, forgotten = after_wish
    kept = []
    for bullet in bullets:
        if has_secret(bullet.text) or is_forgotten(bullet.text, forgotten):
            continue
        sources = tuple(s for s in bullet.sources if not has_secret(s.span) and not is_forgotten(s.span, forgotten))
        kept.append(replace(bullet, sources=sources))
    return replace(document, bullets=tuple(kept), forgotten=forgotten)
