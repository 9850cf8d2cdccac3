"""The memory: a short list of bullets, each with the messages that support it."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from hub_toolkit.data.tokens import TokenCounter
from hub_toolkit.errors import DataFormatError

EMPTY_MEMORY = "No previous memory"
"""Source: PersonaMem-v2, agentic memory; the text that stands for an empty memory."""

DEFAULT_CAP_TOKENS = 2048
MAX_SOURCES = 3
FORMAT_VERSION = 2
READABLE_VERSIONS = (1, 2)

Author = Literal["model", "user"]
Owner = Literal["self", "other"]
Origin = Literal["said", "inferred", "repeated"]
KINDS = ("preference", "habit", "plan", "health", "relationship", "work", "sensitive", "fact")
"""What a bullet can be about; `fact` is the rest."""


@dataclass(frozen=True)
class Source:
    """A message (`index` counts `chat_history` from 0) and the words in it that support a bullet."""

    index: int
    span: str


@dataclass(frozen=True)
class Bullet:
    """One remembered thing. `weight` orders bullets when the cap forces a choice.

    `owner`: whom it is about. `origin`: how it came. `author`: who wrote its words; what the user wrote, no update
    changes. `first_seen` and `last_seen` are message indices; None for what never stood in a chat.
    """

    id: str
    text: str
    sources: tuple[Source, ...] = ()
    weight: float = 1.0
    owner: Owner = "self"
    kind: str = "fact"
    origin: Origin = "said"
    confidence: float = 0.5
    is_pinned: bool = False
    author: Author = "model"
    first_seen: int | None = None
    last_seen: int | None = None

    @property
    def is_protected(self) -> bool:
        """Whether only the user may change it."""
        return self.is_pinned or self.author == "user"

    def render(self) -> str:
        """Return the bullet as one line."""
        return "- " + " ".join(self.text.split())


@dataclass(frozen=True)
class MemoryDocument:
    """A memory of at most `cap_tokens` tokens, and how far it has read.

    `read_messages` is the first index of `chat_history` that is still unread. `forgotten` holds hashes of what
    the user asked to forget, never the words, so that it is not learnt again; `overruled` those of what a user's
    edit replaced or deleted. `faults` says which updates could not be used and why.
    """

    bullets: tuple[Bullet, ...] = ()
    read_messages: int = 0
    cap_tokens: int = DEFAULT_CAP_TOKENS
    builder: str = ""
    counter: str = ""
    next_id: int = 1
    forgotten: tuple[tuple[str, ...], ...] = ()
    overruled: tuple[tuple[str, ...], ...] = ()
    faults: tuple[str, ...] = ()

    def render(self) -> str:
        """Return the memory as the text that a reader sees."""
        return "\n".join(bullet.render() for bullet in self.bullets) or EMPTY_MEMORY

    def tokens(self, counter: TokenCounter) -> int:
        """Return the size of the rendered memory; an empty one counts nothing."""
        return counter.count(self.render()) if self.bullets else 0

    def enforce_cap(self, counter: TokenCounter, *, line_tokens: Callable[[str], int] | None = None) -> MemoryDocument:
        """Drop the lightest bullets until the rendered memory fits: whole bullets, never a part of one.

        What the user wrote or pinned goes last. `line_tokens` may stand in for the counter line by line, to remember counts between calls.
        """
        count = line_tokens or (lambda line: counter.count(line + "\n"))
        sizes = {bullet.id: count(bullet.render()) for bullet in self.bullets}
        kept, used = set(), 0
        for bullet in sorted(self.bullets, key=lambda b: (not b.is_protected, -b.weight, b.id)):
            if used + sizes[bullet.id] <= self.cap_tokens:
                kept.add(bullet.id)
                used += sizes[bullet.id]
        document = replace(self, bullets=tuple(b for b in self.bullets if b.id in kept))
        while document.tokens(counter) > self.cap_tokens:
            lightest = min(document.bullets, key=lambda b: (b.is_protected, b.weight, b.id))
            document = replace(document, bullets=tuple(b for b in document.bullets if b is not lightest))
        return document

    def as_dict(self, counter: TokenCounter | None = None) -> dict[str, Any]:
        """Return the document for JSON: `sources` are plain indices, `spans` the words beside them."""
        bullets = [_bullet_as_dict(bullet) for bullet in self.bullets]
        fields = asdict(replace(self, bullets=()))
        fields.update(format_version=FORMAT_VERSION, bullets=bullets, tokens=self.tokens(counter) if counter else None)
        return fields

    @classmethod
    def from_dict(cls, raw: Any, *, file: str = "memory") -> MemoryDocument:
        """Read a document back; one of format version 1 has what it lacks filled in: bullets a model wrote.

        Raises: DataFormatError: not a memory file, or of another format version.
        """
        if not isinstance(raw, dict) or raw.get("format_version") not in READABLE_VERSIONS:
            raise DataFormatError(f"not a memory of format version {FORMAT_VERSION}; build it anew", file=file)
        try:
            return cls(
                bullets=tuple(_bullet_from_dict(bullet) for bullet in raw["bullets"]),
                read_messages=int(raw["read_messages"]),
                cap_tokens=int(raw["cap_tokens"]),
                builder=str(raw["builder"]),
                counter=str(raw["counter"]),
                next_id=int(raw["next_id"]),
                forgotten=tuple(tuple(str(h) for h in group) for group in raw["forgotten"]),
                overruled=tuple(tuple(str(h) for h in group) for group in raw.get("overruled", ())),
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


def _bullet_as_dict(bullet: Bullet) -> dict[str, Any]:
    fields = {
        "id": bullet.id,
        "text": bullet.text,
        "sources": [source.index for source in bullet.sources],
        "spans": [source.span for source in bullet.sources],
        "weight": round(bullet.weight, 4),
    }
    return fields | {
        "owner": bullet.owner,
        "kind": bullet.kind,
        "origin": bullet.origin,
        "confidence": round(bullet.confidence, 4),
        "is_pinned": bullet.is_pinned,
        "author": bullet.author,
        "first_seen": bullet.first_seen,
        "last_seen": bullet.last_seen,
    }


def _bullet_from_dict(raw: Any) -> Bullet:
    sources = tuple(Source(int(i), str(s)) for i, s in zip(raw["sources"], raw["spans"], strict=True))
    seen = [source.index for source in sources]
    first, last = raw.get("first_seen", min(seen, default=None)), raw.get("last_seen", max(seen, default=None))
    return Bullet(
        id=str(raw["id"]),
        text=str(raw["text"]),
        sources=sources,
        weight=_finite(raw["weight"]),
        owner=_one_of(raw.get("owner", "self"), get_args(Owner), "owner"),
        kind=_one_of(raw.get("kind", "fact"), KINDS, "kind"),
        origin=_one_of(raw.get("origin", "said"), get_args(Origin), "origin"),
        confidence=min(1.0, max(0.0, _finite(raw.get("confidence", 0.5)))),
        is_pinned=raw.get("is_pinned", False) is True,
        author=_one_of(raw.get("author", "model"), get_args(Author), "author"),
        first_seen=None if first is None else int(first),
        last_seen=None if last is None else int(last),
    )


def _finite(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{number} is no number")
    return number


def _one_of(value: Any, allowed: Iterable[str], name: str) -> Any:
    if value not in allowed:
        raise ValueError(f"{name} is {str(value)[:40]!r}, not one of {', '.join(allowed)}")
    return value


def number_bullets(document: MemoryDocument, bullets: Iterable[Bullet]) -> MemoryDocument:
    """Return the document with these bullets; those without an id get the next free one."""
    numbered, next_id = [], document.next_id
    for bullet in bullets:
        if not bullet.id:
            bullet, next_id = replace(bullet, id=f"m{next_id}"), next_id + 1
        numbered.append(bullet)
    return replace(document, bullets=tuple(numbered), next_id=next_id)
