"""A visitor signs in as on the Hub and answers with a quota of their own; the token is used, never printed or kept."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.browser.conftest import ROOT, end_process
from tests.browser.watched import WAIT_MS, wait_until_live
from tests.conftest import require_extra
from tests.hub_server import HubServer, free_port
from tests.oidc_provider import CLIENT, REPLY, SECRET, OidcProvider, serve_provider
from tests.page_visitor import PageVisitor

HOST = "personamem-page.example"
"""The name that the Hub gives a Space; its edge ends TLS there and sends what comes on to the page."""

TOKEN = "hf_alice"
"""That of an account on the tests' Hub."""


@contextmanager
def serve_space(folder: Path, **settings: str) -> Iterator[str]:
    """Run the page as a Space does: its folder with the toolkit beside app.py, and nothing of the checkout.

    The checkout's own folder `spaces` would stand for the Hub's package of that name.
    """
    app, port, log = folder / "app", free_port(), folder / "log"
    shutil.copytree(ROOT / "spaces" / "personamem", app, ignore=shutil.ignore_patterns("__pycache__"))
    (app / "hub_toolkit").symlink_to(ROOT / "hub_toolkit")
    env = {
        "PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": sysconfig.get_path("purelib"),
        "GRADIO_SERVER_PORT": str(port), "GRADIO_SERVER_NAME": "127.0.0.1", "GRADIO_ANALYTICS_ENABLED": "False",
        "PERSONAMEM_CACHE": str(folder), "GRADIO_TEMP_DIR": str(folder / "uploads"), "NO_PROXY": "127.0.0.1",
    }  # fmt: skip
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-S", "app.py"], cwd=app, env=env | settings, stdout=output, stderr=output
        )
    url = f"http://127.0.0.1:{port}/"
    try:
        for _ in range(1_500):
            assert process.poll() is None, log.read_text("utf-8", "replace")
            try:
                httpx.get(f"{url}config", trust_env=False)
                break
            except httpx.TransportError:
                time.sleep(0.1)
        yield url
    finally:
        end_process(process)


@pytest.fixture(scope="module")
def provider() -> Iterator[OidcProvider]:
    for name in ("gradio", "authlib", "itsdangerous"):
        require_extra("space", importlib.util.find_spec(name) is not None, f"{name} is not installed")
    with serve_provider("alice", TOKEN) as server:
        yield server


@pytest.fixture
def sign_in(space: str) -> Iterator[Callable[[], SignIn]]:
    """Opens browsers."""
    opened: list[SignIn] = []

    def open_one() -> SignIn:
        opened.append(SignIn(space))
        return opened[-1]

    yield open_one
    for one in opened:
        one.client.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("space")


@pytest.fixture(scope="module")
def space(provider: OidcProvider, hub: HubServer, folder: Path) -> Iterator[str]:
    env: dict[str, Any] = {
        "SYSTEM": "spaces", "SPACE_ID": "personamem/page", "SPACE_HOST": HOST, "OAUTH_CLIENT_ID": CLIENT,
        "OAUTH_CLIENT_SECRET": SECRET, "OAUTH_SCOPES": "openid profile", "OPENID_PROVIDER_URL": provider.url,
        "PERSONAMEM_ROUTER_URL": f"{provider.url}/v1", "HF_ENDPOINT": hub.url, "HF_HOME": str(folder / "client"),
    }  # fmt: skip
    with serve_space(folder, **env) as url:
        yield url


class SignIn:
    """A browser that follows the sign-in from the page to the provider and back, with the cookie that it was given."""

    def __init__(self, space: str) -> None:
        self.client = httpx.Client(base_url=space, trust_env=False, timeout=60)
        self.cookie = ""

    def get(self, path: str) -> httpx.Response:
        """Ask the page; where it sends the visitor next is not followed."""
        answer = self.client.get(path, headers={"cookie": self.cookie} if self.cookie else {})
        for given in answer.headers.get_list("set-cookie"):
            self.cookie, _, how = given.partition(";")
            assert {"httponly", "secure"} <= {part.strip().casefold() for part in how.split(";")}
        return answer

    def agree(self, *, at: str = "login/huggingface") -> str:
        """Go to the provider; return the path at which it sends the visitor back to the Space."""
        away = self.get(at)
        back = httpx.get(away.headers["location"], trust_env=False, timeout=60).headers["location"]
        parts = urlsplit(back)
        assert (parts.scheme, parts.netloc, parts.path) == ("https", HOST, "/login/callback")
        return f"{parts.path}?{parts.query}"


