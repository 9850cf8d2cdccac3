"""What only the owner sees as HTML: notices, previews, rules, what is held, receipts, versions, the talk. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape as _e

from hub_toolkit.memory.document import Bullet
from hub_toolkit.memory.state import Receipt, Rule, Version
from personamem_ui.render import plural, say_change
from personamem_ui.sessions import Planned, Session

MAX_VERSIONS_LISTED = 60
MAX_RECEIPTS_LISTED = 40
MAX_PREVIEWED = 30


def _button(act: str, target: str, words: str, label: str = "") -> str:
    named = f' aria-label="{_e(label)}"' if label else ""
    return (
        f'<button type="button" class="pm-act is-{act}" data-act="{act}" data-id="{_e(target)}"{named}>{words}</button>'
    )


def render_notice(session: Session) -> str:
    """Say what the last act did; where one is planned, what it would remove, and the two ways on."""
    parts = []
    if session.notice is not None:
        role, name = ("alert", "pm-alert") if session.notice.is_error else ("status", "pm-note")
        receipts = _render_receipts(session.notice.receipts)
        parts.append(f'<div class="{name}" role="{role}">{_e(session.notice.text)}{receipts}</div>')
    if session.planned is not None:
        parts.append(_render_planned(session.planned))
    return "".join(parts)


def _render_planned(planned: Planned) -> str:
    num = len(planned.bullets) + len(planned.held)
    what = "Forgetting" if planned.kind == "forget" else "The rule"
    yes = (
        _button("forget", "", "Forget for good")
        if planned.kind == "forget"
        else _button("set_rule", "", "Set the rule")
    )
    removes = f"removes {plural(num, 'entry').replace('entrys', 'entries')} now" if num else "removes nothing now"
    later = "and keeps it from being learnt again" if planned.kind == "forget" else "and is checked before every write"
    note = f'<p class="pm-small">{_e(planned.note)}</p>' if planned.note else ""
    more = f"<li>… and {num - MAX_PREVIEWED} more</li>" if num > MAX_PREVIEWED else ""
    texts = [bullet.text for bullet in planned.bullets] + [held.text for held in planned.held]
    items = "".join(f"<li><del>{_e(text)}</del></li>" for text in texts[:MAX_PREVIEWED]) + more
    removed = f'<ul class="pm-removed">{items}</ul>' if items else ""
    return (
        f'<section class="pm-planned" aria-label="Preview"><p><strong>{what} “{_e(planned.text)}”</strong> {removes}, '
        f"{later}.</p>{note}{removed}"
        f'<div class="pm-acts">{yes}{_button("cancel", "", "Leave it")}</div></section>'
    )


def render_rules(session: Session) -> str:
    """List the owner's rules."""
    rules = session.memory.rules()
    if not rules:
        return '<p class="pm-empty">No rules yet. Secrets and contact data are never kept, rule or not.</p>'
    items = "".join(_render_rule(rule) for rule in rules)
    return f'<ul class="pm-rows" aria-label="Your rules">{items}</ul>'


def _render_rule(rule: Rule) -> str:
    about = ", ".join((*rule.categories, *rule.entities)) or "dates"
    return (
        f'<li><span><b>{_e(rule.id)}</b> {_e(rule.text)} <span class="pm-small">({_e(rule.effect)}: {_e(about)})</span>'
        f"</span>{_button('remove_rule', rule.id, 'Remove', f'Remove rule {rule.id}')}</li>"
    )


def render_held(session: Session) -> str:
    """List the spans that look like instructions, with the two decisions."""
    held = session.memory.held()
    if not held:
        return '<p class="pm-empty">Nothing is held. What looks like an instruction to the memory waits here.</p>'
    items = "".join(
        f'<li><span><b>{_e(one.id)}</b> “{_e(one.text)}” <span class="pm-small">looks like: '
        f"{_e(one.reason.rpartition(':')[2].replace('_', ' '))}; message {one.source.index}</span></span>"
        f'<span class="pm-acts">{_button("release", one.id, "Release", f"Release {one.id}: remember it")}'
        f"{_button('discard', one.id, 'Discard', f'Discard {one.id}')}</span></li>"
        for one in held
    )
    return f'<ul class="pm-rows" aria-label="Held for your decision">{items}</ul>'


