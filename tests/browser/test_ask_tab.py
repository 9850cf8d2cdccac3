"""The Ask tab in a real browser: the game without a model, and three answers side by side with one."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.screenshots import keep_screenshot

OpenPage = Callable[..., Any]


def build_and_turn(page: Any) -> None:
    page.click("#pm-build")
    page.wait_for_selector("#pm-status .is-done")
    page.wait_for_selector("#pm-stop[disabled]")
    page.click("#pm-tab-ask-button")
    page.wait_for_selector("#pm-ask", state="visible")


def choose(page: Any, place: int) -> str:
    page.click("#pm-examples input")
    option = page.locator("[role=option]").nth(place)
    text = str(option.get_attribute("aria-label") or option.inner_text()).strip()
    option.click()
    page.wait_for_function(
        "(t) => t.includes(document.querySelector('#pm-question textarea').value.slice(0, 30)) "
        "&& document.querySelector('#pm-question textarea').value",
        arg=text,
    )
    return text


def test_visitor_plays_against_the_memory(page_url: str, open_page: OpenPage) -> None:
    page = open_page(page_url, width=1440)
    build_and_turn(page)
    for number in (1, 2):
        choose(page, number)
        page.click("#pm-ask")
        page.wait_for_selector("[data-act=guess]")
        assert page.locator(".pm-option").count() == 4 and page.locator(".pm-bar, .pm-used, .is-gold").count() == 0
        page.locator("[data-act=guess]").nth(number).press("Enter")
        page.wait_for_selector(".pm-verdict")
        assert page.locator(".pm-option.is-gold").count() == 1 and page.locator(".pm-bar").count() == 8
        page.wait_for_selector(f"#pm-score:has-text('after {number} question')")
    keep_screenshot(page, "ask-game")
    choose(page, 0)
    page.click("#pm-ask")
    page.click("#pm-reveal")
    page.wait_for_selector(".pm-verdict")
    assert "after 2 questions" in page.inner_text("#pm-score")
    page.wait_for_selector("#pm-reveal", state="hidden")


def test_tokens_are_measured_on_the_spot(page_url: str, open_page: OpenPage) -> None:
    page = open_page(page_url, width=1440)
    build_and_turn(page)
    page.fill("#pm-question textarea", "When do I shape the dough?")
    page.click("#pm-ask")
    page.wait_for_selector(".pm-used li mark")
    rows = dict(re.findall(r"(With memory|Without memory|Full history)\s+([\d,]+)", page.inner_text(".pm-costs")))
    memory, full = (int(rows[name].replace(",", "")) for name in ("With memory", "Full history"))
    assert float(page.get_attribute("[data-ratio]", "data-ratio")) == pytest.approx(full / memory, abs=0.01)
    assert "no model tokens (extractive)" in page.inner_text(".pm-ratio")
    page.click("#pm-tab-memory-button")
    page.wait_for_selector(".pm-bullet.is-used")


def test_three_answers_with_an_endpoint(endpoint_page_url: str, open_page: OpenPage) -> None:
    page = open_page(endpoint_page_url, width=1440)
    build_and_turn(page)
    page.fill("#pm-question textarea", "What shall I bake?")
    page.click("#pm-ask")
    page.wait_for_function("document.querySelectorAll('.pm-answer').length === 3")
    for place, reply in enumerate(("With the notes: <b>bread</b>.", "Without any notes.", "Without any notes.")):
        page.wait_for_selector(f".pm-reply >> nth={place} >> text='{reply}'")
    page.wait_for_function("""() => { const found = [...document.querySelectorAll('.pm-costs td:nth-child(3)')];
        return found.length === 3 && found.every((one) => parseInt(one.innerText) > 0); }""")
    keep_screenshot(page, "ask-endpoint")
    page.click("#pm-with-full label")
    page.click("#pm-ask")
    page.wait_for_function("document.querySelectorAll('.pm-answer').length === 2")


def test_model_picks_after_the_guess(
    endpoint_page_url: str, endpoint: Any, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[str]()

    def reply_to(text: str) -> str:
        asked.append(text)
        return "I weigh them. \\boxed{B}"

    monkeypatch.setattr(endpoint, "reply_to", reply_to)
    page = open_page(endpoint_page_url, width=1440)
    build_and_turn(page)
    choose(page, 0)
    page.click("#pm-ask")
    page.wait_for_selector("[data-act=guess]")
    page.wait_for_timeout(500)
    assert asked == []
    page.locator("[data-act=guess]").nth(1).click()
    page.wait_for_function("document.querySelectorAll('.pm-answer .pm-flag').length === 3")
    assert len(asked) == 3 and page.locator(".pm-answer:has-text('Picks B')").count() == 3
    page.wait_for_function("/^You (0 : 0|1 : 1) memory/.test(document.querySelector('#pm-score p')?.innerText)")


def test_talk_is_answered_with_the_memory(endpoint_page_url: str, open_page: OpenPage) -> None:
    page = open_page(endpoint_page_url, width=1440)
    page.locator("#pm-tools [role=tab]").filter(has_text="Talk").first.click()
    page.fill("#pm-said textarea", "I moved to Leeds in May and started knitting mittens for my daughter.")
    page.click("#pm-send")
    page.wait_for_selector(".pm-turn.is-assistant:has-text('With the notes: <b>bread</b>.')")
    page.wait_for_selector(".pm-waiting", state="detached")
    page.wait_for_selector(".pm-open:has-text('mittens')")
    assert page.locator("#pm-talk b:has-text('bread')").count() == 0
