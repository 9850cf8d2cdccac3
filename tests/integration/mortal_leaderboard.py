"""The parts of a leaderboard that die: a page that takes submissions in, and a worker. Run by test_leaderboard_many.

Usage: mortal_leaderboard.py page URL NAME ACKNOWLEDGED NUMBER... | worker URL NAME
A page appends each number that it has acknowledged to the file; a worker goes on until it is killed.
"""

from __future__ import annotations

import os
import random
import sys
import threading
import time
from pathlib import Path

from huggingface_hub import HfApi

from hub_toolkit.errors import HubError
from hub_toolkit.hub.leaderboard.intake import Intake
from hub_toolkit.hub.leaderboard.worker import process_pending
from tests.leaderboard_factory import dump_lines, guess, make_lines, make_meta, make_repos, mini_board

PAUSE_S = 0.05
SPREAD_S = 2.0


def files_of(number: int) -> tuple[bytes, bytes]:
    """Return the submission of a submitter; the same each time."""
    return dump_lines(make_lines(guess(number, 0.2 + number / 100))), make_meta(name=f"System {number}")


def page(url: str, name: str, acknowledged: Path, numbers: list[int]) -> None:
    """Take the submissions of all numbers in at once, each in a thread of its own."""
    intake = Intake(HfApi(endpoint=url, token="hf_alice"), make_repos(name), [mini_board()], gap_s=0.0)
    log = os.open(acknowledged, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def submit(number: int) -> None:
        time.sleep(random.Random(number).uniform(0, SPREAD_S))
        received = intake.receive(*files_of(number), f"user{number}")
        os.write(log, f"{number} {received.digest}\n".encode())

    threads = [threading.Thread(target=submit, args=(number,)) for number in numbers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def worker(url: str, name: str) -> None:
    """Score what waits, again and again."""
    api = HfApi(endpoint=url, token="hf_alice")
    while True:
        try:
            process_pending(api, make_repos(name), [mini_board()], max_batch=8)
        except HubError as error:
            print(error, file=sys.stderr)
        time.sleep(PAUSE_S)


if __name__ == "__main__":
    if sys.argv[1] == "page":
        page(sys.argv[2], sys.argv[3], Path(sys.argv[4]), [int(number) for number in sys.argv[5:]])
    else:
        worker(sys.argv[2], sys.argv[3])
