"""Two processes of one run on this machine, as `accelerate launch` would start them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]


@contextmanager
def two_processes(module: str, words: Sequence[str], logs: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Start `python -m MODULE WORDS` twice, ranks 0 and 1; what is still there at the end is killed."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    started = []
    for rank in range(2):
        places = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "MASTER_PORT": port, "OMP_NUM_THREADS": 1}
        setting = {name: str(value) for name, value in places.items()}
        setting |= {"MASTER_ADDR": "127.0.0.1", "PYTHONPATH": str(ROOT)}
        with (logs / f"rank{rank}.log").open("wb") as log:
            command = [sys.executable, "-m", module, *words]
            process = subprocess.Popen(
                command, cwd=ROOT, env=os.environ | setting, stdout=log, stderr=subprocess.STDOUT
            )
        started.append(process)
    try:
        yield started
    finally:
        for process in started:
            process.kill()
            process.wait()


def finish(processes: Sequence[subprocess.Popen[bytes]], logs: Path, *, timeout_s: float) -> None:
    """Wait for both; the end of their logs says why one failed."""
    codes = [process.wait(timeout_s) for process in processes]
    assert not any(codes), "\n".join(path.read_text(errors="replace")[-2000:] for path in logs.glob("*.log"))
