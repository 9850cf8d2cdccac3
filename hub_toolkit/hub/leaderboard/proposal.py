"""Sends a submission from a command: a commit where the account may write, else a pull request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from hub_toolkit.errors import HubError, SubmissionError
from hub_toolkit.hub.client import RepoRef, hub_errors
from hub_toolkit.hub.deploy.space_rights import check_write, who_am_i
from hub_toolkit.hub.leaderboard.intake import Intake
from hub_toolkit.hub.leaderboard.store import FOLDER, BoardRepos, find_submission, list_submissions
from hub_toolkit.hub.transfer.commit import CommitOptions, RemoteTree, commit_files, read_tree
from hub_toolkit.hub.transfer.push_plan import LocalFile
from hub_toolkit.leaderboard.board import Board
from hub_toolkit.leaderboard.boards import read_for_boards
from hub_toolkit.leaderboard.meta import META_FILE
from hub_toolkit.leaderboard.submission import PREDICTIONS_FILE

if TYPE_CHECKING:
    from huggingface_hub import HfApi

WayIn = Literal["auto", "direct", "pr"]


@dataclass(frozen=True)
class Proposed:
    """What came of it: received (or known) at once, or proposed in a pull request."""

    digest: str
    status: Literal["received", "known", "proposed"]
    url: str


def submit_files(
    api: HfApi, repos: BoardRepos, boards: Sequence[Board], predictions: bytes, meta: bytes, *, way: WayIn = "auto"
) -> Proposed:
    """Check a submission and send it under the account of the token.

    Raises: SubmissionError: it is not acceptable. HubError: there is no account, or the Hub refused.
    """
    _, submission = read_for_boards(predictions, meta, boards)
    me = who_am_i(api, "submitting")
    if way == "direct" or (way == "auto" and may_write(api, repos.submissions, me)):
        received = Intake(api, repos, boards, daily_limit=None).receive(predictions, meta, str(me["name"]), way="cli")
        url = f"{api.endpoint}/datasets/{repos.submissions.repo_id}/tree/main/{FOLDER}/{received.digest}"
        return Proposed(received.digest, received.status, url)
    folder = f"{FOLDER}/{submission.digest}"

    def build(tree: RemoteTree) -> tuple[list[LocalFile], list[str]]:
        if f"{folder}/{PREDICTIONS_FILE}" in tree.files and f"{folder}/{META_FILE}" in tree.files:
            return [], []
        return [
            LocalFile(f"{folder}/{PREDICTIONS_FILE}", predictions),
            LocalFile(f"{folder}/{META_FILE}", meta),
        ], []

    options = CommitOptions(create_pr=True)
    message = f"Submission {submission.digest[:12]}: {submission.meta.name}"
    done = commit_files(api, repos.submissions, build, message=message[:200], options=options)
    return Proposed(submission.digest, "proposed" if done.pr_url else "known", done.pr_url or done.url)


def open_request(api: HfApi, repos: BoardRepos, kind: str, submission: str, reason: str) -> str:
    """Ask in a discussion what this account may not do itself; return its address.

    Raises: HubError: the Hub refused. SubmissionError: there is no such submission, or only maintainers may do it.
    """
    if kind not in ("withdraw", "dispute"):
        raise SubmissionError("only maintainers may do that")
    digest = find_submission(list_submissions(read_tree(api, repos.submissions)), submission)
    name = repos.submissions.repo_id
    with hub_errors(f"open a discussion in {name}"):
        found = api.create_discussion(name, f"{kind} {digest}", repo_type="dataset", description=reason)
    return str(found.url)


def may_write(api: HfApi, ref: RepoRef, me: dict[str, object]) -> bool:
    """Return whether this account may write to a repo, or make it."""
    try:
        check_write(api, ref, me)
    except HubError:
        return False
    return True
