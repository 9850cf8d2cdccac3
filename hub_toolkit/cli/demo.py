"""`personamem demo`: the page of `spaces/personamem`, on this machine."""

from __future__ import annotations

import importlib
import importlib.util
import socket
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from hub_toolkit.cli.rehearsal import rehearse_release
from hub_toolkit.errors import PersonaMemError
from hub_toolkit.settings import Settings, load_settings

MAX_PORT = 65_535


def find_page() -> Path:
    """Return the page's folder in the checkout.

    Raises: PersonaMemError: the toolkit was installed without its checkout.
    """
    folder = Path(__file__).resolve().parents[2] / "spaces" / "personamem"
    if not (folder / "app.py").is_file():
        raise PersonaMemError(
            f"there is no page at {folder}: the installed package does not hold it; clone the repository and run "
            "`make demo` there"
        )
    return folder


def check_gradio() -> None:
    """Raise PersonaMemError where the page's own dependency is missing; it is not imported yet."""
    if importlib.util.find_spec("gradio") is None:
        raise PersonaMemError(
            "the page needs Gradio: run `pip install -c constraints.txt -e '.[space]'` in the checkout"
        )


def check_address(host: str, port: int) -> None:
    """Raise PersonaMemError where nothing can listen at this address."""
    if not 0 < port <= MAX_PORT:
        raise PersonaMemError(f"{port} is no port (1 to {MAX_PORT:,}); choose one with --port or GRADIO_SERVER_PORT")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except (OSError, UnicodeError) as error:
        raise PersonaMemError(
            f"cannot listen on {host}:{port} ({getattr(error, 'strerror', None) or error}); is something running "
            f"there? Choose another port: personamem demo --port {port + 1 if port < MAX_PORT else port - 1}"
        ) from error


def _open_page(folder: Path, settings: Settings) -> tuple[Any, dict[str, Any]]:
    sys.path.insert(0, str(folder))
    page = importlib.import_module("personamem_ui.app")
    blocks = page.create_page(settings)
    return blocks, page.launch_options(blocks)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for all.")
@click.option("--port", type=int, help="Port to listen on; default GRADIO_SERVER_PORT, else 7860.")
@click.option(
    "--data",
    "dataset",
    help="`mini`, a dataset's folder, or `hf://owner/name[@revision]`; default PERSONAMEM_DATASET, else mini.",
)
@click.option(
    "--rehearse",
    is_flag=True,
    help="Start a Hub on this machine, push PersonaMem-mini to it, and read it from there.",
)
def demo(host: str, port: int | None, dataset: str | None, rehearse: bool) -> None:
    """Open the page on this machine: watch a history become a memory, and ask it."""
    if rehearse and dataset:
        raise click.UsageError("--rehearse shows PersonaMem-mini; leave out --data")
    settings = load_settings()
    chosen = settings.server_port if port is None else port
    folder = find_page()
    check_gradio()
    check_address(host, chosen)
    click.echo("starting the page ...", err=True)
    with rehearse_release() if rehearse else nullcontext(settings) as settings:
        _serve(folder, replace(settings, dataset=dataset or settings.dataset), host, chosen)


def _serve(folder: Path, settings: Settings, host: str, port: int) -> None:
    blocks, options = _open_page(folder, settings)
    try:
        blocks.launch(server_name=host, server_port=port, prevent_thread_lock=True, quiet=True, **options)
    except (OSError, ValueError) as error:
        raise PersonaMemError(
            f"the page cannot be served at {host}:{port} ({error}); choose another --port, and where a proxy is set, "
            f"except this machine from it: NO_PROXY=127.0.0.1,localhost"
        ) from error
    click.echo(f"The page is at http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port} (Ctrl-C ends it)")
    blocks.block_thread()
