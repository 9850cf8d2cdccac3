"""What the owner does to the memory on the page: each act ends in a notice, and a refusal says why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hub_toolkit.errors import BoundaryError, PersonaMemError, StoreError
from personamem_ui.sessions import MAX_TEXT_CHARACTERS, Notice, Planned, Session

Act = Callable[[Session, str, str], Notice]


def why_not_now(session: Session) -> str:
    """Say why the owner has to wait."""
    if session.is_busy:
        return "Not while a chat is being read: wait, or press Stop."
    if session.talk_reply is not None:
        return "Not while the model writes its answer: wait a moment."
    return "An earlier version is on show. To change the memory, go to the newest one, or go back to this one."


def perform(session: Session, act: str, target: str = "", text: str = "") -> None:
    """Do what a button asks: `target` is an id or a number, `text` what was written beside the button."""
    if act == "open":
        session.toggle_bullet(target)
        return
    if act == "version":
        session.show_step(int(target) if target.isascii() and target.isdecimal() else 0)
        return
    if act == "cancel":
        session.planned, session.notice = None, None
        return
    found = ACTS.get(act)
    if found is None:
        return
    if not session.can_edit and not (act == "restore" and session.shown and session.is_free):
        session.notice = Notice(why_not_now(session), is_error=True)
        return
    try:
        session.notice = found(session, target, text.strip()[:MAX_TEXT_CHARACTERS])
    except PersonaMemError as error:
        session.settle()  # a refusal leaves a version with its receipt
        session.notice = Notice(_in_page_words(error, act), is_error=True)


def _in_page_words(error: PersonaMemError, act: str) -> str:
    if act == "undo" and isinstance(error, BoundaryError):
        return (
            "The last change was a forget or a rule, which one undo does not take back. Remove the rule under Bounds, "
            "or go back to an earlier version in the list of versions: what was forgotten stays away there too."
        )
    if isinstance(error, StoreError) and act in ("edit", "pin", "unpin", "delete"):
        return "This bullet is not there any more."
    text = str(error)
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


def _add(session: Session, _: str, text: str) -> Notice:
    if not text:
        return Notice("Write what shall be remembered first.", is_error=True)
    session.memory.add(text)
    session.settle()
    return Notice("Added, in your words.")


def _edit(session: Session, bullet_id: str, text: str) -> Notice:
    if not text:
        return Notice("An empty text: use Delete to remove a bullet.", is_error=True)
    session.memory.edit(bullet_id, text)
    session.settle()
    return Notice("Changed. No later chat changes your words back.")


def _pin(session: Session, bullet_id: str, _: str) -> Notice:
    session.memory.pin(bullet_id)
    session.settle()
    return Notice("Pinned: it stays, whatever the token budget and later chats say.")


def _unpin(session: Session, bullet_id: str, _: str) -> Notice:
    session.memory.pin(bullet_id, False)
    session.settle()
    return Notice("Unpinned.")


def _delete(session: Session, bullet_id: str, _: str) -> Notice:
    session.memory.delete(bullet_id)
    session.settle()
    return Notice("Deleted. Undo brings it back, and earlier versions still hold it; Forget would not leave it there.")


def _merge(session: Session, ids: str, text: str) -> Notice:
    chosen = [bullet_id for bullet_id in ids.split(" ") if bullet_id]
    if len(chosen) < 2 or not text:
        return Notice("Choose two or more bullets, and write the words that shall stand for them.", is_error=True)
    session.memory.merge(chosen, text)
    session.settle()
    return Notice(f"Merged {len(chosen)} bullets into one; it cites the messages of all of them.")


def _plan_forget(session: Session, bullet_id: str, text: str) -> Notice:
    wanted = bullet_id or text
    if not wanted:
        return Notice("Name what shall be forgotten first, in a few words.", is_error=True)
    preview = session.memory.preview_forget(wanted)
    session.planned = Planned("forget", wanted, preview.bullets, preview.held)
    return Notice("Nothing is forgotten yet: look at what would go, then decide.")


def _forget(session: Session, _: str, __: str) -> Notice:
    planned = session.planned
    if planned is None or planned.kind != "forget":
        return Notice("Look at what would go first.", is_error=True)
    done = session.memory.forget(planned.text)
    session.settle(is_purged=True)
    session.open_bullet = None
    kinds = f" ({', '.join(done.kinds)})" if done.kinds else ""
    bullets = f"{done.num_bullets} bullet{'s' * (done.num_bullets != 1)}{kinds}"
    past = f"{done.num_purged} from earlier versions"
    return Notice(
        f"Forgotten for good: {bullets} now, {past}. It is not learnt again from these chats or new ones.",
        receipts=done.receipts,
    )


def _plan_rule(session: Session, _: str, text: str) -> Notice:
    if not text:
        return Notice("Write a rule first, for example: never remember my health.", is_error=True)
    preview = session.memory.preview_rule(text)
    rule = preview.rule
    parts = (*rule.categories, *rule.entities) if rule else ()
    note = f"{'Keeps out' if rule and rule.effect == 'never' else 'Lets in only'}: {', '.join(parts)}" if parts else ""
    session.planned = Planned("rule", text, preview.bullets, preview.held, note)
    return Notice("The rule is not set yet: look at what it would remove, then decide.")


def _set_rule(session: Session, _: str, __: str) -> Notice:
    planned = session.planned
    if planned is None or planned.kind != "rule":
        return Notice("Look at what the rule would remove first.", is_error=True)
    known = len(session.memory.receipts())
    rule = session.memory.set_rule(planned.text)
    session.settle(is_purged=True)
    receipts = tuple(session.memory.receipts()[known:])
    return Notice(f"Rule {rule.id} holds from now on, in every chat and every answer.", receipts=receipts)


def _remove_rule(session: Session, rule_id: str, _: str) -> Notice:
    session.memory.remove_rule(rule_id)
    session.settle()
    return Notice(f"Rule {rule_id} is lifted. What it kept away does not come back by itself.")


def _release(session: Session, held_id: str, _: str) -> Notice:
    session.memory.release(held_id)
    session.settle()
    return Notice("Released: it stands in the memory now, as your own words.")


def _discard(session: Session, held_id: str, _: str) -> Notice:
    session.memory.discard(held_id)
    session.settle()
    return Notice("Discarded.")


def _undo(session: Session, _: str, __: str) -> Notice:
    session.memory.undo()
    session.settle()
    return Notice("One change was taken back.")


def _redo(session: Session, _: str, __: str) -> Notice:
    session.memory.redo()
    session.settle()
    return Notice("The undo was taken back.")


def _restore(session: Session, number: str, _: str) -> Notice:
    if not (number.isascii() and number.isdecimal()):
        return Notice("There is no such version.", is_error=True)
    session.memory.undo(int(number))
    session.settle()
    return Notice(f"Back to version {number}, as a new version. Rules and what was forgotten stay as they are.")


@dataclass(frozen=True)
class Download:
    """A file made for the visitor, never written to a disk here."""

    name: str
    media_type: str
    text: str


def make_download(session: Session, file_format: str) -> Download:
    """Return the memory as a file to keep: JSON can be uploaded again, Markdown is to be read."""
    if file_format == "markdown":
        return Download("memory.md", "text/markdown", session.memory.export("markdown"))
    return Download("memory.json", "application/json", session.memory.export("json"))


ACTS: dict[str, Act] = {
    "add": _add,
    "edit": _edit,
    "pin": _pin,
    "unpin": _unpin,
    "delete": _delete,
    "merge": _merge,
    "plan_forget": _plan_forget,
    "forget": _forget,
    "plan_rule": _plan_rule,
    "set_rule": _set_rule,
    "remove_rule": _remove_rule,
    "release": _release,
    "discard": _discard,
    "undo": _undo,
    "redo": _redo,
    "restore": _restore,
}
