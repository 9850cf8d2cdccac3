"""A real client against a real server that behaves well and badly."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler

import pytest
from openai import AsyncOpenAI

from hub_toolkit.errors import ProviderError
from hub_toolkit.models.base import ChatModel, Completion, GenerateConfig, watch_attempts
from hub_toolkit.models.openai_api import Endpoint, OpenAIModel
from hub_toolkit.models.retry import RetryPolicy
from hub_toolkit.types import Message, Usage

from .conftest import HELLO, HTML, KEY, Answer, Server, Waits, chat, closing, failure_of, generate, open_model, send


def test_reply_request_and_usage(endpoint: Server, waits: Waits) -> None:
    endpoint.answers = [chat("Hi", usage={"prompt_tokens": 7, "completion_tokens": 2})]
    model = open_model(endpoint, waits)
    assert isinstance(model, ChatModel)
    config = GenerateConfig(max_tokens=9, temperature=0.5, top_p=0.9, stop=("x",), seed=3)
    assert generate(model, config) == Completion("Hi", Usage(7, 2), "stop")
    assert endpoint.requests == [
        {
            "model": "m",
            "messages": [{"role": "user", "content": "Hello"}],
            "max_tokens": 9,
            "temperature": 0.5,
            "top_p": 0.9,
            "stop": ["x"],
            "seed": 3,
        }
    ]
    assert endpoint.headers[0]["authorization"] == f"Bearer {KEY}"
    assert model.name == "openai/m"


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": None, "completion_tokens": 1}, "lots"])
def test_usage_is_estimated_where_the_endpoint_says_none(usage: object, endpoint: Server, waits: Waits) -> None:
    endpoint.answers = [chat("Hi there", usage=usage)]
    completion = generate(open_model(endpoint, waits))
    assert completion.usage.is_estimated
    assert completion.usage.input_tokens > 0 < completion.usage.output_tokens


def test_length_is_told(endpoint: Server, waits: Waits) -> None:
    endpoint.answers = [send({"choices": [{"message": {"content": "cut"}, "finish_reason": "length"}]})]
    assert generate(open_model(endpoint, waits)).finish_reason == "length"


def test_no_key_is_needed(endpoint: Server) -> None:
    endpoint.answers = [chat("Hi")]
    assert generate(OpenAIModel("m", Endpoint(endpoint.base_url))).text == "Hi"
    assert endpoint.headers[0]["authorization"] == "Bearer none"


def test_a_model_outlives_its_event_loop(endpoint: Server, waits: Waits) -> None:
    endpoint.answers = [chat("Hi")]
    model = open_model(endpoint, waits)
    assert [generate(model).text, generate(model).text] == ["Hi", "Hi"]


def test_refused(waits: Waits) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        base_url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
    error = failure_of(OpenAIModel("m", Endpoint(base_url, KEY), sleep=waits, chance=lambda: 0.0))
    assert error.kind == "refused"
    assert "start the server, or correct --base-url" in str(error)
    assert "(tried 5 times)" in str(error)
    assert waits.seconds == [0.5, 1, 2, 4]


def test_hangs_up(endpoint: Server, waits: Waits) -> None:
    def hang_up(handler: BaseHTTPRequestHandler) -> None:
        handler.connection.shutdown(socket.SHUT_RDWR)
        handler.close_connection = True

    endpoint.answers = [hang_up]
    assert failure_of(open_model(endpoint, waits)).kind == "refused"


@pytest.mark.parametrize("is_streamed", [False, True])
def test_times_out(is_streamed: bool, endpoint: Server, waits: Waits) -> None:
    released = threading.Event()

    def never(handler: BaseHTTPRequestHandler) -> None:
        released.wait(20)
        handler.close_connection = True

    endpoint.answers = [never]
    error = failure_of(open_model(endpoint, waits, timeout_s=0.05), is_streamed=is_streamed)
    released.set()
    assert error.kind == "timeout"
    assert len(waits.seconds) == 4


def test_one_byte_at_a_time_is_a_timeout_too(endpoint: Server, waits: Waits) -> None:
    released = threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000000")
        handler.end_headers()
        while not released.wait(0.01):
            handler.wfile.write(b" ")
        handler.close_connection = True

    endpoint.answers = [drip]
    error = failure_of(open_model(endpoint, waits, timeout_s=0.1))
    released.set()
    assert error.kind == "timeout"


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503])
def test_passing_trouble_is_tried_again(status: int, endpoint: Server, waits: Waits) -> None:
    endpoint.answers = [send({"error": {"message": "busy"}}, status=status), chat("Hi")]
    assert generate(open_model(endpoint, waits)).text == "Hi"
    assert waits.seconds == [0.5]
    assert len(endpoint.requests) == 2


@pytest.mark.parametrize(
    ("value", "seconds"), [("7", 7), ("120.5", 120.5), ("-3", 0), ("soon", 0.5), ("nan", 0.5), (formatdate(0), 0)]
)
def test_retry_after_is_honoured(value: str, seconds: float, endpoint: Server, waits: Waits) -> None:
    endpoint.answers = [send({}, status=429, Retry_After=value), chat("Hi")]
    generate(open_model(endpoint, waits))
    assert waits.seconds == [seconds]


def test_retry_after_beyond_reason_is_not_waited_for(endpoint: Server, waits: Waits) -> None:
    endpoint.answers = [send({}, status=429, Retry_After="100000"), chat("Hi")]
    assert failure_of(open_model(endpoint, waits)).kind == "rate_limit"
    assert (waits.seconds, len(endpoint.requests)) == ([], 1)


def test_requests_that_failed_together_come_back_apart(endpoint: Server, waits: Waits) -> None:
    endpoint.answers = [send({}, status=503)]
    failure_of(OpenAIModel("m", Endpoint(endpoint.base_url, KEY), sleep=waits))
    assert all(full / 2 <= wait <= full for wait, full in zip(waits.seconds, [0.5, 1, 2, 4], strict=True))
    assert len({wait / full for wait, full in zip(waits.seconds, [0.5, 1, 2, 4], strict=True)}) == 4


def test_retry_after_as_a_date(endpoint: Server, waits: Waits) -> None:
    endpoint.answers = [send({}, status=503, Retry_After=formatdate(time.time() + 20, usegmt=True)), chat("Hi")]
    generate(open_model(endpoint, waits))
    assert 15 < waits.seconds[0] <= 20


@pytest.mark.parametrize("is_streamed", [False, True])
@pytest.mark.parametrize(
    ("status", "expected", "num_tries"),
    [
        (429, ("rate_limit", "PERSONAMEM_CONCURRENCY"), 5),
        (500, ("server", "try again later"), 5),
        (401, ("auth", "PERSONAMEM_API_KEY"), 1),
        (404, ("bad_request", "it has the model 'm'"), 1),
        (400, ("bad_request", "does not take this request"), 1),
    ],
)
def test_lasting_trouble(
    status: int, expected: tuple[str, str], num_tries: int, is_streamed: bool, endpoint: Server, waits: Waits
) -> None:
    endpoint.answers = [send({"error": {"message": f"no:\n{KEY} is not welcome"}}, status=status)]
    error = failure_of(open_model(endpoint, waits), is_streamed=is_streamed)
    assert error.kind == expected[0]
    assert expected[1] in str(error)
    assert f"answered {status} (no: [key] is not welcome)" in str(error)
    assert len(endpoint.requests) == num_tries


def test_an_empty_account_is_not_asked_again(endpoint: Server, waits: Waits) -> None:
    endpoint.answers = [send({"error": {"message": "You exceeded it", "code": "insufficient_quota"}}, status=429)]
    assert "add credit" in str(failure_of(open_model(endpoint, waits)))
    assert waits.seconds == []


@pytest.mark.parametrize(
    ("answer", "num_tries"),
    [
        (send(HTML, content_type="text/html"), 1),
        (send(HTML), 3),
        (send("{not json"), 3),
        (send(""), 3),
        (send(b"\xff\xfe\x00"), 3),
        (send("[" * 100_000), 3),
        (send("[1, 2]"), 3),
        (send("null"), 3),
        (send({}), 3),
        (send({"choices": []}), 3),
        (send({"choices": None}), 3),
        (send({"choices": ["text"]}), 3),
        (send({"choices": [{"message": "text"}]}), 3),
        (send({"choices": [{"text": "the old API"}]}), 3),
        (send({"error": {"message": f"sorry, {KEY}"}}), 3),
        (send({"choices": [{"message": {"content": None}}]}), 3),
        (chat(None), 1),
    ],
)
def test_nonsense(answer: Answer, num_tries: int, endpoint: Server, waits: Waits) -> None:
    endpoint.answers = [answer]
    error = failure_of(open_model(endpoint, waits))
    assert error.kind == "bad_reply"
    assert "did not send a usable reply" in str(error)
    assert len(endpoint.requests) == num_tries


def test_a_reply_that_was_cut_on_its_way_is_asked_for_again(endpoint: Server, waits: Waits) -> None:
    endpoint.answers = [send('{"choices": [{"mess'), send({"choices": []}), chat("Hi")]
    with watch_attempts() as attempts:
        model = open_model(endpoint, waits)
        assert asyncio.run(closing(model, model.generate(HELLO))).text == "Hi"
    assert [attempt.status for attempt in attempts] == ["bad_reply", "bad_reply", "ok"]


def test_a_prompt_that_is_too_long_is_refused_once_and_teaches_nothing(endpoint: Server, waits: Waits) -> None:
    said = "'max_completion_tokens' is too large: 8000. This model's maximum context length is 4096 tokens"
    endpoint.answers = [send({"error": {"message": said}}, status=400)]
    model = open_model(endpoint, waits)
    assert "the prompt is longer than the model reads" in str(failure_of(model))
    failure_of(model)
    assert ["max_tokens" in request for request in endpoint.requests] == [True, True]


def test_cached_tokens_are_read(endpoint: Server, waits: Waits) -> None:
    details = {"prompt_tokens": 70, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 64}}
    endpoint.answers = [chat("Hi", usage=details)]
    assert generate(open_model(endpoint, waits)) == Completion("Hi", Usage(70, 2), "stop", 64)


def test_html_error_page_is_not_quoted(endpoint: Server, waits: Waits) -> None:
    endpoint.answers = [send(HTML, status=502, content_type="text/html")]
    assert "answered 502 (an HTML page)" in str(failure_of(open_model(endpoint, waits)))


@pytest.mark.parametrize("broken", [b"garbage", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{}"])
def test_broken_http(broken: bytes, endpoint: Server, waits: Waits) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(broken)
        handler.close_connection = True

    endpoint.answers = [answer]
    assert failure_of(open_model(endpoint, waits)).kind == "refused"


def test_false_compression(endpoint: Server, waits: Waits) -> None:
    endpoint.answers = [send("plain", Content_Encoding="gzip")]
    assert failure_of(open_model(endpoint, waits)).kind in {"refused", "bad_reply"}


@pytest.mark.parametrize(
    ("complaint", "gone"),
    [("Use 'max_completion_tokens' instead of 'max_tokens'.", "max_tokens"), ("Extra inputs: seed", "seed")],
)
def test_parameters_that_the_endpoint_names_are_left_out(
    complaint: str, gone: str, endpoint: Server, waits: Waits
) -> None:
    endpoint.answers = [send({"error": {"message": complaint}}, status=400), chat("Hi")]
    model = open_model(endpoint, waits)
    assert [generate(model).text, generate(model).text] == ["Hi", "Hi"]
    assert [gone in request for request in endpoint.requests] == [True, False, False]
    assert waits.seconds == []


def test_two_models_of_one_endpoint_share_its_limit(endpoint: Server, waits: Waits) -> None:
    lock, gate = threading.Lock(), threading.Event()
    running = most = 0

    def count(handler: BaseHTTPRequestHandler) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
            if running == 3:
                gate.set()
        gate.wait(5)
        with lock:
            running -= 1
        chat("Hi")(handler)

    endpoint.answers = [count]
    first, second = (open_model(endpoint, waits, num_concurrent=3, timeout_s=30) for _ in range(2))

    async def ask_all() -> None:
        await asyncio.gather(*(model.generate(HELLO) for model in (first, second) for _ in range(6)))
        await first.close()
        await second.close()

    asyncio.run(ask_all())
    assert most == 3
    assert len(endpoint.requests) == 12


def test_a_wait_holds_no_place(endpoint: Server) -> None:
    endpoint.answers = [send({}, status=429), chat("Hi")]

    async def ask_both() -> list[str]:
        order: list[str] = []

        async def other_first(_: float) -> None:
            order.append((await model.generate(HELLO)).text + " during the wait")

        model = OpenAIModel("m", Endpoint(endpoint.base_url, num_concurrent=1), sleep=other_first)
        order.append((await model.generate(HELLO)).text)
        await model.close()
        return order

    assert asyncio.run(ask_both()) == ["Hi during the wait", "Hi"]


@pytest.mark.parametrize(
    "base_url", ["localhost:8000/v1", "ftp://x/v1", "http://", "http://x:notaport/", "", "http://["]
)
def test_addresses_that_are_none(base_url: str) -> None:
    with pytest.raises(ProviderError, match="write it like"):
        OpenAIModel("m", Endpoint(base_url))


@pytest.mark.parametrize("key", ["schlüssel", "two\nlines"])
def test_keys_that_no_header_can_carry(key: str) -> None:
    with pytest.raises(ProviderError, match="set it anew") as caught:
        OpenAIModel("m", Endpoint("http://127.0.0.1/v1", key))
    assert key not in str(caught.value)


def test_what_was_pasted_around_address_and_key_is_cut_off(endpoint: Server) -> None:
    endpoint.answers = [chat("Hi")]
    generate(OpenAIModel("m", Endpoint(f" {endpoint.base_url}/chat/completions\n", f"{KEY}\n")))
    assert endpoint.headers[0]["authorization"] == f"Bearer {KEY}"


def test_secrets_in_the_address_are_not_shown() -> None:
    model = OpenAIModel("m", Endpoint("http://ann:pass@127.0.0.1/v1?token=abc", KEY))
    assert repr(model) == "OpenAIModel('m', Endpoint('http://127.0.0.1/v1', timeout_s=120, num_concurrent=8))"


def test_text_that_is_no_unicode(endpoint: Server, waits: Waits) -> None:
    endpoint.answers = [chat("Hi")]
    model = open_model(endpoint, waits)
    with pytest.raises(ProviderError, match="no valid Unicode"):
        asyncio.run(closing(model, model.generate([Message("user", "\ud83d")])))


def test_retry_policy_waits_are_capped() -> None:
    policy = RetryPolicy(max_attempts=9, first_wait_s=1, max_wait_s=5)
    assert [policy.wait_s(attempt, None, 0) for attempt in (1, 2, 3, 4)] == [1, 2, 4, 5]
    assert policy.wait_s(4, None, 1) == 2.5
    assert policy.wait_s(1, 60, 1) == 61, "a server's wish is never undercut"


def test_a_client_that_nobody_closes_is_closed_with_its_loop(
    endpoint: Server, waits: Waits, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[AsyncOpenAI] = []
    close = AsyncOpenAI.close

    async def note(client: AsyncOpenAI) -> None:
        closed.append(client)
        await close(client)

    monkeypatch.setattr(AsyncOpenAI, "close", note)
    endpoint.answers = [chat("Hi"), chat("Hi")]
    model = open_model(endpoint, waits)
    for num_closed in (1, 2):
        assert asyncio.run(model.generate(HELLO)).text == "Hi"
        assert len(closed) == num_closed
