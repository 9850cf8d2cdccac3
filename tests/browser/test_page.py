"""What a visitor does on the page, in a real browser."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

OpenPage = Callable[..., Any]

WATCH_STATUS = """() => {
  window.seen = [];
  const look = () => {
    const text = document.querySelector('#pm-status [role=status]').textContent;
    const bullets = document.querySelectorAll('.pm-bullet').length;
    if (!seen.length || seen[seen.length - 1][0] !== text) seen.push([text, bullets]);
  };
  new MutationObserver(look).observe(document.body, {subtree: true, childList: true, characterData: true});
}"""


def build(page: Any, phase: str = "done") -> str:
    page.click("#pm-build")
    page.wait_for_selector(f"#pm-status .is-{phase}")
    page.wait_for_selector("#pm-stop[disabled]")
    return str(page.inner_text("#pm-status [role=status]"))


def choose(page: Any, dropdown: str, option: str) -> None:
    page.click(f"{dropdown} input")
    page.locator("[role=option]").filter(has_text=option).first.click()


def turn_to(page: Any, tab: str) -> None:
    page.click(f"#pm-tab-{tab}-button")
    page.wait_for_selector(f"#pm-tab-{tab}-button[aria-selected=true]")


def upload(page: Any, path: Path) -> None:
    page.set_input_files("input[type=file]", path)


def open_settings(page: Any) -> None:
    page.click("text=Settings >> nth=0")
    page.wait_for_selector("#pm-builder", state="visible")


def write_history(path: Path, contents: list[str]) -> Path:
    messages = []
    for content in contents:
        messages += [{"role": "user", "content": content}, {"role": "assistant", "content": "Of course."}]
    path.write_text(json.dumps({"metadata": {}, "chat_history": messages}), "utf-8")
    return path


def test_page_answers_and_paints_without_other_hosts(page_url: str, browser: Any) -> None:
    context = browser.new_context()
    page, hosts = context.new_page(), set[str]()
    page.on("request", lambda request: hosts.add(urlsplit(request.url).hostname or ""))
    page.goto(page_url)
    page.wait_for_selector("#pm-build")
    paints = page.evaluate("performance.getEntriesByName('first-contentful-paint').map(e => e.startTime)")
    assert paints  # how soon: benchmarks/page_paint.py
    assert "No model is installed" in page.inner_text(".pm-banner")
    assert all(name in page.inner_html(".pm-banner") for name in ("BASE_URL", "API_KEY", "PERSONAMEM_MODEL"))
    assert "nothing is kept" in page.inner_text(".pm-footer")
    assert hosts <= {"127.0.0.1", ""}
    context.close()


def test_build_streams_chunk_by_chunk(page_url: str, open_page: OpenPage) -> None:
    page = open_page(page_url)
    page.evaluate(WATCH_STATUS)
    said = build(page)
    assert "of 2,048 tokens" in said
    seen = page.evaluate("seen")
    chunks = [text for text, bullets in seen if text.startswith("Reading: chunk") and bullets]
    assert chunks  # a busy browser may paint several of the five at once
    assert len({bullets for _, bullets in seen}) >= 2
    assert page.locator(".pm-bullet").count() > 5
    assert page.locator(".pm-flag.is-new").count() > 1
    assert f"chunk {page.locator('.pm-plot circle').count()} of" in said


def test_step_goes_back_to_an_earlier_memory(page_url: str, open_page: OpenPage) -> None:
    page = open_page(page_url)
    build(page)
    num_last = page.locator(".pm-bullet").count()
    page.focus("#pm-step input[type=range]")
    page.keyboard.press("Home")
    page.wait_for_function("document.querySelector('.pm-diff').textContent.includes('Version 1:')")
    assert page.locator(".pm-bullet").count() < num_last
    assert page.locator(".pm-bullet").count() == page.locator(".pm-bullet.is-new").count()


def test_click_on_a_bullet_shows_its_messages(page_url: str, open_page: OpenPage) -> None:
    page = open_page(page_url)
    build(page)
    bullet = page.locator(".pm-open").nth(3)
    bullet.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".pm-sources mark")
    assert bullet.get_attribute("aria-expanded") == "true"
    said = page.locator(".pm-open .pm-text").nth(3).text_content().removeprefix("+ new ").split()[1:4]
    assert all(word in page.text_content(".pm-sources mark") for word in said)
    assert "User, message" in page.inner_text(".pm-sources")
    bullet.click()
    page.wait_for_selector(".pm-sources", state="detached")


def test_ask_shows_bullets_options_and_the_gold(page_url: str, open_page: OpenPage) -> None:
    page = open_page(page_url)
    turn_to(page, "ask")
    page.click("#pm-ask")
    page.wait_for_selector("#pm-asked [role=alert]")
    assert "no memory to ask yet" in page.inner_text("#pm-asked")
    turn_to(page, "memory")
    build(page)
    turn_to(page, "ask")
    choose(page, "#pm-examples", "Two old friends are coming round")
    page.wait_for_function("document.querySelector('#pm-question textarea').value.startsWith('Two old friends')")
    page.click("#pm-ask")
    page.wait_for_selector(".pm-option [data-act=guess]")
    assert page.locator(".pm-option").count() == 4
    assert page.locator(".pm-option.is-gold, .pm-bar").count() == 0  # the visitor guesses first
    page.locator(".pm-option [data-act=guess]").first.click()
    page.wait_for_selector(".pm-option.is-gold")
    assert page.locator(".pm-bar").count() == 8
    assert "Right is" in page.inner_text(".pm-verdict")
    turn_to(page, "memory")
    page.wait_for_selector(".pm-bullet.is-used")
    turn_to(page, "ask")
    page.fill("#pm-question textarea", "When do I shape the dough?")
    page.click("#pm-ask")
    page.wait_for_selector(".pm-option", state="detached")
    assert "dough" in page.inner_text(".pm-used").lower()


def test_twin_who_asked_to_forget(page_url: str, open_page: OpenPage) -> None:
    page = open_page(page_url)
    choose(page, "#pm-persona", "asked to forget")
    page.wait_for_function("document.querySelector('#pm-history').textContent.includes('asked to forget')")
    build(page)
    assert "karaoke" not in page.inner_text("#pm-memory").lower()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"chat_history": [', "JSON"),
        ("[]", "empty"),
        ('[{"role": "wizard", "content": "x"}]', "role"),
        ("[" * 5_000 + "]" * 5_000, "nested"),
    ],
    ids=["broken", "empty", "role", "deep"],
)
def test_bad_upload_shows_one_error(
    page_url: str, open_page: OpenPage, tmp_path: Path, content: str, said: str
) -> None:
    page = open_page(page_url)
    (tmp_path / "bad.json").write_text(content)
    upload(page, tmp_path / "bad.json")
    page.wait_for_selector("#pm-history [role=alert]")
    text = page.inner_text("#pm-history [role=alert]")
    assert said in text and "bad.json" in text and "Traceback" not in text
    assert page.locator("[role=alert]").count() == 1
    build(page)  # the persona chosen before is still there
    assert page.locator(".pm-bullet").count() > 5


def test_uploads_over_the_limits(page_url: str, open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page(page_url)
    write_history(tmp_path / "many.json", ["short"] * 2_600)
    upload(page, tmp_path / "many.json")
    page.wait_for_selector("#pm-history [role=alert]:has-text('5,200')")
    (tmp_path / "large.json").write_text(json.dumps([{"role": "user", "content": "x" * 9_000_000}]))
    upload(page, tmp_path / "large.json")
    page.wait_for_selector("#pm-history [role=alert]:has-text('large.json')")
    assert page.locator("#pm-build").is_enabled()


def test_uploaded_text_is_never_html(page_url: str, open_page: OpenPage, tmp_path: Path, page_cache: Path) -> None:
    page = open_page(page_url)
    attack = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script> ${window.hacked=1} {{value}}'
    contents = [
        f"I always bake sourdough bread on Fridays because my starter needs flour.\n\n{attack}",
        f"I started knitting mittens with wool from the market.\n\n{attack}",
    ]
    path = write_history(tmp_path / "<img src=x onerror=hacked=1>.json", contents * 2)
    upload(page, path)
    page.wait_for_selector("#pm-history:has-text('8 messages')")
    build(page)
    for place in range(page.locator(".pm-open").count()):
        page.locator(".pm-open").nth(place).click()
        page.wait_for_selector(f".pm-bullets > li:nth-child({place + 1}) .pm-sources")
    turn_to(page, "ask")
    page.fill("#pm-question textarea", f"sourdough bread, knitting mittens {attack}")
    page.click("#pm-ask")
    page.wait_for_selector(".pm-used li")
    assert "<img src=x" in page.inner_text("#pm-asked")
    assert page.locator("#pm-memory img, #pm-asked img, #pm-history img, #pm-memory script").count() == 0
    assert page.evaluate("window.hacked") is None
    left = [p for p in (page_cache / "uploads").rglob("*.json") if p.is_file()]
    assert left == []


def test_stop_really_stops(page_url: str, open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page(page_url)
    contents = [f"I bought gadget{i} number and my uncle{i} likes lamp{i} with cable{i}. " * 12 for i in range(1_500)]
    upload(page, write_history(tmp_path / "long.json", contents))
    page.wait_for_function("document.querySelector('#pm-history').textContent.includes('long.json')")
    page.click("#pm-build")
    page.wait_for_selector(".pm-bullet")
    page.click("#pm-stop")
    page.wait_for_selector("#pm-status .is-stopped")
    said = page.inner_text("#pm-status [role=status]")
    number, total = said.split("chunk ")[1].split(".")[0].split(" of ")
    assert said.startswith("Stopped after") and int(number) < int(total)
    page.locator(".pm-open").first.click()
    page.wait_for_selector(".pm-sources")
    assert page.inner_text("#pm-status [role=status]") == said
    assert page.locator("#pm-build").is_enabled()


def test_two_visitors_do_not_see_each_other(page_url: str, open_page: OpenPage) -> None:
    first, second = open_page(page_url), open_page(page_url)
    choose(first, "#pm-persona", "Yusuf Demir, pastry cook")
    first.wait_for_function("document.querySelector('#pm-history').textContent.includes('Yusuf')")
    build(first)
    assert second.locator(".pm-bullet").count() == 0
    assert "Zielinski" in second.inner_text("#pm-history")
    build(second)
    assert first.inner_text("#pm-memory") != second.inner_text("#pm-memory")
    assert "Yusuf" in first.inner_text("#pm-history")


def test_endpoint_answers_side_by_side(endpoint_page_url: str, open_page: OpenPage) -> None:
    page = open_page(endpoint_page_url)
    assert "openai/bread-1" in page.inner_text(".pm-banner")
    assert "k-secret" not in page.content()
    open_settings(page)
    page.click("#pm-builder label:has-text('Agentic')")
    assert "2 bullets" in build(page)
    turn_to(page, "ask")
    page.fill("#pm-question textarea", "What shall I bake?")
    page.click("#pm-ask")
    page.wait_for_selector(".pm-reply >> nth=0 >> text='With the notes: <b>bread</b>.'")
    page.wait_for_selector(".pm-reply >> nth=1 >> text='Without any notes.'")


def test_stop_cancels_a_call_under_way(endpoint_page_url: str, endpoint: Any, open_page: OpenPage) -> None:
    page = open_page(endpoint_page_url)
    open_settings(page)
    page.click("#pm-builder label:has-text('Agentic')")
    endpoint.asked.clear()
    endpoint.hold.set()
    try:
        page.click("#pm-build")
        assert endpoint.asked.wait(60)
        page.click("#pm-stop")
        page.wait_for_selector("#pm-status .is-stopped")
        assert endpoint.num_held  # it waits still: nothing but the stop ended the reading
        assert "Stopped before" in page.inner_text("#pm-status")
    finally:
        endpoint.hold.clear()
        endpoint.release.set()
    assert "2 bullets" in build(page)
