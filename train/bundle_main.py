"""Starts a recipe out of the bundle: `train.pyz RECIPE [--accelerate FILE] --config RECIPE_FILE …`.

It becomes the bundle's `__main__.py`, so it imports nothing of the project: only what it unpacks can.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

MODULES = ("sft", "grpo", "memory_grpo", "plan", "after", "smoke")


def main(words: Sequence[str], bundle: Path) -> int:
    """Unpack the bundle beside the system's other temporary files and run; the exit status is the recipe's."""
    if not words or words[0] not in MODULES:
        print(f"say what to run: {', '.join(MODULES)}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="personamem-train-") as folder:
        with zipfile.ZipFile(bundle) as archive:
            archive.extractall(folder)
        paths = [folder, *filter(None, [os.environ.get("PYTHONPATH")])]
        command = make_command(words, Path(folder) / "train")
        return subprocess.call(command, env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)})


def make_command(words: Sequence[str], package: Path) -> list[str]:
    """Return the command line; names of files that came along become their paths."""
    module, rest = words[0], list(words[1:])
    launcher = [sys.executable, "-m", f"train.{module}"]
    if module in ("sft", "grpo", "memory_grpo"):
        rest = _name_file(rest, "--config", package / "recipes")
        if "--accelerate" in rest and not {"--plan", "--is_plan"} & set(rest):
            place = rest.index("--accelerate")
            file = _name_file(rest[place : place + 2], "--accelerate", package / "accelerate")[1:]
            rest = rest[:place] + rest[place + 2 :]
            start = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", *file]
            launcher = [*start, "-m", f"train.{module}"]
    return [*launcher, *rest]


def _name_file(words: list[str], option: str, folder: Path) -> list[str]:
    if option not in words[:-1]:
        return words
    place = words.index(option) + 1
    own = folder / f"{words[place].removesuffix('.yaml')}.yaml"
    value = words[place] if Path(words[place]).is_file() or not own.is_file() else str(own)
    return [*words[:place], value, *words[place + 1 :]]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Path(sys.argv[0])))
