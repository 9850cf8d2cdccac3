"""One user's memory in their private dataset repo on the Hub: a commit a version."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from hub_toolkit.errors import ConflictError, HubError, StoreError
from hub_toolkit.hub import memory_files as layout
from hub_toolkit.hub.client import RepoRef, hub_errors
from hub_toolkit.hub.transfer.commit import CommitOptions, LocalFile, RemoteTree, commit_files, read_tree
from hub_toolkit.memory.owner.audit import diff_documents
from hub_toolkit.memory.state import Change, MemoryState, Receipt, Session, Version
from hub_toolkit.memory.stores.redaction import Redaction, keep_tombstones, purge_receipt
from hub_toolkit.memory.stores.store import Concerns

if TYPE_CHECKING:
    from huggingface_hub import HfApi

Record = TypeVar("Record", Version, Receipt, Session)

MAX_READS = 5
"""Tries to read one commit while purges keep replacing the history."""


class HubMemoryStore:
    """A `MemoryStore` of one user, `user`, in the dataset repo `repo_id`, which is made private and must stay so.

    A write is one commit on the commit that was read: two writers never mix, and a kill leaves the version before or
    the one after. Nothing is kept on this disk.

    A purge is a commit in which all versions lack the content, then a squash of git's history; a mark in the repo lets
    whoever opens it next finish what a kill interrupted. Tags and other branches are removed, since they would hold the
    old commits. What this client cannot reach: the Hub may keep unreferenced objects until it collects its garbage,
    and pull requests' refs stay (the receipt counts them: `hub:pull_requests`). Nothing is kept as a large file.

    Raises (all calls): StoreError: the Hub refused or cannot be reached, the repo is public, or a file is broken.
    """

    def __init__(
        self,
        api: HfApi,
        repo_id: str,
        user: str,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.api = api
        self.ref = RepoRef(repo_id)
        self.user = user
        self._now = now
        self._contents: dict[str, bytes] = {}

    def users(self) -> list[str]:
        return [self.user] if self._open().number else []

    def load(self, user: str) -> tuple[int, MemoryState]:
        book = self._open(user)
        return book.number, book.state()

    def commit(self, user: str, state: MemoryState, change: Change, *, expect: int) -> Version:
        """Make `state` the next version; on return the Hub has it.

        Raises: ConflictError: the newest version is not `expect` any more; nothing was written.
        """
        self._open(user)
        return self._write(state, change, expect=expect)

    def purge(self, user: str, state: MemoryState, change: Change, *, concerns: Concerns, expect: int) -> Version:
        """Commit `state`, take what `concerns` out of all versions, and rewrite git's history.

        Raises: ConflictError, as commit. StoreError: also where the commit is there and the history could not be
        rewritten yet; the next call does it.
        """
        self._open(user)
        version = self._write(state, change, expect=expect, concerns=concerns)
        self._contents.clear()
        self._open(user)
        return version

    def state_at(self, user: str, number: int) -> MemoryState:
        book = self._open(user)
        return MemoryState() if number == 0 else book.state_at(number)

    def versions(self, user: str) -> list[Version]:
        return [line.version for line in self._open(user).log()]

    def receipts(self, user: str) -> list[Receipt]:
        return self._open(user).records(layout.RECEIPTS_FILE, Receipt)

    def sessions(self, user: str) -> list[Session]:
        return self._open(user).records(layout.SESSIONS_FILE, Session)

    def delete_user(self, user: str) -> None:
        """Delete the repo with all that it holds."""
        self._check_user(user)
        self._contents.clear()
        with _store_errors(), hub_errors(f"delete dataset {self.ref}"):
            self.api.delete_repo(self.ref.repo_id, repo_type="dataset", missing_ok=True)

    def close(self) -> None:
        self._contents.clear()

    def _check_user(self, user: str) -> None:
        if user != self.user:
            raise StoreError(f"{self.ref} holds the memory of one user, and {user!r} is another; open their own repo")

    def _open(self, user: str | None = None) -> Book:
        """Return the repo as it stands, after finishing a purge that was interrupted."""
        if user is not None:
            self._check_user(user)
        with _store_errors():
            for _ in range(MAX_READS):
                try:
                    book = self._read(read_tree(self.api, self.ref))
                    if layout.PENDING_FILE not in book.tree.files:
                        return book
                    self._finish_purge(book.tree)
                except _GoneError:
                    continue
        raise StoreError(f"{self.ref} was rewritten {MAX_READS} times while it was read; try again")

    def _read(self, tree: RemoteTree) -> Book:
        wanted = (layout.STATE_FILE, layout.LOG_FILE, layout.RECEIPTS_FILE, layout.SESSIONS_FILE)
        book = Book(self, tree)
        for path in wanted:
            book.content(path)
        book.check(self.user)
        return book

    def fetch(self, tree: RemoteTree, path: str) -> bytes:
        """Return a file's bytes at a tree's commit: past every cache on this disk, which a forget would not reach."""
        from huggingface_hub import get_session, hf_hub_url, hf_raise_for_status
        from huggingface_hub.errors import EntryNotFoundError, RevisionNotFoundError
        from huggingface_hub.utils._headers import build_hf_headers

        blob_id = tree.files[path].blob_id
        if blob_id not in self._contents:
            url = hf_hub_url(self.ref.repo_id, path, repo_type="dataset", revision=tree.sha, endpoint=self.api.endpoint)
            with hub_errors(f"read {path} of dataset {self.ref}"):
                response = get_session().get(url, headers=build_hf_headers(token=self.api.token), follow_redirects=True)
                try:
                    hf_raise_for_status(response)
                except (EntryNotFoundError, RevisionNotFoundError) as error:
                    raise _GoneError from error
            live = {file.blob_id for file in tree.files.values()}
            self._contents = {known: data for known, data in self._contents.items() if known in live}
            self._contents[blob_id] = response.content
        return self._contents[blob_id]

    def _write(self, state: MemoryState, change: Change, *, expect: int, concerns: Concerns | None = None) -> Version:
        key = secrets.token_hex(16)
        made: list[Version] = []

        def build(tree: RemoteTree) -> tuple[list[LocalFile], Sequence[str]]:
            if tree.is_private is False:
                raise StoreError(f"{self.ref} is public; make it private on its settings page, nothing was written")
            book = self._read(tree)
            if any(line.key == key for line in book.log()[expect : expect + 1]):
                return [], ()  # the answer was lost, the commit was not
            _check_expected(book, expect)
            draft, redaction = self._draft(book, state, change, key, concerns)
            made[:] = [draft.version]
            files = draft.purged_files(redaction) if redaction else draft.files()
            layout.check_sizes(files.items())
            return [LocalFile(path, data) for path, data in sorted(files.items())], ()

        message = f"Version {expect + 1}: {change.kind} by {change.author}"
        with _store_errors():
            for _ in range(MAX_READS):
                try:
                    commit_files(self.api, self.ref, build, message=message, options=CommitOptions(is_private=True))
                    return made[0]
                except _GoneError:
                    continue
        raise StoreError(f"{self.ref} was rewritten {MAX_READS} times meanwhile; nothing was written, try again")

    def _draft(
        self, book: Book, state: MemoryState, change: Change, key: str, concerns: Concerns | None
    ) -> tuple[_Draft, Redaction | None]:
        """Return the next version, with all tombstones there were, and what must go from the past."""
        before = book.state()
        state = keep_tombstones(before, state)
        redaction = Redaction.of_change(before, state, concerns) if concerns else None
        kept = redaction.state(state) if redaction else state
        return _Draft(book, kept, change, self._time(), key), redaction

    def _time(self) -> str:
        return self._now().astimezone(UTC).isoformat(timespec="milliseconds")

    def _finish_purge(self, tree: RemoteTree) -> None:
        """Rewrite the history, then take the mark away, unless another purge has set its own meanwhile."""
        mark = tree.files[layout.PENDING_FILE].blob_id
        with hub_errors(f"rewrite the history of dataset {self.ref}"):
            self.api.super_squash_history(
                self.ref.repo_id, repo_type="dataset", commit_message="A memory; what came before was removed"
            )
            refs = self.api.list_repo_refs(self.ref.repo_id, repo_type="dataset", include_pull_requests=True)
            for tag in refs.tags:
                self.api.delete_tag(self.ref.repo_id, tag=tag.name, repo_type="dataset")
            for branch in refs.branches:
                if branch.name != "main":
                    self.api.delete_branch(self.ref.repo_id, branch=branch.name, repo_type="dataset")

        num_left = len(refs.pull_requests or [])

        def build(now: RemoteTree) -> tuple[list[LocalFile], Sequence[str]]:
            found = now.files.get(layout.PENDING_FILE)
            if found is None or found.blob_id != mark:
                return [], ()
            receipt = Receipt("purged", "hub:pull_requests", num_left, time=self._time())
            data = Book(self, now).content(layout.RECEIPTS_FILE) + layout.encode_json(asdict(receipt))
            return [LocalFile(layout.RECEIPTS_FILE, data)] if num_left else [], [layout.PENDING_FILE]

        commit_files(self.api, self.ref, build, message="The history was rewritten")


class _GoneError(Exception):
    """The commit that was read is no more: a purge has replaced it."""


class Book:
    """A repo's files at one commit, read when they are asked for."""

    def __init__(self, store: HubMemoryStore, tree: RemoteTree) -> None:
        self.store, self.tree = store, tree

    def content(self, path: str) -> bytes:
        """Return a file's bytes; none where it is not there."""
        return self.store.fetch(self.tree, path) if path in self.tree.files else b""

    def lines(self, path: str) -> list[dict[str, Any]]:
        return layout.decode_lines(self.content(path), self._place(path))

    def records(self, path: str, kind: type[Record]) -> list[Record]:
        return [layout.record_from_dict(kind, line, self._place(path)) for line in self.lines(path)]

    @property
    def number(self) -> int:
        """The newest version, 0 where there is none."""
        return int(self._head()["version"]) if layout.STATE_FILE in self.tree.files else 0

    def state(self) -> MemoryState:
        if not self.number:
            return MemoryState()
        return layout.state_from_dict(self._head()["state"], self._place(layout.STATE_FILE))

    def state_at(self, number: int) -> MemoryState:
        if not 0 < number <= self.number:
            raise StoreError(f"the memory in {self.store.ref} has no version {number}; `log` lists those there are")
        path = layout.segment_path(number)
        found = dict(self.segment(path)).get(number)
        if found is None:
            raise StoreError(f"{self._place(path)}: version {number} is missing; take the file back from a commit")
        return found

    def segment(self, path: str) -> list[tuple[int, MemoryState]]:
        return layout.decode_versions(self.content(path), self._place(path))

    def segments(self) -> list[str]:
        return sorted(path for path in self.tree.files if path.startswith(layout.VERSIONS_FOLDER))

    def log(self) -> list[layout.LogLine]:
        versions = self.records(layout.LOG_FILE, Version)
        keys = [str(line.get("key")) for line in self.lines(layout.LOG_FILE)]
        return [layout.LogLine(version, key) for version, key in zip(versions, keys, strict=True)]

    def check(self, user: str) -> None:
        """Raise StoreError where the files are not a memory of this user, or do not fit one another."""
        if layout.STATE_FILE not in self.tree.files:
            return
        if (found := self._head().get("user")) != user:
            raise StoreError(f"{self.store.ref} holds the memory of {found!r}, not of {user!r}; open another repo")
        if [line.version.number for line in self.log()] != list(range(1, self.number + 1)):
            place = self._place(layout.LOG_FILE)
            raise StoreError(f"{place}: its versions do not lead to {self.number}; take back an earlier commit")

    def _head(self) -> dict[str, Any]:
        place = self._place(layout.STATE_FILE)
        [*_, head] = layout.decode_lines(self.content(layout.STATE_FILE), place) or [{}]
        if head.get("format_version") != layout.FORMAT_VERSION:
            found = head.get("format_version")
            raise StoreError(f"{place}: format {found}, known is {layout.FORMAT_VERSION}; update the toolkit")
        if not isinstance(head.get("version"), int) or not isinstance(head.get("state"), dict):
            raise StoreError(f"{place}: not a memory; take the file back from an earlier commit")
        return head

    def _place(self, path: str) -> str:
        return f"{self.store.ref}, {path}"


