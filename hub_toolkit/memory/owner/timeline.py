"""Where a memory stands among its versions: what `undo` goes back to, and `redo` forward."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hub_toolkit.errors import BoundaryError, StoreError
from hub_toolkit.memory.state import ChangeKind, Version

REFUSED = "refused"
"""The reason of a version that changes nothing and only keeps the receipt of a refusal."""

_TO_VERSION = "to version "
_FINAL: tuple[ChangeKind, ...] = ("forget", "rule")


@dataclass(frozen=True)
class Timeline:
    """Numbers of versions: `past` ends with the one whose state holds now, `redo` is the one that a redo takes."""

    past: tuple[int, ...]
    redo: int | None = None


def reason_to(number: int) -> str:
    """Return the reason of an undo or a redo; `read_timeline` reads it back."""
    return f"{_TO_VERSION}{number}"


def read_timeline(versions: Sequence[Version]) -> Timeline:
    """Follow the versions: an undo goes back, a redo forward, and any other change begins anew from where it stands."""
    past = [0]
    undone: list[list[int]] = []
    for version in versions:
        target = _target(version)
        if version.reason == REFUSED:
            continue
        if target is not None and version.kind == "redo" and undone:
            past += undone.pop()
        elif target in past:
            place = past.index(target)
            undone.append(past[place + 1 :])
            del past[place + 1 :]
        else:
            past.append(version.number if target is None else target)
            undone = []
    return Timeline(tuple(past), undone[-1][-1] if undone else None)


def undo_target(versions: Sequence[Version]) -> int:
    """Return the version that a single undo goes back to.

    Raises: StoreError: there is nothing to undo. BoundaryError: the last change cannot be taken back.
    """
    past = read_timeline(versions).past
    if len(past) < 2:
        raise StoreError("there is nothing to undo")
    last = versions[past[-1] - 1]
    if last.kind in _FINAL:
        what = (
            "a forget, which stays"
            if last.kind == "forget"
            else "about a rule; remove or set rules with `rule` instead"
        )
        raise BoundaryError(
            f"version {last.number} was {what}; to undo the change before it, name the version to go back to "
            f"(undo --to {past[-3] if len(past) > 2 else 0})"
        )
    return past[-2]


def redo_target(versions: Sequence[Version]) -> int:
    """Return the version that a redo goes forward to.

    Raises: StoreError: nothing was undone, or something was changed since.
    """
    target = read_timeline(versions).redo
    if target is None:
        raise StoreError("there is nothing to redo: nothing was undone, or the memory was changed since")
    return target


def _target(version: Version) -> int | None:
    if version.kind not in ("undo", "redo"):
        return None
    number = version.reason.removeprefix(_TO_VERSION)
    return int(number) if number.isascii() and number.isdecimal() else None
