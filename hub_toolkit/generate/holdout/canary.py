"""Canary strings: a line with two GUIDs in every file of a held-out dataset, by which a leak is recognised.

The first GUID is the dataset's, and public; the second is the file's, and says which one leaked.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

from hub_toolkit.generate.holdout.keys import derive_guid

MARK = "PERSONAMEM HELD-OUT DATA, NOT FOR TRAINING. canary GUID"
COLUMN = "canary"
_CHUNK_BYTES = 1 << 20
_OVERLAP_BYTES = 512
_GUID = rb"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}"
_MARKED = re.compile(rb"held-out\W+data\W+not\W+for\W+training\W+canary\W+guid\W+(" + _GUID + rb")\W+(" + _GUID + rb")")
_ANY_GUID = re.compile(_GUID)


@dataclass(frozen=True)
class Canary:
    """Marks the files of one dataset; `key` derives their GUIDs."""

    dataset: UUID
    key: bytes

    @classmethod
    def of(cls, key: bytes) -> Canary:
        """Return the canary of a derived key."""
        return cls(derive_guid(key, "dataset"), key)

    def guid(self, path: str) -> UUID:
        """Return a file's own GUID."""
        return derive_guid(self.key, f"file:{path}")

    def line(self, path: str) -> str:
        """Return the line that stands in a file."""
        return f"{MARK} {self.dataset} {self.guid(path)}"

    def mark(self, path: str, content: bytes) -> bytes:
        """Return a file of a dataset with its line in it, where no reader takes it for the user's words.

        Histories carry it in their system message, which readers drop, and in their metadata; tables in a column.
        """
        line = self.line(path)
        if path.endswith(".csv"):
            return _mark_rows(content, line)
        if not path.endswith(".json"):
            return content.rstrip(b"\n") + f"\n\n{line}\n".encode()
        value = json.loads(content)
        if isinstance(value, dict) and isinstance(value.get("chat_history"), list):
            value["chat_history"] = _mark_messages(value["chat_history"], line)
            value["metadata"] = {**(value.get("metadata") or {}), COLUMN: line}
        elif isinstance(value, dict):
            value[COLUMN] = line
        return (json.dumps(value, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")


def _mark_messages(messages: list[dict[str, Any]], line: str) -> list[dict[str, Any]]:
    first = messages[0] if messages else {}
    if first.get("role") == "system" and isinstance(first.get("content"), str):
        return [{**first, "content": f"{first['content']}\n\n{line}"}, *messages[1:]]
    return [{"role": "system", "content": line}, *messages]


def _mark_rows(content: bytes, line: str) -> bytes:
    rows = csv.DictReader(io.StringIO(content.decode("utf-8"), newline=""))
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, [*(rows.fieldnames or ()), COLUMN], lineterminator="\n")
    writer.writeheader()
    writer.writerows({**row, COLUMN: line} for row in rows)
    return out.getvalue().encode("utf-8")


@dataclass(frozen=True)
class Leak:
    """A canary that was found: its dataset, the file's GUID where the whole line stood there, and where."""

    dataset: UUID
    file: UUID | None
    place: str


def find_canaries(stream: BinaryIO, place: str, known: Iterable[UUID] = ()) -> list[Leak]:
    """Return every different canary in a text of any size: whole lines, and known GUIDs with or without hyphens."""
    wanted = {guid.hex for guid in known}
    found: dict[tuple[UUID, UUID | None], Leak] = {}
    for chunk in _chunks(stream):
        for match in _MARKED.finditer(chunk):
            dataset, file = (UUID(part.decode()) for part in match.groups())
            found.setdefault((dataset, file), Leak(dataset, file, place))
        for match in _ANY_GUID.finditer(chunk) if wanted else ():
            guid = UUID(match.group().decode())
            if guid.hex in wanted and not any(guid in key for key in found):
                found.setdefault((guid, None), Leak(guid, None, place))
    return list(found.values())


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    """Yield the text in lower case, in parts that overlap, so that no line falls between two."""
    rest = b""
    while part := stream.read(_CHUNK_BYTES):
        whole = rest + part.lower()
        yield whole
        rest = whole[-_OVERLAP_BYTES:]


def search_paths(path: Path, known: Iterable[UUID] = ()) -> list[Leak]:
    """Search a file, or every file in a folder."""
    wanted = tuple(known)
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    leaks: list[Leak] = []
    for file in files:
        with file.open("rb") as stream:
            leaks += find_canaries(stream, str(file), wanted)
    return leaks
