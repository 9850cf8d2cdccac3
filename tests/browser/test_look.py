"""The page as a whole: every tab in both themes, on a phone and a desk, by keyboard, by link, nothing from outside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.browser.axe import find_serious, load_axe
from tests.browser.screenshots import keep_screenshot
from tests.conftest import require_extra

TABS = ["memory", "ask", "leaderboard", "submit", "about"]
QUESTION = "Two old friends are coming round"

SHOWN = "() => document.querySelector('#pm-tabs [role=tab][aria-selected=true]').id.split('-')[2]"
UNNAMED = """() => [...document.querySelectorAll('button, input:not([type=file]), textarea, select')]
  .filter((e) => e.checkVisibility() && !(e.innerText.trim() || e.ariaLabel || e.title || (e.labels && e.labels.length)
    || e.getAttribute('aria-labelledby'))).map((e) => e.outerHTML.slice(0, 120))"""
NO_RING = """() => {
  const e = document.activeElement, s = getComputedStyle(e), p = e.parentElement && getComputedStyle(e.parentElement);
  const has = (c) => (c.outlineStyle !== 'none' && parseFloat(c.outlineWidth) > 0) || c.boxShadow !== 'none';
  return e === document.body || has(s) || (p && has(p)) ? null : e.outerHTML.slice(0, 120);
}"""


class Watched:
    """A page that notes what it said on its console and whom it asked."""

    def __init__(self, browser: Any, *, width: int, scheme: str) -> None:
        # The checker is put into the page from outside, which the page's own policy does not allow.
        self.context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True
        )
        self.page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.said: list[str] = []
        self.hosts: set[str] = set()
        self.page.on("console", lambda m: self.said.append(m.text) if m.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.hosts.add(urlsplit(request.url).hostname or ""))

    def open(self, url: str) -> None:
        self.page.goto(url)
        self.page.wait_for_selector("#pm-tabs [role=tab]")
        self.page.wait_for_selector("#pm-build", state="attached")

    def turn_to(self, tab: str) -> None:
        # The page may not listen yet when it is first seen.
        for _ in range(20):
            self.page.click(f"#pm-tab-{tab}-button")
            if self.page.evaluate(SHOWN) == tab:
                break
            self.page.wait_for_timeout(100)
        self.page.wait_for_selector(f"#pm-tab-{tab}", state="visible")


@pytest.fixture(scope="module")
def axe(browser: Any) -> str:  # noqa: ARG001  (skips first where there is no browser)
    return load_axe()


def test_the_checker_is_there(axe: str) -> None:
    require_extra("axe", bool(axe), "axe-core is not there and `npm pack` cannot fetch it: install npm")


@pytest.fixture
def watch(browser: Any) -> Iterator[Callable[..., Watched]]:
    opened: list[Watched] = []

    def open_one(width: int = 1440, scheme: str = "light") -> Watched:
        opened.append(Watched(browser, width=width, scheme=scheme))
        return opened[-1]

    yield open_one
    for one in opened:
        one.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [380, 1440])
def test_every_tab_in_use_is_whole(
    page_url: str, watch: Callable[..., Watched], axe: str, width: int, scheme: str
) -> None:
    """Empty first, then with a memory and a question: readable, named, nothing sticking out, no complaint of axe."""
    seen = watch(width, scheme)
    page = seen.page
    seen.open(page_url)
    for state in ("empty", "used"):
        if state == "used":
            use_the_page(seen)
        for tab in TABS if state == "empty" else TABS[:2]:
            seen.turn_to(tab)
            page.wait_for_timeout(150)
            keep_screenshot(page, f"{tab}-{state}-{scheme}-{width}")
            assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{tab} sticks out"
            assert page.evaluate(UNNAMED) == [], f"{tab} has controls without a name"
            assert find_serious(page, axe) == [], f"{tab}, {state}"
    assert seen.said == []
    assert seen.hosts <= {"127.0.0.1", ""}


def use_the_page(seen: Watched) -> None:
    """Build a memory, open a bullet, take an example question."""
    page = seen.page
    seen.turn_to("memory")
    page.click("#pm-build")
    page.wait_for_selector("#pm-status .is-done")
    page.locator(".pm-open").first.click()
    page.wait_for_selector(".pm-sources")
    seen.turn_to("ask")
    page.click("#pm-examples input")
    page.locator("[role=option]").filter(has_text=QUESTION).first.click()
    page.wait_for_function(f"document.querySelector('#pm-question textarea').value.startsWith({QUESTION!r})")
    page.click("#pm-ask")
    page.wait_for_selector(".pm-option")


@pytest.mark.parametrize("place", ["?tab={}", "#{}"])
def test_links_open_their_tab(page_url: str, watch: Callable[..., Watched], place: str) -> None:
    for tab in ("leaderboard", "about"):
        seen = watch()
        seen.open(page_url + place.format(tab))
        seen.page.wait_for_function(f"({SHOWN})() === {tab!r}")
    seen.page.evaluate("location.hash = '#submit'")
    seen.page.wait_for_function(f"({SHOWN})() === 'submit'")
    seen.turn_to("ask")
    seen.page.wait_for_function("location.hash === '#ask'")
    seen.open(page_url + "?tab=%3Cscript%3E#nowhere")
    assert seen.page.evaluate(SHOWN) == "memory"


def test_the_keyboard_reaches_everything(page_url: str, watch: Callable[..., Watched]) -> None:
    seen = watch()
    page = seen.page
    seen.open(page_url)
    page.wait_for_timeout(500)
    page.focus("#pm-tab-memory-button")
    for tab in [*TABS[1:], "memory"]:
        page.keyboard.press("ArrowRight")
        page.wait_for_function(f"({SHOWN})() === {tab!r}")
        assert page.evaluate("document.activeElement.id") == f"pm-tab-{tab}-button"
    reached, ringless = set(), list[str]()
    for _ in range(30):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.closest('[id^=pm-]')?.id"))
        ringless += filter(None, [page.evaluate(NO_RING)])
    assert {"pm-persona", "pm-build"} <= reached, reached
    assert ringless == []
    page.focus("#pm-build")
    page.keyboard.press("Enter")
    page.wait_for_selector("#pm-status .is-done")


def test_the_picture_of_the_readme(page_url: str, watch: Callable[..., Watched]) -> None:
    seen = watch(width=1280)
    seen.open(page_url)
    use_the_page(seen)
    seen.turn_to("memory")
    path = keep_screenshot(seen.page, "readme-memory", is_whole=False)
    assert path.stat().st_size > 20_000
