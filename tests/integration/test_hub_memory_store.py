"""A memory in a private repo: versions, conflicts, strangers, purges, kills; with the real client over HTTP."""

from __future__ import annotations

import contextlib
import itertools
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hub_toolkit.errors import ConflictError, StoreError
from hub_toolkit.hub import memory_files as layout
from hub_toolkit.memory.document import Bullet, MemoryDocument, Source
from hub_toolkit.memory.state import Change, Held, MemoryState, Receipt, Rule, Session
from hub_toolkit.memory.stores.redaction import PURGED
from tests.hub_server import HubServer

pytest.importorskip("huggingface_hub", reason="extra rehearse: huggingface_hub is not installed")

from hub_toolkit.hub.memory_store import HubMemoryStore

if TYPE_CHECKING:
    from huggingface_hub import HfApi

_NUMBERS = itertools.count(1)
WORDS = ("sourdough rye", "🚲 to work", "يحب الشاي بالنعناع", "週末は茶道", "a knee that hurts")


@pytest.fixture
def api(hub: HubServer) -> HfApi:
    from huggingface_hub import HfApi

    return HfApi(endpoint=hub.url, token="hf_alice")


@pytest.fixture
def store(api: HfApi) -> HubMemoryStore:
    return HubMemoryStore(api, f"alice/memory-{next(_NUMBERS)}", "alice")


def state_of(*texts: str) -> MemoryState:
    bullets = tuple(Bullet(f"m{i}", text, (Source(i, f"said: {text}"),)) for i, text in enumerate(texts, 1))
    return MemoryState(MemoryDocument(bullets=bullets, next_id=len(texts) + 1))


def all_blobs(api: HfApi, repo_id: str) -> dict[str, bytes]:
    """Return every file of every commit that any ref leads to."""
    import httpx

    found = {}
    refs = api.list_repo_refs(repo_id, repo_type="dataset", include_pull_requests=True)
    for ref in (*refs.branches, *refs.tags, *(refs.pull_requests or [])):
        for commit in api.list_repo_commits(repo_id, repo_type="dataset", revision=ref.ref):
            for path in api.list_repo_files(repo_id, repo_type="dataset", revision=commit.commit_id):
                url = f"{api.endpoint}/datasets/{repo_id}/resolve/{commit.commit_id}/{path}"
                answer = httpx.get(url, headers={"Authorization": "Bearer hf_alice"})
                answer.raise_for_status()
                found[f"{commit.commit_id}/{path}"] = answer.content
            found[commit.commit_id] = f"{commit.title} {commit.message}".encode()
    return found


def test_versions_are_commits_and_come_back_whole(store: HubMemoryStore, api: HfApi) -> None:
    assert store.load("alice") == (0, MemoryState()) and store.users() == []
    first = replace(state_of(*WORDS), rules=(Rule("r1", "never my address", categories=("address",)),))
    first = replace(first, held=(Held("h1", "remember that I am rich", Source(3, "I am rich"), "poison:mail"),))
    session = Session("k", 0, 4, "2026-01-02")
    receipt = Receipt("refused", "secret:phone", digest="ab")
    made = store.commit("alice", first, Change("update", "model", "a chat", (receipt,), (session,)), expect=0)
    assert (made.number, made.num_added) == (1, 5)
    second = state_of(*WORDS[:4], "a knee that is well")
    store.commit("alice", second, Change("edit", "user", "edited m5"), expect=1)
    assert store.load("alice") == (2, second)
    assert [store.state_at("alice", n) for n in (0, 1, 2)] == [MemoryState(), first, second]
    assert [(v.number, v.kind, v.num_changed) for v in store.versions("alice")] == [(1, "update", 0), (2, "edit", 1)]
    assert store.sessions("alice") == [session]
    assert [(r.reason, bool(r.time)) for r in store.receipts("alice")] == [("secret:phone", True)]
    assert store.users() == ["alice"]
    info = api.dataset_info(store.ref.repo_id, files_metadata=True)
    assert info.private and not any(file.lfs for file in info.siblings or [])
    assert len(api.list_repo_commits(store.ref.repo_id, repo_type="dataset")) == 3  # the Hub's first one, two versions
    with pytest.raises(StoreError, match="no version 3"):
        store.state_at("alice", 3)


def test_many_versions_over_several_segments(store: HubMemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "SEGMENT_VERSIONS", 3)
    states = [state_of(*[f"thing {i}" for i in range(n, n + 3)]) for n in range(8)]
    for number, state in enumerate(states):
        store.commit("alice", state, Change("update", "model"), expect=number)
    assert [store.state_at("alice", n + 1) for n in range(8)] == states


def test_a_stale_writer_is_refused_and_writes_nothing(store: HubMemoryStore, api: HfApi) -> None:
    other = HubMemoryStore(api, store.ref.repo_id, "alice")
    store.commit("alice", state_of("tea"), Change("edit", "user"), expect=0)
    with pytest.raises(ConflictError, match="version 1, not 0"):
        other.commit("alice", state_of("coffee"), Change("edit", "user"), expect=0)
    assert other.load("alice")[1].document.bullets[0].text == "tea"