def sign_cookie(info: dict[str, Any]) -> str:
    """Return a cookie with the page's own signature."""
    import itsdangerous

    key = hashlib.sha256(f"{SECRET}-v4".encode()).hexdigest()
    data = base64.b64encode(json.dumps({"oauth_info": info}).encode())
    return f"session={itsdangerous.TimestampSigner(key).sign(data).decode()}"


def read_cookie(cookie: str) -> dict[str, Any]:
    """Return what a cookie of the page says."""
    return dict(json.loads(base64.b64decode(cookie.partition("=")[2].split(".")[0])))


def ask(visitor: PageVisitor) -> str:
    """Build a memory, ask, and return all that came back from here on."""
    visitor.fire("pm-build")
    visitor.seen.clear()
    visitor.values[visitor.component("pm-question")] = "What shall I bake?"
    visitor.fire("pm-ask")
    return visitor.seen_text


def choose_own(visitor: PageVisitor, model: str) -> str:
    """Ask for one's own quota with a model; return what the page says to that."""
    visitor.values[visitor.component("pm-own-model")] = model
    visitor.fire("pm-own")
    return str(visitor.values[visitor.component("pm-quota")])


def test_own_quota_after_a_sign_in_with_a_token_that_stays_nowhere(
    space: str, sign_in: Callable[[], SignIn], provider: OidcProvider, folder: Path
) -> None:
    visit = sign_in()
    back = visit.get(visit.agree(at="login/huggingface?_target_url=/%3Ftab%3Dsubmit"))
    assert (back.status_code, back.headers["location"]) == (307, "/?tab=submit")
    assert read_cookie(visit.cookie)["oauth_info"]["access_token"] == TOKEN
    with PageVisitor(space, headers={"cookie": visit.cookie}) as alice:
        assert "some/model-1:provider" in choose_own(alice, "some/model-1:provider")
        assert REPLY in ask(alice)
        num_asked = len(provider.keys)
        assert num_asked and set(provider.keys) == {f"Bearer {TOKEN}"}
        assert set(provider.models) == {"some/model-1:provider"}
        assert TOKEN not in alice.seen_text
        for wrong in ("http://169.254.169.254/x", "a/b/c", "../..", "x" * 150):
            assert 'role="alert"' in choose_own(alice, wrong)
    visit.get("logout")
    with PageVisitor(space, headers={"cookie": visit.cookie}) as out:
        assert "sign in first" in choose_own(out, "some/model-1")
        ask(out)
    assert len(provider.keys) == num_asked
    check_nothing_kept(folder)


def test_a_browser_signs_in_and_asks_nobody_else(space: str, browser: Any) -> None:
    """In a Space: with the page's own policy, nothing on the console, and back at the page with a name."""
    context = browser.new_context()
    page, said, asked = context.new_page(), list[str](), set[str]()
    page.on("console", lambda message: said.append(message.text))
    page.on("request", lambda request: asked.add(str(urlsplit(request.url).hostname)))
    page.set_default_timeout(WAIT_MS)
    page.goto(space)
    wait_until_live(page)
    assert (said, asked - {"127.0.0.1"}) == ([], set())

    def end_tls(route: Any) -> None:
        """Follow the way over the provider, whose address for the way back has no server in a test."""
        away = route.fetch(max_redirects=0)
        back = httpx.get(away.headers["location"], trust_env=False, timeout=60).headers["location"]
        headers = {"set-cookie": away.headers["set-cookie"], "location": back.replace(f"https://{HOST}/", space)}
        route.fulfill(status=302, headers=headers)

    context.route(re.compile("/login/huggingface"), end_tls)
    page.locator("#pm-sign-in button").first.click()
    with page.expect_navigation():
        page.click("#pm-login")
    page.wait_for_selector("#pm-build")
    page.locator("#pm-sign-in button").first.click()
    page.wait_for_selector("#pm-login:has-text('alice')")
    page.locator("#pm-tools [role=tab]").filter(has_text="Keep").first.click()
    page.wait_for_selector("#pm-keep >> text=Signed in as alice")
    assert (said, asked - {"127.0.0.1"}) == ([], set())
    context.close()


