"""`personamem data convert` as a person calls it."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hub_toolkit.cli.main import main
from tests.conftest import require_extra
from tests.convert_factory import files_of, write_source

for _name in ("datasets", "pyarrow", "PIL"):
    require_extra("rehearse", importlib.util.find_spec(_name) is not None, f"{_name} is not installed")


def call(*args: object) -> Result:
    return CliRunner().invoke(main, ["data", "convert", *map(str, args)])


def test_there_and_back(tmp_path: Path) -> None:
    there = call("mini", tmp_path / "out")
    assert there.exit_code == 0, there.stderr
    assert "questions/benchmark: 124 rows, 1 file, " in there.stdout
    assert "left out (no row names it): README.md\n" in there.stdout
    assert f"to {tmp_path / 'out'}\n" in there.stdout
    assert "text_32k/benchmark-00000-of-00001.parquet: 124 rows" in there.stderr
    back = call(tmp_path / "out", tmp_path / "back", "--to", "upstream")
    assert back.exit_code == 0, back.stderr
    assert "benchmark/text/benchmark.csv: 124 rows, 1 file, 663,669 bytes" in back.stdout
    assert "data/chat_history_32k: 20 files, " in back.stdout


def test_what_was_written_loads_by_config_also_when_a_config_came_later(tmp_path: Path) -> None:
    import datasets

    out = tmp_path / "out"
    for configs in (["--config", "questions"], []):
        assert call("mini", out, *configs).exit_code == 0
    cache = str(tmp_path / "cache")
    for config, num_rows in (("questions", 124), ("histories_32k", 20)):
        assert datasets.load_dataset(str(out), config, split="benchmark", cache_dir=cache).num_rows == num_rows
    (out / "README.md").write_text("---\nconfigs:\n- config_name: mine\n---\nMy words.\n")
    call("mini", out)
    assert "My words." in (out / "README.md").read_text()


def test_nothing_to_do_is_said(tmp_path: Path) -> None:
    source = write_source(tmp_path / "up", {"train": [1]})
    call(source, tmp_path / "out", "--config", "questions", "--config", "raw_personas")
    before = files_of(tmp_path / "out")
    assert {name.split("/")[0] for name in before} == {"README.md", "questions", "raw_personas"}
    again = call(source, tmp_path / "out", "--config", "raw_personas", "--config", "questions")
    assert again.exit_code == 0
    assert "nothing to do: " in again.stdout
    assert files_of(tmp_path / "out") == before


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    source = write_source(tmp_path / "up", {"train": [1, 2, 3, 4, 5]})
    for path in (source / "data/raw_data").iterdir():
        path.unlink()
    result = call(source, tmp_path / "out")
    raw = "data/raw_data/p1.json, data/raw_data/p2.json, data/raw_data/p3.json and 2 more"
    assert f"named, but not there: {raw}\n" in result.stdout


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("up", "up/out"), "lies inside the source"),
        (("none", "out"), "is not a folder"),
        (("up", "out", "--config", "nothing"), "there is no config nothing"),
        (("up", "out", "--to", "upstream"), "none of our Parquet files"),
    ],
)
def test_an_error_is_one_line(
    args: tuple[str, ...], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_source(tmp_path / "up", {"train": [1]})
    monkeypatch.chdir(tmp_path)
    result = call(*args)
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ") and words in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_options_that_do_not_fit(tmp_path: Path) -> None:
    assert call(tmp_path, tmp_path / "out", "--to", "upstream", "--config", "questions").exit_code == 2
    assert call(tmp_path, tmp_path / "out", "--to", "csv").exit_code == 2


def test_the_command_line_loads_nothing_heavy() -> None:
    code = "import sys; import hub_toolkit.cli.data_convert; print(sorted({'datasets', 'pyarrow'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
