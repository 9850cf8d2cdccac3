"""The memory as HTML: pure functions. Whatever comes from a history, a file name or a model goes through `_e`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

from hub_toolkit.data.schema import History
from hub_toolkit.memory.document import Bullet, MemoryDocument, Source
from hub_toolkit.types import Message
from personamem_ui.sessions import UPLOAD_LIMITS, Session, Step

MAX_MESSAGE_CHARACTERS = 4_000
EXCERPT_CHARACTERS = 1_200

PLOT_WIDTH, PLOT_HEIGHT = 480, 230
PLOT_LEFT, PLOT_RIGHT, PLOT_TOP, PLOT_BOTTOM = 52, 14, 26, 36
MAX_DOTS = 40


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
    """Say which history is chosen, or why the last upload was not taken."""
    error = f"{session.upload_error}." if session.upload_error else ""
    chosen = ""
    if session.history is not None:
        size = plural(len(session.history), "message")
        chosen = f'<p class="pm-chosen">Chosen: <strong>{_e(session.label)}</strong> ({size})</p>'
    return render_alert(error.replace("..", ".")) + chosen


def render_limits() -> str:
    """Say what may be uploaded."""
    size = UPLOAD_LIMITS.size_bytes // 2**20
    return (
        f'<p class="pm-small">A list of <code>{{"role", "content"}}</code> messages, alone or under '
        f"<code>chat_history</code>. At most {size} MB and {UPLOAD_LIMITS.messages:,} messages. "
        "It is read and then deleted.</p>"
    )


def render_status(session: Session) -> str:
    """Say how far the build is: words for everyone, a bar beside them."""
    newest = session.steps[-1] if session.steps else None
    text = _status_text(session, newest)
    bar = ""
    if newest is not None:
        share = f"{newest.number} of {newest.num_chunks} chunks"
        bar = f'<progress value="{newest.number}" max="{newest.num_chunks}" aria-label="{share}"></progress>'
    alert = render_alert(session.error or "") if session.phase == "failed" else ""
    return f'{alert}<div class="pm-status is-{session.phase}"><p role="status">{text}</p>{bar}</div>'


def _status_text(session: Session, newest: Step | None) -> str:
    if newest is None:
        texts = {
            "empty": "No memory yet. Press <em>Build memory</em>.",
            "waiting": "Waiting for a free place…",
            "building": "Reading the first chunk…",
            "stopped": "Stopped before the first chunk was read.",
            "done": "There was nothing to read.",
            "failed": "No memory was built.",
        }
        return texts[session.phase]
    place = f"chunk {newest.number} of {newest.num_chunks}"
    size = (
        f"{newest.tokens:,} of {newest.document.cap_tokens:,} tokens, {plural(len(newest.document.bullets), 'bullet')}"
    )
    starts = {
        "building": f"Reading: {place}",
        "done": f"Done: {place}",
        "stopped": f"Stopped after {place}. What was read so far stays",
        "failed": f"Broken off after {place}. What was read so far stays",
    }
    return f"<strong>{starts.get(session.phase, place)}</strong> · {size}{_faults_text(newest.document)}"


def _faults_text(document: MemoryDocument) -> str:
    if not document.faults:
        return ""
    what = plural(len(document.faults), "update")
    return f' · <span class="pm-warn">{what} could not be used: {_e(document.faults[-1])}</span>'


def render_memory(session: Session) -> str:
    """Return the bullets of the step on show, what it added and removed, and an open bullet's messages."""
    step = session.step
    if step is None:
        return (
            '<div class="pm-empty">The memory appears here, chunk by chunk. '
            "Click a bullet to see where it comes from.</div>"
        )
    document = step.document
    diff = diff_documents(session.previous_document, document)
    used = frozenset(b.id for b in session.asked.used) if session.asked else frozenset[str]()
    items = "".join(_render_bullet(b, diff, b.id in used, session) for b in reversed(document.bullets))
    if not items:
        items = '<li class="pm-empty">Nothing worth remembering so far.</li>'
    return (
        f"{_render_diff_line(step, diff)}"
        f'<ul class="pm-bullets" aria-label="Bullets of the memory, newest first">{items}</ul>{_render_removed(diff)}'
    )


def _render_diff_line(step: Step, diff: Diff) -> str:
    parts = [f'<span class="pm-flag is-new">+ {len(diff.added)} new</span>']
    parts += [f'<span class="pm-flag is-changed">~ {len(diff.changed)} changed</span>'] if diff.changed else []
    parts += [f'<span class="pm-flag is-removed">− {len(diff.removed)} removed</span>'] if diff.removed else []
    parts += [f"<span>{diff.num_shortened} shortened to fit</span>"] if diff.num_shortened else []
    parts += ["<span>The user asked to forget something here.</span>"] if diff.has_forgotten else []
    return f'<p class="pm-diff"><strong>Chunk {step.number}:</strong> {" ".join(parts)}</p>'


