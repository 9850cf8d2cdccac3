"""Asks what is planned, journals every answer and goes on after a kill; the one place that catches model errors."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeVar

from hub_toolkit import __version__
from hub_toolkit.answer.mcq import answer_lexically, pick_lexically, pose_question, question_messages
from hub_toolkit.answer.open_ended import open_messages
from hub_toolkit.answer.readers import Context, Window, fit_messages
from hub_toolkit.data.schema import Sample
from hub_toolkit.data.tokens import TokenCounter
from hub_toolkit.errors import DataFormatError, ProviderError
from hub_toolkit.evaluate.contexts import BuilderFactory, ContextSource, MemoryStore
from hub_toolkit.evaluate.journal import Journal, encode_json, lock_run
from hub_toolkit.evaluate.plan import LEXICAL, Ask, EvalConfig, Plan, fingerprint_dataset, history_link, plan_evaluation
from hub_toolkit.evaluate.record import (
    PROTOCOL_VERSION,
    SAMPLES_FILE,
    Answer,
    Counterfactual,
    Row,
    RunRecord,
    count_statuses,
    load_record,
    package_versions,
    save_rows,
    sum_tokens,
)
from hub_toolkit.judge.choice import parse_choice
from hub_toolkit.models.base import ChatModel, Completion, GenerateConfig
from hub_toolkit.prompts.render import prompt_hashes
from hub_toolkit.types import Usage

JOURNAL_FILE = "journal.jsonl"
MEMORIES_FOLDER = "memories"
_HOPELESS = ("auth", "missing", "refused")
"""Kinds of error that no row survives: while nothing was ever answered, they end the run and fail no row."""

Item = TypeVar("Item")
Key = tuple[str, str]
Entry = dict[str, Any]


@dataclass(frozen=True)
class Setup:
    """Everything that a run works on. `model` is None for the lexical answerer; `questions` is the split's file."""

    config: EvalConfig
    folder: Path
    questions: Path
    samples: Sequence[Sample]
    model: ChatModel | None
    counter: TokenCounter
    make_builder: BuilderFactory


@dataclass(frozen=True)
class RunOptions:
    """How to run; nothing here changes an answer."""

    num_concurrent: int = 8
    is_retrying_failed: bool = False


@dataclass(frozen=True)
class Progress:
    """How far a stage is; tokens and failures are of the whole run."""

    stage: Literal["memories", "answers"]
    done: int
    total: int
    input_tokens: int
    output_tokens: int
    num_failed: int


ProgressCallback = Callable[[Progress], None]


async def run_evaluation(
    setup: Setup, out: Path, *, options: RunOptions | None = None, on_progress: ProgressCallback | None = None
) -> RunRecord:
    """Run or go on with the evaluation in the folder `out` until `samples.jsonl` and `run.json` are whole.

    Raises: DataFormatError: the data, or a run of another configuration in the folder, or another process in it.
        ProviderError: the model cannot be used at all, or every single row failed; what was done is kept.
    """
    with lock_run(out):
        plan = plan_evaluation(setup.samples, setup.config)
        dataset = fingerprint_dataset(setup.folder, setup.questions, plan, setup.config)
        record = _open_record(setup, dataset, out)
        journal = Journal(out / JOURNAL_FILE, is_durable=setup.model is not None)
        try:
            run = _Run(setup, plan, journal, out)
            return await run.finish(record, options or RunOptions(), on_progress or (lambda _: None))
        finally:
            journal.close()


def _open_record(setup: Setup, dataset: dict[str, Any], out: Path) -> RunRecord:
    """Return the record to go on with, or a new one, saved before any answer is.

    Raises: DataFormatError: the folder holds a run of another configuration.
    """
    config, model = setup.config, setup.model
    name = model.name if model else LEXICAL
    new = RunRecord(
        protocol=PROTOCOL_VERSION,
        status="running",
        dataset=dataset,
        seed=config.seed,
        model={"name": name, "revision": (name.partition("@")[2] or None) if model else __version__},
        persona_system=config.persona_system,
        token_counter=setup.counter.name,
        config=asdict(config),
        prompts=prompt_hashes(),
        packages=package_versions(),
        counts={},
        tokens={},
        memories=None,
        times={"started": _now(), "num_sessions": 0},
    )
    old = load_record(out)
    if old is None:
        if (out / JOURNAL_FILE).exists() or (out / SAMPLES_FILE).exists():
            raise DataFormatError("holds answers but no run.json; name another folder", file=str(out))
        new.save(out)
        return new
    was, is_now = old.identity(), json.loads(encode_json(new.identity()))
    differences = list(_differences(was, is_now))
    if differences:
        raise DataFormatError(
            "holds a run of another configuration: " + "; ".join(differences[:5]) + ". Use the same, or another folder",
            file=str(out),
        )
    return old


