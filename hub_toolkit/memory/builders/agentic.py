"""The paper's recurrent memory: a model rewrites the bullets after each chunk; it never sees a question."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
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
        self._secrets = _KnownSecrets()

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
            kept = _described(self._keep_boundary(document, list(document.bullets), chunk), chunk)
            return replace(kept, faults=(*kept.faults, fault))
        sources = _Sources(document.bullets, chunk)
        bullets = [sources.reconcile(line) for line in lines]
        numbered = number_bullets(document, _unique(bullets))
        # The user's word goes above the model's first: what the chunk asks to forget then takes both.
        written = protect(document, numbered, self.model.counter)
        clean = _described(self._keep_boundary(written, list(written.bullets), chunk), chunk)
        supported = drop_unsupported(clean) if self.refuse_unsupported else clean
        return supported.enforce_cap(self.model.counter)

    def _keep_boundary(self, document: MemoryDocument, bullets: list[Bullet], chunk: Chunk) -> MemoryDocument:
        """Whatever the model wrote: no secret, and nothing that the user asked to forget."""
        forgotten = document.forgotten
        for place in range(len(chunk.messages)):
            after_wish = forget_at(bullets, forgotten, chunk, place)
            if after_wish is not None:
                bullets, forgotten = after_wish
        is_secret = self._secrets.begin()
        kept = []
        for bullet in bullets:
            if is_secret(bullet.text) or is_forgotten(bullet.text, forgotten):
                continue
            sources = tuple(s for s in bullet.sources if not is_secret(s.span) and not is_forgotten(s.span, forgotten))
            kept.append(replace(bullet, sources=sources))
        return replace(document, bullets=tuple(kept), forgotten=forgotten)


class _KnownSecrets:
    """What was found out about the texts of one memory: from one update to the next few of them change."""

    def __init__(self) -> None:
        self._known: dict[str, bool] = {}

    def begin(self) -> Callable[[str], bool]:
        """Return what tells whether a text holds a secret, for one update."""
        before, self._known = self._known, {}

        def is_secret(text: str) -> bool:
            if text not in self._known:
                found = before.get(text)
                self._known[text] = has_secret(text) if found is None else found
            return self._known[text]

        return is_secret


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


def _user_texts(chunk: Chunk) -> dict[int, str]:
    """Return what the user wrote, by index: nobody else's words bear out a bullet. Pieces of one message are joined."""
    texts: dict[int, str] = {}
    for index, message in zip(chunk.indices, chunk.messages, strict=True):
        if message.role == "user":
            texts[index] = f"{texts[index]}\n{message.text}" if index in texts else message.text
    return texts


@dataclass(frozen=True)
class _Quote:
    """The sentence of a user's message that shares most words with a bullet, and how many."""

    index: int
    sentence: str
    num_shared: int

    def as_source(self, text: str) -> Source | None:
        """Return the sentence as a source of a bullet that it bears out."""
        source = Source(self.index, self.sentence)
        return source if check_support(Bullet("", text, (source,))) else None


class _Sources:
    """What the lines of one reply may rest on: the bullets before it, and what users wrote in its chunk."""

    def __init__(self, bullets: Sequence[Bullet], chunk: Chunk) -> None:
        self._by_id = {bullet.id: bullet for bullet in bullets}
        self._stems = [(frozenset(content_stems(bullet.text)), bullet) for bullet in bullets]
        self._texts = _user_texts(chunk)
        self._sentences: dict[int, list[tuple[frozenset[str], str]]] = {}

    def reconcile(self, line: _Line) -> Bullet:
        """Give a line its id and its sources: cited messages that really share words with it, newest first."""
        stems = frozenset(content_stems(line.text))
        previous = self._previous(line, stems)
        quotes = [self._quote(index, stems) for index in line.cited if index in self._texts]
        found = [(quote.num_shared, quote.as_source(line.text)) for quote in quotes]
        if not any(source for _, source in found) and previous is None:
            best = max((self._quote(i, stems) for i in self._texts), key=lambda quote: quote.num_shared, default=None)
            found = [(best.num_shared, best.as_source(line.text))] if best and best.num_shared >= 2 else []
        sources = [source for _, source in sorted(found, key=lambda pair: -pair[0]) if source]
        if previous is None:
            return Bullet("", line.text, tuple(sources[:MAX_SOURCES]))
        known = {s.index for s in sources}
        sources += [s for s in previous.sources if s.index not in known]
        bullet = replace(previous, text=line.text, sources=tuple(sources[:MAX_SOURCES]))
        return bullet if line.text == previous.text else replace(bullet, author="model", is_pinned=False)

    def _previous(self, line: _Line, stems: frozenset[str]) -> Bullet | None:
        """Return the bullet that a line continues: by its id, else by its words."""
        if line.bullet_id in self._by_id:
            return self._by_id[line.bullet_id]
        share, best = max(
            ((_share(stems, known), b) for known, b in self._stems), key=lambda p: p[0], default=(0, None)
        )
        return best if share >= SAME_BULLET_SHARE else None

    def _quote(self, index: int, stems: frozenset[str]) -> _Quote:
        """Return a message's best sentence, the first of several; an empty one where none may be cited."""
        if index not in self._sentences:
            sentences = filter(is_quotable, split_sentences(self._texts[index]))
            self._sentences[index] = [(frozenset(content_stems(sentence)), sentence) for sentence in sentences]
        known = ((len(stems & said), sentence) for said, sentence in self._sentences[index])
        num_shared, sentence = max(known, key=lambda pair: pair[0], default=(0, ""))
        return _Quote(index, sentence, num_shared)


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
    num_pieces = Counter(chunk.indices)
    whole = {i: message for message, i in zip(chunk.messages, chunk.indices, strict=True) if num_pieces[i] == 1}
    bullets = tuple(classify(b, whole, read_messages=document.read_messages) for b in document.bullets)
    return replace(document, bullets=bullets)
