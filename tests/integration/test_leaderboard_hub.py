"""The leaderboard on a Hub, by its real clients: what is sent, scored, read, loaded, withdrawn and refused."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hub_toolkit.errors import HubError, SubmissionError
from tests.conftest import require_extra
from tests.hub_server import HubServer
from tests.leaderboard_factory import dump_lines, gold, guess, longest, make_lines, make_meta, make_repos, mini_board

if TYPE_CHECKING:
    from huggingface_hub import HfApi

    from hub_toolkit.hub.leaderboard.intake import Intake
    from hub_toolkit.hub.leaderboard.store import BoardRepos

for _name in ("huggingface_hub", "datasets"):
    require_extra("rehearse", importlib.util.find_spec(_name) is not None, f"{_name} is not installed")

GOOD = dump_lines(make_lines(guess(1)))


@pytest.fixture
def api(hub: HubServer) -> HfApi:
    from huggingface_hub import HfApi

    return HfApi(endpoint=hub.url, token="hf_alice")


@pytest.fixture
def bob(hub: HubServer) -> HfApi:
    from huggingface_hub import HfApi

    return HfApi(endpoint=hub.url, token="hf_bob")


@pytest.fixture
def repos(request: pytest.FixtureRequest) -> BoardRepos:
    return make_repos(request.node.name.removeprefix("test_").replace("_", "-")[:60].strip("-"))


def open_intake(api: HfApi, repos: BoardRepos, **options: Any) -> Intake:
    from hub_toolkit.hub.leaderboard.intake import Intake

    return Intake(api, repos, [mini_board()], **{"gap_s": 0.0, **options})


def work(api: HfApi, repos: BoardRepos) -> Any:
    from hub_toolkit.hub.leaderboard.worker import process_pending

    return process_pending(api, repos, mini_board())


def read(api: HfApi, repos: BoardRepos) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    from hub_toolkit.hub.leaderboard.store import read_results

    _, table, log = read_results(api, repos)
    return table, log


def kinds(log: list[dict[str, Any]], digest: str) -> list[str]:
    return [event["kind"] for event in log if event["submission"] == digest]


def test_a_submission_becomes_a_row_that_loads(api: HfApi, repos: BoardRepos, tmp_path: Path) -> None:
    from datasets import load_dataset

    intake = open_intake(api, repos)
    first = intake.receive(GOOD, make_meta(), "bob")
    assert (first.status, intake.receive(GOOD, make_meta(), "bob").status) == ("received", "known")
    assert work(api, repos).scored == (first.digest,)
    assert work(api, repos).scored == ()
    [row], log = read(api, repos)
    assert row["num_rows"] == 124 and 0 < row["accuracy"] < 1 and row["tier"] == "recomputed"
    assert kinds(log, first.digest) == ["received", "accepted", "scored"]
    loaded = load_dataset(repos.results.repo_id, "leaderboard", cache_dir=str(tmp_path))["train"]
    assert loaded[0]["submission"] == first.digest and loaded[0]["accuracy"] == row["accuracy"]
    assert json.loads(loaded[0]["by_type"]) == row["by_type"]
    assert str(loaded.features["flags"].feature.dtype) == "string"
    receipts = load_dataset(repos.submissions.repo_id, "receipts", cache_dir=str(tmp_path))["train"]
    assert receipts["submitter"] == ["bob"]
    events = load_dataset(repos.results.repo_id, "log", cache_dir=str(tmp_path))["train"]
    assert events["kind"] == ["received", "accepted", "scored"]


def test_the_daily_limit_holds_and_says_when_to_come_back(api: HfApi, repos: BoardRepos) -> None:
    intake = open_intake(api, repos, daily_limit=2, clock=lambda: "2026-11-21T21:30:00Z")
    for seed, who in ((1, "bob"), (2, "Bob")):
        intake.receive(dump_lines(make_lines(guess(seed))), make_meta(), who)
    with pytest.raises(SubmissionError, match=r"2 a day .* after 2026-11-22 00:00 UTC \(in 2 h 30 min\)"):
        intake.receive(dump_lines(make_lines(guess(3))), make_meta(), "bob")
    assert intake.receive(dump_lines(make_lines(guess(1))), make_meta(), "bob").status == "known"
    assert intake.receive(dump_lines(make_lines(guess(3))), make_meta(), "carol").status == "received"
    late = open_intake(api, repos, daily_limit=2, clock=lambda: "2026-11-22T00:00:01Z")
    assert late.receive(dump_lines(make_lines(guess(4))), make_meta(), "bob").status == "received"


@pytest.mark.parametrize("name", ["", "../x", "a/b", "a b", "-a", "x" * 97, "a..b"])
def test_a_name_that_is_no_account_is_refused(api: HfApi, repos: BoardRepos, name: str) -> None:
    with pytest.raises(SubmissionError, match="no account"):
        open_intake(api, repos).receive(GOOD, make_meta(), name)


def test_copies_and_rules_are_flagged_whoever_is_scored_first(api: HfApi, repos: BoardRepos) -> None:
    times = iter(f"2026-11-21T10:00:0{number}Z" for number in range(9))
    intake = open_intake(api, repos, clock=lambda: next(times))
    original = intake.receive(GOOD, make_meta(), "bob").digest
    copy = intake.receive(GOOD, make_meta(name="Mine"), "carol").digest
    rule = intake.receive(dump_lines(make_lines(longest)), make_meta(name="L"), "carol").digest
    perfect = intake.receive(dump_lines(make_lines(gold)), make_meta(name="G"), "carol").digest
    work(api, repos)
    table, log = read(api, repos)
    flags = {row["submission"]: " ".join(row["flags"]) for row in table}
    assert flags[original] == "" and flags[copy].startswith(
        f"same_outputs: the raw outputs are those of {original[:12]}"
    )
    assert flags[rule].startswith("longest_option") and flags[perfect].startswith("equals_gold")
    assert kinds(log, copy) == ["received", "accepted", "scored", "flagged"]


def test_a_broken_folder_is_refused_and_holds_nobody_up(api: HfApi, repos: BoardRepos) -> None:
    digest = open_intake(api, repos).receive(GOOD, make_meta(), "bob").digest
    places = {
        f"submissions/{'0' * 64}/receipt.json": b"{}",
        f"submissions/{'1' * 64}/receipt.json": b'{"submitter": "x", "time": "2026-11-21T00:00:00Z", "way": "form"}',
        f"submissions/{'1' * 64}/predictions.jsonl": GOOD,
        f"submissions/{'1' * 64}/meta.yaml": make_meta(),
    }
    for path, content in places.items():
        api.upload_file(
            path_or_fileobj=content, path_in_repo=path, repo_id=repos.submissions.repo_id, repo_type="dataset"
        )
    done = work(api, repos)
    assert done.scored == (digest,) and set(done.refused) == {"0" * 64, "1" * 64}
    table, log = read(api, repos)
    assert [row["submission"] for row in table] == [digest]
    reasons = {event["submission"]: event["reason"] for event in log if event["kind"] == "refused"}
    assert "is missing" in reasons["0" * 64] and "not the digest" in reasons["1" * 64]
    assert work(api, repos).refused == ()


def test_withdrawn_and_disputed_rows(api: HfApi, repos: BoardRepos) -> None:
    from hub_toolkit.hub.leaderboard.keeping import dispute_submission, settle_dispute, withdraw_submission
    from hub_toolkit.hub.leaderboard.repo_cards import render_results_readme

    intake = open_intake(api, repos)
    one, two = (intake.receive(dump_lines(make_lines(guess(seed))), make_meta(), "bob").digest for seed in (1, 2))
    work(api, repos)
    name, card = repos.results.repo_id, render_results_readme(repos.submissions)
    old = card.replace(b"  - name: sketch\n    dtype: string\n", b"")
    api.upload_file(path_or_fileobj=old, path_in_repo="README.md", repo_id=name, repo_type="dataset")
    dispute_submission(api, repos, two[:12], who="carol", reason="the model is another")
    assert old != card == Path(api.hf_hub_download(name, "README.md", repo_type="dataset")).read_bytes()
    withdraw_submission(api, repos, one, who="bob", reason="a mistake")
    [row], log = read(api, repos)
    assert (row["submission"], row["status"], row["dispute"]["who"]) == (two, "disputed", "carol")
    assert kinds(log, one) == ["received", "accepted", "scored", "withdrawn"]
    assert work(api, repos).scored == (), "a withdrawn submission comes back"
    settle_dispute(api, repos, two, who="alice", reason="the model is the one named")
    assert read(api, repos)[0][0]["status"] == "scored"
    for wrong in ("", "<b>x</b>", "x" * 501):
        with pytest.raises(SubmissionError, match="reason"):
            dispute_submission(api, repos, two, who="carol", reason=wrong)
    with pytest.raises(SubmissionError, match="not in the table"):
        dispute_submission(api, repos, one, who="carol", reason="gone")


def test_pull_requests_are_answered_and_never_merged(api: HfApi, bob: HfApi, repos: BoardRepos) -> None:
    from huggingface_hub import CommitOperationAdd

    from hub_toolkit.hub.leaderboard.requests import take_pull_requests
    from hub_toolkit.hub.leaderboard.store import list_submissions
    from hub_toolkit.hub.transfer.commit import read_tree

    name = repos.submissions.repo_id
    api.create_repo(name, repo_type="dataset")

    def propose(files: dict[str, bytes]) -> int:
        operations = [CommitOperationAdd(path, content) for path, content in files.items()]
        done = bob.create_commit(name, operations, commit_message="mine", repo_type="dataset", create_pr=True)
        return int(done.pr_num or 0)

    good = propose(
        {"submissions/mine/predictions.jsonl": GOOD, "submissions/mine/meta.yaml": make_meta(), "README.md": b"# owned"}
    )
    bad = propose(
        {
            "submissions/x/predictions.jsonl": b"".join(GOOD.splitlines(keepends=True)[:-3]),
            "submissions/x/meta.yaml": make_meta(),
        }
    )
    odd = propose({"submissions/y/predictions.jsonl": GOOD, "submissions/y/run.py": b"evil"})
    notes = take_pull_requests(api, repos, [mini_board()])
    assert len(notes) == 3
    main = read_tree(api, repos.submissions)
    [digest] = list_submissions(main)
    assert not any(path.startswith("submissions/mine") for path in main.files)
    assert b"owned" not in Path(api.hf_hub_download(name, "README.md", repo_type="dataset")).read_bytes()
    said = {number: _last_comment(api, name, number) for number in (good, bad, odd)}
    assert digest in said[good] and "have no line" in said[bad] and "just meta.yaml and predictions.jsonl" in said[odd]
    assert {api.get_discussion_details(name, n, repo_type="dataset").status for n in said} == {"closed"}
    assert take_pull_requests(api, repos, [mini_board()]) == []
    work(api, repos)
    [row], _ = read(api, repos)
    assert (row["submission"], row["submitter"], row["way"]) == (digest, "bob", "pull_request")


def test_a_pass_that_dies_before_it_answers_is_made_good(
    api: HfApi, bob: HfApi, repos: BoardRepos, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hub_toolkit.hub.leaderboard.proposal import submit_files
    from hub_toolkit.hub.leaderboard.requests import take_pull_requests

    api.create_repo(repos.submissions.repo_id, repo_type="dataset")
    done = submit_files(bob, repos, [mini_board()], GOOD, make_meta(), way="pr")
    assert done.status == "proposed"
    assert submit_files(bob, repos, [mini_board()], GOOD, make_meta(), way="pr") == done
    with monkeypatch.context() as patch:
        patch.setattr(api, "change_discussion_status", _fail)
        with pytest.raises(HubError):
            take_pull_requests(api, repos, [mini_board()])
    assert "already" in " ".join(take_pull_requests(api, repos, [mini_board()]))
    assert work(api, repos).scored == (done.digest,)
    assert submit_files(bob, repos, [mini_board()], GOOD, make_meta(), way="pr").status == "known"


def _last_comment(api: HfApi, name: str, number: int) -> str:
    events = api.get_discussion_details(name, number, repo_type="dataset").events
    return str([getattr(event, "content", "") for event in events if event.type == "comment"][-1])


def test_only_the_sender_withdraws_by_discussion(api: HfApi, bob: HfApi, repos: BoardRepos) -> None:
    from hub_toolkit.hub.leaderboard.requests import take_requests

    intake = open_intake(api, repos)
    own, other = (
        intake.receive(dump_lines(make_lines(guess(seed))), make_meta(), who).digest
        for seed, who in ((1, "bob"), (2, "carol"))
    )
    work(api, repos)
    name = repos.submissions.repo_id
    for title in (f"withdraw {own}", f"withdraw {other}", f"dispute {other[:12]}", "hello there"):
        bob.create_discussion(name, title, repo_type="dataset", description="<script>because</script>")
    assert len(take_requests(api, repos)) == 3
    [row], log = read(api, repos)
    assert row["submission"] == other and row["dispute"]["who"] == "bob" and "<" not in row["dispute"]["reason"]
    assert kinds(log, own)[-1] == "withdrawn"
    assert take_requests(api, repos) == []


def test_the_last_good_copy_is_served_with_its_age(api: HfApi, repos: BoardRepos, tmp_path: Path) -> None:
    from huggingface_hub import HfApi

    from hub_toolkit.hub.leaderboard.last_good import load_table

    open_intake(api, repos).receive(GOOD, make_meta(), "bob")
    assert load_table(api, repos, tmp_path).num_waiting == 1
    work(api, repos)
    live = load_table(api, repos, tmp_path)
    assert live.is_live and len(live.rows) == 1 and live.error is None and live.num_waiting == 0
    dead = HfApi(endpoint=api.endpoint, token="hf_alice")
    dead.repo_info = _fail  # type: ignore[method-assign]
    copy = load_table(dead, repos, tmp_path)
    assert not copy.is_live and copy.rows == live.rows and copy.age_s is not None and "connection" in str(copy.error)
    none = load_table(dead, repos, tmp_path / "other")
    assert (none.rows, none.age_s, none.is_live) == ([], None, False) and none.error


def _fail(*_: Any, **__: Any) -> Any:
    import httpx2

    raise httpx2.ConnectError("refused")


def test_a_refused_commit_is_told_to_everybody_who_waits(hub: HubServer, repos: BoardRepos) -> None:
    from huggingface_hub import HfApi

    outsider = HfApi(endpoint=hub.url, token="hf_bob")
    with pytest.raises(HubError):
        open_intake(outsider, repos).receive(GOOD, make_meta(), "bob")
