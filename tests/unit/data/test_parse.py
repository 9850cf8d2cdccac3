"""The published layout: rows to samples, links inside the folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hub_toolkit.data.parse import history_path, load_personas, load_samples, resolve_dataset
from hub_toolkit.errors import DataFormatError
from tests.conftest import require_extra
from tests.dataset_factory import make_row, write_dataset, write_rows


def test_a_row_becomes_a_sample(tmp_path: Path) -> None:
    sample = load_samples(write_dataset(tmp_path))[1]
    assert sample.user_query.text == "What could I do on evening 1?"
    assert sample.short_persona == "A librarian who doesn't drive"
    assert sample.expanded_persona["name"] == "Mara Lind"
    assert sample.incorrect_answers == ("Bake bread.", "Go for a run.", "Read a book.")
    assert sample.related_snippet[0].role == "user"
    assert (sample.prev_pref, sample.topic_query, sample.is_updated, sample.row) == (None, "travel", False, 1)
    assert sample.counts["total_tokens_in_chat_history_32k"] == 120
    assert (sample.group_id, sample.twin_of) == (None, None)


def test_our_own_and_unknown_columns_are_allowed(tmp_path: Path) -> None:
    row = {**make_row(), "group_id": "g1", "twin_of": "3", "sensitive_string": "D1"}
    (sample,) = load_samples(write_dataset(tmp_path, [row]))
    assert (sample.group_id, sample.twin_of, sample.is_balanced, sample.cluster) == ("g1", 3, True, 3)


def test_the_sample_id_follows_the_content_alone(tmp_path: Path) -> None:
    row = make_row()
    first = load_samples(write_dataset(tmp_path / "a", [row]))[0].sample_id
    shuffled = load_samples(write_dataset(tmp_path / "b", [dict(sorted(row.items()))]))[0].sample_id
    changed = load_samples(write_dataset(tmp_path / "c", [row | {"who": "others"}]))[0].sample_id
    assert first == shuffled != changed
    split, number, content = first.split("-")
    assert (split, number, len(content)) == ("benchmark", "0", 12)


def test_multimodal_and_other_splits(tmp_path: Path) -> None:
    content = [{"type": "text", "text": "Which?"}, {"type": "image_url", "image_url": "data:x"}]
    row = make_row(user_query=repr({"role": "user", "content": content}))
    write_dataset(tmp_path, [row], split="val", modality="multimodal")
    (sample,) = load_samples(tmp_path, "val", modality="multimodal")
    assert sample.user_query.text == "Which?"
    with pytest.raises(DataFormatError, match="missing"):
        load_samples(tmp_path)


def test_personas_gather_their_samples(tmp_path: Path) -> None:
    rows = [make_row(0), make_row(1, persona_id="3"), make_row(2)]
    personas = load_personas(write_dataset(tmp_path, rows))
    assert sorted((p.persona_id, len(p.samples)) for p in personas) == [(3, 1), (7, 2)]
    assert personas[0].name == "Mara Lind"


@pytest.mark.parametrize(
    ("column", "cell", "words"),
    [
        ("persona_id", "7.5", "whole number"),
        ("expanded_persona", '{"name":', "broken JSON"),
        ("incorrect_answers", "[", "broken JSON"),
        ("incorrect_answers", '["a", "b"]', "found 2"),
        ("related_conversation_snippet", "{", "broken JSON"),
        ("related_conversation_snippet", '[{"role": "bot", "content": ""}]', "unknown role"),
        ("user_query", "{'role': 'user', 'content': ", "neither JSON nor"),
        ("short_persona", "{'persona': ", "neither JSON nor"),
        ("updated", "maybe", "truth value"),
        ("pref_type", "other", "unknown pref_type"),
        ("chat_history_32k_link", "../x.json", "leaves"),
        ("chat_history_128k_link", "/x.json", "absolute"),
    ],
)
def test_a_bad_cell_is_named(tmp_path: Path, column: str, cell: str, words: str) -> None:
    folder = write_dataset(tmp_path, [make_row(0), make_row(1, **{column: cell})])
    with pytest.raises(DataFormatError, match=words) as caught:
        load_samples(folder)
    assert (caught.value.file, caught.value.row, caught.value.column) == ("benchmark/text/benchmark.csv", 2, column)


def test_a_missing_column_and_a_duplicate_are_named(tmp_path: Path) -> None:
    row = make_row()
    folder = write_dataset(tmp_path, [row, make_row(1), row])
    with pytest.raises(DataFormatError) as caught:
        load_samples(folder)
    assert caught.value.row == 3
    del row["who"]
    write_rows(folder / "benchmark" / "text" / "benchmark.csv", [row])
    with pytest.raises(DataFormatError, match="missing") as caught:
        load_samples(folder)
    assert caught.value.column == "who"


def test_history_links_stay_inside(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path / "set")
    outside = tmp_path / "outside.json"
    outside.write_text("[]")
    (folder / "data" / "link.json").symlink_to(outside)
    (folder / "data" / "loop.json").symlink_to("loop.json")
    for link in ("data/link.json", "data/loop.json", "data/none.json", "data", "../outside.json", str(outside), ""):
        with pytest.raises(DataFormatError):
            history_path(folder, link)
    link = "data/chat_history_32k/chat_history_persona7.json"
    assert history_path(folder, link).samefile(folder / link)


def test_a_dataset_is_mini_or_a_folder(tmp_path: Path) -> None:
    assert (resolve_dataset("mini") / "benchmark" / "text" / "benchmark.csv").is_file()
    assert resolve_dataset(tmp_path) == tmp_path
    file = tmp_path / "a.csv"
    file.touch()
    for path in (tmp_path / "none", file):
        with pytest.raises(DataFormatError):
            resolve_dataset(path)


def test_a_complete_real_row(real_data: Path, tmp_path: Path) -> None:
    path = real_data / "real_rows.json"
    require_extra("real-data", path.is_file(), f"no real row in {path}")
    raw: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))[0]["row"]
    row = {column: "" if value is None else str(value) for column, value in raw.items()}  # as the CSV holds it
    (sample,) = load_samples(write_dataset(tmp_path, [row]))
    assert len(row) == 27
    assert sample.persona_id == 521
    assert sample.short_persona.startswith("A liberal Democrat from Kansas")
    assert sample.user_query.text.startswith("What are some calming morning routines")
    assert sample.expanded_persona["name"] == "Daniel Robert Whitaker"
    assert [message.role for message in sample.related_snippet] == ["user", "assistant", "user", "assistant"]
    assert (sample.topic_query, sample.prev_pref, sample.is_updated) == ("health", None, False)
    assert sample.counts["distance_from_related_snippet_to_query_32k"] == 28768
