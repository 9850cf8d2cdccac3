"""Submissions, the table and the public log as dataset repos; every write is one commit that loses nobody's work."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from hub_toolkit.errors import DataFormatError, SubmissionError
from hub_toolkit.hub.client import RepoRef, parse_repo
from hub_toolkit.hub.leaderboard.repo_cards import render_results_readme, render_submissions_readme
from hub_toolkit.hub.transfer.commit import CommitOptions, CommitResult, RemoteTree, commit_files, read_tree
from hub_toolkit.hub.transfer.pull_fetch import fetch_file
from hub_toolkit.hub.transfer.push_plan import LocalFile
from hub_toolkit.leaderboard.events import Event, add_events, describe_next_day
from hub_toolkit.leaderboard.meta import META_FILE
from hub_toolkit.leaderboard.rank import COLUMNS, Receipt, TableRow, decode_row, encode_row, rank_rows
from hub_toolkit.leaderboard.submission import PREDICTIONS_FILE

if TYPE_CHECKING:
    from huggingface_hub import HfApi

FOLDER = "submissions"
RECEIPTS = "receipts"
RECEIPT_FILE = "receipt.json"
TABLE_FILE = "data/leaderboard.jsonl"
LOG_FILE = "log/events.jsonl"
CARD_FILE = "README.md"
DAILY_LIMIT = 5
"""Submissions that one account may send on one day (UTC)."""

_ACCOUNT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,95}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class BoardRepos:
    """Where a board lives: what was sent, and what came of it."""

    submissions: RepoRef
    results: RepoRef

    @classmethod
    def of(cls, owner: str) -> BoardRepos:
        """Return the repos of an owner under their usual names. Raises: HubError: no owner's name."""
        return cls(parse_repo(f"{owner}/personamem-submissions"), parse_repo(f"{owner}/personamem-results"))


@dataclass(frozen=True)
class Sent:
    """A submission's files as they came, and who sent them."""

    digest: str
    predictions: bytes
    meta: bytes
    receipt: Receipt

    @property
    def folder(self) -> str:
        """Its place in the repo, named by its content."""
        return f"{FOLDER}/{self.digest}"


@dataclass(frozen=True)
class Outcome:
    """What became of one that was sent; `known` was there before, `message` says why one was refused."""

    status: Literal["received", "known", "refused"]
    message: str = ""


def check_account(name: str) -> str:
    """Return the name of an account, which becomes a part of a path.

    Raises: SubmissionError: it is none.
    """
    if not _ACCOUNT.fullmatch(name) or ".." in name:
        raise SubmissionError(f"{name[:60]!r} is no account's name; log in, and send it again")
    return name


def send_submissions(
    api: HfApi, repos: BoardRepos, sent: Sequence[Sent], *, daily_limit: int | None = DAILY_LIMIT
) -> dict[str, Outcome]:
    """Put submissions into the repo, all in one commit, and say by digest what became of each.

    One that is there already stays as it is, and counts against no limit. The limit is read from the very tree that
    the commit goes on, so that nobody gets past it by sending much at once.

    Raises: HubError: the Hub refused, and none was received.
    """
    outcomes: dict[str, Outcome] = {}

    def build(tree: RemoteTree) -> tuple[list[LocalFile], list[str]]:
        outcomes.clear()
        counts = _count_receipts(tree)
        files = [] if CARD_FILE in tree.files else [LocalFile(CARD_FILE, render_submissions_readme(repos.results))]
        for one in sent:
            if one.digest in outcomes:
                continue
            outcomes[one.digest] = _settle(one, tree, counts, daily_limit)
            if outcomes[one.digest].status == "received":
                files += _files_of(one)
        return files, []

    names = ", ".join(one.digest[:12] for one in sent)
    commit_files(api, repos.submissions, build, message=f"Submissions: {names}"[:200], options=_OPEN)
    return dict(outcomes)


def _settle(one: Sent, tree: RemoteTree, counts: Counter[tuple[str, str]], daily_limit: int | None) -> Outcome:
    if f"{one.folder}/{RECEIPT_FILE}" in tree.files:
        return Outcome("known")
    key = _day_key(one.receipt)
    if daily_limit is not None and counts[key] >= daily_limit:
        return Outcome(
            "refused",
            f"{one.receipt.submitter} has sent {counts[key]} submissions on {one.receipt.time[:10]} (UTC), and "
            f"{daily_limit} a day are taken; send it again after {describe_next_day(one.receipt.time)}",
        )
    counts[key] += 1
    return Outcome("received")


def _day_key(receipt: Receipt) -> tuple[str, str]:
    return receipt.time[:10], receipt.submitter.casefold()


def _count_receipts(tree: RemoteTree) -> Counter[tuple[str, str]]:
    """Return how many each account sent on each day: a file each, so that a listing tells it."""
    parts = (path.split("/") for path in tree.files if path.startswith(f"{RECEIPTS}/"))
    return Counter((part[1], part[2].casefold()) for part in parts if len(part) == 4)


def _files_of(one: Sent) -> list[LocalFile]:
    receipt = json.dumps(asdict(one.receipt), ensure_ascii=False, sort_keys=True).encode() + b"\n"
    return [
        LocalFile(f"{one.folder}/{PREDICTIONS_FILE}", one.predictions),
        LocalFile(f"{one.folder}/{META_FILE}", one.meta),
        LocalFile(f"{one.folder}/{RECEIPT_FILE}", receipt),
        LocalFile(f"{RECEIPTS}/{one.receipt.time[:10]}/{check_account(one.receipt.submitter)}/{one.digest}", receipt),
    ]


