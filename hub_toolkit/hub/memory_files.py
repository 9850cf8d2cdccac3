"""The files in which a memory lies in its owner's repo, as bytes and back.

`memory.md` is for reading and `memory.json` holds the newest state whole. `versions/NNNNNN.jsonl` hold every version,
so that the past does not depend on git's history: each begins with a whole state, then says what changed. `log.jsonl`,
`receipts.jsonl` and `sessions.jsonl` have a line each. All stay regular files of git, never large ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeVar

from hub_toolkit.errors import DataFormatError, StoreError
from hub_toolkit.memory.document import Bullet, MemoryDocument, Source
from hub_toolkit.memory.state import Held, MemoryState, Receipt, Rule, Session, Version

FORMAT_VERSION = 1
STATE_FILE, READABLE_FILE, CARD_FILE = "memory.json", "memory.md", "README.md"
LOG_FILE, RECEIPTS_FILE, SESSIONS_FILE = "log.jsonl", "receipts.jsonl", "sessions.jsonl"
ATTRIBUTES_FILE = ".gitattributes"
PENDING_FILE = "purge-pending.json"
VERSIONS_FOLDER = "versions/"
SEGMENT_VERSIONS = 64
MAX_FILE_BYTES = 9 * 2**20

ATTRIBUTES = b"* -filter -diff -merge\n"
"""No file goes to the large file storage, which keeps what git's history has lost."""

CARD = """---
pretty_name: A personal memory
viewer: false
tags:
- personamem-memory
---

# A personal memory

The memory of one person, kept by `personamem`. The repo must stay private: the toolkit writes to no public one.

`memory.md` is the memory to read, `memory.json` the same with its sources, `versions/` its past, `log.jsonl` what was
changed when and by whom, `receipts.jsonl` what was refused or forgotten, without its content. Each version is a commit.
A forget takes the thing out of all versions and rewrites git's history; `viewer: false` above keeps the Hub from making
copies for its viewer. Do not edit by hand, tag or branch: change the memory with `personamem memory`.
"""

_T = TypeVar("_T", Rule, Receipt, Session, Version)


@dataclass(frozen=True)
class LogLine:
    """A version, and the key by which its writer recognises it when the Hub's answer was lost."""

    version: Version
    key: str


def encode_json(value: Any) -> bytes:
    """Return a value as JSON in UTF-8 with a line end."""
    return (json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n").encode("utf-8", "surrogatepass")


def decode_lines(data: bytes, file: str) -> list[dict[str, Any]]:
    """Read a file of one JSON object a line.

    Raises: StoreError: `file` is broken; it names the line.
    """
    found = []
    for row, line in enumerate(data.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line.decode("utf-8", "surrogatepass"))
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise StoreError(f"{file}, line {row}: not a JSON object; take the file back from an earlier commit")
        found.append(value)
    return found


def state_to_dict(state: MemoryState) -> dict[str, Any]:
    """Return a state for JSON, whole."""
    return {
        "document": state.document.as_dict(),
        "rules": [asdict(rule) for rule in state.rules],
        "held": [asdict(held) for held in state.held],
        "next_rule": state.next_rule,
        "next_held": state.next_held,
    }


def state_from_dict(raw: Mapping[str, Any], file: str) -> MemoryState:
    """Read a state back.

    Raises: StoreError: a field is missing or wrong.
    """
    try:
        held = tuple(
            Held(str(h["id"]), str(h["text"]), Source(int(h["source"]["index"]), str(h["source"]["span"])), h["reason"])
            for h in raw["held"]
        )
        rules = tuple(record_from_dict(Rule, rule, file) for rule in raw["rules"])
        document = MemoryDocument.from_dict(raw["document"], file=file)
        return MemoryState(document, rules, held, int(raw["next_rule"]), int(raw["next_held"]))
    except (KeyError, TypeError, ValueError, DataFormatError) as error:
        message = f"{file}: a field of the memory is missing or wrong; take the file back from an earlier commit"
        raise StoreError(message) from error


def record_from_dict(cls: type[_T], raw: Mapping[str, Any], file: str) -> _T:
    """Read a flat record: lists become tuples, unknown fields are left out.

    Raises: StoreError: a field is missing, or is a number where none belongs.
    """
    known = {field.name: field.type for field in fields(cls)}
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in raw.items() if name in known
    }
    try:
        record = cls(**values)
    except TypeError:
        record = None
    if record is None or any(isinstance(value, int) != (known[name] == "int") for name, value in values.items()):
        raise StoreError(f"{file}: a field of a line is missing or wrong; take the file back from an earlier commit")
    return record


