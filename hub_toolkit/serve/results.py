"""What the functions of a served memory return."""

from __future__ import annotations

from dataclasses import dataclass

from hub_toolkit.memory.document import Bullet
from hub_toolkit.memory.state import Held, Receipt, Rule, Version


@dataclass(frozen=True)
class Changed:
    """A version that was made: 0 where nothing had to change. `added`, `changed`, `removed` are ids of bullets."""

    version: int
    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


@dataclass(frozen=True)
class RememberedResult:
    """What a chat changed; `held` waits for the owner's decision, `receipts` say what was refused, without it."""

    version: int
    num_read: int
    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    receipts: tuple[Receipt, ...]
    held: tuple[Held, ...]


@dataclass(frozen=True)
class BulletsResult:
    bullets: tuple[Bullet, ...]


@dataclass(frozen=True)
class RecalledResult:
    """`text` goes into a prompt as it is: what the memory says stands between tags that it cannot close."""

    text: str
    bullets: tuple[Bullet, ...]


@dataclass(frozen=True)
class WhyResult:
    """`is_supported`: a source's words bear the bullet out, or the owner wrote it."""

    bullet: Bullet
    is_supported: bool


@dataclass(frozen=True)
class MemoryResult:
    version: int
    text: str
    bullets: tuple[Bullet, ...]
    rules: tuple[Rule, ...]
    held: tuple[Held, ...]


@dataclass(frozen=True)
class ForgottenResult:
    """How much was removed, of which kinds, from the newest version and from past ones; never what it said."""

    version: int
    num_bullets: int
    num_past: int
    kinds: tuple[str, ...]
    receipts: tuple[Receipt, ...]


@dataclass(frozen=True)
class RuleResult:
    rule: Rule


@dataclass(frozen=True)
class LogResult:
    versions: tuple[Version, ...]


@dataclass(frozen=True)
class ReceiptsResult:
    receipts: tuple[Receipt, ...]


@dataclass(frozen=True)
class ExportResult:
    """`content` is a whole file: JSON that `import` reads back, or Markdown to read."""

    format: str
    content: str
