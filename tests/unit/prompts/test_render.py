"""Prompts: strict placeholders, and callers that agree with them."""

from __future__ import annotations

import ast
import hashlib
from importlib.resources import files
from pathlib import Path

import pytest

import hub_toolkit
from hub_toolkit.prompts.render import Prompt, load_prompt, prompt_hashes, prompt_names

PACKAGE = Path(hub_toolkit.__file__).parent


def make_prompt(text: str) -> Prompt:
    return Prompt("test", text, "0" * 64)


def test_every_placeholder_is_filled_once() -> None:
    prompt = make_prompt("{{a}} and {{b}}, {{a}}")
    assert prompt.render(a="1", b="{{a}}") == "1 and {{a}}, 1"


@pytest.mark.parametrize("values", [{}, {"a": "1", "c": "2"}])
def test_values_and_placeholders_must_agree(values: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="prompt test"):
        make_prompt("{{a}}").render(**values)


def test_hash_is_of_the_file() -> None:
    content = (files("hub_toolkit.prompts") / "mcq.md").read_bytes()
    assert prompt_hashes()["mcq"] == hashlib.sha256(content).hexdigest() == load_prompt("mcq").sha256


@pytest.mark.parametrize("name", ["nothing", "../errors", "mcq.md", ""])
def test_unknown_prompt_is_an_error(name: str) -> None:
    with pytest.raises(ValueError, match="no prompt named"):
        load_prompt(name)


def _render_calls() -> dict[str, list[set[str]]]:
    """Return the keywords of every `load_prompt(NAME).render(…)` in the package, by prompt."""
    calls: dict[str, list[set[str]]] = {}
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        constants = {
            target.id: node.value.value
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(tree):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Call(func=ast.Name(id="load_prompt"), args=[argument]), attr="render"),
                    keywords=keywords,
                ):
                    literal = ast.unparse(argument)
                    name = constants.get(literal) or ast.literal_eval(literal)
                    calls.setdefault(str(name), []).append({str(keyword.arg) for keyword in keywords})
    return calls


@pytest.mark.parametrize("name", prompt_names())
def test_callers_fill_what_the_prompt_asks_for(name: str) -> None:
    calls = _render_calls().get(name, [])
    assert calls, f"nobody renders {name}.md"
    assert all(call == load_prompt(name).placeholders for call in calls)


def test_no_caller_names_a_missing_prompt() -> None:
    assert set(_render_calls()) <= set(prompt_names())


def test_memory_prompts_know_no_question() -> None:
    for name in prompt_names():
        if name.startswith("memory"):
            assert not {"query", "options", "question"} & load_prompt(name).placeholders
