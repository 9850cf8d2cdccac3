"""Words as they are compared: in any script, and quick on whatever comes."""

from __future__ import annotations

import time

import pytest

from hub_toolkit.data.terms import content_stems


@pytest.mark.parametrize(
    ("bullet", "query"),
    [
        ("我每天早上去游泳", "游泳"),
        ("朝は喫茶店でコーヒーを飲みます", "コーヒーが好きですか"),
        ("나는 매일 아침 수영을 합니다", "수영"),
        ("أحب السباحة في الصباح", "سباحة"),
        ("Я покупаю книги каждую неделю", "книга"),
        ("मुझे तैरना पसंद है", "तैरना"),
        ("ฉันชอบว่ายน้ำตอนเช้า", "ว่ายน้ำ"),
        ("Collects café signs", "cafe\u0301 sign"),
        ("swims laps", "swimming a lap"),
    ],
)
def test_a_word_is_found_again_in_any_script(bullet: str, query: str) -> None:
    assert set(content_stems(bullet)) & set(content_stems(query))


def test_english_is_stemmed_and_freed_of_common_words() -> None:
    assert content_stems("I don't like swimming; it's the neighbour's pool") == ("swim", "neighbour", "pool")


def test_no_words_no_stems() -> None:
    assert content_stems("🙂 12 + 3 = 15") == ()


@pytest.mark.parametrize("char", ["a", "我", "ก", "ا", "e\u0301", "a'", "\u0301", "的"])
def test_a_megabyte_of_one_character_is_read_at_once(char: str) -> None:
    started = time.perf_counter()
    content_stems(char * (1_000_000 // len(char)))
    assert time.perf_counter() - started < 20  # it takes half a second; quadratic would be hours
