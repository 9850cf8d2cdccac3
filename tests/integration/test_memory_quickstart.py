"""The guide's quick start runs as it stands, against an endpoint on this machine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from benchmarks.mock_server import RunningMock

ROOT = Path(__file__).resolve().parents[2]
MAX_LINES = 10


def quick_start() -> str:
    code, *_ = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "memory.md").read_text("utf-8"), re.S)
    return str(code)


def test_it_is_ten_lines() -> None:
    lines = [line for line in quick_start().splitlines() if line.strip()]
    imports = [line for line in lines if line.startswith(("import ", "from "))]
    assert len(lines) - len(imports) <= MAX_LINES


def test_it_runs_twice_and_remembers(tmp_path: Path) -> None:
    with RunningMock() as server:
        env = os.environ | {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "none", "PYTHONPATH": str(ROOT)}
        for _ in range(2):
            command = [sys.executable, "-c", quick_start()]
            run = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
            assert run.returncode == 0, run.stderr
            assert "I gave up dairy and bake rye bread" in run.stdout
    assert (tmp_path / "memory.db").exists()