@dataclass(frozen=True)
class _Draft:
    """The files of the next version; `key` is by what the writer knows its own."""

    book: Book
    state: MemoryState
    change: Change
    time: str
    key: str

    @property
    def version(self) -> Version:
        counts = diff_documents(self.book.state().document, self.state.document).counts
        change = self.change
        return Version(self.book.number + 1, change.kind, change.author, change.reason, self.time, *counts)

    def files(self) -> dict[str, bytes]:
        """Return each file that the version changes."""
        number = self.version.number
        path = layout.segment_path(number)
        before = self.book.state() if path in self.book.tree.files else None
        receipts = [replace(receipt, time=receipt.time or self.time) for receipt in self.change.receipts]
        files = {
            **self._head_files(),
            path: layout.append_version(self.book.content(path), number, self.state, before),
            layout.LOG_FILE: self.book.content(layout.LOG_FILE) + self._log_line(self.version.reason),
        }
        for name, records in ((layout.RECEIPTS_FILE, receipts), (layout.SESSIONS_FILE, self.change.sessions)):
            if records:
                lines = b"".join(layout.encode_json(asdict(record)) for record in records)
                files[name] = self.book.content(name) + lines
        return files

    def _head_files(self) -> dict[str, bytes]:
        version, state = self.version, layout.state_to_dict(self.state)
        head = {"format_version": layout.FORMAT_VERSION, "user": self.book.store.user}
        return {
            layout.STATE_FILE: layout.encode_json({**head, "version": version.number, "state": state}),
            layout.READABLE_FILE: layout.render_readable(version, self.state),
            layout.CARD_FILE: layout.CARD.encode(),
            layout.ATTRIBUTES_FILE: layout.ATTRIBUTES,
        }

    def _log_line(self, reason: str) -> bytes:
        return layout.encode_json({**asdict(replace(self.version, reason=reason)), "key": self.key})

    def purged_files(self, redaction: Redaction) -> dict[str, bytes]:
        """Return the files of the version with all past ones purged, the receipt, and the mark of the work left."""
        files, removed = self.files(), set[object]()
        own = layout.segment_path(self.version.number)
        for path in sorted({*self.book.segments(), own}):
            purged = []
            for number, state in self.book.segment(path) if path in self.book.tree.files else ():
                left, gone = redaction.past_state(state)
                removed |= gone
                purged.append((number, left))
            files[path] = layout.encode_versions(
                [*purged, *([(self.version.number, self.state)] if path == own else [])]
            )
        log = b""
        for line in self.book.log():
            reason = redaction.reason(line.version.reason)
            if reason != line.version.reason:
                removed.add(line.version)
            log += layout.encode_json({**asdict(replace(line.version, reason=reason)), "key": line.key})
        receipt = purge_receipt(self.change, len(removed), self.time)
        receipts = files.get(layout.RECEIPTS_FILE, self.book.content(layout.RECEIPTS_FILE))
        return {
            **files,
            layout.LOG_FILE: log + self._log_line(redaction.reason(self.version.reason)),
            layout.RECEIPTS_FILE: receipts + layout.encode_json(asdict(receipt)),
            layout.PENDING_FILE: layout.encode_json({"version": self.version.number, "key": self.key}),
        }


def _check_expected(book: Book, expect: int) -> None:
    if book.number != expect:
        raise ConflictError(
            f"the memory in {book.store.ref} is at version {book.number}, not {expect}: somebody else changed it, and "
            "nothing was written; read it again and repeat the change"
        )


@contextmanager
def _store_errors() -> Iterator[None]:
    """Say as a store what the Hub refused."""
    try:
        yield
    except HubError as error:
        raise StoreError(str(error)) from error


__all__ = ["HubMemoryStore"]
