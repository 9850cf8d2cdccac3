"""What a judge is asked: a rubric for each meaning of the gold, and material that cannot give it instructions.

A judge sees the query, the preference, the reference and the answer; no option labels, no history, no persona.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from hub_toolkit.answer.protocol import DEFAULT_PROTOCOL, GoldKind, load_protocol
from hub_toolkit.data.schema import Sample
from hub_toolkit.models.thoughts import leave_out_thoughts
from hub_toolkit.prompts.render import load_prompt

RUBRICS: tuple[GoldKind, ...] = ("self", "forget", "others", "sensitive", "fact")
Wording = Literal["a", "b"]
WORDINGS: tuple[Wording, ...] = ("a", "b")
FieldOrder = Literal["forward", "reversed"]
NOT_GIVEN = "(not given)"

_FORGET_REQUEST = re.compile(
    r"\s*(?:do not|don['’]t) remember\s+(?:that\s+)?(?P<what>.+?)(?:\s+in\s+(?:the\s+)?memory)?[\s.]*", re.I | re.S
)
_QUOTES = "'\"‘’“”"
_RENDERERS: dict[tuple[GoldKind, Wording], Callable[[str], str]] = {
    ("self", "a"): lambda material: load_prompt("judge_self").render(material=material),
    ("self", "b"): lambda material: load_prompt("judge_self_b").render(material=material),
    ("forget", "a"): lambda material: load_prompt("judge_forget").render(material=material),
    ("forget", "b"): lambda material: load_prompt("judge_forget_b").render(material=material),
    ("others", "a"): lambda material: load_prompt("judge_others").render(material=material),
    ("others", "b"): lambda material: load_prompt("judge_others_b").render(material=material),
    ("sensitive", "a"): lambda material: load_prompt("judge_sensitive").render(material=material),
    ("sensitive", "b"): lambda material: load_prompt("judge_sensitive_b").render(material=material),
    ("fact", "a"): lambda material: load_prompt("judge_fact").render(material=material),
    ("fact", "b"): lambda material: load_prompt("judge_fact_b").render(material=material),
}


@dataclass(frozen=True)
class Form:
    """How the question to a judge is put: which wording of the rubric, and the material in which order."""

    wording: Wording = "a"
    order: FieldOrder = "forward"


DEFAULT_FORM = Form()


def rubric_of(sample: Sample, protocol: str = DEFAULT_PROTOCOL) -> GoldKind:
    """Return by which rubric an open answer to this sample is judged.

    Raises: DataFormatError: there is no such protocol.
    """
    return load_protocol(protocol).gold_kind(sample)


def judged_preference(sample: Sample, rubric: GoldKind) -> str:
    """Return the preference that the judge is shown: of a forget row what was to be forgotten, not the request."""
    shown = sample.preference
    if rubric == "forget":
        shown = sample.prev_pref or forgotten_matter(sample.preference)
    return shown.strip() or NOT_GIVEN


def forgotten_matter(request: str) -> str:
    """Return X of "Do not remember 'X' in memory"; the text itself where it is worded in another way."""
    found = _FORGET_REQUEST.fullmatch(request)
    return found["what"].strip().strip(_QUOTES) if found else request


def judge_prompt(sample: Sample, answer: str, *, rubric: GoldKind, form: Form = DEFAULT_FORM) -> str:
    """Return what a judge is asked about an answer."""
    fields = [
        ("query", sample.user_query.text),
        ("preference", judged_preference(sample, rubric)),
        ("reference", sample.correct_answer),
        ("answer", leave_out_thoughts(answer)),
    ]
    if rubric == "fact":
        fields = [(name, text) for name, text in fields if name != "preference"]
    if form.order == "reversed":
        fields.reverse()
    material = "\n\n".join(f"<{name}>\n{mark_off(text)}\n</{name}>" for name, text in fields)
    return _RENDERERS[rubric, form.wording](material)


def mark_off(text: str) -> str:
    """Return material in which no tag can be opened or closed.

    `escape_tags` spares the `<` of ordinary text; whoever writes an answer here gains by deceiving the reader.
    """
    return text.replace("<", "‹").replace("＜", "‹")


def judge_prompt_names(form: Form = DEFAULT_FORM) -> tuple[str, ...]:
    """Return the prompts on which a verdict of this form depends; their hashes are part of the record."""
    suffix = "" if form.wording == "a" else f"_{form.wording}"
    return (*(f"judge_{rubric}{suffix}" for rubric in RUBRICS), "judge_repair")


def judge_prompt_hashes(form: Form = DEFAULT_FORM) -> dict[str, str]:
    """Return the SHA-256 of those prompts, by name."""
    return {name: load_prompt(name).sha256 for name in judge_prompt_names(form)}
