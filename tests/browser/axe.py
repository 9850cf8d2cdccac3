"""axe-core, the checker of accessible pages: fetched once from the npm registry by its own client, never vendored."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

VERSION = "4.11.1"
CACHE = Path(__file__).resolve().parents[2] / ".make" / f"axe-core-{VERSION}"
FETCH_S = 120
SERIOUS = ("serious", "critical")

_RUN = """() => axe.run(document, {resultTypes: ['violations']}).then((found) => found.violations.map((v) =>
  [v.impact, v.id, v.nodes.map((n) => n.target.join(' ') + ' ' + n.html.slice(0, 120))]))"""


def load_axe() -> str:
    """Return the script; empty where it is neither kept nor to be had."""
    script = CACHE / "axe.min.js"
    if not script.is_file():
        _fetch()
    return script.read_text("utf-8") if script.is_file() else ""


def _fetch() -> None:
    npm = shutil.which("npm")
    if npm is None:
        return
    CACHE.mkdir(parents=True, exist_ok=True)
    try:
        subprocess.run(
            [npm, "pack", f"axe-core@{VERSION}", "--silent"],
            cwd=CACHE,
            check=True,
            capture_output=True,
            timeout=FETCH_S,
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return
    with tarfile.open(CACHE / f"axe-core-{VERSION}.tgz") as packed:
        found = packed.extractfile("package/axe.min.js")
        assert found is not None
        (CACHE / "axe.min.js").write_bytes(found.read())


def find_serious(page: Any, script: str) -> list[Any]:
    """Return the violations of a page that keep somebody from using it, or make it hard; none without the script."""
    if not script:
        return []
    page.evaluate(script)
    return [found for found in page.evaluate(_RUN) if found[0] in SERIOUS]
