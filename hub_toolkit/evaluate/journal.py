"""What was answered so far, one checksummed line each: the file that a kill -9 cannot spoil."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hub_toolkit.errors import DataFormatError

_CHECKSUM_LENGTH = 16
GROUP_S = 0.05
"""How long an entry that nobody waits for may wait for others, so that one sync serves them all."""


def encode_json(value: Any, *, indent: int | None = None) -> bytes:
    """Return JSON as UTF-8; a lone surrogate, which UTF-8 cannot hold, becomes its JSON escape."""
    return json.dumps(value, ensure_ascii=False, indent=indent).encode("utf-8", "backslashreplace")


def write_atomically(path: Path, content: bytes | Iterable[bytes]) -> None:
    """Write a file, whole or piece by piece, so that a kill leaves either the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as out:
            out.writelines([content] if isinstance(content, bytes) else content)
            out.flush()
            os.fsync(out.fileno())
    except OSError as error:
        error.filename = error.filename or str(path)  # a full disk does not say where
        raise
    part.replace(path)


@contextmanager
def lock_run(folder: Path) -> Iterator[None]:
    """Hold the run's folder; the lock goes with the process, however it ends.

    Raises: DataFormatError: another process holds it, or the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise DataFormatError(f"cannot write the run's folder: {error.strerror}", file=str(folder)) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise DataFormatError(
            "another process is writing this run (.lock is held); wait for it or name another folder", file=str(folder)
        ) from error
    try:
        yield
    finally:
        os.close(handle)


class Journal:
    """An append-only file of JSON objects.

    A line that was appended survives the process. `is_durable`: after `commit`, or once its `on_kept` is called, it
    survives a power cut too, so that no paid answer is lost. A sync that failed is raised by all that comes after it.
    """

    def __init__(self, path: Path, *, is_durable: bool) -> None:
        self.path = path
        self.is_durable = is_durable
        self.entries, valid_bytes = _read(path)
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.ftruncate(self._handle, valid_bytes)
        self._num_appended = self._num_synced = 0
        self._sync: asyncio.Task[None] | None = None
        self._waiting: list[Callable[[], None]] = []
        self._failure: OSError | None = None

    def append(self, entry: dict[str, Any], *, on_kept: Callable[[], None] | None = None) -> None:
        """Write one entry behind the others; `on_kept` is called soon, when it is on the disk.

        Raises: OSError: it cannot be written, or what was written before cannot be brought to the disk.
        """
        if self._failure is not None:
            raise self._failure
        left = memoryview(_encode(entry))
        while left:
            left = left[os.write(self._handle, left) :]
        self.entries.append(entry)
        self._num_appended += 1
        if on_kept is None:
            return
        if not self.is_durable:
            on_kept()
            return
        self._waiting.append(on_kept)
        if self._sync is None:
            self._sync = asyncio.create_task(self._sync_once(GROUP_S))

    async def commit(self) -> None:
        """Return when all that was appended is on the disk; whoever waits at the same time shares one sync."""
        wanted = self._num_appended
        while self.is_durable and self._num_synced < wanted:
            if self._failure is not None:
                raise self._failure
            if self._sync is None:
                self._sync = asyncio.create_task(self._sync_once(0))
            await asyncio.shield(self._sync)

    async def _sync_once(self, delay_s: float) -> None:
        if delay_s:
            await asyncio.sleep(delay_s)
        num, waiting, self._waiting = self._num_appended, self._waiting, []
        try:
            await asyncio.to_thread(os.fsync, self._handle)
        except OSError as error:
            self._failure, self._sync = error, None
            return
        self._num_synced = num
        self._sync = asyncio.create_task(self._sync_once(GROUP_S)) if self._waiting else None
        for on_kept in waiting:
            on_kept()

    async def finish(self) -> None:
        """Close the file after the syncs that are under way."""
        while self._sync is not None and not self._sync.done():
            await asyncio.wait([self._sync])
        self.close()

    def rewrite(self, entries: Iterable[dict[str, Any]]) -> None:
        """Replace everything at once; the journal is closed then."""
        self.close()
        self.entries = list(entries)
        write_atomically(self.path, b"".join(_encode(entry) for entry in self.entries))

    def close(self) -> None:
        """Close the file; closing twice is fine."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


def _encode(entry: dict[str, Any]) -> bytes:
    body = encode_json(entry)
    return _checksum(body) + b" " + body + b"\n"


def _checksum(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest()[:_CHECKSUM_LENGTH].encode()


def _read(path: Path) -> tuple[list[dict[str, Any]], int]:
    """Return the entries and how many bytes they take; a torn last line is dropped.

    Raises: DataFormatError: a line before the last one is damaged, which no kill does.
    """
    if not path.exists():
        return [], 0
    lines = path.read_bytes().split(b"\n")
    entries: list[dict[str, Any]] = []
    valid_bytes = 0
    for number, line in enumerate(lines, start=1):
        checksum, _, body = line.partition(b" ")
        is_whole = number < len(lines) and checksum == _checksum(body)
        if is_whole:
            entries.append(json.loads(body))
            valid_bytes += len(line) + 1
        elif any(lines[number:]):
            raise DataFormatError(
                f"line {number} is damaged; restore the file, or start a new run in another folder", file=str(path)
            )
        else:
            break
    return entries, valid_bytes
