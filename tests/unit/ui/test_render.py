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
from personamem_ui.sessions import Session

from .conftest import ATTACK, with_versions

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
    with_versions(session, MemoryDocument(bullets=(BAKES,)), MemoryDocument(bullets=(KNITS,), forgotten=(("h",),)))
    page = assert_safe(render_memory(session))
    assert "+ new" in page.text and "− removed" in page.text and "Version 2:" in page.text
    assert "asked to forget" in page.text
    assert page.tags.count("del") == 1
    assert page.tags.count("button") == 1
    assert "preference" not in page.text and "fact · 50" in page.text


def test_open_bullet_shows_its_message_with_the_span_marked(session: Session) -> None:
    with_versions(session, MemoryDocument(bullets=(BAKES, KNITS)))
    session.toggle_bullet("m2")
    source = render_memory(session)
    page = assert_safe(source)
    assert 'aria-expanded="true" aria-controls="pm-sources-m2"' in source
    assert "<mark>knitting mittens</mark>" in source
    assert "User, message 2" in page.text and "onerror=alert(1)" in page.text
    session.toggle_bullet("m2")
    assert "<mark>" not in render_memory(session)


def test_open_bullet_can_be_changed_only_where_it_is_the_newest(session: Session) -> None:
    with_versions(session, MemoryDocument(bullets=(BAKES,)), MemoryDocument(bullets=(BAKES, KNITS)))
    session.toggle_bullet("m1")
    assert all(f'data-act="{act}"' in render_memory(session) for act in ("edit", "pin", "delete", "plan_forget"))
    assert '<label for="pm-words-m1">' in render_memory(session)
    session.show_step(1)
    assert "<mark>" in render_memory(session) and 'data-act="edit"' not in render_memory(session)
    session.show_step(2)
    session.phase = "building"
    assert 'data-act="edit"' not in render_memory(session)


def test_marks_say_whose_words_and_whether_a_message_bears_them_out(session: Session) -> None:
    mine = Bullet("m1", "reads about polar ice", author="user", is_pinned=True)
    lonely = Bullet("m2", "flies a kite on Mars", (Source(0, "bake sourdough bread"),), owner="other")
    with_versions(session, MemoryDocument(bullets=(mine, lonely)))
    text = assert_safe(render_memory(session)).text
    assert "⚑ pinned" in text and "✎ your words" in text and "about someone else" in text
    assert text.count("no message bears this out") == 1


def test_everything_from_outside_is_escaped(session: Session) -> None:
    bullet = Bullet('m"1><img onload=x>', ATTACK, (Source(2, ATTACK.split(" &")[0]), Source(9, ATTACK)))
    document = MemoryDocument(bullets=(bullet,), faults=(ATTACK,))
    with_versions(session, document, MemoryDocument(faults=(ATTACK,)), phase="failed")
    session.error = session.upload_error = session.upload_note = ATTACK
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
    with_versions(session, *[MemoryDocument(bullets=(BAKES,))] * 3, phase="building")
    session.num_chunks = 7
    tokens = session.sizes[-1]
    text = _Page(render_status(session)).text
    assert "chunk 3 of 7" in text and f"{tokens} of 2,048 tokens, 1 bullet" in text
    assert 'value="3" max="7"' in render_status(session)
    assert f"Token budget: {tokens} of 2,048 tokens used" in text
    session.phase = "stopped"
    assert "Stopped after chunk 3 of 7" in render_status(session)


def test_plot_says_its_numbers_and_stays_within_its_frame(session: Session) -> None:
    assert "<svg" not in render_plot(session)
    with_versions(session, *[MemoryDocument(cap_tokens=256)] * 60)
    session.sizes = [300 if n > 9 else 20 * n for n in range(1, 61)]
    drawn = render_plot(session)
    assert_safe(drawn)
    assert "the cap is 256" in drawn and drawn.count("<circle") == 1
    session.sizes = session.sizes[:5]
    assert render_plot(session).count("<circle") == 5