def encode_versions(states: Sequence[tuple[int, MemoryState]]) -> bytes:
    """Return a segment: (number, state) in order; the first whole, then what changed."""
    lines, before = [], None
    for number, state in states:
        lines.append(encode_json(_delta(number, state, before)))
        before = state
    return b"".join(lines)


def append_version(data: bytes, number: int, state: MemoryState, before: MemoryState | None) -> bytes:
    """Return a segment with one more version; `before` is the one before it, None where the segment is new."""
    return data + encode_json(_delta(number, state, before))


def _split(state: MemoryState) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return a state without its bullets, and these."""
    raw = state_to_dict(state)
    bullets: list[dict[str, Any]] = raw["document"].pop("bullets")
    return raw, bullets


def _delta(number: int, state: MemoryState, before: MemoryState | None) -> dict[str, Any]:
    rest, bullets = _split(state)
    old_rest, old_bullets = _split(before) if before else (None, [])
    known = {bullet["id"]: bullet for bullet in old_bullets}
    line: dict[str, Any] = {"number": number, "ids": [bullet["id"] for bullet in bullets]}
    line["bullets"] = [bullet for bullet in bullets if known.get(bullet["id"]) != bullet]
    if rest != old_rest:
        line["rest"] = rest
    return line


def decode_versions(data: bytes, file: str) -> list[tuple[int, MemoryState]]:
    """Read a segment.

    Raises: StoreError: it is broken.
    """
    states, known, rest = [], {}, None
    for line in decode_lines(data, file):
        try:
            known.update({bullet["id"]: bullet for bullet in line["bullets"]})
            rest = line.get("rest", rest)
            assert rest is not None
            document = {**rest["document"], "bullets": [known[i] for i in line["ids"]]}
            states.append((int(line["number"]), state_from_dict({**rest, "document": document}, file)))
        except (KeyError, TypeError, ValueError, AssertionError) as error:
            message = f"{file}: a version does not fit the one before it; take the file back from an earlier commit"
            raise StoreError(message) from error
    return states


def segment_path(number: int) -> str:
    """Return the file that holds a version."""
    first = (number - 1) // SEGMENT_VERSIONS * SEGMENT_VERSIONS + 1
    return f"{VERSIONS_FOLDER}{first:06d}.jsonl"


def render_readable(version: Version, state: MemoryState) -> bytes:
    """Return the memory as a page to read."""
    lines = [f"# Memory, version {version.number}", "", f"{version.time}, {version.kind} by {version.author}", ""]
    lines += [_readable_bullet(bullet) for bullet in state.document.bullets] or ["Nothing is remembered."]
    if state.rules:
        lines += ["", "## Rules", "", *(f"- {' '.join(rule.text.split())} ({rule.id})" for rule in state.rules)]
    return ("\n".join(lines) + "\n").encode("utf-8", "surrogatepass")


def _readable_bullet(bullet: Bullet) -> str:
    marks = [bullet.id, bullet.kind, *(["pinned"] if bullet.is_pinned else [])]
    marks += ["yours"] if bullet.author == "user" else []
    return f"{bullet.render()} ({', '.join(marks)})"


def check_sizes(files: Iterable[tuple[str, bytes]]) -> None:
    """Raise StoreError where a file would have to go to the large file storage."""
    for path, data in files:
        if len(data) > MAX_FILE_BYTES:
            raise StoreError(
                f"{path} would have {len(data):,} bytes, {MAX_FILE_BYTES:,} are allowed in a memory's repo; "
                "export the memory, delete it, and import it into a new repo"
            )
