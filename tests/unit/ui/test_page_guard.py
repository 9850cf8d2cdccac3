"""What stands before the page, without a server: sizes, times, addresses, rates."""

from __future__ import annotations

import asyncio
import json
import os
import time
from inspect import signature
from pathlib import Path
from typing import Any

import pytest

from personamem_ui import page_guard, request_body
from personamem_ui.checking import PAGE_LIMITS
from personamem_ui.limits import Rate, RateLimiter
from personamem_ui.offered import Offered
from personamem_ui.page_guard import PageGuard, sweep_uploads, visitor_address
from personamem_ui.request_body import Body, BodyError, check_json

FILE = {"_type": "gradio.FileData"}


async def echo(scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG001
    size, more = 0, True
    while more:
        event = await receive()
        size, more = size + len(event.get("body") or b""), event.get("more_body")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(size).encode()})


def call(guard: PageGuard, path: str, body: bytes = b"", **more: Any) -> tuple[int, dict[str, str], bytes]:
    sent: list[Any] = []
    parts = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Any:
        return parts.pop()

    async def send(event: Any) -> None:
        sent.append(event)

    scope = {"type": "http", "path": path, "method": "POST", "headers": [], "client": ("9.9.9.9", 1), **more}
    asyncio.run(guard(scope, receive, send))
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, sent[1]["body"]


def test_a_request_goes_through_with_headers() -> None:
    status, headers, body = call(PageGuard(echo), "/gradio_api/queue/join", b'{"data": ["http://a.b/"]}')
    assert (status, body) == (200, b"25")
    assert headers["x-content-type-options"] == "nosniff" and "connection" not in headers


@pytest.mark.parametrize(
    "path",
    ["/gradio_api/proxy=http://a/", "/gradio_api/file=http://a/", "/gradio_api/file=//a/", "/gradio_api/FILE=HTTPS://a/",
     "/gradio_api/file=%68ttp://a/", "/gradio_api/deep_link", "/monitoring/x", "/gradio_api/stream/a/b"],
)  # fmt: skip
def test_what_is_not_used_is_not_there(path: str) -> None:
    assert call(PageGuard(echo), path, method="GET")[0] == 404


@pytest.mark.parametrize(
    "address", ["http://a/", "HTTPS://a", " \thttp://a", "file:///etc/passwd", "//a/b", "\\\\a\\b", "ftp://a"]
)
def test_a_file_is_no_address(address: str) -> None:
    for wrap in (lambda v: v, lambda v: {"data": [v]}, lambda v: [{"a": [[{"b": v}]]}]):
        with pytest.raises(BodyError):
            check_json(json.dumps(wrap({"path": address, "meta": FILE})).encode())
    check_json(json.dumps({"data": [{"path": "/tmp/gradio/x/a.json", "meta": FILE}, address]}).encode())


def test_nesting_ends() -> None:
    for body in (b"[" * 200_000, b'{"a":' * 200_000, b"[" * 100 + b"]" * 100):
        if body.endswith(b"]"):
            with pytest.raises(BodyError, match="deeply"):
                check_json(body)
        else:  # no JSON at all, or nested too deeply for the parser: never an error of this server
            try:
                check_json(body)
            except BodyError as error:
                assert error.status == 400


def test_a_large_body_is_refused_and_the_connection_closed() -> None:
    status, headers, _ = call(
        PageGuard(echo), "/gradio_api/queue/join", b"x", headers=[(b"content-length", b"99999999")]
    )
    assert status == 413 and headers["connection"] == "close"
    status, _, _ = call(PageGuard(echo), "/gradio_api/queue/join", b" " * (9 * 2**20))
    assert status == 413


