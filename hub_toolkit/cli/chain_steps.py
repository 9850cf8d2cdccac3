"""The steps of `personamem generate chain`; each finds what an earlier call left and does the rest."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from hub_toolkit.answer.readers import Reader
from hub_toolkit.cli.rehearsal_board import set_up_lexical
from hub_toolkit.data.parse import load_samples, split_path
from hub_toolkit.data.schema import SPLITS
from hub_toolkit.errors import DataFormatError, HubError
from hub_toolkit.evaluate.plan import EvalConfig
from hub_toolkit.evaluate.run import run_evaluation
from hub_toolkit.evaluate.run_setup import MEMORIES_FOLDER
from hub_toolkit.generate.config import SimulatorConfig
from hub_toolkit.generate.simulator import SimulationReport, simulate
from hub_toolkit.hub.client import RepoRef, connect, parse_repo
from hub_toolkit.hub.deploy.space_rights import who_am_i
from hub_toolkit.hub.layout.layout import SPLIT_OF
from hub_toolkit.hub.leaderboard.proposal import submit_files
from hub_toolkit.hub.leaderboard.store import BoardRepos, read_results
from hub_toolkit.hub.leaderboard.worker import process_pending
from hub_toolkit.hub.transfer.dataset_io import PushOptions, push_dataset
from hub_toolkit.hub.transfer.pull import open_dataset
from hub_toolkit.leaderboard.board import Board, open_board
from hub_toolkit.leaderboard.export import export_run
from hub_toolkit.leaderboard.rank import TableRow
from hub_toolkit.settings import Settings

REPO_NAME = "personamem-simulated"
LICENCE = "apache-2.0"
QUESTIONS_CONFIG = "questions"
READERS: tuple[Reader, ...] = ("none", "memory")
"""The control first: the memory's submission carries its replies."""

NAMES = {"none": "word overlap, no history", "memory": "word overlap, extractive memory"}


@dataclass(frozen=True)
class Runs:
    """The evaluations' folders by reader, and how many memories were built."""

    folders: dict[str, Path]
    num_memories: int


@dataclass(frozen=True)
class Published:
    """A commit of the dataset, pulled: its folder, and the board on it."""

    folder: Path
    board: Board


@dataclass
class Chain:
    """One dataset on its way; `owner` None: the account's own repos."""

    config: SimulatorConfig
    out: Path
    settings: Settings
    owner: str | None

    def __post_init__(self) -> None:
        self.api = connect(self.settings)
        self.owner = self.owner or str(who_am_i(self.api, "publishing the dataset")["name"])
        self.ref: RepoRef = parse_repo(f"{self.owner}/{REPO_NAME}-{self.config.digest}")
        self.repos = BoardRepos.of(self.owner)
        self._boards: dict[str, Published] = {}

    @property
    def dataset(self) -> Path:
        """Where the simulator writes."""
        return self.out / "dataset"

    def simulate(self) -> SimulationReport:
        """Write the dataset, or what is left of it."""
        return simulate(self.config, self.dataset)

    def push(self) -> str:
        """Publish the dataset and return its commit; when all is there already, the commit that holds it."""
        options = PushOptions(is_dry_run=False, is_private=False, license=LICENCE)
        report = push_dataset(self.dataset, self.ref, self.settings, options)
        if report.result is None:
            raise HubError(f"{self.ref}: nothing was published")
        return report.result.sha

    def load(self, sha: str) -> int:
        """Load the questions as anybody would, compare them with the simulated ones, and return their number.

        Raises: DataFormatError: they are not the same.
        """
        from datasets import disable_progress_bars, load_dataset

        disable_progress_bars()
        found: Counter[tuple[str, ...]] = Counter()
        for split, rows in load_dataset(self.ref.repo_id, QUESTIONS_CONFIG, revision=sha).items():
            for row in rows:
                options = (row["correct_answer"], *row["incorrect_answers"])
                found[(SPLIT_OF[split], row["sample_id"], row["user_query"]["content"], *options)] += 1
        lost = self._simulated() - found
        if lost or found.total() != self._simulated().total():
            raise DataFormatError(
                f"{found.total()} questions were loaded, and {lost.total()} of those simulated are not among them; "
                f"delete {self.dataset} or the repo {self.ref.repo_id}, and run it again"
            )
        return found.total()

    def _simulated(self) -> Counter[tuple[str, ...]]:
        return Counter(
            (split, sample.sample_id, sample.user_query.text, sample.correct_answer, *sample.incorrect_answers)
            for split in SPLITS
            if split_path(self.dataset, split).is_file()
            for sample in load_samples(self.dataset, split)
        )

    def board(self, sha: str) -> Published:
        """Return the published commit as a folder and as a board."""
        if sha not in self._boards:
            folder = open_dataset(f"hf://datasets/{self.ref.repo_id}@{sha}", self.settings)
            self._boards[sha] = Published(folder, open_board(str(folder), dataset=self.ref.repo_id, revision=sha))
        return self._boards[sha]

    def evaluate(self, sha: str) -> Runs:
        """Build the memories of the published dataset's owners, and ask its benchmark with them and without."""
        board = self.board(sha)
        folders: dict[str, Path] = {}
        for reader in READERS:
            config = EvalConfig(
                self.ref.repo_id, dataset_revision=sha, reader=reader, is_counterfactual=reader != "none"
            )
            setup = set_up_lexical(config, board.folder)
            folders[reader] = self.out / "runs" / reader
            asyncio.run(run_evaluation(setup, folders[reader]))
        return Runs(folders, sum(1 for _ in (folders["memory"] / MEMORIES_FOLDER).rglob("*.json")))

    def submit(self, sha: str, runs: Runs) -> list[str]:
        """Send the runs to the leaderboard, let the worker score them, and return the submissions' digests."""
        board = self.board(sha).board
        digests = []
        for reader, folder in runs.folders.items():
            said = {"name": NAMES[reader], "licence": LICENCE, "contact": "personamem generate chain", "cost_usd": 0}
            no_context = runs.folders["none"] if reader != "none" else None
            files = export_run(folder, board, {**said, "parameters_b": 0}, no_context=no_context)
            digests.append(submit_files(self.api, self.repos, [board], *files, way="direct").digest)
        while process_pending(self.api, self.repos, board).scored:
            pass
        return digests

    def table(self, digests: list[str]) -> list[TableRow]:
        """Return these submissions' rows as they stand in the published table.

        Raises: HubError: one is not in it.
        """
        _, table, log = read_results(self.api, self.repos)
        rows = [row for row in table if row["submission"] in digests]
        missing = set(digests) - {row["submission"] for row in rows}
        if missing:
            said = [event["reason"] for event in log if event["submission"] in missing]
            raise HubError(f"{self.repos.results}: {len(missing)} submissions are not in the table: {said}")
        return rows
