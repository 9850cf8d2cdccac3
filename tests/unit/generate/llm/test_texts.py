"""What is seen without a model: replies, artefacts, leaks, near-duplicates."""

from __future__ import annotations

import pytest

from hub_toolkit.generate.inspection.neighbours import find_neighbours
from hub_toolkit.generate.llm.near_duplicates import Rarity, find_near_duplicates
from hub_toolkit.generate.llm.questions import false_value
from hub_toolkit.generate.llm.records import Secret
from hub_toolkit.generate.llm.shapes import Fault, FitsReply, VoteReply, read_shape
from hub_toolkit.generate.llm.text_checks import find_artefact, find_leak, find_unlike_form, holds_secret, is_stated
from tests.generate_judges import invented

GOOD = '{"reason": "it shows", "verdict": "self"}'


THOUGHT = '<think>\nPerhaps {"verdict": "others"}?\n</think>\n\n'


@pytest.mark.parametrize(
    "text", [GOOD, f"```json\n{GOOD}\n```", f"  {GOOD}\n", THOUGHT + GOOD, f"it shows, I think</think>\n{GOOD}"]
)
def test_a_strict_reply_is_read(text: str) -> None:
    assert read_shape(text, VoteReply, is_cut=False).verdict == "self"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("I'm sorry, but I can't help with that.", "refusal"),
        ("I cannot write this.", "refusal"),
        (f"Sure! {GOOD}", "bad_json"),
        (f"{GOOD} {GOOD}", "bad_json"),
        ('{"reason": "x"}', "bad_json"),
        ('{"reason": "x", "verdict": true}', "bad_json"),
        ('{"reason": "x", "verdict": "self", "more": 1}', "bad_json"),
        ('{"reason": "x", "reason": "y", "verdict": "self"}', "bad_json"),
        ('["self"]', "bad_json"),
        ("", "bad_json"),
        (GOOD[:-1], "bad_json"),
        (THOUGHT, "bad_json"),
        (f"{THOUGHT}I'm sorry, I cannot.", "refusal"),
        ('{"reason": "x", "verdict": "se\\u0000lf"}', "bad_json"),
        ('{"reason": "x", "verdict": "\\u001b[1mself"}', "bad_json"),
    ],
)
def test_anything_else_is_a_fault_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(Fault) as caught:
        read_shape(text, VoteReply, is_cut=False)
    assert caught.value.reason == reason


def test_booleans_are_not_guessed_from_words_or_numbers() -> None:
    for value in ('["true", "false"]', "[1, 0]", '"true"'):
        with pytest.raises(Fault):
            read_shape(f'{{"reason": "", "fits": {value}}}', FitsReply, is_cut=False)


def test_a_reply_that_broke_off_is_never_read() -> None:
    with pytest.raises(Fault, match="cut"):
        read_shape(GOOD, VoteReply, is_cut=True)


@pytest.mark.parametrize(
    "text",
    [
        "Sure, here is the answer: walk by the river.",
        "Certainly! Walk by the river.",
        "A) Walk by the river.",
        "Answer: walk by the river.",
        "As an AI, I would walk.",
        "Since you mentioned rivers, walk there.",
        "Based on your preferences, walk.",
        "**Walk** by the river.",
        "```\nwalk\n```",
        "Walk by [place].",
        "Walk by the river and...",
        "Walk by {{place}}.",
    ],
)
def test_artefacts_are_found(text: str) -> None:
    assert find_artefact(text)


@pytest.mark.parametrize(
    "text",
    [
        "Walk by the river, and take a thermos along.",
        "A morning by the river suits most people: start early.",
        "Make sure the boots are dry; here is where most go wrong.",
        "What could I cook for ten people on Sunday?",
        "¿Qué podría cocinar el domingo?",
        "The answer to rain is a good coat.",
    ],
)
def test_clean_texts_pass(text: str) -> None:
    assert find_artefact(text) is None


def test_a_place_to_fill_in_is_clean_only_where_data_belongs() -> None:
    text = "I confirm my account: [please fill in]."
    assert find_artefact(text) and find_artefact(text, has_places=True) is None


def test_a_query_leaks_by_the_words_of_one_preference_and_not_by_those_of_the_topic() -> None:
    preferences = ("Prefers crime novels with a locked room", "Prefers family sagas over generations")
    assert find_leak(
        "Which crime story with a locked door would you read?", preferences, "novels a book for the bedside"
    )
    assert find_leak("Which book should I put beside my bed?", preferences, "novels a book for the bedside") is None
    assert find_leak("Which novels are good?", preferences, "novels a book for the bedside") is None


