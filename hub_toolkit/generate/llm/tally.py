"""What went into each stage of a quad, and what was rejected there and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from hub_toolkit.generate.llm.records import Rejection

STAGES = (
    "personas",
    "preferences",
    "contradiction",
    "stereotype",
    "conversations",
    "sets",
    "questions",
    "filters",
    "histories",
    "duplicates",
)
"""Where something may be rejected, in their order. `sets`: whether all that a set needs was written."""


@dataclass
class Tally:
    """Counts of one stage's work. What goes in and is not rejected comes out."""

    entered: Counter[str] = field(default_factory=Counter)
    rejections: list[Rejection] = field(default_factory=list)

    def enter(self, stage: str, num: int = 1) -> None:
        """Count what goes into a stage."""
        self.entered[stage] += num

    def reject(self, rejection: Rejection) -> None:
        """Keep a rejection."""
        self.rejections.append(rejection)

    def as_dict(self) -> dict[str, Any]:
        """Return the tally for JSON, in an order that does not tell who came first."""
        ordered = sorted(self.rejections, key=lambda r: (STAGES.index(r.stage), r.item, r.attempt, r.reason, r.detail))
        return {"entered": dict(sorted(self.entered.items())), "rejections": [asdict(each) for each in ordered]}


def summarise(tallies: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return by stage what went in, what came out, and the rejections by reason."""
    entered: Counter[str] = Counter()
    reasons: dict[str, Counter[str]] = {stage: Counter() for stage in STAGES}
    for tally in tallies:
        entered.update(tally["entered"])
        for rejection in tally["rejections"]:
            reasons[rejection["stage"]][rejection["reason"]] += 1
    return {
        stage: {
            "in": entered[stage],
            "out": entered[stage] - reasons[stage].total(),
            "rejected": dict(sorted(reasons[stage].items())),
        }
        for stage in STAGES
        if entered[stage] or reasons[stage]
    }
