"""Who calls: bearer tokens, each of one owner."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path

from hub_toolkit.errors import DataFormatError

MIN_TOKEN_CHARS = 20
MAX_TOKEN_CHARS = 512
_EXPOSED = stat.S_IRWXG | stat.S_IRWXO


class Accounts:
    """Tokens and their owners; only hashes of the tokens are kept."""

    def __init__(self, tokens: Mapping[str, str]) -> None:
        self._owners = [(_digest(token), owner) for token, owner in tokens.items()]

    def owner(self, token: str) -> str | None:
        """Return whose token this is, None where it is nobody's; takes as long for each."""
        digest, found = _digest(token[:MAX_TOKEN_CHARS]), None
        for known, owner in self._owners:
            if hmac.compare_digest(known, digest):
                found = owner
        return found


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def make_token() -> str:
    """Return a new token."""
    return secrets.token_urlsafe(32)


def load_accounts(path: Path) -> Accounts:
    """Read a file of tokens: a token, a space and the owner's name a line; `#` begins a comment.

    Raises: DataFormatError: unreadable, open to others, a line without an owner, a token too short or given twice.
    """
    try:
        mode = path.stat().st_mode
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise DataFormatError(f"the tokens cannot be read ({reason}); check the path", file=str(path)) from error
    if mode & _EXPOSED:
        raise DataFormatError("others may read or write the tokens; run `chmod 600` on it", file=str(path))
    tokens: dict[str, str] = {}
    for row, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        token, _, owner = line.strip().partition(" ")
        if not owner.strip():
            raise DataFormatError("no owner; write a token, a space and a name", file=str(path), row=row)
        if not MIN_TOKEN_CHARS <= len(token) <= MAX_TOKEN_CHARS:
            message = f"the token has {len(token)} characters, {MIN_TOKEN_CHARS} to {MAX_TOKEN_CHARS} are needed"
            raise DataFormatError(f"{message}; make one with `openssl rand -hex 32`", file=str(path), row=row)
        if token in tokens:
            raise DataFormatError("the token stands there twice; give each owner their own", file=str(path), row=row)
        tokens[token] = owner.strip()
    if not tokens:
        raise DataFormatError("there is no token; write a token, a space and a name", file=str(path))
    return Accounts(tokens)
