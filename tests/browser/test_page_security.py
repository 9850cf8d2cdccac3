"""Probes against the running page: what a visitor must not read, send, make the server fetch, or make others run."""

from __future__ import annotations

import importlib.util
import io
import json
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from personamem_ui.limits import UPLOAD_BODY_BYTES
from tests.browser.conftest import serve_page
from tests.browser.watched import WAIT_MS, wait_until_live
from tests.conftest import require_extra
from tests.page_visitor import PageVisitor

ATTACKS = (
    "<script>window.hacked=1</script>",
    '<img src=x onerror="window.hacked=1">',
    '<svg onload="window.hacked=1"><a href="javascript:window.hacked=1">x</a></svg>',
    "[click](javascript:window.hacked=1) ![spy](http://127.0.0.1:9/spy.png)",
    '<iframe srcdoc="<script>parent.hacked=1</script>"></iframe>',
)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("probed")


@pytest.fixture(scope="module")
def probed(cache: Path) -> Iterator[str]:
    """A page of its own: probes use up the rates of an address."""
    require_extra("space", importlib.util.find_spec("gradio") is not None, "no Gradio: pip install -e '.[space]'")
    with serve_page(cache) as url:
        yield url


@pytest.fixture
def visitor(probed: str) -> Iterator[PageVisitor]:
    with PageVisitor(probed) as opened:
        yield opened


