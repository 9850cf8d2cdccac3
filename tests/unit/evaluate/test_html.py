"""The page on one run or several: what it says, and that nothing from a run gets out of its text."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from hub_toolkit.data.foreign import load_samples
from hub_toolkit.data.foreign_folder import write_folder
from hub_toolkit.data.prefeval import PrefEval
from hub_toolkit.errors import PersonaMemError
from hub_toolkit.evaluate.html import render_page, write_html
from hub_toolkit.evaluate.run_view import RunView, group_runs, letter_of, open_run, open_runs
from tests.foreign_factory import write_prefeval
from tests.report_factory import figure, make_report, make_rows, make_view
from tests.unit.evaluate.conftest import Evaluation

HOSTILE = '</title></svg><script>alert(1)</script><img src=x onerror="alert(2)">\'"&amp;\x00\x07\ud800\u202e]]>'
VOID = {"meta", "br", "img", "input", "link", "hr"}


class Page(HTMLParser):
    """Reads a page, checks that its elements are nested, and gathers elements and text."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).replace("\u00a0", " ").split())


def spoil(value: Any) -> Any:
    """Put hostile text into every text and every key of a report."""
    if isinstance(value, dict):
        keep = {"value", "low", "high", "n", "own", "other", "run", "share", "name"}
        known = set(make_report()) | set(make_report()["run"]) | keep | {"answers", "memories", "input", "output"}
        return {
            (key if key in known or key.endswith(("option", "context", "rows")) else key + HOSTILE): spoil(v)
            for key, v in value.items()
        }
    if isinstance(value, list):
        return [spoil(inner) for inner in value]
    return value + HOSTILE if isinstance(value, str) else value


def test_the_headline_stands_beside_every_control() -> None:
    text = Page(render_page([make_view()])).text
    assert "60.0 % [50.0, 70.0]" in text
    for part in (
        "no context: nothing is read",
        "always the longest option",
        "always the shortest option",
        "always the first option",
        "chance",
        "length-controlled accuracy",
        "counterfactual: another owner",
        "swap groups right for every owner",
        "leak: answers repeat a secret",
        "Lift over another owner's memory: +35.0 points [+25.0, +45.0]; 3 pairs left out.",
        "The interval lies above every control that was measured.",
        "1 unparsed, 2 failed, 1 unscored",
    ):
        assert part in text, part
    facts = ("v1, version 1, 0123456789ab", "bbbbbbbbbbbbbbbb", "openai/some-model", "estimate-v1", "drop", "2,048")
    assert all(fact in text for fact in facts)
    assert "benchmark-3-abc rate_limit: busy" in text
    assert "prompt in 2,000 · reply out 100 · memory 10,200" in text


def test_a_control_within_the_interval_is_said_first() -> None:
    text = Page(render_page([make_view(accuracy=0.5)])).text
    assert "The interval is not above taking the longest option (44.0 %)." in text
    assert "lies above every control" not in text
    low = Page(render_page([make_view(accuracy=0.3)])).text
    assert "not above chance (25.0 %); the same answerer without any history (30.0 %)" in low


def test_without_an_interval_nothing_is_said_to_be_above_a_control() -> None:
    view = make_view(accuracy=0.9)
    view.report["accuracy"] |= {"low": None, "high": None, "num_clusters": 1}
    text = Page(render_page([view])).text
    assert "No interval, which takes two personas" in text and "of 1 persona;" in text
    assert "interval lies above" not in text and "interval is not above" not in text


def test_what_was_not_measured_is_said_and_never_blank() -> None:
    bare = RunView("bare", {"run": {}, "accuracy": None, "note": "judges come later"}, ())
    page = Page(render_page([bare]))
    assert "judges come later" in page.text and page.text.count("not measured") > 20
    missing = {"length_controlled": None, "counterfactual_lift": None, "leaks": None}
    baselines = {**make_report()["baselines"], "no_context": None}
    text = Page(render_page([make_view(**missing, baselines=baselines)])).text
    assert "Not measured: the same answerer without any history." in text
    assert "Length-controlled accuracy: not measured." in text
    assert "Lift over another owner's memory: not measured." in text
    for view in (bare, make_view(**missing, baselines=baselines)):
        cells = re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", render_page([view]))
        assert cells and "" not in cells


def test_open_answers_are_not_measured_by_options() -> None:
    judges = {
        "judges": ["j #1"],
        "protocol": "v1",
        "noise_corrected": {"value": None, "low": None, "high": None, "n": 40},
    }
    empty = {**make_report()["baselines"], "no_context": None}
    text = Page(render_page([make_view(run={"task": "open"}, chance=None, baselines=empty, judges=judges)])).text
    assert "Not measured: the same answerer without any history." in text
    for part in ("the longest option", "Length-controlled", "length-controlled", "above chance"):
        assert part not in text
    assert "cannot be told" in text


def test_everything_from_a_run_is_escaped() -> None:
    report = spoil(make_report(extra={"odd": "x", "list": [1, 2]}))
    page = Page(source := render_page([RunView("run" + HOSTILE, report, make_rows(3, prefix=HOSTILE))]))
    assert {tag for tag, _ in page.elements} & {"script", "img", "iframe", "object", "link"} == set()
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert "alert(1)" in page.text  # it is shown, as text
    assert not re.search("[\x00-\x08\x0b-\x1f\ud800-\udfff]", source)
    assert page.text.count("</title></svg><script>") > 10