def render_receipts(session: Session) -> str:
    """List what was kept out or removed, newest first: never the content."""
    receipts = list(reversed(session.memory.receipts()))
    if not receipts:
        return '<p class="pm-empty">No receipts yet: nothing was kept out, held or forgotten.</p>'
    return _render_receipts(receipts[:MAX_RECEIPTS_LISTED])


def _render_receipts(receipts: Sequence[Receipt]) -> str:
    if not receipts:
        return ""
    items = "".join(
        f"<li><b>{_e(receipt.kind)}</b> {receipt.count} × {_e(receipt.reason.replace('_', ' '))}"
        f"{_render_stamp(receipt)}</li>"
        for receipt in receipts
    )
    return f'<ul class="pm-receipts" aria-label="Receipts">{items}</ul>'


def _render_stamp(receipt: Receipt) -> str:
    digest = f" · digest <code>{_e(receipt.digest)}</code>" if receipt.digest else ""
    return f' <span class="pm-small">{_e(_clock(receipt.time))}{digest}</span>'


def _clock(time: str) -> str:
    return f"{time[11:19]} UTC" if len(time) >= 19 else time


def render_log(session: Session) -> str:
    """List the versions, newest first, each to be looked at or gone back to."""
    versions = list(reversed(session.memory.log()))
    if not versions:
        return '<p class="pm-empty">No versions yet. Every chunk that is read and every change of yours makes one.</p>'
    shown = session.step.number if session.step else 0
    newest = versions[0].number
    items = "".join(_render_version(v, shown, newest) for v in versions[:MAX_VERSIONS_LISTED])
    left = len(versions) - MAX_VERSIONS_LISTED
    more = f'<p class="pm-small">{left} older ones: use the slider under Growth.</p>' if left > 0 else ""
    return f'<ol class="pm-rows" aria-label="Versions, newest first">{items}</ol>{more}'


def _render_version(version: Version, shown: int, newest: int) -> str:
    counts = f"+{version.num_added} ~{version.num_changed} −{version.num_removed}"
    here = ' <span class="pm-flag is-changed">on show</span>' if version.number == shown else ""
    number = str(version.number)
    buttons = _button("version", number, "Show", f"Show version {number}")
    if version.number != newest:
        buttons += _button("restore", number, "Go back", f"Go back to version {number}")
    return (
        f'<li><span><b>{number}</b> {say_change(version)} <span class="pm-counts">{counts}</span> '
        f'<span class="pm-small">{_e(_clock(version.time))}</span>{here}</span>'
        f'<span class="pm-acts">{buttons}</span></li>'
    )


def render_talk(session: Session) -> str:
    """Return the talk on this page, and what the last message left in the memory."""
    if not session.talk and not session.talk_error:
        return (
            '<p class="pm-empty">Write as you would to an assistant: what you let slip about yourself is remembered '
            "at once and appears in the list. Try “I moved to Leeds in May and started knitting mittens for my "
            "daughter, which wool is warm?”</p>"
        )
    turns = "".join(
        f'<div class="pm-turn is-{_e(message.role)}"><b>{"You" if message.role == "user" else "Model"}</b>'
        f"<div>{_e(message.text) or '<em>(forgotten)</em>'}</div></div>"
        for message in session.talk
    )
    if session.talk_reply is not None:
        waiting = '<span class="pm-waiting">writing…</span>'
        turns += f'<div class="pm-turn is-assistant"><b>Model</b><div>{_e(session.talk_reply)} {waiting}</div></div>'
    alert = f'<div class="pm-alert" role="alert">{_e(session.talk_error)}</div>' if session.talk_error else ""
    note = f'<p class="pm-note" role="status">{_e(session.talk_note)}</p>' if session.talk_note else ""
    return f'<div class="pm-talk" aria-label="The talk">{turns}</div>{note}{alert}'


def bullet_choices(session: Session) -> list[tuple[str, str]]:
    """Return the newest memory's bullets for a list to choose from."""
    return [(_short(bullet), bullet.id) for bullet in session.memory.show().document.bullets]


def _short(bullet: Bullet) -> str:
    return f"{bullet.id} · {bullet.text[:60]}{'…' if len(bullet.text) > 60 else ''}"
