"""Nearest neighbours between two sets of texts: what of one stands, almost word for word, in the other."""

from __future__ import annotations

import heapq
import zlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hub_toolkit.generate.lower_words import lower_words

SKETCH_SIZE = 256
"""Hashes kept of a text; a text with fewer shingles is compared whole."""

_NUM_PROBES = 16
_NUM_CANDIDATES = 20
_MAX_POSTINGS = 500


@dataclass(frozen=True)
class Neighbour:
    """A text of the left side with the one most like it on the right. `similarity`: shared shingles by all (Jaccard).

    Source: Broder, On the resemblance and containment of documents (bottom-k sketches).
    """

    left: str
    right: str
    similarity: float


def sketch_text(text: str, *, num_words: int) -> tuple[int, ...]:
    """Return the smallest hashes of a text's runs of `num_words` words, in order."""
    found = lower_words(text)
    width = max(1, min(num_words, len(found)))
    runs = {" ".join(found[i : i + width]) for i in range(len(found) - width + 1)}
    return tuple(heapq.nsmallest(SKETCH_SIZE, {_hash(run) for run in runs}))


def similarity(left: Sequence[int], right: Sequence[int]) -> float:
    """Return the Jaccard similarity of two sketched texts; exact where both were kept whole."""
    if not left or not right:
        return 0.0
    is_whole = len(left) < SKETCH_SIZE and len(right) < SKETCH_SIZE
    union = sorted({*left, *right})
    kept = union if is_whole else union[:SKETCH_SIZE]
    shared = {*left} & {*right}
    return sum(value in shared for value in kept) / len(kept)


def find_neighbours(left: Mapping[str, str], right: Mapping[str, str], *, num_words: int) -> list[Neighbour]:
    """Return for each text of `left` the most similar one of `right`, the most similar pair first.

    Texts without a shared shingle have no neighbour. Looked at are those that share a text's rarest shingles.
    """
    sketches = {name: sketch_text(text, num_words=num_words) for name, text in right.items()}
    postings: dict[int, list[str]] = defaultdict(list)
    for name, values in sketches.items():
        for value in values:
            postings[value].append(name)
    found = []
    for name, text in left.items():
        mine = sketch_text(text, num_words=num_words)
        best = max(
            ((similarity(mine, sketches[other]), other) for other in _candidates(mine, postings) if other != name),
            default=None,
        )
        if best is not None and best[0] > 0:
            found.append(Neighbour(name, best[1], best[0]))
    return sorted(found, key=lambda pair: (-pair.similarity, pair.left, pair.right))


def _candidates(mine: Sequence[int], postings: Mapping[int, Sequence[str]]) -> list[str]:
    known = sorted((value for value in mine if value in postings), key=lambda value: len(postings[value]))
    counts: Counter[str] = Counter()
    for value in known[:_NUM_PROBES]:
        counts.update(postings[value][:_MAX_POSTINGS])
    return [name for name, _ in counts.most_common(_NUM_CANDIDATES)]


def _hash(text: str) -> int:
    """Return a spread-out hash: a checksum alone keeps the order of alike texts."""
    return (zlib.crc32(text.encode("utf-8", "surrogatepass")) * 0x9E3779B1) & 0xFFFFFFFF