class Trap(ThreadingHTTPServer):
    """A neighbour on this machine who must never be asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Trapped)
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Trapped(BaseHTTPRequestHandler):
    server: Trap

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"secret of the neighbour")

    do_POST = do_HEAD = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def trap() -> Iterator[Trap]:
    server = Trap()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join(20)
    server.server_close()


@pytest.mark.parametrize(
    "path",
    [
        "gradio_api/file=/etc/passwd",
        "gradio_api/file=../../../../../../etc/passwd",
        "gradio_api/file=%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "gradio_api/file=%2Fetc%2Fpasswd",
        "gradio_api/file=file:///etc/passwd",
        "gradio_api/file=/proc/self/environ",
        "gradio_api/file/etc/passwd",
        "gradio_api/file=spaces/personamem/app.py",
        f"gradio_api/file={Path(__file__).resolve().parents[2] / 'pyproject.toml'}",
        "static/..%2f..%2f..%2f..%2fetc%2fpasswd",
        "assets/..%2f..%2f..%2f..%2fetc%2fpasswd",
        "svelte/..%2f..%2f..%2fetc%2fpasswd",
        "custom_component/x/y/z/..%2f..%2fetc%2fpasswd",
        "gradio_api/deep_link",
        "gradio_api/run-history/records",
        "monitoring",
        "gradio_api/monitoring",
    ],
)
def test_no_file_and_no_inner_page_is_read(visitor: PageVisitor, path: str) -> None:
    answer = visitor.client.get(path)
    assert answer.status_code in (400, 403, 404, 405)
    assert not any(word in answer.text for word in ("root:x", "build-system", "PATH=", "load_settings"))


@pytest.mark.parametrize("path", ["/etc/passwd", "/proc/self/environ", "../../etc/passwd", "app.py"])
def test_no_event_takes_a_file_of_the_server(visitor: PageVisitor, path: str) -> None:
    for elem_id, number in every_file_field(visitor):
        kind = "upload" if visitor.config_type(number) == "uploadbutton" else "change"
        for event in visitor.events(elem_id, kind):
            visitor.values[number] = {"path": path, "orig_name": "x.json", "meta": {"_type": "gradio.FileData"}}
            assert not visitor.run(event).get("success"), elem_id
        visitor.values[number] = None
    assert "root:" not in visitor.seen_text and "PATH=" not in visitor.seen_text


def every_file_field(visitor: PageVisitor) -> list[tuple[str, int]]:
    kinds = ("uploadbutton", "file")
    named = {number: elem_id for elem_id, number in visitor.numbers.items()}
    found = [(named[n], n) for n in named if visitor.config_type(n) in kinds]
    assert found
    return found


HOSTS = (
    *("169.254.169.254", "[::1]", "127.0.0.1", "localhost", "0x7f000001", "2130706433", "0177.0.0.1", "127.1"),
    *("[::ffff:127.0.0.1]", "[fe80::1%25lo]", "metadata.google.internal", "user:pass@127.0.0.1"),
)


@pytest.mark.parametrize("host", HOSTS)
def test_no_request_makes_the_server_fetch(visitor: PageVisitor, trap: Trap, host: str) -> None:
    port = trap.server_address[1]
    url = f"http://{host}:{port}/latest/meta-data/"
    for path in (f"gradio_api/file={url}", f"gradio_api/proxy={url}", f"gradio_api/file=//{host}:{port}/"):
        assert visitor.client.get(path).status_code in (400, 403, 404)
    field = visitor.component("pm-upload")
    for address in (url, f" {url}", f"//{host}:{port}/", url.upper()):
        for named in ({"path": address}, {"path": address, "url": address}):
            file = {**named, "orig_name": "x.json", "meta": {"_type": "gradio.FileData"}}
            for event in visitor.events("pm-upload", "upload"):
                data = [file if number == field else None for number in event["inputs"]]
                assert visitor.send(event["id"], data).status_code == 400
    deep = {"data": [[{"a": [{"path": url, "meta": {"_type": "gradio.FileData"}}]}]], "fn_index": 0}
    assert visitor.client.post("gradio_api/queue/join", json=deep).status_code == 400
    assert trap.asked == []


def test_text_fields_of_the_submission_fetch_no_address(visitor: PageVisitor, trap: Trap) -> None:
    port = trap.server_address[1]
    fields = [n for n in visitor.numbers.values() if visitor.config_type(n) == "textbox"]
    buttons = [
        event
        for elem_id, number in visitor.numbers.items()
        if visitor.config_type(number) == "button" and elem_id.startswith(("pm-submit", "pm-row"))
        for event in visitor.events(elem_id, "click")
    ]
    assert len(buttons) >= 3
    places = [f"http://{host}:{port}/latest/meta-data/" for host in HOSTS]
    places += [
        f"127.0.0.1:{port}/x",
        f"//127.0.0.1:{port}/x",
        f"hf://127.0.0.1:{port}/x",
        f"..%2f..%2f127.0.0.1:{port}",
    ]
    for place in places:
        for number in fields:
            visitor.values[number] = place
        for event in buttons:
            assert visitor.run(event)["msg"] == "process_completed"
    assert trap.asked == []
    assert "secret of the neighbour" not in visitor.seen_text


def test_a_revision_leads_to_no_neighbour(visitor: PageVisitor, trap: Trap) -> None:
    """The one address that a visitor can choose a part of is a file's on the page's own Hub."""
    names = {
        "repo": "owner/name",
        "revision": f"main/../../@127.0.0.1:{trap.server_address[1]}",
        "predictions-path": "a",
    }
    for name, text in names.items():
        visitor.values[visitor.component(f"pm-submit-{name}")] = text
    visitor.fire("pm-submit-check-hub")
    said = visitor.values[visitor.component("pm-submit-result")]
    assert "pm-alert" in said or "Error" in said
    assert trap.asked == []


def test_what_is_not_there_is_refused_cleanly(visitor: PageVisitor) -> None:
    for path, body, status in (
        ("call/nosuch", {"data": []}, 404),
        ("call/on_save", {"data": []}, 404),  # the page's own, not for programs
        ("call/compare", {"data": ["one"]}, 422),
        ("call/v2/compare", {"nosuch": 1}, 422),
        ("queue/join", {"data": [], "fn_index": 10**6, "session_hash": "x"}, 404),
        ("run/leaderboard", {"data": ["", "mcq", "", "", "", 1]}, 404),  # would pass by the queue
    ):
        answer = visitor.client.post(f"gradio_api/{path}", json=body)
        assert (answer.status_code, bool(answer.json()["detail"])) == (status, True), path


def endless(part: bytes) -> Iterator[bytes]:
    yield b'--q\r\nContent-Disposition: form-data; name="files"; filename="a.json"\r\n\r\n'
    while True:
        yield part


def endless_files() -> Iterator[bytes]:
    while True:
        yield b'--q\r\nContent-Disposition: form-data; name="files"; filename="a.json"\r\n\r\n' + b"x" * 2**20 + b"\r\n"


def endless_json() -> Iterator[bytes]:
    yield b'{"data": ["'
    while True:
        yield b"x" * 65_536


@pytest.mark.parametrize(
    ("path", "body", "kind"),
    [
        ("gradio_api/upload", lambda: endless(b"x" * 65_536), "multipart/form-data; boundary=q"),
        ("gradio_api/upload", endless_files, "multipart/form-data; boundary=q"),
        ("gradio_api/queue/join", endless_json, "application/json"),
        ("gradio_api/call/leaderboard", endless_json, "application/json"),
    ],
    ids=["one-file", "many-files", "event", "call"],
)
def test_an_upload_without_end_is_cut_off(
    visitor: PageVisitor, path: str, body: Callable[[], Iterator[bytes]], kind: str
) -> None:
    num_sent = 0

    def counted() -> Iterator[bytes]:
        nonlocal num_sent
        for part in body():
            num_sent += len(part)
            yield part

    try:
        answer = visitor.client.post(path, content=counted(), headers={"content-type": kind})
        assert answer.status_code == 413
    except httpx.TransportError:
        pass  # the server hung up while this side was still sending
    assert num_sent < 2 * UPLOAD_BODY_BYTES
    assert visitor.client.get("config").status_code == 200


def test_nesting_without_end_is_refused(visitor: PageVisitor) -> None:
    for body in (b"[" * 100_000, b'{"a":' * 100_000, b"[" * 300 + b"]" * 300):
        answer = visitor.client.post(
            "gradio_api/queue/join", content=body, headers={"content-type": "application/json"}
        )
        assert answer.status_code == 400


class _nothing:  # noqa: N801
    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


def test_a_call_takes_no_memory_that_is_none(visitor: PageVisitor, trap: Trap) -> None:
    """The API holds nothing between calls; what comes in as a memory is small, of a known shape, and no address."""
    file = {"path": f"{trap.url}/x", "meta": {"_type": "gradio.FileData"}}
    answer = visitor.client.post("gradio_api/call/v2/show", json={"memory": {"past": [file]}})
    assert answer.status_code == 400 and trap.asked == []
    for memory, said in (
        ({"format": "personamem-memory", "format_version": 1, "memory": {}, "x": "x" * 2**21}, "longer than"),
        ({"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}, "event: error"),
        ({"format": "../../etc/passwd"}, "not a memory"),
    ):
        begun = visitor.client.post("gradio_api/call/v2/show", json={"memory": memory}).json()
        told = visitor.client.get(f"gradio_api/call/show/{begun['event_id']}").text
        assert said in told and "root:" not in told, told


def test_bombs_are_refused_and_cost_nothing(visitor: PageVisitor, tmp_path: Path, cache: Path) -> None:
    """A ZIP that would be 512 MB, one with a way out of its folder, and JSON nested without end."""
    zeros = io.BytesIO()
    with (
        zipfile.ZipFile(zeros, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed,
        packed.open("conversations.json", "w", force_zip64=True) as member,
    ):
        for _ in range(32):
            member.write(b" " * 2**24)
    outside = io.BytesIO()
    with zipfile.ZipFile(outside, "w") as packed:
        packed.writestr("../../../../tmp/personamem-escaped.json", "[]")
    bombs = {"bomb.zip": zeros.getvalue(), "outside.zip": outside.getvalue(), "deep.json": b"[" * 200_000}
    for name, raw in bombs.items():
        (tmp_path / name).write_bytes(raw)
        visitor.values[visitor.component("pm-upload")] = visitor.upload(tmp_path / name)
        visitor.fire("pm-upload", "upload")
        assert "pm-alert" in visitor.values[visitor.component("pm-history")], name
    assert not Path("/tmp/personamem-escaped.json").exists()
    assert [p for p in (cache / "uploads").rglob("*") if p.is_file() and p.suffix in (".zip", ".json")] == []


def test_every_answer_tells_the_browser_what_it_may_load(visitor: PageVisitor) -> None:
    for path in ("", "config", "theme.css", "gradio_api/info"):
        headers = visitor.client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'self'" in policy and "object-src 'none'" in policy and "connect-src 'self'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert "*" not in policy.replace("https://*.huggingface.co", "")


def test_an_uploaded_page_is_never_run(visitor: PageVisitor, tmp_path: Path) -> None:
    for name in ("a.html", "a.svg", "a.json"):
        (tmp_path / name).write_text(ATTACKS[0])
        path = visitor.upload(tmp_path / name)["path"]
        answer = visitor.client.get(f"gradio_api/file={path}")
        assert "sandbox" in answer.headers["content-security-policy"]
        if name != "a.json":
            assert "attachment" in answer.headers["content-disposition"]


def test_hostile_memory_stays_text_and_loads_nothing(probed: str, browser: Any, trap: Trap, tmp_path: Path) -> None:
    context = browser.new_context()
    page, asked = context.new_page(), list[str]()
    page.on("request", lambda request: asked.append(request.url))
    page.set_default_timeout(WAIT_MS)
    page.goto(probed)
    wait_until_live(page)
    contents = [f"I always bake my loaf number {i} on a Friday.\n\n{attack}" for i, attack in enumerate(ATTACKS)]
    contents.append(f"My favourite picture of a cat is ![cat]({trap.url}/cat.png) <img src={trap.url}/cat2.png>")
    messages = [
        {"role": role, "content": text} for text in contents for role, text in (("user", text), ("assistant", "ok"))
    ]
    path = tmp_path / "<img src=x onerror=hacked=1>.json"
    path.write_text(json.dumps(messages))
    page.set_input_files("#pm-tab-memory input[type=file] >> nth=0", path)
    page.wait_for_selector("#pm-history:has-text('12 messages')")
    page.click("#pm-build")
    page.wait_for_selector("#pm-status .is-done")
    assert page.locator(".pm-open").count() > 0
    for place in range(page.locator(".pm-open").count()):
        page.locator(".pm-open").nth(place).click()
        page.wait_for_selector(f".pm-bullets > li:nth-child({place + 1}) .pm-sources")
    # What a chat brings as markup is not kept; what its owner writes is.
    page.locator(".pm-sources textarea").first.fill(f"Mine: {' '.join(ATTACKS)} <img src={trap.url}/own.png>")
    page.locator(".pm-sources button").filter(has_text="Save words").first.click()
    page.wait_for_selector(".pm-text:has-text('Mine: <script>')")
    page.evaluate(f"document.body.insertAdjacentHTML('beforeend', '<img src={trap.url}/direct.png>')")
    page.wait_for_timeout(500)
    assert page.evaluate("window.hacked") is None
    assert page.locator("#pm-memory :is(img, script, iframe, svg, a)").count() == 0
    assert trap.asked == []  # not even what was put into the page by hand: the policy holds
    context.close()


def test_rates_hold(probed: str) -> None:
    """By an address of its own, so that the other probes are not told to wait."""
    with httpx.Client(base_url=probed, trust_env=False, timeout=60) as client:
        refused = b"[" * 80 + b"]" * 80  # costs the server nothing, and counts as a call

        def call(address: str = "8.8.4.4", name: str = "call/leaderboard") -> httpx.Response:
            return client.post(f"gradio_api/{name}", content=refused, headers={"x-forwarded-for": address})

        ways = ("call/leaderboard", "call/remember", "call/v2/forget", "call/submit", "mcp/")  # all of one rate
        codes = [call(name=ways[number % len(ways)]).status_code for number in range(400)]
        assert set(codes[:100]) == {400} and 429 in codes
        again = call()
        assert again.status_code == 429 and int(again.headers["retry-after"]) >= 1
        assert call("9.9.9.9").status_code == 400  # another address has a rate of its own
        assert client.get("config").status_code == 200
