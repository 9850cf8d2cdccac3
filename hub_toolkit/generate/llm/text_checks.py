"""What can be seen in a text without asking a model: artefacts, leaks, lengths, copies."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from hub_toolkit.data.terms import content_stems
from hub_toolkit.generate.llm.near_duplicates import containment, stem_likeness

MAX_LENGTH_RATIO = 3.0
"""Longest option by shortest; in upstream questions longer ones are often right (PROTOCOL §1)."""
ALIKE_OPTIONS = 0.9
"""Shared stems by all stems, from which two options are the same."""
STATED_SHARE = 0.75
LEAK_SHARE = 0.34

_ARTEFACT = re.compile(
    r"^\W*(sure|certainly|of course|absolutely|great question)\b[!,.:]|"
    r"\bhere(['’]s| is| are) (the|your|an?) (answers?|replies|reply|response|option)s?\b|"
    r"\bas an ai\b|^\W*(answer|option|reply|response)\s*[A-D\d]?\s*:|^\s*\(?[A-D][).:]\s|"
    r"\b(based on|given|considering|remembering|since you|as you) (your|you|have)?\s*"
    r"(known |stated |past |earlier |previous )?(preferences?|memor(y|ies)|conversations?|mentioned|told me|prefer)\b|"
    r"```|^#{1,6}\s|\*\*|<[a-z/][^>]*>|\{\{|\}\}|\blorem ipsum\b|\bTODO\b|\bXXX\b",
    re.I | re.M,
)
_PLACEHOLDER = re.compile(r"\[[^\]\n]{1,60}\]|<[^>\n]{1,60}>|…\s*$|\.\.\.\s*$")


def find_artefact(text: str, *, has_places: bool = False) -> str | None:
    """Return what does not belong into a clean text; `has_places`: places to fill in do."""
    found = _ARTEFACT.search(text) or (None if has_places else _PLACEHOLDER.search(text))
    return found.group(0).strip() if found else None


def find_unlike_form(options: Sequence[str]) -> str | None:
    """Return what is wrong with options beside each other: two alike, or lengths far apart."""
    for place, option in enumerate(options):
        for other in options[:place]:
            if stem_likeness(option, other) >= ALIKE_OPTIONS:
                return "two options are nearly the same"
    lengths = [len(option) for option in options]
    if max(lengths) > MAX_LENGTH_RATIO * min(lengths):
        return f"lengths from {min(lengths)} to {max(lengths)} characters"
    return None


def find_leak(query: str, preferences: Sequence[str], about: str) -> str | None:
    """Return the telling words of a preference that the query holds; words of the topic or of all owners tell nothing.

    One preference leaks where a third of its own words, or more, stand in the query.
    """
    asked = set(content_stems(query))
    stems = [set(content_stems(text)) for text in preferences]
    known = set(content_stems(about))
    if len(stems) > 1:
        known |= set.intersection(*stems)
    for own in stems:
        telling = own - known
        shared = telling & asked
        if telling and len(shared) >= max(1, math.ceil(LEAK_SHARE * len(telling))):
            return ", ".join(sorted(shared))
    return None


def is_stated(preference: str, texts: Sequence[str]) -> bool:
    """Whether a preference stands in some texts nearly word for word."""
    return any(containment(preference, text) >= STATED_SHARE for text in texts)


def holds_secret(text: str, value: str) -> bool:
    """Whether a text holds a secret, spaced or punctuated in whatever way."""
    return _bare(value) in _bare(text)


def _bare(text: str) -> str:
    return re.sub(r"\W+", "", text).lower()
