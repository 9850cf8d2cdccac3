"""The shipped topics and the grammar: enough, all different, and no word that gives an option away."""

from __future__ import annotations

import pytest

from hub_toolkit.data.terms import content_stems
from hub_toolkit.errors import DataFormatError
from hub_toolkit.generate.grammar import Grammar, capitalise, load_grammar, parse_grammar
from hub_toolkit.generate.seeding import rng_for
from hub_toolkit.generate.topics import find_shared_words, load_topics, parse_topics


def test_there_are_300_topics_with_four_alternatives_or_more() -> None:
    topics = load_topics()
    assert len(topics) >= 300
    assert min(len(topic.alternatives) for topic in topics) >= 4
    assert min(len(a.words) for topic in topics for a in topic.alternatives) >= 4


def test_no_two_topics_have_the_same_alternatives() -> None:
    sets = [frozenset(a.words for a in topic.alternatives) for topic in load_topics()]
    assert len(set(sets)) == len(sets)
    alternatives = [a.words for topic in load_topics() for a in topic.alternatives]
    assert len(set(alternatives)) == len(alternatives)


def test_alternatives_of_a_topic_share_no_word() -> None:
    assert {topic.key: shared for topic in load_topics() if (shared := find_shared_words(topic))} == {}


def test_a_query_shares_no_word_with_what_tells_its_options_apart() -> None:
    """What all four options share cannot tell them apart; the nouns must not stand in any query."""
    frames = {
        s
        for line in load_grammar().sections["query"]
        for kind, text in line
        if kind == "text"
        for s in content_stems(text)
    }
    found = {
        (topic.key, stem)
        for topic in load_topics()
        for alternative in topic.alternatives
        for stem in content_stems(" ".join(alternative.words))
        if stem in frames
    }
    assert found == set()


def test_the_answer_that_uses_no_liking_has_no_alternatives_word_of_its_own() -> None:
    generic = {s for line in load_grammar().sections["generic"] for _, text in line for s in content_stems(text)}
    needs = {s for topic in load_topics() for s in content_stems(topic.need)}
    queries = {
        s
        for line in load_grammar().sections["query"]
        for kind, text in line
        if kind == "text"
        for s in content_stems(text)
    }
    assert generic & queries == set()
    assert len(generic & needs) < 8


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("a | need | one: w, x, y, z", "fewer than"),
        ("a | need | one: w1q, x | two: y | three: z | four: u", "words; give"),
        (
            "a | need | one: apple, pear, plum, fig | two: apples, b, c, d | three: lamp, desk, chair, rug"
            " | four: goat, cow, hen, sheep",
            "shared inside",
        ),
    ],
)
def test_a_broken_line_is_named(line: str, what: str) -> None:
    with pytest.raises(DataFormatError, match=what) as caught:
        parse_topics("# family\n" + line, file="x.txt")
    assert caught.value.row == 2


def test_every_section_can_be_expanded() -> None:
    grammar = load_grammar()
    slots = dict.fromkeys(
        {value for lines in grammar.sections.values() for line in lines for kind, value in line if kind == "slot"}, "x"
    )
    rng = rng_for(0, "test")
    for name in grammar.sections:
        for _ in range(20):
            text = grammar.expand(name, slots, rng)
            assert text
            assert "{" not in text
            assert "<" not in text


def test_a_section_that_does_not_exist_is_named() -> None:
    with pytest.raises(DataFormatError, match="nowhere"):
        Grammar({"a": ["<nowhere>"]})


def test_sentences_begin_with_a_capital_and_quoted_words_stay() -> None:
    assert capitalise('the lamp broke. so what? one "very" less: "he came."') == (
        'The lamp broke. So what? One "very" less: "He came."'
    )


def test_an_stands_before_vowels() -> None:
    text = capitalise("a idle a usher, a unique a used a united, a umpire, a honest a onion; banana apple")
    assert text == "An idle an usher, a unique a used a united, an umpire, a honest an onion; banana apple"


def test_below_a_starred_section_a_line_holds_several() -> None:
    assert parse_grammar("[a*]\none, two\nthree,\nfour\n[b]\nfive, six,\n") == {
        "a": ["one", "two", "three", "four"],
        "b": ["five, six,"],
    }


def test_no_word_that_fills_a_sentence_is_an_alternatives_own() -> None:
    """Else the history would support what its owner does not like."""
    nouns = {s for topic in load_topics() for a in topic.alternatives for s in content_stems(" ".join(a.words))}
    grammar = load_grammar()
    for section in ("adj", "trait", "someone", "somewhere", "state", "adv", "v_about", "joy", "event", "ed_did"):
        lines = ["".join(text for kind, text in line if kind == "text") for line in grammar.sections[section]]
        assert len(lines) >= 20
        assert [line for line in lines if set(content_stems(line)) & nouns] == []
