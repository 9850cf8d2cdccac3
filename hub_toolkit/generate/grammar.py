"""A small grammar: sections of lines, `<section>` for a drawn line, `{slot}` for a given value."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from hub_toolkit.errors import DataFormatError

GRAMMAR_FOLDER = Path(__file__).parent / "grammar"
_PART = re.compile(r"<([a-z0-9_.]{1,40})>|\{([a-zA-Z0-9_]{1,20})\}")
_SENTENCE = re.compile(r"(^[\"“]?|[.!?]\s+[\"“]?|\n\s*[\"“]?|: [\"“])([a-z])")
_ARTICLE = re.compile(r"\b([Aa]) (?=[aeio]|u(?:[mprt]|n(?!i)|s(?!e)))")
_MAX_DEPTH = 12

Part = tuple[str, str]


class Grammar:
    """Sections of lines, each cut into text, section names and slots once."""

    def __init__(self, sections: Mapping[str, list[str]]) -> None:
        self.sections = {name: [_cut(line) for line in lines] for name, lines in sections.items()}
        named = {
            value for lines in self.sections.values() for line in lines for kind, value in line if kind == "section"
        }
        if missing := sorted(named - self.sections.keys()):
            raise DataFormatError(f"the grammar names sections that it does not hold: {missing}")

    def expand(self, section: str, slots: Mapping[str, str], rng: random.Random, *, depth: int = 0) -> str:
        """Return one line of a section with all in it filled in."""
        if depth > _MAX_DEPTH:
            raise DataFormatError(f"the grammar's section {section!r} names itself without end")
        lines = self.sections[section]
        return "".join(
            value
            if kind == "text"
            else slots[value]
            if kind == "slot"
            else self.expand(value, slots, rng, depth=depth + 1)
            for kind, value in lines[int(rng.random() * len(lines))]
        )


def capitalise(text: str) -> str:
    """Begin every sentence and quotation's first word with a capital, and put "an" before vowels."""
    text = _ARTICLE.sub(r"\1n ", text)
    return _SENTENCE.sub(lambda found: found[1] + found[2].upper(), text)


def _cut(line: str) -> list[Part]:
    parts: list[Part] = []
    place = 0
    for found in _PART.finditer(line):
        parts.append(("text", line[place : found.start()]))
        parts.append(("section", found[1]) if found[1] else ("slot", found[2]))
        place = found.end()
    parts.append(("text", line[place:]))
    return [part for part in parts if part != ("text", "")]


def parse_grammar(text: str) -> dict[str, list[str]]:
    """Parse `[section]` heads and their lines; `\\n` in a line is a line break.

    Below `[section*]` a line holds several, with commas between.
    """
    sections: dict[str, list[str]] = {}
    name, is_list = "", False
    for line in text.splitlines():
        if line.startswith("[") and line.endswith("]"):
            name, is_list = line[1:-1].removesuffix("*"), line.endswith("*]")
            sections.setdefault(name, [])
        elif line.strip() and not line.startswith("#"):
            parts = line.rstrip(", ").split(", ") if is_list else [line]
            sections[name] += [part.replace("\\n", "\n") for part in parts]
    return sections


@lru_cache(maxsize=1)
def load_grammar() -> Grammar:
    """Read the shipped grammar; files may add lines to each other's sections."""
    sections: dict[str, list[str]] = {}
    for path in sorted(GRAMMAR_FOLDER.glob("*.txt")):
        for name, lines in parse_grammar(path.read_text("utf-8")).items():
            sections.setdefault(name, []).extend(lines)
    return Grammar(sections)
