"""The maintainer's key: a file that only its owner can read, or a passphrase; what is derived from it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import secrets
import stat
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from hub_toolkit.errors import DataFormatError

KEY_BYTES = 32
SALT_BYTES = 16
_HEAD = "personamem-holdout-key-1"
_SCRYPT = {"n": 2**15, "r": 8, "p": 1, "maxmem": 64 * 2**20}
"""Source: RFC 7914 with the cost that OWASP recommends for stored passphrases (32 MiB)."""


@dataclass(frozen=True)
class MasterKey:
    """A secret and its origin; everything else is derived from it, each for one purpose."""

    secret: bytes = field(repr=False)
    is_passphrase: bool = False

    def derive(self, purpose: str, salt: bytes = b"", *, num_bytes: int = KEY_BYTES) -> bytes:
        """Return a key of one purpose; a passphrase is stretched with the salt first."""
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        secret = self.secret
        if self.is_passphrase:
            secret = hashlib.scrypt(secret, salt=salt, dklen=KEY_BYTES, **_SCRYPT)
        return HKDF(hashes.SHA256(), num_bytes, salt or None, f"personamem-holdout:{purpose}".encode()).derive(secret)


def make_key(path: Path) -> MasterKey:
    """Write a new key into a file with mode 0600; one that is there is never overwritten.

    Raises: DataFormatError: the file is there already.
    """
    secret = secrets.token_bytes(KEY_BYTES)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise DataFormatError("is there already; a key is never overwritten", file=str(path)) from None
    with os.fdopen(handle, "w") as out:
        out.write(f"{_HEAD} {base64.urlsafe_b64encode(secret).decode()}\n")
        out.flush()
        os.fsync(out.fileno())
    return MasterKey(secret)


def load_key(path: Path) -> MasterKey:
    """Read a key file.

    Raises: DataFormatError: it holds no key, or others may read it.
    """
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise DataFormatError(f"others may read this key; run `chmod 600 {path}`", file=str(path))
    head, _, text = path.read_text("utf-8", "replace").strip().partition(" ")
    try:
        secret = base64.urlsafe_b64decode(text) if head == _HEAD else b""
    except (binascii.Error, ValueError):
        secret = b""
    if len(secret) != KEY_BYTES:
        raise DataFormatError("holds no key; name the file that `generate holdout key` wrote", file=str(path))
    return MasterKey(secret)


def derive_guid(key: bytes, name: str) -> UUID:
    """Return the GUID of a name: the same for the same key, and not to be guessed without it."""
    return UUID(bytes=hmac.digest(key, name.encode("utf-8", "surrogatepass"), "sha256")[:16], version=4)
