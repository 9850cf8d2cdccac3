"""From a dataset of the Hub or a folder to TRL's columns: one dataset for all stages.

Every row has `prompt` (what evaluation asks, word for word), `task` (mcq, open or update), `gold` (the letter),
`target` (what earns the reward), `options`, `prior` (the option that the demographics suggest), `sample` (for the
judges), `unit` (the swap group) and `num_tokens`. SFT rows have a `completion` too; memory rows hold the history as
messages, the question last, and `history_start`: the rollout cuts the chunks.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub_toolkit.settings import Settings
from train.config import DataConfig
from train.data_order import GroupSampler, order_rows
from train.data_plan import RowPlan, plan_rows, whole_groups
from train.data_rows import DroppedRow, RowMaker, Rows, Stage, build_rows, load_rows
from train.data_sample import decode_sample, encode_sample
from train.data_split import Splits, check_disjoint, open_splits

ROWS_FOLDER = "rows"


@dataclass(frozen=True)
class TrainingData:
    """What a recipe trains and validates on."""

    splits: Splits
    rows: Rows

    @property
    def dataset(self) -> Any:
        """The rows as a `datasets.Dataset`."""
        return self.rows.dataset


def load_data(  # noqa: PLR0913
    config: DataConfig,
    settings: Settings,
    tokenizer: Any,
    *,
    stage: Stage,
    out: Path,
    max_turns: int | None = None,
    chat_template_kwargs: dict[str, Any] | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> TrainingData:
    """Load the splits, check them, and make the rows of one stage in `out`; of several processes, the first one does.

    Raises: DataFormatError: the data is not as published, two splits share a persona, or no row is left. HubError
    """
    from accelerate import PartialState

    state = PartialState()
    work = out / ROWS_FOLDER
    with state.main_process_first():
        splits = open_splits(config, settings)
        if state.is_main_process:
            shutil.rmtree(work, ignore_errors=True)
            maker = RowMaker(splits.folder, config, tokenizer, stage=stage, work=work, max_turns=max_turns)
            maker.chat_template_kwargs = chat_template_kwargs or {}
            rows = build_rows(maker, plan_rows(splits.train, config), work)
            say(rows.describe())
        else:
            rows = load_rows(work)
    return TrainingData(splits, rows)


__all__ = [
    "DroppedRow",
    "GroupSampler",
    "RowMaker",
    "RowPlan",
    "Rows",
    "Splits",
    "Stage",
    "TrainingData",
    "build_rows",
    "check_disjoint",
    "decode_sample",
    "encode_sample",
    "load_data",
    "open_splits",
    "order_rows",
    "plan_rows",
    "whole_groups",
]
