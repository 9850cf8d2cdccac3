"""`personamem memory serve` with real clients: httpx, and the MCP client over HTTP and over stdio."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest

pytest.importorskip("mcp", reason="extra serve: mcp is not installed")
pytest.importorskip("uvicorn", reason="extra serve: uvicorn is not installed")

from hub_toolkit.serve.functions import FUNCTIONS, output_schema
from hub_toolkit.serve.gate import MAX_BODY_BYTES

OWNERS = {name: f"token-of-{name}-0123456789" for name in ("alice", "bob", "carol", "dana")}
COMMAND = [sys.executable, "-m", "hub_toolkit.cli.main", "memory", "serve"]
CHAT = [
    {"role": "user", "content": "I always bake sourdough rye bread on Sundays, I love the smell. Any tips?"},
    {"role": "assistant", "content": "Keep the oven humid."},
    {"role": "user", "content": "My knee hurts whenever I run, so these days I prefer swimming in the lake."},
]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of four owners, in a process of its own."""
    folder = tmp_path_factory.mktemp("serve")
    tokens = folder / "tokens"
    tokens.write_text("".join(f"{token} {name}\n" for name, token in OWNERS.items()))
    tokens.chmod(0o600)
    command = [*COMMAND, "--store", str(folder / "m.db"), "--tokens", str(tokens), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().split()[1].removesuffix("/v1")
    finally:
        process.terminate()
        process.wait(timeout=20)
        process.stdout.close()


def headers(owner: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {OWNERS[owner]}"}


def call(url: str, owner: str, function: str, **arguments: Any) -> Any:
    answer = httpx.post(f"{url}/v1/{function}", headers=headers(owner), json=arguments, timeout=60)
    assert answer.status_code == 200, answer.text
    jsonschema.validate(answer.json(), output_schema(function))
    return answer.json()


def test_a_life_over_http(url: str) -> None:
    read = call(url, "alice", "remember", messages=CHAT, session="one")
    assert read["version"] == 1 and read["added"] and read["num_read"] == 3
    assert call(url, "alice", "remember", messages=CHAT, session="one")["num_read"] == 0
    found = call(url, "alice", "recall", query="Which bread?")
    assert "sourdough" in found["text"] and found["text"].startswith("<memory>")
    bullet = found["bullets"][0]
    assert call(url, "alice", "why", bullet_id=bullet["id"])["is_supported"]
    call(url, "alice", "edit", bullet_id=bullet["id"], text="Bakes spelt bread 🍞 on Saturdays")
    assert "spelt bread 🍞" in call(url, "alice", "show")["text"]
    assert call(url, "alice", "undo")["changed"] == [bullet["id"]]
    call(url, "alice", "redo")
    assert call(url, "alice", "preview_forget", text="my knee")["bullets"]
    forgotten = call(url, "alice", "forget", text="my knee")
    assert forgotten["num_bullets"] >= 1 and "knee" not in json.dumps(forgotten)
    rule = call(url, "alice", "set_rule", text="nothing about my health")["rule"]
    assert "knee" not in call(url, "alice", "export", format="json")["content"]
    assert call(url, "alice", "export", format="markdown")["content"]
    call(url, "alice", "remove_rule", rule_id=rule["id"])
    kinds = [version["kind"] for version in call(url, "alice", "log")["versions"]]
    assert kinds[:4] == ["update", "edit", "undo", "redo"] and "forget" in kinds
    assert {receipt["kind"] for receipt in call(url, "alice", "receipts")["receipts"]} >= {"forgotten", "purged"}


@pytest.mark.parametrize(
    ("function", "sent", "status", "kind"),
    [
        ("recall", {"json": {}}, 400, "bad_arguments"),
        ("recall", {"content": b"{"}, 400, "bad_arguments"),
        ("recall", {"content": b"\xff"}, 400, "bad_arguments"),
        ("recall", {"content": b"[" * 100_000}, 400, "bad_arguments"),
        ("recall", {"json": {"query": "x", "user": "alice"}}, 400, "bad_arguments"),
        ("steal", {"json": {}}, 404, "not_found"),
        ("why", {"json": {"bullet_id": "m999"}}, 404, "not_found"),
        ("undo", {"json": {}}, 409, "not_possible"),
        ("redo", {"json": {}}, 409, "not_possible"),
        ("add", {"json": {"text": "my card is 4111 1111 1111 1111"}}, 422, "boundary"),
        ("recall", {"content": b" " * (MAX_BODY_BYTES + 1)}, 413, "too_large"),
        ("recall", {"content": iter([b" " * (MAX_BODY_BYTES // 2)] * 3)}, 413, "too_large"),
    ],
)
def test_each_refusal_has_one_shape(url: str, function: str, sent: Any, status: int, kind: str) -> None:
    answer = httpx.post(f"{url}/v1/{function}", headers=headers("dana"), timeout=60, **sent)
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error["type"] == kind and error["message"] and set(error) == {"type", "message", "remedy"}
    assert "4111" not in answer.text


def test_other_methods_and_paths_have_the_same_shape(url: str) -> None:
    for method, path, status in (("GET", "/v1/recall", 405), ("GET", "/", 404), ("DELETE", "/v1/a/b", 404)):
        answer = httpx.request(method, url + path, headers=headers("dana"))
        assert (answer.status_code, set(answer.json())) == (status, {"error"})


def test_nobody_comes_in_without_a_token(url: str) -> None:
    wrong = ({}, {"Authorization": "Bearer x"}, {"Authorization": OWNERS["alice"]}, {"Authorization": "Basic YTpi"})
    for sent in wrong:
        for path in ("/v1/show", "/mcp"):
            answer = httpx.post(url + path, headers=sent, json={})
            assert answer.status_code == 401 and answer.json()["error"]["type"] == "unauthorized"
    assert httpx.get(f"{url}/health").json()["status"] == "ok"


def test_a_page_in_a_browser_is_kept_out(url: str) -> None:
    for sent in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}, {"Origin": "null"}):
        answer = httpx.post(f"{url}/v1/show", headers={**headers("alice"), **sent}, json={})
        assert answer.status_code == 403
    asked = httpx.options(f"{url}/v1/show", headers={"Origin": url, "Access-Control-Request-Method": "POST"})
    assert not [name for name in asked.headers if name.lower().startswith("access-control")]


def test_the_schema_is_open_and_names_every_function(url: str) -> None:
    schema = httpx.get(f"{url}/v1/openapi.json").json()
    assert set(schema["paths"]) == {f"/v1/{name}" for name in FUNCTIONS}
    answers = schema["paths"]["/v1/recall"]["post"]["responses"]
    jsonschema.Draft202012Validator.check_schema(answers["200"]["content"]["application/json"]["schema"])


def test_many_owners_at_once_do_not_mix(url: str) -> None:
    errors: list[str] = []

    def live(owner: str) -> None:
        with httpx.Client(headers=headers(owner), timeout=120) as client:
            for turn in range(6):
                answer = client.post(f"{url}/v1/add", json={"text": f"the {owner} hobby number {owner}{turn} kites"})
                text = client.post(f"{url}/v1/show", json={}).json()["text"]
                others = [name for name in ("bob", "carol") if name != owner and name in text]
                if answer.status_code != 200 or others or f"{owner}{turn}" not in text:
                    errors.append(f"{owner} {turn}: {answer.status_code} {text}")

    threads = [threading.Thread(target=live, args=(owner,)) for owner in ("bob", "carol", "bob", "carol")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert len(call(url, "bob", "log")["versions"]) == 12 or len(call(url, "bob", "show")["bullets"]) == 6


async def use_tools(session: Any, word: str) -> dict[str, Any]:
    """Play through the tools as an agent would."""
    await session.initialize()
    tools = {tool.name: tool for tool in (await session.list_tools()).tools}
    assert set(tools) == set(FUNCTIONS) and tools["recall"].annotations.readOnlyHint
    added = await session.call_tool("add", {"text": f"Collects {word} teapots"})
    assert not added.isError and added.structuredContent["added"]
    found = await session.call_tool("recall", {"query": "teapots"})
    wrong = await session.call_tool("why", {"bullet_id": "m999"})
    assert wrong.isError and json.loads(wrong.content[0].text)["error"]["type"] == "not_found"
    return dict(found.structuredContent)


def test_an_agent_over_streamable_http(url: str) -> None:
    from mcp import ClientSession
    from mcp.client.streamable_http import streamable_http_client

    async def play(owner: str) -> dict[str, Any]:
        async with (
            httpx.AsyncClient(headers=headers(owner)) as client,
            streamable_http_client(f"{url}/mcp", http_client=client) as (reading, writing, _),
            ClientSession(reading, writing) as session,
        ):
            return await use_tools(session, owner)

    async def both() -> list[dict[str, Any]]:
        return list(await asyncio.gather(play("carol"), play("bob")))

    carol, bob = asyncio.run(both())
    assert "carol teapots" in carol["text"] and "bob" not in carol["text"]
    assert "bob teapots" in bob["text"] and "carol" not in bob["text"]


def test_an_agent_over_stdio(tmp_path: Path) -> None:
    from mcp import ClientSession, StdioServerParameters
    from mcp.client.stdio import stdio_client

    arguments = [*COMMAND[1:], "--stdio", "--user", "erin", "--store", str(tmp_path / "m.db")]
    parameters = StdioServerParameters(command=COMMAND[0], args=arguments, env=dict(os.environ))

    async def play() -> dict[str, Any]:
        async with stdio_client(parameters) as (reading, writing), ClientSession(reading, writing) as session:
            return await use_tools(session, "copper")

    assert "copper teapots" in asyncio.run(play())["text"]


def test_one_owner_gets_a_token_at_start(tmp_path: Path) -> None:
    command = [*COMMAND, "--store", str(tmp_path / "m.db"), "--user", "fay", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        url = process.stdout.readline().split()[1]
        token = process.stdout.readline().removeprefix("token of fay: ").strip()
        answer = httpx.post(f"{url}/show", headers={"Authorization": f"Bearer {token}"}, json={})
        assert answer.status_code == 200 and answer.json()["version"] == 0
    finally:
        process.terminate()
        process.wait(timeout=20)
        process.stdout.close()


def test_tokens_go_with_no_user(tmp_path: Path) -> None:
    done = subprocess.run([*COMMAND, "--tokens", str(tmp_path), "--user", "x"], capture_output=True, text=True)
    assert done.returncode == 2
