"""A row of the table as an evaluation result of its model: a pull request to the model's repo, for its owner."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub_toolkit.errors import SubmissionError
from hub_toolkit.hub.checkpoints.checkpoint_record import EvalEntry, Pin
from hub_toolkit.hub.checkpoints.eval_results import render_eval_results
from hub_toolkit.hub.client import parse_repo
from hub_toolkit.hub.leaderboard.store import TABLE_FILE, BoardRepos, find_submission, read_results
from hub_toolkit.hub.transfer.commit import CommitOptions, CommitResult, RemoteTree, commit_files
from hub_toolkit.hub.transfer.push_plan import LocalFile
from hub_toolkit.leaderboard.rank import TableRow

if TYPE_CHECKING:
    from huggingface_hub import HfApi

_PERCENT = 100


def export_row(api: HfApi, repos: BoardRepos, name: str, model_repo: str) -> CommitResult:
    """Propose a row to the model's repo as `.eval_results/personamem-<digest>.yaml`; proposed again, it is found.

    Raises: SubmissionError: there is no such row, it has no score, is disputed, or is of another model. HubError.
    """
    ref = parse_repo(model_repo, repo_type="model")
    tree, table, _ = read_results(api, repos)
    digest = find_submission([row["submission"] for row in table], name)
    row = next(row for row in table if row["submission"] == digest)
    _check_row(row, ref.repo_id)
    url = f"{api.endpoint}/datasets/{repos.results.repo_id}/blob/{tree.sha}/{TABLE_FILE}"
    path = f".eval_results/personamem-{digest[:12]}.yaml"
    content = render_eval_results([entry_of(row, url)])
    assert content is not None

    def build(_: RemoteTree) -> tuple[list[LocalFile], list[str]]:
        return [LocalFile(path, content)], []

    message = f"PersonaMem result {digest[:12]}"
    return commit_files(api, ref, build, message=message, options=CommitOptions(create_pr=True))


def _check_row(row: TableRow, repo_id: str) -> None:
    for is_wrong, message in (
        (row["model"] != repo_id, f"is of {row['model']}, not of {repo_id}"),
        (row["accuracy"] is None, "has no score yet"),
        (row["dispute"] is not None, "is disputed; settle that first"),
        ("/" not in row["dataset"], f"is on {row['dataset']}, which is no repo of the Hub"),
    ):
        if is_wrong:
            raise SubmissionError(f"{row['submission'][:12]} {message}")


def entry_of(row: TableRow, url: str) -> EvalEntry:
    """Return a row as the Hub's evaluation result, in percent, with what its number depends on."""
    parts = [f"protocol {row['protocol']}", f"context {row['context']}", f"tier {row['tier']}", row["harness"]]
    if row["accuracy_low"] is not None:
        low, high = (_PERCENT * row[name] for name in ("accuracy_low", "accuracy_high"))
        parts.append(f"95 % interval {low:.2f} to {high:.2f}")
    if row["judges"]:
        parts.append(f"judged by {row['judges']}")
    parts.append(f"model revision {row['revision']}, submission {row['submission']}")
    return EvalEntry(
        dataset=Pin(row["dataset"], row["dataset_revision"]),
        task_id=f"{row['task']}_{row['context']}",
        value=round(_PERCENT * row["accuracy"], 2),
        notes="; ".join(parts),
        date=row["time"][:10],
        source_url=url,
    )
