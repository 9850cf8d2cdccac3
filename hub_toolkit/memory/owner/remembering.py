"""Reading a session into an owner's memory: a batch of messages is one version, so that a kill loses one batch at most."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property

from hub_toolkit.data.history import CHUNK_TOKENS, chunk_messages
from hub_toolkit.data.schema import History
from hub_toolkit.data.tokens import TokenCounter, count_message
from hub_toolkit.memory.build import MemoryBuilder, update_guarded
from hub_toolkit.memory.builders.drafts import Draft, commit_draft_later
from hub_toolkit.memory.document import MemoryDocument
from hub_toolkit.memory.forget.forgetting import is_forgotten
from hub_toolkit.memory.guard import Guard, Guarded, HeldSpan
from hub_toolkit.memory.owner.audit import Diff, diff_documents
from hub_toolkit.memory.owner.sessions import count_read, next_index, part_key, prefix_keys, session_of
from hub_toolkit.memory.rules.guard import DateOf, digest_of
from hub_toolkit.memory.state import Change, ChangeKind, Held, MemoryState, Receipt, Session, Version
from hub_toolkit.memory.stores.store import Concerns, MemoryStore
from hub_toolkit.types import Message

MAX_HELD = 200
MAX_HELD_CHARS = 2000

_SURROGATE = re.compile("[\ud800-\udfff]")

GuardsFor = Callable[[MemoryState, DateOf | None], Sequence[Guard]]


@dataclass(frozen=True)
class Remembered:
    """What reading a session did. `version` is the last one made, None where all of it was read before."""

    version: Version | None
    diff: Diff
    receipts: tuple[Receipt, ...] = ()
    held: tuple[Held, ...] = ()
    num_read: int = 0


@dataclass(frozen=True)
class Chat:
    """A session to be read. `name` recognises it; without one, its messages do. `started_at` is ISO 8601."""

    messages: tuple[Message, ...]
    name: str | None = None
    started_at: str | None = None
    kind: ChangeKind = "update"

    @cached_property
    def ends(self) -> list[str]:
        """For each message, the hash of all messages up to it."""
        return list(prefix_keys(self.messages))


@dataclass(frozen=True)
class Reader:
    """Reads chats into one owner's memory."""

    store: MemoryStore
    user: str
    builder: MemoryBuilder
    counter: TokenCounter
    guards_for: GuardsFor
    chunk_tokens: int = CHUNK_TOKENS
    _sessions: dict[int, list[Session]] = field(default_factory=dict)
    """The sessions at the newest version that this reader saw: an import asks for them at every chat."""

    def anew(self) -> Reader:
        """Return a reader that has seen nothing yet; one lives as long as a call of the owner's memory."""
        return replace(self, _sessions={})

    async def read(self, chat: Chat) -> Remembered:
        """Read what is unread of a chat; half an emoji, which no file and no endpoint takes, becomes `�`.

        Raises: ProviderError: the builder's model failed; what was read before stands. ConflictError.
        """
        chat = replace(chat, messages=tuple(map(_mended, chat.messages)))
        number, first = self.store.load(self.user)
        receipts: list[Receipt] = []
        version, last, num_read = None, first, 0
        is_read = count_read(self._sessions_at(number), chat.name, chat.ends) >= len(chat.messages)
        while not is_read:
            done = await commit_draft_later(
                self.store, self.user, lambda number, state: self._draft(chat, number, state)
            )
            if done is None:
                break
            version, last = done.version, done.draft.state
            change = done.draft.change
            self._remember_sessions(version.number, change.sessions)
            receipts += change.receipts
            num_read += sum(session.num_messages for session in change.sessions)
            is_read = num_read == len(chat.messages)
        known = {held.id for held in first.held}
        new_held = tuple(held for held in last.held if held.id not in known)
        return Remembered(version, diff_documents(first.document, last.document), tuple(receipts), new_held, num_read)

    def _sessions_at(self, number: int) -> list[Session]:
        if number not in self._sessions:
            self._sessions.clear()
            self._sessions[number] = self.store.sessions(self.user)
        return self._sessions[number]

    def _remember_sessions(self, number: int, new: Sequence[Session]) -> None:
        """Move on with a version of our own; where another's stood between, they are asked for anew."""
        before = self._sessions.pop(number - 1, None)
        self._sessions.clear()
        if before is not None:
            self._sessions[number] = [*before, *new]

    async def _draft(self, chat: Chat, number: int, state: MemoryState) -> Draft | None:
        sessions = self._sessions_at(number)
        start = count_read(sessions, chat.name, chat.ends)
        batch = _first_batch(chat.messages[start:], self.counter, self.chunk_tokens)
        if not batch:
            return None
        first = next_index(sessions, state.document.read_messages)
        started_at = _clean_time(chat.started_at)
        begun = replace(state, document=self._begin(state.document))
        guards = self.guards_for(begun, lambda index: started_at if index >= first else date_in(sessions, index))
        guarded = await self._update(begun.document, batch, first, guards)
        held, next_held = _hold(state, guarded.held)
        document = replace(guarded.document, read_messages=first + len(batch))
        end = start + len(batch)
        session = Session(part_key(chat.name, chat.ends, start, end), first, len(batch), started_at)
        forgotten = tuple(h for h in document.forgotten if h not in state.document.forgotten)
        concerns = forgotten_here(state.document, document, forgotten) if forgotten else None
        receipts = list(guarded.receipts)
        if forgotten:
            held = tuple(h for h in held if not is_forgotten(h.text, forgotten))
            num = len({b.id for b in state.document.bullets} - {b.id for b in document.bullets})
            # First, so that the receipt of the purge gets its digest.
            receipts.insert(0, Receipt("forgotten", "said in a chat", num, digest_of(repr(forgotten))))
        after = replace(state, document=document, held=held, next_held=next_held)
        reason = f"read {len(batch)} message{'s' * (len(batch) != 1)}"
        change = Change(chat.kind, "model", reason, merge_receipts(receipts), (session,))
        return Draft(after, change, concerns)

    def _begin(self, document: MemoryDocument) -> MemoryDocument:
        empty = self.builder.empty()
        return replace(document, cap_tokens=empty.cap_tokens, builder=empty.builder, counter=empty.counter)

    async def _update(
        self, document: MemoryDocument, batch: Sequence[Message], first: int, guards: Sequence[Guard]
    ) -> Guarded:
        history = History(tuple(batch), tuple(range(first, first + len(batch))), {}, "session")
        receipts: list[Receipt] = []
        held: list[HeldSpan] = []
        for chunk in chunk_messages(history, self.counter, chunk_tokens=self.chunk_tokens):
            guarded = await update_guarded(self.builder, document, chunk, counter=self.counter, guards=guards)
            document = guarded.document
            receipts += guarded.receipts
            held += guarded.held
        return Guarded(document, tuple(receipts), tuple(held))


