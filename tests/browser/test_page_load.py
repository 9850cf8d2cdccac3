"""Twenty visitors at once: everybody gets their own memory, and nobody another's."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from benchmarks.page_load import find_crosstalk, run_visitors
from tests.browser.conftest import serve_page
from tests.conftest import require_extra

NUM_VISITORS = 20


def test_everybody_sees_their_own_memory_and_nobody_anothers(tmp_path: Path) -> None:
    require_extra("space", importlib.util.find_spec("gradio") is not None, "no Gradio: pip install -e '.[space]'")
    with serve_page(tmp_path) as url:
        visits = run_visitors(url, tmp_path, NUM_VISITORS)
        assert len({one.secret for one in visits}) == NUM_VISITORS
        assert [number for number, one in enumerate(visits) if one.secret not in one.seen] == []
        assert find_crosstalk(visits) == []
        assert all(one.clicks_s for one in visits)
    secrets = [one.secret for one in visits]
    left = [p.read_text("utf-8", "replace") for p in (tmp_path / "uploads").rglob("*") if p.is_file()]
    assert not any(secret in text for text in left for secret in secrets)
