"""Several boards beside each other: a submission is scored on the one that it answers."""

from __future__ import annotations

from collections.abc import Sequence

from hub_toolkit.errors import SubmissionError
from hub_toolkit.leaderboard.board import Board
from hub_toolkit.leaderboard.meta import SubmissionMeta, parse_meta
from hub_toolkit.leaderboard.submission import Submission, SubmissionLimits, check_board, read_submission


def read_for_boards(
    predictions: bytes, meta: bytes, boards: Sequence[Board], *, limits: SubmissionLimits | None = None
) -> tuple[Board, Submission]:
    """Read and check a submission to one of the boards, and return that board too.

    Raises: SubmissionError: it is not acceptable as it is, or answers none of the boards.
    """
    board = pick_board(parse_meta(meta), boards)
    return board, read_submission(predictions, meta, board, limits=limits)


def pick_board(meta: SubmissionMeta, boards: Sequence[Board]) -> Board:
    """Return the board that a submission is for.

    Raises: SubmissionError: none of them; the message compares it with the nearest.
    """
    for board in boards:
        if _key(board) == (meta.dataset, meta.dataset_revision, meta.split, meta.protocol):
            return board
    nearest = max(boards, key=lambda board: (board.dataset == meta.dataset, board.protocol.name == meta.protocol))
    check_board(meta, nearest)
    raise SubmissionError("meta.yaml: there is no board of this dataset, revision, split and protocol")


def find_board(column: str, boards: Sequence[Board]) -> Board:
    """Return the board of a row's column.

    Raises: SubmissionError: there is none.
    """
    for board in boards:
        if board.column == column:
            return board
    raise SubmissionError(f"the row is of the board {column}, which is not open here; name its dataset with --data")


def _key(board: Board) -> tuple[str, str, str, str]:
    return board.dataset, board.revision, board.split, board.protocol.name