def test_options_of_one_text_or_of_lengths_far_apart_are_unlike() -> None:
    fine = [
        "Walk by the river at dawn.",
        "Swim a few lanes at noon.",
        "Row across the lake at dusk.",
        "Climb the hill.",
    ]
    assert find_unlike_form(fine) is None
    assert find_unlike_form([*fine[:3], "Walk by the river at dawn!"])
    assert find_unlike_form([*fine[:3], fine[3] * 20])


def test_a_preference_is_stated_when_it_stands_there_word_for_word() -> None:
    preference = "Prefers crime novels with a locked room"
    assert is_stated(preference, ["Hello", "By the way, she prefers crime novels with a locked room and tea."])
    assert not is_stated(preference, ["The inspector stood in the locked room and counted the novels."])


@pytest.mark.parametrize("value", ["4711 0815 2342", "Lindenweg 7, Aldorf", "sk-abc123XYZ", "----"])
def test_a_false_value_has_the_shape_of_the_secret_and_is_another(value: str) -> None:
    secret = Secret("q00000.m0.sensitive.00", 0, "card", value)
    false = false_value(secret)
    assert false != value and false == false_value(secret)
    if any(char.isalnum() for char in value):
        assert len(false) == len(value)
        assert not holds_secret(f"It is {false}.", value)
        assert holds_secret(f"It is {value.replace(' ', '-')}.", value)


def test_one_pattern_about_different_things_is_no_duplicate_and_a_copy_is_one() -> None:
    pattern = "What could I do about {a} this weekend?\nStart with the {a} early, keep the {b} for later and rest well."
    texts = [(f"t{i}", pattern.format(a=f"{invented(i)} {invented(i, i)}", b=invented("thing", i))) for i in range(60)]
    assert find_near_duplicates(texts, 0.5) == {}
    copies = [*texts, ("copy", texts[7][1].replace("rest well", "sleep well")), ("again", texts[7][1])]
    assert find_near_duplicates(copies, 0.5) == {"copy": "t7", "again": "t7"}


def test_a_text_that_came_a_thousand_times_is_kept_once() -> None:
    texts = [(str(i), "Where would you go for a quiet evening with a book in town?") for i in range(1000)]
    assert len(find_near_duplicates([*texts, ("other", "How do I dry mushrooms at home?")], 0.5)) == 999


def test_preferences_of_one_pattern_are_told_apart_by_their_rare_words() -> None:
    texts = [
        f"Likes to spend a free evening with a round of {game} among friends." for game in ("chess", "darts", "go fish")
    ]
    rarity = Rarity([*texts, "Wants tea without sugar.", texts[0].replace("Likes", "Loves")])
    assert rarity.likeness(texts[0], texts[1]) < 0.8 <= rarity.likeness(texts[0], texts[0])


UNSPACED = {
    "zh": (
        "喜欢在河边散步,喝乌龙茶",
        "我说过,我喜欢在河边散步,喝乌龙茶,你知道。",
        "昨天把船拖上岸,泡了一壶茶,看了会儿书。",
    ),
    "ja": (
        "川沿いの散歩と烏龍茶が好き",
        "前にも言ったけど川沿いの散歩と烏龍茶が好きなんだ。",
        "昨日は船を岸に上げてお茶を淹れた。",
    ),
    "th": ("ชอบเดินเล่นริมแม่น้ำ", "เคยบอกแล้วว่าชอบเดินเล่นริมแม่น้ำมาก", "เมื่อวานลากเรือขึ้นฝั่งแล้วชงชา"),
}


@pytest.mark.parametrize("language", UNSPACED)
def test_scripts_without_spaces_are_compared_by_letters(language: str) -> None:
    preference, stated, shown = UNSPACED[language]
    assert is_stated(preference, [stated]) and not is_stated(preference, [shown])
    again = find_near_duplicates([("a", stated), ("b", f"{stated[:4]}{stated[5:]}"), ("c", shown)], 0.5)
    assert again == {"b": "a"}
    (pair,) = find_neighbours({"left": stated}, {"right": f"{stated[2:]}!", "other": shown}, num_words=3)
    assert pair.right == "right" and pair.similarity > 0.6
