"""The engine: all stages in order, a quad at a time, and what is finished or paid for is never done again."""

from __future__ import annotations

import asyncio
import itertools
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter

from hub_toolkit.errors import DataFormatError
from hub_toolkit.evaluate.budget import Budget, BudgetError, Meter, Tokens
from hub_toolkit.evaluate.cache import ResponseCache
from hub_toolkit.evaluate.journal import encode_json, lock_run, write_atomically
from hub_toolkit.evaluate.metered import MeteredModel
from hub_toolkit.generate.layout import (
    REPORT_FILE,
    WORK_FOLDER,
    claim_folder,
    rows_path,
    write_personas,
    write_splits,
)
from hub_toolkit.generate.llm.asking import Desk, Switchboard, all_of
from hub_toolkit.generate.llm.assembly import Quad, finish_quad
from hub_toolkit.generate.llm.card import render_card
from hub_toolkit.generate.llm.cases import make_cases
from hub_toolkit.generate.llm.config import LlmConfig
from hub_toolkit.generate.llm.conversations import tell_all, tell_secrets
from hub_toolkit.generate.llm.curation import check_stereotypes, drop_contradictions
from hub_toolkit.generate.llm.duplicates import drop_duplicates
from hub_toolkit.generate.llm.filters import settle_questions
from hub_toolkit.generate.llm.people import load_lines
from hub_toolkit.generate.llm.people import write_personas as write_people
from hub_toolkit.generate.llm.photos import load_photos
from hub_toolkit.generate.llm.preferences import slots_of, write_secrets, write_sets
from hub_toolkit.generate.llm.questions import write_question
from hub_toolkit.generate.llm.records import PreferenceSet, Question, Secret, Told
from hub_toolkit.generate.llm.replies import tokens_of
from hub_toolkit.generate.llm.store import Store
from hub_toolkit.generate.llm.tally import Tally, summarise
from hub_toolkit.generate.records import SimPersona
from hub_toolkit.models.base import ChatModel

SURVIVAL_FILE = "survival.json"
REJECTIONS_FILE = "rejections.jsonl"
RUN_STAGES = (
    "personas",
    "preferences",
    "contradiction",
    "stereotype",
    "conversations",
    "questions",
    "filters",
    "histories",
)
"""What a quad goes through, in order; each leaves a file of records that the next one reads."""

_PEOPLE = TypeAdapter(list[SimPersona])
_WRITTEN = TypeAdapter(tuple[list[PreferenceSet], list[Secret]])
_SETS = TypeAdapter(list[PreferenceSet])
_TOLD = TypeAdapter(list[Told])
_QUESTIONS = TypeAdapter(list[Question])


@dataclass(frozen=True)
class RunOptions:
    """How a run goes about it; none of this changes what it writes.

    `until`: the last stage to run, None for the whole dataset. `quads_at_once` bounds the memory.
    """

    num_concurrent: int = 8
    quads_at_once: int = 2
    until: str | None = None
    budget: Budget = field(default_factory=Budget)
    cache: ResponseCache | None = None
    on_progress: Callable[[int, int], None] | None = None


@dataclass(frozen=True)
class RunReport:
    """What a call did. `stopped` says which limit was reached; then the same call goes on later."""

    out: Path
    status: Literal["complete", "staged", "stopped"]
    facts: dict[str, Any]
    survival: dict[str, dict[str, Any]]
    stopped: str | None = None


@dataclass(frozen=True)
class _Run:
    config: LlmConfig
    store: Store
    board: Switchboard
    until: str | None


