"""Forty submitters at once, while page and workers are killed at random moments: forty rows, none lost, none twice."""

from __future__ import annotations

import importlib.util
import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import require_extra
from tests.hub_server import HubServer
from tests.leaderboard_factory import make_repos, mini_board

for _name in ("huggingface_hub", "datasets"):
    require_extra("rehearse", importlib.util.find_spec(_name) is not None, f"{_name} is not installed")

NUM_SUBMITTERS = 40
NUM_PAGE_KILLS, NUM_WORKER_KILLS = 3, 8
TIME_S = 120
ROOT = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).with_name("mortal_leaderboard.py")
NAME = "many"


class Play:
    """Starts the mortal parts, and kills them."""

    def __init__(self, hub: HubServer, folder: Path) -> None:
        self.hub, self.folder = hub, folder
        self.env = {**os.environ, "PYTHONPATH": str(ROOT), "HF_ENDPOINT": hub.url}
        self.acknowledged_file = folder / "acknowledged"
        self.children: list[subprocess.Popen[bytes]] = []

    def start(self, part: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, str(SCRIPT), part, self.hub.url, NAME, *arguments]
        with (self.folder / f"{part}.log").open("ab") as errors:
            child = subprocess.Popen(command, env=self.env, stdout=errors, stderr=errors)
        self.children.append(child)
        return child

    def start_page(self) -> subprocess.Popen[bytes]:
        known = self.acknowledged()
        left = [str(number) for number in range(NUM_SUBMITTERS) if number not in known]
        return self.start("page", str(self.acknowledged_file), *left)

    def acknowledged(self) -> dict[int, str]:
        """Return what submitters were told is kept: number and digest."""
        text = self.acknowledged_file.read_text() if self.acknowledged_file.exists() else ""
        return {int(number): digest for number, digest in (line.split() for line in text.splitlines())}

    def end(self) -> None:
        for child in self.children:
            child.kill()
            child.wait()


def test_forty_submitters_with_kills_make_forty_rows(hub: HubServer, tmp_path: Path) -> None:
    from huggingface_hub import HfApi

    from hub_toolkit.hub.leaderboard.store import list_submissions, read_results
    from hub_toolkit.hub.leaderboard.worker import process_pending
    from hub_toolkit.hub.transfer.commit import read_tree

    api, repos = HfApi(endpoint=hub.url, token="hf_alice"), make_repos(NAME)
    play, source, started_s = Play(hub, tmp_path), random.Random(20_262), time.monotonic()
    page, workers = play.start_page(), [play.start("worker"), play.start("worker")]
    page_kills = worker_kills = 0
    try:
        while len(play.acknowledged()) < NUM_SUBMITTERS or worker_kills < NUM_WORKER_KILLS:
            assert time.monotonic() - started_s < TIME_S, (tmp_path / "page.log").read_text()
            time.sleep(source.uniform(0.3, 1.2))
            if page.poll() is None and page_kills < NUM_PAGE_KILLS and source.random() < 0.7:
                page.kill()
                page.wait()
                page_kills += 1
            if page.poll() is not None and len(play.acknowledged()) < NUM_SUBMITTERS:
                page = play.start_page()
            if worker_kills < NUM_WORKER_KILLS:
                place = source.randrange(len(workers))
                workers[place].kill()
                workers[place].wait()
                workers[place] = play.start("worker")
                worker_kills += 1
        while len(read_results(api, repos)[1]) < NUM_SUBMITTERS and time.monotonic() - started_s < TIME_S:
            time.sleep(0.2)
    finally:
        play.end()
    assert process_pending(api, repos, [mini_board()]).scored == ()
    _, table, log = read_results(api, repos)
    assert page_kills >= 1 and worker_kills == NUM_WORKER_KILLS
    digests = [row["submission"] for row in table]
    assert len(digests) == len(set(digests)) == NUM_SUBMITTERS
    assert set(play.acknowledged().values()) <= set(digests)
    assert sorted(digests) == list_submissions(read_tree(api, repos.submissions))
    assert {row["submitter"] for row in table} == {f"user{number}" for number in range(NUM_SUBMITTERS)}
    for kind in ("received", "accepted", "scored"):
        counts = Counter(event["submission"] for event in log if event["kind"] == kind)
        assert set(counts.values()) == {1} and set(counts) == set(digests), kind
    _same_table_from_scratch(api, table)
    commits = {
        ref.repo_id: len(api.list_repo_commits(ref.repo_id, repo_type="dataset"))
        for ref in (repos.submissions, repos.results)
    }
    print(f"{time.monotonic() - started_s:.1f} s, {page_kills} + {worker_kills} kills, commits {commits}")


def _same_table_from_scratch(api: object, table: list[dict[str, object]]) -> None:
    """Whatever order the rows came in, one undisturbed worker makes the same table of them."""
    from hub_toolkit.hub.leaderboard.store import BoardRepos, read_results
    from hub_toolkit.hub.leaderboard.worker import process_pending
    from tests.push_client import repo

    again = BoardRepos(make_repos(NAME).submissions, repo(f"{NAME}-again"))
    process_pending(api, again, [mini_board()])  # type: ignore[arg-type]
    assert read_results(api, again)[1] == table  # type: ignore[arg-type]


pytestmark = pytest.mark.timeout(240)
