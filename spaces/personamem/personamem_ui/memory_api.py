"""What the owner of a memory does, for programs: the functions of `personamem memory serve`, on a memory sent along."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from inspect import Parameter, Signature
from typing import Any, get_args, get_origin, get_type_hints

from hub_toolkit.serve.functions import FUNCTIONS, Remember, Undo, input_schema, summary, to_json
from hub_toolkit.serve.schema import parse_arguments
from hub_toolkit.types import Message
from personamem_ui.carried_memory import JsonObject, carry, check_chat, check_undo, open_carried

MEMORY_FUNCTIONS = tuple(name for name in FUNCTIONS if name != "receipts")
"""Receipts stand in the answer of the call that made them: a memory that is carried holds none."""

_MEMORY = "The memory that the last call returned, or an exported one; null for an empty one."


def run_function(name: str, memory: object, arguments: JsonObject) -> JsonObject:
    """Do one thing to a memory; where it may change, its new state is in the answer as `memory`.

    Raises: PersonaMemError: as the function, or the memory cannot be read.
    """
    kind = FUNCTIONS[name]
    function = parse_arguments(kind, arguments)
    if isinstance(function, Remember):
        check_chat(function.messages)
    opened = open_carried(memory)
    if isinstance(function, Undo) and function.to is None:
        check_undo(opened)
    found = to_json(function.run(opened))
    if kind.is_read_only:
        return found
    # The store of a call begins without receipts: those in it are this call's.
    return {**found, "receipts": [asdict(receipt) for receipt in opened.receipts()], "memory": carry(opened)}


def make_calls(answer: Callable[[Callable[[], JsonObject]], Awaitable[JsonObject]]) -> list[Callable[..., Any]]:
    """Return one function for each act, with the names and arguments of a served memory, and `memory` before them."""
    return [_make_call(name, answer) for name in MEMORY_FUNCTIONS]


def _make_call(name: str, answer: Callable[[Callable[[], JsonObject]], Awaitable[JsonObject]]) -> Callable[..., Any]:
    hints = get_type_hints(FUNCTIONS[name])
    schema = input_schema(name)
    required = set(schema.get("required", ()))
    parameters = [Parameter("memory", Parameter.POSITIONAL_OR_KEYWORD, annotation=JsonObject | None)]
    for argument, described in schema["properties"].items():
        default = Parameter.empty if argument in required else described.get("default")
        kind = _shown_kind(hints[argument])
        parameters.append(Parameter(argument, Parameter.POSITIONAL_OR_KEYWORD, default=default, annotation=kind))
    signature = Signature(parameters, return_annotation=JsonObject)

    async def call(*values: Any, **named: Any) -> JsonObject:
        given = dict(signature.bind(*values, **named).arguments)
        memory = given.pop("memory")
        return await answer(lambda: run_function(name, memory, given))

    call.__name__ = call.__qualname__ = name
    call.__doc__ = _describe(name, schema)
    call.__signature__ = signature  # type: ignore[attr-defined]
    call.__annotations__ = {p.name: p.annotation for p in parameters} | {"return": JsonObject}
    return call


def _shown_kind(kind: Any) -> Any:
    """Return a type as the API shows it: messages are objects."""
    if get_origin(kind) is tuple and get_args(kind)[0] is Message:
        return list[JsonObject]
    return kind


def _describe(name: str, schema: JsonObject) -> str:
    lines = [f"    memory: {_MEMORY}"]
    lines += [f"    {argument}: {found.get('description', '')}" for argument, found in schema["properties"].items()]
    return "\n".join([summary(name), "", "Args:", *lines])
