"""What became of a submission, as the public table and log tell it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hub_toolkit.errors import HubError, SubmissionError
from hub_toolkit.leaderboard.events import Event
from hub_toolkit.leaderboard.rank import TableRow
from personamem_ui.board_render import is_digest
from personamem_ui.board_source import BoardSource

StatusName = Literal["scored", "pending_judges", "disputed", "waiting", "refused", "withdrawn", "unknown"]


@dataclass(frozen=True)
class SubmissionStatus:
    """`waiting`: received and not scored yet. `reason` says why one was refused or withdrawn."""

    digest: str
    status: StatusName
    reason: str = ""
    row: TableRow | None = None
    log: tuple[Event, ...] = ()


def find_status(source: BoardSource, digest: str) -> SubmissionStatus:
    """Return what became of a submission; its digest may be shortened to 8 digits once it is in the table or the log.

    Raises: SubmissionError: no digest. HubError: the table cannot be read, and there is no earlier copy.
    """
    digest = digest.strip().lower()
    if not is_digest(digest):
        raise SubmissionError(
            f"{digest[:70]!r} is no digest; write the 64 digits of the receipt, or the first 8 or more"
        )
    snapshot = source.refresh()
    if snapshot.age_s is None:
        raise HubError(snapshot.error or "the table cannot be read")
    row = snapshot.find(digest)
    known = {event["submission"] for event in snapshot.log if event["submission"].startswith(digest)}
    if row is None and len(known) > 1:
        raise SubmissionError(f"{digest} begins several digests; write more of it")
    full = row["submission"] if row is not None else (known.pop() if known else digest)
    log = tuple(snapshot.events(full))
    if row is not None:
        return SubmissionStatus(full, row["status"], row=row, log=log)
    for event in reversed(log):
        if event["kind"] in ("refused", "withdrawn"):
            return SubmissionStatus(full, event["kind"], str(event.get("reason") or ""), log=log)
    is_received = bool(log) or (len(full) == 64 and source.is_received(full))
    return SubmissionStatus(full, "waiting" if is_received else "unknown", log=log)
