"""The page's own package lies outside the wheel; none of what is tested here needs Gradio."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "spaces" / "personamem"))

from hub_toolkit.data.history import parse_history
from hub_toolkit.memory.document import MemoryDocument
from hub_toolkit.memory.state import Change, MemoryState
from personamem_ui import building
from personamem_ui.sessions import OWNER, Session
from personamem_ui.uploads import chat_of

ATTACK = '<img src=x onerror=alert(1)> "quoted" & ${value} {{value}} </div><script>alert(1)</script>'


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks come as fast as they are read: nobody watches."""
    monkeypatch.setattr(building, "PACE_S", 0.0)


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
    made.read((chat_of(parse_history(talk, source="talk.json")),), f"talk {ATTACK}")
    made.messages = dict(enumerate(made.chats[0].messages))
    return made


def with_versions(session: Session, *documents: MemoryDocument, phase: str = "done") -> Session:
    """Give a session's memory these versions, as if chunks had been read."""
    for number, document in enumerate(documents):
        change = Change("update", "model", "read 2 messages")
        session.memory.store.commit(OWNER, MemoryState(document), change, expect=number)
    session.settle()
    session.num_chunks = session.num_chunks_read = len(documents)
    session.phase = phase  # type: ignore[assignment]
    return session
