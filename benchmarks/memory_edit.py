"""Does an edit of the memory change the answer that rests on it, and no other?

`python benchmarks/memory_edit.py` takes every question of PersonaMem-mini that belongs to a swap group, is about the
user and is answered rightly from the persona's memory. For each other owner of the group the memory is edited to what
that owner's memory says of the matter; the answer should then be that owner's. Prints a table and, on its last line,
JSON. Bullets on the matter are found by words alone, without asking the reader.

flip        share of edits after which the answer is the other owner's
left        share of edits after which the old answer is gone
collateral  share of the persona's other questions whose answer an edit changed

all         every bullet on the matter is edited to one of the other owner's, or deleted where there are fewer of those
one         only the bullet nearest to the matter is edited; what else says the old thing stays
label       as all, but in the few words of the column `preference`, or of `--probes`
no_op       control: the bullet is edited to its own words; nothing may change
random      control: a bullet on something else is edited to one of a stranger's; the answer should stay

`--model openai/<name> --base-url URL` asks a model instead of the lexical reader; `--limit N` takes N questions.
`--probes FILE` has other wordings, a JSON object a line: {"group_id": …, "persona_id": …, "text": …}.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from hub_toolkit.answer.choice import LETTERS, parse_choice
from hub_toolkit.answer.mcq import pick_lexically, pose_question, question_messages
from hub_toolkit.answer.readers import read_memory
from hub_toolkit.data.history import load_history
from hub_toolkit.data.parse import history_path, load_samples, resolve_dataset
from hub_toolkit.data.schema import Sample
from hub_toolkit.data.terms import content_stems
from hub_toolkit.data.tokens import EstimateCounter
from hub_toolkit.memory.build import build_memory
from hub_toolkit.memory.builders.extractive import ExtractiveBuilder
from hub_toolkit.memory.document import Bullet, MemoryDocument
from hub_toolkit.memory.owner.edits import change_bullet, delete_bullet
from hub_toolkit.metrics.accuracy import Estimate, estimate_mean
from hub_toolkit.models.base import ChatModel, GenerateConfig
from hub_toolkit.models.registry import load_model
from hub_toolkit.settings import load_settings

SEED = 20_261
KINDS = ("all", "one", "label", "no_op", "random")
LINE = "{:8} {:>6} {:>22} {:>22} {:>22}"
COUNTER = EstimateCounter()
NUM_CONCURRENT = 8


class Reader:
    """Answers a question from a memory; without a model by its words. An answer is asked for once."""

    def __init__(self, model: ChatModel | None) -> None:
        self.model = model
        self._known: dict[tuple[str, str], str | None] = {}
        self._turns = asyncio.Semaphore(NUM_CONCURRENT)

    async def answer(self, document: MemoryDocument, sample: Sample) -> str | None:
        """Return the option that is picked, None where the reply names none."""
        key = (document.render(), sample.sample_id)
        if key not in self._known:
            self._known[key] = await self._ask(document, sample)
        return self._known[key]

    async def _ask(self, document: MemoryDocument, sample: Sample) -> str | None:
        question, context = pose_question(sample, 0), read_memory(document)
        letter: str | None
        if self.model is None:
            letter = pick_lexically(question, context)
        else:
            async with self._turns:
                messages = [*context.messages, *question_messages(question)]
                reply = await self.model.generate(messages, GenerateConfig(max_tokens=512))
            letter = parse_choice(reply.text)
        return None if letter is None else question.options[LETTERS.index(letter)]


@dataclass
class Bench:
    """The samples, the memories of their personas, and who reads."""

    samples: list[Sample]
    memories: dict[int, MemoryDocument]
    reader: Reader
    labels: dict[tuple[str, int], str]

    @cached_property
    def groups(self) -> dict[str, list[Sample]]:
        """Return the samples of each swap group."""
        groups = defaultdict(list)
        for sample in self.samples:
            groups[str(sample.group_id)].append(sample)
        return groups

    def matter(self, sample: Sample) -> list[Bullet]:
        """Return the bullets on what a question rests on: they share words with its answer and no other option."""
        question = pose_question(sample, 0)
        others = [question.query.text, *(text for text in question.options if text != sample.correct_answer)]
        known = frozenset(stem for text in others for stem in content_stems(text))
        wanted = frozenset(content_stems(sample.correct_answer)) | frozenset(content_stems(sample.preference))
        bullets = self.memories[sample.persona_id].bullets
        shared = {bullet.id: len((wanted - known) & set(content_stems(bullet.text))) for bullet in bullets}
        ranked = sorted(bullets, key=lambda bullet: (-shared[bullet.id], -bullet.weight, bullet.id))
        return [bullet for bullet in ranked if shared[bullet.id]]

    def edit(self, kind: str, sample: Sample, target: Sample) -> MemoryDocument | None:
        """Return the persona's memory after an edit, None where there is nothing to edit or to put in."""
        document, matter = self.memories[sample.persona_id], self.matter(sample)
        theirs = [bullet.text for bullet in self.matter(target)]
        if not matter or not theirs:
            return None
        if kind == "no_op":
            return change_bullet(document, matter[0].id, matter[0].text, counter=COUNTER)
        if kind == "random":
            return self._edit_elsewhere(sample, matter)
        if kind == "one":
            return change_bullet(document, matter[0].id, theirs[0], counter=COUNTER)
        words = theirs if kind == "all" else [self._label(target)]
        return swap_matter(document, matter, words)

    def _label(self, target: Sample) -> str:
        return self.labels.get((str(target.group_id), target.persona_id), target.preference)

    def _edit_elsewhere(self, sample: Sample, matter: Sequence[Bullet]) -> MemoryDocument | None:
        document = self.memories[sample.persona_id]
        randomness = random.Random(hashlib.sha256(f"{SEED}\0{sample.sample_id}".encode()).digest())
        near = {owner.persona_id for owner in self.groups[str(sample.group_id)]}
        strangers = sorted(set(self.memories) - near)
        elsewhere = [bullet for bullet in document.bullets if bullet not in matter]
        if not elsewhere or not strangers:
            return None
        words = randomness.choice(self.memories[randomness.choice(strangers)].bullets).text
        return change_bullet(document, randomness.choice(elsewhere).id, words, counter=COUNTER)


