"""Stage 9, over the whole dataset: questions that nearly repeat one of another persona go."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hub_toolkit.data.schema import Modality
from hub_toolkit.evaluate.journal import encode_json, write_atomically
from hub_toolkit.generate.layout import rows_path
from hub_toolkit.generate.llm.config import LlmConfig
from hub_toolkit.generate.llm.near_duplicates import find_near_duplicates
from hub_toolkit.generate.llm.records import Rejection
from hub_toolkit.generate.records import SimPersona
from hub_toolkit.generate.rows import Row


def drop_duplicates(config: LlmConfig, out: Path, personas: Iterable[SimPersona], kept: Path) -> dict[str, Any]:
    """Take repeated questions out of the waiting rows; return the stage's tally.

    The tally is written before a row is touched, so that a call that was killed does not look for them in what is left.
    """
    ordered = sorted(personas, key=lambda person: (person.quad, person.persona_id))
    if not kept.is_file():
        write_atomically(kept, encode_json(_find(config, out, ordered)) + b"\n")
    tally: dict[str, Any] = json.loads(kept.read_bytes())
    dropped = {rejection["item"] for rejection in tally["rejections"]}
    for person in ordered if dropped else ():
        for modality in config.modalities:
            rows = _read_rows(out, person, modality)
            left = [row for row in rows if _name(row) not in dropped]
            if len(left) < len(rows):
                write_atomically(rows_path(out, person, modality), encode_json(left) + b"\n")
    return tally


def _find(config: LlmConfig, out: Path, personas: Iterable[SimPersona]) -> dict[str, Any]:
    texts = list(dict(_questions(out, personas)).items())
    found = find_near_duplicates(texts, config.near_duplicate) if config.is_on("duplicate") else {}
    shown = dict(texts)
    rejections = [
        asdict(Rejection("duplicates", "duplicate", name, detail=f"like {earlier}", text=shown[name]))
        for name, earlier in found.items()
    ]
    return {"entered": {"duplicates": len(texts)}, "rejections": rejections}


def _questions(out: Path, personas: Iterable[SimPersona]) -> Iterator[tuple[str, str]]:
    """Yield each row's question: the group's name, or the row's own, with query and options in one order for all."""
    for person in personas:
        for row in _read_rows(out, person):
            options = sorted([row["correct_answer"], *json.loads(row["incorrect_answers"])])
            yield _name(row), "\n".join([_query(row), *options])


def _query(row: Row) -> str:
    return str(ast.literal_eval(row["user_query"])["content"])


def _name(row: Row) -> str:
    return str(row["group_id"]) or f"p{row['persona_id']}: {row['user_query']} {row['correct_answer']}"


def _read_rows(out: Path, person: SimPersona, modality: Modality = "text") -> list[Row]:
    rows: list[Row] = json.loads(rows_path(out, person, modality).read_bytes())
    return rows
