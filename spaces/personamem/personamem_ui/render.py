"""The memory as HTML: pure functions. Whatever comes from a history, a file name or a model goes through `_e`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape

from hub_toolkit.memory.document import Bullet, MemoryDocument, Source
from hub_toolkit.memory.owner.audit import check_support
from hub_toolkit.memory.state import Version
from hub_toolkit.types import Message
from personamem_ui.plot_frame import frame_plot
from personamem_ui.sessions import MAX_TEXT_CHARACTERS, UPLOAD_LIMITS, Session, Step

MAX_MESSAGE_CHARACTERS = 4_000
EXCERPT_CHARACTERS = 1_200

PLOT_WIDTH, PLOT_HEIGHT = 340, 200
PLOT_LEFT, PLOT_RIGHT, PLOT_TOP, PLOT_BOTTOM = 52, 14, 26, 36
MAX_DOTS = 40
NEARLY_FULL = 0.9


def _e(text: object) -> str:
    """Escape text for HTML, in elements and in quoted attributes."""
    return escape(str(text), quote=True)


def plural(count: int, noun: str) -> str:
    """Return `1 message`, `2 messages`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


@dataclass(frozen=True)
class Diff:
    """What one chunk did to the memory. `num_shortened`: said in fewer words, nothing else."""

    added: frozenset[str] = frozenset()
    changed: frozenset[str] = frozenset()
    removed: tuple[Bullet, ...] = ()
    num_shortened: int = 0
    has_forgotten: bool = False


def diff_documents(before: MemoryDocument | None, after: MemoryDocument) -> Diff:
    """Compare two memories by the ids of their bullets; before the first chunk all is new."""
    old = {bullet.id: bullet for bullet in before.bullets} if before else {}
    new = {bullet.id: bullet for bullet in after.bullets}
    both = [(old[key], new[key]) for key in new if key in old]
    differing = [(was, now) for was, now in both if was.text != now.text]
    shortened = [now.id for was, now in differing if now.text in was.text and was.sources == now.sources]
    num_forgotten_before = len(before.forgotten) if before else 0
    return Diff(
        added=frozenset(new.keys() - old.keys()),
        changed=frozenset(now.id for _, now in differing if now.id not in shortened),
        removed=tuple(bullet for key, bullet in old.items() if key not in new),
        num_shortened=len(shortened),
        has_forgotten=len(after.forgotten) > num_forgotten_before,
    )


def render_alert(text: str) -> str:
    """Return an error that stays on the page; nothing for an empty text."""
    return f'<div class="pm-alert" role="alert"><strong>Error:</strong> {_e(text)}</div>' if text else ""


def render_history_line(session: Session) -> str:
    """Say which chats are chosen, or why the last upload was not taken."""
    error = f"{session.upload_error}." if session.upload_error else ""
    chosen = ""
    if session.label:
        size = plural(session.num_messages, "message")
        note = f" · {_e(session.upload_note)}" if session.upload_note else ""
        chosen = f'<p class="pm-chosen">Chosen: <strong>{_e(session.label)}</strong> ({size}{note})</p>'
    return render_alert(error.replace("..", ".")) + chosen


def render_limits() -> str:
    """Say what may be uploaded."""
    size = UPLOAD_LIMITS.size_bytes // 2**20
    return (
        '<p class="pm-small">The ZIP or <code>conversations.json</code> of a ChatGPT or Claude export, a list of '
        "<code>{&quot;role&quot;, &quot;content&quot;}</code> messages, or a memory saved here. At most "
        f"{size} MB and {UPLOAD_LIMITS.messages:,} messages. It is read and then deleted.</p>"
    )


def render_status(session: Session) -> str:
    """Say how far the reading is and how full the memory: words for everyone, bars beside them."""
    step = session.step
    text = _status_text(session, step)
    bar = ""
    if session.is_busy and session.num_chunks:
        share = f"{session.num_chunks_read} of {session.num_chunks} chunks"
        bar = f'<progress value="{session.num_chunks_read}" max="{session.num_chunks}" aria-label="{share}"></progress>'
    alert = render_alert(session.error or "") if session.phase == "failed" else ""
    return (
        f'{alert}<div class="pm-status is-{session.phase}"><p role="status">{text}</p>{bar}</div>{_render_budget(step)}'
    )


def _render_budget(step: Step | None) -> str:
    """Draw how much of the token budget is used."""
    if step is None:
        return ""
    cap = step.document.cap_tokens
    share = min(1.0, step.tokens / max(1, cap))
    label = f"Token budget: {step.tokens:,} of {cap:,} tokens used"
    full = " is-full" if share > NEARLY_FULL else ""
    return (
        f'<div class="pm-budget{full}"><span>{label}</span><div role="img" aria-label="{label}">'
        f'<i style="width:{share * 100:.1f}%"></i></div></div>'
    )


