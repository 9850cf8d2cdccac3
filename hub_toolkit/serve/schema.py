"""JSON Schema of a dataclass, and reading one from JSON: what a function takes is written down once."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, field, fields, is_dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from hub_toolkit.data.fields import FieldError, parse_message
from hub_toolkit.errors import DataFormatError
from hub_toolkit.types import Message

_UNSPOKEN = ("developer", "tool", "function")
"""Roles of an agent's chat that are nobody's word."""

MESSAGE_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "role": {"enum": ["user", "assistant", "system", *_UNSPOKEN]},
        "content": {"description": "A text, or a list of parts as chat endpoints take them; none beside tool_calls."},
    },
    "required": ["role"],
}
_PLAIN: dict[Any, str] = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}
_T = TypeVar("_T")


def argument(about: str, *, default: Any = MISSING, **limits: int) -> Any:
    """Return a field of an argument class; `limits` are JSON Schema's: maxLength, minimum, maximum, maxItems."""
    return field(default=default, metadata={"description": about, "limits": limits})


def schema_of(kind: Any) -> dict[str, Any]:
    """Return the JSON Schema of a type: plain types, literals, unions, tuples, `Message` and dataclasses of these."""
    if kind is Message:
        return MESSAGE_SCHEMA
    if kind in _PLAIN:
        return {"type": _PLAIN[kind]}
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Literal:
        return {"enum": list(inner)}
    if origin in (Union, types.UnionType):
        return {"anyOf": [schema_of(one) for one in inner]}
    if origin is tuple:
        return _tuple_schema(inner)
    if is_dataclass(kind):
        return _object_schema(kind)
    raise TypeError(f"{kind!r} has no JSON Schema here")


def _tuple_schema(inner: tuple[Any, ...]) -> dict[str, Any]:
    if len(inner) == 2 and inner[1] is Ellipsis:
        return {"type": "array", "items": schema_of(inner[0])}
    items = [schema_of(one) for one in inner]
    return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}


def _object_schema(kind: Any) -> dict[str, Any]:
    hints, properties, required = get_type_hints(kind), {}, []
    for one in fields(kind):
        shown = {**schema_of(hints[one.name]), **one.metadata.get("limits", {})}
        if about := one.metadata.get("description"):
            shown["description"] = about
        if _is_required(one):
            required.append(one.name)
        elif one.default is not MISSING and one.default is not None:
            shown["default"] = one.default
        properties[one.name] = shown
    found: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**found, "required": required} if required else found


def _is_required(one: Field[Any]) -> bool:
    return one.default is MISSING and one.default_factory is MISSING


def parse_arguments(kind: type[_T], raw: object) -> _T:
    """Read the arguments of a call.

    Raises: DataFormatError: naming the argument that is missing, unknown, of another type, or over its limit.
    """
    if not isinstance(raw, Mapping):
        raise DataFormatError("the arguments are no JSON object; write {} where there are none")
    known = {one.name: one for one in fields(kind)}  # type: ignore[arg-type]
    if unknown := sorted(str(name) for name in raw.keys() - known.keys()):
        shown = unknown[0][:40]
        raise DataFormatError(f"there is no such argument; take one of {', '.join(known) or 'none'}", column=shown)
    hints, values = get_type_hints(kind), {}
    for name, one in known.items():
        if name in raw:
            values[name] = _parse_value(hints[name], raw[name], name)
            _check_limits(one.metadata.get("limits", {}), values[name], name)
        elif _is_required(one):
            raise DataFormatError("it is missing; the function needs it", column=name)
    return kind(**values)


def _parse_value(kind: Any, raw: object, name: str) -> Any:
    if kind is Message:
        return _parse_message(raw, name)
    if get_origin(kind) in (Union, types.UnionType):
        return None if raw is None else _parse_value(get_args(kind)[0], raw, name)
    if get_origin(kind) is tuple:
        if not isinstance(raw, list):
            raise DataFormatError("it must be a list", column=name)
        return tuple(_parse_value(get_args(kind)[0], one, f"{name}[{place}]") for place, one in enumerate(raw))
    if get_origin(kind) is Literal:
        if raw not in get_args(kind):
            raise DataFormatError(f"it must be one of {', '.join(map(str, get_args(kind)))}", column=name)
        return raw
    # A JSON true is no number, although Python takes it for one.
    if not isinstance(raw, kind) or (isinstance(raw, bool) and kind is not bool):
        raise DataFormatError(f"it must be of type {_PLAIN[kind]}", column=name)
    return raw


def _parse_message(raw: object, name: str) -> Message:
    """Read a message; tool calls and what tools answer are read as a system's, which no memory listens to."""
    if isinstance(raw, Mapping) and (
        raw.get("role") in _UNSPOKEN or (raw.get("content") is None and raw.get("tool_calls"))
    ):
        return Message("system", "")
    try:
        return parse_message(raw)
    except FieldError as error:
        raise DataFormatError(error.message, column=".".join(filter(None, (name, error.column)))) from None


def _check_limits(limits: Mapping[str, int], value: Any, name: str) -> None:
    if isinstance(value, str):
        if len(value) > limits.get("maxLength", len(value)):
            message = f"it has {len(value):,} characters, {limits['maxLength']:,} are allowed; send less"
            raise DataFormatError(message, column=name)
        if len(value.strip()) < limits.get("minLength", 0):
            raise DataFormatError("it is empty; write a text", column=name)
    elif isinstance(value, tuple):
        if not limits.get("minItems", 0) <= len(value) <= limits.get("maxItems", len(value)):
            allowed = f"{limits.get('minItems', 0):,} to {limits['maxItems']:,}"
            raise DataFormatError(f"it has {len(value):,} items, {allowed} are allowed", column=name)
    elif isinstance(value, int) and not limits.get("minimum", value) <= value <= limits.get("maximum", value):
        low, high = limits.get("minimum"), limits.get("maximum")
        raise DataFormatError(f"it must be between {low} and {high}", column=name)
