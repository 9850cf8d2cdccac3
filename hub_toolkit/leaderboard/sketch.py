"""What the texts of a submission look like in 2 kB: enough to tell how much of them two submissions share."""

from __future__ import annotations

import base64
import binascii
import heapq
import re
import zlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

NUM_HASHES = 256
NUM_WORDS = 4
MAX_WORDS = 200
"""Of an answer; the words after them are not looked at."""

MIN_SHARE = 0.5
"""Below it two submissions are called unlike, without a figure."""

_WORD = re.compile(r"\w+")
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(32)


class _WordHashes(dict[str, int]):
    """A word's hash, computed once."""

    def __missing__(self, word: str) -> int:
        self[word] = found = zlib.crc32(word.encode())
        return found


def sketch_texts(texts: Iterable[tuple[str, str]]) -> str:
    """Return the sketch of texts, each with the name of its question; empty where they hold no word.

    The smallest hashes of all runs of four words, their case, marks and spaces left out: bottom-k of a MinHash.
    Source: Broder 1997.
    """
    known = _WordHashes()
    words: list[int] = []
    lengths: list[int] = []
    seeds: list[int] = []
    for name, text in texts:
        found = [known[word] for word in _WORD.findall(text.casefold())[:MAX_WORDS]]
        if found:
            found += [0] * (NUM_WORDS - len(found))
            words += found
            lengths.append(len(found))
            seeds.append(zlib.crc32(name.encode()))
    if not words:
        return ""
    # np.unique of numpy 2.3 hashes: it takes ten times as long as this.
    hashes = np.sort(_hash_runs(np.array(words, np.uint64), np.array(lengths), np.array(seeds, np.uint64)))
    kept = hashes[np.diff(hashes, prepend=hashes[:1] + np.uint64(1)) != 0][:NUM_HASHES]
    return base64.b64encode(kept.astype("<u4").tobytes()).decode("ascii")


def _hash_runs(words: NDArray[np.uint64], lengths: NDArray[np.int64], seeds: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return 32 bits for every run of words that lies within one answer."""
    num_runs = len(words) - NUM_WORDS + 1
    places = np.arange(len(words)) - np.repeat(lengths.cumsum() - lengths, lengths)
    is_within = (places <= np.repeat(lengths, lengths) - NUM_WORDS)[:num_runs]
    hashes = np.repeat(seeds, lengths)[:num_runs]
    for place in range(NUM_WORDS):
        hashes = (hashes ^ words[place : place + num_runs]) * _FACTOR
        hashes ^= hashes >> _SHIFT
    return hashes[is_within] >> _SHIFT


def read_sketch(sketch: str) -> frozenset[int]:
    """Return the hashes of a sketch; none where it is no sketch."""
    try:
        return frozenset(np.frombuffer(base64.b64decode(sketch, validate=True), dtype="<u4").tolist())
    except (binascii.Error, ValueError):
        return frozenset()


def likeness(a: frozenset[int], b: frozenset[int]) -> float:
    """Return which share of all runs of words two sketches have in common, to about 3 points; 0 below a half."""
    common = a & b
    if not common or len(common) < MIN_SHARE * min(len(a), len(b)):
        return 0.0
    union = heapq.nsmallest(NUM_HASHES, a | b)
    return sum(value in common for value in union) / len(union)
