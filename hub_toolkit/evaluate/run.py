"""Asks what is planned, journals every answer and goes on after a kill; the one place that catches model errors."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from hub_toolkit.answer.protocol import load_protocol
from hub_toolkit.errors import ProviderError
from hub_toolkit.evaluate.asking import Asker, failed_entry
from hub_toolkit.evaluate.budget import Budget, BudgetError, Meter
from hub_toolkit.evaluate.contexts import ContextSource
from hub_toolkit.evaluate.journal import Journal, lock_run
from hub_toolkit.evaluate.memories import ExternalStore, MemoryStore
from hub_toolkit.evaluate.metered import MeteredModel
from hub_toolkit.evaluate.plan import (
    Ask,
    Key,
    Plan,
    fingerprint_dataset,
    history_link,
    plan_evaluation,
)
from hub_toolkit.evaluate.record import (
    SAMPLES_FILE,
    RunRecord,
    count_statuses,
    save_rows,
    sum_tokens,
)
from hub_toolkit.evaluate.request_log import (
    REQUESTS_FOLDER,
    RequestLog,
    describe_requests,
    pack_logs,
    read_logs,
    sum_spent,
)
from hub_toolkit.evaluate.rows import Entry, RowReader, entry_key
from hub_toolkit.evaluate.run_setup import JOURNAL_FILE, MEMORIES_FOLDER, Setup, check_model, now, open_record
from hub_toolkit.evaluate.shards import Shard, cut_plan
from hub_toolkit.types import Usage

_HOPELESS = ("auth", "missing", "refused")
"""Kinds of error that no row survives: while nothing was ever answered, they end the run and fail no row."""

Item = TypeVar("Item")


@dataclass(frozen=True)
class RunOptions:
    """How to run; nothing here changes an answer. `shard` leaves out what others ask."""

    num_concurrent: int = 8
    is_retrying_failed: bool = False
    budget: Budget = field(default_factory=Budget)
    shard: Shard | None = None


@dataclass(frozen=True)
class Progress:
    """How far a stage is; tokens and failures are of the whole run. `usd` is None where no price is known."""

    stage: Literal["memories", "answers"]
    done: int
    total: int
    input_tokens: int
    output_tokens: int
    num_failed: int
    usd: float | None = None


ProgressCallback = Callable[[Progress], None]


async def run_evaluation(
    setup: Setup, out: Path, *, options: RunOptions | None = None, on_progress: ProgressCallback | None = None
) -> RunRecord:
    """Run or go on with the evaluation in the folder `out` until `samples.jsonl` and `run.json` are whole.

    Where a limit of the budget comes first, the record's status is `stopped`, and a later call goes on.
    Raises: DataFormatError: the data, or a run of another configuration in the folder, or another process in it.
        ProviderError: the model cannot be used at all, or every single row failed; what was done is kept.
    """
    options = options or RunOptions()
    check_model(setup)
    load_protocol(setup.config.protocol).check()
    with lock_run(out):
        plan = plan_evaluation(setup.samples, setup.config)
        asked = cut_plan(plan, options.shard) if options.shard else plan
        dataset = fingerprint_dataset(setup.folder, setup.questions, plan, setup.config)
        record = open_record(setup, dataset, out, options.shard)
        journal = Journal(out / JOURNAL_FILE, is_durable=setup.model is not None)
        run = _Run(setup, asked, journal, out)
        try:
            return await run.finish(record, options, on_progress or (lambda _: None))
        finally:
            await journal.finish()
            await run.externals.close()


class _Run:
    """One session on a run's folder."""

    def __init__(self, setup: Setup, plan: Plan, journal: Journal, out: Path) -> None:
        self.setup, self.plan, self.journal, self.out = setup, plan, journal, out
        config, counter = setup.config, setup.counter
        model = setup.model
        self.model = model if isinstance(model, MeteredModel) or model is None else MeteredModel(model)
        self.memories = MemoryStore(out / MEMORIES_FOLDER, config, counter, setup.make_builder)
        self.externals = ExternalStore(out / MEMORIES_FOLDER, config, counter, self.model)
        self.contexts = ContextSource(setup.folder, config, counter, self.memories, self.externals)
        self.asker = Asker(config, self.contexts, self.model)
        self.meter = Meter()
        self.entries: dict[Key, Entry] = {}
        self.usage, self.num_failed = Usage(), 0
        for entry in journal.entries:
            self._take(entry)

    async def finish(self, record: RunRecord, options: RunOptions, on_progress: ProgressCallback) -> RunRecord:
        """Ask what is left, write the final files and return the whole record."""
        started = time.monotonic()
        pending = [ask for ask in self._in_order() if self._is_pending(ask, options)]
        if record.status == "complete" and not pending and (self.out / SAMPLES_FILE).exists():
            return record
        times = {**record.times, "num_sessions": record.times["num_sessions"] + 1}
        record = replace(record, status="running", stop=None, times=times)
        record.save(self.out)
        self._check_histories(pending)
        with self._logged(times["num_sessions"], options.budget):
            reason = await self._work(pending, options, on_progress)
        times = {**times, "finished": now(), "last_session_s": round(time.monotonic() - started, 3)}
        times["num_concurrent"] = options.num_concurrent
        return self._stop(record, reason, times) if reason else self._complete(record, times)

    async def _work(self, pending: Sequence[Ask], options: RunOptions, on_progress: ProgressCallback) -> str | None:
        """Build the memories, then ask; return why it ended before its end."""
        reason = await self._build_memories(pending, options, on_progress)
        return reason or await self._ask_all(pending, options, on_progress)

    def _stop(self, record: RunRecord, reason: str, times: dict[str, Any]) -> RunRecord:
        left = sum(ask.key not in self.entries for ask in self.plan.asks)
        stop = {"reason": reason, "answered": len(self.plan.asks) - left, "left": left}
        record = replace(record, status="stopped", stop=stop, times=times, requests=self._describe_requests())
        record.save(self.out)
        return record

    def _complete(self, record: RunRecord, times: dict[str, Any]) -> RunRecord:
        rows = RowReader(self.plan, self.setup.config, self.asker.protocol, self.entries).rows()
        save_rows(self.out, rows)
        self.journal.rewrite(self.entries[ask.key] for ask in self.plan.asks)
        store = self._store
        memories = store.summary(self._links(self.plan.asks)) if store else None
        record = replace(
            record,
            status="complete",
            counts=count_statuses(rows),
            tokens=sum_tokens(rows, memories),
            memories=memories,
            times=times,
            requests=self._describe_requests(),
        )
        record.save(self.out)
        return record

    @contextmanager
    def _logged(self, session: int, budget: Budget) -> Iterator[None]:
        """Weigh and log the model's calls; what earlier sessions spent counts."""
        if self.model is None:
            yield
            return
        folder = self.out / REQUESTS_FOLDER
        budget.check(self.model.name)
        self.meter = Meter(budget)
        for model, tokens in sum_spent(read_logs(folder)).items():
            self.meter.add(model, tokens)
        log = RequestLog(folder, session)
        self.model.bind(log, self.meter)
        try:
            yield
        finally:
            self.model.bind(None, Meter())
            log.close()
            pack_logs(folder)

    def _describe_requests(self) -> dict[str, Any] | None:
        if self.model is None:
            return None
        usd = self.meter.usd(self.meter.spent)
        cost = {"usd": round(usd, 6)} if usd is not None and self.meter.budget.prices else {}
        return describe_requests(list(read_logs(self.out / REQUESTS_FOLDER))) | cost

    def _take(self, entry: Entry) -> None:
        """Let an entry stand for its ask, in the place of an earlier one."""
        key = entry_key(entry)
        old = self.entries.get(key)
        self.num_failed += (entry["error"] is not None) - (old is not None and old["error"] is not None)
        self.usage += Usage(entry["input_tokens"], entry["output_tokens"], entry["is_estimated"])
        self.entries[key] = entry

    def _in_order(self) -> Sequence[Ask]:
        """Return the asks in the order of asking; the journal keeps the plan's."""
        config = self.setup.config
        return self.plan.by_history(config.context) if config.needs_history else self.plan.asks

    def _is_pending(self, ask: Ask, options: RunOptions) -> bool:
        entry = self.entries.get(ask.key)
        return entry is None or (options.is_retrying_failed and entry["error"] is not None)

    @property
    def _store(self) -> MemoryStore | ExternalStore | None:
        """Where this run's memories are, if it has any."""
        stores: dict[str, MemoryStore | ExternalStore] = {"memory": self.memories, "external": self.externals}
        return stores.get(self.setup.config.reader)

    def _links(self, asks: Iterable[Ask]) -> list[str]:
        return list(dict.fromkeys(history_link(ask.donor, self.setup.config.context) for ask in asks))

    def _check_histories(self, asks: Sequence[Ask]) -> None:
        """Open every history before anything is paid for, the first to be read last: they are kept then.

        Raises: DataFormatError: one of them is not as published.
        """
        if self.setup.config.needs_history:
            for link in reversed(self._links(asks)):
                self.contexts.load(link)

    async def _build_memories(
        self, asks: Sequence[Ask], options: RunOptions, on_progress: ProgressCallback
    ) -> str | None:
        """Build the memories side by side first, so that no question waits in a row for the same one."""
        store = self._store
        if store is None or not asks:
            return None
        links = self._links(asks)
        num_done = 0

        async def build(link: str) -> None:
            nonlocal num_done
            try:
                await store.build(link, self.contexts.load)
            except ProviderError as error:
                # The store keeps the error: every question on this memory fails with it below.
                if self._is_hopeless(error):
                    raise
            num_done += 1
            on_progress(self._progress("memories", num_done, len(links)))

        return await work_through(links, build, options.num_concurrent)

    async def _ask_all(self, asks: Sequence[Ask], options: RunOptions, on_progress: ProgressCallback) -> str | None:
        num_asks = len(self.plan.asks)
        num_done = num_asks - len(asks)
        on_progress(self._progress("answers", num_done, num_asks))
        is_external = self.setup.config.reader == "external"
        left = Counter(history_link(ask.donor, self.setup.config.context) for ask in asks if is_external)

        def announce() -> None:
            nonlocal num_done
            num_done += 1
            on_progress(self._progress("answers", num_done, num_asks))

        async def ask_one(ask: Ask) -> None:
            try:
                entry = await self.asker.settle(ask)
            except ProviderError as error:
                if self._is_hopeless(error):
                    raise
                entry = failed_entry(ask, error)
            self.journal.append(entry, on_kept=announce)
            self._take(entry)
            if is_external:
                link = history_link(ask.donor, self.setup.config.context)
                left[link] -= 1
                if not left[link]:
                    await self.externals.release(link)

        reason = await work_through(asks, ask_one, options.num_concurrent)
        await self.journal.commit()
        return reason

    def _is_hopeless(self, error: ProviderError) -> bool:
        store = self._store
        has_answered = self.num_failed < len(self.entries) or (store is not None and store.usage != Usage())
        return error.kind in _HOPELESS and not has_answered

    def _progress(self, stage: Literal["memories", "answers"], done: int, total: int) -> Progress:
        usage = self.usage + self._store.usage if self._store else self.usage
        usd = self.meter.usd(self.meter.spent) if self.meter.budget.prices else None
        return Progress(stage, done, total, usage.input_tokens, usage.output_tokens, self.num_failed, usd)


async def work_through(
    items: Iterable[Item], work: Callable[[Item], Awaitable[None]], num_concurrent: int
) -> str | None:
    """Do all items, at most so many at once, begun in their order; the first error ends the others.

    Where a budget is reached, nothing new is begun, what is under way is finished, and its message is returned.
    """
    queue = iter(items)
    reason: str | None = None

    async def worker() -> None:
        nonlocal reason
        for item in queue:
            if reason is not None:
                return
            try:
                await work(item)
            except BudgetError as error:
                reason = reason or str(error)

    tasks = [asyncio.create_task(worker()) for _ in range(num_concurrent)]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return reason
