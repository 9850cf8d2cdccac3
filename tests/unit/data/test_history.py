"""Histories: what is read, what is refused, and how they are cut."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hub_toolkit.data.history import HistoryLimits, chunk_messages, load_history, parse_history, raw_slices
from hub_toolkit.data.schema import History
from hub_toolkit.data.tokens import EstimateCounter, count_messages
from hub_toolkit.errors import DataFormatError
from hub_toolkit.types import Message
from tests.dataset_factory import MESSAGES, write_history

COUNTER = EstimateCounter()


def history_of(*contents: Any) -> History:
    return parse_history([{"role": "user", "content": content} for content in contents], source="test")


def test_the_persona_is_dropped_and_indices_point_into_the_file(tmp_path: Path) -> None:
    path = write_history(tmp_path / "history.json")
    dropped, kept = load_history(path), load_history(path, persona_system="keep")
    assert dropped.indices == (1, 2, 3, 4, 5)
    assert kept.indices == (0, 1, 2, 3, 4, 5)
    assert kept.messages[0].role == "system"
    assert [message.role for message in dropped.messages[2:4]] == ["user", "user"]
    assert dropped.metadata["persona_id"] == 7
    assert dropped.source == str(path)


def test_only_a_system_message_at_the_start_is_the_persona() -> None:
    raw = [{"role": "user", "content": "a"}, {"role": "system", "content": "b"}]
    assert parse_history(raw, source="test").indices == (0, 1)


def test_images_come_as_text_or_as_object() -> None:
    image = {"type": "image_url", "image_url": "data:image/jpeg;base64,AA"}
    history = history_of(
        [{"type": "text", "text": "look"}, image, {**image, "image_url": {"url": "x", "detail": "low"}}]
    )
    content = history.messages[0].content
    assert isinstance(content, list)
    assert content[1]["image_url"] == {"url": "data:image/jpeg;base64,AA"}
    assert content[2]["image_url"] == {"url": "x", "detail": "low"}
    assert history.messages[0].text == "look"


@pytest.mark.parametrize(
    ("raw", "row", "column", "words"),
    [
        ({}, None, "chat_history", "no list"),
        ("text", None, "chat_history", "no list"),
        ([], None, "chat_history", "empty"),
        (MESSAGES[:1], None, "chat_history", "only the persona"),
        ({"metadata": 3, "chat_history": MESSAGES}, None, "metadata", "not an object"),
        ([MESSAGES[1], {"role": "robot", "content": "x"}], 2, "chat_history.role", "unknown role 'robot'"),
        ([{"content": "x"}], 1, "chat_history.role", "missing"),
        ([{"role": ["user"], "content": "x"}], 1, "chat_history.role", "unknown role"),
        ([{"role": "user"}], 1, "chat_history.content", "missing"),
        ([{"role": "user", "content": None}], 1, "chat_history.content", "null"),
        ([{"role": "user", "content": [{"type": "audio"}]}], 1, "chat_history.content", "neither text nor image"),
        (["hello"], 1, "chat_history", "a text"),
    ],
)
def test_bad_histories_are_refused(raw: object, row: int | None, column: str, words: str) -> None:
    with pytest.raises(DataFormatError, match=words) as caught:
        parse_history(raw, source="h.json")
    assert (caught.value.file, caught.value.row, caught.value.column) == ("h.json", row, column)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "broken JSON"),
        (b'{"chat_history": [', "broken JSON"),
        (b'[{"role": "user", "content": "\xff"}]', "UTF-8"),
        (b'[{"role": "user", "content": "\\ud800"}]', "surrogate"),
        (b'{"metadata": {"n": NaN}, "chat_history": []}', "NaN"),
        (b"[" * 100_000, "deep"),
        (b"[" * 100 + b"]" * 100, "deep"),
        (b"1" * 10_000, "broken JSON"),
    ],
)
def test_bad_files_are_refused(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "history.json"
    path.write_bytes(data)
    with pytest.raises(DataFormatError, match=words) as caught:
        load_history(path)
    assert caught.value.file == str(path)


def test_limits_are_kept(tmp_path: Path) -> None:
    path = write_history(tmp_path / "history.json")
    with pytest.raises(DataFormatError, match="MiB"):
        load_history(path, limits=HistoryLimits(size_bytes=10))
    with pytest.raises(DataFormatError, match="messages"):
        load_history(path, limits=HistoryLimits(messages=3))
    with pytest.raises(DataFormatError, match="deep"):
        load_history(path, limits=HistoryLimits(depth=2))
    with pytest.raises(DataFormatError, match="deep"):
        parse_history([{"role": "user", "content": [[[[]]]]}], source="test", limits=HistoryLimits(depth=3))


def test_a_huge_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "history.json"
    with path.open("wb") as stream:
        stream.truncate(10 * 2**30)  # sparse: reading it would take 10 GiB
    with pytest.raises(DataFormatError, match="64 MiB are allowed"):
        load_history(path)


def test_folders_and_missing_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataFormatError, match="folder"):
        load_history(tmp_path)
    with pytest.raises(DataFormatError, match="does not exist"):
        load_history(tmp_path / "none.json")
    with pytest.raises(DataFormatError, match="cannot be read"):
        load_history(tmp_path / "\x00.json")


def test_chunks_end_at_messages_and_keep_to_their_size() -> None:
    history = history_of(*(f"message {number} " * 9 for number in range(40)))
    chunks = chunk_messages(history, COUNTER, chunk_tokens=200)
    assert tuple(m for chunk in chunks for m in chunk.messages) == history.messages
    assert [i for chunk in chunks for i in chunk.indices] == list(range(40))
    for chunk in chunks:
        assert chunk.tokens == count_messages(COUNTER, chunk.messages) <= 200


def test_reading_goes_on_where_it_stopped() -> None:
    history = parse_history(MESSAGES, source="test")
    assert [chunk.indices for chunk in chunk_messages(history, COUNTER, start=4)] == [(4, 5)]
    assert chunk_messages(history, COUNTER, start=6) == []


def test_only_a_message_longer_than_a_chunk_is_cut() -> None:
    text = "A sentence of seven plain words here. " * 200
    history = history_of("short", text, "after")
    chunks = chunk_messages(history, COUNTER, chunk_tokens=300)
    pieces = [m.text for chunk in chunks for m, i in zip(chunk.messages, chunk.indices, strict=True) if i == 1]
    assert "".join(pieces) == text
    assert len(pieces) > 1
    assert all(piece.endswith(". ") for piece in pieces)
    assert all(chunk.tokens <= 300 for chunk in chunks)
    assert chunks[0].indices == (0,)
    assert chunks[-1].indices[-1] == 2


@pytest.mark.parametrize("text", ["x" * 20_000, "漢" * 5_000, "9" * 20_000, "\n" * 20_000])
def test_a_text_without_boundaries_is_cut_all_the_same(text: str) -> None:
    chunks = chunk_messages(history_of(text), COUNTER, chunk_tokens=100)
    assert "".join(m.text for chunk in chunks for m in chunk.messages) == text
    assert all(chunk.tokens <= 100 for chunk in chunks)


def test_images_are_never_cut() -> None:
    image = {"type": "image_url", "image_url": {"url": "x"}}
    history = history_of([{"type": "text", "text": "word " * 500}, image, image])
    chunks = chunk_messages(history, COUNTER, chunk_tokens=100)
    parts = [part for chunk in chunks for m in chunk.messages for part in m.content if isinstance(part, dict)]
    assert parts.count(image) == 2
    assert {index for chunk in chunks for index in chunk.indices} == {0}


def test_raw_slices_cut_anywhere_and_lose_nothing() -> None:
    history = history_of(*("one two three four five six seven " * 30 for _ in range(6)))
    slices = raw_slices(history, COUNTER, chunk_tokens=100)
    for index in range(6):
        pieces = [m.text for piece in slices for m, i in zip(piece.messages, piece.indices, strict=True) if i == index]
        assert "".join(pieces) == history.messages[index].text
    assert all(piece.tokens <= 100 for piece in slices)
    assert any(len(piece.indices) == 2 for piece in slices)


def test_a_chunk_size_that_cannot_hold_a_message_is_an_error() -> None:
    for cut in (chunk_messages, raw_slices):
        with pytest.raises(ValueError, match="at least"):
            cut(history_of("a"), COUNTER, chunk_tokens=4)


@pytest.mark.parametrize("persona", ["persona11", "persona20"])
def test_real_histories(real_data: Path, persona: str) -> None:
    (path,) = (real_data / "personamem_evo" / "histories").glob(f"*{persona}.json")
    history = load_history(path)
    total = json.loads(path.read_text(encoding="utf-8"))["metadata"]["total_messages"]
    assert history.indices == tuple(range(1, total))
    chunks = chunk_messages(history, COUNTER)
    assert all(chunk.tokens <= 5_000 for chunk in chunks)
    assert tuple(m for chunk in chunks for m in chunk.messages) == history.messages
    slices = raw_slices(history, COUNTER)
    assert "".join(m.text for piece in slices for m in piece.messages) == "".join(m.text for m in history.messages)
    assert len(slices) <= len(chunks)


def test_messages_are_what_chat_apis_take() -> None:
    assert history_of("a").messages == (Message("user", "a"),)
