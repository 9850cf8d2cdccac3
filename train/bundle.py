"""The recipes as one file that a job runs: `train/` is not in the wheel. `python -m train.bundle OUT.pyz`.

The file is a zip application; `uv run train.pyz grpo --config grpo_h200` unpacks it, puts it on the path and starts the
recipe, with `accelerate launch` where `--accelerate` names a file. What recipes import comes from `--toolkit` and
`--extra train`. The same content gives the same bytes.
"""

from __future__ import annotations

import argparse
import io
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from hub_toolkit.errors import PersonaMemError
from hub_toolkit.evaluate.journal import write_atomically

_HERE = Path(__file__).parent
_SUFFIXES = (".py", ".yaml", ".toml")
_EPOCH = (1980, 1, 1, 0, 0, 0)
_LAUNCHER = _HERE / "bundle_main.py"


def list_files() -> Iterator[tuple[str, Path]]:
    """Yield the files that go along, by their path in the bundle, sorted."""
    for path in sorted(_HERE.rglob("*")):
        if path.suffix in _SUFFIXES and "__pycache__" not in path.parts:
            yield f"train/{path.relative_to(_HERE).as_posix()}", path


def build_bundle() -> bytes:
    """Return the zip application's bytes; stored as they are, so that what plans a job can read what it imports."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, path in [("__main__.py", _LAUNCHER), *list_files()]:
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, path.read_bytes())
    return buffer.getvalue()


def main(words: Sequence[str] | None = None) -> int:
    """Write the bundle and say how a job runs it."""
    parser = argparse.ArgumentParser(
        prog="python -m train.bundle", description=__doc__.split("\n")[0] if __doc__ else ""
    )
    parser.add_argument("out", type=Path, help="the file to write, as in train.pyz")
    out: Path = parser.parse_args(words).out
    if out.suffix != ".pyz":
        raise PersonaMemError(f"{out}: end its name with .pyz, by which uv knows a zip application")
    content = build_bundle()
    write_atomically(out, content)
    print(f"wrote {out}: {len(content):,} bytes")
    print(
        f"run it: personamem jobs run --flavor h200 --timeout 48h --toolkit SPEC --extra hub --extra train --secret "
        f"HF_TOKEN --output-repo OWNER/NAME {out} sft --config sft_h200 --push_repo {{output_repo}}"
    )
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except PersonaMemError as error:
        sys.exit(f"error: {error}")
