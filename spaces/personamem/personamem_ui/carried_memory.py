"""A memory that a program carries from call to call: an export of it, with the states before, so that it can go back.

The server keeps nothing between calls: what a call changes comes back with its answer.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from hub_toolkit.data.fields import FieldError
from hub_toolkit.data.tokens import EstimateCounter
from hub_toolkit.errors import BoundaryError, DataFormatError, StoreError
from hub_toolkit.memory.builders.extractive import ExtractiveBuilder
from hub_toolkit.memory.document import DEFAULT_CAP_TOKENS, MemoryDocument
from hub_toolkit.memory.exports.export_fields import read_state
from hub_toolkit.memory.exports.exports import FORMAT, export_json, parse_export
from hub_toolkit.memory.owner.timeline import reason_to, undo_target
from hub_toolkit.memory.personal import PersonalMemory
from hub_toolkit.memory.state import Change, MemoryState, Session, Version
from hub_toolkit.memory.stores.ram_store import RamStore
from hub_toolkit.types import Message
from personamem_ui.sessions import OWNER

JsonObject = dict[str, Any]

MAX_PAST = 20
"""So many states before the newest are carried along, fewer where they would not fit."""

MAX_CHARS, MAX_PAST_CHARS = 2**20, 2**19
"""Of the memory as JSON, and of the states before it: many times what a memory of the paper's size takes."""

MAX_CHAT_CHARS = 2 * 2**20
"""Of the chats of one call: four histories of 128k tokens. What is more is read in several calls."""

MAX_BULLETS, MAX_CAP_TOKENS = 1_000, 16_384
_SOURCE = "memory"
_NOT_READ = ("checksum", "past")


def open_carried(raw: object) -> PersonalMemory:
    """Return the memory of a call in a store of its own, which goes with the call; an empty one for None.

    It reads what these calls return, what the page's download holds, and what `/build_memory` returns.

    Raises: DataFormatError: it is none of these, or over the limits.
    """
    times: list[datetime] = []
    store = RamStore(now=lambda: times.pop(0) if times else datetime.now(UTC))
    counter = EstimateCounter()
    if raw is None or raw == {}:
        return PersonalMemory(store, OWNER, counter=counter)
    if not isinstance(raw, dict):
        raise DataFormatError("no object; give what the last call returned as `memory`, or null", file=_SOURCE)
    states, versions, sessions = _read(raw)
    for place, (state, version) in enumerate(zip(states, versions, strict=True)):
        times.append(_time_of(version))
        is_last = place == len(states) - 1
        change = Change(version.kind, version.author, version.reason, sessions=sessions if is_last else ())
        store.commit(OWNER, state, change, expect=place)
    builder = ExtractiveBuilder(counter, cap_tokens=states[-1].document.cap_tokens or DEFAULT_CAP_TOKENS)
    return PersonalMemory(store, OWNER, builder=builder, counter=counter)


def _read(raw: JsonObject) -> tuple[list[MemoryState], list[Version], tuple[Session, ...]]:
    """Return the states with a version each, the newest last, and the chats that were read."""
    text = json.dumps({name: raw[name] for name in raw if name not in _NOT_READ}, ensure_ascii=False)
    if len(text) > MAX_CHARS or len(json.dumps(raw.get("past"), ensure_ascii=False)) > MAX_PAST_CHARS:
        raise DataFormatError(f"longer than {MAX_CHARS:,} characters, or `past` than {MAX_PAST_CHARS:,}", file=_SOURCE)
    if raw.get("format") != FORMAT:
        state = MemoryState(MemoryDocument.from_dict(raw, file=_SOURCE))
        return [_checked(state)], [_brought()], ()
    exported = parse_export(text, file=_SOURCE)
    past = _read_past(raw.get("past") or [])
    states = [_checked(state) for state in (*past, exported.state)]
    if len(exported.versions) != len(states):
        return states[-1:], [_brought()], exported.sessions
    versions = [replace(version, number=number) for number, version in enumerate(exported.versions, 1)]
    return states, versions, exported.sessions


def check_chat(messages: Iterable[Message]) -> None:
    """Raises: DataFormatError: more than one call may bring."""
    if sum(len(message.text) for message in messages) > MAX_CHAT_CHARS:
        raise DataFormatError(f"more than {MAX_CHAT_CHARS:,} characters of messages; send them in several calls")


def _read_past(raw: Any) -> list[MemoryState]:
    if not isinstance(raw, list) or len(raw) > MAX_PAST:
        raise DataFormatError(f"`past` is no list of at most {MAX_PAST} states; leave it out", file=_SOURCE)
    try:
        return [read_state(state) for state in raw]
    except FieldError as error:
        raise DataFormatError(f"{error.message}; leave `past` out", file=_SOURCE, column=error.column) from None


def _checked(state: MemoryState) -> MemoryState:
    document = state.document
    if len(document.bullets) > MAX_BULLETS or document.cap_tokens > MAX_CAP_TOKENS:
        limits = f"{MAX_BULLETS:,} bullets and {MAX_CAP_TOKENS:,} tokens"
        raise DataFormatError(f"a memory of more than {limits}; such a one needs a machine of its own", file=_SOURCE)
    return state


def _brought() -> Version:
    return Version(1, "import", "user", "", datetime.now(UTC).isoformat(timespec="seconds"))


def _time_of(version: Version) -> datetime:
    try:
        return datetime.fromisoformat(version.time)
    except ValueError:
        raise DataFormatError(f"{version.time[:40]!r} is no time (ISO 8601)", file=_SOURCE, column="time") from None


def carry(memory: PersonalMemory) -> JsonObject:
    """Return the memory as it goes back to the caller: an export, with the states before the newest as `past`."""
    number, state = memory.store.load(OWNER)
    versions = memory.log()
    past = [json.dumps(asdict(memory.store.state_at(OWNER, one)), ensure_ascii=False) for one in range(1, number)]
    fitting, size = 0, 0
    for one in reversed(past[-MAX_PAST:]):
        size += len(one) + 2  # with the comma
        if size > MAX_PAST_CHARS:
            break
        fitting += 1
    kept = [json.loads(one) for one in past[len(past) - fitting :]]
    text = export_json(state, versions=begin_at(versions, number - fitting), sessions=memory.store.sessions(OWNER))
    exported = json.loads(text)
    del exported["checksum"]  # a client that writes 1 for 1.0 would break it
    return {**exported, "past": kept}


def begin_at(versions: Sequence[Version], first: int) -> list[Version]:
    """Return the log from one version on, renumbered; that one becomes what was brought, below which nothing lies."""
    if first <= 1:
        return list(versions)
    kept = []
    for version in versions[first - 1 :]:
        moved = replace(version, number=version.number - first + 1)
        target = version.reason.rpartition(" ")[2]  # as `reason_to` writes it
        if version.number == first:
            moved = replace(moved, kind="import", reason="")
        elif version.kind in ("undo", "redo") and target.isdecimal():
            is_kept = int(target) >= first
            moved = (
                replace(moved, reason=reason_to(int(target) - first + 1)) if is_kept else replace(moved, kind="edit")
            )
        kept.append(moved)
    return kept


def check_undo(memory: PersonalMemory) -> None:
    """Raises: StoreError: one step back would lie before what was brought, which this memory does not know."""
    versions = memory.log()
    try:
        is_below = bool(versions) and versions[0].kind == "import" and undo_target(versions) == 0
    except BoundaryError:
        return  # the undo itself says why
    if is_below:
        raise StoreError("there is nothing to undo: what was before is not in this memory")
