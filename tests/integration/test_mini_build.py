"""The shipped sample dataset is what its sources say."""

from __future__ import annotations

import filecmp
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("yaml")
ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "hub_toolkit" / "data" / "mini"


def test_the_same_sources_give_the_same_bytes(tmp_path: Path) -> None:
    script = ROOT / "dataset_cards" / "personamem_mini" / "build.py"
    subprocess.run([sys.executable, str(script), "--out", str(tmp_path)], check=True, capture_output=True)
    built = sorted(p.relative_to(tmp_path) for p in tmp_path.rglob("*") if p.is_file())
    shipped = sorted(p.relative_to(SHIPPED) for p in SHIPPED.rglob("*") if p.is_file() and p.name != "README.md")
    assert built == shipped
    assert filecmp.cmpfiles(tmp_path, SHIPPED, [str(p) for p in built], shallow=False)[0] == [str(p) for p in built]