def list_submissions(tree: RemoteTree) -> list[str]:
    """Return the digests of all submissions in the repo."""
    suffix = f"/{RECEIPT_FILE}"
    names = (p.split("/")[1] for p in tree.files if p.startswith(f"{FOLDER}/") and p.endswith(suffix))
    return sorted(name for name in names if _DIGEST.fullmatch(name))


def find_submission(digests: Iterable[str], name: str) -> str:
    """Return the digest that a name of at least 6 digits begins.

    Raises: SubmissionError: none does, or several do.
    """
    found = sorted({digest for digest in digests if len(name) >= 6 and digest.startswith(name)})
    if len(found) != 1:
        what = "names several submissions" if found else "names no submission here"
        raise SubmissionError(f"{name[:64]!r} {what}; give its digest, as `personamem leaderboard show` prints it")
    return found[0]


def read_sent(api: HfApi, repos: BoardRepos, tree: RemoteTree, digest: str) -> Sent:
    """Read one submission's files at a commit.

    Raises: HubError: it cannot be had. DataFormatError: a file is missing, or its receipt is broken.
    """
    folder = f"{FOLDER}/{digest}"
    names = (PREDICTIONS_FILE, META_FILE, RECEIPT_FILE)
    missing = [name for name in names if f"{folder}/{name}" not in tree.files]
    if missing:
        raise DataFormatError("is missing", file=f"{folder}/{missing[0]}")
    parts = {name: fetch_file(api, repos.submissions, tree, f"{folder}/{name}").read_bytes() for name in names}
    try:
        receipt = Receipt(**json.loads(parts[RECEIPT_FILE]))
    except (ValueError, TypeError) as error:
        raise DataFormatError(f"no receipt ({error})", file=f"{folder}/{RECEIPT_FILE}") from None
    return Sent(digest, parts[PREDICTIONS_FILE], parts[META_FILE], receipt)


Change = Callable[[list[TableRow], list[Event]], tuple[list[TableRow], list[Event]]]
"""From table and log to the new table and the events that say why."""


def change_table(api: HfApi, repos: BoardRepos, change: Change, *, message: str) -> CommitResult:
    """Change table and log in one commit; called again on the newer table where somebody was faster.

    Raises: HubError: the Hub refused. DataFormatError: table or log in the repo are broken.
    """

    def build(tree: RemoteTree) -> tuple[list[LocalFile], list[str]]:
        table, log = _read_both(api, repos, tree)
        rows, events = change(table, log)
        is_stated = _states_columns(api, repos, tree)
        files = [] if is_stated else [LocalFile(CARD_FILE, render_results_readme(repos.submissions))]
        encoded = [encode_row(row) for row in rank_rows(rows)]
        return [*files, _lines_file(TABLE_FILE, encoded), _lines_file(LOG_FILE, add_events(log, events))], []

    return commit_files(api, repos.results, build, message=message[:200], options=_OPEN)


def _states_columns(api: HfApi, repos: BoardRepos, tree: RemoteTree) -> bool:
    """Whether the results' card names every column: `load_dataset` refuses a table that has others."""
    if CARD_FILE not in tree.files:
        return False
    lines = set(fetch_file(api, repos.results, tree, CARD_FILE).read_text("utf-8").split("\n"))
    return all(f"  - name: {name}" in lines for name in COLUMNS)


def read_results(api: HfApi, repos: BoardRepos) -> tuple[RemoteTree, list[TableRow], list[Event]]:
    """Return the results' commit, the table and the log as they stand; both are empty where there is no repo yet.

    Raises: HubError: they cannot be had. DataFormatError: table or log in the repo are broken.
    """
    tree = read_tree(api, repos.results)
    return (tree, *_read_both(api, repos, tree)) if tree.sha is not None else (tree, [], [])


def _read_both(api: HfApi, repos: BoardRepos, tree: RemoteTree) -> tuple[list[TableRow], list[Event]]:
    lines = read_lines(api, repos.results, tree, TABLE_FILE)
    try:
        table = [decode_row(line) for line in lines]
    except ValueError as error:
        raise DataFormatError(f"a row is broken ({error})", file=f"{repos.results.repo_id}/{TABLE_FILE}") from None
    return table, read_lines(api, repos.results, tree, LOG_FILE)


def read_lines(api: HfApi, ref: RepoRef, tree: RemoteTree, path: str) -> list[dict[str, Any]]:
    """Return the objects of a JSON Lines file of a repo; none where it is not there.

    Raises: DataFormatError: a line is no JSON object.
    """
    if path not in tree.files:
        return []
    rows = []
    for number, line in enumerate(fetch_file(api, ref, tree, path).read_text("utf-8").split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict):
            raise DataFormatError(
                "is no JSON object; mend the file in the repo", file=f"{ref.repo_id}/{path}", row=number
            )
        rows.append(row)
    return rows


def _lines_file(path: str, rows: Iterable[dict[str, Any]]) -> LocalFile:
    return LocalFile(
        path, "".join(f"{json.dumps(row, ensure_ascii=False, allow_nan=False)}\n" for row in rows).encode()
    )


_OPEN = CommitOptions(is_private=False)
