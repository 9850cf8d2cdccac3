"""A memory in its owner's private dataset: saved, found again, joined, forgotten there too; the token stays out."""

from __future__ import annotations

import asyncio
import copy
import gc
import importlib.util
import itertools
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from hub_toolkit.settings import Settings, load_settings
from tests.conftest import require_extra
from tests.hub_server import HubServer

for _name in ("gradio", "huggingface_hub"):
    require_extra("space", importlib.util.find_spec(_name) is not None, f"{_name} is not installed")
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "spaces" / "personamem"))

from personamem_ui import keeping  # noqa: E402
from personamem_ui.owner_acts import perform  # noqa: E402
from personamem_ui.sessions import Session  # noqa: E402
from personamem_ui.visitors import Visitor  # noqa: E402

TOKEN = "hf_alice"
_NUMBERS = itertools.count(1)


@pytest.fixture
def settings(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(keeping, "REPO_NAME", f"page-memory-{next(_NUMBERS)}")
    return replace(load_settings(), hub_endpoint=hub.url, hub_token=None, has_sign_in=True)


ALICE = Visitor("s", "@alice", "alice", TOKEN)


def load(session: Session, settings: Settings) -> keeping.Notice:
    return asyncio.run(keeping.load_from_hub(session, settings, ALICE))


def test_saved_and_found_again_in_another_session(settings: Settings) -> None:
    first, second = Session(), Session()
    assert load(first, settings).is_error  # nothing is there yet
    perform(first, "add", text="I bake rye bread on Thursdays")
    assert not keeping.save_to_hub(first, settings, ALICE).is_error
    notice = load(second, settings)
    assert "1 bullet added" in notice.text and "rye bread" in second.memory.show().document.render()
    perform(second, "add", text="I play the oboe")
    assert not keeping.save_to_hub(second, settings, ALICE).is_error
    assert keeping.save_to_hub(first, settings, ALICE).is_error  # the second's version was never seen here
    assert not load(first, settings).is_error
    assert not keeping.save_to_hub(first, settings, ALICE).is_error
    assert "oboe" in first.memory.show().document.render()


def test_forgetting_reaches_the_dataset_with_the_next_save(settings: Settings) -> None:
    from huggingface_hub import HfApi

    session = Session()
    for text in ("I play the oboe in an orchestra", "I bake rye bread on Thursdays"):
        perform(session, "add", text=text)
    keeping.save_to_hub(session, settings, ALICE)
    perform(session, "plan_forget", text="oboe")
    perform(session, "forget")
    assert not keeping.save_to_hub(session, settings, ALICE).is_error
    api = HfApi(endpoint=settings.hub_endpoint, token=TOKEN)
    repo = f"alice/{keeping.REPO_NAME}"
    assert api.dataset_info(repo).private
    commits = api.list_repo_commits(repo, repo_type="dataset")
    files = [
        Path(api.hf_hub_download(repo, name, repo_type="dataset", revision=commit.commit_id)).read_bytes()
        for commit in commits
        for name in api.list_repo_files(repo, repo_type="dataset", revision=commit.commit_id)
    ]
    assert any(b"rye bread" in data for data in files) and not any(b"oboe" in data for data in files)


def test_token_is_in_no_session_notice_or_page(settings: Settings) -> None:
    session = Session()
    perform(session, "add", text="I bake rye bread on Thursdays")
    keeping.save_to_hub(session, settings, ALICE)
    load(session, settings)
    gc.collect()
    assert TOKEN not in repr(session.__dict__) + repr(ALICE) + keeping.render_keep(session, settings, ALICE)
    assert TOKEN not in repr([vars(o) for o in (session.memory, session.memory.store)])
    assert copy.deepcopy(session).hub_version == 0
    wrong = keeping.save_to_hub(session, settings, replace(ALICE, token="hf_wrong"))
    assert wrong.is_error and "hf_wrong" not in wrong.text


def test_without_sign_in_it_says_what_else_to_do(settings: Settings) -> None:
    nobody, session = Visitor(), Session()
    assert "Sign in" in keeping.save_to_hub(session, settings, nobody).text
    alone = replace(settings, has_sign_in=False)
    assert "Download" in keeping.save_to_hub(session, alone, nobody).text
    assert "Download" in keeping.render_keep(session, alone, nobody)
