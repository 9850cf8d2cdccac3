"""A memory as rows: what it holds, kind by kind, as JSON; and which rows change between two versions."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from enum import IntEnum
from operator import attrgetter
from typing import Any, NamedTuple

from hub_toolkit.memory.document import Bullet, MemoryDocument, Source
from hub_toolkit.memory.state import Held, MemoryState, Rule
from hub_toolkit.memory.stores.redaction import Redaction


class Kind(IntEnum):
    """What a row holds. The numbers stand in files: never change one."""

    FRAME = 0
    BULLET = 1
    RULE = 2
    HELD = 3
    FORGOTTEN = 4
    OVERRULED = 5
    FAULT = 6


BULLET_FIELDS = (
    *("id", "text", "sources", "weight", "owner", "kind", "origin", "confidence", "is_pinned", "author"),
    *("first_seen", "last_seen"),
)
"""The order in a row. New fields go to the end and need a default: older rows have none."""

_FRAME_FIELDS = ("read_messages", "cap_tokens", "builder", "counter", "next_id")
_COUNTERS = ("next_rule", "next_held")
_GAP = 1024
_bullet_values = attrgetter(*BULLET_FIELDS)

Rows = Mapping[Kind, Sequence[bytes]]


def dump(value: object) -> bytes:
    """Return a value as JSON; half of a surrogate pair survives, too."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def parse(body: bytes) -> Any:
    """Read JSON back. Raises: ValueError: it is none."""
    return json.loads(body.decode("utf-8", "surrogatepass"))


def parse_all(bodies: Iterable[bytes]) -> list[Any]:
    """Read many at once. Raises: ValueError: one of them is no JSON."""
    values: list[Any] = parse(b"[" + b",".join(bodies) + b"]")
    return values


def encode_bullet(bullet: Bullet) -> bytes:
    values = list(_bullet_values(bullet))
    values[2] = [(source.index, source.span) for source in bullet.sources]
    return dump(values)


def decode_bullet(values: list[Any]) -> Bullet:
    values[2] = tuple([Source(index, span) for index, span in values[2]])
    return Bullet(**dict(zip(BULLET_FIELDS, values, strict=False)))


def encode_held(held: Held) -> bytes:
    return dump([held.id, held.text, held.source.index, held.source.span, held.reason])


def decode_held(values: list[Any]) -> Held:
    id_, text, index, span, reason = values
    return Held(id_, text, Source(index, span), reason)


def encode_rule(rule: Rule) -> bytes:
    return dump(asdict(rule))


def decode_rule(values: dict[str, Any]) -> Rule:
    fields: dict[str, Any] = {n: tuple(value) if isinstance(value, list) else value for n, value in values.items()}
    return Rule(**fields)


def encode_state(state: MemoryState) -> dict[Kind, list[bytes]]:
    """Return a state's rows by kind, in order."""
    document = state.document
    frame = {name: getattr(document, name) for name in _FRAME_FIELDS}
    frame |= {name: getattr(state, name) for name in _COUNTERS}
    return {
        Kind.FRAME: [dump(frame)],
        Kind.BULLET: [encode_bullet(bullet) for bullet in document.bullets],
        Kind.RULE: [encode_rule(rule) for rule in state.rules],
        Kind.HELD: [encode_held(held) for held in state.held],
        Kind.FORGOTTEN: [dump(group) for group in document.forgotten],
        Kind.OVERRULED: [dump(group) for group in document.overruled],
        Kind.FAULT: [dump(fault) for fault in document.faults],
    }


def decode_state(rows: Rows) -> MemoryState:
    """Read a state back.

    Raises: ValueError, TypeError, KeyError: a row is damaged or missing.
    """
    values = {kind: parse_all(rows.get(kind, ())) for kind in Kind}
    (frame,) = values[Kind.FRAME]
    document = MemoryDocument(
        bullets=tuple(map(decode_bullet, values[Kind.BULLET])),
        forgotten=tuple(map(tuple, values[Kind.FORGOTTEN])),
        overruled=tuple(map(tuple, values[Kind.OVERRULED])),
        faults=tuple(values[Kind.FAULT]),
        **{name: frame[name] for name in _FRAME_FIELDS},
    )
    return MemoryState(
        document,
        rules=tuple(map(decode_rule, values[Kind.RULE])),
        held=tuple(map(decode_held, values[Kind.HELD])),
        **{name: frame[name] for name in _COUNTERS},
    )