async def run_llm(config: LlmConfig, model: ChatModel, out: Path, *, options: RunOptions | None = None) -> RunReport:
    """Write a dataset with a model into a folder; the same configuration and replies give the same bytes.

    A kill at any moment loses no reply that was acknowledged; the same call goes on.
    Raises: DataFormatError: the folder holds something else, or was begun otherwise. ProviderError: the model cannot
    be used, or failed too often in a row. PersonaMemError: a limit in USD and no price.
    """
    options = options or RunOptions()
    _check_inputs(config, options)
    options.budget.check(model.name)
    with lock_run(out):
        claim = {"engine": "llm", "model": model.name, "digest": config.digest, "config": config.as_dict()}
        claim_folder(out, claim, compared=("digest", "model"))
        store = Store(out)
        if (out / REPORT_FILE).is_file():
            shutil.rmtree(out / WORK_FOLDER, ignore_errors=True)
            return RunReport(out, "complete", _read(out / REPORT_FILE), _read(out / SURVIVAL_FILE))
        meter = Meter(options.budget)
        for entry in store.replies() if options.budget.is_counting else ():
            meter.add(model.name, tokens_of(entry))
        metered = MeteredModel(model, cache=options.cache)
        metered.bind(None, meter)
        run = _Run(config, store, Switchboard(metered, asyncio.Semaphore(options.num_concurrent)), options.until)
        try:
            await _run_quads(run, options)
        except BudgetError as error:
            return RunReport(out, "stopped", _count(store), _survival(run), str(error))
        finally:
            await run.board.drain()
        if options.until is not None:
            return RunReport(out, "staged", _count(store), _survival(run))
        return _finish(run, model.name)


def _check_inputs(config: LlmConfig, options: RunOptions) -> None:
    """Raises: DataFormatError: a file that the configuration names cannot be used, or there is no such stage."""
    load_lines(config.persona_lines)
    slots_of(config, 0)
    if config.images is not None:
        load_photos(config.images)
    if options.until is not None and options.until not in RUN_STAGES:
        raise DataFormatError(f"no stage is called {options.until!r}; there are {', '.join(RUN_STAGES)}")


async def _run_quads(run: _Run, options: RunOptions) -> None:
    total = run.config.num_quads
    left = iter([quad for quad in range(total) if not run.store.is_finished(quad)])
    num_done = sum(run.store.is_finished(quad) for quad in range(total))

    async def work() -> None:
        nonlocal num_done
        for quad in left:
            await _run_quad(run, quad)
            num_done += 1
            if options.on_progress is not None:
                options.on_progress(num_done, total)

    await all_of(work() for _ in range(max(1, options.quads_at_once)))


async def _run_quad(run: _Run, quad: int) -> None:
    """Run a quad's stages; its replies are packed when its files are written."""
    book = run.store.open_book(quad)
    try:
        is_whole = await _run_stages(run, Desk(run.config, run.board, book), quad)
        if is_whole:
            await book.pack(run.store.packed_path(quad))
    finally:
        await run.board.drain()
        await book.close()


async def _run_stages(run: _Run, desk: Desk, quad: int) -> bool:
    """Return whether all stages were run, not only those up to the one that was asked for."""
    stage = _Stages(run, desk, quad)
    people = await stage.run("personas", _PEOPLE, lambda tally: write_people(desk, quad, tally))
    if stage.is_over("personas"):
        return False

    async def write(tally: Tally) -> tuple[list[PreferenceSet], list[Secret]]:
        return await write_sets(desk, quad, people, tally), await write_secrets(desk, people, tally)

    sets, secrets = await stage.run("preferences", _WRITTEN, write)
    if stage.is_over("preferences"):
        return False
    fitting = await stage.run("contradiction", _SETS, lambda tally: drop_contradictions(desk, sets, tally))
    if stage.is_over("contradiction"):
        return False
    kept = await stage.run("stereotype", _SETS, lambda tally: check_stereotypes(desk, fitting, people, tally))
    if stage.is_over("stereotype"):
        return False
    return await _run_later_stages(stage, people, kept, secrets)


