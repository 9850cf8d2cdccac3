"""What stands in one cell or one JSON message: pure parsers, each with the quirks of the published files."""

from __future__ import annotations

import ast
import json
import math
import re
import warnings
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, NoReturn, cast

from hub_toolkit.data.schema import NUM_INCORRECT, PREF_TYPES
from hub_toolkit.types import ROLES, Message, Role

MAX_JSON_DEPTH = 64
"""Nesting from which a JSON text is refused; published personas nest five deep."""

WHO = ("self", "others")
"""Whose preference a question is about."""

_EXCERPT_CHARS = 60
_INTEGER = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_SERIALISED = re.compile(r"""\s*[\[{]\s*(?:\{\s*)?['"](?:role|content|type|persona)['"]\s*:""")
_TOPIC_EDGE = re.compile(r"^[\W_]+|[\s:;,.\"'*_\-]+$")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class FieldError(ValueError):
    """A value is not what its column holds. `column` names the part of a message, where it is one."""

    def __init__(self, message: str, *, column: str | None = None) -> None:
        self.message, self.column = message, column
        super().__init__(message)


def excerpt(value: object) -> str:
    """Quote a value for an error message: one short line without control characters."""
    shown = repr(value[: _EXCERPT_CHARS + 1] if isinstance(value, str) else value)
    return shown if len(shown) <= _EXCERPT_CHARS + 2 else shown[:_EXCERPT_CHARS] + "…"


def check_decoded(text: str) -> str:
    """Return `text` unless it holds what UTF-8 cannot.

    Raises: FieldError: bytes that were not UTF-8 (kept as lone surrogates by the reader), or an escaped half pair.
    """
    try:
        text.encode()  # much faster than looking for the characters
    except UnicodeEncodeError as error:
        found = error.start
    else:
        return text
    code = ord(text[found])
    if 0xDC80 <= code <= 0xDCFF:
        what = f"is not valid UTF-8 (byte 0x{code - 0xDC00:02x} at character {found + 1})"
    else:
        what = f"holds half a surrogate pair (\\u{code:04x} at character {found + 1})"
    raise FieldError(f"the text {what}; save it as UTF-8")


def parse_int(text: str) -> int:
    """Raises: FieldError: not a whole number."""
    if not _INTEGER.fullmatch(text):
        raise FieldError(f"{excerpt(text)} is not a whole number; write digits only, as in 31842")
    return int(text)


def parse_bool(text: str) -> bool:
    """Raises: FieldError: neither `True` nor `False`."""
    if text not in ("True", "False"):
        raise FieldError(f"{excerpt(text)} is not a truth value; write True or False")
    return text == "True"


def parse_text(text: str) -> str:
    """Raises: FieldError: the cell is empty."""
    if not text.strip():
        raise FieldError("the cell is empty; fill it in or remove the row")
    return text


def parse_optional_text(text: str) -> str | None:
    """An empty cell is None."""
    return text if text.strip() else None


def parse_pref_type(text: str) -> str:
    """Raises: FieldError: not one of the published types."""
    if text not in PREF_TYPES:
        raise FieldError(f"unknown pref_type {excerpt(text)}; use one of {', '.join(PREF_TYPES)}")
    return text


def parse_who(text: str) -> str:
    """Raises: FieldError: neither `self` nor `others`."""
    if text not in WHO:
        raise FieldError(f"unknown who {excerpt(text)}; use one of {', '.join(WHO)}")
    return text


def parse_topic(text: str) -> str:
    """Clean artefacts such as `": travel"` and mixed case from a topic."""
    return " ".join(_TOPIC_EDGE.sub("", text).split()).lower()


def parse_link(text: str) -> str:
    """Return a path that stays inside the dataset's folder as far as its text tells.

    Raises: FieldError: empty, absolute, with `..`, a drive, a backslash or a control character.
    """
    advice = "use a path relative to the dataset's folder, with forward slashes"
    if not text.strip():
        raise FieldError(f"the link is empty; {advice}")
    if PurePosixPath(text).is_absolute() or PureWindowsPath(text).drive or text.startswith("\\"):
        raise FieldError(f"the link {excerpt(text)} is absolute; {advice}")
    if ".." in re.split(r"[/\\]", text):
        raise FieldError(f"the link {excerpt(text)} leaves the dataset's folder; {advice}")
    if "\\" in text or _CONTROL.search(text):
        raise FieldError(f"the link {excerpt(text)} holds a character that paths here do not; {advice}")
    return text


def parse_json(text: str, *, max_depth: int = MAX_JSON_DEPTH, is_unique: bool = False) -> Any:
    """Parse strict JSON; `is_unique` refuses a name that stands twice in one object.

    Raises: FieldError: broken, nested deeper than `max_depth`, with NaN or infinity, or with half a surrogate pair.
    """
    hook = _refuse_doubles if is_unique else None
    try:
        value = json.loads(text, parse_constant=_refuse_constant, parse_float=_parse_finite, object_pairs_hook=hook)
    except RecursionError:
        raise FieldError(f"the JSON is nested too deeply; {max_depth} levels are allowed") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, character {error.colno}"
        raise FieldError(f"broken JSON ({error.msg} at {place}); write it with a JSON library") from None
    except FieldError:
        raise
    except ValueError:
        raise FieldError("broken JSON (a number of thousands of digits); leave it out") from None
    check_depth(value, max_depth=max_depth)
    if "\\u" in text:
        check_decoded(json.dumps(value, ensure_ascii=False))
    return value


def _refuse_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise FieldError(f"{excerpt(next(name for name in found if names.count(name) > 1))} stands twice; keep one")
    return found


