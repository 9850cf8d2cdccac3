"""The command line's promises: one line an error, statuses, quiet pipes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import click
import pytest
from click.testing import CliRunner, Result

from hub_toolkit import __version__
from hub_toolkit.cli import main as main_module
from hub_toolkit.cli.main import Entry, main
from hub_toolkit.errors import DataFormatError

Run = Callable[..., Result]


@pytest.fixture
def run_raising(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `personamem burn`, a command that raises the given error."""

    def run(error: BaseException, *flags: str) -> Result:
        @click.command()
        def burn() -> None:
            raise error

        monkeypatch.setattr(main_module, "burn", burn, raising=False)
        monkeypatch.setitem(main_module.COMMANDS, "burn", Entry(main_module.__name__, "burn", "Raise."))
        return CliRunner().invoke(main, [*flags, "burn"])

    return run


def test_error_of_the_toolkit_is_one_line(run_raising: Run) -> None:
    result = run_raising(DataFormatError("no such\nthing", file="a.csv", row=3, column="who"))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "error: a.csv, row 3, column who: no such thing\n"


def test_error_of_the_system_names_its_file(run_raising: Run) -> None:
    result = run_raising(PermissionError(13, "Permission denied", "/out/memory.json"))
    assert (result.exit_code, result.stderr) == (1, "error: /out/memory.json: Permission denied\n")


def test_debug_shows_where_an_error_came_from(run_raising: Run) -> None:
    result = run_raising(DataFormatError("bad"), "--debug")
    assert result.exit_code == 1
    assert result.stderr.startswith("Traceback")
    assert result.stderr.endswith("error: bad\n")


def test_interrupt_ends_with_130(run_raising: Run) -> None:
    result = run_raising(KeyboardInterrupt())
    assert (result.exit_code, result.stderr) == (130, "interrupted\n")


def test_a_bug_is_not_hidden(run_raising: Run) -> None:
    assert isinstance(run_raising(ZeroDivisionError()).exception, ZeroDivisionError)


def test_unknown_command_is_a_usage_error() -> None:
    result = CliRunner().invoke(main, ["nothing"])
    assert result.exit_code == 2
    assert "No such command 'nothing'" in result.stderr


def test_a_number_in_the_environment_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERSONAMEM_TIMEOUT_S", "soon")
    result = CliRunner().invoke(main, ["doctor"])
    assert result.exit_code == 2
    assert "PERSONAMEM_TIMEOUT_S" in result.stderr
    assert "Traceback" not in result.stderr


def test_version() -> None:
    assert CliRunner().invoke(main, ["--version"]).stdout == f"personamem, version {__version__}\n"


def test_closed_pipe_is_quiet() -> None:
    script = "from hub_toolkit.cli import main as m; m.main(['--help'])"
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    with process.stderr:
        assert process.stderr.read() == ""
    process.wait(timeout=30)


@pytest.mark.parametrize("name", sorted(main_module.COMMANDS))
def test_every_entry_can_be_loaded(name: str) -> None:
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith(f"Usage: main {name}")
