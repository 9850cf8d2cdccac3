"""The questions of a split, read with an eye on memory: a persona's profile is kept once, not once a question."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from hub_toolkit.data.foreign import parse_row
from hub_toolkit.data.parse import iter_rows, split_path
from hub_toolkit.data.schema import Sample, Split
from hub_toolkit.errors import DataFormatError


def load_questions(folder: Path, split: Split) -> list[Sample]:
    """Read a split as `load_samples` does; equal profiles are one object.

    Raises: DataFormatError: the first thing in the file that is not as published.
    """
    path = split_path(folder, split)
    file = path.relative_to(folder).as_posix()
    if not path.is_file():
        raise DataFormatError("the split's file is missing; check the folder and the split's name", file=file)
    samples: list[Sample] = []
    seen: dict[str, int] = {}
    profiles: dict[str, dict[str, Any]] = {}
    for row in iter_rows(path, file=file):
        if isinstance(row, DataFormatError):
            raise row
        sample, problems = parse_row(row, split=split, file=file)
        for problem in problems:
            raise problem
        if sample is None:
            continue
        # The id ends in the content's hash, which need not be made again.
        earlier = seen.setdefault(sample.sample_id.rpartition("-")[2], row.number)
        if earlier != row.number:
            raise DataFormatError(f"the sample repeats row {earlier}; remove one of the two", file=file, row=row.number)
        profile = profiles.setdefault(row.cells["expanded_persona"], sample.expanded_persona)
        if profile is not sample.expanded_persona:
            sample = replace(sample, expanded_persona=profile)
        samples.append(sample)
    return samples
