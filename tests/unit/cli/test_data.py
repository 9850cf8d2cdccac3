"""`personamem data check` as a person calls it."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from hub_toolkit.cli.main import main
from tests.dataset_factory import make_row, write_dataset


def test_mini_has_no_problems() -> None:
    result = CliRunner().invoke(main, ["data", "check", "mini", "--json"])
    assert result.exit_code == 0
    report = json.loads(result.stdout)
    assert report["problems"] == []
    assert report["counts"]["benchmark_text"]["rows"] >= 96


def test_problems_are_printed_with_their_places(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path, [make_row(0, updated="perhaps")])
    result = CliRunner().invoke(main, ["data", "check", str(folder), "--json"])
    assert result.exit_code == 1
    (problem,) = json.loads(result.stdout)["problems"]
    assert set(problem) == {"file", "row", "column", "message"}
    assert (problem["file"], problem["row"], problem["column"]) == ("benchmark/text/benchmark.csv", 1, "updated")
    text = CliRunner().invoke(main, ["data", "check", str(folder)])
    assert text.exit_code == 1
    assert "benchmark/text/benchmark.csv, row 1, column updated" in text.stdout


def test_no_folder_is_one_line(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["data", "check", str(tmp_path / "none")])
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
