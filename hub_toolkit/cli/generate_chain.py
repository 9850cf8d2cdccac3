"""`personamem generate chain`: from a seed to a row of the leaderboard, in one command."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import click

from hub_toolkit.cli.generate import whole_quads
from hub_toolkit.cli.rehearsal import INSTALL, PACKAGES, start_hub
from hub_toolkit.errors import HubError
from hub_toolkit.evaluate.journal import encode_json, write_atomically
from hub_toolkit.generate.config import SimulatorConfig
from hub_toolkit.hub.client import require_packages
from hub_toolkit.settings import Settings, load_settings, use_hub

REPORT_FILE = "chain.json"
LOCAL_OWNER = "personamem"
"""The organisation of the Hub that the command starts itself."""


@click.command("chain")
@click.option("--personas", type=int, default=8, show_default=True, help="Owners; filled up to a multiple of four.")
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed gives the same bytes.")
@click.option("--questions", type=int, default=8, show_default=True, help="Balanced questions of a persona.")
@click.option("--tokens", type=int, default=6_000, show_default=True, help="Longest history.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder for everything.")
@click.option("--hub", "hub_url", metavar="URL", help="A Hub that is running (HF_TOKEN says who you are).")
@click.option("--owner", help="Owner of the repos to be made there; default: your account.")
def chain_command(  # noqa: PLR0913  (one parameter an option)
    personas: int, seed: int, questions: int, tokens: int, out: Path, hub_url: str | None, owner: str | None
) -> None:
    """Simulate, push to a Hub, load it, build memories, evaluate, submit, and print the leaderboard.

    Without --hub a small Hub is started in OUT for the time of the command. A call that was killed goes on where it
    was; called again on a finished folder, it does all steps and finds nothing to do.
    """
    config = SimulatorConfig(
        num_personas=whole_quads(personas),
        seed=seed,
        topics_per_quad=questions,
        context_32k_tokens=tokens,
        context_128k_tokens=tokens,
        has_128k=False,
    )
    require_packages(*PACKAGES, install=INSTALL)
    settings = _open_hub(out, hub_url)
    from hub_toolkit.cli.chain_steps import Chain

    chain = Chain(config, out, settings, owner or (None if hub_url else LOCAL_OWNER))
    timings: dict[str, float] = {}
    with _timed(timings, "simulate"):
        report = chain.simulate()
    click.echo(f"1. simulated {report.num_personas} personas and {report.num_rows} questions in {report.out}")
    with _timed(timings, "push"):
        sha = chain.push()
    click.echo(f"2. published as {settings.hub_endpoint}/datasets/{chain.ref.repo_id}, commit {sha[:12]}")
    with _timed(timings, "load"):
        loaded = chain.load(sha)
    click.echo(f"3. loaded with datasets.load_dataset: {loaded} questions, each as it was simulated")
    with _timed(timings, "evaluate"):
        runs = chain.evaluate(sha)
    click.echo(f"4. built {runs.num_memories} memories; 5. evaluated {', '.join(runs.folders)}")
    with _timed(timings, "submit"):
        digests = chain.submit(sha, runs)
    click.echo(f"6. submitted {len(digests)} runs, scored by the worker")
    rows = chain.table(digests)
    write_atomically(
        out / REPORT_FILE,
        encode_json({"repo": chain.ref.repo_id, "sha": sha, "rows": rows, "seconds": timings}, indent=1) + b"\n",
    )
    from hub_toolkit.cli.leaderboard_text import render_table

    click.echo(f"7. the leaderboard ({sum(timings.values()):.1f} s in all, see {out / REPORT_FILE}):")
    click.echo(render_table(rows))


@contextmanager
def _timed(timings: dict[str, float], step: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    timings[step] = round(time.perf_counter() - started, 2)


def _open_hub(out: Path, url: str | None) -> Settings:
    """Let the Hub's client talk to the Hub, with a cache in the folder; without an address, start one there."""
    out.mkdir(parents=True, exist_ok=True)
    token = f"hf_{secrets.token_hex(16)}"
    if url is None:
        url = start_hub(out / "hub", token)
    else:
        given = load_settings().hub_token
        if given is None:
            raise HubError(f"no token for {url}: set HF_TOKEN to one that may write there")
        url, token = url.rstrip("/"), given
    use_hub(url, token, home=out / "client")
    return replace(load_settings(), datasets_dir=out / "cache")
