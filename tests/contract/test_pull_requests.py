"""Pull requests and discussions through the real client."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("huggingface_hub", reason="extra rehearse: huggingface_hub is not installed")

from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.errors import HfHubHTTPError


def propose(api: HfApi, repo: str, path: str, content: bytes, **options: object) -> int:
    done = api.create_commit(
        repo,
        [CommitOperationAdd(path, content)],
        commit_message=f"add {path}",
        repo_type="dataset",
        create_pr=True,
        **options,
    )
    return int(done.pr_num)


def test_pr_create_list_merge(api: HfApi, new_dataset: str) -> None:
    done = api.upload_file(
        path_or_fileobj=b"pr",
        path_in_repo="pr.txt",
        repo_id=new_dataset,
        repo_type="dataset",
        create_pr=True,
        commit_message="add pr.txt",
    )
    assert api.file_exists(new_dataset, "pr.txt", repo_type="dataset", revision=done.pr_revision)
    assert not api.file_exists(new_dataset, "pr.txt", repo_type="dataset")
    assert [found.num for found in api.get_repo_discussions(new_dataset, repo_type="dataset")] == [done.pr_num]
    api.comment_discussion(new_dataset, done.pr_num, "lgtm", repo_type="dataset")
    api.change_discussion_status(new_dataset, done.pr_num, "open", repo_type="dataset")
    api.merge_pull_request(new_dataset, done.pr_num, repo_type="dataset")
    details = api.get_discussion_details(new_dataset, done.pr_num, repo_type="dataset")
    assert details.status == "merged"
    assert details.merge_commit_oid == api.dataset_info(new_dataset).sha
    assert [event.type for event in details.events][:3] == ["comment", "commit", "comment"]
    assert api.file_exists(new_dataset, "pr.txt", repo_type="dataset")
    with pytest.raises(HfHubHTTPError, match="merged"):
        api.merge_pull_request(new_dataset, done.pr_num, repo_type="dataset")


def test_outsider_pr_ok_direct_commit_403(api: HfApi, bob: HfApi, new_dataset: str) -> None:
    number = propose(bob, new_dataset, "bob.txt", b"b")
    bob.upload_file(
        path_or_fileobj=b"more",
        path_in_repo="more.bin",
        repo_id=new_dataset,
        repo_type="dataset",
        revision=f"refs/pr/{number}",
    )
    with pytest.raises(HfHubHTTPError) as caught:
        bob.upload_file(path_or_fileobj=b"x", path_in_repo="x", repo_id=new_dataset, repo_type="dataset")
    assert caught.value.response.status_code == 403
    with pytest.raises(HfHubHTTPError, match="403"):
        bob.merge_pull_request(new_dataset, number, repo_type="dataset")
    api.merge_pull_request(new_dataset, number, repo_type="dataset")
    assert api.file_exists(new_dataset, "more.bin", repo_type="dataset")


def test_upload_folder_create_pr(bob: HfApi, new_dataset: str, tmp_path: Path) -> None:
    (tmp_path / "z.txt").write_text("z")
    done = bob.upload_folder(repo_id=new_dataset, repo_type="dataset", folder_path=tmp_path, create_pr=True)
    assert done.pr_num == 1
    assert done.pr_url.endswith(f"/datasets/{new_dataset}/discussions/1")


def test_a_pull_request_starts_at_the_parent_it_names(api: HfApi, bob: HfApi, new_dataset: str) -> None:
    old = api.dataset_info(new_dataset).sha
    api.upload_file(path_or_fileobj=b"1", path_in_repo="later.txt", repo_id=new_dataset, repo_type="dataset")
    number = propose(bob, new_dataset, "bob.txt", b"b", parent_commit=old)
    ref = f"refs/pr/{number}"
    assert not api.file_exists(new_dataset, "later.txt", repo_type="dataset", revision=ref)
    api.merge_pull_request(new_dataset, number, repo_type="dataset")
    assert {"later.txt", "bob.txt"} <= set(api.list_repo_files(new_dataset, repo_type="dataset"))


def test_a_merge_conflict_is_named_and_changes_nothing(api: HfApi, bob: HfApi, new_dataset: str) -> None:
    api.upload_file(path_or_fileobj=b"0", path_in_repo="a.txt", repo_id=new_dataset, repo_type="dataset")
    number = propose(bob, new_dataset, "a.txt", b"theirs")
    api.upload_file(path_or_fileobj=b"ours", path_in_repo="a.txt", repo_id=new_dataset, repo_type="dataset")
    before = api.dataset_info(new_dataset).sha
    details = api.get_discussion_details(new_dataset, number, repo_type="dataset")
    assert details.conflicting_files == ["a.txt"]
    with pytest.raises(HfHubHTTPError, match=r"merge conflict in a\.txt"):
        api.merge_pull_request(new_dataset, number, repo_type="dataset")
    assert api.dataset_info(new_dataset).sha == before
    assert api.get_discussion_details(new_dataset, number, repo_type="dataset").status == "open"


def test_discussions_drafts_and_who_may_close(api: HfApi, bob: HfApi, new_dataset: str) -> None:
    draft = bob.create_pull_request(new_dataset, "a draft", repo_type="dataset")
    assert draft.status == "draft"
    with pytest.raises(HfHubHTTPError, match="draft"):
        api.merge_pull_request(new_dataset, draft.num, repo_type="dataset")
    talk = api.create_discussion(new_dataset, "let us talk", repo_type="dataset")
    bob.rename_discussion(new_dataset, draft.num, "renamed", repo_type="dataset")
    with pytest.raises(HfHubHTTPError, match="403"):
        bob.change_discussion_status(new_dataset, talk.num, "closed", repo_type="dataset")
    api.change_discussion_status(new_dataset, talk.num, "closed", repo_type="dataset")
    kinds = api.get_repo_discussions(new_dataset, repo_type="dataset", discussion_type="pull_request")
    assert [found.title for found in kinds] == ["renamed"]
    closed = api.get_repo_discussions(new_dataset, repo_type="dataset", discussion_status="closed")
    assert [found.num for found in closed] == [talk.num]


def test_status_change_says_why(api: HfApi, new_dataset: str) -> None:
    number = propose(api, new_dataset, "a.txt", b"a")
    api.change_discussion_status(new_dataset, number, "closed", comment="Not this way.", repo_type="dataset")
    details = api.get_discussion_details(new_dataset, number, repo_type="dataset")
    assert details.status == "closed"
    assert [getattr(event, "content", None) for event in details.events if event.type == "comment"][
        -1
    ] == "Not this way."