def _status_text(session: Session, step: Step | None) -> str:
    chunks = f"chunk {session.num_chunks_read} of {session.num_chunks}"
    if step is None or (session.is_busy and not session.num_chunks_read):
        texts = {
            "empty": "No memory yet. Press <em>Build memory</em>, or write something under <em>Talk</em>.",
            "waiting": "Waiting for a free place…",
            "building": "Reading the first chunk…",
            "stopped": "Stopped before the first chunk was read.",
            "done": "There was nothing to read.",
            "failed": "No memory was built.",
        }
        return texts[session.phase]
    starts = {
        "building": f"Reading: {chunks}",
        "done": f"Done: {chunks}",
        "stopped": f"Stopped after {chunks}. What was read so far stays",
        "failed": f"Broken off after {chunks}. What was read so far stays",
    }
    size = f"{step.tokens:,} of {step.document.cap_tokens:,} tokens, {plural(len(step.document.bullets), 'bullet')}"
    start = starts.get(session.phase, f"Version {step.number}")
    waiting = ""
    if step.state.held:
        waiting = f' · <span class="pm-warn">{plural(len(step.state.held), "span")} held for you (Bounds)</span>'
    return f"<strong>{start}</strong> · {size}{waiting}{_faults_text(step.document)}"


def _faults_text(document: MemoryDocument) -> str:
    if not document.faults:
        return ""
    what = plural(len(document.faults), "update")
    return f' · <span class="pm-warn">{what} could not be used: {_e(document.faults[-1])}</span>'


def render_memory(session: Session) -> str:
    """Return the bullets of the version on show, what it added and removed, and an open bullet's messages."""
    step = session.step
    if step is None:
        return (
            '<div class="pm-empty">The memory appears here, chunk by chunk. '
            "Click a bullet to see where it comes from, and to change it.</div>"
        )
    document = step.document
    diff = diff_documents(session.previous_document, document)
    used = frozenset(b.id for b in session.asked.used) if session.asked else frozenset[str]()
    items = "".join(render_bullet(b, diff, b.id in used, session) for b in reversed(document.bullets))
    if not items:
        items = '<li class="pm-empty">Nothing worth remembering so far.</li>'
    return (
        f"{_render_diff_line(step, diff)}"
        f'<ul class="pm-bullets" aria-label="Bullets of the memory, newest first">{items}</ul>{_render_removed(diff)}'
    )


def _render_diff_line(step: Step, diff: Diff) -> str:
    # What was purged is gone from the version before, too: the log still knows how many.
    num_removed = max(len(diff.removed), step.version.num_removed if step.version.kind in ("forget", "rule") else 0)
    counts = (
        (len(diff.added), "new", "+ {} new"),
        (len(diff.changed), "changed", "~ {} changed"),
        (num_removed, "removed", "− {} removed"),
    )
    parts = [f'<span class="pm-flag is-{name}">{words.format(num)}</span>' for num, name, words in counts if num]
    parts += [f"<span>{diff.num_shortened} shortened to fit</span>"] if diff.num_shortened else []
    if diff.has_forgotten and step.version.kind != "forget":
        parts.append("<span>The user asked to forget something here.</span>")
    what, done = say_change(step.version), " ".join(parts) or "<span>nothing changed</span>"
    return f'<p class="pm-diff"><strong>Version {step.number}:</strong> <span>{what}</span> {done}</p>'


def say_change(version: Version) -> str:
    """Say in plain words how a version came about."""
    reason = _e(version.reason)
    said = {
        "update": reason,
        "edit": f"you {reason}" if reason != "added" else "you added one",
        "delete": f"you {reason}",
        "forget": "you asked to forget",
        "rule": f"you {reason.replace('set', 'set rule').replace('removed', 'removed rule')}",
        "import": reason or "a memory was loaded",
        "consolidate": "tidied",
        "release": f"you {reason}",
        "undo": f"undo, {reason}",
        "redo": f"redo, {reason}",
    }
    return "a write was refused" if version.reason == "refused" else said[version.kind]


def _render_removed(diff: Diff) -> str:
    if not diff.removed:
        return ""
    items = "".join(
        f'<li><span class="pm-flag is-removed">− removed</span> <del>{_e(bullet.text)}</del></li>'
        for bullet in diff.removed
    )
    return f'<p class="pm-subhead">No longer in the memory after this chunk</p><ul class="pm-removed">{items}</ul>'


