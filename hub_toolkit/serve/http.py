"""A memory over HTTP: `POST /v1/<function>` with JSON both ways, `/v1/openapi.json`, and MCP at `/mcp`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from hub_toolkit import __version__
from hub_toolkit.data.fields import FieldError, parse_json
from hub_toolkit.errors import DataFormatError, PersonaMemError
from hub_toolkit.serve.auth import Accounts
from hub_toolkit.serve.failures import ERROR_SCHEMA, INTERNAL, Failure, describe_failure
from hub_toolkit.serve.functions import FUNCTIONS, VERSION, input_schema, output_schema, summary
from hub_toolkit.serve.gate import LOOPBACK, OWNER_KEY, Gate, refuse
from hub_toolkit.serve.service import MemoryService

MAX_DEPTH = 32
SCHEMA_PATH, HEALTH_PATH, MCP_PATH = f"/{VERSION}/openapi.json", "/health", "/mcp"


def make_app(
    service: MemoryService, accounts: Accounts, *, hosts: Collection[str] | None = LOOPBACK, has_mcp: bool = True
) -> Starlette:
    """Return the server's application. `hosts`: see `Gate`."""

    async def call(request: Request) -> Response:
        arguments = _parse_body(await request.body())
        found = await service.call(request.scope[OWNER_KEY], request.path_params["function"], arguments)
        return JSONResponse(found)

    routes: list[BaseRoute] = [
        Route(HEALTH_PATH, _health, methods=["GET"]),
        Route(SCHEMA_PATH, _show_schema, methods=["GET"]),
        Route(f"/{VERSION}/{{function}}", call, methods=["POST"]),
    ]
    stack: list[Any] = []
    if has_mcp:
        from hub_toolkit.serve.mcp import make_http_endpoint

        endpoint, run = make_http_endpoint(service)
        routes.append(Route(MCP_PATH, endpoint))
        stack.append(run)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as opened:
            for run in stack:
                await opened.enter_async_context(run())
            yield
        service.close()

    handlers: dict[Any, Any] = {
        PersonaMemError: _tell_failure,
        HTTPException: _tell_http,
        Exception: lambda _request, _error: refuse(INTERNAL),
    }
    gate = Middleware(Gate, accounts=accounts, open_paths=(HEALTH_PATH, SCHEMA_PATH), hosts=hosts)
    return Starlette(routes=routes, middleware=[gate], exception_handlers=handlers, lifespan=lifespan)


def _parse_body(body: bytes) -> object:
    if not body.strip():
        return {}
    try:
        return parse_json(body.decode("utf-8"), max_depth=MAX_DEPTH)
    except UnicodeDecodeError:
        raise DataFormatError("the body is not UTF-8; send JSON in UTF-8") from None
    except FieldError as error:
        raise DataFormatError(error.message) from None


def _tell_failure(_: Request, error: PersonaMemError) -> Response:
    return refuse(describe_failure(error))


def _tell_http(_: Request, error: HTTPException) -> Response:
    if error.status_code == 405:
        return refuse(Failure(405, "method", "this path takes another method", f"POST to /{VERSION}/<function>"))
    remedy = f"POST to /{VERSION}/<function>, see {SCHEMA_PATH}"
    return refuse(Failure(error.status_code, "not_found", "there is no such path", remedy))


async def _health(_: Request) -> Response:
    return JSONResponse({"status": "ok", "api": VERSION, "version": __version__})


async def _show_schema(_: Request) -> Response:
    return JSONResponse(openapi())


def openapi() -> dict[str, Any]:
    """Return the interface in OpenAPI's form."""
    paths = {}
    for name in FUNCTIONS:
        answers = {
            "200": {"description": "Done.", "content": _json(output_schema(name))},
            "default": {"description": "Refused or failed.", "content": _json(ERROR_SCHEMA)},
        }
        body = {"required": True, "content": _json(input_schema(name))}
        call = {"operationId": name, "summary": summary(name), "requestBody": body, "responses": answers}
        paths[f"/{VERSION}/{name}"] = {"post": call}
    return {
        "openapi": "3.1.0",
        "info": {"title": "A personal memory", "version": f"{VERSION} ({__version__})"},
        "paths": paths,
        "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        "security": [{"token": []}],
    }


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
