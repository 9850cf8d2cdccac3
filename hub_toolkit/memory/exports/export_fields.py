"""The fields of an exported memory, read back one by one: each of its own type, none that is not known."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar, get_args

from hub_toolkit.data.fields import FieldError
from hub_toolkit.errors import BoundaryError
from hub_toolkit.memory.document import KINDS, Author, Bullet, MemoryDocument, Origin, Owner, Source
from hub_toolkit.memory.rules.compile import compile_rule
from hub_toolkit.memory.rules.patterns import check_pattern
from hub_toolkit.memory.state import ChangeKind, Held, MemoryState, Rule, Session, Strictness, Version

MAX_TEXT_CHARS = 2**20
MAX_LIST_ITEMS = 200_000
MAX_INTEGER = 2**53
MIN_CAP_TOKENS = 16
"""Under a smaller cap nothing could stay."""

_T = TypeVar("_T")


def read_state(raw: Any) -> MemoryState:
    """Raises: FieldError: a field is missing or of another type."""
    fields = _Fields(raw, "state")
    return MemoryState(
        document=_read_document(fields.take("document")),
        rules=fields.items("rules", _read_rule),
        held=fields.items("held", _read_held),
        next_rule=fields.count("next_rule"),
        next_held=fields.count("next_held"),
    )


def read_versions(raw: Any) -> tuple[Version, ...]:
    """Raises: FieldError, as `read_state`."""
    return _read_list(raw, "versions", _read_version)


def read_sessions(raw: Any) -> tuple[Session, ...]:
    """Raises: FieldError, as `read_state`."""
    return _read_list(raw, "sessions", _read_session)


def _read_document(raw: Any) -> MemoryDocument:
    fields = _Fields(raw, "document")
    document = MemoryDocument(
        bullets=fields.items("bullets", _read_bullet),
        read_messages=fields.count("read_messages"),
        cap_tokens=fields.count("cap_tokens"),
        builder=fields.text("builder"),
        counter=fields.text("counter"),
        next_id=fields.count("next_id"),
        forgotten=fields.items("forgotten", _read_hashes),
        overruled=fields.items("overruled", _read_hashes),
        faults=fields.texts("faults"),
    )
    if len({bullet.id for bullet in document.bullets}) != len(document.bullets):
        raise FieldError("two bullets have one id", column="document.bullets")
    if document.cap_tokens < MIN_CAP_TOKENS:
        raise FieldError(f"expected {MIN_CAP_TOKENS} tokens or more", column="document.cap_tokens")
    return document


def _read_bullet(raw: Any, place: str) -> Bullet:
    fields = _Fields(raw, place)
    if not fields.text("text").strip():
        raise FieldError("a bullet without text", column=f"{place}.text")
    return Bullet(
        id=fields.text("id"),
        text=fields.text("text"),
        sources=fields.items("sources", _read_source),
        weight=fields.number("weight"),
        owner=fields.choice("owner", get_args(Owner)),
        kind=fields.choice("kind", KINDS),
        origin=fields.choice("origin", get_args(Origin)),
        confidence=fields.number("confidence"),
        is_pinned=fields.flag("is_pinned"),
        author=fields.choice("author", get_args(Author)),
        first_seen=fields.optional_count("first_seen"),
        last_seen=fields.optional_count("last_seen"),
    )


def _read_source(raw: Any, place: str) -> Source:
    fields = _Fields(raw, place)
    return Source(fields.count("index"), fields.text("span"))


def _read_rule(raw: Any, place: str) -> Rule:
    fields = _Fields(raw, place)
    rule = Rule(
        id=fields.text("id"),
        text=fields.text("text"),
        effect=fields.choice("effect", ("never", "only")),
        categories=fields.texts("categories"),
        entities=fields.texts("entities"),
        patterns=fields.texts("patterns"),
        before=fields.optional_text("before"),
        after=fields.optional_text("after"),
        # Files written before rules had a strictness do not hold it.
        strictness=fields.choice("strictness", get_args(Strictness)) if "strictness" in raw else "normal",
    )
    _check_patterns(rule, place)
    return rule


def _check_patterns(rule: Rule, place: str) -> None:
    """Raises: FieldError: a pattern that may stall, and that the rule's own words do not give."""
    try:
        if not rule.patterns or compile_rule(rule.text).patterns == rule.patterns:
            return
    except BoundaryError:
        pass  # compiled by another version: its patterns are checked like those that somebody typed
    for pattern in rule.patterns:
        try:
            check_pattern(pattern)
        except BoundaryError as error:
            raise FieldError(f"a pattern that is not safe: {error}", column=f"{place}.patterns") from None


