"""Who may send, dispute and withdraw from the page, in whose name and how often."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from gradio.context import LocalContext

from hub_toolkit.errors import SubmissionError
from hub_toolkit.hub.leaderboard.store import BoardRepos
from hub_toolkit.leaderboard.events import Event, make_event, utc_now
from hub_toolkit.leaderboard.rank import TableRow
from hub_toolkit.settings import Settings, load_settings
from personamem_ui import sending
from personamem_ui.board_source import BoardSource
from personamem_ui.sending import MAX_DISPUTES_A_DAY, act_on_row, find_sender
from personamem_ui.visitors import current_visitor

DIGEST = "ab" * 32
INFO = {"userinfo": {"preferred_username": "alice"}, "access_token": "hf_x"}
LOCAL, REMOTE = "http://127.0.0.1:9", "https://huggingface.co"


def source_of(**settings: Any) -> BoardSource:
    known: Settings = replace(load_settings(), **settings)
    return BoardSource((), cast(Any, object()), BoardRepos.of("personamem"), known, cast(Any, object()))


@pytest.fixture
def visit(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes the event under way one of a signed-in visitor's browser, with these headers."""

    def make(**headers: str) -> None:
        scope = {"session": {"oauth_info": INFO}, "client": ("8.8.8.8", 1), "headers": []}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = SimpleNamespace(request=SimpleNamespace(scope=scope, headers=named), session_hash="s")
        monkeypatch.setattr(LocalContext, "request", SimpleNamespace(get=lambda _: request))

    return make


def test_a_page_that_cannot_know_who_sends_takes_nothing(visit: Any) -> None:
    """Also from an event that a program makes up: the button that is greyed out stops no program."""
    with pytest.raises(SubmissionError, match="cannot know who sends"):
        find_sender(source_of(hub_endpoint=REMOTE), "carol")
    with pytest.raises(SubmissionError, match="sign in first"):
        find_sender(source_of(hub_endpoint=REMOTE, has_sign_in=True), "carol")
    visit()
    assert find_sender(source_of(hub_endpoint=REMOTE, has_sign_in=True), "carol") == "alice"
    rehearsal = source_of(hub_endpoint=LOCAL)
    assert find_sender(rehearsal, " carol ") == "carol"
    for wrong, said in (("", "write a name"), ("../x", "no account's name"), ("<b>", "no account's name")):
        with pytest.raises(SubmissionError, match=said):
            find_sender(rehearsal, wrong)


@pytest.mark.parametrize(("sent_from", "name"), [("same-origin", "alice"), ("cross-site", None), ("same-site", None)])
def test_a_request_of_another_sites_page_is_nobodys(visit: Any, sent_from: str, name: str | None) -> None:
    visit(sec_fetch_site=sent_from)
    assert (current_visitor().name, current_visitor().token is None) == (name, name is None)


class Hub:
    """What the page reads and writes of a results repo."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **row: Any) -> None:
        self.row = cast(TableRow, {"submission": DIGEST, "submitter": "Carol", "status": "scored", **row})
        self.log: list[Event] = []
        self.done: list[tuple[str, str]] = []
        monkeypatch.setattr(sending, "read_results", lambda *_: (None, [self.row], self.log))
        for act in ("dispute", "withdraw"):
            monkeypatch.setattr(sending, f"{act}_submission", self._act(act))

    def _act(self, act: str) -> Any:
        def do(*_: object, who: str, reason: str) -> str:
            self.done.append((act, who))
            self.log.append(make_event(DIGEST, "disputed", who=who, time=utc_now(), reason=reason))
            return DIGEST

        return do


def test_who_sent_a_row_withdraws_it_and_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    hub, source = Hub(monkeypatch), source_of()
    with pytest.raises(SubmissionError, match="only Carol, who sent it"):
        act_on_row(source, "withdraw", DIGEST, sender="bob", reason="mine")
    with pytest.raises(SubmissionError, match="not in the table any more"):
        act_on_row(source, "withdraw", "cd" * 32, sender="carol", reason="mine")
    with pytest.raises(SubmissionError, match="markup"):
        act_on_row(source, "withdraw", DIGEST, sender="carol", reason="<b>mine</b>")
    assert hub.done == []
    act_on_row(source, "withdraw", DIGEST, sender="carol", reason="mine")
    assert hub.done == [("withdraw", "carol")]


def test_disputes_have_a_limit_a_day_and_stand_once(monkeypatch: pytest.MonkeyPatch) -> None:
    hub, source = Hub(monkeypatch), source_of()
    hub.log = [make_event("x", "disputed", who="bob", time="2020-01-01T00:00:00Z", reason="old")] * MAX_DISPUTES_A_DAY
    for _ in range(MAX_DISPUTES_A_DAY):
        act_on_row(source, "dispute", DIGEST, sender="bob", reason="wrong figures")
    with pytest.raises(SubmissionError, match="all for one day"):
        act_on_row(source, "dispute", DIGEST, sender="Bob", reason="wrong figures")
    act_on_row(source, "dispute", DIGEST, sender="dave", reason="wrong figures")
    hub.row["status"] = "disputed"
    with pytest.raises(SubmissionError, match="disputed already"):
        act_on_row(source, "dispute", DIGEST, sender="erin", reason="wrong figures")
    assert len(hub.done) == MAX_DISPUTES_A_DAY + 1
