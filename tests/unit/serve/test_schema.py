"""Arguments of a served function: read from JSON, refused by name, described by JSON Schema."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from hub_toolkit.errors import DataFormatError
from hub_toolkit.serve.functions import (
    FUNCTIONS,
    MAX_TEXT_CHARS,
    Edit,
    Recall,
    Remember,
    input_schema,
    output_schema,
    summary,
)
from hub_toolkit.serve.schema import MESSAGE_SCHEMA, parse_arguments
from hub_toolkit.types import Message


def test_the_promised_functions_are_there_and_described() -> None:
    assert {"remember", "recall", "why", "edit", "forget", "set_rule", "export"} <= FUNCTIONS.keys()
    for name in FUNCTIONS:
        for schema in (input_schema(name), output_schema(name)):
            jsonschema.Draft202012Validator.check_schema(schema)
        assert summary(name).endswith(".") and "user" not in input_schema(name)["properties"]


def test_arguments_are_read() -> None:
    assert parse_arguments(Recall, {"query": "茶道 🍵"}) == Recall("茶道 🍵", 512)
    found = parse_arguments(Remember, {"messages": [{"role": "user", "content": "hi"}], "session": None})
    assert found == Remember((Message("user", "hi"),))
    call = {"role": "assistant", "content": None, "tool_calls": [{"id": "c1"}]}
    chat = [{"role": "user", "content": "hi"}, call, {"role": "tool", "content": "I love jazz", "tool_call_id": "c1"}]
    assert [m.role for m in parse_arguments(Remember, {"messages": chat}).messages] == ["user", "system", "system"]
    for message in chat:
        jsonschema.validate(message, MESSAGE_SCHEMA)


@pytest.mark.parametrize(
    ("kind", "raw", "says"),
    [
        (Recall, [], "no JSON object"),
        (Recall, {}, "query: it is missing"),
        (Recall, {"query": 3}, "query: it must be of type string"),
        (Recall, {"query": " "}, "query: it is empty"),
        (Recall, {"query": "x" * (MAX_TEXT_CHARS + 1)}, "20,000 are allowed"),
        (Recall, {"query": "x", "max_tokens": True}, "max_tokens: it must be of type integer"),
        (Recall, {"query": "x", "max_tokens": 9}, "between 16 and 8192"),
        (Recall, {"query": "x", "user": "bob"}, "user: there is no such argument"),
        (Edit, {"bullet_id": "m" * 65, "text": "x"}, "64 are allowed"),
        (Remember, {"messages": []}, "0 items"),
        (Remember, {"messages": "hi"}, "must be a list"),
        (Remember, {"messages": [{"role": "boss", "content": "x"}]}, r"messages\[0\].role: unknown role"),
        (FUNCTIONS["export"], {"format": "exe"}, "one of json, markdown"),
    ],
)
def test_wrong_arguments_are_named(kind: type[Any], raw: object, says: str) -> None:
    with pytest.raises(DataFormatError, match=says):
        parse_arguments(kind, raw)
