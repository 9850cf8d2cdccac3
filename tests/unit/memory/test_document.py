"""The memory as a file."""

from __future__ import annotations

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
