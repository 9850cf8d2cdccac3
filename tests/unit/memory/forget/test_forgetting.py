"""Forgetting: requests, what goes with them, what stays, and what is known again."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace

import pytest

from hub_toolkit.data.history import Chunk
from hub_toolkit.data.tokens import EstimateCounter
from hub_toolkit.memory.builders.extractive import ExtractiveBuilder
from hub_toolkit.memory.document import Bullet, MemoryDocument, Source
from hub_toolkit.memory.forget.forget_requests import find_request
from hub_toolkit.memory.forget.forgetting import ForgetGuard, concerns_since, find_concerned, forget_in, is_forgotten
from hub_toolkit.memory.forget.tombstones import add_tombstone, make_tombstone
from hub_toolkit.types import Message

COUNTER = EstimateCounter()
TEXTS = (
    "I love jazz and always go to the Blue Note on my free Fridays",
    "My daughter Mia starts school in August",
    "I work as a nurse at the city hospital",
    "My left knee hurts after running",
    "I have a dog called Rex",
    "Rex likes the park by the river",
    "I am vegetarian",
    "Anna and I divorced in 2019",
)


def document(texts: tuple[str, ...] = TEXTS) -> MemoryDocument:
    return MemoryDocument(bullets=tuple(Bullet(f"m{i}", t, (Source(i, t),)) for i, t in enumerate(texts)))


def read(builder: ExtractiveBuilder, memory: MemoryDocument, *said: str, start: int = 0) -> MemoryDocument:
    messages = [m for text in said for m in (Message("user", text), Message("assistant", "I see."))]
    chunk = Chunk(tuple(messages), tuple(range(start, start + len(messages))), 100)
    return asyncio.run(builder.update(memory, chunk))


@pytest.mark.parametrize(
    "text",
    [
        "Please don't keep the bit about my divorce.",
        "Scratch that, I don't want you to store my salary.",
        "Pretend I never told you about Marta.",
        "Wipe everything about my ex from your memory.",
        "Forget what I just said.",
        "Vergiss bitte, dass ich Kaffee mag.",
        "Oublie que j'aime le jazz.",
        "Por favor, olvida lo de mi rodilla.",
        "Dimentica tutto sul mio divorzio",
        "Esquece que gosto de café",
        "Vergeet alles over mijn knie",
        "请忘记我喜欢爵士乐",
    ],
)
def test_requests_are_seen(text: str) -> None:
    assert find_request(text) is not None


@pytest.mark.parametrize(
    "text",
    [
        "don't let me forget to call mum",
        "I forgot my keys",
        "how to make someone forget me?",
        "Forget it, I'll do it myself.",
        'My boss wrote: "Please forget that I asked for the report." How should I answer?',
        "Translate this into German: Please forget what I said about the party.",
        "> Please forget that I like jazz\nwhat does this mean",
        "Please don't keep it too formal.",
        "Vergiss nicht, dass ich Kaffee mag",
        "No olvides que me gusta",
        "Write a story where she says: forget that I ever loved you.",
    ],
)
def test_other_texts_are_no_requests(text: str) -> None:
    assert find_request(text) is None


@pytest.mark.parametrize(
    ("wish", "gone"),
    [
        ("forget that I like jazz", {"m0"}),
        ("my knee", {"m3"}),
        ("everything about my dog", {"m4", "m5"}),
        ("that I'm vegetarian", {"m6"}),
        ("my job", {"m2"}),
        ("everything about my ex", {"m7"}),
        ("m1", {"m1"}),
        ("the submarine", set()),
        ("that", set()),
    ],
)
def test_what_a_typed_wish_takes_and_what_stays(wish: str, gone: set[str]) -> None:
    after, concerns = forget_in(document(), wish)
    assert {b.id for b in document().bullets} - {b.id for b in after.bullets} == gone
    assert {b.id for b in find_concerned(document(), wish)} == gone
    assert all(concerns(b.text) == (b.id in gone) for b in document().bullets)


@pytest.mark.parametrize(
    "text",
    ["My knees ache", "the meniscus tear", "Mein Knie tut weh", "KNEE 🦵 again", "my kneee"[:7] + " and knee brace"],
)
def test_a_tombstone_knows_other_words_for_the_same(text: str) -> None:
    assert is_forgotten(text, (make_tombstone("my knee"),))


def test_a_misspelling_is_known_and_another_word_is_not() -> None:
    forgotten = (make_tombstone("I go to karaoke"),)
    assert is_forgotten("we went to karoake and karaokee", forgotten)
    assert not is_forgotten("kayak and karate", forgotten)
    assert not is_forgotten("a better dancer", (make_tombstone("my cancer"),))


def test_a_tombstone_holds_no_word_and_two_users_cannot_be_compared() -> None:
    one, other = (forget_in(document((*TEXTS, extra)), "forget that I like jazz")[0] for extra in ("first", "second"))
    written = json.dumps([one.forgotten, other.forgotten]).lower()
    assert not any(word in written for word in ("jazz", "bebop", "blue", "friday"))
    assert not {h for line in one.forgotten[0] for h in line.split()[1:]} & {
        h for line in other.forgotten[0] for h in line.split()[1:]
    }
    assert add_tombstone(one.forgotten, one.forgotten[0]) == one.forgotten


def test_what_was_said_long_before_goes_and_the_messages_between_stay() -> None:
    builder = ExtractiveBuilder(COUNTER)
    before = read(builder, builder.empty(), TEXTS[0], TEXTS[1], TEXTS[2])
    after = read(builder, before, "Please forget that I like jazz.", start=6)
    assert [b.text for b in after.bullets] == [TEXTS[1], TEXTS[2]]
    assert concerns_since(before, after)("jazz at night")
    again = read(builder, replace(after, read_messages=0), *TEXTS[:3], "I adore bebop nights in my town")
    assert not any("jazz" in b.text or "bebop" in b.text for b in again.bullets)
    assert any("nurse" in b.text for b in again.bullets)


def test_what_is_taken_back_in_the_same_breath_is_known_again() -> None:
    builder = ExtractiveBuilder(COUNTER)
    before = read(builder, builder.empty(), TEXTS[1])
    after = read(builder, before, "I have herpes since spring. Please don't store this.", start=2)
    assert [b.text for b in after.bullets] == [TEXTS[1]]
    assert is_forgotten("my herpes came back", after.forgotten)


def test_the_guard_keeps_forgotten_sentences_from_any_builder() -> None:
    guard = ForgetGuard((make_tombstone("my knee"),))
    screened = guard.screen_message(Message("user", "My knee hurts. I live in Bern 🏔."), 3)
    assert screened.message.text.strip() == "I live in Bern 🏔."
    assert [f.reason for f in screened.findings] == ["forgotten"]
    assert guard.screen_bullet(Bullet("", "bad knees"), None) is not None


@pytest.mark.parametrize("char", ["a", ", ", "forget that ", '"', "忘记", "don't keep my ", "\n\n", "é"])
def test_a_million_characters_do_not_stall(char: str) -> None:
    text = (char * 10**6)[: 10**6]
    started = time.process_time()
    find_request(text)
    is_forgotten(text, (make_tombstone("my knee"),))
    forget_in(document(), text)
    if time.process_time() - started > 20:
        pytest.fail("a pattern is not linear")


@pytest.mark.parametrize(
    "text",
    [
        "Get rid of what you know about my smoking.",
        "My stutter should not be in your memory.",
        "About my stutter: please delete that.",
        "Never mind the pottery, please forget it.",
        "Never mention my ex again.",
        "Please forget where I went on holiday, Madeira.",
        "Kannst du meine Erdnussallergie vergessen?",
        "Peux-tu oublier que je fume ?",
        "Ik wil niet dat je onthoudt dat ik rook.",
    ],
)
def test_requests_in_other_words_name_their_thing(text: str) -> None:
    request = find_request(text)
    assert request is not None
    assert request.wish


@pytest.mark.parametrize(
    "text",
    [
        "Remove the part about my hobby from the cover letter, please.",
        "Delete the last line of the poem.",
        "Get rid of the adverbs.",
        "Don't mention my age in the letter.",
        "I want my invoices saved.",
        "Forget the budget for a moment.",
    ],
)
def test_work_on_a_text_is_no_request(text: str) -> None:
    assert find_request(text) is None


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ("forget that I smoke", "Je suis fumeur depuis dix ans"),
        ("forget my peanut allergy", "Meine Erdnussallergie ist schlimm"),
        ("forget my son's trombone lessons", "he is a keen trombonist"),
        ("forget that I keep bees", "Meine Bienen brauchen Zucker"),
        ("Oublie mon asthme", "I never leave without my inhaler"),
        ("忘记我喜欢喝茅台", "我收藏了十二瓶茅台"),
    ],
)
def test_what_was_forgotten_is_known_in_another_language_and_form(wish: str, said: str) -> None:
    _, concerns = forget_in(document(), wish)
    assert concerns(said)
    assert not any(concerns(text) for text in ("Our train should arrive at noon", "Ich wohne in einer kleinen Stadt"))


def test_a_request_at_the_head_of_a_chunk_takes_the_question_before_it() -> None:
    builder = ExtractiveBuilder(COUNTER)
    before = read(builder, builder.empty(), TEXTS[2], "I always want standout pieces for my living room shelf")
    after = read(builder, before, "Please forget that I like modern sculpture.", start=4)
    assert [b.text for b in after.bullets] == [TEXTS[2]]
