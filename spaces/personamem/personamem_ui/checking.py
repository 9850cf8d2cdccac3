"""Everything that is wrong about a submission, not only the first thing; and the files of one, read within limits."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path

from hub_toolkit.errors import HubError, SubmissionError
from hub_toolkit.hub.client import hub_errors, parse_repo
from hub_toolkit.hub.transfer.commit import read_tree
from hub_toolkit.leaderboard.board import Board
from hub_toolkit.leaderboard.boards import pick_board, read_for_boards
from hub_toolkit.leaderboard.meta import MAX_META_BYTES, parse_meta
from hub_toolkit.leaderboard.submission import PREDICTIONS_FILE, SubmissionLimits, check_form, read_line
from hub_toolkit.settings import Settings

MAX_PROBLEMS = 20
PAGE_LIMITS = SubmissionLimits(size_bytes=16 * 2**20)
"""What the page takes; larger files go by the command line or as a pull request."""

_PATH = re.compile(r"[\w .@+-]{1,100}(?:/[\w .@+-]{1,100}){0,9}")
_REVISION = re.compile(r"[\w./-]{1,100}", re.ASCII)


def list_problems(predictions: bytes, meta: bytes, boards: tuple[Board, ...]) -> list[str]:
    """Return what is wrong, at most `MAX_PROBLEMS`; none where the submission is acceptable."""
    try:
        read_for_boards(predictions, meta, boards, limits=PAGE_LIMITS)
    except SubmissionError as error:
        first = str(error)
    else:
        return []
    problems, board = [], boards[0]
    try:
        board = pick_board(parse_meta(meta), boards)
    except SubmissionError as error:
        problems.append(str(error))
    try:
        check_form(predictions)
    except SubmissionError as error:
        return [*problems, str(error)]
    if len(predictions) <= PAGE_LIMITS.size_bytes:
        problems += _line_problems(predictions, board, MAX_PROBLEMS - len(problems))
    return problems or [first]


def _line_problems(data: bytes, board: Board, room: int) -> list[str]:
    """Read each line alone, so that one mistake hides no other; then look at what all lines together leave out."""
    problems: list[str] = []
    lines: dict[str, int] = {}
    num_blank = 0
    for number, raw in enumerate(io.BytesIO(data), 1):
        if len(problems) >= room or num_blank > len(board.by_id) + 1:
            break
        if not raw.strip():
            num_blank += 1
            continue
        name = _name_of(raw)
        problem = _line_problem(raw, number, board)
        if problem is None and name in lines:
            problem = f"line {number}: {name} was answered in line {lines[name]} already; keep one line a question"
            problem = f"{PREDICTIONS_FILE}, {problem}"
        if name in board.by_id:
            lines.setdefault(name, number)
        problems += [problem] if problem else []
    missing = [name for name in board.by_id if name not in lines]
    if missing and len(problems) < room:
        problems.append(
            f"{PREDICTIONS_FILE}: {len(missing):,} of {len(board.by_id):,} questions have no line, the first is "
            f"{missing[0]}; a question without a reply needs a line too: output null, and the error"
        )
    return problems


def _line_problem(line: bytes, number: int, board: Board) -> str | None:
    try:
        read_line(line, number, board, PAGE_LIMITS)
    except SubmissionError as error:
        return str(error)
    return None


def _name_of(raw: bytes) -> str:
    """Return the id that a line names, without judging the line."""
    if len(raw) > 4 * PAGE_LIMITS.line_chars:
        return ""
    try:
        line = json.loads(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return ""
    name = line.get("sample_id") if isinstance(line, dict) else None
    return name if isinstance(name, str) else ""


def read_upload(file: str | None, *, name: str, max_bytes: int) -> bytes:
    """Read an uploaded file and delete it.

    Raises: SubmissionError: there is none, or it is too large.
    """
    if not file:
        raise SubmissionError(f"{name}: no file was chosen; upload it, or name one on the Hub")
    path = Path(file)
    try:
        size = path.stat().st_size
        if size > max_bytes:
            raise SubmissionError(f"{name}: {size:,} bytes; at most {max_bytes:,} are taken here")
        return path.read_bytes()
    except OSError as error:
        raise SubmissionError(f"{name}: the upload is gone ({error.strerror}); choose the file again") from None
    finally:
        path.unlink(missing_ok=True)


def fetch_public_files(settings: Settings, repo: str, revision: str, paths: tuple[str, str]) -> tuple[bytes, bytes]:
    """Fetch predictions and meta from a public dataset repo of the Hub, by name alone and without any token.

    This page's own token is never used: it could read what the visitor may not.

    Raises: SubmissionError: a path or revision that is none, or a file that is too large. HubError: it cannot be had.
    """
    from huggingface_hub import HfApi

    if "://" in repo:
        raise SubmissionError("write the repo as owner/name; addresses are not followed")
    if revision and not _REVISION.fullmatch(revision):
        raise SubmissionError(f"{revision[:60]!r} is no revision; write a branch, a tag or a commit")
    ref = replace(parse_repo(repo), revision=revision or None)
    api = HfApi(endpoint=settings.hub_endpoint, token=False, library_name="personamem")
    tree = read_tree(api, ref)
    if tree.sha is None:
        raise HubError(f"cannot read {ref}: there is no such public dataset repo; check owner and name")
    caps = (PAGE_LIMITS.size_bytes, MAX_META_BYTES)
    found = []
    for path, cap in zip(paths, caps, strict=True):
        if not _PATH.fullmatch(path) or ".." in path:
            raise SubmissionError(f"{path[:80]!r} is no path inside a repo; write it like runs/{PREDICTIONS_FILE}")
        remote = tree.files.get(path)
        if remote is None:
            raise SubmissionError(f"{ref} has no file {path} at commit {tree.sha[:12]}; check the path")
        if remote.size > cap:
            raise SubmissionError(f"{path}: {remote.size:,} bytes; at most {cap:,} are taken here")
        found.append(_download(api, ref.repo_id, path, tree.sha, cap))
    return found[0], found[1]


def _download(api: object, repo_id: str, path: str, sha: str, cap: int) -> bytes:
    import tempfile

    with tempfile.TemporaryDirectory(prefix="personamem-fetch-") as folder, hub_errors(f"read {path} of {repo_id}"):
        place = Path(
            api.hf_hub_download(repo_id, path, repo_type="dataset", revision=sha, local_dir=folder)  # type: ignore[attr-defined]
        )
        if place.stat().st_size > cap:
            raise SubmissionError(f"{path}: more than {cap:,} bytes")
        return place.read_bytes()
