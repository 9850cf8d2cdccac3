"""Short texts of strangers, as they may be shown anywhere: no markup, nothing that cannot be seen, no odd addresses."""

from __future__ import annotations

import re
import unicodedata
from itertools import groupby
from typing import Any
from urllib.parse import urlsplit

from hub_toolkit.errors import SubmissionError

MAX_MARKS = 4
"""Combining marks on one letter; more of them run over the lines above and below."""

_MARKUP = re.compile(r"<\s*[A-Za-z!/?]|&#|javascript:|data:text", re.I)
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")
_URL = re.compile(r"https://[^\s\"'<>`\\{}|^]+")
_HOST = re.compile(r"(?:[\w-]{1,63}\.)+[^\W\d_][\w-]{1,62}")
_OWN_NETWORK = (".localhost", ".local", ".internal", ".lan", ".home")


def clean_line(name: str, value: Any, file: str, *, max_chars: int = 120) -> str:
    """Return a short text that is safe to show anywhere.

    Raises: SubmissionError: no text, too long, or it holds markup or characters that cannot be seen.
    """
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise SubmissionError(f"{file}: {name} is no text; write it as one line, in quotes")
    text = " ".join(str(value).split())
    if not text or len(text) > max_chars:
        raise SubmissionError(f"{file}: {name} has {len(text)} characters; 1 to {max_chars} are allowed")
    if _MARKUP.search(text) or any(map(is_invisible, text)) or _is_piled_up(text):
        raise SubmissionError(f"{file}: {name} holds markup or invisible characters; write plain text")
    return text


def is_invisible(char: str) -> bool:
    """Whether nothing is drawn for a character, or it turns the text around it."""
    return unicodedata.category(char) in _INVISIBLE or char in _BLANK


def _is_piled_up(text: str) -> bool:
    runs = groupby(text, key=lambda char: unicodedata.combining(char) > 0)
    return any(is_mark and len(list(run)) > MAX_MARKS for is_mark, run in runs)


def clean_url(name: str, value: Any, file: str) -> str:
    """Return a public https address, which is shown as a link and never fetched.

    Raises: SubmissionError: it is none: another scheme, an account, an address in numbers or of one's own network.
    """
    text = clean_line(name, value, file, max_chars=300)
    if not _is_public(text):
        raise SubmissionError(
            f"{file}: {name} is no https address of a public host; it is shown as a link and never fetched"
        )
    return text


def _is_public(text: str) -> bool:
    try:
        parts = urlsplit(text)
        host, _ = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:  # a broken port or IPv6 address
        return False
    # A name ends in letters: what ends in a number is an address, however it is written.
    is_named = _HOST.fullmatch(host) is not None and not f".{host}".endswith(_OWN_NETWORK)
    return _URL.fullmatch(text) is not None and is_named and "@" not in parts.netloc