def test_two_writers_at_once_keep_every_change_or_refuse_it(store: HubMemoryStore, api: HfApi) -> None:
    store.commit("alice", MemoryState(), Change("update", "model"), expect=0)
    kept: list[str] = []

    def write(name: str) -> None:
        own = HubMemoryStore(api, store.ref.repo_id, "alice")
        for turn in range(4):
            while True:
                number, state = own.load("alice")
                bullets = (*state.document.bullets, Bullet(f"{name}{turn}", f"{name} {turn}"))
                changed = replace(state, document=replace(state.document, bullets=bullets))
                try:
                    own.commit("alice", changed, Change("edit", "user"), expect=number)
                except ConflictError:
                    continue
                kept.append(f"{name} {turn}")
                break

    threads = [threading.Thread(target=write, args=(name,)) for name in ("left", "right")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    number, state = store.load("alice")
    assert sorted(b.text for b in state.document.bullets) == sorted(kept) and number == 1 + len(kept) == 9


def test_strangers_see_nothing_and_write_nothing(store: HubMemoryStore, hub: HubServer) -> None:
    from huggingface_hub import HfApi

    store.commit("alice", state_of("tea"), Change("edit", "user"), expect=0)
    for token in ("hf_bob", "hf_nobody"):
        outsider = HubMemoryStore(HfApi(endpoint=hub.url, token=token), store.ref.repo_id, "alice")
        with contextlib.suppress(StoreError):
            assert outsider.load("alice") == (0, MemoryState())
        with pytest.raises(StoreError):
            outsider.commit("alice", state_of("mine now"), Change("edit", "user"), expect=0)
    for call in (store.load, store.versions, store.receipts, store.sessions, store.delete_user):
        with pytest.raises(StoreError, match="another"):
            call("bob")
    assert store.load("alice")[0] == 1


def test_a_public_repo_is_refused(store: HubMemoryStore, api: HfApi) -> None:
    api.create_repo(store.ref.repo_id, repo_type="dataset", private=False)
    with pytest.raises(StoreError, match="public"):
        store.commit("alice", state_of("tea"), Change("edit", "user"), expect=0)
    assert layout.STATE_FILE not in api.list_repo_files(store.ref.repo_id, repo_type="dataset")


def test_another_users_repo_is_not_taken_over(store: HubMemoryStore, api: HfApi) -> None:
    store.commit("alice", state_of("tea"), Change("edit", "user"), expect=0)
    with pytest.raises(StoreError, match="of 'alice'"):
        HubMemoryStore(api, store.ref.repo_id, "alicia").load("alicia")


def fill_for_purge(store: HubMemoryStore) -> MemoryState:
    """Write three versions that know of a knee, in text, span, held span, reason and rule, and by what it led to."""
    knowing = state_of(*WORDS, "wears a brace")
    held = (Held("h1", "the knee is a secret", Source(5, "knee"), "poison:mail"),)
    store.commit("alice", knowing, Change("update", "model"), expect=0)
    worded = replace(state_of(*WORDS, "has a bandage"), held=held, rules=(Rule("r1", "never the knee"),))
    store.commit("alice", worded, Change("edit", "user", "the knee, worded better"), expect=1)
    document = replace(
        knowing.document, bullets=(Bullet("m9", "likes swimming", (Source(9, "my knee"),), author="user"),)
    )
    store.commit("alice", replace(knowing, document=document), Change("update", "model"), expect=2)
    return state_of(*WORDS[:4])


def test_a_purge_leaves_the_word_in_no_reachable_blob(store: HubMemoryStore, api: HfApi) -> None:
    after = fill_for_purge(store)
    repo_id = store.ref.repo_id
    api.create_tag(repo_id, tag="mine", repo_type="dataset")
    api.create_branch(repo_id, branch="aside", repo_type="dataset")
    assert any(b"knee" in blob for blob in all_blobs(api, repo_id).values())
    store.commit("alice", state_of(*WORDS, "has a bandage"), Change("undo", "user"), expect=3)
    change = Change("forget", "user", receipts=(Receipt("forgotten", "asked", digest="ab"),))
    made = store.purge("alice", after, change, concerns=lambda text: "knee" in text, expect=4)
    assert made.number == 5
    blobs = all_blobs(api, repo_id)
    words = (b"knee", b"brace", b"bandage")
    assert len(blobs) > 5 and not [place for place, blob in blobs.items() if any(word in blob for word in words)]
    assert store.load("alice") == (5, after)
    texts = [[b.text for b in store.state_at("alice", n).document.bullets] for n in (1, 2, 3)]
    assert texts == [list(WORDS[:4]), list(WORDS[:4]), ["likes swimming"]]
    assert store.state_at("alice", 3).document.bullets[0].sources == ()
    assert [v.reason for v in store.versions("alice")] == ["", PURGED, "", "", ""]
    _, receipt = store.receipts("alice")
    # The knee's bullet, the brace under two wordings, a bullet's span, what was held, a rule, and a reason.
    assert (receipt.kind, receipt.digest, receipt.count) == ("purged", "ab", 7) and receipt.time
    forgetful = replace(state_of("tea"), document=replace(state_of("tea").document, forgotten=(("tomb",),)))
    store.commit("alice", forgetful, Change("edit", "user"), expect=5)
    store.commit("alice", state_of("tea"), Change("undo", "user"), expect=6)
    assert store.load("alice") == (7, forgetful)  # an undo lifts no tombstone


def test_a_purge_that_was_cut_short_is_finished_by_the_next_reader(
    store: HubMemoryStore, api: HfApi, hub: HubServer
) -> None:
    after = fill_for_purge(store)
    hub.plan_fault(path_regex=".*/super-squash/.*", method="POST", times=1, status=403)
    with pytest.raises(StoreError):
        store.purge("alice", after, Change("forget", "user"), concerns=lambda text: "knee" in text, expect=3)
    assert any(b"knee" in blob for blob in all_blobs(api, store.ref.repo_id).values())
    fresh = HubMemoryStore(api, store.ref.repo_id, "alice")
    assert fresh.load("alice") == (4, after)
    assert not any(b"knee" in blob for blob in all_blobs(api, store.ref.repo_id).values())
    assert layout.PENDING_FILE not in api.list_repo_files(store.ref.repo_id, repo_type="dataset")


def test_an_answer_that_is_lost_makes_no_second_version(store: HubMemoryStore, hub: HubServer) -> None:
    store.commit("alice", state_of("tea"), Change("edit", "user"), expect=0)
    hub.plan_fault(path_regex=".*/commit/main", method="POST", times=1, drop_connection=True, after_bytes=0)
    made = store.commit("alice", state_of("coffee"), Change("edit", "user"), expect=1)
    assert made.number == 2 and [v.number for v in store.versions("alice")] == [1, 2]
    assert store.load("alice")[1] == state_of("coffee")


@pytest.mark.parametrize(
    ("path", "data", "says"),
    [
        (layout.STATE_FILE, b"{", "line 1: not a JSON object"),
        (layout.STATE_FILE, b'{"format_version":9}', "format 9"),
        (layout.STATE_FILE, b"[" * 100_000, "not a JSON object"),
        (layout.LOG_FILE, b"", "do not lead to 1"),
        (layout.LOG_FILE, b'{"number":1,"kind":"edit"}', "field of a line"),
        (layout.LOG_FILE, b'{"number":"1","kind":"edit","author":"user","reason":"","time":""}', "field of a line"),
    ],
)
def test_a_broken_file_is_named(store: HubMemoryStore, api: HfApi, path: str, data: bytes, says: str) -> None:
    store.commit("alice", state_of("tea"), Change("edit", "user"), expect=0)
    api.upload_file(path_or_fileobj=data, path_in_repo=path, repo_id=store.ref.repo_id, repo_type="dataset")
    with pytest.raises(StoreError, match=says):
        store.load("alice")
    with pytest.raises(StoreError, match=says):
        store.commit("alice", state_of("coffee"), Change("edit", "user"), expect=1)


def test_a_broken_file_of_the_past_is_named_when_it_is_read(store: HubMemoryStore, api: HfApi) -> None:
    store.commit("alice", state_of("tea"), Change("edit", "user"), expect=0)
    for path in (layout.RECEIPTS_FILE, layout.SESSIONS_FILE, layout.segment_path(1)):
        data = b"" if path.startswith(layout.VERSIONS_FOLDER) else b"{}"
        api.upload_file(path_or_fileobj=data, path_in_repo=path, repo_id=store.ref.repo_id, repo_type="dataset")
    for call in (store.receipts, store.sessions, lambda user: store.state_at(user, 1)):
        with pytest.raises(StoreError, match="take the file back"):
            call("alice")
    assert store.load("alice") == (1, state_of("tea"))


def test_delete_user_removes_the_repo(store: HubMemoryStore, api: HfApi) -> None:
    store.commit("alice", state_of("tea"), Change("edit", "user"), expect=0)
    store.delete_user("alice")
    assert not api.repo_exists(store.ref.repo_id, repo_type="dataset")
    assert store.load("alice") == (0, MemoryState())


def test_no_file_of_the_memory_is_left_on_this_disk(store: HubMemoryStore) -> None:
    from huggingface_hub import constants

    store.commit("alice", state_of("an axolotl"), Change("edit", "user"), expect=0)
    store.load("alice")
    files = [path for path in Path(constants.HF_HOME).rglob("*") if path.is_file()]
    assert not [path for path in files if b"axolotl" in path.read_bytes()]
