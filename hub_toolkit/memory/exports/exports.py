"""A memory as a file its owner takes along: JSON that gives the equal memory back, and Markdown to read.

Neither holds what was forgotten: of that there are only hashes, and what matches them is left out once more here.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from hub_toolkit.data.fields import FieldError, parse_json
from hub_toolkit.errors import DataFormatError
from hub_toolkit.memory.document import Bullet
from hub_toolkit.memory.exports.export_fields import read_sessions, read_state, read_versions
from hub_toolkit.memory.exports.markdown_export import MARKER, parse_markdown, render_markdown
from hub_toolkit.memory.forget.tombstones import Forgotten, is_forgotten
from hub_toolkit.memory.state import MemoryState, Session, Version

FORMAT = "personamem-memory"
FORMAT_VERSION = 1
MAX_EXPORT_BYTES = 256 * 2**20
MAX_DEPTH = 12

_BOM = "\ufeff"
_SNIFFED_BYTES = 512


@dataclass(frozen=True)
class MemoryExport:
    """A memory as it was exported: its state, how it came to be, and what it has read."""

    state: MemoryState
    versions: tuple[Version, ...] = ()
    sessions: tuple[Session, ...] = ()


def export_json(state: MemoryState, *, versions: Sequence[Version] = (), sessions: Sequence[Session] = ()) -> str:
    """Return the memory as JSON; `parse_export` gives the equal memory back."""
    state, versions = _without_forgotten(state, versions)
    body = {
        "state": asdict(state),
        "versions": [asdict(version) for version in versions],
        "sessions": [asdict(session) for session in sessions],
    }
    head = {"format": FORMAT, "format_version": FORMAT_VERSION, "checksum": _checksum(body)}
    return json.dumps({**head, "memory": body}, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def parse_export(text: str, *, file: str = "export") -> MemoryExport:
    """Read an exported memory back. Without its `checksum` line a file that was changed by hand is read too.

    What comes back is data of a stranger until the guards have seen it.

    Raises: DataFormatError: no export of a memory, of a newer format, damaged, or over the limits.
    """
    if len(text) > MAX_EXPORT_BYTES:
        raise DataFormatError(f"longer than {MAX_EXPORT_BYTES // 2**20} MiB; no memory is", file=file)
    try:
        raw = parse_json(text.removeprefix(_BOM), max_depth=MAX_DEPTH)
    except FieldError as error:
        raise DataFormatError(f"{error.message}; export the memory again", file=file) from None
    body = _check_head(raw, file)
    try:
        return MemoryExport(
            read_state(body.get("state")), read_versions(body.get("versions")), read_sessions(body.get("sessions"))
        )
    except FieldError as error:
        raise DataFormatError(f"{error.message}; export the memory again", file=file, column=error.column) from None


def export_markdown(state: MemoryState, *, versions: Sequence[Version] = ()) -> str:
    """Return the memory as Markdown, to read; entries and rules can be read back from it, the rest cannot."""
    return render_markdown(*_without_forgotten(state, versions))


def load_export(path: Path) -> MemoryExport:
    """Read an exported memory from a file, JSON or Markdown: its content says which.

    Raises: DataFormatError: as `parse_export` and `parse_markdown`, or the file cannot be read.
    """
    file = str(path)
    try:
        if path.stat().st_size > MAX_EXPORT_BYTES:
            raise DataFormatError(f"longer than {MAX_EXPORT_BYTES // 2**20} MiB; no memory is", file=file)
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise DataFormatError(f"the export cannot be read: {error.strerror}", file=file) from None
    except UnicodeDecodeError:
        raise DataFormatError("not valid UTF-8; save the file as UTF-8", file=file) from None
    return MemoryExport(parse_markdown(text, file=file)) if text.startswith(MARKER) else parse_export(text, file=file)


def is_memory_export(path: Path) -> bool:
    """Whether a file starts as an exported memory does; False for what is no readable file."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as stream:
            head = stream.read(_SNIFFED_BYTES).removeprefix(b"\xef\xbb\xbf")
    except OSError:
        return False
    return head.startswith(MARKER.encode()) or f'"{FORMAT}"'.encode() in head


def save_export(text: str, path: Path) -> None:
    """Write an export so that a kill leaves either the old file or the new one; only its owner may read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _without_forgotten(state: MemoryState, versions: Sequence[Version]) -> tuple[MemoryState, Sequence[Version]]:
    """Return state and log without what matches a tombstone; what the owner wrote since stays: it was said anew."""
    forgotten = state.document.forgotten
    if not forgotten:
        return state, versions
    bullets = tuple(
        _without_spans(bullet, forgotten)
        for bullet in state.document.bullets
        if bullet.author == "user" or not is_forgotten(bullet.text, forgotten)
    )
    held = tuple(held for held in state.held if not is_forgotten(held.text, forgotten))
    cleaned = replace(state, document=replace(state.document, bullets=bullets), held=held)
    return cleaned, [replace(v, reason="") if is_forgotten(v.reason, forgotten) else v for v in versions]


def _without_spans(bullet: Bullet, forgotten: Forgotten) -> Bullet:
    sources = tuple(replace(s, span="") if is_forgotten(s.span, forgotten) else s for s in bullet.sources)
    return bullet if sources == bullet.sources or bullet.author == "user" else replace(bullet, sources=sources)


def _check_head(raw: Any, file: str) -> dict[str, Any]:
    """Raises: DataFormatError: not an export, of a newer format, or its checksum is another."""
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        raise DataFormatError("this is no exported memory; make one with `personamem memory export`", file=file)
    version = raw.get("format_version")
    if version != FORMAT_VERSION:
        message = f"this export is of format {version!r}, and {FORMAT_VERSION} is read here"
        raise DataFormatError(f"{message}; update the toolkit", file=file, column="format_version")
    body = raw.get("memory")
    if not isinstance(body, dict):
        raise DataFormatError("the memory is missing; export it again", file=file, column="memory")
    if "checksum" in raw and raw["checksum"] != _checksum(body):
        message = "the file was changed since it was exported; get it again, or take the checksum line out to accept it"
        raise DataFormatError(message, file=file, column="checksum")
    return body


def _checksum(body: Any) -> str:
    text = json.dumps(body, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
