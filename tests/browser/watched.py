"""An opened page that notes what it said on its console and whom it asked, and what a look at it finds wrong."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from tests.browser.axe import find_serious

SHOWN = "() => document.querySelector('#pm-tabs [role=tab][aria-selected=true]').id.split('-')[2]"
UNNAMED = """() => [...document.querySelectorAll('button, input:not([type=file]), textarea, select')]
  .filter((e) => e.checkVisibility() && !(e.innerText.trim() || e.ariaLabel || e.title || (e.labels && e.labels.length)
    || e.getAttribute('aria-labelledby'))).map((e) => e.outerHTML.slice(0, 120))"""
NO_RING = """() => {
  const e = document.activeElement, s = getComputedStyle(e), p = e.parentElement && getComputedStyle(e.parentElement);
  const has = (c) => (c.outlineStyle !== 'none' && parseFloat(c.outlineWidth) > 0) || c.boxShadow !== 'none';
  return e === document.body || has(s) || (p && has(p)) ? null : e.outerHTML.slice(0, 120);
}"""


WAIT_MS = 60_000
"""How long a state is waited for before a test gives up: far more than a slow machine takes."""

_MOVING = """() => document.getAnimations().every((one) => one.playState !== 'running'
  || one.effect.getTiming().iterations === Infinity)"""


def wait_until_live(page: Any) -> None:
    """Wait until the page hears what is clicked, which it says itself."""
    page.wait_for_selector("html[data-pm-live]", timeout=WAIT_MS)


class Watched:
    """A page that notes what it said on its console and whom it asked."""

    def __init__(self, browser: Any, *, width: int, scheme: str) -> None:
        # The checker is put into the page from outside, which the page's own policy does not allow.
        self.context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True
        )
        self.page = self.context.new_page()
        self.page.set_default_timeout(WAIT_MS)
        self.said: list[str] = []
        self.hosts: set[str] = set()
        self.page.on("console", lambda m: self.said.append(m.text) if m.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.hosts.add(urlsplit(request.url).hostname or ""))

    def open(self, url: str) -> None:
        self.page.goto(url)
        wait_until_live(self.page)

    def turn_to(self, tab: str) -> None:
        self.page.click(f"#pm-tab-{tab}-button")
        self.page.wait_for_function(f"({SHOWN})() === {tab!r}")
        self.page.wait_for_selector(f"#pm-tab-{tab}", state="visible")


def check_look(page: Any, axe: str, *, width: int, what: str) -> None:
    """Nothing sticks out, every control has a name, axe has no serious complaint."""
    page.wait_for_function(_MOVING)  # what fades in has another contrast
    assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{what} sticks out"
    assert page.evaluate(UNNAMED) == [], f"{what} has controls without a name"
    assert find_serious(page, axe) == [], what