async def _run_later_stages(
    stage: _Stages, people: list[SimPersona], sets: list[PreferenceSet], secrets: list[Secret]
) -> bool:
    desk, config = stage.desk, stage.desk.config

    async def tell(tally: Tally) -> list[Told]:
        return await tell_all(desk, sets, people, tally) + await tell_secrets(desk, secrets, people, tally)

    told = await stage.run("conversations", _TOLD, tell)
    if stage.is_over("conversations"):
        return False
    cases = make_cases(config, sets, secrets, people, told)

    async def ask(tally: Tally) -> list[Question]:
        found = await all_of(write_question(desk, case, 0, tally) for case in cases)
        return [question for question in found if question is not None]

    first = await stage.run("questions", _QUESTIONS, ask)
    if stage.is_over("questions"):
        return False
    questions = await stage.run("filters", _QUESTIONS, lambda tally: settle_questions(desk, cases, first, tally))
    if stage.is_over("filters"):
        return False

    async def assemble(tally: Tally) -> list[SimPersona]:
        return _write_quad(stage.run_.store.out, Quad(config, people, sets, told, cases, questions), tally)

    await stage.run("histories", _PEOPLE, assemble)
    return not stage.is_over("histories")


def _write_quad(out: Path, quad: Quad, tally: Tally) -> list[SimPersona]:
    finished = finish_quad(quad, tally)
    write_personas([each.as_files(out) for each in finished])
    return [each.persona for each in finished if each.histories[0].modality == "text"]


@dataclass(frozen=True)
class _Stages:
    run_: _Run
    desk: Desk
    quad: int

    async def run(self, stage: str, adapter: TypeAdapter[Any], job: Any) -> Any:
        return await self.run_.store.run_stage(self.quad, stage, adapter, job)

    def is_over(self, stage: str) -> bool:
        return self.run_.until == stage


def _finish(run: _Run, model: str) -> RunReport:
    """Write splits, rejections, survival, card and report, the report last; then the stages' files go."""
    out, store = run.store.out, run.store
    personas = [person for quad in range(run.config.num_quads) for person in _people_of(store, quad)]
    duplicates = drop_duplicates(run.config, out, personas, out / WORK_FOLDER / "duplicates.json")
    asked = [person for person in personas if _read(rows_path(out, person))]
    splits = {each: write_splits(out, asked, modality=each) for each in run.config.modalities}["text"]
    num_twins = sum(person.twin_of is not None for person in personas)
    facts = {
        "engine": "llm",
        "model": model,
        "config_digest": run.config.digest,
        "splits": splits,
        "num_personas": len(personas) - num_twins,
        "num_twins": num_twins,
        "num_rows": sum(split["rows"] for split in splits.values()),
        **_count(store),
    }
    survival = summarise(itertools.chain(_tallies(run), [duplicates]))
    tallies = itertools.chain(_tallies(run), [duplicates])
    rejections = (encode_json(each) + b"\n" for tally in tallies for each in tally["rejections"])
    write_atomically(out / REJECTIONS_FILE, rejections)
    write_atomically(out / SURVIVAL_FILE, encode_json(survival, indent=1) + b"\n")
    write_atomically(out / "README.md", render_card(run.config, model, facts, survival).encode())
    for part in out.rglob("*.part"):
        part.unlink()
    write_atomically(out / REPORT_FILE, encode_json(facts, indent=1) + b"\n")
    shutil.rmtree(out / WORK_FOLDER)
    return RunReport(out, "complete", facts, survival)


def _people_of(store: Store, quad: int) -> Sequence[SimPersona]:
    return _PEOPLE.validate_python(_read(store.stage_path(quad, "histories"))["records"])


def _tallies(run: _Run) -> Iterator[dict[str, Any]]:
    for quad in range(run.config.num_quads):
        for stage in RUN_STAGES:
            yield run.store.tally_of(quad, stage)


def _survival(run: _Run) -> dict[str, dict[str, Any]]:
    return summarise(_tallies(run))


def _count(store: Store) -> dict[str, Any]:
    """Return calls and tokens by prompt: what the replies took, whoever paid for them."""
    counts: dict[str, dict[str, int]] = {}
    for entry in store.replies():
        row = counts.setdefault(entry["prompt"], {"calls": 0, "failed": 0, "input": 0, "output": 0, "cached": 0})
        tokens: Tokens = tokens_of(entry)
        row["calls"] += 1
        row["failed"] += entry["error"] is not None
        row["input"] += tokens.input
        row["output"] += tokens.output
        row["cached"] += tokens.cached
    return {"replies": dict(sorted(counts.items()))}


def _read(path: Path) -> Any:
    return json.loads(path.read_bytes())
