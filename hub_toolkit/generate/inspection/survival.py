"""What became of everything that was written: by stage, and by reason of rejection."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub_toolkit.errors import DataFormatError

SURVIVAL_FILE = "survival.json"
REJECTIONS_FILE = "rejections.jsonl"
NUM_EXAMPLES = 3


@dataclass(frozen=True)
class StageSurvival:
    """One stage: what went in, what came out, and why the rest did not."""

    stage: str
    num_in: int
    num_out: int
    rejected: dict[str, int]

    @property
    def share(self) -> float | None:
        """What survives; None where nothing went in."""
        return self.num_out / self.num_in if self.num_in else None


def load_survival(folder: Path) -> list[StageSurvival]:
    """Read `survival.json`; a folder without one was made without filters.

    Raises: DataFormatError: the file is not `{stage: {"in", "out", "rejected"}}`.
    """
    path = folder / SURVIVAL_FILE
    if not path.is_file():
        return []
    try:
        stages = json.loads(path.read_bytes())
        return [_read_stage(str(name), figures) for name, figures in stages.items()]
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        message = 'is not {stage: {"in": n, "out": n, "rejected": {reason: n}}}; write it anew with `generate run`'
        raise DataFormatError(message, file=SURVIVAL_FILE) from error


def _read_stage(name: str, figures: dict[str, Any]) -> StageSurvival:
    rejected = {str(reason): int(num) for reason, num in (figures.get("rejected") or {}).items()}
    return StageSurvival(name, int(figures["in"]), int(figures["out"]), rejected)


def load_rejections(folder: Path) -> tuple[Counter[str], dict[str, list[str]]]:
    """Return from `rejections.jsonl` how often each reason occurs, and its first examples as text.

    Raises: DataFormatError: a line is no JSON object.
    """
    counts: Counter[str] = Counter()
    examples: dict[str, list[str]] = {}
    path = folder / REJECTIONS_FILE
    if not path.is_file():
        return counts, examples
    with path.open(encoding="utf-8", errors="surrogateescape") as stream:
        for number, line in enumerate(stream, 1):
            record = _read_line(line, number)
            reason = " · ".join(str(record[key]) for key in ("stage", "reason") if key in record) or "no reason given"
            counts[reason] += 1
            if len(kept := examples.setdefault(reason, [])) < NUM_EXAMPLES:
                kept.append(json.dumps(record, ensure_ascii=False))
    return counts, examples


def _read_line(line: str, number: int) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError:
        record = None
    if not isinstance(record, dict):
        raise DataFormatError("is no JSON object; delete the line", file=REJECTIONS_FILE, row=number)
    return record
