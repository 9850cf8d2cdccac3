"""Messages as JSON, and a request's hash, without encoding a long history again for every question about it.

Questions about one history begin with the same `Message` objects. What all messages but the last encode to is kept
with its sha256 as far as it is, so that the next question costs its own bytes and one copy.
"""

from __future__ import annotations

import hashlib
import json
import operator
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from hub_toolkit.models.base import GenerateConfig
from hub_toolkit.types import Message

if TYPE_CHECKING:
    from hashlib import _Hash

_to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_NUM_KEPT = 16
"""Beginnings that are kept: more than the personas on which an endpoint's connections work at once."""


@dataclass(frozen=True)
class _Beginning:
    """All messages of a prompt but the last; `json` has a comma behind each."""

    messages: tuple[Message, ...]
    json: bytes
    digest: _Hash
    is_unicode: bool


class MessageEncoder:
    """Encodes the messages of many requests."""

    def __init__(self, num_kept: int = _NUM_KEPT) -> None:
        self._num_kept = num_kept
        self._kept: OrderedDict[int, _Beginning] = OrderedDict()
        self._lock = threading.Lock()

    def encode(self, messages: Sequence[Message]) -> bytes:
        """Return the messages as a JSON array. Raises: UnicodeEncodeError: half a surrogate pair stands in one."""
        beginning = self._begin(messages)
        if not beginning.is_unicode:
            "".join(message.text for message in beginning.messages).encode()
        return b"".join((b"[", beginning.json, *(_encode(message, "strict") for message in messages[-1:]), b"]"))

    def hash_request(self, model: str, messages: Sequence[Message], config: GenerateConfig) -> str:
        """Return the sha256 of everything that a reply depends on, in hexadecimal."""
        digest = self._begin(messages).digest.copy()
        for message in messages[-1:]:
            digest.update(_encode(message, "surrogatepass"))
        digest.update(_encode_settings(model, config))
        return digest.hexdigest()

    def _begin(self, messages: Sequence[Message]) -> _Beginning:
        first = messages[:-1]
        if not first:
            return _NOTHING
        with self._lock:
            return self._find(first)

    def _find(self, first: Sequence[Message]) -> _Beginning:
        key = id(first[0])
        kept = self._kept.get(key)
        # Identity, not equality: to compare long texts would cost as much as to encode them.
        if kept is None or len(kept.messages) != len(first) or not all(map(operator.is_, kept.messages, first)):
            raw = b"".join(_encode(message, "surrogatepass") + b"," for message in first)
            kept = _Beginning(tuple(first), raw, hashlib.sha256(raw), _is_unicode(raw))
            self._kept[key] = kept
            if len(self._kept) > self._num_kept:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return kept


def _encode(message: Message, errors: str) -> bytes:
    return _to_json(message.as_dict()).encode("utf-8", errors)


@lru_cache(maxsize=64)
def _encode_settings(model: str, config: GenerateConfig) -> bytes:
    return json.dumps([model, astuple(config)]).encode()


def _is_unicode(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


_NOTHING = _Beginning((), b"", hashlib.sha256(), is_unicode=True)
ENCODER = MessageEncoder()
"""What is encoded for the log of requests is not encoded again for the endpoint."""
