"""The page as a whole: every tab in both themes, on a phone and a desk, by keyboard, by link, nothing from outside."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.browser.screenshots import keep_screenshot
from tests.browser.watched import NO_RING, SHOWN, Watched, check_look
from tests.conftest import require_extra

TABS = ["memory", "ask", "leaderboard", "submit", "about"]
QUESTION = "Two old friends are coming round"


def test_the_checker_is_there(axe: str) -> None:
    require_extra("axe", bool(axe), "axe-core is not there and `npm pack` cannot fetch it: install npm")


@pytest.mark.parametrize(
    ("width", "scheme"),
    [
        (380, "dark"),
        (1440, "light"),
        pytest.param(380, "light", marks=pytest.mark.slow),
        pytest.param(1440, "dark", marks=pytest.mark.slow),
    ],
)
def test_every_tab_in_use_is_whole(
    page_url: str, watch: Callable[..., Watched], axe: str, width: int, scheme: str
) -> None:
    """Empty first, then with a memory and a question: readable, named, nothing sticking out, no complaint of axe.

    Contrast goes by the theme and the order of things by the width: axe looks at each of them once.
    """
    seen = watch(width, scheme)
    checker = axe if (width, scheme) in ((380, "dark"), (1440, "light")) else ""
    page = seen.page
    seen.open(page_url)
    for state in ("empty", "used"):
        if state == "used":
            use_the_page(seen)
        for tab in TABS if state == "empty" else TABS[:2]:
            seen.turn_to(tab)
            check_look(page, checker, width=width, what=f"{tab}, {state}")
            keep_screenshot(page, f"{tab}-{state}-{scheme}-{width}")
    assert seen.said == []
    assert seen.hosts <= {"127.0.0.1", ""}


def test_nothing_moves_where_less_motion_is_wanted(page_url: str, watch: Callable[..., Watched]) -> None:
    seen = watch()
    seen.open(page_url)
    moving = """[...document.querySelectorAll('#pm-build, #pm-tabs [role=tab]')].map((e) => getComputedStyle(e))
        .filter((s) => parseFloat(s.transitionDuration) > .001).length"""
    assert seen.page.evaluate(moving) > 0
    seen.page.emulate_media(reduced_motion="reduce")
    assert seen.page.evaluate(moving) == 0


def use_the_page(seen: Watched) -> None:
    """Build a memory, open a bullet, take an example question."""
    page = seen.page
    seen.turn_to("memory")
    page.click("#pm-build")
    page.wait_for_selector("#pm-status .is-done")
    page.wait_for_selector("#pm-stop[disabled]")
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
