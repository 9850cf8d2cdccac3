"""What the owner does to single bullets, and the memory as a text file that an editor can change.

Every edit returns a new document. What an edit replaces or deletes is overruled: no update learns it again.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from hub_toolkit.data.tokens import TokenCounter
from hub_toolkit.errors import DataFormatError
from hub_toolkit.memory.document import Bullet, MemoryDocument, number_bullets
from hub_toolkit.memory.kinds import classify
from hub_toolkit.memory.owner.audit import check_support, find_bullet
from hub_toolkit.memory.owner.overruled import hash_text, overrule, protect

USER_WEIGHT = 1.0
FILE_NAME = "edited memory"

_HEADER = """\
# This is your memory, one thing a line. Change a line, delete a line to have it deleted, or add a line without [id].
# [m3 pinned] pins a line: updates leave it as it is, and it goes last when room is short.
# A line that begins with two spaces goes on with the line above it. Lines that begin with # are not read.
"""
_MARKED = re.compile(r"\[[ \t]{0,8}(?P<id>[^\[\]\s]{1,64})(?P<pinned>[ \t]{1,8}pinned)?[ \t]{0,8}\]", re.I)
_SPOILT = re.compile(r"\[[ \t]{0,8}(?P<id>[A-Za-z]{1,3}\d{1,12})\b")
_LIKE_ID = re.compile(r"[A-Za-z]{0,3}\d{1,12}")
_ITEM = re.compile(r"[-*•][ \t]{1,8}")


def add_bullet(document: MemoryDocument, text: str, *, counter: TokenCounter | None = None) -> MemoryDocument:
    """Add what the user writes; where it stands already, it becomes the user's word.

    With a counter the lightest of the model's bullets make room.

    Raises: DataFormatError: no text, or more than the memory may hold.
    """
    text = _checked(text)
    same = next((b for b in document.bullets if _plain(b.text) == text), None)
    bullet = _written(same or Bullet("", text, weight=USER_WEIGHT), text)
    bullets = [bullet if b is same else b for b in document.bullets] if same else [*document.bullets, bullet]
    document = replace(document, overruled=overrule(document.overruled, (), text=text))
    return _fitted(number_bullets(document, bullets), counter)


def change_bullet(
    document: MemoryDocument, bullet_id: str, text: str, *, counter: TokenCounter | None = None
) -> MemoryDocument:
    """Let the user's words stand for a bullet; its sources stay as far as they bear out the new words.

    Raises: StoreError: no such bullet. DataFormatError: as add_bullet.
    """
    old, text = find_bullet(document, bullet_id), _checked(text)
    if _plain(old.text) == text and old.author == "user":
        return document
    new = _written(old, text)
    gone = () if _plain(old.text) == text else (old,)
    document = replace(document, overruled=overrule(document.overruled, gone, text=text))
    return _fitted(_with(document, {bullet_id: new}), counter)


def pin_bullet(document: MemoryDocument, bullet_id: str, is_pinned: bool = True) -> MemoryDocument:
    """Pin a bullet or let it go: a pinned one is changed by no update and goes last when room is short.

    Raises: StoreError: no such bullet.
    """
    bullet = find_bullet(document, bullet_id)
    return _with(document, {bullet_id: replace(bullet, is_pinned=is_pinned)})


def merge_bullets(
    document: MemoryDocument, bullet_ids: Sequence[str], text: str, *, counter: TokenCounter | None = None
) -> MemoryDocument:
    """Let one bullet in the user's words stand for several: the first's id and place, the sources of all.

    Raises: StoreError: no such bullet. DataFormatError: fewer than two bullets, or as add_bullet.
    """
    text, ids = _checked(text), list(dict.fromkeys(bullet_ids))
    parts = [find_bullet(document, bullet_id) for bullet_id in ids]
    if len(parts) < 2:
        raise DataFormatError("a merge takes two bullets or more; use edit for one", file="memory")
    sources = tuple(dict.fromkeys(source for part in parts for source in part.sources))
    merged = replace(
        _written(parts[0], text),
        sources=sources,
        is_pinned=any(part.is_pinned for part in parts),
        weight=max(part.weight for part in parts),
        first_seen=min((p.first_seen for p in parts if p.first_seen is not None), default=None),
        last_seen=max((p.last_seen for p in parts if p.last_seen is not None), default=None),
    )
    changes: dict[str, Bullet | None] = dict.fromkeys(ids)
    changes[ids[0]] = merged
    gone = [part for part in parts if _plain(part.text) != text]
    document = replace(document, overruled=overrule(document.overruled, gone, text=text))
    return _fitted(_with(document, changes), counter)


def delete_bullet(document: MemoryDocument, bullet_id: str) -> MemoryDocument:
    """Delete a bullet with all that it cites; unlike a forget, its topic may be learnt anew.

    Raises: StoreError: no such bullet.
    """
    bullet = find_bullet(document, bullet_id)
    document = replace(document, overruled=overrule(document.overruled, (bullet,)))
    return _with(document, {bullet_id: None})


def render_editable(document: MemoryDocument) -> str:
    """Return the memory as the text that `parse_edited` reads: one bullet a line, its id in brackets."""
    lines = [_line(bullet) for bullet in document.bullets]
    return "\n".join([_HEADER, *(lines or ["# Nothing is remembered yet."])]) + "\n"


def parse_edited(
    text: str,
    document: MemoryDocument,
    *,
    counter: TokenCounter | None = None,
    allow_empty: bool = False,
    file: str = FILE_NAME,
) -> MemoryDocument:
    """Return the document as the edited text has it; lines that were left as they are change nothing.

    `allow_empty`: a text without any bullet deletes them all; else it is refused.

    Raises: DataFormatError: with the line: an unknown id, an id twice, an empty bullet, or a memory over its cap.
    """
    lines = _read_lines(text, document, file)
    if not lines and document.bullets and not allow_empty:
        raise _error(f"no bullet is left, which would delete all {len(document.bullets)}; nothing was changed", file)
    edited = document
    for bullet in document.bullets:
        if all(line.bullet_id != bullet.id for line in lines):
            edited = delete_bullet(edited, bullet.id)
    for line in lines:
        edited = _apply(line, edited)
    edited = _in_order(edited, lines)
    if counter is not None:
        _check_cap(edited, document, lines, counter, file)
    return edited


@dataclass(frozen=True)
class _Line:
    number: int
    bullet_id: str | None
    text: str
    is_pinned: bool = False


def _line(bullet: Bullet) -> str:
    return f"[{bullet.id}{' pinned' if bullet.is_pinned else ''}] {_plain(bullet.text)}"


def _read_lines(text: str, document: MemoryDocument, file: str) -> list[_Line]:
    known = {bullet.id for bullet in document.bullets}
    lines: list[_Line] = []
    seen: dict[str, int] = {}
    for number, raw in enumerate(text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1):
        if not raw.strip() or raw.startswith("#"):
            continue
        if raw.startswith(("  ", "\t")) and lines and not _MARKED.match(raw.lstrip()):
            lines[-1] = replace(lines[-1], text=f"{lines[-1].text} {_plain(raw)}")
            continue
        line = _read_line(raw.strip(), number, known, file)
        if line.bullet_id is not None:
            if line.bullet_id in seen:
                message = f"[{line.bullet_id}] stands in line {seen[line.bullet_id]} already; take the id out of one"
                raise _error(message, file, number)
            seen[line.bullet_id] = number
        lines.append(line)
    return [_with_text(line, file) for line in lines]


def _read_line(raw: str, number: int, known: set[str], file: str) -> _Line:
    marked = _MARKED.match(_ITEM.sub("", raw, count=1) if _ITEM.match(raw) else raw)
    if marked and marked["id"] in known:
        rest = marked.string[marked.end() :]
        return _Line(number, marked["id"], _plain(rest), bool(marked["pinned"]))
    if marked and _LIKE_ID.fullmatch(marked["id"]):
        message = f"there is no bullet [{marked['id']}]; a new line stands without an id"
        raise _error(message, file, number)
    spoilt = _SPOILT.match(raw)
    if spoilt and spoilt["id"] in known:
        mark = f"[{spoilt['id']}"
        raise _error(f"the mark cannot be read; it stands as {mark}] or {mark} pinned]", file, number)
    item = _ITEM.match(raw)
    return _Line(number, None, _plain(raw[item.end() :] if item else raw))


def _with_text(line: _Line, file: str) -> _Line:
    if not line.text:
        raise _error("a bullet without text; delete the whole line to delete the bullet", file, line.number)
    try:
        return replace(line, text=_checked(line.text))
    except DataFormatError as error:
        raise _error(error.message, file, line.number) from None


def _apply(line: _Line, document: MemoryDocument) -> MemoryDocument:
    if line.bullet_id is None:
        return add_bullet(document, line.text)
    bullet = find_bullet(document, line.bullet_id)
    if _plain(bullet.text) != line.text:
        document = change_bullet(document, line.bullet_id, line.text)
    return document if bullet.is_pinned == line.is_pinned else pin_bullet(document, line.bullet_id, line.is_pinned)


def _in_order(document: MemoryDocument, lines: Sequence[_Line]) -> MemoryDocument:
    """Put the bullets in the order of the lines."""
    places = {line.bullet_id or line.text: place for place, line in reversed(list(enumerate(lines)))}
    order = sorted(document.bullets, key=lambda b: places.get(b.id, places.get(_plain(b.text), len(lines))))
    return replace(document, bullets=tuple(order))


def _check_cap(
    edited: MemoryDocument, before: MemoryDocument, lines: Sequence[_Line], counter: TokenCounter, file: str
) -> None:
    """Refuse a memory over its cap, at the first changed line with which it is: nothing is dropped unasked."""
    size = edited.tokens(counter)
    if size <= edited.cap_tokens or size <= before.tokens(counter):
        return
    old = {bullet.id: _plain(bullet.text) for bullet in before.bullets}
    changed = [line for line in lines if line.bullet_id is None or old[line.bullet_id] != line.text]
    place = bisect_left(
        range(len(changed)),
        True,
        key=lambda last: _tokens_without(changed[last + 1 :], lines, counter) > edited.cap_tokens,
    )
    number = changed[min(place, len(changed) - 1)].number if changed else None
    message = f"the memory would have {size:,} tokens, {edited.cap_tokens:,} are allowed; shorten or delete lines"
    raise _error(message, file, number)


def _tokens_without(left_out: Sequence[_Line], lines: Sequence[_Line], counter: TokenCounter) -> int:
    numbers = {line.number for line in left_out}
    return counter.count("\n".join(f"- {line.text}" for line in lines if line.number not in numbers))


def _error(message: str, file: str, number: int | None = None) -> DataFormatError:
    error = DataFormatError(message, file=file if number is None else f"{file}, line {number}")
    error.row = number
    return error


def _plain(text: str) -> str:
    return " ".join(text.split())


def _checked(text: str) -> str:
    """Return a text as one line.

    Raises: DataFormatError: it is empty, or cannot be written as UTF-8.
    """
    plain = _plain(text)
    if not plain:
        raise DataFormatError("there is no text to remember", file="memory")
    if any("\ud800" <= char <= "\udfff" for char in plain):
        raise DataFormatError("the text holds half a character (a lone surrogate); type it again", file="memory")
    return plain


def _written(bullet: Bullet, text: str) -> Bullet:
    """Return a bullet in the user's words, with the sources that bear them out."""
    borne = replace(bullet, text=text, author="model")
    sources = tuple(s for s in bullet.sources if check_support(replace(borne, sources=(s,))))
    return classify(replace(bullet, text=text, author="user", sources=sources, confidence=1.0))


def _with(document: MemoryDocument, changes: Mapping[str, Bullet | None]) -> MemoryDocument:
    """Return the document with bullets replaced by id; None takes one out."""
    changed = (changes.get(bullet.id, bullet) for bullet in document.bullets)
    return replace(document, bullets=tuple(bullet for bullet in changed if bullet is not None))


def _fitted(document: MemoryDocument, counter: TokenCounter | None) -> MemoryDocument:
    """Let the model's bullets make room under the cap; what the user wrote or pinned is never dropped.

    Raises: DataFormatError: that alone is over the cap.
    """
    if counter is None:
        return document
    own = replace(document, bullets=tuple(b for b in document.bullets if b.is_protected))
    size = own.tokens(counter)
    if size > document.cap_tokens:
        message = (
            f"what you wrote and pinned would take {size:,} tokens, {document.cap_tokens:,} are allowed; shorten it"
        )
        raise DataFormatError(message, file="memory")
    return document.enforce_cap(counter)


__all__ = [
    "add_bullet",
    "change_bullet",
    "delete_bullet",
    "hash_text",
    "merge_bullets",
    "parse_edited",
    "pin_bullet",
    "protect",
    "render_editable",
]