def swap_matter(document: MemoryDocument, matter: Sequence[Bullet], words: Sequence[str]) -> MemoryDocument:
    """Edit each bullet on a matter to the next wording; delete those for which none is left."""
    for place, bullet in enumerate(matter):
        if place < len(words):
            document = change_bullet(document, bullet.id, words[place])
        else:
            document = delete_bullet(document, bullet.id)
    return document.enforce_cap(COUNTER)


def is_about_user(sample: Sample) -> bool:
    """Whether a question rests on a preference of the user's own that may be used."""
    return sample.who == "self" and sample.pref_type != "ask_to_forget"


async def measure(bench: Bench, kind: str, chosen: Sequence[Sample]) -> dict[str, Any]:
    """Return the figures of one kind of edit."""
    flips: list[tuple[float, int]] = []
    left: list[tuple[float, int]] = []
    collateral: list[tuple[float, int]] = []
    for sample in chosen:
        for target in bench.groups[str(sample.group_id)]:
            if target is sample or not is_about_user(target):
                continue
            edited = bench.edit(kind, sample, target)
            if edited is None:
                continue
            answer = await bench.reader.answer(edited, sample)
            flips.append((float(answer == target.correct_answer), sample.cluster))
            left.append((float(answer != sample.correct_answer), sample.cluster))
            collateral += await _changed_others(bench, edited, sample)
    figures = {"flip": _share(flips), "left": _share(left), "collateral": _share(collateral)}
    return {"edit": kind, "num_edits": len(flips), **{name: asdict(share) for name, share in figures.items()}}


