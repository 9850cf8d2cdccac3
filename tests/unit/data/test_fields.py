"""One cell each: the published quirks, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from hub_toolkit.data import fields
from hub_toolkit.data.fields import FieldError
from hub_toolkit.types import Message


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("{'role': 'user', 'content': \"It's late\"}", "It's late"),
        ('{"role": "user", "content": "It\'s late"}', "It's late"),
        ("What now?", "What now?"),
        ('"Hello" she said', '"Hello" she said'),
        ('"Hello" "there"', '"Hello" "there"'),
        ("{name} is a placeholder", "{name} is a placeholder"),
        ('{"a": 1}', '{"a": 1}'),
        ("[1, 2]", "[1, 2]"),
        ("42", "42"),
    ],
)
def test_a_question_is_json_else_a_literal_else_text(text: str, query: str) -> None:
    assert fields.parse_user_query(text) == Message("user", query)


def test_a_question_may_hold_an_image() -> None:
    content = [{"type": "text", "text": "Which?"}, {"type": "image_url", "image_url": "data:x"}]
    for text in (repr({"role": "user", "content": content}), json.dumps(content)):
        message = fields.parse_user_query(text)
        assert message.text == "Which?"
        assert message.content[1] == {"type": "image_url", "image_url": {"url": "data:x"}}


@pytest.mark.parametrize(
    "text", ["", "  ", "{'role': 'user', 'content': 'cut o", "{'role': 'robot', 'content': 'a'}", "{'content': None}"]
)
def test_a_broken_question_is_refused(text: str) -> None:
    with pytest.raises(FieldError):
        fields.parse_user_query(text)


def test_hostile_literals_are_text_or_refused_and_never_crash() -> None:
    for text in ("[" * 100_000, "{" * 5_000, "[" + "-" * 50_000 + "1]", "{'a': " * 300):
        assert fields.parse_user_query(text).text == text
    with pytest.raises(FieldError):
        fields.parse_user_query("{'content': " + "[" * 100_000)


def test_a_short_persona_is_plain_or_a_dictionary() -> None:
    assert fields.parse_short_persona("{'persona': \"A nurse's aide\"}") == "A nurse's aide"
    assert fields.parse_short_persona("A nurse") == "A nurse"
    with pytest.raises(FieldError, match="neither JSON nor"):
        fields.parse_short_persona("{'persona': 'A nur")


@pytest.mark.parametrize(
    ("text", "topic"), [(": travel", "travel"), ("Health", "health"), ("  Home  Repair:", "home repair"), ("", "")]
)
def test_topics_are_cleaned(text: str, topic: str) -> None:
    assert fields.parse_topic(text) == topic


@pytest.mark.parametrize(
    ("parse", "text", "words"),
    [
        (fields.parse_int, "3.5", "whole number"),
        (fields.parse_int, "NaN", "whole number"),
        (fields.parse_int, "", "whole number"),
        (fields.parse_int, "١٢", "whole number"),
        (fields.parse_int, "1_0", "whole number"),
        (fields.parse_int, "9" * 5_000, "whole number"),
        (fields.parse_bool, "yes", "truth value"),
        (fields.parse_bool, "", "truth value"),
        (fields.parse_pref_type, "favourite", "unknown pref_type"),
        (fields.parse_who, "me", "unknown who"),
        (fields.parse_text, " \n", "empty"),
        (fields.parse_object, "[]", "JSON object"),
        (fields.parse_object, "{'a': 1}", "broken JSON"),
        (fields.parse_object, '{"a": NaN}', "NaN"),
        (fields.parse_object, '{"a": 1e999}', "too large"),
        (fields.parse_object, '{"a": ' * 100 + "1" + "}" * 100, "deep"),
        (fields.parse_object, '{"a": ' * 100_000, "deep"),
        (fields.parse_incorrect_answers, '["a", "b"]', "found 2"),
        (fields.parse_incorrect_answers, '["a", "b", "c", "d"]', "found 4"),
        (fields.parse_incorrect_answers, '["a", "b", 3]', "a number"),
        (fields.parse_incorrect_answers, '["a", "b", ""]', "an empty text"),
        (fields.parse_incorrect_answers, '{"a": 1}', "an object"),
        (fields.parse_snippet, '[{"role": "bot", "content": "a"}]', "message 1: unknown role"),
        (fields.parse_snippet, "null", "null"),
    ],
)
def test_bad_cells_are_refused(parse: Callable[[str], object], text: str, words: str) -> None:
    with pytest.raises(FieldError, match=words) as caught:
        parse(text)
    assert len(caught.value.message) < 300


@pytest.mark.parametrize(
    "link",
    ["", "/etc/passwd", "../x.json", "data/../../x", "C:\\x", "C:x", "\\\\host\\x", "a\\..\\x", "a\\b", "a\x00b"],
)
def test_links_that_leave_the_folder_are_refused(link: str) -> None:
    with pytest.raises(FieldError):
        fields.parse_link(link)


def test_good_cells() -> None:
    assert fields.parse_link("data/a..b/c.json") == "data/a..b/c.json"
    assert fields.parse_int("-1") == -1
    assert (fields.parse_bool("True"), fields.parse_bool("False")) == (True, False)
    assert fields.parse_optional_text("") is None
    assert fields.parse_snippet('[{"role": "user", "content": "a"}]') == (Message("user", "a"),)


def test_bytes_that_were_not_utf8_are_named() -> None:
    with pytest.raises(FieldError, match="0xff at character 3"):
        fields.check_decoded(b"ab\xff".decode("utf-8", "surrogateescape"))
