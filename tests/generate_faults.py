"""Faults planted into what is generated, and how many of them are left in the dataset."""

from __future__ import annotations

import asyncio
import csv
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hub_toolkit.generate.llm.config import FILTERS, LlmConfig, PreferenceCounts
from hub_toolkit.generate.llm.pipeline import RunOptions, run_llm
from tests.generate_judges import Script, happens
from tests.generate_script import ScriptedModel, Writer

csv.field_size_limit(sys.maxsize)

RATES = {
    **dict.fromkeys(("artefact", "unclean", "gold", "distractor", "leak_word", "leak_hint"), 0.1),
    **dict.fromkeys(("stands_out", "answerable", "unlike_options", "same_option"), 0.08),
    **dict.fromkeys(("secret_told", "secret_asked", "secret_absent", "no_secret", "duplicate"), 0.15),
    **dict.fromkeys(("not_shown", "wrong_owner", "stated"), 0.04),
    **dict.fromkeys(("copy", "contradiction", "stereotype"), 0.03),
}
"""How often each kind of fault is planted, where it can be."""
FILTER_OF = {
    "copy": "duplicate",
    "contradiction": "contradiction",
    "stereotype": "stereotype",
    "not_shown": "shown",
    "wrong_owner": "shown",
    "stated": "shown",
    "artefact": "format",
    "unclean": "format",
    "unlike_options": "format",
    "same_option": "format",
    "leak_word": "leak",
    "leak_hint": "leak",
    "stands_out": "blind",
    "answerable": "blind",
    "gold": "gold",
    "distractor": "distractor",
    "secret_told": "secret",
    "secret_asked": "leak",
    "secret_absent": "secret",
    "no_secret": "secret",
    "duplicate": "duplicate",
}
"""Which filter is there for it."""


@dataclass(frozen=True)
class Outcome:
    """What became of the planted faults. `left`: those that stand in the dataset; `good_lost`: good rows rejected."""

    planted: Counter[str]
    left: Counter[str]
    good_lost: int
    num_rows: int
    num_calls: int

    @property
    def caught(self) -> float:
        """The share of all planted faults that is not in the dataset."""
        return 1 - self.left.total() / max(1, self.planted.total())


def small_config(questions: str = "swap", **more: Any) -> LlmConfig:
    """Return a configuration of a few short histories."""
    counts = PreferenceCounts(3, 3, 3, 1, 1, 1)
    base: dict[str, Any] = {"num_personas": 8, "preferences": counts, "batch": 4, "padding_dialogues": 40}
    base |= {"context_32k_tokens": 8_000, "context_128k_tokens": 12_000, "questions": questions}
    return LlmConfig(**(base | more))


def plant_faults(config: LlmConfig, script: Script, out: Path) -> Outcome:
    """Run the engine with faults and look for each of them in what it wrote."""
    model = ScriptedModel(Writer(script))
    asyncio.run(run_llm(config, model, out, options=RunOptions(num_concurrent=32)))
    files = [path for folder in ("data", "benchmark") for path in sorted((out / folder).rglob("*.*"))]
    text = "\n".join(path.read_text("utf-8") for path in files)
    planted: Counter[str] = Counter()
    left: Counter[str] = Counter()
    rows = list(read_rows(out))
    for kind, texts in model.writer.planted.items():
        planted[kind] = len(texts)
        found = _find_copies(texts, rows) if kind == "copy" else [each for each in texts if each in text]
        left[kind] = len(found)
    rejections = [json.loads(line) for line in (out / "rejections.jsonl").read_text("utf-8").splitlines()]
    repeated = {(row["topic_preference"], row["group_id"]) for row in rows if _is_repeated(script, row)}
    groups = Counter(topic for topic, _ in repeated)
    left["duplicate"] = sum(num - 1 for num in groups.values())
    dropped = [each for each in rejections if each["stage"] == "duplicates"]
    planned = [each for each in dropped if _names_repeated(script, each["text"])]
    planted["duplicate"] = left["duplicate"] + len(planned)
    marks = [each for kind, texts in model.writer.planted.items() if kind != "copy" for each in texts]
    good = [each for each in rejections if each["stage"] in ("filters", "conversations") and each["text"]]
    good = [each for each in good if not any(mark in each["text"] for mark in marks)]
    return Outcome(+planted, +left, len(good) + len(dropped) - len(planned), len(rows), model.num_calls)


def read_rows(out: Path, modality: str = "text") -> Iterator[dict[str, str]]:
    """Yield the rows of all splits."""
    for path in sorted((out / "benchmark" / modality).glob("*.csv")):
        with path.open(newline="", encoding="utf-8") as stream:
            yield from csv.DictReader(stream)


def without(config: LlmConfig, *names: str) -> LlmConfig:
    """Return the configuration with some filters off; with none named, all of them."""
    return replace(config, filters=tuple(name for name in FILTERS if names and name not in names))


def _find_copies(texts: set[str], rows: list[dict[str, str]]) -> list[str]:
    known = {f"{row['topic_preference']}|{json.loads(row['expanded_persona'])['name']}" for row in rows}
    return [text for text in texts if text in known]


def _is_repeated(script: Script, row: dict[str, str]) -> bool:
    return bool(row["group_id"]) and happens(script.faults.get("duplicate", 0.0), "duplicate", row["topic_preference"])


def _names_repeated(script: Script, text: str) -> bool:
    found = re.search(r"something for the matter of (.*?), ", text)
    return found is not None and happens(script.faults.get("duplicate", 0.0), "duplicate", found[1])
