"""The memory as a file."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from hub_toolkit.data.tokens import EstimateCounter
from hub_toolkit.errors import DataFormatError
from hub_toolkit.memory.document import EMPTY_MEMORY, Bullet, MemoryDocument, Source

DOCUMENT = MemoryDocument(
    bullets=(Bullet("m1", "Swims", (Source(3, "I swim"),)),), read_messages=4, builder="x", counter="y"
)


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "memory.json"
    DOCUMENT.save(path, EstimateCounter())
    assert MemoryDocument.load(path) == DOCUMENT
    assert list(tmp_path.iterdir()) == [path]


def test_file_has_the_promised_fields() -> None:
    raw = DOCUMENT.as_dict(EstimateCounter())
    assert raw["bullets"][0]["sources"] == [3]
    assert raw["read_messages"] == 4
    assert raw["tokens"] > 0


def test_empty_memory_reads_as_the_paper_says() -> None:
    assert MemoryDocument().render() == EMPTY_MEMORY == "No previous memory"


@pytest.mark.parametrize("text", ["", "[]", "{}", "\xff", '{"format_version": 1, "bullets": [{}]}'])
def test_a_bad_file_is_one_clear_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "memory.json"
    path.write_text(text, "latin-1")
    with pytest.raises(DataFormatError, match=r"memory\.json"):
        MemoryDocument.load(path)


FULL = Bullet(
    "m7",
    "أسبح 游泳 🏊",
    (Source(3, "I swim"), Source(9, "again")),
    weight=2.5,
    owner="other",
    kind="habit",
    origin="repeated",
    confidence=0.8,
    is_pinned=True,
    author="user",
    first_seen=1,
    last_seen=9,
)


def test_every_field_survives_the_file(tmp_path: Path) -> None:
    document = MemoryDocument((FULL,), next_id=8, forgotten=(("ab",),), overruled=(("cd", "ef"),), faults=("x",))
    document.save(tmp_path / "m.json")
    assert MemoryDocument.load(tmp_path / "m.json") == document
    assert set(document.as_dict()["bullets"][0]) >= {field.name for field in fields(Bullet)}


def test_a_file_of_version_1_is_read_and_filled_in() -> None:
    raw = MemoryDocument((FULL,)).as_dict() | {"format_version": 1}
    del raw["overruled"]
    raw["bullets"][0] = {name: raw["bullets"][0][name] for name in ("id", "text", "sources", "spans", "weight")}
    (bullet,) = MemoryDocument.from_dict(raw).bullets
    assert (bullet.author, bullet.kind, bullet.is_pinned) == ("model", "fact", False)
    assert (bullet.first_seen, bullet.last_seen) == (3, 9)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("owner", "me"),
        ("kind", "hobby"),
        ("origin", None),
        ("author", "admin"),
        ("confidence", float("nan")),
        ("weight", "heavy"),
        ("first_seen", "x"),
        ("spans", ["one"]),
    ],
)
def test_a_wrong_field_is_refused_with_its_name_and_never_dropped(field: str, value: object) -> None:
    raw = MemoryDocument((FULL,)).as_dict()
    raw["bullets"][0][field] = value
    with pytest.raises(DataFormatError, match="memory"):
        MemoryDocument.from_dict(raw)


def test_a_file_of_another_version_is_refused() -> None:
    with pytest.raises(DataFormatError, match="version"):
        MemoryDocument.from_dict(DOCUMENT.as_dict() | {"format_version": 3})


def test_the_cap_takes_what_the_user_wrote_or_pinned_last() -> None:
    heavy, own, pinned = (
        Bullet("m1", "rows", weight=9),
        Bullet("m2", "sails", author="user", weight=0),
        Bullet("m3", "rides", is_pinned=True, weight=0),
    )
    counter = EstimateCounter()
    document = MemoryDocument((heavy, own, pinned))
    small = MemoryDocument((heavy, own, pinned), cap_tokens=document.tokens(counter) - 1)
    assert [b.id for b in small.enforce_cap(counter).bullets] == ["m2", "m3"]