def _render_bullet(bullet: Bullet, diff: Diff, is_used: bool, session: Session) -> str:
    is_open = bullet.id == session.open_bullet
    flags, classes = "", "pm-bullet"
    if is_used:
        flags, classes = flags + '<span class="pm-flag is-used">★ used</span> ', classes + " is-used"
    if bullet.id in diff.added:
        flags, classes = flags + '<span class="pm-flag is-new">+ new</span> ', classes + " is-new"
    if bullet.id in diff.changed:
        flags, classes = flags + '<span class="pm-flag is-changed">~ changed</span> ', classes + " is-changed"
    panel_id = f"pm-sources-{_e(bullet.id)}"
    panel = (
        f'<div class="pm-sources" id="{panel_id}">{_render_sources(bullet, session.history)}</div>' if is_open else ""
    )
    controls = f' aria-controls="{panel_id}"' if is_open else ""
    return (
        f'<li class="{classes}"><button type="button" class="pm-open" data-bullet="{_e(bullet.id)}" '
        f'aria-expanded="{str(is_open).lower()}"{controls}><span class="pm-text">{flags}{_e(bullet.text)}</span>'
        f'<span class="pm-cites">{plural(len(bullet.sources), "message")}</span></button>{panel}</li>'
    )


def _render_removed(diff: Diff) -> str:
    if not diff.removed:
        return ""
    items = "".join(
        f'<li><span class="pm-flag is-removed">− removed</span> <del>{_e(bullet.text)}</del></li>'
        for bullet in diff.removed
    )
    return f'<p class="pm-subhead">No longer in the memory after this chunk</p><ul class="pm-removed">{items}</ul>'


def _render_sources(bullet: Bullet, history: History | None) -> str:
    if not bullet.sources or history is None:
        return '<p class="pm-small">No message is cited for this bullet.</p>'
    messages = dict(zip(history.indices, history.messages, strict=True))
    return "".join(
        render_source(source, messages[source.index]) for source in bullet.sources if source.index in messages
    )


def render_source(source: Source, message: Message) -> str:
    """Return one message with the words that support a bullet marked."""
    text, is_cut = _excerpt(message.text, source.span)
    cut = ' <span class="pm-small">(an excerpt of a long message)</span>' if is_cut else ""
    return (
        f'<figure class="pm-message"><figcaption title="its place in chat_history, counted from 0">'
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


def render_plot(steps: Iterable[Step], shown: int = 0) -> str:
    """Draw the memory's size after each chunk against its cap."""
    steps = list(steps)
    if not steps:
        return ""
    cap, num_chunks = steps[-1].document.cap_tokens, steps[-1].num_chunks
    points = [(_plot_x(step.number, num_chunks), _plot_y(step.tokens, cap)) for step in steps]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    is_dotted = len(points) <= MAX_DOTS
    chosen = shown or len(steps)
    dots = "".join(
        _render_dot(x, y, is_shown=number == chosen)
        for number, (x, y) in enumerate(points, start=1)
        if is_dotted or number == chosen
    )
    said = ", ".join(f"{step.tokens:,}" for step in steps[-12:])
    label = f"Tokens of the memory after the last {len(steps[-12:])} chunks: {said}; the cap is {cap:,}"
    return (
        f'<figure class="pm-plot"><figcaption>Size of the memory (tokens)</figcaption>'
        f'<svg viewBox="0 0 {PLOT_WIDTH} {PLOT_HEIGHT}" role="img" aria-label="{label}">'
        f'{_render_axes(cap, num_chunks)}<polyline points="{line}"/>{dots}</svg></figure>'
    )


def _render_dot(x: float, y: float, *, is_shown: bool) -> str:
    radius, name = (6, "is-shown") if is_shown else (3.5, "")
    return f'<circle class="{name}" cx="{x:.1f}" cy="{y:.1f}" r="{radius}"/>'


def _plot_x(number: int, num_chunks: int) -> float:
    return PLOT_LEFT + (PLOT_WIDTH - PLOT_LEFT - PLOT_RIGHT) * (number / max(1, num_chunks))


def _plot_y(tokens: int, cap: int) -> float:
    return PLOT_HEIGHT - PLOT_BOTTOM - (PLOT_HEIGHT - PLOT_TOP - PLOT_BOTTOM) * min(1.0, tokens / max(1, cap))


def _render_axes(cap: int, num_chunks: int) -> str:
    bottom, top, right = PLOT_HEIGHT - PLOT_BOTTOM, PLOT_TOP, PLOT_WIDTH - PLOT_RIGHT
    middle = _plot_y(cap // 2, cap)
    every = max(1, -(-num_chunks // 10))
    ticks = "".join(
        f'<text x="{_plot_x(n, num_chunks):.1f}" y="{bottom + 16}" text-anchor="middle">{n}</text>'
        for n in range(every, num_chunks + 1, every)
    )
    return (
        f'<line class="pm-axis" x1="{PLOT_LEFT}" y1="{bottom}" x2="{right}" y2="{bottom}"/>'
        f'<line class="pm-grid" x1="{PLOT_LEFT}" y1="{middle:.1f}" x2="{right}" y2="{middle:.1f}"/>'
        f'<line class="pm-cap" x1="{PLOT_LEFT}" y1="{top}" x2="{right}" y2="{top}"/>'
        f'<text x="{PLOT_LEFT + 4}" y="{top - 8}">cap: {cap:,} tokens</text>'
        f'<text x="{PLOT_LEFT - 8}" y="{top + 4}" text-anchor="end">{cap:,}</text>'
        f'<text x="{PLOT_LEFT - 8}" y="{middle + 4:.1f}" text-anchor="end">{cap // 2:,}</text>'
        f'<text x="{PLOT_LEFT - 8}" y="{bottom + 4}" text-anchor="end">0</text>{ticks}'
        f'<text x="{(PLOT_LEFT + right) / 2:.1f}" y="{PLOT_HEIGHT - 4}" text-anchor="middle">after chunk</text>'
    )