def _differences(was: Any, is_now: Any, name: str = "") -> Iterable[str]:
    """Yield what differs between two JSON values, by dotted name."""
    if isinstance(was, dict) and isinstance(is_now, dict):
        for key in sorted(was.keys() | is_now.keys()):
            yield from _differences(was.get(key), is_now.get(key), f"{name}.{key}" if name else key)
    elif was != is_now:
        yield f"{name} was {was!r}, now {is_now!r}"


class _Run:
    """One session on a run's folder."""

    def __init__(self, setup: Setup, plan: Plan, journal: Journal, out: Path) -> None:
        self.setup, self.plan, self.journal, self.out = setup, plan, journal, out
        self.memories = MemoryStore(out / MEMORIES_FOLDER, setup.config, setup.counter, setup.make_builder)
        self.contexts = ContextSource(setup.folder, setup.config, setup.counter, self.memories)
        self.donors = {ask.key: ask.donor for ask in plan.asks}
        self.entries: dict[Key, Entry] = {}
        self.usage, self.num_failed = Usage(), 0
        for entry in journal.entries:
            self._take(entry)

    async def finish(self, record: RunRecord, options: RunOptions, on_progress: ProgressCallback) -> RunRecord:
        """Ask what is left, write the final files and return the whole record."""
        started = time.monotonic()
        pending = [ask for ask in self.plan.asks if self._is_pending(ask, options)]
        if record.status == "complete" and not pending and (self.out / SAMPLES_FILE).exists():
            return record
        times = {**record.times, "num_sessions": record.times["num_sessions"] + 1}
        record = replace(record, status="running", times=times)
        record.save(self.out)
        self._check_histories(pending)
        await self._build_memories(pending, options, on_progress)
        await self._ask_all(pending, options, on_progress)
        rows = [self._assemble(sample) for sample in self.plan.samples]
        save_rows(self.out, rows)
        self.journal.rewrite(self.entries[ask.key] for ask in self.plan.asks)
        memories = self.memories.summary(self._links(self.plan.asks)) if self._has_memories else None
        times = {**times, "finished": _now(), "last_session_s": round(time.monotonic() - started, 3)}
        record = replace(
            record,
            status="complete",
            counts=count_statuses(rows),
            tokens=sum_tokens(rows, memories),
            memories=memories,
            times={**times, "num_concurrent": options.num_concurrent},
        )
        record.save(self.out)
        return record

    def _take(self, entry: Entry) -> None:
        """Let an entry stand for its ask, in the place of an earlier one."""
        key = (entry["sample_id"], entry["arm"])
        old = self.entries.get(key)
        self.num_failed += (entry["error"] is not None) - (old is not None and old["error"] is not None)
        self.usage += Usage(entry["input_tokens"], entry["output_tokens"], entry["is_estimated"])
        self.entries[key] = entry

    def _is_pending(self, ask: Ask, options: RunOptions) -> bool:
        entry = self.entries.get(ask.key)
        return entry is None or (options.is_retrying_failed and entry["error"] is not None)

    @property
    def _has_memories(self) -> bool:
        return self.setup.config.reader == "memory"

    def _links(self, asks: Iterable[Ask]) -> list[str]:
        return list(dict.fromkeys(history_link(ask.donor, self.setup.config.context) for ask in asks))

    def _check_histories(self, asks: Sequence[Ask]) -> None:
        """Open every history before anything is paid for.

        Raises: DataFormatError: one of them is not as published.
        """
        if self.setup.config.needs_history:
            for link in self._links(asks):
                self.contexts.load(link)

    async def _build_memories(self, asks: Sequence[Ask], options: RunOptions, on_progress: ProgressCallback) -> None:
        """Build the memories side by side first, so that no question waits in a row for the same one."""
        if not self._has_memories or not asks:
            return
        links = self._links(asks)
        num_done = 0

        async def build(link: str) -> None:
            nonlocal num_done
            try:
                await self.memories.build(link, self.contexts.load)
            except ProviderError as error:
                # The store keeps the error: every question on this memory fails with it below.
                if self._is_hopeless(error):
                    raise
            num_done += 1
            on_progress(self._progress("memories", num_done, len(links)))

        await _work_through(links, build, options.num_concurrent)

    async def _ask_all(self, asks: Sequence[Ask], options: RunOptions, on_progress: ProgressCallback) -> None:
        num_asks = len(self.plan.asks)
        num_done = num_asks - len(asks)
        on_progress(self._progress("answers", num_done, num_asks))

        async def ask_one(ask: Ask) -> None:
            nonlocal num_done
            entry = await self._settle(ask)
            self.journal.append(entry)
            self._take(entry)
            num_done += 1
            on_progress(self._progress("answers", num_done, num_asks))

        await _work_through(asks, ask_one, options.num_concurrent)

    def _is_hopeless(self, error: ProviderError) -> bool:
        has_answered = self.num_failed < len(self.entries) or self.memories.usage != Usage()
        return error.kind in _HOPELESS and not has_answered

    async def _settle(self, ask: Ask) -> Entry:
        """Return the journal's entry for an ask: a reply, or why there is none.

        Raises: ProviderError: the model cannot be used at all.
        """
        entry: Entry = {"sample_id": ask.sample.sample_id, "arm": ask.arm, "donor": ask.donor.sample_id}
        empty = {"reply": None, "finish_reason": None, "context_tokens": None}
        usage = {"input_tokens": 0, "output_tokens": 0, "is_estimated": False}
        try:
            context, context_tokens = await self.contexts.read(ask.donor)
            completion = await self._answer(ask.sample, context)
        except ProviderError as error:
            if self._is_hopeless(error):
                raise
            return {**entry, **empty, **usage, "error": f"{error.kind}: {error}"}
        return {
            **entry,
            "reply": completion.text,
            "finish_reason": completion.finish_reason,
            "context_tokens": context_tokens,
            **asdict(completion.usage),
            "error": None,
        }

    async def _answer(self, sample: Sample, context: Context) -> Completion:
        config, model = self.setup.config, self.setup.model
        if model is None:
            return answer_lexically(pose_question(sample, config.seed), context)
        is_mcq = config.task == "mcq"
        question = question_messages(pose_question(sample, config.seed)) if is_mcq else open_messages(sample.user_query)
        window = Window(model.context_tokens, config.reply_tokens, config.truncate)
        messages = fit_messages(context, question, self.setup.counter, window)
        return await model.generate(messages, GenerateConfig(max_tokens=config.reply_tokens, seed=config.seed))

    def _assemble(self, sample: Sample) -> Row:
        """Return the sample's line from what the journal holds."""
        config = self.setup.config
        question = pose_question(sample, config.seed) if config.task == "mcq" else None
        gold = question.gold if question else None
        has_no_context = question is not None and self.setup.model is None
        other = (sample.sample_id, "other")
        counterfactual = None
        if other in self.donors:
            counterfactual = Counterfactual(self.donors[other].persona_id, judge_entry(self.entries[other], gold))
        return Row(
            sample_id=sample.sample_id,
            persona_id=sample.persona_id,
            cluster=sample.cluster,
            group_id=sample.group_id,
            group_size=self.plan.group_sizes.get(sample.group_id) if sample.group_id else None,
            pref_type=sample.pref_type,
            conversation_scenario=sample.conversation_scenario,
            topic=sample.topic_query,
            who=sample.who,
            is_updated=sample.is_updated,
            is_sensitive=sample.is_sensitive,
            distance_tokens=sample.counts.get(f"distance_from_related_snippet_to_query_{config.context}"),
            options=question.options if question else None,
            gold=gold,
            answer=judge_entry(self.entries[sample.sample_id, "own"], gold),
            no_context_choice=pick_lexically(question, Context()) if question and has_no_context else None,
            counterfactual=counterfactual,
        )

    def _progress(self, stage: Literal["memories", "answers"], done: int, total: int) -> Progress:
        usage = self.usage + self.memories.usage
        return Progress(stage, done, total, usage.input_tokens, usage.output_tokens, self.num_failed)


def judge_entry(entry: Entry, gold: str | None) -> Answer:
    """Return the answer of a journal entry; `gold` None: an open question, which judges score later."""
    answer = Answer(
        status="unscored",
        **{name: entry[name] for name in ("reply", "finish_reason", "context_tokens")},
        **{name: entry[name] for name in ("input_tokens", "output_tokens", "is_estimated", "error")},
    )
    if answer.reply is None:
        return replace(answer, status="failed")
    if gold is None:
        return answer
    choice = parse_choice(answer.reply)
    if choice is None:
        return replace(answer, status="unparsed", is_correct=False)
    return replace(answer, status="scored", choice=choice, is_correct=choice == gold)


async def _work_through(items: Iterable[Item], work: Callable[[Item], Awaitable[None]], num_concurrent: int) -> None:
    """Do all items, at most so many at once, begun in their order; the first error ends the others."""
    queue = iter(items)

    async def worker() -> None:
        for item in queue:
            await work(item)

    tasks = [asyncio.create_task(worker()) for _ in range(num_concurrent)]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
