"""`personamem memory serve`: memories over HTTP and MCP."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path

import click

from hub_toolkit.cli.memory_build import load_chat_model
from hub_toolkit.cli.memory_options import DEFAULT_USER, open_store, store_option
from hub_toolkit.errors import PersonaMemError
from hub_toolkit.hub.client import require_packages
from hub_toolkit.memory.build import MemoryBuilder
from hub_toolkit.memory.builders.agentic import AgenticBuilder
from hub_toolkit.memory.personal import PersonalMemory
from hub_toolkit.memory.stores.store import MemoryStore

INSTALL = "pip install -c constraints.txt -e '.[serve]'"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
MakeBuilder = Callable[[], MemoryBuilder | None]


@click.command("serve")
@store_option
@click.option("--user", help=f"The one owner: a token is made and shown at start. [default: {DEFAULT_USER}]")
@click.option(
    "--tokens", type=click.Path(path_type=Path, dir_okay=False), help="File of owners: a token and a name a line."
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8766, show_default=True, help="0 takes a free one.")
@click.option(
    "--stdio", "is_stdio", is_flag=True, help="Serve MCP over stdin and stdout, to one program, without token."
)
@click.option("--model", help="Model that reads the chats, as openai/<name>; without it none is asked.")
@click.option("--base-url", help="Endpoint of an OpenAI-compatible model.")
def serve_command(store: Path | None, user: str | None, tokens: Path | None, is_stdio: bool, **options: object) -> None:
    """Serve memories to programs and agents until Ctrl-C.

    HTTP: POST /v1/<function> with a bearer token, described at /v1/openapi.json. MCP: /mcp with the same token, or
    --stdio. The owner is known from the token, never from a request.
    """
    require_packages("mcp", "starlette", "uvicorn", install=INSTALL)
    if tokens is not None and (user is not None or is_stdio):
        raise click.UsageError("--tokens names the owners; it goes with neither --user nor --stdio")
    make_builder = _builder_maker(options["model"], options["base_url"])
    with open_store(store) as opened:
        if is_stdio:
            _serve_stdio(opened, user or DEFAULT_USER, make_builder)
        else:
            _serve_http(
                opened, user or DEFAULT_USER, tokens, make_builder, (str(options["host"]), int(str(options["port"])))
            )


def _builder_maker(model: object, base_url: object) -> MakeBuilder:
    if model is None:
        return lambda: None
    spec, url = str(model), None if base_url is None else str(base_url)
    load_chat_model(spec, url)  # a wrong name is told now, not at the first chat
    # A client belongs to the event loop of one call.
    return lambda: AgenticBuilder(load_chat_model(spec, url))


def _serve_stdio(store: MemoryStore, user: str, make_builder: MakeBuilder) -> None:
    from hub_toolkit.serve.mcp import serve_stdio
    from hub_toolkit.serve.service import MemoryService

    service = MemoryService(lambda owner: PersonalMemory(store, owner, builder=make_builder()))
    asyncio.run(serve_stdio(service, user))
    service.close()


def _serve_http(
    store: MemoryStore, user: str, tokens: Path | None, make_builder: MakeBuilder, address: tuple[str, int]
) -> None:
    import uvicorn

    from hub_toolkit.serve.auth import Accounts, load_accounts, make_token
    from hub_toolkit.serve.gate import LOOPBACK as LOOPBACK_NAMES
    from hub_toolkit.serve.http import make_app
    from hub_toolkit.serve.service import MemoryService

    token = None if tokens else make_token()
    accounts = load_accounts(tokens) if tokens else Accounts({str(token): user})
    service = MemoryService(lambda owner: PersonalMemory(store, owner, builder=make_builder()))
    is_local = address[0] in LOOPBACK
    app = make_app(service, accounts, hosts=LOOPBACK_NAMES if is_local else None)
    with _listen(*address) as listener:
        shown = f"[{address[0]}]" if ":" in address[0] else address[0]
        click.echo(f"serving http://{shown}:{listener.getsockname()[1]}/v1 and /mcp")
        if token:
            click.echo(f"token of {user}: {token}")
        if not is_local:
            click.echo("warning: the connection is not encrypted; put a proxy with TLS before it", err=True)
        config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=5)
        uvicorn.Server(config).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise PersonaMemError(f"cannot listen on {host}:{port} ({error.strerror}); take another --port") from error
