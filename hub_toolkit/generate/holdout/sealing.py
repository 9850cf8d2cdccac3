"""A dataset in one encrypted file: a ZIP whose entries are AES-256-GCM boxes, with a readable head.

`holdout.json` is the head: format, salt, public canary, and a tag that tells a wrong key from a changed file. Entry
`00000` and following are the files, compressed and sealed with their place as associated data; `manifest` seals their
names together with the head, so that nothing can be taken out, put in or exchanged.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import UUID

from hub_toolkit.errors import DataFormatError
from hub_toolkit.generate.holdout.canary import Canary
from hub_toolkit.generate.holdout.keys import SALT_BYTES, MasterKey

FORMAT = 1
HEAD_FILE = "holdout.json"
MANIFEST = "manifest"
_NONCE_BYTES = 12
_TAG_BYTES = 16
_LEVEL = 6
File = tuple[str, bytes]


@dataclass(frozen=True)
class SealedHead:
    """What everybody may read of a sealed dataset."""

    salt: bytes
    key_tag: bytes
    dataset: UUID
    is_passphrase: bool
    raw: bytes


def seal_files(files: Iterable[File], out: Path, key: MasterKey, *, canary_name: str) -> tuple[int, UUID]:
    """Seal files as they come, each marked with its canary; return how many, and the dataset's public GUID.

    Plain text is in memory only, one file at a time. `canary_name` tells datasets of one key apart.
    Raises: DataFormatError: `out` is there already.
    """
    if out.exists():
        raise DataFormatError("is there already; name a new file", file=str(out))
    out.parent.mkdir(parents=True, exist_ok=True)
    salt = secrets.token_bytes(SALT_BYTES)
    canary = Canary.of(key.derive(f"canary:{canary_name}", salt))
    head = _encode_head(key, salt, canary)
    box = _Box(key.derive("seal", salt), salt)
    names: list[str] = []
    part = out.with_name(out.name + ".part")
    with part.open("wb") as stream, zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(_entry(HEAD_FILE), head)
        for path, content in files:
            place = f"{len(names):05}"
            archive.writestr(_entry(place), box.seal(canary.mark(path, content), place.encode()))
            names.append(path)
        facts = {"files": names, "canary_name": canary_name}
        archive.writestr(_entry(MANIFEST), box.seal(json.dumps(facts).encode(), head))
        archive.close()
        stream.flush()
        os.fsync(stream.fileno())
    part.replace(out)
    return len(names), canary.dataset


def read_head(path: Path) -> SealedHead:
    """Read what is public of a sealed dataset.

    Raises: DataFormatError: no sealed dataset, or one that is cut.
    """
    with _archive(path) as archive:
        return _read_head(path, archive)


@contextmanager
def open_sealed(path: Path, key: MasterKey) -> Iterator[SealedDataset]:
    """Open a sealed dataset to read its files in memory, one after the other.

    Raises: DataFormatError: no sealed dataset, a cut or changed one, or one of another key.
    """
    with _archive(path) as archive:
        head = _read_head(path, archive)
        if head.is_passphrase != key.is_passphrase:
            wanted = "a passphrase (PERSONAMEM_HOLDOUT_PASSPHRASE)" if head.is_passphrase else "a key file (--key)"
            raise DataFormatError(f"was sealed with {wanted}; give that", file=str(path))
        if not hmac.compare_digest(key.derive("tag", head.salt, num_bytes=_TAG_BYTES), head.key_tag):
            raise DataFormatError("was sealed with another key; give the one it was made with", file=str(path))
        box = _Box(key.derive("seal", head.salt), head.salt)
        facts = json.loads(_open(path, archive, box, MANIFEST, head.raw))
        names = {HEAD_FILE, MANIFEST, *(f"{place:05}" for place in range(len(facts["files"])))}
        if names != set(archive.namelist()):
            raise _changed(path)
        canary = Canary.of(key.derive(f"canary:{facts['canary_name']}", head.salt))
        yield SealedDataset(path, canary, tuple(facts["files"]), archive, box)


@dataclass(frozen=True)
class SealedDataset:
    """An open sealed dataset; `names` are its files, in the order of their entries."""

    path: Path
    canary: Canary
    names: tuple[str, ...]
    archive: zipfile.ZipFile
    box: _Box

    def read(self) -> Iterator[File]:
        """Yield every file, in plain, checked.

        Raises: DataFormatError: it was changed.
        """
        for number, name in enumerate(self.names):
            place = f"{number:05}"
            yield name, _open(self.path, self.archive, self.box, place, place.encode())

    def unseal(self, folder: Path, *, on_file: Callable[[str], None] | None = None) -> int:
        """Write all files into a new folder that only its owner can read; return how many.

        Raises: DataFormatError: the folder is there, the dataset was changed, or a name leaves the folder.
        """
        try:
            folder.mkdir(mode=0o700, parents=True)
        except FileExistsError:
            raise DataFormatError("is there already; name a new folder", file=str(folder)) from None
        for name, content in self.read():
            target = folder / PurePosixPath(name)
            if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
                raise _changed(self.path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            if on_file:
                on_file(name)
        return len(self.names)


class _Box:
    """Seals and opens under one key; every box has a nonce of its own."""

    def __init__(self, key: bytes, salt: bytes) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._cipher, self._salt = AESGCM(key), salt

    def seal(self, content: bytes, place: bytes) -> bytes:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, zlib.compress(content, _LEVEL), self._salt + place)

    def open(self, sealed: bytes, place: bytes) -> bytes:
        plain = self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], self._salt + place)
        return zlib.decompress(plain)


def _entry(name: str) -> zipfile.ZipInfo:
    """Return an entry without a date, which would tell when it was made."""
    return zipfile.ZipInfo(name)


def _encode_head(key: MasterKey, salt: bytes, canary: Canary) -> bytes:
    head = {
        "format": FORMAT,
        "what": "a sealed PersonaMem dataset: held out, not for training",
        "canary": f"{canary.dataset}",
        "key": "passphrase" if key.is_passphrase else "file",
        "salt": salt.hex(),
        "tag": key.derive("tag", salt, num_bytes=_TAG_BYTES).hex(),
    }
    return json.dumps(head, indent=1).encode() + b"\n"


def _read_head(path: Path, archive: zipfile.ZipFile) -> SealedHead:
    try:
        raw = archive.read(HEAD_FILE)
        head: dict[str, Any] = json.loads(raw)
        if head["format"] != FORMAT:
            raise DataFormatError(f"has format {head['format']}; this version opens {FORMAT}", file=str(path))
        salt, tag = bytes.fromhex(head["salt"]), bytes.fromhex(head["tag"])
        return SealedHead(salt, tag, UUID(head["canary"]), head["key"] == "passphrase", raw)
    except (KeyError, ValueError, TypeError, AttributeError, zipfile.BadZipFile, zlib.error) as error:
        raise _changed(path) from error


@contextmanager
def _archive(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise DataFormatError("is no sealed dataset, or is cut; fetch it again", file=str(path)) from error
    with archive:
        yield archive


def _open(path: Path, archive: zipfile.ZipFile, box: _Box, name: str, place: bytes) -> bytes:
    from cryptography.exceptions import InvalidTag

    try:
        return box.open(archive.read(name), place)
    except (InvalidTag, KeyError, ValueError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise _changed(path) from error


def _changed(path: Path) -> DataFormatError:
    return DataFormatError("was changed since it was sealed; fetch it again", file=str(path))
