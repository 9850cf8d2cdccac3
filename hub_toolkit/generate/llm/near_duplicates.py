"""Texts that are nearly the same, found without a model: by what they share, weighed by how rare it is.

Weighing keeps apart what a plain count confuses: two texts of one pattern about different things, which share common
words only, and one text that was written twice.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from hub_toolkit.data.terms import content_stems
from hub_toolkit.generate.lower_words import lower_words

_RUN = 3
_MAX_POSTINGS = 200
"""A run that stands in more different questions than this is a phrase, and leads to no candidate."""

Runs = NDArray[np.uint64]


def runs_of(text: str) -> frozenset[str]:
    """Return a text's runs of three words in lower case; of a shorter text, its words."""
    lower = lower_words(text)
    size = _RUN if len(lower) > _RUN else 1
    return frozenset(" ".join(lower[start : start + size]) for start in range(len(lower) - size + 1))


def containment(part: str, whole: str) -> float:
    """Return the share of one text's runs that stand in the other as well."""
    runs = runs_of(part)
    return len(runs & runs_of(whole)) / len(runs) if runs else 0.0


def stem_likeness(left: str, right: str) -> float:
    """Return shared stems by all stems of two texts, between 0 and 1."""
    one, two = set(content_stems(left)), set(content_stems(right))
    return len(one & two) / len(one | two) if one or two else 1.0


class Rarity:
    """Weighs stems by how few of some texts hold them, and compares those texts by that."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._stems = {text: frozenset(content_stems(text)) for text in texts}
        counts = Counter(stem for stems in self._stems.values() for stem in stems)
        self._weights = {stem: math.log1p(len(self._stems) / count) for stem, count in counts.items()}

    def likeness(self, left: str, right: str) -> float:
        """Return the weight of what two of the texts share by that of all they hold."""
        one, two = self._stems[left], self._stems[right]
        whole = self._sum(one | two)
        return self._sum(one & two) / whole if whole else 1.0

    def _sum(self, stems: frozenset[str]) -> float:
        return sum(self._weights[stem] for stem in sorted(stems))


def find_near_duplicates(texts: Sequence[tuple[str, str]], threshold: float) -> dict[str, str]:
    """Return, of some named texts, those that nearly repeat an earlier one that was kept, and which one.

    What two texts share is weighed by its rarity among all of them; nothing is sampled.
    """
    runs = [_hash_runs(text) for _, text in texts]
    if not runs:
        return {}
    known, counts = np.unique(np.concatenate(runs), return_counts=True)
    rarity = np.log1p(len(texts) / counts)
    places = [np.searchsorted(known, mine) for mine in runs]
    postings: dict[int, list[int]] = {}
    found: dict[str, str] = {}
    for number, mine in enumerate(places):
        repeated = [int(place) for place in mine if counts[place] > 1]
        candidates = {
            other
            for place in repeated
            if len(postings.get(place, ())) <= _MAX_POSTINGS
            for other in postings.get(place, ())
        }
        earlier = next((o for o in sorted(candidates) if _weigh(rarity, mine, places[o]) >= threshold), None)
        if earlier is not None:
            found[texts[number][0]] = texts[earlier][0]
            continue
        for place in repeated:
            postings.setdefault(place, []).append(number)
    return found


def _weigh(rarity: NDArray[np.float64], left: NDArray[np.intp], right: NDArray[np.intp]) -> float:
    shared = float(rarity[np.intersect1d(left, right, assume_unique=True)].sum())
    whole = float(rarity[left].sum()) + float(rarity[right].sum()) - shared
    return shared / whole if whole else 1.0


def _hash_runs(text: str) -> Runs:
    numbers = {int.from_bytes(hashlib.blake2b(run.encode(), digest_size=8).digest(), "big") for run in runs_of(text)}
    return np.array(sorted(numbers), dtype=np.uint64)
