"""The cards of a leaderboard's two repos; that of the results fixes the schema of the table."""

from __future__ import annotations

from typing import Any

from hub_toolkit.hub.cards.card_template import fill_template
from hub_toolkit.hub.client import RepoRef
from hub_toolkit.leaderboard.rank import COLUMNS

_EVENT = ("time", "submission", "kind", "who", "reason")


def render_submissions_readme(results: RepoRef) -> bytes:
    """Return the card of the repo of submissions; it is no dataset to load, so it names one config of receipts."""
    front = {
        "pretty_name": "PersonaMem submissions",
        "tags": ["personamem-submissions"],
        "configs": [{"config_name": "receipts", "data_files": "submissions/*/receipt.json"}],
    }
    return _fill("submissions_card", front, results=results.repo_id)


def render_results_readme(submissions: RepoRef) -> bytes:
    """Return the card of the repo of results, with the type of every column."""
    front = {
        "pretty_name": "PersonaMem leaderboard",
        "tags": ["personamem-results", "leaderboard"],
        "configs": [
            {"config_name": "leaderboard", "data_files": "data/leaderboard.jsonl", "default": True},
            {"config_name": "log", "data_files": "log/events.jsonl"},
        ],
        "dataset_info": [
            {"config_name": "leaderboard", "features": [_feature(name, kind) for name, kind in COLUMNS.items()]},
            {"config_name": "log", "features": [_feature(name, "string") for name in _EVENT]},
        ],
    }
    return _fill("leaderboard_card", front, submissions=submissions.repo_id)


def _feature(name: str, kind: str) -> dict[str, str]:
    return {"name": name, "list": "string"} if kind == "list" else {"name": name, "dtype": kind}


def _fill(template: str, front: dict[str, Any], **values: str) -> bytes:
    import yaml

    text = yaml.safe_dump(front, sort_keys=False, allow_unicode=True, width=120).strip()
    return fill_template(template, front_matter=text, **values).encode()
