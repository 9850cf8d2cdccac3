"""A tiny valid dataset in the published layout, for tests to use whole or to spoil."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

COUNT_NAMES = (
    "total_tokens_in_chat_history",
    "distance_from_related_snippet_to_query",
    "num_persona_relevant_tokens",
    "num_persona_irrelevant_tokens",
)
SIZES = ("32k", "128k")
MESSAGES: list[dict[str, Any]] = [
    {"role": "system", "content": 'You are helping this persona: {"name": "Mara Lind"}'},
    {"role": "user", "content": "Can you shorten this email? I am off to the pottery studio again."},
    {"role": "assistant", "content": "Here is a shorter version."},
    {"role": "user", "content": "Please forget that I bake bread."},
    {"role": "user", "content": "And a subject line?"},
    {"role": "assistant", "content": "Subject: Thursday"},
]
"""A history with a persona's system message and two user messages in a row."""


def make_row(number: int = 0, **changes: str) -> dict[str, str]:
    """Return one row as the CSV holds it; `number` makes its content unlike that of the others."""
    row = {
        "persona_id": "7",
        **{f"chat_history_{size}_link": f"data/chat_history_{size}/chat_history_persona7.json" for size in SIZES},
        "raw_persona_file": "data/raw_data/raw_data_persona7.json",
        "short_persona": "{'persona': \"A librarian who doesn't drive\"}",
        "expanded_persona": json.dumps({"name": "Mara Lind", "age": 41}, indent=2),
        "user_query": repr({"role": "user", "content": f"What could I do on evening {number}?"}),
        "correct_answer": "Try a new glaze.",
        "incorrect_answers": json.dumps(["Bake bread.", "Go for a run.", "Read a book."]),
        "related_conversation_snippet": json.dumps(MESSAGES[1:3]),
        "preference": "Makes pottery",
        "prev_pref": "",
        "pref_type": "neutral_preferences",
        "topic_preference": "Hobbies",
        "topic_query": ": travel",
        "conversation_scenario": "personal_email",
        "who": "self",
        "updated": "False",
        "sensitive_info": "False",
        **{f"{name}_{size}": "120" for size in SIZES for name in COUNT_NAMES},
    }
    return row | changes


def write_history(path: Path, messages: Sequence[dict[str, Any]] = MESSAGES) -> Path:
    """Write a history file and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = {"metadata": {"total_messages": len(messages), "persona_id": 7}, "chat_history": list(messages)}
    path.write_text(json.dumps(raw, ensure_ascii=False), encoding="utf-8")
    return path


def write_rows(path: Path, rows: Sequence[dict[str, str]]) -> Path:
    """Write a CSV with the columns of its first row and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_dataset(
    folder: Path, rows: Sequence[dict[str, str]] | None = None, *, split: str = "benchmark", modality: str = "text"
) -> Path:
    """Write a dataset of one split (three rows where none are given) and return its folder."""
    for size in SIZES:
        write_history(folder / "data" / f"chat_history_{size}" / "chat_history_persona7.json")
    raw = folder / "data" / "raw_data" / "raw_data_persona7.json"
    raw.parent.mkdir(parents=True, exist_ok=True)
    raw.write_text("{}", encoding="utf-8")
    write_rows(folder / "benchmark" / modality / f"{split}.csv", rows or [make_row(number) for number in range(3)])
    return folder
