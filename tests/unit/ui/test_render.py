"""What the memory looks like: escaped, readable without colour, and true to its document."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import pytest

from hub_toolkit.memory.document import Bullet, MemoryDocument, Source
from hub_toolkit.types import Message
from personamem_ui.render import (
    MAX_MESSAGE_CHARACTERS,
    diff_documents,
    mark_span,
    render_alert,
    render_history_line,
    render_memory,
    render_plot,
    render_source,
    render_status,
)
from personamem_ui.sessions import Session, Step

from .conftest import ATTACK

VOID = {"img", "br", "input"}
BAKES = Bullet("m1", "bakes sourdough bread", (Source(0, "bake sourdough bread"),))
KNITS = Bullet("m2", "knits mittens", (Source(2, "knitting mittens"),))


class _Page(HTMLParser):
    """Collects tags and text, and fails on tags that do not match."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags, self.open, self.text, self.handlers = [], [], "", []
        self.feed(source)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.handlers += [name for name, _ in attrs if name.startswith("on")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.handlers += [name for name, _ in attrs if name.startswith("on")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def assert_safe(source: str) -> _Page:
    page = _Page(source)
    assert not {"img", "script"} & set(page.tags)
    assert page.handlers == []
    return page


def with_steps(session: Session, *documents: MemoryDocument, phase: str = "done") -> Session:
    session.steps = [
        Step(number, len(documents), document, 100 * number) for number, document in enumerate(documents, start=1)
    ]
    session.phase = phase  # type: ignore[assignment]
    return session


def test_diff_names_what_a_chunk_did() -> None:
    before = MemoryDocument(bullets=(BAKES, KNITS, Bullet("m3", "reads about polar ice", (Source(4, "x"),))))
    newer = replace(KNITS, text="knits hats", sources=(Source(6, "hats"), *KNITS.sources))
    after = MemoryDocument(
        bullets=(replace(BAKES, text="sourdough bread"), newer, Bullet("m4", "swims")), forgotten=(("h",),)
    )
    diff = diff_documents(before, after)
    assert (diff.added, diff.changed, diff.num_shortened) == ({"m4"}, {"m2"}, 1)
    assert [bullet.id for bullet in diff.removed] == ["m3"]
    assert diff.has_forgotten
    assert diff_documents(None, before).added == {"m1", "m2", "m3"}
    assert diff_documents(before, before) == diff_documents(after, after)


def test_memory_marks_changes_by_words_and_signs(session: Session) -> None:
    with_steps(session, MemoryDocument(bullets=(BAKES,)), MemoryDocument(bullets=(KNITS,), forgotten=(("h",),)))
    page = assert_safe(render_memory(session))
    assert "+ new" in page.text and "− removed" in page.text and "Chunk 2:" in page.text
    assert "asked to forget" in page.text
    assert page.tags.count("del") == 1
    assert page.tags.count("button") == 1


def test_open_bullet_shows_its_message_with_the_span_marked(session: Session) -> None:
    with_steps(session, MemoryDocument(bullets=(BAKES, KNITS)))
    session.toggle_bullet("m2")
    source = render_memory(session)
    page = assert_safe(source)
    assert 'aria-expanded="true" aria-controls="pm-sources-m2"' in source
    assert "<mark>knitting mittens</mark>" in source
    assert "User, message 2" in page.text and "onerror=alert(1)" in page.text
    session.toggle_bullet("m2")
    assert "<mark>" not in render_memory(session)


def test_everything_from_outside_is_escaped(session: Session) -> None:
    bullet = Bullet('m"1><img onload=x>', ATTACK, (Source(2, ATTACK.split(" &")[0]),))
    document = MemoryDocument(bullets=(bullet,), faults=(ATTACK,))
    with_steps(session, document, MemoryDocument(faults=(ATTACK,)), phase="failed")
    session.error = session.upload_error = ATTACK
    for step in (1, 2):
        session.shown = step
        session.open_bullet = bullet.id
        assert_safe(render_memory(session))
    assert_safe(render_status(session))
    assert ATTACK.split("&")[0] in assert_safe(render_history_line(session)).text
    assert_safe(render_alert(ATTACK))


@pytest.mark.parametrize(
    ("text", "span", "marked"),
    [
        ("I bake\n  bread daily", "bake bread", "I <mark>bake\n  bread</mark> daily"),
        ("a < b & c", "< b", "a <mark>&lt; b</mark> &amp; c"),
        ("nothing here", "elsewhere", "nothing here"),
        ("(a+b)* is a pattern", "(a+b)*", "<mark>(a+b)*</mark> is a pattern"),
        ("text", "", "text"),
    ],
)
def test_span_is_found_and_escaped(text: str, span: str, marked: str) -> None:
    assert mark_span(text, span) == marked


def test_long_message_is_shown_around_its_span() -> None:
    text = "word " * 5_000 + "my telescope " + "word " * 5_000
    shown = render_source(Source(7, "my telescope"), Message("user", text))
    assert "<mark>my telescope</mark>" in shown and "an excerpt" in shown
    assert len(shown) < MAX_MESSAGE_CHARACTERS


def test_status_says_how_far_and_how_large(session: Session) -> None:
    assert "Press" in render_status(session)
    session.phase = "waiting"
    assert "Waiting" in render_status(session)
    with_steps(session, *[MemoryDocument(bullets=(BAKES,))] * 3, phase="building")
    session.steps = [replace(step, num_chunks=7) for step in session.steps]
    text = _Page(render_status(session)).text
    assert "chunk 3 of 7" in text and "300 of 2,048 tokens, 1 bullet" in text
    assert 'value="3" max="7"' in render_status(session)
    session.phase = "stopped"
    assert "Stopped after chunk 3 of 7" in render_status(session)


def test_plot_says_its_numbers_and_stays_within_its_frame() -> None:
    steps = [Step(n, 60, MemoryDocument(cap_tokens=256), 300 if n > 9 else 20 * n) for n in range(1, 61)]
    drawn = render_plot(steps, 60)
    assert_safe(drawn)
    assert "the cap is 256" in drawn and drawn.count("<circle") == 1
    assert render_plot([]) == ""
    assert render_plot(steps[:5]).count("<circle") == 5
