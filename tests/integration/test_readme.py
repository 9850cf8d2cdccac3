"""What the README promises runs as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")


def python_example() -> str:
    [block] = re.findall(r"```python\n(.*?)```", README, re.S)
    return str(block)


def test_example_is_short() -> None:
    assert len([line for line in python_example().splitlines() if line.strip()]) <= 10


def test_example_runs(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", python_example()], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    assert len(lines) > 5
    assert all(re.fullmatch(r"- .+  \[\d+(?:, \d+){0,2}\]", line) for line in lines)


def test_opens_with_one_sentence_and_the_two_commands() -> None:
    opening, _, rest = README.partition("\n\n")
    assert opening.count(".") == 1 and opening.endswith(".")
    assert re.match(r"```bash\nmake demo .*\nmake test .*\n```", rest)


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert links
    assert [link for link in links if not link.startswith("http") and not (ROOT / link).exists()] == []
