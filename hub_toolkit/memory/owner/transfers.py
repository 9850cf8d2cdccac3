"""Bringing chats and memories in: each is screened as if it were said here, and what is known already changes nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hub_toolkit.data.chat_exports import ChatSession, ExportLimits, Skipped, read_export
from hub_toolkit.memory.builders.drafts import Draft, commit_draft
from hub_toolkit.memory.document import Bullet, MemoryDocument, number_bullets
from hub_toolkit.memory.exports.exports import MemoryExport, load_export
from hub_toolkit.memory.owner.audit import Diff, diff_documents
from hub_toolkit.memory.owner.overruled import repeats
from hub_toolkit.memory.owner.owner_bounds import Bounds
from hub_toolkit.memory.owner.remembering import Chat, Reader, merge_receipts
from hub_toolkit.memory.owner.sessions import next_index
from hub_toolkit.memory.state import ChangeKind, Held, MemoryState, Receipt, Rule, Session, Version
from hub_toolkit.memory.stores.store import MemoryStore

_ID = re.compile(r"[mrh][1-9][0-9]{0,11}")


@dataclass(frozen=True)
class Imported:
    """What an import did. `num_known` sessions had been read before; `skipped` could not be read."""

    version: Version | None
    diff: Diff
    num_sessions: int = 0
    num_known: int = 0
    num_read: int = 0
    receipts: tuple[Receipt, ...] = ()
    num_held: int = 0
    skipped: tuple[Skipped, ...] = ()


async def import_chats(
    reader: Reader,
    path: Path,
    *,
    limits: ExportLimits | None = None,
    kind: ChangeKind = "import",
    on_session: Callable[[ChatSession], None] | None = None,
) -> Imported:
    """Read the chats of a file; a chat that was read before is read on from where it had ended.

    Raises: DataFormatError: the file cannot be read; the chats before the fault stand. ProviderError.
    """
    _, before = reader.store.load(reader.user)
    version, num_sessions, num_known, num_read, num_held = None, 0, 0, 0, 0
    receipts: list[Receipt] = []
    skipped: list[Skipped] = []
    for session in read_export(path, limits=limits or ExportLimits()):
        if isinstance(session, Skipped):
            skipped.append(session)
            continue
        done = await reader.read(Chat(session.messages, session.key, session.started_at, kind))
        num_sessions += 1
        num_known += done.num_read == 0
        num_read += done.num_read
        num_held += len(done.held)
        version = done.version or version
        receipts += done.receipts
        if on_session:
            on_session(session)
    _, after = reader.store.load(reader.user)
    diff = diff_documents(before.document, after.document)
    return Imported(
        version, diff, num_sessions, num_known, num_read, merge_receipts(receipts), num_held, tuple(skipped)
    )


def import_memory(store: MemoryStore, user: str, bounds: Bounds, path: Path) -> Imported:
    """Bring an exported memory in: its bullets, its bounds, and which chats it has read.

    Rules and what was forgotten are taken over too: bounds only grow.

    Raises: DataFormatError: the file is damaged or no export.
    """
    exported = load_export(path)

    def draft(_: int, state: MemoryState) -> Draft | None:
        joined, sessions = join_memories(state, exported, store.sessions(user))
        if joined == state and not sessions:
            return None
        made = bounds.settle_written(joined, "import", "an exported memory", joined.document)
        return replace(made, change=replace(made.change, sessions=sessions))

    done = commit_draft(store, user, draft)
    if done is None:
        return Imported(None, Diff(), num_sessions=len(exported.sessions), num_known=len(exported.sessions))
    sessions = done.draft.change.sessions
    return Imported(
        done.version,
        diff_documents(done.before.document, done.draft.state.document),
        num_sessions=len(exported.sessions),
        num_known=len(exported.sessions) - len(sessions),
        receipts=done.draft.change.receipts,
        num_held=len(done.draft.state.held) - len(done.before.held),
    )


def join_memories(
    state: MemoryState, exported: MemoryExport, known: Sequence[Session]
) -> tuple[MemoryState, tuple[Session, ...]]:
    """Return a state with all that an export adds to it, and the sessions that are new.

    A memory that holds nothing yet becomes the exported one, ids and all. Elsewhere the export's messages get indices
    after the owner's own, and its bullets, rules and held spans the next free ids; what a model wrote, and the owner
    has edited or deleted here since, stays away.
    """
    other = exported.state
    if state == MemoryState() and not known and _has_sound_ids(other):
        return other, exported.sessions
    keys = {session.key for session in known}
    new = tuple(session for session in exported.sessions if session.key not in keys)
    offset = next_index(known, state.document.read_messages)
    texts = {bullet.text for bullet in state.document.bullets}
    bullets = [
        _shifted(b, offset)
        for b in other.document.bullets
        if b.text not in texts and (b.is_protected or not repeats(b.text, state.document.overruled))
    ]
    is_first = not state.document.bullets and not known
    base = _with_builder_of(state.document, other.document) if is_first else state.document
    document = replace(
        base,
        forgotten=_union(base.forgotten, other.document.forgotten),
        overruled=_union(base.overruled, other.document.overruled),
    )
    document = number_bullets(document, [*base.bullets, *bullets])
    if new or bullets:
        document = replace(document, read_messages=offset + next_index(exported.sessions, other.document.read_messages))
    rules, next_rule = _joined_rules(state, other.rules)
    held, next_held = _joined_held(state, other.held, offset)
    joined = MemoryState(document, rules, held, next_rule, next_held)
    return joined, tuple(replace(session, first_index=session.first_index + offset) for session in new)


def _with_builder_of(document: MemoryDocument, other: MemoryDocument) -> MemoryDocument:
    return replace(document, cap_tokens=other.cap_tokens, builder=other.builder, counter=other.counter)


def _has_sound_ids(state: MemoryState) -> bool:
    """Whether all ids are such as this program gives, each once, and the next ones are free."""
    document = state.document
    given = (
        ("m", [bullet.id for bullet in document.bullets], document.next_id),
        ("r", [rule.id for rule in state.rules], state.next_rule),
        ("h", [held.id for held in state.held], state.next_held),
    )
    return all(
        len(set(ids)) == len(ids) and all(_ID.fullmatch(i) and i[0] == letter and int(i[1:]) < end for i in ids)
        for letter, ids, end in given
    )


def _shifted(bullet: Bullet, offset: int) -> Bullet:
    return replace(
        bullet,
        id="",
        sources=tuple(replace(source, index=source.index + offset) for source in bullet.sources),
        first_seen=None if bullet.first_seen is None else bullet.first_seen + offset,
        last_seen=None if bullet.last_seen is None else bullet.last_seen + offset,
    )


def _union(ours: tuple[tuple[str, ...], ...], theirs: tuple[tuple[str, ...], ...]) -> tuple[tuple[str, ...], ...]:
    return (*ours, *(group for group in theirs if group not in ours))


def _joined_rules(state: MemoryState, rules: Sequence[Rule]) -> tuple[tuple[Rule, ...], int]:
    joined, next_rule = list(state.rules), state.next_rule
    for rule in rules:
        if all(replace(rule, id=ours.id) != ours for ours in joined):
            joined.append(replace(rule, id=f"r{next_rule}"))
            next_rule += 1
    return tuple(joined), next_rule


def _joined_held(state: MemoryState, held: Sequence[Held], offset: int) -> tuple[tuple[Held, ...], int]:
    joined, next_held = list(state.held), state.next_held
    for one in held:
        if all((one.text, one.reason) != (ours.text, ours.reason) for ours in joined):
            source = replace(one.source, index=one.source.index + offset)
            joined.append(replace(one, id=f"h{next_held}", source=source))
            next_held += 1
    return tuple(joined), next_held
