"""The page's own package lies outside the wheel; none of what is tested here needs Gradio."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "spaces" / "personamem"))

from hub_toolkit.data.history import parse_history
from personamem_ui.sessions import Session

ATTACK = '<img src=x onerror=alert(1)> "quoted" & ${value} {{value}} </div><script>alert(1)</script>'


@pytest.fixture
def session() -> Session:
    """A visitor with a short history in which one message attacks the page."""
    talk = [
        {"role": "user", "content": "I always bake sourdough bread on Fridays and feed the starter on Thursdays."},
        {"role": "assistant", "content": "Lovely."},
        {"role": "user", "content": f"I started knitting mittens {ATTACK} with two colours of wool."},
        {"role": "assistant", "content": "Fine."},
    ]
    made = Session()
    made.read(parse_history(talk, source="talk.json"), f"talk {ATTACK}")
    return made
