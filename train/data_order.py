"""In which order rows come: drawn by seed and epoch, the owners of a swap group always in one batch."""

from __future__ import annotations

import hashlib
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence

from hub_toolkit.errors import PersonaMemError


def order_rows(units: Sequence[str], batch_size: int, *, seed: int, epoch: int = 0) -> list[int]:
    """Return the places of all rows, so that no batch of `batch_size` in a row cuts a unit; "" stands alone.

    Raises: PersonaMemError: the units cannot be laid out so.
    """
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for place, unit in enumerate(units):
        if unit:
            groups[unit].append(place)
    rng = random.Random(hashlib.sha256(f"{seed}\0{epoch}".encode()).digest())
    alone = [place for place, unit in enumerate(units) if not unit]
    rng.shuffle(alone)
    sizes = {len(group) for group in groups.values()}
    if not sizes:
        return alone
    size = max(sizes)
    if len(sizes) > 1 or batch_size % size:
        raise PersonaMemError(
            f"a batch of {batch_size} prompts cannot hold whole swap groups of {', '.join(map(str, sorted(sizes)))}: "
            f"make the batch a multiple of {size}, or set is_keeping_groups: false"
        )
    tiles = [*groups.values(), *(alone[at : at + size] for at in range(0, len(alone) - size + 1, size))]
    rng.shuffle(tiles)
    rest = alone[len(alone) - len(alone) % size :]
    return [place for tile in tiles for place in tile] + rest


class GroupSampler:
    """A sampler as TRL's RepeatSampler, that keeps swap groups within a batch of `batch_size` different rows.

    Each row is repeated `mini_repeat_count` times, each batch `repeat_count` times; a batch that is not full is left
    out where `is_dropping_last`. Each epoch has an order of its own, the same in a resumed run.
    """

    def __init__(
        self,
        units: Sequence[str],
        batch_size: int,
        *,
        seed: int,
        mini_repeat_count: int = 1,
        repeat_count: int = 1,
        is_dropping_last: bool = True,
    ) -> None:
        """Raises: PersonaMemError: a batch cannot hold whole groups, or there is not one batch."""
        self.units = list(units)
        self.batch_size = batch_size
        self.seed = seed
        self.mini_repeat_count = mini_repeat_count
        self.repeat_count = repeat_count
        self.is_dropping_last = is_dropping_last
        self.epoch = 0
        order_rows(self.units, batch_size, seed=seed)
        if is_dropping_last and len(self.units) < batch_size:
            raise PersonaMemError(
                f"{len(self.units)} rows do not fill one batch of {batch_size} prompts: take more rows (see which were "
                "left out) or a smaller batch"
            )

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order comes next."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        order = order_rows(self.units, self.batch_size, seed=self.seed, epoch=self.epoch)
        for start in range(0, self._num_rows, self.batch_size):
            batch = order[start : min(start + self.batch_size, self._num_rows)]
            for _ in range(self.repeat_count):
                for place in batch:
                    yield from [place] * self.mini_repeat_count

    def __len__(self) -> int:
        return self._num_rows * self.mini_repeat_count * self.repeat_count

    @property
    def _num_rows(self) -> int:
        num_rows = len(self.units)
        return num_rows - num_rows % self.batch_size if self.is_dropping_last else num_rows
