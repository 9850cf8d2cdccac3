"""Keeping a memory: in the visitor's own private dataset on the Hub. A token is used for the call and kept nowhere."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from html import escape
from pathlib import Path

from hub_toolkit.errors import ConflictError, HubError, PersonaMemError
from hub_toolkit.hub.client import connect
from hub_toolkit.hub.memory_store import HubMemoryStore
from hub_toolkit.memory.exports.exports import export_json
from hub_toolkit.memory.forget.tombstones import is_forgotten
from hub_toolkit.memory.rules.detect import violates
from hub_toolkit.memory.state import Change, MemoryState
from hub_toolkit.settings import Settings
from personamem_ui.sessions import OWNER, Notice, Session
from personamem_ui.visitors import Visitor

REPO_NAME = "personamem-memory"
NOT_SET_UP = (
    "This page runs without signing in, so a memory cannot be kept on the Hub from here. Download it instead; on your "
    "own machine, `personamem memory` keeps one in a file."
)
NOT_SIGNED_IN = "Nobody is signed in: this memory vanishes with the session. Sign in at the top of the page to keep it."


def render_keep(session: Session, settings: Settings, visitor: Visitor) -> str:
    """Say where the memory is kept, or what it would take."""
    if visitor.token is None or visitor.name is None:
        text = NOT_SIGNED_IN if settings.has_sign_in else NOT_SET_UP
        return f'<p class="pm-small">{escape(text)}</p>'
    repo = escape(f"{visitor.name}/{REPO_NAME}")
    state = f"Loaded or saved as its version {session.hub_version}." if session.hub_version else "Not saved there yet."
    return (
        f'<p class="pm-small">Signed in as <b>{escape(visitor.name)}</b>. Your memory can be kept in your own private '
        f"dataset <code>{repo}</code>, which you can look into and delete. {state}</p>"
    )


@contextmanager
def _store_of(settings: Settings, visitor: Visitor) -> Iterator[HubMemoryStore]:
    if visitor.token is None or visitor.name is None:
        raise HubError(NOT_SIGNED_IN if settings.has_sign_in else NOT_SET_UP)
    api = connect(settings, token=visitor.token)
    store = HubMemoryStore(api, f"{visitor.name}/{REPO_NAME}", visitor.name)
    try:
        yield store
    finally:
        store.close()


def save_to_hub(session: Session, settings: Settings, visitor: Visitor) -> Notice:
    """Write the newest memory as one version of the visitor's dataset; what was forgotten here goes there, too."""
    try:
        with _store_of(settings, visitor) as store:
            return _save(session, store, visitor.name or "")
    except PersonaMemError as error:
        return Notice(_sentence(error), is_error=True)


def _save(session: Session, store: HubMemoryStore, user: str) -> Notice:
    number, kept = store.load(user)
    if number != session.hub_version:
        return Notice(
            "There is a memory in your dataset that this page has not seen. Load it first: it is joined to this one.",
            is_error=True,
        )
    state = session.memory.show()
    known = {one.key for one in store.sessions(user)}
    sessions = tuple(one for one in session.memory.store.sessions(OWNER) if one.key not in known)
    change = Change("import", "user", "saved from the page", sessions=sessions)
    try:
        if _is_bounded_more(state, kept):
            version = store.purge(user, state, change, concerns=lambda text: _must_go(text, state), expect=number)
        else:
            version = store.commit(user, state, change, expect=number)
    except ConflictError:
        return Notice("Your dataset changed meanwhile; nothing was written. Load it, then save again.", is_error=True)
    session.hub_version = version.number
    return Notice(f"Saved to your private dataset {store.ref.repo_id}, version {version.number}.")


def _is_bounded_more(state: MemoryState, kept: MemoryState) -> bool:
    """Whether something was forgotten, or a rule set, that the kept versions do not know of."""
    has_forgotten = set(state.document.forgotten) - set(kept.document.forgotten)
    rules = {replace(rule, id="") for rule in state.rules} - {replace(rule, id="") for rule in kept.rules}
    return bool(has_forgotten or rules)


def _must_go(text: str, state: MemoryState) -> bool:
    never = (rule for rule in state.rules if rule.effect == "never")
    return is_forgotten(text, state.document.forgotten) or any(violates(text, rule) for rule in never)


async def load_from_hub(session: Session, settings: Settings, visitor: Visitor) -> Notice:
    """Join the memory of the visitor's dataset to the one on the page."""
    try:
        with _store_of(settings, visitor) as store:
            number, state = store.load(visitor.name or "")
            if not number:
                return Notice(f"There is no memory in {store.ref.repo_id} yet.", is_error=True)
            text = export_json(state, sessions=store.sessions(visitor.name or ""))
    except PersonaMemError as error:
        return Notice(_sentence(error), is_error=True)
    return await load_memory_text(session, text, from_hub=number)


async def load_memory_text(session: Session, text: str, *, from_hub: int = 0) -> Notice:
    """Join an exported memory to the one on the page, with all checks."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "memory.json"
        path.write_text(text, "utf-8")
        return await load_memory_file(session, path, from_hub=from_hub)


async def load_memory_file(session: Session, path: Path, *, from_hub: int = 0) -> Notice:
    """Do the same with a file. Its bullets, rules and what it forgot are taken over: bounds only grow."""
    try:
        done = await session.memory.import_(path)
    except PersonaMemError as error:
        return Notice(_sentence(error), is_error=True)
    session.settle(is_purged=done.version is not None)
    if from_hub:
        session.hub_version = from_hub
    if done.version is None:
        return Notice("This memory holds nothing that is not here already.")
    kept_out = sum(receipt.count for receipt in done.receipts if receipt.kind == "refused")
    refused = f" {kept_out} were refused by your rules or the page's checks." if kept_out else ""
    num = len(done.diff.added)
    return Notice(f"Loaded a memory: {num} bullet{'s' * (num != 1)} added.{refused}", receipts=done.receipts)


def _sentence(error: PersonaMemError) -> str:
    text = str(error)
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
