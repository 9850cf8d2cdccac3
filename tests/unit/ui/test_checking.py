"""The form's check: every problem with its line, the files of the Hub by name alone, uploads that do not stay."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from hub_toolkit.errors import HubError, SubmissionError
from hub_toolkit.leaderboard.board import Board, open_board
from hub_toolkit.settings import Settings, load_settings
from personamem_ui.about_text import render_about
from personamem_ui.board_source import BoardSource
from personamem_ui.board_status import find_status
from personamem_ui.checking import MAX_PROBLEMS, fetch_public_files, list_problems, read_upload
from personamem_ui.submit_render import render_problems
from tests.unit.ui.test_board import files_of


@pytest.fixture(scope="module")
def board() -> Board:
    return open_board()


def test_an_acceptable_submission_has_no_problem(board: Board) -> None:
    assert list_problems(*files_of(board, share=0.5), (board,)) == []


def test_every_problem_is_named_with_its_own_line(board: Board) -> None:
    predictions, meta = files_of(board, share=0.5)
    lines = predictions.decode().splitlines()
    lines[1] = "{"
    lines[3] = json.dumps({"sample_id": "nobody", "output": "A"})
    lines[5] = lines[4]
    lines[7] = lines[7].replace("Final", "<script>x</script> Final")
    found = list_problems("\n".join(lines).encode(), meta.replace(b'"mit"', b'"<b>"'), (board,))
    assert [problem.split(":")[0] for problem in found] == [
        "meta.yaml",
        *(f"predictions.jsonl, line {number}" for number in (2, 4, 6, 8)),
        "predictions.jsonl",
    ]
    assert "3 of 124 questions have no line" in found[-1]
    assert "answered in line 5" in found[3]


def test_at_most_twenty_problems_and_an_endless_file_is_not_read_to_its_end(board: Board) -> None:
    _, meta = files_of(board, share=0.5)
    assert len(list_problems(b"x\n" * 5000, meta, (board,))) == MAX_PROBLEMS
    assert 1 <= len(list_problems(b"\n" * 2_000_000, meta, (board,))) <= 2
    deep = b"[" * 200_000
    assert list_problems(deep, meta, (board,))
    assert list_problems(b"\xff\xfe\n", b"a: &a [*a]", (board,))


def test_problems_are_shown_as_text() -> None:
    assert "<script" not in render_problems(["<script>alert(1)</script>"])


def test_an_upload_is_deleted_even_where_it_is_too_large(tmp_path: Path) -> None:
    file = tmp_path / "predictions.jsonl"
    file.write_bytes(b"12345")
    assert read_upload(str(file), name="predictions.jsonl", max_bytes=5) == b"12345"
    assert not file.exists()
    file.write_bytes(b"123456")
    with pytest.raises(SubmissionError, match="at most 5"):
        read_upload(str(file), name="predictions.jsonl", max_bytes=5)
    assert not file.exists()


@pytest.mark.parametrize(
    "repo",
    [
        "http://169.254.169.254/latest/meta-data",
        "https://huggingface.co/datasets/a/b",
        "file:///etc/passwd",
        "../../etc",
        "a/b/../..",
        "localhost:8000/a",
    ],
)
def test_the_hub_field_takes_no_address(repo: str) -> None:
    settings = replace(load_settings(), hub_endpoint="http://127.0.0.1:9")
    with pytest.raises((SubmissionError, HubError), match="owner/name"):
        fetch_public_files(settings, repo, "", ("predictions.jsonl", "meta.yaml"))


def test_a_status_needs_a_digest_and_a_table(board: Board) -> None:
    source = BoardSource((board,))
    with pytest.raises(SubmissionError, match="no digest"):
        find_status(source, "../x")
    with pytest.raises(HubError, match="no leaderboard"):
        find_status(source, "a" * 64)


def test_about_names_what_is_pinned_and_measures_the_leaks(board: Board) -> None:
    text = render_about((board,))
    assert board.revision in text
    assert board.protocol.digest in text
    assert "always the longest option" in text
    assert "25.0 %" in text
    assert "/validate_submission" in text


def test_settings_keep_the_webhook_secret_out_of_sight() -> None:
    assert "s3cret" not in repr(replace(load_settings(), webhook_secret="s3cret"))
    assert isinstance(load_settings(), Settings)
