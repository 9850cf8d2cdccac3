"""Planned rows as TRL's columns: the prompts that evaluation asks, their targets, and what rewards must know."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import datasets

from hub_toolkit.answer.mcq import LETTERS, Question
from hub_toolkit.answer.protocol import Protocol, load_protocol
from hub_toolkit.answer.readers import Window
from hub_toolkit.data.history import chunk_messages
from hub_toolkit.data.tokens import TokenCounter
from hub_toolkit.errors import DataFormatError
from hub_toolkit.evaluate.contexts import ContextSource
from hub_toolkit.evaluate.journal import encode_json, write_atomically
from hub_toolkit.evaluate.memories import ExternalStore, MemoryStore
from hub_toolkit.evaluate.plan import Ask, EvalConfig, history_link
from hub_toolkit.memory.builders.extractive import ExtractiveBuilder
from hub_toolkit.types import Message
from train.config import DataConfig
from train.data_plan import RowPlan, draw, drop_broken
from train.data_prior import Priors
from train.data_sample import encode_sample
from train.data_update import update_rows

Stage = Literal["sft", "grpo", "memory"]
DROPPED_FILE = "dropped_rows.json"
MAX_NAMED = 5
NUM_AT_ONCE = 64
"""Rows that are tokenized together."""

_CHAT = datasets.List({"role": datasets.Value("string"), "content": datasets.Value("string")})
_TEXT = datasets.Value("string")
_COUNT = datasets.Value("int64")
_COLUMNS: dict[str, Any] = {
    "prompt": _CHAT,
    "task": _TEXT,
    "gold": _TEXT,
    "target": _TEXT,
    "options": datasets.List(_TEXT),
    "prior": _TEXT,
    "pref_type": _TEXT,
    "sample": _TEXT,
    "sample_id": _TEXT,
    "unit": _TEXT,
    "num_tokens": _COUNT,
}


@dataclass(frozen=True)
class DroppedRow:
    """A row that was left out. `row` counts the file's rows from 1; `size` is in `unit`s."""

    name: str
    row: int
    reason: str
    size: int | None = None


@dataclass(frozen=True)
class Rows:
    """The rows to train on, and what was left out."""

    dataset: Any
    dropped: tuple[DroppedRow, ...]

    def describe(self) -> str:
        """Return in one line how many rows there are of each task, and what was left out."""
        tasks = Counter(self.dataset["task"])
        parts = ", ".join(f"{count} {task}" for task, count in sorted(tasks.items()))
        return f"{len(self.dataset)} rows ({parts}); {describe_dropped(self.dropped)}"


