"""A memory that its owner controls: read, asked, audited, corrected, bounded and taken along."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from hub_toolkit.data.chat_exports import ChatSession
from hub_toolkit.data.tokens import EstimateCounter, TokenCounter
from hub_toolkit.memory.build import MemoryBuilder, default_guards
from hub_toolkit.memory.builders.agentic import AgenticBuilder
from hub_toolkit.memory.builders.consolidate import consolidate
from hub_toolkit.memory.builders.drafts import Committed, Draft, commit_draft, key_digest
from hub_toolkit.memory.builders.extractive import ExtractiveBuilder
from hub_toolkit.memory.document import Bullet, MemoryDocument
from hub_toolkit.memory.exports.exports import export_json, export_markdown, is_memory_export
from hub_toolkit.memory.guard import Guard
from hub_toolkit.memory.owner import edits
from hub_toolkit.memory.owner.audit import Diff, Why, diff_documents, explain_bullet, rank_bullets
from hub_toolkit.memory.owner.owner_bounds import Bounds, Forgotten, Preview
from hub_toolkit.memory.owner.owner_edits import Editor
from hub_toolkit.memory.owner.recall import Recalled, context, recall, visible
from hub_toolkit.memory.owner.remembering import Chat, Reader, Remembered, date_in
from hub_toolkit.memory.owner.transfers import Imported, import_chats, import_memory
from hub_toolkit.memory.rules.guard import DateOf, RuleGuard, digest_of
from hub_toolkit.memory.rules.policy import ModelPolicyCheck, PolicyGuard
from hub_toolkit.memory.state import ChangeKind, Held, MemoryState, Receipt, Rule, Version
from hub_toolkit.memory.stores.store import MemoryStore
from hub_toolkit.models.base import ChatModel
from hub_toolkit.types import Message

SEARCH_TOP = 20
ExportFormat = Literal["json", "markdown"]


class PersonalMemory:
    """One owner's memory in a store.

    `guards` makes the checks before each write and each answer (default: secrets and disguised instructions); the
    owner's rules and what was forgotten are checked besides, whatever it makes. `policy_model` is asked, behind the
    word lists, whether what a builder wrote implies what a rule forbids; it sees what is to be kept, and the rules.
    "builder": the model that the builder asks, where it asks one; None: nobody is asked.

    Raises (all calls): StoreError: the store is broken. Writing: ConflictError: others were faster.
    """

    def __init__(
        self,
        store: MemoryStore,
        user: str,
        *,
        builder: MemoryBuilder | None = None,
        counter: TokenCounter | None = None,
        guards: Callable[[], Sequence[Guard]] = default_guards,
        policy_model: ChatModel | Literal["builder"] | None = "builder",
    ) -> None:
        self.store, self.user = store, user
        self.counter = counter or EstimateCounter()
        self.builder = builder or ExtractiveBuilder(self.counter)
        self._make_guards = guards
        if policy_model == "builder":
            policy_model = builder.model if isinstance(builder, AgenticBuilder) else None
        self._policy = ModelPolicyCheck(policy_model) if policy_model else None
        self._bounds = Bounds(store, user, self.counter, self._guards_for)
        self._editor = Editor(store, user, self.counter, self.builder.empty, self._guards_for)
        self._reader = Reader(store, user, self.builder, self.counter, self._guards_for)

    def _guards_for(self, state: MemoryState, date_of: DateOf | None = None) -> tuple[Guard, ...]:
        rules = RuleGuard(state.rules, date_of=date_of or self._date_of(state))
        policy = (PolicyGuard(self._policy, state.rules),) if self._policy else ()
        return (*self._make_guards(), rules, *policy)

    def _date_of(self, state: MemoryState) -> DateOf | None:
        """Return the dates of past messages, where a rule asks for them."""
        if all(rule.before is None and rule.after is None for rule in state.rules):
            return None
        sessions = self.store.sessions(self.user)
        return lambda index: date_in(sessions, index)

    # Reading chats

    async def remember(
        self, messages: Sequence[Message], *, session: str | None = None, started_at: str | None = None
    ) -> Remembered:
        """Read a chat; the same chat again, by its `session` name or its first messages: only what is new of it.

        Raises: ProviderError: the builder's model failed; whole batches that were read before it stand.
        """
        return await self._read(messages, session, started_at, "update")

    async def _read(
        self, messages: Sequence[Message], session: str | None, started_at: str | None, kind: ChangeKind
    ) -> Remembered:
        spoken = tuple(message for message in messages if message.role != "system")
        return await self._reader.anew().read(Chat(spoken, session, started_at, kind))

    # Asking

    def show(self) -> MemoryState:
        """Return the newest state as it is kept."""
        return self.store.load(self.user)[1]

    def version(self, number: int | None) -> tuple[int, MemoryState]:
        """Return a version's number and state; the newest for None, and 0 is the empty memory.

        Raises: StoreError: there is no such version.
        """
        return self.store.load(self.user) if number is None else (number, self._at(number))

    def recall(self, query: str, *, max_tokens: int = 512) -> Recalled:
        """Return what a prompt may know for a question."""
        state = self.show()
        return recall(self._visible(state), state, query, self.counter, max_tokens)

    def context(self) -> str:
        """Return the whole memory as a system message; rules and secrets are checked anew."""
        state = self.show()
        return context(self._visible(state), state)

    def _visible(self, state: MemoryState) -> MemoryDocument:
        return visible(state, [guard for guard in self._guards_for(state) if guard.name != "poison"])

    def search(self, text: str, *, top: int = SEARCH_TOP) -> list[Bullet]:
        """Return the bullets that fit a text, best first."""
        return rank_bullets(self.show().document, text, top=top)

    # Auditing

    def why(self, bullet_id: str) -> Why:
        """Return where a bullet comes from.

        Raises: StoreError: there is no such bullet.
        """
        return explain_bullet(self.show().document, bullet_id)

    def log(self) -> list[Version]:
        return self.store.versions(self.user)

    def receipts(self) -> list[Receipt]:
        return self.store.receipts(self.user)

    def digest(self, text: str) -> str:
        """Return the digest by which a receipt of this owner recognises a text, for who knows the text."""
        return key_digest(self.user, digest_of(text))

    def diff(self, a: int, b: int) -> Diff:
        """Return what changed from one version to another; 0 is the empty memory.

        Raises: StoreError: there is no such version.
        """
        return diff_documents(self._at(a).document, self._at(b).document)

    def _at(self, number: int) -> MemoryState:
        return self.store.state_at(self.user, number) if number else MemoryState()

    # Correcting

    def add(self, text: str) -> Committed:
        """Write a bullet.

        Raises: BoundaryError: a rule, a secret or something forgotten; so for all that takes a text.
        """
        return self._editor.apply("edit", "added", lambda d: edits.add_bullet(d, text, counter=self.counter))

    def edit(self, bullet_id: str, text: str) -> Committed:
        """Change a bullet's words; no update changes them back. Raises: StoreError, ConflictError, BoundaryError."""
        return self._editor.apply(
            "edit",
            f"changed {bullet_id}",
            lambda d: edits.change_bullet(d, bullet_id, text, counter=self.counter),
            touches=[bullet_id],
        )

    def pin(self, bullet_id: str, is_pinned: bool = True) -> Committed:
        """Keep a bullet as it is, whatever the cap and the next chats say; or let go of it."""
        reason = f"{'pinned' if is_pinned else 'unpinned'} {bullet_id}"
        return self._editor.apply(
            "edit", reason, lambda d: edits.pin_bullet(d, bullet_id, is_pinned), touches=[bullet_id]
        )

    def merge(self, ids: Sequence[str], text: str) -> Committed:
        """Put bullets together under new words; their sources stay."""
        return self._editor.apply(
            "edit",
            f"merged {', '.join(ids)}",
            lambda d: edits.merge_bullets(d, ids, text, counter=self.counter),
            touches=ids,
        )

    def delete(self, bullet_id: str) -> Committed:
        """Remove a bullet; its words are not learnt again from old chats. Past versions keep it: `forget` does not."""
        return self._editor.apply(
            "delete", f"deleted {bullet_id}", lambda d: edits.delete_bullet(d, bullet_id), touches=[bullet_id]
        )

    def parse_edited(self, text: str, seen: MemoryState, *, allow_empty: bool = False) -> MemoryDocument:
        """Return what an edited text (`edits.render_editable`) makes of the state that the owner saw.

        Raises: DataFormatError: a line cannot be read.
        """
        return edits.parse_edited(text, seen.document, counter=self.counter, allow_empty=allow_empty)

    def replace_edited(self, text: str, seen: MemoryState, *, allow_empty: bool = False) -> Committed:
        """Take an edited text back. Raises: DataFormatError, ConflictError, BoundaryError."""
        return self._editor.apply(
            "edit",
            "edited as a file",
            lambda d: edits.parse_edited(text, d, counter=self.counter, allow_empty=allow_empty),
            seen_document=seen.document,
        )

    def undo(self, to: int | None = None) -> Committed:
        """Go back one change, or to a version. Raises: StoreError, BoundaryError."""
        return self._bounds.undo(to)

    def redo(self) -> Committed:
        """Take an undo back. Raises: StoreError: there is none."""
        return self._bounds.redo()

    # Bounding

    def preview_forget(self, text: str) -> Preview:
        """Return what `forget` would remove."""
        return self._bounds.preview_forget(text)

    def forget(self, text: str) -> Forgotten:
        """Forget what a text names, here, in past versions and for the future. Raises: BoundaryError."""
        return self._bounds.forget(text)

    def rules(self) -> tuple[Rule, ...]:
        return self.show().rules

    def preview_rule(self, text: str) -> Preview:
        """Return what a rule would remove. Raises: BoundaryError: it cannot be compiled."""
        return self._bounds.preview_rule(text)

    def set_rule(self, text: str) -> Rule:
        """Set a rule in plain words. Raises: BoundaryError: it cannot be compiled."""
        return self._bounds.set_rule(text).draft.state.rules[-1]

    def remove_rule(self, rule_id: str) -> Committed:
        """Lift a rule. Raises: StoreError: there is no such rule."""
        return self._bounds.remove_rule(rule_id)

    def held(self) -> tuple[Held, ...]:
        return self.show().held

    def release(self, held_id: str) -> Committed:
        """Let a held span be remembered. Raises: StoreError, BoundaryError."""
        return self._editor.release(held_id)

    def discard(self, held_id: str) -> Committed:
        """Drop a held span. Raises: StoreError."""
        return self._editor.discard(held_id)

    # Taking along

    async def import_(self, path: Path, *, on_session: Callable[[ChatSession], None] | None = None) -> Imported:
        """Read chats (ChatGPT, Claude, plain messages, a history), or a memory that `export` wrote as JSON.

        Raises: DataFormatError: the file cannot be read. ProviderError: the builder's model failed.
        """
        if is_memory_export(path):
            return import_memory(self.store, self.user, self._bounds, path)
        return await import_chats(self._reader.anew(), path, on_session=on_session)

    def export(self, file_format: ExportFormat = "json") -> str:
        """Return the memory as a text: JSON gives the equal memory back, Markdown is to be read."""
        state, versions = self.show(), self.log()
        if file_format == "markdown":
            return export_markdown(state, versions=versions)
        return export_json(state, versions=versions, sessions=self.store.sessions(self.user))

    def consolidate(self, *, refuse_unsupported: bool = False) -> Committed | None:
        """Join what says the same, rank it and check its support; None where nothing is to be done."""

        def draft(_: int, state: MemoryState) -> Draft | None:
            guards = [guard for guard in self._guards_for(state) if guard.name != "poison"]
            document = consolidate(state.document, self.counter, guards=guards, refuse_unsupported=refuse_unsupported)
            if document.bullets == state.document.bullets:
                return None
            return self._bounds.settle_written(state, "consolidate", "", document)

        return commit_draft(self.store, self.user, draft)
