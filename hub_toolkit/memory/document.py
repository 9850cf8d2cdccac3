"""The memory: a short list of bullets, each with the messages that support it."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from hub_toolkit.data.tokens import TokenCounter
from hub_toolkit.errors import DataFormatError

EMPTY_MEMORY = "No previous memory"
"""Source: PersonaMem-v2, agentic memory; the text that stands for an empty memory."""

DEFAULT_CAP_TOKENS = 2048
MAX_SOURCES = 3
FORMAT_VERSION = 1


@dataclass(frozen=True)
class Source:
    """A message (`index` counts `chat_history` from 0) and the words in it that support a bullet."""

    index: int
    span: str


@dataclass(frozen=True)
class Bullet:
    """One remembered thing. `weight` orders bullets when the cap forces a choice."""

    id: str
    text: str
    sources: tuple[Source, ...] = ()
    weight: float = 1.0

    def render(self) -> str:
        """Return the bullet as one line."""
        return "- " + " ".join(self.text.split())


@dataclass(frozen=True)
class MemoryDocument:
    """A memory of at most `cap_tokens` tokens, and how far it has read.

    `read_messages` is the first index of `chat_history` that is still unread. `forgotten` holds hashes of what
    the user asked to forget, never the words, so that it is not learnt again. `faults` says which updates
    could not be used and why.
    """

    bullets: tuple[Bullet, ...] = ()
    read_messages: int = 0
    cap_tokens: int = DEFAULT_CAP_TOKENS
    builder: str = ""
    counter: str = ""
    next_id: int = 1
    forgotten: tuple[tuple[str, ...], ...] = ()
    faults: tuple[str, ...] = ()

    def render(self) -> str:
        """Return the memory as the text that a reader sees."""
        return "\n".join(bullet.render() for bullet in self.bullets) or EMPTY_MEMORY

    def tokens(self, counter: TokenCounter) -> int:
        """Return the size of the rendered memory; an empty one counts nothing."""
        return counter.count(self.render()) if self.bullets else 0

    def enforce_cap(self, counter: TokenCounter, *, line_tokens: Callable[[str], int] | None = None) -> MemoryDocument:
        """Drop the lightest bullets until the rendered memory fits: whole bullets, never a part of one.

        `line_tokens` may stand in for the counter line by line, to remember counts between calls.
        """
        count = line_tokens or (lambda line: counter.count(line + "\n"))
        sizes = {bullet.id: count(bullet.render()) for bullet in self.bullets}
        kept, used = set(), 0
        for bullet in sorted(self.bullets, key=lambda b: (-b.weight, b.id)):
            if used + sizes[bullet.id] <= self.cap_tokens:
                kept.add(bullet.id)
                used += sizes[bullet.id]
        document = replace(self, bullets=tuple(b for b in self.bullets if b.id in kept))
        while document.tokens(counter) > self.cap_tokens:
            lightest = min(document.bullets, key=lambda b: (b.weight, b.id))
            document = replace(document, bullets=tuple(b for b in document.bullets if b is not lightest))
        return document

    def as_dict(self, counter: TokenCounter | None = None) -> dict[str, Any]:
        """Return the document for JSON: `sources` are plain indices, `spans` the words beside them."""
        bullets = [
            {
                "id": bullet.id,
                "text": bullet.text,
                "sources": [source.index for source in bullet.sources],
                "spans": [source.span for source in bullet.sources],
                "weight": round(bullet.weight, 4),
            }
            for bullet in self.bullets
        ]
        fields = asdict(replace(self, bullets=()))
        fields.update(format_version=FORMAT_VERSION, bullets=bullets, tokens=self.tokens(counter) if counter else None)
        return fields

    @classmethod
    def from_dict(cls, raw: Any, *, file: str = "memory") -> MemoryDocument:
        """Read a document back.

        Raises: DataFormatError: not a memory file, or of another format version.
        """
        if not isinstance(raw, dict) or raw.get("format_version") != FORMAT_VERSION:
            raise DataFormatError(f"not a memory of format version {FORMAT_VERSION}; build it anew", file=file)
        try:
            bullets = tuple(
                Bullet(
                    id=str(b["id"]),
                    text=str(b["text"]),
                    sources=tuple(Source(int(i), str(s)) for i, s in zip(b["sources"], b["spans"], strict=True)),
                    weight=float(b["weight"]),
                )
                for b in raw["bullets"]
            )
            return cls(
                bullets=bullets,
                read_messages=int(raw["read_messages"]),
                cap_tokens=int(raw["cap_tokens"]),
                builder=str(raw["builder"]),
                counter=str(raw["counter"]),
                next_id=int(raw["next_id"]),
                forgotten=tuple(tuple(str(h) for h in group) for group in raw["forgotten"]),
                faults=tuple(str(f) for f in raw["faults"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DataFormatError(
                f"a field of the memory is missing or wrong ({error}); build it anew", file=file
            ) from error

    def save(self, path: Path, counter: TokenCounter | None = None) -> None:
        """Write the document so that a kill leaves either the old file or the new one."""
        text = json.dumps(self.as_dict(counter), ensure_ascii=False, indent=1) + "\n"
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as out:
                out.write(text)
                out.flush()
                os.fsync(out.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    @classmethod
    def load(cls, path: Path) -> MemoryDocument:
        """Read a document from a file.

        Raises: DataFormatError: the file is missing, is no JSON or no memory.
        """
        try:
            raw = json.loads(path.read_text("utf-8"))
        except OSError as error:
            raise DataFormatError(f"cannot read the memory: {error.strerror}", file=str(path)) from error
        except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
            raise DataFormatError("not a JSON file; build the memory anew", file=str(path)) from error
        return cls.from_dict(raw, file=str(path))


def number_bullets(document: MemoryDocument, bullets: Iterable[Bullet]) -> MemoryDocument:
    """Return the document with these bullets; those without an id get the next free one."""
    numbered, next_id = [], document.next_id
    for bullet in bullets:
        if not bullet.id:
            bullet, next_id = replace(bullet, id=f"m{next_id}"), next_id + 1
        numbered.append(bullet)
    return replace(document, bullets=tuple(numbered), next_id=next_id)