def test_the_page_is_whole_in_itself() -> None:
    source = render_page([make_view("a"), make_view("b", run={"reader": "none", "builder": None})])
    page = Page(source)
    addresses = [v for _, attributes in page.elements for n, v in attributes.items() if n in ("src", "href", "action")]
    assert all(address is not None and address.startswith("#") for address in addresses)
    assert "url(" not in source and "@import" not in source and "http://" not in source and "https://" not in source
    policy = next(a["content"] for tag, a in page.elements if tag == "meta" and "http-equiv" in a)
    assert policy is not None and policy.startswith("default-src 'none'")
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    named = {name for _, a in page.elements for name in (a.get("aria-labelledby") or "").split()}
    assert named <= set(ids)


def test_every_chart_has_a_title_a_description_and_a_table() -> None:
    page = Page(source := render_page([make_view("a"), make_view("b")]))
    num_charts = sum(tag == "svg" for tag, _ in page.elements)
    assert num_charts == sum(tag == "figure" for tag, _ in page.elements) >= 6
    for tag in ("title", "desc"):
        assert len(re.findall(f"<{tag} id=", source)) == num_charts
    assert source.count("The same as a table") == num_charts
    assert all(a.get("role") == "img" for tag, a in page.elements if tag == "svg")
    for svg in re.findall(r"<svg.*?</svg>", source):
        ElementTree.fromstring(svg)


def test_the_same_runs_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one.html", "two.html"):
        write_html([make_view()], tmp_path / name)
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.html", "two.html"]
    with pytest.raises(PersonaMemError, match="no run"):
        render_page([])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"run": {"protocol": "upstream"}}, "protocol (upstream, there v1, version 1, 0123456789ab)"),
        ({"run": {"protocol": {"name": "v1", "version": 1, "digest": "f" * 64}}}, "protocol (v1, version 1, ffff"),
        ({"run": {"seed": 8}}, "seed (8, there 7)"),
        ({"run": {"task": "open"}}, "task (open, there mcq)"),
        ({"run": {"persona_system": "keep"}}, "persona system (keep, there drop)"),
        ({"run": {"num_permutations": 4}}, "orders of the options (4, there 1)"),
        ({"run": {"dataset": {"name": "mini", "split": "benchmark", "questions_sha256": "cc"}}}, "the questions"),
        ({"rows": make_rows(30)}, "the questions"),
        ({"judges": {"judges": ["j #1"], "protocol": "v1"}}, "judges (j #1 by protocol v1, there none)"),
    ],
)
def test_runs_that_were_asked_otherwise_stand_apart(change: dict[str, Any], reason: str) -> None:
    views = [make_view("a"), make_view("b", **change), make_view("c")]
    sections = group_runs(views)
    assert [[view.name for view in section.views] for section in sections] == [["a", "c"], ["b"]]
    text = Page(render_page(views)).text
    assert reason in text and "have no common scale and are not compared" in text
    assert text.count("Systems side by side") == 1


def test_runs_of_other_systems_stand_side_by_side() -> None:
    other = {"model": {"name": "local/x"}, "adapter": "lora", "reader": "external", "external": "bm25"}
    other |= {"context": "128k", "builder": None}
    [section] = group_runs([make_view("a"), make_view("b", accuracy=0.4, run=other)])
    assert (section.letters, section.reason) == (("A", "B"), "")
    text = Page(render_page(list(section.views))).text
    for part in (
        "A: openai/some-model · memory, extractive",
        "B: local/x with lora · external, bm25",
        "context 32k",
        "context 128k",
    ):
        assert part in text
    assert [letter_of(place) for place in (0, 25, 26, 52, 702)] == ["A", "Z", "AA", "BA", "AAA"]


def test_what_was_read_is_the_models_own_count_where_there_is_one() -> None:
    assert "tokens read per question 120 on average" in Page(render_page([make_view()])).text
    rows = [replace(row, answer=replace(row.answer, context_tokens=None, input_tokens=2000)) for row in make_rows()]
    text = Page(render_page([make_view(rows=rows)])).text
    assert "tokens read per question 2,000 on average, with the question, as the model's side counts them" in text


def test_what_a_report_holds_besides_is_shown_as_it_stands() -> None:
    extra = {"robustness": figure(0.5), "cost": {"usd": 1.25, "models": ["a", "b"]}, "nothing": None}
    text = Page(render_page([make_view(**extra, run={"deviations": {"cap_tokens": 64}, "adapter": "lora-7"})])).text
    assert "Not the protocol's own: cap_tokens 64." in text
    for part in ("robustness", "cost.usd 1.25", "cost.models 2 entries", "adapter lora-7"):
        assert part in text


def test_a_real_run_and_its_baseline(evaluation: Evaluation, new_evaluation: Any) -> None:
    evaluation.go(reader="oracle", is_counterfactual=True)
    bare = new_evaluation("bare")
    bare.go(reader="none")
    views = open_runs([evaluation.out, bare.out])
    [section] = group_runs(views)
    assert len(section.views) == 2
    text = Page(render_page(views)).text
    assert "This run is the no-context baseline itself." in text
    assert f"{views[0].report['accuracy']['value']:.1%}".replace("%", " %") in text
    alone = Page(render_page([open_run(evaluation.out)])).text
    assert "PersonaMem" not in alone and "mini · benchmark · multiple choice · protocol v1" in alone


def test_another_datasets_run_is_named_as_such(tmp_path: Path, evaluation: Evaluation) -> None:
    write_folder(PrefEval(write_prefeval(tmp_path / "source")), tmp_path / "data")
    foreign = Evaluation(tmp_path / "foreign", tmp_path / "data", tuple(load_samples(tmp_path / "data")))
    for other in (evaluation, foreign):
        other.go(reader="memory", is_counterfactual=True)
    views = open_runs([evaluation.out, foreign.out])
    assert len(group_runs(views)) == 2
    text = Page(render_page(views)).text
    for part in ("prefeval:implicit choice", "histories of its own size", "by who: all rows are “ (none) ”"):
        assert part in text, part
