"""What a leaderboard pins: the questions by id, and the protocol by which every row is scored."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property

from hub_toolkit.answer.mcq import Question
from hub_toolkit.answer.protocol import Protocol, load_protocol
from hub_toolkit.data.foreign import load_samples
from hub_toolkit.data.parse import resolve_dataset, split_path
from hub_toolkit.data.schema import ContextSize, Sample, Split

MINI = "personamem-mini"
"""The dataset that ships in the package."""

SEED = 0
"""Of the order of the options: one for all rows, or they would not have been asked the same."""


@dataclass(frozen=True)
class Board:
    """The questions of one dataset at one revision, asked by one protocol.

    `dataset` is a repo of the Hub, or `personamem-mini`; `revision` its commit, or the SHA-256 of its questions.
    """

    dataset: str
    revision: str
    split: Split
    protocol: Protocol
    samples: tuple[Sample, ...]
    seed: int = SEED
    context: ContextSize = "32k"
    group_sizes: dict[str, int] = field(default_factory=dict)

    @cached_property
    def by_id(self) -> dict[str, Sample]:
        """The pinned questions."""
        return {sample.sample_id: sample for sample in self.samples}

    @cached_property
    def persona_ids(self) -> frozenset[int]:
        """Whose questions they are."""
        return frozenset(sample.persona_id for sample in self.samples)

    @cached_property
    def questions(self) -> dict[str, Question]:
        """Each question with its options in the order in which every system is shown them."""
        return {sample.sample_id: self.protocol.pose(sample, self.seed) for sample in self.samples}

    @cached_property
    def ids_digest(self) -> str:
        """SHA-256 of all pinned ids: says in one word whether two boards ask the same."""
        return hashlib.sha256("\n".join(sorted(self.by_id)).encode()).hexdigest()

    @property
    def column(self) -> str:
        """What may stand in one column: the same questions by the same protocol."""
        return f"{self.dataset}@{self.revision[:12]} · {self.split} · {self.protocol.name}.{self.protocol.version}"


def open_board(
    data: str = "mini",
    *,
    dataset: str = MINI,
    revision: str | None = None,
    split: Split = "benchmark",
    name: str = "v1",
) -> Board:
    """Open the board of a dataset's folder (`mini`, or a folder); `name` is the protocol's.

    Raises: DataFormatError: the dataset is broken, or there is no such protocol.
    """
    folder = resolve_dataset(data)
    samples = tuple(load_samples(folder, split))
    groups = Counter(sample.group_id for sample in samples if sample.group_id is not None)
    found = hashlib.sha256(split_path(folder, split).read_bytes()).hexdigest()
    return Board(dataset, revision or found, split, load_protocol(name), samples, group_sizes=dict(groups))
