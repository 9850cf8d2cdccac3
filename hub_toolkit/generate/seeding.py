"""Randomness that is the same in every process: one generator a purpose, named by what it is for."""

from __future__ import annotations

import hashlib
import random


def rng_for(seed: int, *purpose: object) -> random.Random:
    """Return the generator of one purpose; two purposes never share a stream."""
    name = ":".join(str(part) for part in (seed, *purpose))
    return random.Random(int.from_bytes(hashlib.sha256(name.encode()).digest()[:16], "big"))
