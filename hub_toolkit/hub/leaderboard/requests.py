"""What comes in by the Hub's own ways: pull requests with submissions, discussions that ask for something.

A pull request is never merged: it may change between the look and the merge. What was read and checked is committed,
and the pull request is closed with the receipt, or with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC
from typing import TYPE_CHECKING, Any

from hub_toolkit.errors import DataFormatError, SubmissionError
from hub_toolkit.hub.client import RepoRef, hub_errors
from hub_toolkit.hub.leaderboard.keeping import dispute_submission, withdraw_submission
from hub_toolkit.hub.leaderboard.store import (
    DAILY_LIMIT,
    FOLDER,
    BoardRepos,
    Outcome,
    Sent,
    check_account,
    find_submission,
    list_submissions,
    read_sent,
    send_submissions,
)
from hub_toolkit.hub.transfer.commit import RemoteTree, read_tree
from hub_toolkit.hub.transfer.pull_fetch import fetch_file
from hub_toolkit.leaderboard.board import Board
from hub_toolkit.leaderboard.boards import read_for_boards
from hub_toolkit.leaderboard.meta import MAX_META_BYTES, META_FILE
from hub_toolkit.leaderboard.plain_text import is_invisible
from hub_toolkit.leaderboard.rank import Receipt
from hub_toolkit.leaderboard.submission import PREDICTIONS_FILE, SubmissionLimits

if TYPE_CHECKING:
    from huggingface_hub import Discussion, HfApi

MAX_A_PASS = 50
_NOTHING_NEW = (
    f"It adds nothing to `{FOLDER}/` that is not in the repo already: a submission is received once, and what was "
    "received is never changed."
)
_REQUEST = re.compile(r"\s*(withdraw|dispute)\s+([0-9a-f]{6,64})\s*", re.I)


def take_pull_requests(
    api: HfApi, repos: BoardRepos, boards: Sequence[Board], *, daily_limit: int | None = DAILY_LIMIT
) -> list[str]:
    """Receive what the open pull requests add, all in one commit, and close each with the answer. Return a line each.

    Raises: HubError: the Hub cannot be reached or refused.
    """
    main = read_tree(api, repos.submissions)
    if main.sha is None:
        return []
    answers: dict[int, str] = {}
    sent: dict[int, Sent] = {}
    for found in _open_ones(api, repos.submissions, "pull_request"):
        tree = read_tree(api, RepoRef(repos.submissions.repo_id, "dataset", f"refs/pr/{found.num}"))
        new = sorted(path for path in tree.files if path.startswith(f"{FOLDER}/") and path not in main.files)
        if not new:
            answers[found.num] = _NOTHING_NEW
            continue
        try:
            sent[found.num] = _read_proposal(api, repos, boards, (tree, new), found)
        except (SubmissionError, DataFormatError) as error:
            answers[found.num] = _refusal(str(error))
    outcomes = send_submissions(api, repos, list(sent.values()), daily_limit=daily_limit) if sent else {}
    answers |= {number: _answer(one.digest, outcomes[one.digest]) for number, one in sent.items()}
    for number, text in sorted(answers.items()):
        _close(api, repos.submissions, number, text)
    return [f"pull request {number}: {' '.join(text.split())}" for number, text in sorted(answers.items())]


def _open_ones(api: HfApi, ref: RepoRef, kind: Any) -> list[Discussion]:
    """Return the open pull requests or discussions, the oldest first, no more than one pass takes."""
    with hub_errors(f"list what is open in {ref}"):
        found = list(
            api.get_repo_discussions(
                ref.repo_id, repo_type=ref.repo_type, discussion_type=kind, discussion_status="open"
            )
        )
    return sorted(found, key=lambda one: one.num)[:MAX_A_PASS]


def _read_proposal(
    api: HfApi, repos: BoardRepos, boards: Sequence[Board], added: tuple[RemoteTree, list[str]], found: Discussion
) -> Sent:
    """Read what a pull request adds, at the commit of the tree.

    Raises: SubmissionError: it adds more than one submission, something else, or one that is not acceptable.
    """
    tree, new = added
    folder = new[0].rpartition("/")[0]
    if new != [f"{folder}/{META_FILE}", f"{folder}/{PREDICTIONS_FILE}"]:
        raise SubmissionError(
            f"it adds {len(new)} files to {FOLDER}/, the first is {new[0][:100]!r}; add one folder with just "
            f"{META_FILE} and {PREDICTIONS_FILE}"
        )
    for name, limit in ((META_FILE, MAX_META_BYTES), (PREDICTIONS_FILE, SubmissionLimits().size_bytes)):
        size = tree.files[f"{folder}/{name}"].size
        if size > limit:
            raise SubmissionError(f"{name}: {size:,} bytes; at most {limit:,} are taken")
    predictions, meta = (
        fetch_file(api, repos.submissions, tree, f"{folder}/{name}").read_bytes()
        for name in (PREDICTIONS_FILE, META_FILE)
    )
    _, submission = read_for_boards(predictions, meta, boards)
    time = found.created_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Sent(submission.digest, predictions, meta, Receipt(check_account(found.author), time, "pull_request"))


def _answer(digest: str, outcome: Outcome) -> str:
    if outcome.status == "refused":
        return _refusal(outcome.message)
    was = "Received" if outcome.status == "received" else "It was received before"
    return f"{was} as `{digest}`, in `{FOLDER}/{digest}`. It is scored with the next pass."


def _refusal(message: str) -> str:
    """Return the answer to what was refused; the message quotes the submission, so that it stands in a code block."""
    return f"Not received:\n\n```\n{message.replace('`', chr(39))}\n```\n\nMend it, and open another pull request."


def _close(api: HfApi, ref: RepoRef, number: int, text: str) -> None:
    with hub_errors(f"close {number} of {ref}"):
        api.change_discussion_status(ref.repo_id, number, "closed", comment=text, repo_type=ref.repo_type)


def take_requests(api: HfApi, repos: BoardRepos) -> list[str]:
    """Do what open discussions titled `withdraw <digest>` or `dispute <digest>` ask, and close them.

    Only the account that sent a submission withdraws it; anybody may dispute. Returns a line each.
    Raises: HubError: the Hub cannot be reached or refused.
    """
    tree = read_tree(api, repos.submissions)
    if tree.sha is None:
        return []
    notes = []
    for found in _open_ones(api, repos.submissions, "discussion"):
        asked = _REQUEST.fullmatch(found.title)
        if asked is None:
            continue
        try:
            text = _fulfil(api, repos, tree, found, (asked[1].lower(), asked[2].lower()))
        except (SubmissionError, DataFormatError) as error:
            text = f"Not done:\n\n```\n{str(error).replace('`', chr(39))}\n```"
        _close(api, repos.submissions, found.num, text)
        notes.append(f"discussion {found.num}: {' '.join(text.split())}")
    return notes


def _fulfil(api: HfApi, repos: BoardRepos, tree: RemoteTree, found: Discussion, asked: tuple[str, str]) -> str:
    kind, name = asked
    digest = find_submission(list_submissions(tree), name)
    reason = _first_words(api, repos.submissions, found.num) or f"asked for in discussion {found.num}"
    if kind == "dispute":
        dispute_submission(api, repos, digest, who=found.author, reason=reason)
        return f"`{digest}` is marked as disputed; the log has it. A maintainer looks at it here."
    sender = read_sent(api, repos, tree, digest).receipt.submitter
    if sender.casefold() != found.author.casefold():
        raise SubmissionError(f"only {sender}, who sent it, withdraws it; others may dispute it")
    withdraw_submission(api, repos, digest, who=found.author, reason=reason)
    return f"`{digest}` has left the table; the log keeps that it was there."


def _first_words(api: HfApi, ref: RepoRef, number: int) -> str:
    """Return the text of a discussion as one line without markup."""
    with hub_errors(f"read discussion {number} of {ref}"):
        details = api.get_discussion_details(ref.repo_id, number, repo_type=ref.repo_type)
    text = next((str(getattr(event, "content", "")) for event in details.events if event.type == "comment"), "")
    return " ".join("".join(" " if char in "<>" or is_invisible(char) else char for char in text[:400]).split())
