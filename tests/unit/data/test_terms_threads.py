"""Many read at once: the stem of a word is its own, in whichever thread it is looked up."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from hub_toolkit.data.terms import stem_word
from hub_toolkit.memory.forget.inflections import stem_in

NUM_THREADS, NUM_WORDS = 8, 400
SYLLABLES = ("ba", "fer", "gin", "lus", "mor", "nat", "pel", "ren", "sti", "tur")
ENDINGS = ("ing", "ations", "ness", "ed", "lichkeit", "ungen", "s", "izers")


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """Threads take turns after almost every step, as they do on a busy machine in the long run."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def invented_words(seed: str) -> list[str]:
    chance = random.Random(seed)
    return ["".join(chance.choice(SYLLABLES) for _ in range(4)) + chance.choice(ENDINGS) for _ in range(NUM_WORDS)]


@pytest.mark.usefixtures("hasty_threads")
@pytest.mark.parametrize("language", ["en", "de"])
def test_threads_do_not_spoil_each_others_stems(language: str) -> None:
    def stems_of(seed: str) -> list[str]:
        return [stem_word(w) if language == "en" else stem_in.__wrapped__("de", w) for w in invented_words(seed)]

    seeds = [f"thread {number}" for number in range(NUM_THREADS)]
    alone = [stems_of(seed) for seed in seeds]
    with ThreadPoolExecutor(NUM_THREADS) as pool:
        together = list(pool.map(stems_of, seeds))
    assert together == alone