def render_bullet(bullet: Bullet, diff: Diff, is_used: bool, session: Session) -> str:
    """Return one line of the memory, with its panel where it is open."""
    is_open = bullet.id == session.open_bullet
    flags, classes = _render_flags(bullet, diff, is_used)
    panel_id = f"pm-sources-{_e(bullet.id)}"
    panel = f'<div class="pm-sources" id="{panel_id}">{_render_panel(bullet, session)}</div>' if is_open else ""
    controls = f' aria-controls="{panel_id}"' if is_open else ""
    facts = f"{_e(bullet.kind)} · {bullet.confidence * 100:.0f}&nbsp;% · {plural(len(bullet.sources), 'message')}"
    return (
        f'<li class="{classes}"><button type="button" class="pm-open" data-act="open" data-bullet="{_e(bullet.id)}" '
        f'data-id="{_e(bullet.id)}" aria-expanded="{str(is_open).lower()}"{controls}>'
        f'<span class="pm-text">{flags}{_e(bullet.text)}</span>'
        f'<span class="pm-cites">{facts}</span></button>{panel}</li>'
    )


def _render_flags(bullet: Bullet, diff: Diff, is_used: bool) -> tuple[str, str]:
    """Return the marks before a bullet's words, and the classes of its line."""
    marks = [
        (is_used, "used", "★ used"),
        (bullet.id in diff.added, "new", "+ new"),
        (bullet.id in diff.changed, "changed", "~ changed"),
        (bullet.is_pinned, "pinned", "⚑ pinned"),
        (bullet.author == "user", "pinned", "✎ your words"),
        (bullet.owner == "other", "other", "about someone else"),
        (not check_support(bullet), "removed", "⚠ no message bears this out"),
    ]
    flags = "".join(f'<span class="pm-flag is-{name}">{words}</span> ' for is_set, name, words in marks if is_set)
    states = dict.fromkeys(f" is-{name}" for is_set, name, _ in marks[:3] if is_set)
    return flags, "pm-bullet" + "".join(states)


def _render_panel(bullet: Bullet, session: Session) -> str:
    """Return what is known of a bullet, its messages, and what its owner can do with it."""
    facts = [
        "about you" if bullet.owner == "self" else "about someone else",
        bullet.kind,
        f"{bullet.origin}, by {'you on this page' if bullet.author == 'user' else 'the chats'}",
        f"confidence {bullet.confidence * 100:.0f}&nbsp;%",
    ]
    return (
        f'<p class="pm-small">{_e(bullet.id)} · {" · ".join(facts)}</p>'
        f"{_render_sources(bullet, session)}{_render_form(bullet) if session.can_edit else ''}"
    )


def _render_form(bullet: Bullet) -> str:
    key = _e(bullet.id)
    pin = ("unpin", "Unpin") if bullet.is_pinned else ("pin", "Pin")
    buttons = "".join(
        f'<button type="button" class="pm-act is-{act}" data-act="{act}" data-id="{key}">{name}</button>'
        for act, name in (("edit", "Save words"), pin, ("delete", "Delete"), ("plan_forget", "Forget…"))
    )
    return (
        f'<div class="pm-form" data-form><label for="pm-words-{key}">Your words for it</label>'
        f'<textarea id="pm-words-{key}" rows="2" maxlength="{MAX_TEXT_CHARACTERS}">{_e(bullet.text)}</textarea>'
        f'<div class="pm-acts">{buttons}</div></div>'
    )


def _render_sources(bullet: Bullet, session: Session) -> str:
    if not bullet.sources:
        return '<p class="pm-small">No message is cited: it did not come from a chat.</p>'
    return "".join(_render_known(source, session.messages.get(source.index)) for source in bullet.sources)


def _render_known(source: Source, message: Message | None) -> str:
    if message is not None:
        return render_source(source, message)
    return (
        f'<figure class="pm-message"><figcaption>Message {source.index}, which is not at hand here; its words were'
        f"</figcaption><blockquote><mark>{_e(source.span)}</mark></blockquote></figure>"
    )


def render_source(source: Source, message: Message) -> str:
    """Return one message with the words that support a bullet marked."""
    text, is_cut = _excerpt(message.text, source.span)
    cut = ' <span class="pm-small">(an excerpt of a long message)</span>' if is_cut else ""
    return (
        f'<figure class="pm-message"><figcaption title="its place among all messages read, counted from 0">'
        f"{_e(message.role.capitalize())}, message {source.index}{cut}</figcaption>"
        f"<blockquote>{mark_span(text, source.span)}</blockquote></figure>"
    )


def _excerpt(text: str, span: str) -> tuple[str, bool]:
    """Return the whole text, or of a long one the part around the span."""
    if len(text) <= MAX_MESSAGE_CHARACTERS:
        return text, False
    found = _find_span(text, span)
    middle = found.start() if found else 0
    start, end = max(0, middle - EXCERPT_CHARACTERS), middle + len(span) + EXCERPT_CHARACTERS
    return ("… " if start else "") + text[start:end] + (" …" if end < len(text) else ""), True


