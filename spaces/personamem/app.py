"""Starts the page: `python app.py`, here or in a Space."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
# A Space holds `hub_toolkit` beside this file; in a checkout it is two folders up, and an installed one needs neither.
for folder in (HERE, HERE.parents[1] if len(HERE.parents) > 1 else HERE):
    if (folder / "hub_toolkit").is_dir() and str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

from hub_toolkit.settings import load_settings  # noqa: E402
from personamem_ui.app import create_page, launch_options  # noqa: E402

demo = create_page(load_settings())

if __name__ == "__main__":
    demo.launch(**launch_options(demo))
