"""The offline pass: joins what says the same, never grows, brings nothing back, and changes nothing the second time."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import replace

import pytest

from hub_toolkit.data.history import load_history
from hub_toolkit.data.parse import MINI
from hub_toolkit.data.tokens import EstimateCounter
from hub_toolkit.memory.build import build_memory
from hub_toolkit.memory.builders.consolidate import consolidate
from hub_toolkit.memory.builders.consolidate_by_model import consolidate_by_model, parse_proposals
from hub_toolkit.memory.builders.extractive import ExtractiveBuilder
from hub_toolkit.memory.document import Bullet, MemoryDocument, Source
from hub_toolkit.memory.forget.forgetting import forget_in
from hub_toolkit.memory.owner.edits import delete_bullet
from hub_toolkit.memory.rules.compile import compile_rule
from hub_toolkit.memory.rules.guard import RuleGuard
from hub_toolkit.models.fake import FakeModel

COUNTER = EstimateCounter()
BREAD = "Bakes sourdough rye bread every Sunday morning"
BREAD_AGAIN = "bakes sourdough rye bread on Sunday, with seeds"


def said(bullet_id: str, text: str, index: int = 1, **fields: object) -> Bullet:
    span = Source(index, f"I {text}")
    return replace(Bullet(bullet_id, text, (span,), first_seen=index, last_seen=index), **fields)  # type: ignore[arg-type]


def document_of(*bullets: Bullet, **fields: object) -> MemoryDocument:
    return replace(MemoryDocument(bullets=bullets, next_id=99), **fields)  # type: ignore[arg-type]


def texts(document: MemoryDocument) -> list[str]:
    return [bullet.text for bullet in document.bullets]


def test_what_says_the_same_becomes_one_with_both_sources() -> None:
    before = document_of(
        said("m1", BREAD, 1, weight=2.0), said("m2", "Owns a red bicycle", 2), said("m3", BREAD_AGAIN, 9)
    )
    after = consolidate(before, COUNTER)
    assert len(after.bullets) == 2
    [joined] = [bullet for bullet in after.bullets if "rye" in bullet.text]
    assert {source.index for source in joined.sources} == {1, 9} and joined.origin == "repeated"
    assert (joined.first_seen, joined.last_seen, joined.weight) == (1, 9, 2.0)
    assert joined.sources[0].index == (1 if joined.id == "m1" else 9)  # its words come from its first source


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Eats grilled octopus at the harbour tavern", "No longer eats grilled octopus at the harbour tavern"),
        ("Runs 5 km along the river before work", "Runs 10 km along the river before work"),
        ("Drinks green tea", "Drinks green juice"),
        ("週末は茶道を習っている", "週末は剣道を習っている"),
        ("Likes jazz records from Oslo", "Hates jazz records from Oslo"),
    ],
)
def test_what_differs_stays_apart(one: str, other: str) -> None:
    before = document_of(said("m1", one, 1), said("m2", other, 2))
    assert sorted(texts(consolidate(before, COUNTER))) == sorted([one, other])


def test_another_persons_matter_is_not_the_owners() -> None:
    before = document_of(said("m1", BREAD), said("m2", BREAD_AGAIN, 2, owner="other"))
    assert len(consolidate(before, COUNTER).bullets) == 2


@pytest.mark.parametrize("text", ["🚲🚲", "週末は茶道を習っている", "يحب الشاي بالنعناع", "a b"])
def test_equal_lines_in_any_script_are_joined(text: str) -> None:
    before = document_of(said("m1", text, 1), said("m2", f" {text} ", 2))
    assert len(consolidate(before, COUNTER).bullets) == 1


def test_what_is_the_users_stays_word_for_word() -> None:
    mine = said("m1", "bakes  sourdough rye bread on sundays", 1, author="user")
    pinned = said("m3", BREAD_AGAIN, 3, is_pinned=True, sources=(Source(3, "another text"),))
    before = document_of(said("m2", BREAD, 2), mine, pinned)
    after = consolidate(before, COUNTER, texts={1: "-", 2: "I " + BREAD, 3: "-"}, refuse_unsupported=True)
    assert after.bullets == (mine, pinned)


def test_nothing_that_must_stay_away_stays() -> None:
    before = document_of(said("m1", BREAD), said("m2", "Collects copper teapots from Izmir", 2))
    forgotten = forget_in(before, "copper teapots")[0].forgotten
    assert texts(consolidate(replace(before, forgotten=forgotten), COUNTER)) == [BREAD]
    overruled = delete_bullet(before, "m2").overruled
    assert texts(consolidate(replace(before, overruled=overruled), COUNTER)) == [BREAD]
    health = document_of(said("m1", BREAD), said("m2", "Takes insulin for type 1 diabetes", 2))
    guard = RuleGuard((compile_rule("nothing about my health", "r1"),))
    assert texts(consolidate(health, COUNTER, guards=[guard])) == [BREAD]


def test_support_is_checked_again() -> None:
    false = said("m2", "Owns a castle with seven towers", 2)
    before = document_of(said("m1", BREAD, 1), false, said("m3", "Sings in a choir of old sailors", 7))
    after = consolidate(before, COUNTER, texts={1: f"Hm. I {BREAD}!", 2: "What is a castle?"})
    assert sorted(bullet.id for bullet in after.bullets) == ["m1", "m3"]  # message 7 is not at hand: nobody can say
    bare = document_of(said("m1", BREAD), replace(false, sources=()))
    assert len(consolidate(bare, COUNTER).bullets) == 2
    assert texts(consolidate(bare, COUNTER, refuse_unsupported=True)) == [BREAD]


def test_the_heaviest_come_first_and_the_cap_holds() -> None:
    bullets = [said(f"m{i}", f"Keeps a {word} in the garden shed", i, weight=i / 10) for i, word in enumerate("abcdef")]
    bullets = [replace(b, text=f"{b.text} number {'xyzuvw'[i] * 5}") for i, b in enumerate(bullets)]
    after = consolidate(document_of(*bullets, cap_tokens=40), COUNTER)
    assert 0 < len(after.bullets) < 6 and after.tokens(COUNTER) <= 40
    assert [bullet.weight for bullet in after.bullets] == sorted((b.weight for b in after.bullets), reverse=True)


def random_document(seed: int) -> MemoryDocument:
    randomness = random.Random(seed)
    vocabulary = [
        f"{first}{last}" for first in ("tea", "kite", "rye", "lake", "jazz") for last in ("pot", "fest", "land")
    ]
    bullets = []
    for number in range(randomness.randint(0, 40)):
        text = " ".join(randomness.choices([*vocabulary, "not", "never", "5", "🚲"], k=randomness.randint(1, 7)))
        bullets.append(
            said(
                f"m{number}",
                text,
                number,
                weight=randomness.random(),
                author=randomness.choice(["model", "model", "user"]),
                is_pinned=randomness.random() < 0.1,
            )
        )
    return document_of(*bullets, cap_tokens=randomness.choice([40, 100, 2048]))


@pytest.mark.parametrize("seed", range(40))
def test_it_never_grows_and_a_second_pass_changes_nothing(seed: int) -> None:
    before = random_document(seed)
    after = consolidate(before, COUNTER)
    assert len(after.bullets) <= len(before.bullets) and after.tokens(COUNTER) <= before.tokens(COUNTER)
    assert set(texts(after)) <= set(texts(before)) and {b.id for b in after.bullets} <= {b.id for b in before.bullets}
    assert consolidate(after, COUNTER) == after


@pytest.mark.parametrize("persona", [1, 15, 27, 3])
def test_on_a_built_memory_it_is_stable_and_the_builder_goes_on(persona: int) -> None:
    history = load_history(MINI / f"data/chat_history_32k/chat_history_persona{persona}.json")
    builder = ExtractiveBuilder(COUNTER)
    messages = {index: message.text for index, message in zip(history.indices, history.messages, strict=True)}
    before = asyncio.run(build_memory(history, builder, COUNTER))
    after = consolidate(before, COUNTER, texts=messages)
    assert after.bullets and after.forgotten == before.forgotten
    assert consolidate(after, COUNTER, texts=messages) == after
    again = asyncio.run(build_memory(history, builder, COUNTER, document=replace(after, read_messages=0)))
    assert again.bullets and again.tokens(COUNTER) <= again.cap_tokens


def test_many_bullets_do_not_stall() -> None:
    bullets = [said(f"m{i}", f"word{i % 700} thing{i % 900} place{i % 800} common common2", i) for i in range(1500)]
    started = time.perf_counter()
    consolidate(document_of(*bullets, cap_tokens=10**6), COUNTER)
    print(f"1,500 bullets: {time.perf_counter() - started:.1f} s")


def model_saying(reply: str) -> FakeModel:
    return FakeModel(lambda _messages: reply)


def by_model(document: MemoryDocument, reply: str) -> MemoryDocument:
    return asyncio.run(consolidate_by_model(document, model_saying(reply), COUNTER))


KITES = said("m1", "Flies kites on the beach with his old club", 1)
KITES_TOO = said("m2", "Goes to the dunes when the wind is strong and flies kites there", 2)
TEA = said("m3", "Drinks smoky tea from Fujian", 3)


def test_a_models_wording_is_taken_where_it_holds() -> None:
    after = by_model(
        document_of(KITES, KITES_TOO, TEA), "Sure:\n- (m1, m2) Flies kites on the beach and the dunes in strong wind\n"
    )
    assert sorted(texts(after)) == [TEA.text, "Flies kites on the beach and the dunes in strong wind"]
    [joined] = [bullet for bullet in after.bullets if "kites" in bullet.text]
    assert {source.index for source in joined.sources} == {1, 2}


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "nothing",
        "- (m1, m2) Flies kites on the beach and the dunes in strong wind, owns a castle",  # a word of its own
        "- (m1, m3) Flies kites on the beach with his old club",  # the tea would be lost
        "- (m1, m2) Never flies kites on the beach and the dunes in strong wind",
        "- (m1, m9) Flies kites on the beach and the dunes in strong wind",
        "- (m1) Flies kites",
        "- (m1, m1) Flies kites on the beach and the dunes in strong wind",
        "- (m1, m2) Flies kites on the beach and the dunes in strong wind"
        + " with kites on the dunes" * 9,  # longer than both
        "- (" + "m1, " * 100_000,
    ],
)
def test_a_model_that_misbehaves_changes_nothing(reply: str) -> None:
    before = document_of(KITES, KITES_TOO, TEA)
    assert set(by_model(before, reply).bullets) == set(before.bullets)


def test_a_model_cannot_touch_what_is_the_users() -> None:
    mine = replace(KITES, author="user")
    after = by_model(document_of(mine, KITES_TOO), "- (m1, m2) Flies kites on the beach and the dunes in strong wind")
    assert set(after.bullets) == {mine, KITES_TOO}


def test_proposals_of_a_megabyte_are_read_in_no_time() -> None:
    started = time.perf_counter()
    for text in ("- (", "- (m1, ", "(", " ", "-" * 9 + "\n", "- (m1, m2) "):
        parse_proposals(text * (10**6 // len(text)))
    assert time.perf_counter() - started < 10