def _mended(message: Message) -> Message:
    """Return a message in which pairs of surrogates are characters, and halves of them `�`."""
    content = message.content
    if isinstance(content, str):
        return replace(message, content=_whole(content)) if _SURROGATE.search(content) else message
    parts = [{**part, "text": _whole(part["text"])} if isinstance(part.get("text"), str) else part for part in content]
    return message if parts == content else replace(message, content=parts)


def _whole(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def date_in(sessions: Sequence[Session], index: int) -> str | None:
    """Return when the session of a message began, where that is known."""
    session = session_of(sessions, index)
    return session.started_at if session else None


def forgotten_here(before: MemoryDocument, after: MemoryDocument, forgotten: tuple[tuple[str, ...], ...]) -> Concerns:
    """Return whether a past text is about what a chat has just asked to forget, or is a span that fell with it.

    The store itself takes out the bullets that are gone, under any wording they had.
    """
    spans = {s.span for b in after.bullets for s in b.sources}
    lost = frozenset(s.span for b in before.bullets for s in b.sources) - spans
    return lambda text: text in lost or is_forgotten(text, forgotten)


def merge_receipts(receipts: Sequence[Receipt]) -> tuple[Receipt, ...]:
    """Return receipts with equal ones counted together."""
    counts: dict[Receipt, int] = {}
    for receipt in receipts:
        alike = replace(receipt, count=0)
        counts[alike] = counts.get(alike, 0) + receipt.count
    return tuple(replace(receipt, count=count) for receipt, count in counts.items())


def _first_batch(messages: Sequence[Message], counter: TokenCounter, chunk_tokens: int) -> tuple[Message, ...]:
    """Return the first messages that make a chunk; a message longer than a chunk stands alone."""
    tokens = 0
    for place, message in enumerate(messages):
        tokens += count_message(counter, message)
        if tokens > chunk_tokens:
            return tuple(messages[: max(1, place)])
    return tuple(messages)


def _hold(state: MemoryState, spans: Sequence[HeldSpan]) -> tuple[tuple[Held, ...], int]:
    held, next_held = list(state.held), state.next_held
    known = {(h.text, h.reason) for h in held}
    for span in spans:
        text = span.text[:MAX_HELD_CHARS]
        if (text, span.reason) in known or len(held) >= MAX_HELD:
            continue
        known.add((text, span.reason))
        source = replace(span.source, span=span.source.span[:MAX_HELD_CHARS])
        held.append(Held(f"h{next_held}", text, source, span.reason))
        next_held += 1
    return tuple(held), next_held


def _clean_time(time: str | None) -> str | None:
    """Return a time where it is one (ISO 8601): sessions keep no content."""
    try:
        return datetime.fromisoformat(time).isoformat() if time else None
    except ValueError:
        return None
