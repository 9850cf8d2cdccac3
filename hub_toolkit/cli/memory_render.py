"""Memories as text for a terminal of 80 columns: ids first, so that they can be copied."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

from hub_toolkit.memory.document import Bullet
from hub_toolkit.memory.owner.audit import Diff, check_support
from hub_toolkit.memory.rules.reading import describe_rule
from hub_toolkit.memory.state import Held, Receipt, Rule, Version

WIDTH = 80
_INDENT = 6
_OVERRIDES = "\u202a\u202b\u202d\u202e"


def clean(text: str) -> str:
    """Return a text in one line that cannot steer a terminal: no control characters, no overridden direction."""
    shown = "".join(" " if c.isspace() else c for c in text)
    return " ".join("".join("�" if unicodedata.category(c) == "Cc" or c in _OVERRIDES else c for c in shown).split())


def count_of(number: int, noun: str) -> str:
    """Return `1 bullet`, `2 bullets`."""
    return f"{number:,} {noun}" + "s" * (number != 1)


def columns(text: str) -> int:
    """Return how many columns a text takes: East Asian characters and emoji take two, marks none."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def wrap(text: str, *, first: str, indent: int = _INDENT) -> str:
    """Return a text in lines of at most 80 columns, `first` before it and the rest indented."""
    lines, line = [], first.ljust(indent)
    room = WIDTH - indent
    started = False
    for word in _pieces(clean(text), room):
        if started and columns(line) + 1 + columns(word) > WIDTH:
            lines.append(line)
            line, started = " " * indent, False
        line += (" " if started else "") + word
        started = True
    return "\n".join([*lines, line.rstrip()])


def _pieces(text: str, room: int) -> Iterable[str]:
    """Yield words; one that is wider than a line, as in Chinese, in parts."""
    for word in text.split(" "):
        part = ""
        for character in word:
            if columns(part) + columns(character) > room:
                yield part
                part = ""
            part += character
        yield part


def render_bullet(bullet: Bullet) -> str:
    """Return a bullet with what is known of it."""
    facts = [bullet.kind, *(["about somebody else"] if bullet.owner == "other" else []), bullet.origin]
    if bullet.author == "user":
        facts.append("your words")
    if bullet.is_pinned:
        facts.append("pinned")
    if bullet.sources:
        places = ", ".join(str(index) for index in sorted({source.index for source in bullet.sources}))
        facts.append(f"message{'s' * (', ' in places)} {places}")
    if not check_support(bullet):
        facts.append("UNSUPPORTED")
    return wrap(bullet.text, first=bullet.id) + "\n" + wrap(" · ".join(facts), first="")


def render_bullets(bullets: Sequence[Bullet]) -> str:
    return "\n".join(render_bullet(bullet) for bullet in bullets)


def render_diff(diff: Diff, *, limit: int | None = None) -> str:
    """Return a diff as lines that begin with +, - or ~; of more than `limit` bullets the first."""
    lines = [wrap(bullet.text, first=f"+ {bullet.id}", indent=8) for bullet in diff.added]
    for old, new in diff.changed:
        if old.text != new.text:
            lines += [wrap(old.text, first=f"- {old.id}", indent=8), wrap(new.text, first=f"+ {new.id}", indent=8)]
        else:
            lines.append(wrap(f"{_changed_fields(old, new)}: {new.text}", first=f"~ {new.id}", indent=8))
    lines += [wrap(bullet.text, first=f"- {bullet.id}", indent=8) for bullet in diff.removed]
    if limit is not None and len(lines) > limit:
        lines[limit:] = [f"… and {len(lines) - limit} more (`show`)"]
    return "\n".join(lines) or "no bullet differs"


def _changed_fields(old: Bullet, new: Bullet) -> str:
    names = {"is_pinned": "pinned" if new.is_pinned else "unpinned", "sources": "sources", "kind": f"kind {new.kind}"}
    found = [shown for name, shown in names.items() if getattr(old, name) != getattr(new, name)]
    return ", ".join(found) or "details"


def render_version(version: Version) -> str:
    """Return a version as a line of the log."""
    counts = f"+{version.num_added} ~{version.num_changed} -{version.num_removed}"
    who = "you" if version.author == "user" else "model"
    time = version.time[:19].replace("T", " ")
    return f"{version.number:>4}  {time:19}  {version.kind:<11} {who:<5} {counts:<13} {clean(version.reason)}".rstrip()


def render_receipt(receipt: Receipt) -> str:
    """Return a receipt as a line; there is no content in it."""
    time = receipt.time[:19].replace("T", " ")
    return (
        f"{time:19}  {receipt.kind:<9} {receipt.count:>4}  {clean(receipt.reason):<28} {receipt.digest[:16]}".rstrip()
    )


def render_rule(rule: Rule) -> str:
    """Return a rule as it was written, and as it is read."""
    return wrap(rule.text, first=rule.id) + "\n" + wrap(describe_rule(rule), first="")


def render_held(held: Held) -> str:
    """Return a span that waits."""
    return wrap(held.text, first=held.id) + "\n" + wrap(f"{held.reason} · message {held.source.index}", first="")
