"""A memory that a program carries from call to call: the owner's acts on it, what goes back, and what is refused."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from hub_toolkit.errors import PersonaMemError
from hub_toolkit.memory.exports.exports import parse_export
from hub_toolkit.serve.functions import FUNCTIONS, input_schema
from personamem_ui import carried_memory
from personamem_ui.carried_memory import MAX_CHARS, MAX_PAST, open_carried
from personamem_ui.memory_api import MEMORY_FUNCTIONS, make_calls, run_function

CHAT = [
    {"role": "user", "content": "I bake sourdough bread every Saturday."},
    {"role": "user", "content": "I moved to Leeds in May."},
    {"role": "user", "content": "I started knitting mittens for my daughter."},
]
Memory = dict[str, Any]


def as_sent(value: Any) -> Any:
    """What a program holds: it went over the wire, and JavaScript writes 1 for 1.0."""
    return json.loads(json.dumps(value).replace(": 1.0,", ": 1,"))


def act(memory: Memory | None, name: str, **arguments: Any) -> Memory:
    return dict(as_sent(run_function(name, as_sent(memory), arguments)))


def texts(memory: Memory) -> list[str]:
    return [bullet["text"] for bullet in act(memory, "show")["bullets"]]


@pytest.fixture(scope="module")
def memory() -> Memory:
    return dict(act(None, "remember", messages=CHAT, session="s1")["memory"])


def test_the_calls_are_those_of_a_served_memory_with_the_memory_before_their_arguments() -> None:
    async def answer(work: Callable[[], Memory]) -> Memory:
        return work()

    calls = {call.__name__: call for call in make_calls(answer)}
    assert set(calls) == set(FUNCTIONS) - {"receipts"} == set(MEMORY_FUNCTIONS)
    for name, call in calls.items():
        schema, parameters = input_schema(name), inspect.signature(call).parameters
        assert list(parameters) == ["memory", *schema["properties"]]
        required = [one for one, found in parameters.items() if found.default is found.empty]
        assert required == ["memory", *schema.get("required", ())]
        assert all(f"{one}: " in (call.__doc__ or "") for one in parameters)
    shown: Awaitable[Memory] = calls["recall"](None, "bread")
    assert asyncio.run(_wait(shown))["bullets"] == ()


async def _wait(work: Awaitable[Memory]) -> Memory:
    return await work


def test_the_owner_acts_and_the_memory_comes_back_changed(memory: Memory) -> None:
    assert texts(memory) == [message["content"] for message in CHAT]
    assert act(memory, "remember", messages=CHAT, session="s1")["num_read"] == 0  # known already
    assert "sourdough" in act(memory, "recall", query="Which bread?")["text"]
    assert act(memory, "why", bullet_id="m1")["is_supported"]
    edited = act(memory, "edit", bullet_id="m1", text="I bake rye bread")
    assert edited["changed"] == ["m1"] and texts(edited["memory"])[0] == "I bake rye bread"
    undone = act(edited["memory"], "undo")["memory"]
    assert texts(undone)[0] == CHAT[0]["content"]
    assert texts(act(undone, "redo")["memory"])[0] == "I bake rye bread"
    assert texts(memory)[0] == CHAT[0]["content"]  # what was sent stays as it was
    kinds = [version["kind"] for version in act(undone, "log")["versions"]]
    assert kinds == ["update", "edit", "undo"]
    exported = act(undone, "export")["content"]
    assert texts(json.loads(exported)) == texts(undone)


def test_what_is_forgotten_or_forbidden_leaves_the_states_before_too(memory: Memory) -> None:
    later = act(memory, "add", text="I like tea")["memory"]
    assert "knitting" in json.dumps(later["past"])
    shown = act(later, "preview_forget", text="knitting")["bullets"]
    forgotten = act(later, "forget", text="knitting")
    assert [bullet["text"] for bullet in shown] == [CHAT[2]["content"]] and forgotten["num_bullets"] == 1
    assert {receipt["kind"] for receipt in forgotten["receipts"]} == {"forgotten", "purged"}
    assert "knitting" not in json.dumps(forgotten["memory"])
    again = act(forgotten["memory"], "remember", messages=[{"role": "user", "content": "I like knitting a lot."}])
    assert not again["added"] and again["receipts"]
    assert [b["text"] for b in act(again["memory"], "preview_rule", text="never remember where I live")["bullets"]] == [
        CHAT[1]["content"]
    ]
    ruled = act(again["memory"], "set_rule", text="never remember where I live")
    assert "Leeds" not in json.dumps(ruled["memory"]) and ruled["rule"]["id"] == "r1"
    assert "Leeds" not in json.dumps(act(ruled["memory"], "undo", to=1))
    lifted = act(ruled["memory"], "remove_rule", rule_id="r1")["memory"]
    assert "Leeds" not in json.dumps(lifted)


def test_so_many_states_are_carried_and_undo_ends_at_the_first(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    carried = memory
    for number in range(MAX_PAST + 4):
        carried = act(carried, "add", text=f"I own the boat number {number}")["memory"]
    assert len(carried["past"]) == MAX_PAST
    undone = act(act(carried, "undo")["memory"], "undo")["memory"]
    assert texts(undone)[-1] == f"I own the boat number {MAX_PAST + 1}"
    assert texts(act(undone, "redo")["memory"])[-1] == f"I own the boat number {MAX_PAST + 2}"
    with pytest.raises(PersonaMemError, match="nothing to undo: what was before is not in this memory"):
        for _ in range(MAX_PAST):
            undone = act(undone, "undo")["memory"]
    assert texts(undone)  # never the empty memory
    monkeypatch.setattr(carried_memory, "MAX_PAST_CHARS", 3_000)
    assert 0 < len(act(memory, "add", text="I like tea")["memory"]["past"]) < 3
    assert act(None, "undo", to=0)["memory"]["past"] == []


def test_an_export_of_the_page_and_what_build_memory_returns_are_taken(memory: Memory) -> None:
    memory = act(memory, "pin", bullet_id="m1")["memory"]
    exported = {name: memory[name] for name in memory if name != "past"}
    assert parse_export(json.dumps(exported)).state.document.bullets  # what goes out can be uploaded on the page
    document = open_carried(memory).show().document.as_dict()
    for other in (exported, as_sent(document)):
        assert texts(other) == texts(memory)
        with pytest.raises(PersonaMemError, match="nothing to undo"):
            act(other, "undo")
        assert texts(act(act(other, "add", text="I like tea")["memory"], "undo")["memory"]) == texts(memory)


def test_no_call_knows_of_another(memory: Memory) -> None:
    assert texts(memory)
    assert act(None, "show")["bullets"] == [] and act({}, "show")["bullets"] == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: [m], "no object"),
        (lambda _: {"a": 1}, "not a memory"),
        (lambda m: {**m, "format_version": 99}, "update the toolkit"),
        (lambda m: {**m, "memory": None}, "the memory is missing"),
        (lambda m: {**m, "padding": "x" * MAX_CHARS}, "longer than"),
        (lambda m: {**m, "past": ["x" * MAX_CHARS]}, "longer than"),
        (lambda m: {**m, "past": [{}] * (MAX_PAST + 1)}, "`past` is no list of at most"),
        (lambda m: {**m, "past": "x"}, "`past` is no list"),
        (lambda m: {**m, "past": [{"document": []}]}, "leave `past` out"),
        (lambda m: replaced(m, "time", "yesterday"), "is no time"),
        (lambda m: replaced(m, "cap_tokens", 10**6), "a machine of its own"),
        (lambda m: replaced(m, "weight", "heavy"), "expected a number"),
    ],
)
def test_what_is_no_memory_is_refused_with_what_to_do(
    memory: Memory, change: Callable[[Memory], Any], said: str
) -> None:
    with pytest.raises(PersonaMemError, match=said):
        run_function("show", change(as_sent(memory)), {})


def replaced(value: Any, name: str, by: Any) -> Any:
    """Return JSON with another value under a name, wherever that stands."""
    if isinstance(value, list):
        return [replaced(one, name, by) for one in value]
    if not isinstance(value, dict):
        return value
    return {key: by if key == name else replaced(one, name, by) for key, one in value.items()}


def test_arguments_are_checked_as_by_a_served_memory(memory: Memory) -> None:
    for arguments, said in (({}, "missing"), ({"query": 1}, "string"), ({"query": "x", "max_tokens": 1}, "between")):
        with pytest.raises(PersonaMemError, match=said):
            run_function("recall", memory, arguments)
    with pytest.raises(PersonaMemError, match="no bullet of this id"):
        act(memory, "why", bullet_id="m99")
    huge = [{"role": "user", "content": "x" * 2**20}] * 3
    with pytest.raises(PersonaMemError, match="several calls"):
        act(memory, "remember", messages=huge)
