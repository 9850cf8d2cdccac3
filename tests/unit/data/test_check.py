"""The check finds every problem, names its place and never stops at the first."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hub_toolkit.data.check import CheckReport, check_dataset
from tests.dataset_factory import MESSAGES, make_row, write_dataset, write_history, write_rows

FILE = "benchmark/text/benchmark.csv"
LINK = "data/chat_history_32k/chat_history_persona7.json"


def places(report: CheckReport) -> set[tuple[str | None, int | None, str | None]]:
    return {(problem.file, problem.row, problem.column) for problem in report.problems}


def test_a_valid_folder_is_counted(tmp_path: Path) -> None:
    rows = [make_row(0), make_row(1, who="others"), make_row(2, updated="True", pref_type="ask_to_forget")]
    report = check_dataset(write_dataset(tmp_path, rows)).as_dict()
    assert report["problems"] == []
    assert report["counts"] == {
        "benchmark_text": {
            "rows": 3,
            "personas": 1,
            "pref_type": {"ask_to_forget": 1, "neutral_preferences": 2},
            "who": {"others": 1, "self": 2},
            "updated": {"False": 2, "True": 1},
        }
    }


def test_every_problem_is_found(tmp_path: Path) -> None:
    rows = [
        make_row(0, persona_id="x", updated="perhaps"),
        make_row(1),
        make_row(2, incorrect_answers="[1"),
        make_row(1),
        make_row(4, chat_history_32k_link="../out.json"),
        make_row(5, chat_history_128k_link="data/none.json"),
    ]
    report = check_dataset(write_dataset(tmp_path, rows))
    assert places(report) == {
        (FILE, 1, "persona_id"),
        (FILE, 1, "updated"),
        (FILE, 3, "incorrect_answers"),
        (FILE, 4, None),
        (FILE, 5, "chat_history_32k_link"),
        (FILE, 6, "chat_history_128k_link"),
    }
    assert all(problem.message for problem in report.problems)


@pytest.mark.parametrize("messages", [[], MESSAGES[:1], [{"role": "robot", "content": "x"}]])
def test_a_bad_history_is_found_with_the_row_that_links_to_it(tmp_path: Path, messages: list[dict[str, str]]) -> None:
    folder = write_dataset(tmp_path, [make_row(0)])
    write_history(folder / LINK, messages)
    (problem,) = check_dataset(folder).problems
    assert problem.row == 1
    assert problem.column == "chat_history_32k_link"


def test_every_missing_column_is_found(tmp_path: Path) -> None:
    row = make_row()
    del row["who"], row["updated"]
    assert places(check_dataset(write_dataset(tmp_path, [row]))) == {(FILE, None, "who"), (FILE, None, "updated")}


def test_other_problems_are_found_beside_a_missing_column(tmp_path: Path) -> None:
    row = make_row(persona_id="x")
    del row["who"]
    assert places(check_dataset(write_dataset(tmp_path, [row]))) >= {(FILE, None, "who"), (FILE, 1, "persona_id")}


def test_invalid_utf8_names_row_and_column(tmp_path: Path) -> None:
    path = write_dataset(tmp_path) / FILE
    path.write_bytes(path.read_bytes().replace(b"evening 1", b"evening \xff"))
    (problem,) = check_dataset(tmp_path).problems
    assert (problem.row, problem.column) == (2, "user_query")


def test_a_line_of_200_megabytes_is_refused_and_the_rest_is_read(tmp_path: Path) -> None:
    path = write_dataset(tmp_path, [make_row(0), make_row(1, preference="LONG"), make_row(2, who="nobody")]) / FILE
    path.write_bytes(path.read_bytes().replace(b"LONG", b"x" * (200 * 2**20)))
    report = check_dataset(tmp_path)
    assert places(report) == {(FILE, 2, None), (FILE, 3, "who")}
    assert report.as_dict()["counts"]["benchmark_text"]["rows"] == 3


def test_a_history_over_the_limit_is_refused(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path, [make_row(0)])
    with (folder / LINK).open("ab") as stream:
        stream.truncate(300 * 2**20)
    (problem,) = check_dataset(folder).problems
    assert "MiB" in problem.message


def test_links_out_of_the_folder_are_found(tmp_path: Path) -> None:
    outside = write_history(tmp_path / "outside.json")
    folder = write_dataset(tmp_path / "set", [make_row(0)])
    (folder / LINK).unlink()
    (folder / LINK).symlink_to(outside)
    (problem,) = check_dataset(folder).problems
    assert "symbolic link" in problem.message


def test_folders_pipes_and_empty_files_in_the_place_of_a_csv(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path / "set")
    path = folder / FILE
    for spoil in (
        Path.mkdir,
        Path.touch,
        lambda p: os.mkfifo(p),
        lambda p: write_rows(p, [make_row()]).write_text("a\n"),
    ):
        path.unlink()
        spoil(path)
        assert check_dataset(folder).problems
        if path.is_dir():
            path.rmdir()
            path.touch()


def test_a_file_that_cannot_be_opened_is_found(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path)
    (folder / FILE).unlink()
    (folder / FILE).symlink_to(folder / FILE)  # a loop: not even root can open it
    assert check_dataset(folder).problems


def test_a_folder_that_holds_no_dataset(tmp_path: Path) -> None:
    (problem,) = check_dataset(tmp_path).problems
    assert "benchmark" in problem.message


def test_a_snapshot_in_the_hubs_cache_may_point_to_its_blobs(tmp_path: Path) -> None:
    written = write_dataset(tmp_path / "written")
    repo = tmp_path / "datasets--org--name"
    snapshot = repo / "snapshots" / "abc"
    for number, file in enumerate(p for p in written.rglob("*") if p.is_file()):
        blob, link = repo / "blobs" / str(number), snapshot / file.relative_to(written)
        blob.parent.mkdir(parents=True, exist_ok=True)
        link.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(file.read_bytes())
        link.symlink_to(blob)
    assert check_dataset(snapshot).problems == ()
