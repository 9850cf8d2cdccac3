"""Vectors of texts for memory systems that compare by meaning: hashed words, which need no model."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from hub_toolkit.data.terms import content_stems
from hub_toolkit.errors import ProviderError
from hub_toolkit.models import minilm

EMBEDDERS = ("hash", "minilm")


class Embedder(Protocol):
    """Turns texts into vectors of length 1. `name` goes into the RunRecord."""

    @property
    def name(self) -> str: ...

    @property
    def num_dimensions(self) -> int: ...

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return a vector a text."""
        ...


class HashEmbedder:
    """Stemmed words, hashed into so many dimensions: what shares no word is (nearly) at right angles.

    A text without such words gets a fixed vector, since stores cannot compare by angle with nothing.
    """

    def __init__(self, num_dimensions: int = 1024) -> None:
        self._num_dimensions = num_dimensions

    @property
    def name(self) -> str:
        return f"hash-{self._num_dimensions}"

    @property
    def num_dimensions(self) -> int:
        return self._num_dimensions

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        return [self._embed_one(text) for text in texts]

    def _embed_one(self, text: str) -> list[float]:
        vector = [0.0] * self._num_dimensions
        for stem, count in Counter(content_stems(text)).items():
            digest = hashlib.sha256(stem.encode()).digest()
            place = int.from_bytes(digest[:8], "big") % self._num_dimensions
            vector[place] += (1 + math.log(count)) * (1 if digest[8] % 2 else -1)
        length = math.sqrt(sum(value * value for value in vector))
        if not length:
            return [1.0, *vector[1:]]
        return [value / length for value in vector]


def load_embedder(name: str) -> Embedder:
    """Return an embedder by its name, of `EMBEDDERS`.

    Raises: ProviderError: it is not installed.
    """
    if name == "minilm":
        if not minilm.is_installed():
            raise ProviderError(f"embeddings by minilm: run `{minilm.INSTALL_HINT}`", kind="missing")
        return minilm.MiniLmEmbedder()
    return HashEmbedder()
