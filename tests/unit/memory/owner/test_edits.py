"""What an owner does to single bullets, and the memory as an editable file."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hub_toolkit.data.tokens import EstimateCounter
from hub_toolkit.errors import DataFormatError, StoreError
from hub_toolkit.memory.document import Bullet, MemoryDocument, Source
from hub_toolkit.memory.owner.audit import diff_documents
from hub_toolkit.memory.owner.edits import (
    add_bullet,
    change_bullet,
    delete_bullet,
    merge_bullets,
    parse_edited,
    pin_bullet,
    render_editable,
)
from hub_toolkit.memory.owner.overruled import repeats

COUNTER = EstimateCounter()
POOL = Bullet("m1", "Swims forty laps", (Source(0, "forty laps at the pool again"), Source(6, "my new goggles leak")))
BEES = Bullet("m2", "Keeps bees", (Source(2, "I keep bees"),), weight=2.0)
DOCUMENT = MemoryDocument((POOL, BEES), read_messages=9, next_id=3)


def test_add_makes_a_bullet_of_the_users_own() -> None:
    document = add_bullet(DOCUMENT, "  I row\n on the   lake ")
    added = document.bullets[-1]
    assert (added.id, added.text, added.author, added.confidence) == ("m3", "I row on the lake", "user", 1.0)
    assert document.next_id == 4
    again = add_bullet(document, "Keeps bees")
    assert [b.author for b in again.bullets] == ["model", "user", "user"]
    assert again.bullets[1].sources == BEES.sources


def test_change_keeps_id_and_what_bears_out_the_new_words_and_overrules_the_old() -> None:
    document = change_bullet(DOCUMENT, "m1", "Swims two laps")
    changed = document.bullets[0]
    assert (changed.id, changed.text, changed.author) == ("m1", "Swims two laps", "user")
    assert [s.index for s in changed.sources] == [0]
    assert repeats("I swim forty laps", document.overruled)
    assert repeats("my goggles leak, the new ones", document.overruled)
    assert not repeats("I keep bees", document.overruled)
    assert "forty" not in str(document.overruled)


def test_a_change_back_makes_the_old_words_the_users() -> None:
    document = change_bullet(change_bullet(DOCUMENT, "m2", "Keeps hens"), "m2", "Keeps bees")
    assert not repeats("Keeps bees", document.overruled)
    assert repeats("Keeps hens", document.overruled)


def test_pin_and_unpin() -> None:
    document = pin_bullet(DOCUMENT, "m2")
    assert document.bullets[1].is_protected
    assert pin_bullet(document, "m2", False) == DOCUMENT


def test_merge_unites_the_sources_and_its_deletion_takes_them_all() -> None:
    document = merge_bullets(DOCUMENT, ["m2", "m1"], "Swims and keeps bees")
    (merged,) = document.bullets
    assert merged.id == "m2"
    assert {s.index for s in merged.sources} == {0, 2, 6}
    gone = delete_bullet(document, "m2")
    assert not gone.bullets
    for text in ("forty laps at the pool", "I keep bees", "new goggles leak", "Swims and keeps bees"):
        assert repeats(text, gone.overruled)


@pytest.mark.parametrize(
    "edit",
    [
        lambda: change_bullet(DOCUMENT, "m9", "x"),
        lambda: pin_bullet(DOCUMENT, "m9"),
        lambda: delete_bullet(DOCUMENT, "m9"),
        lambda: merge_bullets(DOCUMENT, ["m1", "m9"], "x"),
    ],
)
def test_an_unknown_id_is_one_clear_error(edit: object) -> None:
    with pytest.raises(StoreError, match="m9"):
        edit()  # type: ignore[operator]


@pytest.mark.parametrize("text", ["", " \n ", "half \ud83d"])
def test_no_text_is_refused(text: str) -> None:
    with pytest.raises(DataFormatError):
        add_bullet(DOCUMENT, text)
    with pytest.raises(DataFormatError):
        merge_bullets(DOCUMENT, ["m1"], "x")


def test_under_the_cap_the_models_bullets_make_room_and_the_users_never_do() -> None:
    small = replace(DOCUMENT, cap_tokens=DOCUMENT.tokens(COUNTER))
    document = add_bullet(small, "I row", counter=COUNTER)
    assert [b.id for b in document.bullets] == ["m2", "m3"]
    assert document.tokens(COUNTER) <= small.cap_tokens
    with pytest.raises(DataFormatError, match="shorten"):
        add_bullet(small, "I row " * 60, counter=COUNTER)


FULL = add_bullet(pin_bullet(DOCUMENT, "m1"), "🏊 - \u05d0\u05e0\u05d9 [sic] # 游泳 - twice")


def test_an_untouched_file_changes_nothing() -> None:
    for document in (FULL, DOCUMENT, MemoryDocument()):
        text = render_editable(document)
        for form in (text, text.replace("\n", "\r\n"), "\ufeff" + text, text.rstrip("\n"), text + "\n\n"):
            assert parse_edited(form, document, counter=COUNTER) == document


def test_each_line_is_an_edit() -> None:
    text = render_editable(FULL)
    text = text.replace("[m1 pinned] Swims forty laps", "[m1] Swims two laps").replace("[m2] Keeps bees\n", "")
    text += "- \u0623\u0633\u0628\u062d - \u0643\u0644 \u064a\u0648\u0645 🙂\n[sic] stays text\n- # a hash\n"
    document = parse_edited(text, FULL)
    diff = diff_documents(FULL, document)
    assert [b.id for b in diff.removed] == ["m2"]
    assert [(b.id, b.text, b.is_pinned) for _, b in diff.changed] == [("m1", "Swims two laps", False)]
    assert [b.text for b in diff.added] == [
        "\u0623\u0633\u0628\u062d - \u0643\u0644 \u064a\u0648\u0645 🙂",
        "[sic] stays text",
        "# a hash",
    ]
    assert all(b.author == "user" for b in (*diff.added, *(b for _, b in diff.changed)))
    assert repeats("Keeps bees", document.overruled)
    assert document.bullets[1] == FULL.bullets[2]


def test_an_indented_line_goes_on_with_the_line_above_and_others_are_bullets() -> None:
    document = parse_edited("[m1] Swims\n   forty laps\n[m2] Keeps bees\nA pasted\nnote", DOCUMENT)
    assert [b.text for b in document.bullets] == ["Swims forty laps", "Keeps bees", "A pasted", "note"]
    assert document.bullets[:2] == DOCUMENT.bullets


def test_line_separators_inside_a_text_are_no_line_ends() -> None:
    document = parse_edited("[m1] Swims forty\u2028laps\n[m2] Keeps\x85bees", DOCUMENT)
    assert document.bullets == DOCUMENT.bullets


def test_a_mark_that_was_typed_loosely_is_still_one() -> None:
    document = parse_edited("[m1]Swims forty laps\n- [ m2  Pinned ] Keeps bees", DOCUMENT)
    assert document.bullets == (DOCUMENT.bullets[0], replace(DOCUMENT.bullets[1], is_pinned=True))


def test_moved_lines_move_bullets_and_lose_none() -> None:
    document = parse_edited("[m2] Keeps bees\n[m1] Swims forty laps", DOCUMENT)
    assert document.bullets == (BEES, POOL)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[m1] Swims forty laps\n\n[m7] Rows", "line 3: .*m7"),
        ("[m1] Swims forty laps\n[m1] Rows\n[m2] Keeps bees", "line 2: .*line 1"),
        ("[m1] Swims forty laps\n[m2]\n", "line 2: .*without text"),
        ("# a\n[m1] Swims\n[m2] Keeps bees\n- \n-  [m33 pinned] x", "line 5: .*m33"),
        ("", "no bullet is left"),
        ("# only comments\n\n", "no bullet is left"),
        ("[m1] half \ud83d", "line 1: .*surrogate"),
        ("[m1] Swims\n[m2, pinned] Keeps bees", r"line 2: .*stands as \[m2\]"),
    ],
)
def test_a_bad_file_is_one_error_with_its_line(text: str, message: str) -> None:
    with pytest.raises(DataFormatError, match=message):
        parse_edited(text, DOCUMENT, counter=COUNTER)


def test_an_empty_file_deletes_all_only_when_asked() -> None:
    assert not parse_edited("", DOCUMENT, allow_empty=True).bullets
    assert parse_edited("", MemoryDocument()) == MemoryDocument()


def test_over_the_cap_is_an_error_at_the_line_and_drops_nothing() -> None:
    small = replace(DOCUMENT, cap_tokens=DOCUMENT.tokens(COUNTER) + 6)
    text = render_editable(small)
    ok = parse_edited(text + "I row\n", small, counter=COUNTER)
    assert len(ok.bullets) == 3
    with pytest.raises(DataFormatError, match=r"line 8: .*shorten") as caught:
        parse_edited(text + "I row\nI also sail on the big lake behind the old mill\n", small, counter=COUNTER)
    assert caught.value.row == 8
    # What was over its cap already may still be made smaller.
    over = replace(DOCUMENT, cap_tokens=4)
    assert len(parse_edited("[m2] Keeps bees", over, counter=COUNTER).bullets) == 1


def test_a_large_file_is_read_at_once() -> None:
    many = MemoryDocument(tuple(Bullet(f"m{i}", f"thing number {i} {'x' * 100}") for i in range(300)), cap_tokens=10**6)
    assert parse_edited(render_editable(many), many, counter=COUNTER) == many
    for char in ("[", "[m", "- ", " ", "]", "🙂"):
        document = parse_edited("x" + char * (1_000_000 // len(char)) + "x", MemoryDocument())
        assert len(document.bullets) == 1