class RowMaker:
    """Makes rows of one stage from one dataset's folder. `work` keeps the memories that a reader builds."""

    def __init__(
        self,
        folder: Path,
        config: DataConfig,
        tokenizer: Any,
        *,
        stage: Stage,
        work: Path,
        max_turns: int | None = None,
    ) -> None:
        self.config, self.stage, self.tokenizer, self.max_turns = config, stage, tokenizer, max_turns
        self.protocol: Protocol = load_protocol(config.protocol)
        self.protocol.check()
        self.counter: TokenCounter = self.protocol.counter
        self.priors = Priors.load(Path(config.prior_run)) if config.prior_run else Priors()
        self.chat_template_kwargs: dict[str, Any] = {}
        self.reading = reading_config(config, stage)
        make_builder = lambda: ExtractiveBuilder(self.counter, cap_tokens=config.cap_tokens)  # noqa: E731
        self.contexts = ContextSource(
            folder,
            self.reading,
            self.counter,
            MemoryStore(work / "memories", self.reading, self.counter, make_builder),
            ExternalStore(work / "memories", self.reading, self.counter, None),
        )

    async def make(self, plan: RowPlan) -> dict[str, Any]:
        """Return a row's columns, its size not yet measured.

        Raises: DataFormatError: the history is not as published, or holds images.
        """
        sample, config = plan.sample, self.config
        ask = Ask(sample, "other" if plan.donor else "own", plan.donor or sample, plan.permutation)
        reading = await self.contexts.read(ask)
        question = (
            self.protocol.pose(sample, config.rows_seed, plan.permutation)
            if plan.task == "mcq"
            else self.protocol.pose_open(sample, config.rows_seed)
        )
        messages = self.protocol.messages(reading.context, question, self.counter, Window(None, 0))
        posed = question if isinstance(question, Question) else None
        row: dict[str, Any] = {
            "prompt": [_plain(message, plan) for message in messages],
            "task": plan.task,
            "gold": posed.gold if posed else None,
            "target": plan.target,
            "options": list(posed.options) if posed else [],
            "prior": self.priors.find(sample),
            "pref_type": sample.pref_type,
            "sample": encode_sample(sample),
            "sample_id": sample.sample_id,
            "unit": plan.unit if config.is_keeping_groups else "",
        }
        if self.stage == "sft":
            row["completion"] = [{"role": "assistant", "content": self.write_target(plan, posed)}]
        if self.stage == "memory":
            row["history_start"] = self.contexts.load(history_link(ask.donor, config.context)).indices[0]
        return row

    def write_target(self, plan: RowPlan, question: Question | None) -> str:
        """Return what an SFT row teaches: the letter in its box and the answer's text, or the answer alone.

        A counterfactual row teaches one of the other options, drawn by the seed. A reason is never given where the
        preference is a secret or was to be forgotten.
        """
        sample = plan.sample
        if question is None:
            target = sample.correct_answer
        elif plan.target == "gold":
            target = _boxed(question.gold, sample.correct_answer)
        else:
            others = [letter for letter in LETTERS[: len(question.options)] if letter != question.gold]
            letter = others[draw(self.config.rows_seed, "other option", plan.name)[0] % len(others)]
            target = _boxed(letter, question.options[LETTERS.index(letter)])
        is_delicate = sample.is_sensitive or sample.pref_type in ("sensitive_info", "ask_to_forget")
        if not self.config.reason or is_delicate or plan.target != "gold":
            return target
        return self.config.reason.replace("{preference}", sample.preference).strip() + "\n\n" + target

    def measure(self, rows: Sequence[dict[str, Any]]) -> list[int]:
        """Return the tokens of each row by the tokenizer's chat template: prompt, and target where there is one."""
        texts = [
            self.tokenizer.apply_chat_template(
                [*row["prompt"], *row.get("completion", ())],
                tokenize=False,
                add_generation_prompt="completion" not in row,
                **self.chat_template_kwargs,
            )
            for row in rows
        ]
        fast = getattr(self.tokenizer, "backend_tokenizer", None)
        if fast is not None and texts:
            # The same ids without their places in the text, several texts at once.
            fast.no_truncation()
            fast.no_padding()
            return [len(found.ids) for found in fast.encode_batch_fast(texts, add_special_tokens=False)]
        return [len(ids) for ids in self.tokenizer(texts, add_special_tokens=False)["input_ids"]]

    def find_fault(self, plan: RowPlan, size: int) -> DroppedRow | None:
        """Return why a row must be left out, None where it may stay. `size` is in tokens."""
        number = plan.sample.row + 1
        if self.stage == "memory":
            history = self.contexts.load(history_link(plan.donor or plan.sample, self.config.context))
            turns = len(chunk_messages(history, self.counter, chunk_tokens=self.config.chunk_tokens))
            if self.max_turns is not None and turns > self.max_turns:
                return DroppedRow(plan.name, number, f"more than max_turns = {self.max_turns} updates", turns)
            if not turns:
                return DroppedRow(plan.name, number, "an empty history", 0)
            return None
        name = "max_row_tokens" if self.stage == "sft" else "max_prompt_tokens"
        limit: int = getattr(self.config, name)
        return DroppedRow(plan.name, number, f"more than {name} = {limit:,} tokens", size) if size > limit else None


def reading_config(config: DataConfig, stage: Stage) -> EvalConfig:
    """Return how evaluation reads what these rows read; memory rows hold the history, which the rollout cuts."""
    rules = load_protocol(config.protocol)
    return EvalConfig(
        dataset=config.dataset,
        reader="long_context" if stage == "memory" else config.reader,
        context=config.context,
        seed=config.rows_seed,
        cap_tokens=config.cap_tokens,
        chunk_tokens=config.chunk_tokens,
        persona_system=rules.context.persona_system,
        protocol=config.protocol,
    )


