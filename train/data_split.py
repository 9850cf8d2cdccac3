"""The splits of a run, and the proof that no person of one stands in another."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from hub_toolkit.data.schema import Sample, Split
from hub_toolkit.errors import DataFormatError
from hub_toolkit.evaluate.questions import load_questions
from hub_toolkit.hub.transfer.pull import name_dataset, open_dataset
from hub_toolkit.settings import Settings
from train.config import DataConfig

MAX_NAMED = 5


@dataclass(frozen=True)
class Splits:
    """What a run reads. `folder` is in the published layout; `revision` is the Hub's commit, None for a folder."""

    folder: Path
    name: str
    revision: str | None
    train: tuple[Sample, ...]
    val: tuple[Sample, ...]


def open_splits(config: DataConfig, settings: Settings) -> Splits:
    """Load the splits from a folder or the Hub.

    Raises: DataFormatError: a split is missing or not as published, or two share a persona. HubError
    """
    folder = open_dataset(config.dataset, settings)
    name, revision = name_dataset(config.dataset, folder)
    train = load_split(folder, config.train_split)
    val = load_split(folder, config.val_split)
    held_folder = open_dataset(config.held_out_dataset, settings) if config.held_out_dataset else folder
    held_out = load_split(held_folder, config.held_out_split)
    check_disjoint(
        {
            f"train ({config.train_split})": (str(folder), train),
            f"validation ({config.val_split})": (str(folder), val),
            f"held out ({config.held_out_split})": (str(held_folder), held_out),
        }
    )
    return Splits(folder, name, revision, tuple(cut_whole(train, config.limit_train)), tuple(val))


def load_split(folder: Path, split: str | None) -> list[Sample]:
    """Return a split's samples; none for no split.

    Raises: DataFormatError: there is no such split.
    """
    if not split or split.lower() == "none":
        return []
    known = get_args(Split)
    if split not in known:
        raise DataFormatError(f"there is no split {split!r}; name one of {', '.join(known)}", file=str(folder))
    return load_questions(folder, split)  # type: ignore[arg-type]


def check_disjoint(splits: Mapping[str, tuple[str, Sequence[Sample]]]) -> None:
    """Compare the people of each split, which comes with its dataset's folder, with those of the others.

    The same person is the same id in the same dataset, a twin's original, the same history file, or the same profile.
    Raises: DataFormatError: names who stands in two splits.
    """
    seen: dict[tuple[str, str], str] = {}
    shared: dict[tuple[str, str], dict[str, None]] = {}
    for name, (dataset, samples) in splits.items():
        for sample in samples:
            for mark in _marks(sample, dataset):
                other = seen.setdefault(mark, name)
                if other != name:
                    shared.setdefault((other, name), {})[_describe(sample)] = None
    for (first, second), people in shared.items():
        named = list(people)
        more = f" and {len(named) - MAX_NAMED} more" if len(named) > MAX_NAMED else ""
        raise DataFormatError(
            f"{first} and {second} share {len(named)} personas: {', '.join(named[:MAX_NAMED])}{more}; "
            "split the dataset by persona, or name other splits (train_split, val_split, held_out_split)"
        )


def cut_whole(samples: Sequence[Sample], limit: int | None) -> list[Sample]:
    """Return at most so many samples, drawn by their names, no swap group cut; in the order of the file."""
    if limit is None or limit >= len(samples):
        return list(samples)
    groups: dict[str, list[Sample]] = {}
    for sample in samples:
        groups.setdefault(sample.group_id or sample.sample_id, []).append(sample)
    chosen: set[str] = set()
    num_left = limit
    for key in sorted(groups, key=lambda key: hashlib.sha256(key.encode()).digest()):
        if len(groups[key]) <= num_left:
            chosen.add(key)
            num_left -= len(groups[key])
    return [sample for sample in samples if (sample.group_id or sample.sample_id) in chosen]


def _marks(sample: Sample, dataset: str) -> Iterator[tuple[str, str]]:
    """Yield what tells a person."""
    for persona in {sample.persona_id, sample.cluster}:
        yield "persona", f"{dataset}\0{persona}"
    for link in sample.history_links.values():
        if link:
            yield "history", f"{dataset}\0{link}"
    if sample.expanded_persona:
        yield "profile", json.dumps(sample.expanded_persona, sort_keys=True)


def _describe(sample: Sample) -> str:
    name = sample.expanded_persona.get("name")
    return f"{sample.persona_id} ({name})" if name else str(sample.persona_id)
