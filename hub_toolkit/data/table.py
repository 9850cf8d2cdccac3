"""CSV files read record by record, in bounded memory, without stopping at a bad one."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from hub_toolkit.errors import DataFormatError

MAX_RECORD_BYTES = 16 * 2**20
"""Longest record. Published rows stay below 1 MiB as text; images inside a question need the rest."""

_DISCARD_BYTES = 2**20
_BLOCK_BYTES = 2**20
_BOM = b"\xef\xbb\xbf"
# A record ends at the first line end at which its quotation marks are even in number.
_RECORD = re.compile(rb'(?:[^"\n]++|"[^"]*+")*+\n')


@dataclass(frozen=True)
class Record:
    """One record. `row` 0 is the header. Bytes that are not UTF-8 are kept as lone surrogates.

    `offset` and `size_bytes` say where the record stands in its file, its line end included.
    """

    row: int
    cells: list[str]
    offset: int = field(default=0, compare=False)
    size_bytes: int = field(default=0, compare=False)


def iter_records(stream: BinaryIO, *, file: str) -> Iterator[Record | DataFormatError]:
    """Yield every record, or the error in its place; blank lines are skipped."""
    if stream.read(len(_BOM)) != _BOM:
        stream.seek(0)
    for row, (offset, raw) in enumerate(_iter_raw(stream)):
        yield _too_long(file, row) if raw is None else _parse_record(raw, offset, file=file, row=row)


def read_record(stream: BinaryIO, *, offset: int, row: int, file: str) -> Record:
    """Read the one record that begins at `offset`, where `iter_records` has found it.

    Raises: DataFormatError: no whole record begins there, because the file has changed.
    """
    stream.seek(offset)
    raw = _read_record(stream)
    record = _parse_record(raw, offset, file=file, row=row) if raw else None
    if not isinstance(record, Record):
        raise record or DataFormatError("the file changed while it was read; run it again", file=file, row=row)
    return record


def _iter_raw(stream: BinaryIO) -> Iterator[tuple[int, bytes | None]]:
    """Yield where each record begins and its bytes, None where it is too long; blank lines are skipped."""
    offset = stream.tell()
    block = stream.read(_BLOCK_BYTES)
    start = 0
    while True:
        found = _RECORD.match(block, start)
        if found is None:
            # Cut by the block's end, or longer than a block: read from where it begins, and a new block after it.
            stream.seek(offset)
            raw = _read_record(stream)
            end = stream.tell()
            block, start = stream.read(_BLOCK_BYTES), 0
        else:
            raw, start = found.group(), found.end()
            end = offset + len(raw)
        if raw == b"":
            return
        if raw is None or raw.strip():
            yield offset, raw
        offset = end


def _read_record(stream: BinaryIO) -> bytes | None:
    """Return the next record's bytes, empty at the end of the file, None (and skip it) where it is too long.

    A record ends at the first line end at which its quotation marks are even in number.
    """
    lines: list[bytes] = []
    size_bytes = num_quotes = 0
    while True:
        line = stream.readline(min(_DISCARD_BYTES, MAX_RECORD_BYTES + 1))
        size_bytes += len(line)
        num_quotes += line.count(b'"')
        if size_bytes <= MAX_RECORD_BYTES:
            lines.append(line)
        else:
            lines.clear()
        if not line or (line.endswith(b"\n") and num_quotes % 2 == 0):
            return b"".join(lines) if size_bytes <= MAX_RECORD_BYTES else None


def _too_long(file: str, row: int) -> DataFormatError:
    limit = f"{MAX_RECORD_BYTES // 2**20} MiB"
    return DataFormatError(
        f"the record is longer than {limit} and was skipped; shorten its cells, or close an open quotation mark",
        file=file,
        row=row or None,
    )


def _parse_record(raw: bytes, offset: int, *, file: str, row: int) -> Record | DataFormatError:
    if csv.field_size_limit() < MAX_RECORD_BYTES:  # the module's limit is the process's; raise it, never lower it
        csv.field_size_limit(MAX_RECORD_BYTES)
    text = raw.decode("utf-8", errors="surrogateescape")
    try:
        return Record(row, next(csv.reader([text], strict=True)), offset, len(raw))
    except (csv.Error, StopIteration) as error:
        message = f"broken CSV ({error}); write the file with a CSV library"
        return DataFormatError(message, file=file, row=row or None)
