"""The files of an export: a JSON file, or the entries of a ZIP that hold chats.

Nothing is unpacked to the disk: an entry is read as a stream, so its name can lead nowhere. What a ZIP says of itself
is checked before it is believed, and what comes out of it is counted.
"""

from __future__ import annotations

import io
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, BinaryIO

from hub_toolkit.data.chat_exports.sessions import ExportLimits, Skipped
from hub_toolkit.errors import DataFormatError

if TYPE_CHECKING:
    from typing_extensions import Buffer

BUFFER_BYTES = 2**18
GET_AGAIN = "get the export again"

_RATIO_FREE_BYTES = 16 * 2**20
_CHATS = re.compile(r"conversations(?:[-_. ]?\d{1,6})?\.json(?:l)?", re.I)
_TEXT_SUFFIXES = (".json", ".jsonl", ".ndjson", ".txt", "")
_ARCHIVE_SUFFIXES = (".zip", ".gz", ".7z", ".rar", ".tar")
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_END, _END_BYTES = b"PK\x05\x06", 22
_LOCATOR, _LOCATOR_BYTES = b"PK\x06\x07", 20
_END_64, _END_64_BYTES = b"PK\x06\x06", 56
_MAX_COMMENT = 65_535
_LOCAL_HEADER_BYTES = 30
_SHOWN_NAMES, _SHOWN_CHARS = 6, 60


@dataclass(frozen=True)
class Entry:
    """A file that may hold chats. `place` names it in errors; `is_named_chats`: its name says that it holds them."""

    place: str
    is_named_chats: bool
    open: Callable[[], io.BufferedReader]


@dataclass
class Export:
    """What stands in the file that was given; `skipped` are entries that are never read, and why."""

    entries: list[Entry]
    is_archive: bool = False
    skipped: list[Skipped] = field(default_factory=list)
    contents: str = ""


@contextmanager
def open_export(path: Path, limits: ExportLimits) -> Iterator[Export]:
    """Open a JSON file or a ZIP; what it is, its first bytes say, not its name.

    Raises: DataFormatError: missing, no file, or a ZIP that is broken, encrypted or not what it says.
    """
    place = str(path)
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            kind = "a folder" if stat.S_ISDIR(mode) else "not a regular file"
            raise DataFormatError(f"this is {kind}; name the export's ZIP or its conversations.json", file=place)
        with path.open("rb") as stream:
            is_zip = stream.read(4) in (b"PK\x03\x04", _END)
        if not is_zip:
            meter = _Meter(limits)
            yield Export([Entry(place, True, lambda: _metered(path.open("rb"), place, meter))])
            return
        with path.open("rb") as stream:
            yield _open_zip(stream, place, limits)
    except FileNotFoundError:
        raise DataFormatError("the file does not exist; check the path", file=place) from None
    except OSError as error:
        raise DataFormatError(f"the file cannot be read ({error.strerror}); check it", file=place) from None


def show_name(name: str) -> str:
    """Return a file's name for a message: short, without control characters."""
    shown = "".join(char if char.isprintable() else "?" for char in name[: _SHOWN_CHARS + 1])
    return shown if len(shown) <= _SHOWN_CHARS else shown[:_SHOWN_CHARS] + "…"


def _open_zip(stream: BinaryIO, place: str, limits: ExportLimits) -> Export:
    _check_directory(stream, place, limits)
    try:
        archive = zipfile.ZipFile(stream)
    except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError, ValueError, struct.error):
        raise _damaged(place) from None
    infos = [info for info in archive.infolist() if not _is_litter(info)]
    _check_overlaps(archive, place)
    skipped, files = [], []
    for info in infos:
        reason = _refusal(info)
        if reason:
            skipped.append(Skipped(reason, f"{place}: {show_name(info.filename)}"))
        else:
            files.append(info)
    named = [info for info in files if _CHATS.fullmatch(PurePosixPath(info.filename).name)]
    # Beside its chats an archive holds what the user uploaded: a JSON file among that is not one of their chats.
    chosen = named or [info for info in files if PurePosixPath(info.filename).suffix.lower() in _TEXT_SUFFIXES]
    _check_chosen(chosen, place)
    meter = _Meter(limits)
    entries = [_zip_entry(archive, info, place, meter, is_named_chats=bool(named)) for info in chosen]
    return Export(entries, True, skipped, _list_names(infos))


def _zip_entry(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, place: str, meter: _Meter, *, is_named_chats: bool
) -> Entry:
    entry_place = f"{place}: {show_name(info.filename)}"

    def open_entry() -> io.BufferedReader:
        meter.allow_unpacked(info.compress_size)
        try:
            return _metered(archive.open(info), entry_place, meter)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, EOFError, struct.error):
            raise _damaged(entry_place) from None

    return Entry(entry_place, is_named_chats, open_entry)


def _refusal(info: zipfile.ZipInfo) -> str:
    """Return why an entry is never read, nothing where it may be."""
    parts = PurePosixPath(info.filename.replace("\\", "/")).parts
    if info.filename.startswith(("/", "\\")) or ".." in parts or (parts and parts[0].endswith(":")):
        return "its name leads out of the archive"
    if stat.S_ISLNK(info.external_attr >> 16):
        return "it is a link, not a file"
    return ""


def _is_litter(info: zipfile.ZipInfo) -> bool:
    """Whether an entry is a folder, or one that a Mac adds."""
    path = PurePosixPath(info.filename)
    return info.is_dir() or "__MACOSX" in path.parts or path.name.startswith("._")