async def _changed_others(bench: Bench, edited: MemoryDocument, sample: Sample) -> list[tuple[float, int]]:
    before = bench.memories[sample.persona_id]
    others = [o for o in bench.samples if o.persona_id == sample.persona_id and o.group_id != sample.group_id]
    old = await asyncio.gather(*(bench.reader.answer(before, other) for other in others))
    new = await asyncio.gather(*(bench.reader.answer(edited, other) for other in others))
    return [(float(a != b), sample.cluster) for a, b in zip(old, new, strict=True)]


def _share(scores: Sequence[tuple[float, int]]) -> Estimate:
    return estimate_mean([score for score, _ in scores], [cluster for _, cluster in scores])


def load_labels(path: Path | None) -> dict[tuple[str, int], str]:
    """Read other wordings of the owners' preferences."""
    lines = path.read_text("utf-8").splitlines() if path else []
    rows = [json.loads(line) for line in lines if line.strip()]
    return {(str(row["group_id"]), int(row["persona_id"])): str(row["text"]) for row in rows}


async def prepare(options: argparse.Namespace) -> Bench:
    """Load the questions and build the memory of each persona."""
    folder = resolve_dataset(options.data)
    samples = [sample for sample in load_samples(folder) if sample.is_balanced]
    memories: dict[int, MemoryDocument] = {}
    for sample in samples:
        if sample.persona_id not in memories:
            history = load_history(history_path(folder, sample.history_links["32k"]))
            builder = ExtractiveBuilder(COUNTER, cap_tokens=options.cap)
            memories[sample.persona_id] = await build_memory(history, builder, COUNTER)
    model = load_model(options.model, settings=load_settings(), base_url=options.base_url) if options.model else None
    return Bench(samples, memories, Reader(model), load_labels(options.probes))


async def run(options: argparse.Namespace) -> dict[str, Any]:
    """Measure all kinds of edits."""
    bench = await prepare(options)
    asked = [sample for sample in bench.samples if is_about_user(sample)][: options.limit]
    picked = [await bench.reader.answer(bench.memories[sample.persona_id], sample) for sample in asked]
    right = [sample for sample, answer in zip(asked, picked, strict=True) if answer == sample.correct_answer]
    edits = [await measure(bench, kind, right) for kind in KINDS]
    model = bench.reader.model
    if model is not None:
        await model.close()
    return {
        "data": options.data,
        "reader": options.model or "lexical",
        "cap": options.cap,
        "num_questions": len(asked),
        "num_right_before": len(right),
        "edits": edits,
    }


def render_share(share: dict[str, Any]) -> str:
    """Return a share with its interval."""
    if share["value"] is None:
        return "-"
    low, high = (f"{100 * share[end]:.1f}" if share[end] is not None else "?" for end in ("low", "high"))
    return f"{100 * share['value']:.1f} ({low} to {high})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="mini", help="a dataset's folder, or mini")
    parser.add_argument("--cap", type=int, default=2048, help="tokens of the memory")
    parser.add_argument("--model", help="as in `personamem eval run`; without it the lexical reader")
    parser.add_argument("--base-url", help="endpoint of the model")
    parser.add_argument("--probes", type=Path, help="other wordings for `label`")
    parser.add_argument("--limit", type=int, help="take only so many questions")
    figures = asyncio.run(run(parser.parse_args()))
    before = f"{figures['num_right_before']} of {figures['num_questions']} questions answered rightly before"
    print(f"{before}; shares in %, with 95 % intervals clustered by persona")
    print(LINE.format("edit", "edits", "flip", "left", "collateral"))
    for row in figures["edits"]:
        shares = [render_share(row[name]) for name in ("flip", "left", "collateral")]
        print(LINE.format(row["edit"], row["num_edits"], *shares))
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
