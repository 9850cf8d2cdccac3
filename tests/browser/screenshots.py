"""Where pictures of the page are kept: `PERSONAMEM_SCREENSHOTS`, else `.artifacts/screenshots` in the checkout."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def keep_screenshot(page: Any, name: str, *, is_whole: bool = True) -> Path:
    """Save a picture of the page as it stands."""
    folder = Path(os.environ.get("PERSONAMEM_SCREENSHOTS") or ROOT / ".artifacts" / "screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.png"
    page.screenshot(path=path, full_page=is_whole)
    return path