def _read_held(raw: Any, place: str) -> Held:
    fields = _Fields(raw, place)
    return Held(
        fields.text("id"), fields.text("text"), _read_source(fields.take("source"), place), fields.text("reason")
    )


def _read_version(raw: Any, place: str) -> Version:
    fields = _Fields(raw, place)
    return Version(
        number=fields.count("number"),
        kind=fields.choice("kind", get_args(ChangeKind)),
        author=fields.choice("author", get_args(Author)),
        reason=fields.text("reason"),
        time=fields.text("time"),
        num_added=fields.count("num_added"),
        num_changed=fields.count("num_changed"),
        num_removed=fields.count("num_removed"),
    )


def _read_session(raw: Any, place: str) -> Session:
    fields = _Fields(raw, place)
    return Session(
        key=fields.text("key"),
        first_index=fields.count("first_index"),
        num_messages=fields.count("num_messages"),
        started_at=fields.optional_text("started_at"),
    )


def _read_hashes(raw: Any, place: str) -> tuple[str, ...]:
    return _read_list(raw, place, _read_text)


def _read_text(raw: Any, place: str) -> str:
    if not isinstance(raw, str):
        raise FieldError("expected a text", column=place)
    if len(raw) > MAX_TEXT_CHARS:
        raise FieldError(f"a text longer than {MAX_TEXT_CHARS:,} characters", column=place)
    return raw


def _read_list(raw: Any, place: str, read: Callable[[Any, str], _T]) -> tuple[_T, ...]:
    if not isinstance(raw, list) or len(raw) > MAX_LIST_ITEMS:
        raise FieldError(f"expected a list of at most {MAX_LIST_ITEMS:,} items", column=place)
    return tuple(read(item, f"{place}[{number}]") for number, item in enumerate(raw, 1))


class _Fields:
    """The fields of one object; `place` names it in errors."""

    def __init__(self, raw: Any, place: str) -> None:
        if not isinstance(raw, dict):
            raise FieldError("expected an object", column=place)
        self._raw, self._place = raw, place

    def take(self, name: str) -> Any:
        if name not in self._raw:
            raise FieldError("the field is missing", column=self._name(name))
        return self._raw[name]

    def text(self, name: str) -> str:
        return _read_text(self.take(name), self._name(name))

    def optional_text(self, name: str) -> str | None:
        return None if self.take(name) is None else self.text(name)

    def texts(self, name: str) -> tuple[str, ...]:
        return self.items(name, _read_text)

    def items(self, name: str, read: Callable[[Any, str], _T]) -> tuple[_T, ...]:
        return _read_list(self.take(name), self._name(name), read)

    def choice(self, name: str, choices: tuple[_T, ...]) -> _T:
        value = self.take(name)
        if not isinstance(value, str) or value not in choices:
            raise FieldError(f"expected one of {', '.join(map(str, choices))}", column=self._name(name))
        return choices[choices.index(value)]

    def flag(self, name: str) -> bool:
        value = self.take(name)
        if not isinstance(value, bool):
            raise FieldError("expected true or false", column=self._name(name))
        return value

    def count(self, name: str) -> int:
        value = self.take(name)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_INTEGER:
            raise FieldError("expected a whole number from 0", column=self._name(name))
        return value

    def optional_count(self, name: str) -> int | None:
        return None if self.take(name) is None else self.count(name)

    def number(self, name: str) -> float:
        value = self.take(name)
        if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
            raise FieldError("expected a number", column=self._name(name))
        return float(value)

    def _name(self, name: str) -> str:
        return f"{self._place}.{name}"
