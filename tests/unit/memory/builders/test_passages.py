"""Cutting a history into passages and searching them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from hub_toolkit.data.history import load_history
from hub_toolkit.data.schema import History
from hub_toolkit.data.tokens import EstimateCounter
from hub_toolkit.memory.builders.passages import Passage, PassageIndex, cut_passages, search_terms
from hub_toolkit.types import Message

COUNTER = EstimateCounter()
EXCHANGES = (
    ("Polish this mail: I row on the lake at dawn.", "Here it is."),
    ("How do I keep a sourdough starter alive?", "Feed it rye flour."),
    ("And the oven?", "As hot as it gets."),
    ("Which oars suit a short person on the lake?", "Shorter ones."),
    ("What is the capital of Peru?", "Lima."),
)


def make_history(exchanges: Sequence[tuple[str, str]] = EXCHANGES, *, start: int = 1) -> History:
    messages = tuple(
        Message(role, text)  # type: ignore[arg-type]
        for exchange in exchanges
        for role, text in zip(("user", "assistant"), exchange, strict=True)
    )
    return History(messages, tuple(range(start, start + len(messages))), {}, "h.json")


def make_index(history: History, *, passage_tokens: int = 512) -> PassageIndex:
    return PassageIndex(cut_passages(history, COUNTER, passage_tokens=passage_tokens), k1=1.5, b=0.75)


def test_a_passage_is_a_user_message_and_what_follows() -> None:
    passages = cut_passages(make_history(), COUNTER, passage_tokens=512)
    assert [passage.indices for passage in passages] == [(1, 2), (3, 4), (5, 6), (7, 8), (9, 10)]
    assert passages[0].render() == f"[1]\nuser: {EXCHANGES[0][0]}\nassistant: {EXCHANGES[0][1]}"


def test_two_user_messages_in_a_row_are_two_passages_and_a_reply_at_the_start_is_one() -> None:
    roles = ("assistant", "user", "user", "assistant", "assistant", "user")
    history = History(tuple(Message(role, f"{role} text") for role in roles), tuple(range(6)), {}, "h.json")  # type: ignore[arg-type]
    passages = cut_passages(history, COUNTER, passage_tokens=512)
    assert [passage.indices for passage in passages] == [(0,), (1,), (2, 3, 4), (5,)]


def test_a_long_passage_is_cut_and_nothing_is_lost() -> None:
    long = " ".join(f"word{chr(97 + i % 26)}{i}" for i in range(900))
    passages = cut_passages(make_history([(long, "Short.")]), COUNTER, passage_tokens=128)
    assert len(passages) > 3
    assert "".join(m.text for p in passages for m in p.messages if m.role == "user") == long
    assert all(passage.tokens <= 140 for passage in passages)


def test_no_history_has_no_passages_and_no_finds() -> None:
    empty = make_history([])
    assert cut_passages(empty, COUNTER, passage_tokens=512) == ()
    assert make_index(empty).search("anything", budget_tokens=999) == ()


def test_what_the_question_names_is_found_and_shown_in_order_of_time() -> None:
    found = make_index(make_history()).search("Lake, rowing?", budget_tokens=500)
    assert [passage.indices[0] for passage in found] == [1, 7]
    index = make_index(make_history())
    assert [passage.indices[0] for passage in index.rank("Oars, lake?")] == [7, 1]
    assert [passage.indices[0] for passage in index.search("Oars, lake?", budget_tokens=500)] == [1, 7]


def test_words_are_compared_by_their_stems() -> None:
    assert search_terms("Rowing rowed ROW, it's") == ["row", "row", "row"]
    assert make_index(make_history()).rank("feeding starters")[0].indices[0] == 3


@pytest.mark.parametrize("query", ["", "?!", "zebra", "42"])
def test_a_question_that_shares_no_word_finds_nothing(query: str) -> None:
    assert make_index(make_history()).search(query, budget_tokens=500) == ()


def test_the_budget_holds_and_a_smaller_passage_takes_the_room_that_is_left() -> None:
    exchanges = [("lake lake lake " + "far away " * 40, "Yes."), ("A lake.", "Yes."), ("The lake again.", "No.")]
    index = make_index(make_history(exchanges))
    assert index.rank("lake")[-1].indices[0] != 1 or len(index.rank("lake")) == 3
    small = index.search("lake", budget_tokens=60)
    assert [passage.indices[0] for passage in small] == [3, 5]
    assert sum(passage.tokens for passage in small) <= 60
    assert len(index.search("lake", budget_tokens=10_000)) == 3
    assert index.search("lake", budget_tokens=5) == ()


def test_of_equals_the_later_passage_comes_first() -> None:
    index = make_index(make_history([("I like tea.", "Fine."), ("I like tea.", "Fine.")]))
    assert [passage.indices[0] for passage in index.rank("tea?")] == [3, 1]


def test_an_embedder_finds_what_is_said_in_other_words() -> None:
    class Meanings:
        name, num_dimensions = "meanings", 2

        def embed(self, texts: Sequence[str]) -> list[list[float]]:
            nearness = {"oars": [0.8, 0.6], "lake": [1.0, 0.0], "boat": [1.0, 0.0]}
            return [next((nearness[word] for word in nearness if word in text), [0.0, 1.0]) for text in texts]

    passages = cut_passages(make_history(), COUNTER, passage_tokens=512)
    assert PassageIndex(passages, k1=1.5, b=0.75).rank("A boat?") == []
    found = PassageIndex(passages, k1=1.5, b=0.75, embedder=Meanings()).rank("A boat?")
    assert [passage.indices[0] for passage in found] == [1, 7]
    both = PassageIndex(passages, k1=1.5, b=0.75, embedder=Meanings()).rank("A boat and an oven?")
    assert {passage.indices[0] for passage in both} == {1, 5, 7}


def test_the_rank_is_the_same_in_every_process() -> None:
    code = (
        "from tests.unit.memory.builders.test_passages import make_history, make_index;"
        "import itertools; words = ['lake','row','oar','rye','feed','oven','peru','short','dawn','mail'];"
        "exchanges = [(' '.join(c), 'Yes.') for c in itertools.combinations(words, 3)];"
        "print([p.indices[0] for p in make_index(make_history(exchanges)).rank(' '.join(words))])"
    )
    root = Path(__file__).resolve().parents[4]
    runs = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(path for path in sys.path if path)},
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(runs) == 1


def test_on_a_real_history_the_question_of_a_message_finds_it(real_data: Path) -> None:
    path = sorted((real_data / "personamem_evo" / "histories").glob("*.json"))[0]
    history = load_history(path)
    passages = cut_passages(history, COUNTER, passage_tokens=512)
    index = PassageIndex(passages, k1=1.5, b=0.75)
    asked: list[Passage] = [passage for passage in passages if len(search_terms(passage.text)) > 8][::10]
    hits = [passage in index.search(passage.messages[0].text[:300], budget_tokens=2048) for passage in asked]
    assert sum(hits) / len(hits) > 0.95
