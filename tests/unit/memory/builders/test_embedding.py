"""Hashed words as vectors."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pytest

from hub_toolkit.memory.builders.embedding import HashEmbedder
from hub_toolkit.models import minilm
from tests.conftest import require_extra


def cosine(a: list[float], b: list[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


def test_vectors_have_length_one_and_the_size_promised() -> None:
    embedder = HashEmbedder(64)
    vectors = embedder.embed(["rows on the lake", "", "?!"])
    assert all(len(vector) == 64 for vector in vectors)
    assert [math.hypot(*vector) for vector in vectors] == pytest.approx([1, 1, 1])


def test_shared_words_bring_texts_together() -> None:
    query, near, far = HashEmbedder().embed(["rowing on a lake", "the user rows across the lake", "bakes rye bread"])
    assert cosine(query, near) > 0.7
    assert abs(cosine(query, far)) < 0.1


def test_vectors_are_the_same_in_another_process() -> None:
    code = "from hub_toolkit.memory.builders.embedding import HashEmbedder; print(HashEmbedder(32).embed(['a lake at dawn'])[0])"
    root = Path(__file__).resolve().parents[4]
    other = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert other.stdout.strip() == str(HashEmbedder(32).embed(["a lake at dawn"])[0])


def test_minilm_knows_other_words_for_the_same() -> None:
    require_extra("embed", minilm.is_installed(), "pip install -e '.[embed]'")
    embedder = minilm.MiniLmEmbedder()
    query, near, far = embedder.embed(["a boat trip", "rowing across the lake", "tax return for last year"])
    assert len(query) == embedder.num_dimensions
    assert cosine(query, near) > cosine(query, far) + 0.1
