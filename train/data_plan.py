"""Which rows stand for which samples: multiple choice or open, in which orders, with whose history. All by seed."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from hub_toolkit.data.foreign import has_options
from hub_toolkit.data.schema import Sample
from hub_toolkit.evaluate.plan import Donors, Task
from train.config import DataConfig

Target = Literal["gold", "not_gold"]
"""What is right: the gold or, where another persona's history is read, any option but the gold."""


@dataclass(frozen=True)
class RowPlan:
    """One row to be made. `unit` names the whole swap group to which it belongs, empty for a row that stands alone."""

    sample: Sample
    task: Task
    permutation: int = 0
    donor: Sample | None = None
    unit: str = ""

    @property
    def target(self) -> Target:
        """What earns the reward."""
        return "gold" if self.donor is None else "not_gold"

    @property
    def name(self) -> str:
        """What names the row in a list."""
        parts = [self.sample.sample_id, self.task]
        parts += [f"order {self.permutation}"] if self.permutation else []
        parts += [f"history of persona {self.donor.persona_id}"] if self.donor else []
        return ", ".join(parts)


def plan_rows(samples: Sequence[Sample], config: DataConfig) -> list[RowPlan]:
    """Return the rows in the samples' order.

    A share `mcq_share` of samples is asked as multiple choice, a swap group as a whole; rows without options are open.
    Each multiple-choice row stands in `num_permutations` orders. A counterfactual row is a multiple-choice question
    outside of swap groups with the history of another persona: every letter but the gold is right. The reward of an
    answerer who ignores the history is then the same whatever it picks, one for each pair of real and counterfactual
    row; a group needs none, since its other owners' rows say the same with a known gold.
    """
    groups = whole_groups(samples)
    units = {sample.sample_id: group for group, rows in groups.items() for sample in rows}
    open_units = _draw_open(samples, units, config)
    rows: list[RowPlan] = []
    for sample in samples:
        unit = units.get(sample.sample_id, "")
        if (unit or sample.sample_id) in open_units:
            rows.append(RowPlan(sample, "open", unit=unit and f"{unit}#open"))
            continue
        for number in range(config.num_permutations):
            rows.append(RowPlan(sample, "mcq", number, unit=unit and f"{unit}#{number}"))
    return [*rows, *_counterfactuals(rows, samples, config)]


def whole_groups(samples: Iterable[Sample]) -> dict[str, list[Sample]]:
    """Return the swap groups of which every owner is there: each option is the right one for exactly one row."""
    groups: defaultdict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        if sample.group_id is not None:
            groups[sample.group_id].append(sample)
    return {name: rows for name, rows in groups.items() if is_whole(rows)}


def is_whole(rows: Sequence[Sample]) -> bool:
    """Whether these rows share their options, and each is right for exactly one of them."""
    options = {frozenset((row.correct_answer, *row.incorrect_answers)) for row in rows}
    golds = [row.correct_answer for row in rows]
    return len(options) == 1 and len(set(golds)) == len(golds) and set(golds) == next(iter(options))


def drop_broken(rows: Sequence[RowPlan]) -> tuple[list[RowPlan], list[RowPlan]]:
    """Return the rows whose swap group is whole still, with those that stand alone, and the others."""
    units: defaultdict[str, list[Sample]] = defaultdict(list)
    for row in rows:
        units[row.unit].append(row.sample)
    broken = {unit for unit, owners in units.items() if unit and not is_whole(owners)}
    return [row for row in rows if row.unit not in broken], [row for row in rows if row.unit in broken]


def _draw_open(samples: Sequence[Sample], units: dict[str, str], config: DataConfig) -> set[str]:
    """Return which samples, or whole groups, are asked open."""
    sizes: defaultdict[str, int] = defaultdict(int)
    forced: set[str] = set()
    for sample in samples:
        name = units.get(sample.sample_id) or sample.sample_id
        sizes[name] += 1
        if not has_options(sample):
            forced.add(name)
    wanted = round((1 - config.mcq_share) * len(samples)) - sum(sizes[name] for name in forced)
    drawn = set(forced)
    order = sorted(sizes.keys() - forced, key=lambda name: draw(config.rows_seed, "task", name))
    # What fits goes in; of what does not, one may where that comes closer to the share than leaving it out.
    for reach in (1, 2):
        for name in order:
            if name not in drawn and 0 < sizes[name] <= reach * wanted:
                drawn.add(name)
                wanted -= sizes[name]
    return drawn


def _counterfactuals(rows: Sequence[RowPlan], samples: Sequence[Sample], config: DataConfig) -> list[RowPlan]:
    real = [row for row in rows if row.task == "mcq" and not row.unit]
    count = round(config.counterfactual_share * len(real))
    if not count:
        return []
    chosen = sorted(real, key=lambda row: draw(config.rows_seed, "counterfactual", row.name))[:count]
    donors = Donors(samples)
    found = [(row, donors.find(row.sample)) for row in chosen]
    return [
        replace(row, donor=donor) for row, donor in found if donor is not None and donor.cluster != row.sample.cluster
    ]


def draw(seed: int, purpose: str, name: str) -> bytes:
    """Return what a name is ordered by; the same in every process."""
    return hashlib.sha256(f"{seed}\0{purpose}\0{name}".encode()).digest()
