"""A memory as Markdown: to read, to print, and to read back what stands in it.

Every text in it came out of chats, so nothing of it may act: no HTML, no link, no image, no formula, no change of the
direction of what follows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from hub_toolkit.errors import BoundaryError, DataFormatError
from hub_toolkit.memory.document import DEFAULT_CAP_TOKENS, KINDS, Bullet, MemoryDocument, Source
from hub_toolkit.memory.exports.export_fields import MIN_CAP_TOKENS
from hub_toolkit.memory.rules.compile import compile_rule
from hub_toolkit.memory.state import Held, MemoryState, Rule, Version

MARKER = "<!-- personamem-memory"
FORMAT_VERSION = 1
MAX_LINES = 500_000

_HEAD = re.compile(r"<!-- personamem-memory ([0-9]{1,9}) read=([0-9]{1,12}) cap=([0-9]{1,9}) -->")
_NOTE = re.compile(r"\[\^([a-z0-9-]{1,24})\]: message ([0-9]{1,12})(?:: (.{0,100000}))?")
_NOTE_MARK = re.compile(r"\[\^([a-z0-9-]{1,24})\]")
_INVISIBLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_SPECIAL = re.compile(r"[\\`*_\[\]|~$@^]|^[-+=#]|:(?=//)|(?<=www)\.", re.I)
_ESCAPED = re.compile(r"\\([\\`*_\[\]|~$@^+=#:.-])")
_ENTITIES = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"))
_ORIGINS = ("inferred", "repeated")
_RULES, _HELD, _LOG = "Rules", "Waiting for your decision", "Log"


def render_markdown(state: MemoryState, versions: Sequence[Version]) -> str:
    """Return the memory, its rules, what waits for a decision, and the log; sources are footnotes."""
    document = state.document
    lines = [
        f"{MARKER} {FORMAT_VERSION} read={document.read_messages} cap={document.cap_tokens} -->",
        "# Memory",
        "",
        f"{len(document.bullets)} entries out of {document.read_messages:,} messages. What was forgotten is not here.",
    ]
    for kind in sorted({bullet.kind for bullet in document.bullets}):
        bullets = [bullet for bullet in document.bullets if bullet.kind == kind]
        lines += _section(escape_markdown(kind), map(_bullet_line, bullets))
    if state.rules:
        lines += _section(_RULES, (f"- {escape_markdown(rule.text)} `{rule.id}`" for rule in state.rules))
    if state.held:
        lines += _section(_HELD, map(_held_line, state.held))
    if versions:
        head = ["| version | time | change | by | added | changed | removed | reason |", "|" + " --- |" * 8]
        lines += _section(_LOG, [*head, *map(_version_line, versions)])
    notes = [line for bullet in document.bullets for line in _note_lines(bullet)]
    return "\n".join([*lines, *(["", *notes] if notes else []), ""])


def parse_markdown(text: str, *, file: str = "export") -> MemoryState:
    """Read entries and rules back; what waits and the log are not read, and a line added by hand is the owner's.

    Raises: DataFormatError: no memory in Markdown, or a rule that cannot be compiled. `row` counts lines from 1.
    """
    lines = text.removeprefix("\ufeff").splitlines()
    head = _HEAD.fullmatch(lines[0].strip()) if lines else None
    if not head or len(lines) > MAX_LINES:
        raise DataFormatError("this is no memory in Markdown; export it again", file=file)
    if int(head[1]) != FORMAT_VERSION:
        message = f"this Markdown is of format {head[1]}, and {FORMAT_VERSION} is read here; update the toolkit"
        raise DataFormatError(message, file=file, row=1)
    found = (_NOTE.fullmatch(line) for line in lines)
    notes = {note[1]: Source(int(note[2]), unescape_markdown(note[3] or "")) for note in found if note}
    bullets: list[Bullet] = []
    rules: list[Rule] = []
    section = ""
    for row, line in enumerate(lines, 1):
        if line.startswith("## "):
            section = unescape_markdown(line[3:].strip())
        elif line.startswith("- ") and section == _RULES:
            rules.append(_parse_rule(line, file, row))
        elif line.startswith("- ") and line[2:].strip() and section not in ("", _HELD, _LOG):
            bullets.append(_parse_bullet(line, section, notes))
    if (cap_tokens := int(head[3])) < MIN_CAP_TOKENS:
        message = f"a memory of {cap_tokens} tokens holds nothing; write cap={DEFAULT_CAP_TOKENS}"
        raise DataFormatError(message, file=file, row=1)
    document = MemoryDocument(read_messages=int(head[2]), cap_tokens=cap_tokens)
    numbers = [int(bullet.id[1:]) for bullet in bullets if bullet.id]
    document = replace(document, bullets=tuple(bullets), next_id=max(numbers, default=0) + 1)
    return MemoryState(document, tuple(rules), next_rule=len(rules) + 1)


def escape_markdown(text: str) -> str:
    """Return a text on one line that Markdown, HTML and spreadsheets show as it is."""
    text = " ".join(_INVISIBLE.sub("", text).split())
    for char, entity in _ENTITIES:
        text = text.replace(char, entity)
    return _SPECIAL.sub(lambda found: "\\" + found[0], text)


def unescape_markdown(text: str) -> str:
    """Return what `escape_markdown` was given, on one line."""
    text = _ESCAPED.sub(r"\1", text)
    for char, entity in reversed(_ENTITIES):
        text = text.replace(entity, char)
    return text


def _section(title: str, lines: Iterable[str]) -> list[str]:
    return ["", f"## {title}", "", *lines]


def _bullet_line(bullet: Bullet) -> str:
    marks = [name for name, is_set in _marks_of(bullet) if is_set]
    notes = "".join(f" [^{bullet.id}-{number}]" for number in range(1, len(bullet.sources) + 1))
    return f"- {escape_markdown(bullet.text)} `{bullet.id}`{''.join(f' · {mark}' for mark in marks)}{notes}"


def _marks_of(bullet: Bullet) -> list[tuple[str, bool]]:
    return [
        ("pinned", bullet.is_pinned),
        ("about another person", bullet.owner == "other"),
        ("written by the owner", bullet.author == "user"),
        *((origin, bullet.origin == origin) for origin in _ORIGINS),
    ]


def _note_lines(bullet: Bullet) -> list[str]:
    return [
        f"[^{bullet.id}-{number}]: message {source.index}"
        + (f": {escape_markdown(source.span)}" if source.span else "")
        for number, source in enumerate(bullet.sources, 1)
    ]


def _held_line(held: Held) -> str:
    return f"- {escape_markdown(held.text)} `{held.id}` · {escape_markdown(held.reason)} · message {held.source.index}"


def _version_line(version: Version) -> str:
    counts = f"{version.num_added} | {version.num_changed} | {version.num_removed}"
    cells = f"{version.number} | {escape_markdown(version.time)} | {version.kind} | {version.author} | {counts}"
    return f"| {cells} | {escape_markdown(version.reason)} |"


def _parse_bullet(line: str, kind: str, notes: dict[str, Source]) -> Bullet:
    kind = kind if kind in KINDS else "fact"
    text, tick, rest = line[2:].rpartition(" `")
    bullet_id, end, rest = rest.partition("`")
    is_ours = bool(tick and end) and bullet_id[:1] == "m" and bullet_id[1:].isdecimal() and len(bullet_id) < 14
    if not is_ours:  # a line that the owner added
        return Bullet("", unescape_markdown(line[2:].strip()), kind=kind, author="user", confidence=1.0)
    marks = {mark.strip() for mark in _NOTE_MARK.sub("", rest).split("·")}
    sources = tuple(notes[name] for name in _NOTE_MARK.findall(rest) if name in notes)
    indices = [source.index for source in sources]
    is_own = "written by the owner" in marks
    return Bullet(
        bullet_id,
        unescape_markdown(text),
        sources,
        owner="other" if "about another person" in marks else "self",
        kind=kind,
        origin="repeated" if "repeated" in marks else "inferred" if "inferred" in marks else "said",
        is_pinned="pinned" in marks,
        author="user" if is_own else "model",
        confidence=1.0 if is_own else 0.5,
        first_seen=min(indices, default=None),
        last_seen=max(indices, default=None),
    )


def _parse_rule(line: str, file: str, row: int) -> Rule:
    text, tick, rest = line[2:].rpartition(" `")
    rule_id = rest.partition("`")[0] if tick else ""
    try:
        return compile_rule(unescape_markdown(text if tick else line[2:]), rule_id)
    except BoundaryError as error:
        raise DataFormatError(f"this rule cannot be read: {error}", file=file, row=row) from None