def _find_span(text: str, span: str) -> re.Match[str] | None:
    """Find a span whose line breaks were made spaces."""
    pieces = span.split()
    return re.search(r"\s+".join(map(re.escape, pieces)), text) if pieces else None


def mark_span(text: str, span: str) -> str:
    """Return escaped text with the span in `<mark>`, where it stands in it."""
    found = _find_span(text, span)
    if found is None:
        return _e(text)
    before, inside, after = text[: found.start()], found.group(), text[found.end() :]
    return f"{_e(before)}<mark>{_e(inside)}</mark>{_e(after)}"


def render_plot(session: Session) -> str:
    """Draw the memory's size at each version against its cap."""
    sizes, step = session.sizes, session.step
    if step is None:
        return '<p class="pm-empty">The growth of the memory is drawn here while it is built.</p>'
    cap, num_versions = step.document.cap_tokens, max(len(sizes), _expected_versions(session))
    points = [(_plot_x(number, num_versions), _plot_y(tokens, cap)) for number, tokens in enumerate(sizes, start=1)]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    is_dotted = len(points) <= MAX_DOTS
    dots = "".join(
        _render_dot(x, y, is_shown=number == step.number)
        for number, (x, y) in enumerate(points, start=1)
        if is_dotted or number == step.number
    )
    said = ", ".join(f"{tokens:,}" for tokens in sizes[-12:])
    label = f"Tokens of the memory at the last {len(sizes[-12:])} versions: {said}; the cap is {cap:,}"
    inside = f'{_render_axes(cap, num_versions)}<polyline points="{line}"/>{dots}'
    drawn = frame_plot(label, inside, PLOT_WIDTH, PLOT_HEIGHT)
    return f'<figure class="pm-plot"><figcaption>Size of the memory (tokens)</figcaption>{drawn}</figure>'


def _expected_versions(session: Session) -> int:
    """Return how many versions there will be when all chunks are read, so that the line grows into its frame."""
    return len(session.sizes) + (session.num_chunks - session.num_chunks_read if session.is_busy else 0)


def _render_dot(x: float, y: float, *, is_shown: bool) -> str:
    radius, name = (6, "is-shown") if is_shown else (3.5, "")
    return f'<circle class="{name}" cx="{x:.1f}" cy="{y:.1f}" r="{radius}"/>'


def _plot_x(number: int, num_versions: int) -> float:
    return PLOT_LEFT + (PLOT_WIDTH - PLOT_LEFT - PLOT_RIGHT) * (number / max(1, num_versions))


def _plot_y(tokens: int, cap: int) -> float:
    return PLOT_HEIGHT - PLOT_BOTTOM - (PLOT_HEIGHT - PLOT_TOP - PLOT_BOTTOM) * min(1.0, tokens / max(1, cap))


def _render_axes(cap: int, num_versions: int) -> str:
    bottom, top, right = PLOT_HEIGHT - PLOT_BOTTOM, PLOT_TOP, PLOT_WIDTH - PLOT_RIGHT
    middle = _plot_y(cap // 2, cap)
    every = max(1, -(-num_versions // 10))
    ticks = "".join(
        f'<text x="{_plot_x(n, num_versions):.1f}" y="{bottom + 16}" text-anchor="middle">{n}</text>'
        for n in range(every, num_versions + 1, every)
    )
    return (
        f'<line class="pm-axis" x1="{PLOT_LEFT}" y1="{bottom}" x2="{right}" y2="{bottom}"/>'
        f'<line class="pm-grid" x1="{PLOT_LEFT}" y1="{middle:.1f}" x2="{right}" y2="{middle:.1f}"/>'
        f'<line class="pm-cap" x1="{PLOT_LEFT}" y1="{top}" x2="{right}" y2="{top}"/>'
        f'<text x="{PLOT_LEFT + 4}" y="{top - 8}">cap: {cap:,} tokens</text>'
        f'<text x="{PLOT_LEFT - 8}" y="{top + 4}" text-anchor="end">{cap:,}</text>'
        f'<text x="{PLOT_LEFT - 8}" y="{middle + 4:.1f}" text-anchor="end">{cap // 2:,}</text>'
        f'<text x="{PLOT_LEFT - 8}" y="{bottom + 4}" text-anchor="end">0</text>{ticks}'
        f'<text x="{(PLOT_LEFT + right) / 2:.1f}" y="{PLOT_HEIGHT - 4}" text-anchor="middle">version</text>'
    )