def check_depth(value: object, *, max_depth: int) -> None:
    """Raises: FieldError: lists and objects nested deeper than `max_depth`."""
    level, depth = [value], 0
    while level:
        level = [child for node in level if isinstance(node, list | dict) for child in _children(node)]
        depth += 1
        if depth >= max_depth and any(isinstance(node, list | dict) for node in level):
            raise FieldError(f"the JSON is nested too deeply; {max_depth} levels are allowed")


def parse_object(text: str) -> dict[str, Any]:
    """Raises: FieldError: not a JSON object."""
    value = parse_json(text)
    if not isinstance(value, dict):
        raise FieldError(f"expected a JSON object, found {_kind(value)}")
    return value


def parse_incorrect_answers(text: str) -> tuple[str, ...]:
    """Raises: FieldError: not a JSON list of exactly three texts."""
    value = parse_json(text)
    if not isinstance(value, list):
        raise FieldError(f"expected a JSON list of {NUM_INCORRECT} texts, found {_kind(value)}")
    if len(value) != NUM_INCORRECT:
        raise FieldError(f"expected {NUM_INCORRECT} incorrect answers, found {len(value)}; add or remove some")
    for place, answer in enumerate(value, 1):
        if not isinstance(answer, str) or not answer.strip():
            raise FieldError(f"incorrect answer {place} is {_kind(answer)}; write a text")
    return tuple(value)


def parse_snippet(text: str) -> tuple[Message, ...]:
    """Raises: FieldError: not a JSON list of messages."""
    value = parse_json(text)
    if not isinstance(value, list):
        raise FieldError(f"expected a JSON list of messages, found {_kind(value)}")
    messages = []
    for place, raw in enumerate(value, 1):
        try:
            messages.append(parse_message(raw))
        except FieldError as error:
            raise FieldError(f"message {place}: {error.message}") from None
    return tuple(messages)


def parse_user_query(text: str) -> Message:
    """Read a question: JSON, else a Python literal, else the text itself.

    Raises: FieldError: the cell is empty, or a serialised message that can be read in neither way.
    """
    value = _parse_serialised(parse_text(text))
    if isinstance(value, dict) and "content" in value:
        message = parse_message({"role": "user", **value})
    elif isinstance(value, list) and value and all(isinstance(part, dict) and "type" in part for part in value):
        message = parse_message({"role": "user", "content": value})
    else:
        message = Message("user", value if isinstance(value, str) else text)
    check_decoded(message.text)
    return message


def parse_short_persona(text: str) -> str:
    """Read a persona's line: plain text, or the `persona` of a dictionary.

    Raises: FieldError: the cell is empty, or a dictionary that cannot be read.
    """
    value = _parse_serialised(parse_text(text))
    if isinstance(value, dict) and isinstance(value.get("persona"), str):
        return check_decoded(value["persona"])
    return value if isinstance(value, str) else text


def parse_message(raw: object) -> Message:
    """Read one `{"role", "content"}`.

    Raises: FieldError: with `column` `role` or `content` where one of them is at fault.
    """
    if not isinstance(raw, dict):
        raise FieldError(f"a message is {_kind(raw)}; write an object with role and content")
    role = raw.get("role")
    if role not in ROLES:
        what = "the role is missing" if "role" not in raw else f"unknown role {excerpt(role)}"
        raise FieldError(f"{what}; use one of {', '.join(ROLES)}", column="role")
    if "content" not in raw:
        raise FieldError("the content is missing; write a text or a list of parts", column="content")
    return Message(cast("Role", role), _parse_content(raw["content"]))


def _parse_content(content: object) -> str | list[dict[str, Any]]:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise FieldError(f"the content is {_kind(content)}; write a text or a list of parts", column="content")
    return [_parse_part(part, place) for place, part in enumerate(content, 1)]


def _parse_part(part: object, place: int) -> dict[str, Any]:
    """Return a part as chat APIs take it: an image's address always stands in `image_url.url`."""
    if isinstance(part, dict):
        if part.get("type") == "text" and isinstance(part.get("text"), str):
            return {"type": "text", "text": part["text"]}
        image = part.get("image_url")
        url = image.get("url") if isinstance(image, dict) else image
        if part.get("type") == "image_url" and isinstance(url, str):
            return {
                "type": "image_url",
                "image_url": {**image, "url": url} if isinstance(image, dict) else {"url": url},
            }
    advice = 'write {"type": "text", "text": …} or {"type": "image_url", "image_url": …}'
    raise FieldError(f"part {place} is neither text nor image; {advice}", column="content")


def _parse_serialised(text: str) -> object:
    """Return what `text` holds as JSON or as a Python literal, else `text`."""
    if not text.lstrip().startswith(("{", "[", '"')):
        return text
    try:
        return parse_json(text)
    except FieldError as error:
        try:
            value = _parse_literal(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            if _SERIALISED.match(text):
                raise FieldError(f"neither JSON nor a Python literal: {error.message}") from None
            return text
    check_depth(value, max_depth=MAX_JSON_DEPTH)
    return value


def _parse_literal(text: str) -> object:
    if text.lstrip().startswith('"'):
        raise ValueError("a quotation at the start of a sentence, not a literal")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an invalid escape such as '\d' is the data's affair
        return cast("object", ast.literal_eval(text.strip()))


def _children(node: list[Any] | dict[str, Any]) -> list[Any]:
    return list(node.values()) if isinstance(node, dict) else node


def _refuse_constant(name: str) -> NoReturn:
    raise FieldError(f"the JSON holds {name}, which is not a number; use null or leave it out")


def _parse_finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise FieldError(f"the JSON holds {excerpt(text)}, which is too large for a number")
    return value


def _kind(value: object) -> str:
    names = {
        dict: "an object",
        list: "a list",
        str: "an empty text" if value == "" else "a text",
        bool: "a truth value",
    }
    return "null" if value is None else names.get(type(value), "a number")
