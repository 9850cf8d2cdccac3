"""kill -9 of a writer whose memory is in a repo: no acknowledged version is lost, none is half, purges are finished."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.hub_server import HubServer

ROUNDS = 50
"""The SQLite store is killed a hundred times; a round here is an interpreter of its own and many requests."""
ROOT = Path(__file__).resolve().parents[2]


def test_kills_leave_whole_versions(hub: HubServer) -> None:
    script = Path(__file__).with_name("mortal_hub_memory.py")
    env = {**os.environ, "PYTHONPATH": str(ROOT), "HF_ENDPOINT": hub.url}
    command = [sys.executable, str(script), hub.url, "alice/memory-killed", str(ROUNDS)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout.splitlines()[-1])
    assert (counts["lost"], counts["broken"]) == (0, 0), counts
    assert counts["acknowledged"] > 0 and counts["versions"] > 5, counts