def build_rows(maker: RowMaker, plans: Sequence[RowPlan], work: Path) -> Rows:
    """Make, measure and filter the rows; no prompt is cut, and a swap group that loses a row goes as a whole.

    Raises: DataFormatError: nothing is left, or a history is not as published.
    """
    # All rows on one history together: it is read and counted once.
    plans = sorted(plans, key=lambda plan: (plan.donor or plan.sample).history_links.get(maker.config.context, ""))
    checked: list[tuple[RowPlan, DroppedRow | None]] = []
    sizes: dict[str, int] = {}
    for plan, row in _iter_made(maker, plans, is_counting=True):
        sizes[plan.name] = row["num_tokens"]
        checked.append((plan, maker.find_fault(plan, row["num_tokens"])))
    dropped = [fault for _, fault in checked if fault is not None]
    kept, broken = drop_broken([plan for plan, fault in checked if fault is None])
    dropped += [DroppedRow(plan.name, plan.sample.row + 1, "its swap group lost a row") for plan in broken]
    dropped.sort(key=lambda row: row.row)
    if not kept:
        raise DataFormatError(f"no row is left to train on: {describe_dropped(dropped)}")
    extra = _updates_that_fit(maker, kept, dropped) if maker.config.cold_start_updates and maker.stage == "sft" else []

    def generate() -> Iterator[dict[str, Any]]:
        for plan, row in _iter_made(maker, kept):
            yield row | {"num_tokens": sizes[plan.name]}
        yield from extra

    dataset = _store(generate, maker.stage, work)
    write_atomically(work / DROPPED_FILE, encode_json([asdict(row) for row in dropped], indent=1) + b"\n")
    return Rows(dataset, tuple(dropped))


def load_rows(work: Path) -> Rows:
    """Open the rows that another process of this run made."""
    dropped = json.loads((work / DROPPED_FILE).read_bytes())
    return Rows(datasets.load_from_disk(str(work / "rows")), tuple(DroppedRow(**row) for row in dropped))


def describe_dropped(dropped: Sequence[DroppedRow]) -> str:
    """Return in one line what was left out and why, the first of each kind by name."""
    if not dropped:
        return "none left out"
    kinds: dict[str, list[DroppedRow]] = {}
    for row in dropped:
        kinds.setdefault(row.reason, []).append(row)
    parts = []
    for reason, rows in kinds.items():
        named = ", ".join(
            f"row {row.row}" + (f" ({row.size:,})" if row.size is not None else "") for row in rows[:MAX_NAMED]
        )
        parts.append(f"{len(rows)} for {reason}: {named}{', …' if len(rows) > MAX_NAMED else ''}")
    return f"{len(dropped)} left out, {'; '.join(parts)}"


def _iter_made(
    maker: RowMaker, plans: Sequence[RowPlan], *, is_counting: bool = False
) -> Iterator[tuple[RowPlan, dict[str, Any]]]:
    """Yield rows one history after the other, as the plans come; with their tokens where they are to be counted."""
    for start in range(0, len(plans), NUM_AT_ONCE):
        part = plans[start : start + NUM_AT_ONCE]
        rows = asyncio.run(_make_all(maker, part))
        if is_counting:
            rows = [row | {"num_tokens": size} for row, size in zip(rows, maker.measure(rows), strict=True)]
        yield from zip(part, rows, strict=True)


def _updates_that_fit(maker: RowMaker, plans: Sequence[RowPlan], dropped: list[DroppedRow]) -> list[dict[str, Any]]:
    """Return the cold start's rows; those that are too long are added to `dropped`."""
    rows = update_rows(maker, plans)
    limit = maker.config.max_row_tokens
    fitting = []
    for row, size in zip(rows, maker.measure(rows), strict=True):
        if size <= limit:
            fitting.append(row | {"num_tokens": size})
        else:
            dropped.append(DroppedRow(row["sample_id"], 0, f"an update of more than {limit:,} tokens", size))
    return fitting


async def _make_all(maker: RowMaker, plans: Sequence[RowPlan]) -> list[dict[str, Any]]:
    return [await maker.make(plan) for plan in plans]


def _store(generate: Any, stage: Stage, work: Path) -> Any:
    """Write the rows to disk, not into memory: a long history stands in each of its rows."""
    extra = {"sft": {"completion": _CHAT}, "grpo": {}, "memory": {"history_start": _COUNT}}[stage]
    work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=work) as scratch:
        features = datasets.Features({**_COLUMNS, **extra})
        made = datasets.Dataset.from_generator(
            generate, features=features, cache_dir=scratch, fingerprint=Path(scratch).name
        )
        made.save_to_disk(str(work / "rows"))
    return datasets.load_from_disk(str(work / "rows"))


def _plain(message: Message, plan: RowPlan) -> dict[str, str]:
    if not isinstance(message.content, str) and any(part.get("type") != "text" for part in message.content):
        raise DataFormatError("holds an image; the recipes train on text splits", row=plan.sample.row + 1)
    return {"role": message.role, "content": message.text}


def _boxed(letter: str, text: str) -> str:
    return f"\\boxed{{{letter}}}\n\n{text}"
