"""Forty submitters at the form of the real page at once, while page and worker are killed: forty rows, none twice."""

from __future__ import annotations

import importlib.util
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.conftest import require_extra
from tests.hub_server import HubServer, free_port
from tests.integration.mortal_leaderboard import files_of
from tests.page_visitor import PageVisitor

for _name in ("huggingface_hub", "gradio"):
    require_extra("space", importlib.util.find_spec(_name) is not None, f"{_name} is not installed")

NUM_SUBMITTERS = 40
PAGE_DIES_AT = (3, 20)
"""So many receipts are out when the page is killed, a moment later."""

NUM_WORKER_KILLS = 3
TIME_S = 240
ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.timeout(330)


class Mortal:
    """A part of the leaderboard that is killed as by a power cut, and started again."""

    def __init__(self, log: Path, env: dict[str, str], *command: str) -> None:
        self.log, self.env, self.command = log, env, command
        self.num_kills = 0
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "hub_toolkit.cli.main", *self.command]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, env=self.env, cwd=ROOT, stdout=log, stderr=log)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)
        self.num_kills += 1


class Crowd:
    """Submitters who come again until they have a receipt, as people do."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder
        self.until = time.monotonic() + TIME_S
        self.receipts: dict[int, str] = {}
        self.threads = [threading.Thread(target=self._insist, args=(number,)) for number in range(NUM_SUBMITTERS)]
        for thread in self.threads:
            thread.start()

    def _insist(self, number: int) -> None:
        files = files_of(number)
        (self.folder / str(number)).mkdir()
        paths = [self.folder / str(number) / name for name in ("predictions.jsonl", "meta.yaml")]
        for path, content in zip(paths, files, strict=True):
            path.write_bytes(content)
        while number not in self.receipts and time.monotonic() < self.until:
            with suppress(httpx.HTTPError):  # the page is dead: again in a moment
                if self._is_open():
                    self._submit(number, paths)
            time.sleep(random.Random(number).uniform(0.2, 1.0))

    def _is_open(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", urlsplit(self.url).port)) == 0

    def _submit(self, number: int, paths: list[Path]) -> None:
        with PageVisitor(self.url) as visitor:
            for path, place in zip(paths, ("predictions", "meta"), strict=True):
                visitor.values[visitor.component(f"pm-submit-{place}")] = visitor.upload(path)
            visitor.fire("pm-submit-check")
            visitor.values[visitor.component("pm-submit-name")] = f"user{number}"
            visitor.fire("pm-submit-send")
            # Whatever came after it: a receipt that was once shown counts; who lost theirs is told that it is known.
            shown = re.search(r"Keep the digest.{0,120}?([0-9a-f]{64})", visitor.seen_text)
            if shown:
                self.receipts[number] = shown[1]

    def end(self) -> None:
        self.until = 0.0
        for thread in self.threads:
            thread.join(60)


def test_forty_at_the_form_with_kills_make_forty_rows(tmp_path: Path) -> None:
    from huggingface_hub import HfApi

    from hub_toolkit.hub.leaderboard.store import BoardRepos, read_results

    port, source = free_port(), random.Random("kills of the page")
    with HubServer(tmp_path / "hub") as hub:
        env = {**os.environ, "HF_ENDPOINT": hub.url, "HF_TOKEN": "hf_alice", "HF_HOME": str(tmp_path / "client")}
        env |= {"PERSONAMEM_LEADERBOARD": "personamem", "PERSONAMEM_CACHE": str(tmp_path / "cache")}
        api, repos = HfApi(endpoint=hub.url, token="hf_alice"), BoardRepos.of("personamem")
        page = Mortal(tmp_path / "page.log", env, "demo", "--port", str(port))
        worker = Mortal(tmp_path / "worker.log", env, "leaderboard", "work", "--every", "5")
        crowd = Crowd(f"http://127.0.0.1:{port}/", tmp_path)
        try:
            _let_die(page, worker, crowd, source)
            while len(read_results(api, repos)[1]) < NUM_SUBMITTERS and time.monotonic() < crowd.until:
                time.sleep(0.3)
        finally:
            crowd.end()
            for part in (page, worker):
                part.kill()
        _, table, log = read_results(api, repos)
    assert page.num_kills == len(PAGE_DIES_AT) + 1 and worker.num_kills == NUM_WORKER_KILLS + 1
    digests = [row["submission"] for row in table]
    assert len(digests) == len(set(digests)) == NUM_SUBMITTERS
    assert set(crowd.receipts.values()) == set(digests)
    assert {row["submitter"] for row in table} == {f"user{number}" for number in range(NUM_SUBMITTERS)}
    for kind in ("received", "accepted", "scored"):
        counts = Counter(event["submission"] for event in log if event["kind"] == kind)
        assert set(counts) == set(digests) and set(counts.values()) == {1}, kind


def _let_die(page: Mortal, worker: Mortal, crowd: Crowd, source: random.Random) -> None:
    """Kill both at random moments until everybody has a receipt."""
    deaths = list(PAGE_DIES_AT)
    while len(crowd.receipts) < NUM_SUBMITTERS or worker.num_kills < NUM_WORKER_KILLS:
        assert time.monotonic() < crowd.until, f"{len(crowd.receipts)} receipts; {page.log.read_text()[-2000:]}"
        time.sleep(source.uniform(0.1, 0.6))
        if deaths and len(crowd.receipts) >= deaths[0]:
            deaths.pop(0)
            page.kill()
            page.start()
        if worker.num_kills < NUM_WORKER_KILLS and source.random() < 0.3:
            worker.kill()
            worker.start()
