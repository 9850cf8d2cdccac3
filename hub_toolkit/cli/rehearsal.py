"""A Hub on this machine with PersonaMem-mini published on it: what `personamem demo --rehearse` reads."""

from __future__ import annotations

import queue
import re
import secrets
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

import click

from hub_toolkit.errors import HubError
from hub_toolkit.hub.client import RepoRef, require_packages
from hub_toolkit.settings import Settings, load_settings, use_hub

REPO = "personamem/mini"
OWNER = "demo"
PACKAGES = ("huggingface_hub", "datasets", "pyarrow", "starlette", "uvicorn", "yaml")
INSTALL = "pip install -c constraints.txt -e '.[rehearse]'"
START_S = 60


@contextmanager
def rehearse_release(*, has_board: bool = True) -> Iterator[Settings]:
    """Serve a Hub on a free port, push PersonaMem-mini to it, and yield settings that read it from there.

    With `has_board` its leaderboard is filled meanwhile. The Hub, its token and the client's cache go with the block.
    Call it before `huggingface_hub` is imported.

    Raises: PersonaMemError: a package is missing. HubError: the Hub does not start, or the push failed.
    """
    require_packages(*PACKAGES, install=INSTALL)
    token = f"hf_{secrets.token_hex(16)}"
    with tempfile.TemporaryDirectory(prefix="personamem-hub-", ignore_cleanup_errors=True) as folder:
        root = Path(folder)
        url = start_hub(root / "data", token)
        use_hub(url, token, home=root / "client")
        settings = replace(load_settings(), datasets_dir=root / "cache")
        sha = _push_mini(settings)
        click.echo(f"rehearsal: PersonaMem-mini is pushed to {url}/datasets/{REPO}, commit {sha[:12]}", err=True)
        with _filling_board(root / "runs") if has_board else nullcontext():
            yield replace(settings, dataset=f"hf://datasets/{REPO}@{sha}", leaderboard=REPO.partition("/")[0])


@contextmanager
def _filling_board(folder: Path) -> Iterator[None]:
    """Fill the leaderboard in a process beside this one, which takes some seconds: the page need not wait for it."""
    folder.mkdir()
    click.echo("rehearsal: the leaderboard is being filled ...", err=True)
    command = [sys.executable, "-m", "hub_toolkit.cli.rehearsal_board", str(folder)]
    filler = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        yield
    finally:
        filler.kill()
        filler.wait()


def start_hub(data: Path, token: str) -> str:
    """Serve a Hub in a thread that ends with the process, and return its address; `token` is the user `demo`'s.

    Raises: HubError: it does not start.
    """
    from hub_toolkit.local_hub.errors import LocalHubError
    from hub_toolkit.local_hub.server import ServerOptions, serve

    said: queue.Queue[str | LocalHubError] = queue.Queue()
    owners = f"{REPO.partition('/')[0]}:{OWNER}"
    options = ServerOptions(data, port=0, tokens=f"{token}:{OWNER}", organisations=owners, has_log=False)

    def run() -> None:
        try:
            serve(options, said.put)
        except LocalHubError as error:
            said.put(error)

    threading.Thread(target=run, name="local-hub", daemon=True).start()
    first = said.get(timeout=START_S)
    found = re.search(r"http://\S+", first) if isinstance(first, str) else None
    if found is None:
        raise HubError(f"cannot start the Hub of the rehearsal: {first}")
    return found.group()


def _push_mini(settings: Settings) -> str:
    from hub_toolkit.hub.transfer.dataset_io import PushOptions, push_dataset

    options = PushOptions(is_dry_run=False, is_private=False, tag="v1.0")
    report = push_dataset("mini", RepoRef(REPO), settings, options)
    assert report.result is not None
    return report.result.sha
