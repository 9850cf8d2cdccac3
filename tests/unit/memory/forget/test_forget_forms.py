"""One thing in many forms: compounds, acronyms, derived words, names of several words; and requests in many wordings."""

from __future__ import annotations

import asyncio

import pytest

from hub_toolkit.data.history import Chunk
from hub_toolkit.data.tokens import EstimateCounter
from hub_toolkit.memory.build import update_guarded
from hub_toolkit.memory.builders.extractive import ExtractiveBuilder
from hub_toolkit.memory.document import Bullet, MemoryDocument, Source
from hub_toolkit.memory.forget.forget_requests import find_request
from hub_toolkit.memory.forget.forgetting import forget_in
from hub_toolkit.memory.forget.stems import ListedStems, load_stems
from hub_toolkit.memory.forget.synonyms import load_lexicon, read_lexicon
from hub_toolkit.types import Message

COUNTER = EstimateCounter()


def document(*texts: str) -> MemoryDocument:
    return MemoryDocument(bullets=tuple(Bullet(f"m{i}", t, (Source(i, t),)) for i, t in enumerate(texts)))


@pytest.mark.parametrize(
    ("wish", "said", "stays"),
    [
        ("vergiss bitte meine Fersenprobleme", "Meine Ferse ist wieder dick", "Meine Katze ist wieder dick"),
        ("forget about techno", "Gestern war ich im Technokeller und es war laut", "Gestern war ich im Keller"),
        ("forget my BMW", "BMWs of that year rust", "My bicycle rusts too"),
        ("forget about my NVC", "I sing with the Nordic Voice Collective", "I sail with the Nordic Boat Club"),
        ("forget that I play golf", "The golfers here are friendly", "The gardeners here are friendly"),
        ("forget my hobby of lock picking", "I was fifth in a lockpicking contest", "I was fifth in a baking contest"),
        ("Vergiss, dass ich in Kassel wohne", "Ich fahre mit dem Rad durch Kassel", "Ich fahre mit dem Rad zur Arbeit"),
        ("forget that I was fired", "I lost the whole job last week", "I lost the umbrella last week"),
        ("forget my wife Sarah", "My wife sings in a choir", "My aunt sings in a choir"),
        ("forget about my crush on Ines", "Ines asked me for my chalk", "Ada asked me for my chalk"),
    ],
)
def test_a_thing_is_known_in_its_other_forms(wish: str, said: str, stays: str) -> None:
    _, concerns = forget_in(document("I water my plants"), wish)
    assert concerns(said)
    assert not concerns(stays)


def test_a_name_of_several_words_is_learnt_whole() -> None:
    memory = document("My parrot Major Tompkins swears", "I buy seeds for Tompkins in bulk", "I buy nails in bulk")
    after, _ = forget_in(memory, "Please erase everything about my parrot.")
    assert [bullet.text for bullet in after.bullets] == ["I buy nails in bulk"]


def test_an_everyday_word_in_a_learnt_name_takes_nothing_else() -> None:
    memory = document("I work at Halden Bakery in Ghent", "I bake rye bread every Thursday", "I work nights at Halden")
    after, _ = forget_in(memory, "forget my job at Halden")
    assert [bullet.text for bullet in after.bullets] == ["I bake rye bread every Thursday"]


@pytest.mark.parametrize(
    "text",
    [
        "forget chess",
        "Scrub my HIV status.",
        "stop knowing that i vape",
        "Everything about my landlord should go.",
        "Can you take out that I have diabetes",
        "löschen bitte: meine Depression",
        "Forget that we are trying for a baby",
        "it would be great if my knee could be forgotten",
        "could my divorce just vanish from your notes?",
        "I'd rather my salary weren't in your memory",
        "my job? wipe it please",
        "hey so about Jonas... could you forget him",
        "delete memory: I like chess",
        "get my knee out of your head",
        "lass uns meinen Ex vergessen",
        "Olvida a mi jefa Remedios",
        "Apaga que eu trabalho no banco",
    ],
)
def test_requests_are_seen_however_they_are_put(text: str) -> None:
    found = find_request(text)
    assert found is not None
    assert found.wish


@pytest.mark.parametrize(
    "text",
    [
        "drop my kids at school by 8, then work",
        "cut my hair short this time",
        "leave out my phone number in the ad",
        "everything about my job should go in the letter",
        "How can I forget my ex?",
        "my boss told me to forget about the raise",
        "scrap the second idea",
        "Forget the budget for a moment.",
    ],
)
def test_what_is_said_of_other_things_is_no_request(text: str) -> None:
    assert find_request(text) is None


def test_a_plain_statement_before_an_unknown_request_stays() -> None:
    """What nothing in the memory names is guessed to stand right before; a statement on something else does not."""
    builder = ExtractiveBuilder(COUNTER)

    def read(before: MemoryDocument, text: str, index: int) -> MemoryDocument:
        chunk = Chunk((Message("user", text), Message("assistant", "Fine.")), (index, index + 1), 20)
        return asyncio.run(update_guarded(builder, before, chunk, counter=COUNTER, guards=())).document

    first = read(builder.empty(), "I sing alto in a village choir", 0)
    after = read(first, "Please forget that I have a stutter.", 2)
    assert [bullet.text for bullet in after.bullets] == ["I sing alto in a village choir"]


def test_the_stems_beside_the_list_are_those_of_its_words() -> None:
    fresh = ListedStems()
    assert read_lexicon(fresh) == load_lexicon()
    assert fresh.written() == load_stems().written(), "run: python -m hub_toolkit.memory.forget.stems"