def check_nothing_kept(folder: Path) -> None:
    """Neither the visitor's token nor the Space's secret was printed or written anywhere."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert folder / "log" in files
    assert [path for path in files if any(word.encode() in path.read_bytes() for word in (TOKEN, SECRET))] == []


def test_a_memory_is_kept_in_the_visitors_own_private_dataset(
    space: str, sign_in: Callable[[], SignIn], hub: HubServer, folder: Path
) -> None:
    """Saved on one visit, loaded on the next, closed to others; the token is not left behind."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import RepositoryNotFoundError

    visit = sign_in()
    visit.get(visit.agree())
    with PageVisitor(space, headers={"cookie": visit.cookie}) as first:
        first.values[first.component("pm-add-text")] = "I bake rye bread on Thursdays"
        first.fire("pm-add")
        first.fire("pm-save")
        assert "Saved to your private dataset alice/personamem-memory" in first.values[first.component("pm-notice")]
        assert TOKEN not in first.seen_text
    with PageVisitor(space, headers={"cookie": visit.cookie}) as second:
        second.fire("pm-load")
        assert "rye bread" in second.values[second.component("pm-memory")]
    with PageVisitor(space) as nobody:
        nobody.fire("pm-load")
        assert "Sign in" in nobody.values[nobody.component("pm-notice")]
        assert "rye bread" not in nobody.seen_text
    with pytest.raises(RepositoryNotFoundError):
        HfApi(endpoint=hub.url, token="hf_bob").dataset_info("alice/personamem-memory")
    check_nothing_kept(folder)


def test_a_program_sends_in_the_name_of_the_cookie_and_another_sites_page_does_not(
    space: str, sign_in: Callable[[], SignIn], folder: Path
) -> None:
    visit = sign_in()
    visit.get(visit.agree())

    def submit(**headers: str) -> str:
        with httpx.Client(base_url=space, trust_env=False, headers=headers, timeout=60) as program:
            sent = {"predictions": "", "meta": "", "name": "somebody"}
            begun = program.post("gradio_api/call/v2/submit", json=sent).json()
            return program.get(f"gradio_api/call/submit/{begun['event_id']}").text

    assert "has no leaderboard" in submit(cookie=visit.cookie)  # it is known who sends; this page has no table
    assert "sign in first" in submit()
    for place in ("cross-site", "same-site"):
        assert "sign in first" in submit(cookie=visit.cookie, **{"sec-fetch-site": place})
    check_nothing_kept(folder)


def test_nobody_is_signed_in_by_a_stale_or_forged_answer(
    space: str, sign_in: Callable[[], SignIn], provider: OidcProvider
) -> None:
    """A code that was used, another's state, a refusal at the provider, a forged cookie, one that has ended."""
    victim, other = sign_in(), sign_in()
    used = victim.agree()
    victim.get(used)
    num_issued = provider.num_issued
    assert other.get(used).status_code < 400  # without the state in a cookie of its own: sent to sign in again
    other.agree()
    assert other.get(used).status_code < 400
    provider.is_refused = True
    try:
        refused = other.get(other.agree())
    finally:
        provider.is_refused = False
    assert (refused.status_code, refused.headers["location"]) == (307, "/")
    assert provider.num_issued == num_issued and "oauth_info" not in read_cookie(other.cookie)
    info = read_cookie(victim.cookie)["oauth_info"]
    ended = sign_cookie({**info, "expires_at": int(time.time()) - 1})
    for cookie in ("", victim.cookie.replace(".", "x.", 1), ended):
        with PageVisitor(space, headers={"cookie": cookie}) as nobody:
            assert "sign in first" in choose_own(nobody, "some/model-1"), cookie
