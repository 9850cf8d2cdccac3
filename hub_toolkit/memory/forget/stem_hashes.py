"""Hashes of stems without a salt: overruled words, and tombstones as format version 1 had them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import lru_cache

from hub_toolkit.data.terms import content_stems


@lru_cache(maxsize=65536)
def _hash_stem(stem: str) -> str:
    return hashlib.sha256(f"personamem:{stem}".encode("utf-8", "surrogatepass")).hexdigest()[:16]


def hash_stems(stems: Iterable[str]) -> tuple[str, ...]:
    """Return stems as format version 1 kept them: they can be recognised but not read."""
    return tuple(sorted({_hash_stem(stem) for stem in stems}))


def concerns_stems(text: str, hashes: Sequence[str]) -> bool:
    """Whether a text has two of the words, or the only one."""
    shared = len({_hash_stem(stem) for stem in content_stems(text)}.intersection(hashes))
    return shared >= min(2, len(hashes)) and shared > 0
