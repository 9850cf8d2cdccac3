"""The table for readers: from the Hub, else the last good copy with its age; never anything else."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub_toolkit.errors import DataFormatError, HubError
from hub_toolkit.hub.leaderboard.store import BoardRepos, list_submissions, read_results
from hub_toolkit.hub.leaderboard.worker import settled
from hub_toolkit.hub.transfer.commit import read_tree
from hub_toolkit.hub.transfer.pull_fetch import endpoint_key, write_json
from hub_toolkit.leaderboard.events import Event
from hub_toolkit.leaderboard.rank import TableRow

if TYPE_CHECKING:
    from huggingface_hub import HfApi


@dataclass(frozen=True)
class LoadedTable:
    """The table as it was `age_s` seconds ago; None where it was never seen.

    `is_live`: it was read from the Hub by this call; else `error` says why not. `num_waiting` counts submissions that
    are not scored yet. `sha` is the commit of the results.
    """

    rows: list[TableRow]
    log: list[Event]
    age_s: float | None
    is_live: bool
    error: str | None = None
    num_waiting: int = 0
    sha: str | None = None


def load_table(api: HfApi, repos: BoardRepos, cache_dir: Path) -> LoadedTable:
    """Read the table from the Hub and keep a copy; where that fails, return the last good copy and say so."""
    place = cache_dir / "leaderboard" / endpoint_key(api.endpoint) / f"{repos.results.repo_id}.json"
    try:
        table = _read(api, repos)
    except (HubError, DataFormatError) as error:
        return _load_copy(place, str(error))
    try:
        write_json(place, {"time_s": time.time(), "table": asdict(table)})
    except OSError as error:
        return LoadedTable(**{**vars(table), "error": f"no copy could be kept ({error.strerror})"})
    return table


def _read(api: HfApi, repos: BoardRepos) -> LoadedTable:
    tree, rows, log = read_results(api, repos)
    sent = list_submissions(read_tree(api, repos.submissions))
    num_waiting = len(set(sent) - settled(rows, log))
    return LoadedTable(rows, log, 0.0, is_live=True, num_waiting=num_waiting, sha=tree.sha)


def _load_copy(place: Path, error: str) -> LoadedTable:
    try:
        record: dict[str, Any] = json.loads(place.read_text("utf-8"))
        table = LoadedTable(**record["table"])
        age_s = max(0.0, time.time() - float(record["time_s"]))
    except (OSError, ValueError, KeyError, TypeError):
        return LoadedTable([], [], None, is_live=False, error=error)
    return LoadedTable(**{**vars(table), "age_s": age_s, "is_live": False, "error": error})
