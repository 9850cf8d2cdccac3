"""What the commands of `personamem leaderboard` share: which board, which repos, which account."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hub_toolkit.errors import DataFormatError
from hub_toolkit.hub.client import RepoRef, connect, parse_repo, require_packages
from hub_toolkit.leaderboard.board import Board, open_board
from hub_toolkit.settings import Settings, load_settings

if TYPE_CHECKING:
    from huggingface_hub import HfApi

    from hub_toolkit.hub.leaderboard.store import BoardRepos

OWNER = "personamem"
PACKAGES = ("huggingface_hub", "yaml")
Command = TypeVar("Command", bound=Callable[..., Any])
file_path = click.Path(path_type=Path, dir_okay=False)
run_path = click.Path(path_type=Path, file_okay=False)


def data_option(command: Command) -> Command:
    """Add the option that names the dataset of the board."""
    return click.option(
        "--data",
        default="mini",
        show_default=True,
        help="The board's dataset: `mini`, or hf://owner/name@revision; a folder with --dataset.",
    )(
        click.option(
            "--dataset", metavar="OWNER/NAME@COMMIT", help="What a folder given as --data was downloaded from."
        )(click.option("--protocol", default="v1", show_default=True, help="The board's protocol.")(command))
    )


def repos_option(command: Command) -> Command:
    """Add the options that name the two repos of the board."""
    return click.option(
        "--owner", default=OWNER, show_default=True, help="Owner of personamem-submissions and personamem-results."
    )(
        click.option("--submissions", metavar="OWNER/NAME", help="The repo of submissions, where it is another.")(
            click.option("--results", metavar="OWNER/NAME", help="The repo of results, where it is another.")(command)
        )
    )


def take_board(options: dict[str, Any]) -> Board:
    """Open the board that `--data`, `--dataset` and `--protocol` name, and take them out of the options.

    Raises: DataFormatError, HubError: there is none. UsageError: a folder does not say what it holds.
    """
    data, dataset, protocol = (options.pop(name) for name in ("data", "dataset", "protocol"))
    if data == "mini":
        return open_board("mini", name=protocol)
    if data.startswith("hf://"):
        from hub_toolkit.hub.client import resolve_revision
        from hub_toolkit.hub.transfer.pull import open_dataset

        settings = load_settings()
        ref = parse_repo(data)
        sha = resolve_revision(connect(settings), ref)
        folder = open_dataset(f"hf://datasets/{ref.repo_id}@{sha}", settings)
        return open_board(str(folder), dataset=ref.repo_id, revision=sha, name=protocol)
    if dataset is None:
        raise click.UsageError(f"--data {data} is a folder: say with --dataset OWNER/NAME@COMMIT what it holds")
    ref = parse_repo(dataset)
    if ref.revision is None:
        raise DataFormatError(f"{dataset} names no commit; write {ref.repo_id}@COMMIT")
    return open_board(data, dataset=ref.repo_id, revision=ref.revision, name=protocol)


def take_repos(options: dict[str, Any]) -> BoardRepos:
    """Return the repos that the options name, and take them out of the options. Raises: HubError: no repo's name."""
    require_packages(*PACKAGES)
    from hub_toolkit.hub.leaderboard.store import BoardRepos

    usual = BoardRepos.of(options.pop("owner"))
    submissions, results = options.pop("submissions"), options.pop("results")
    return BoardRepos(_repo(submissions, usual.submissions), _repo(results, usual.results))


def _repo(name: str | None, usual: RepoRef) -> RepoRef:
    return parse_repo(name) if name else usual


def open_hub() -> tuple[HfApi, Settings]:
    """Return the Hub's client and the settings. Raises: PersonaMemError: a package is missing."""
    require_packages(*PACKAGES)
    settings = load_settings()
    return connect(settings), settings