def decode_row(kind: int, body: bytes) -> Bullet | Rule | Held | str | None:
    """Read one row back, None where its kind holds none of the owner's words.

    Raises: ValueError, TypeError: the row is damaged.
    """
    match kind:
        case Kind.BULLET:
            return decode_bullet(parse(body))
        case Kind.RULE:
            return decode_rule(parse(body))
        case Kind.HELD:
            return decode_held(parse(body))
        case Kind.FAULT:
            return str(parse(body))
        case _:
            return None


def redact_row(record: Bullet | Rule | Held | str | None, body: bytes, redaction: Redaction) -> bytes | None:
    """Return the body of a past row as it may stay, None where it may not."""
    match record:
        case Bullet():
            kept = redaction.past_bullet(record)
            if kept == record:
                return body
            return None if kept is None else encode_bullet(kept)
        case Held():
            return body if redaction.held(record) else None
        case Rule():
            return body if redaction.past_rule(record) else None
        case str():
            return None if redaction.fault(record) is None else body
        case None:
            return body


class Moves(NamedTuple):
    """How the rows of one kind change: places that are given up, and rows that come, each with its place."""

    gone: list[int]
    come: list[tuple[int, bytes]]


def plan_moves(old: Sequence[tuple[int, bytes]], new: Sequence[bytes]) -> Moves:
    """Return the fewest rows to write so that `old` (by place) becomes `new`, in its order."""
    kept = _longest_rising(_match(old, new))
    anchors = [(place, position) for position, place in sorted(kept.items())]
    come: list[tuple[int, bytes]] = []
    before: tuple[int, int] | None = None
    for after in (*anchors, None):
        start, end = (before[1] + 1 if before else 0), (after[1] if after else len(new))
        places = _places_between(before[0] if before else None, after[0] if after else None, end - start)
        if places is None:  # no gap is left: number all anew
            return Moves([place for place, _ in old], [(i * _GAP, body) for i, body in enumerate(new)])
        come += zip(places, new[start:end], strict=True)
        before = after
    stay = set(kept.values())
    return Moves([place for place, _ in old if place not in stay], come)


def _match(old: Sequence[tuple[int, bytes]], new: Sequence[bytes]) -> list[tuple[int, int]]:
    """Return (position in `new`, place in `old`) of rows that are the same, in the order of `new`."""
    places: defaultdict[bytes, deque[int]] = defaultdict(deque)
    for place, body in old:
        places[body].append(place)
    return [(position, places[body].popleft()) for position, body in enumerate(new) if places.get(body)]


def _longest_rising(pairs: Sequence[tuple[int, int]]) -> dict[int, int]:
    """Return the most pairs whose places rise: those rows need not move."""
    ends: list[int] = []
    last: list[int] = []
    previous: list[int] = []
    for number, (_, place) in enumerate(pairs):
        length = bisect_left(ends, place)
        previous.append(last[length - 1] if length else -1)
        ends[length : length + 1] = [place]
        last[length : length + 1] = [number]
    kept: dict[int, int] = {}
    number = last[-1] if last else -1
    while number >= 0:
        kept[pairs[number][0]] = pairs[number][1]
        number = previous[number]
    return kept


def _places_between(low: int | None, high: int | None, num: int) -> list[int] | None:
    """Return so many places between two, None where they are too close."""
    if not num:
        return []
    if high is None:
        first = 0 if low is None else low + _GAP
        return [first + i * _GAP for i in range(num)]
    if low is None:
        return [high - (num - i) * _GAP for i in range(num)]
    step = (high - low) // (num + 1)
    return [low + (i + 1) * step for i in range(num)] if step else None