def _check_directory(stream: BinaryIO, place: str, limits: ExportLimits) -> None:
    """Refuse a ZIP whose list of entries is larger than may be read, before it is read.

    Raises: DataFormatError: so large, or there is no such list.
    """
    size = stream.seek(0, io.SEEK_END)
    start = max(0, size - _MAX_COMMENT - _END_BYTES - _LOCATOR_BYTES)
    stream.seek(start)
    tail = stream.read()
    found = tail.rfind(_END)
    if found < 0 or len(tail) - found < _END_BYTES:
        raise DataFormatError(f"the ZIP has no end: it is cut off; {GET_AGAIN}", file=place)
    num_entries, directory_bytes = struct.unpack_from("<HI", tail, found + 10)
    locator = found - _LOCATOR_BYTES
    if locator >= 0 and tail.startswith(_LOCATOR, locator):
        (offset,) = struct.unpack_from("<Q", tail, locator + 8)
        if offset > size - _END_64_BYTES:
            raise _damaged(place)
        stream.seek(offset)
        end = stream.read(_END_64_BYTES)
        if not end.startswith(_END_64) or len(end) < _END_64_BYTES:
            raise _damaged(place)
        num_entries, directory_bytes = struct.unpack_from("<Q8xQ", end, 24)[0], struct.unpack_from("<Q", end, 40)[0]
    stream.seek(0)
    if num_entries > limits.archive_entries or directory_bytes > limits.directory_bytes:
        what = f"the ZIP lists {num_entries:,} entries in {directory_bytes / 2**20:.1f} MiB"
        message = f"{what}; {limits.archive_entries:,} and {limits.directory_bytes / 2**20:g} MiB are read"
        raise DataFormatError(f"{message}: unpack it and give conversations.json", file=place)


def _check_overlaps(archive: zipfile.ZipFile, place: str) -> None:
    """Raises: DataFormatError: entries share bytes with each other or with the list of them, as those of bombs do."""
    end = 0
    starts = [(info.header_offset, info.compress_size) for info in archive.infolist()]
    for start, size in [*sorted(starts), (archive.start_dir, 0)]:
        if start < end:
            raise DataFormatError(f"entries of the ZIP overlap: it is not a real export; {GET_AGAIN}", file=place)
        end = start + _LOCAL_HEADER_BYTES + size


def _check_chosen(infos: list[zipfile.ZipInfo], place: str) -> None:
    """Raises: DataFormatError: an entry is encrypted, packed in an unusual way, or there twice."""
    names = set()
    for info in infos:
        entry_place = f"{place}: {show_name(info.filename)}"
        if info.flag_bits & 1:
            raise DataFormatError("the entry is encrypted; unpack it and give conversations.json", file=entry_place)
        if info.compress_type not in _METHODS:
            raise DataFormatError(
                "packed in a way that is not read here; unpack it and give conversations.json", file=entry_place
            )
        if info.filename in names:
            raise DataFormatError(f"the ZIP holds two entries of this name; {GET_AGAIN}", file=entry_place)
        names.add(info.filename)


def _list_names(infos: list[zipfile.ZipInfo]) -> str:
    """Say what stands in an archive, for the error that no chats do."""
    if not infos:
        return "it is empty"
    names = ", ".join(show_name(info.filename) for info in infos[:_SHOWN_NAMES])
    more = f" and {len(infos) - _SHOWN_NAMES:,} more" if len(infos) > _SHOWN_NAMES else ""
    inner = next((info for info in infos if info.filename.lower().endswith(_ARCHIVE_SUFFIXES)), None)
    hint = "; archives inside are not opened: unpack it and give the inner one" if inner else ""
    return f"it holds {names}{more}{hint}"


def _damaged(place: str) -> DataFormatError:
    return DataFormatError(f"the ZIP is damaged; {GET_AGAIN}, or unpack it and give conversations.json", file=place)


class _Meter:
    """Counts what was read of a whole export, and says when it is more than a real one holds."""

    def __init__(self, limits: ExportLimits) -> None:
        self._limits = limits
        self._num_bytes = 0
        self._unpacked_bytes: int | None = None

    def allow_unpacked(self, packed_bytes: int) -> None:
        """Note that an entry of `packed_bytes` is opened: what comes out must stand in some proportion to them."""
        known = _RATIO_FREE_BYTES if self._unpacked_bytes is None else self._unpacked_bytes
        self._unpacked_bytes = known + packed_bytes * self._limits.ratio

    def add(self, num_bytes: int, place: str) -> None:
        """Raises: DataFormatError: too much was read."""
        self._num_bytes += num_bytes
        if self._unpacked_bytes is not None and self._num_bytes > self._unpacked_bytes:
            message = "it unpacks to far more than it measures in the ZIP: it is not a real export"
            raise DataFormatError(f"{message}; {GET_AGAIN}", file=place)
        if self._num_bytes > self._limits.total_bytes:
            message = f"more than {self._limits.total_bytes / 2**30:.3g} GiB of chats; split the export"
            raise DataFormatError(message, file=place)


class _Metered(io.RawIOBase):
    """A stream that is counted, and says where a broken one broke."""

    def __init__(self, stream: IO[bytes], place: str, meter: _Meter) -> None:
        self._stream, self._place, self._meter = stream, place, meter

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        view = memoryview(buffer)
        try:
            data = self._stream.read(len(view))
        except (zipfile.BadZipFile, zlib.error, EOFError):
            raise _damaged(self._place) from None
        view[: len(data)] = data
        self._meter.add(len(data), self._place)
        return len(data)

    def close(self) -> None:
        self._stream.close()
        super().close()


def _metered(stream: IO[bytes], place: str, meter: _Meter) -> io.BufferedReader:
    return io.BufferedReader(_Metered(stream, place, meter), BUFFER_BYTES)