OFFERED = Offered({"compare": signature(lambda a, b=0: (a, b))}, frozenset({0, 3}))


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("call/compare", {"data": ["x", "y"]}, 200),
        ("call/compare/", {"data": ["x"]}, 422),
        ("call/nosuch", {"data": []}, 404),
        ("run/nosuch", {"data": []}, 404),
        ("call/on_save", {"data": [], "fn_index": 3}, 404),
        ("call/v2/compare", {"a": "x"}, 200),
        ("call/v2/compare", {"c": "x"}, 422),
        ("call/v2/nosuch", {}, 404),
        ("queue/join", {"data": [], "fn_index": 3}, 200),
        ("queue/join", {"data": [], "fn_index": 4}, 404),
        ("queue/join", {"data": [], "fn_index": "3"}, 404),
        ("queue/join", {"data": [], "fn_index": [3]}, 404),
        ("run/predict", {"data": [], "fn_index": 0}, 200),
        ("run/predict", {"data": []}, 404),
        ("cancel", {"fn_index": 99}, 200),
    ],
)
def test_what_is_not_offered_is_refused_with_a_reason(path: str, body: Any, status: int) -> None:
    got, _, said = call(PageGuard(echo, offered=OFFERED), f"/gradio_api/{path}", json.dumps(body).encode())
    assert got == status
    assert status == 200 or "detail" in json.loads(said)


def test_a_call_may_hold_what_the_form_takes_and_an_event_may_not() -> None:
    body = b" " * (PAGE_LIMITS.size_bytes + 2**20)
    assert call(PageGuard(echo), "/gradio_api/call/validate_submission", body)[0] == 200
    assert call(PageGuard(echo), "/gradio_api/run/predict", body)[0] == 413
    assert call(PageGuard(echo), "/gradio_api/call/validate_submission", b" " * (25 * 2**20))[0] == 413


def test_all_requests_together_are_held_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_body, "BODIES_HELD_BYTES", 100)
    guard = PageGuard(echo)
    assert call(guard, "/gradio_api/queue/join", b" " * 101)[0] == 503
    for _ in range(3):  # what was answered, or refused, is held no longer
        assert call(guard, "/gradio_api/queue/join", b" " * 60)[0] == 200


def test_the_pages_own_events_do_not_use_up_the_rate_of_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_guard, "CALLS", Rate(2, 0.001))
    guard = PageGuard(echo)
    assert [call(guard, "/gradio_api/run/predict", b"{}")[0] for _ in range(4)] == [200] * 4
    assert [call(guard, "/gradio_api/call/x", b"{}")[0] for _ in range(4)] == [200, 200, 429, 429]


def test_a_rush_waits_until_the_page_has_started() -> None:
    guard = PageGuard(echo, is_starting=True)
    assert call(guard, "/gradio_api/startup-events", method="GET")[0] == 200
    status, headers, _ = call(guard, "/config", method="GET")
    assert (status, headers["retry-after"]) == (503, "1")
    assert call(guard, "/", method="HEAD")[::2] == (200, b"")
    assert call(guard, "/config", method="GET")[0] == 200


def test_a_slow_body_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_body, "BODY_PAUSE_S", 0.05)

    async def never() -> Any:
        await asyncio.sleep(60)

    async def read() -> None:
        await Body(never, {"headers": []}, 100).receive()

    with pytest.raises(BodyError, match="too long") as raised:
        asyncio.run(read())
    assert raised.value.status == 408


def test_rates_fill_again() -> None:
    now = [0.0]
    limiter = RateLimiter(Rate(3, 0.5), now=lambda: now[0])
    assert [limiter.take("a") for _ in range(4)] == [0, 0, 0, 2.0]
    assert limiter.take("b") == 0
    now[0] = 2.0
    assert limiter.take("a") == 0 and limiter.take("a") > 0


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("9.9.9.9", "8.8.8.8", "9.9.9.9"),
        ("10.0.0.1", "1.1.1.1, 8.8.8.8, 10.2.0.1", "8.8.8.8"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "nonsense", "127.0.0.1"),
        ("10.0.0.1", "2a01:4f8:1:2:aaaa::1", "2a01:4f8:1:2::/64"),
        ("2a01:4f8:1:2:bbbb::9", "", "2a01:4f8:1:2::/64"),
    ],
)
def test_whom_a_request_comes_from(peer: str, forwarded: str, expected: str) -> None:
    headers = [(b"x-forwarded-for", forwarded.encode())] if forwarded else []
    assert visitor_address({"client": (peer, 1), "headers": headers}) == expected


def test_leftovers_of_uploads_go(tmp_path: Path) -> None:
    for name, age_s in (("tmpold", 10_000), ("tmpnew", 0), ("kept", 10_000)):
        (tmp_path / name).write_text("x")
        os.utime(tmp_path / name, (time.time() - age_s,) * 2)
    sweep_uploads(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept", "tmpnew"]
