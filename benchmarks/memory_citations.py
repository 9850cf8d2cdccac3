"""Do a memory's bullets cite the messages that they come from?

`python benchmarks/memory_citations.py` measures on PersonaMem-mini, whose `related_conversation_snippet` says what a
question rests on. `--history FILE --probes FILE` takes another history and questions of PersonaMem-v2's columns as
JSON lines, with `evidence_messages` (0-based indices into chat_history). Prints a table and, on its last line, JSON.

valid      share of citations whose span stands in the cited message and shares content with the bullet
recall     share of questions about the user of which one evidence message is cited at all
messages   share of those questions' evidence messages (the user's) that are cited
precision  of the bullets nearest to a question's preference and right answer: share of citations that are evidence
found      share of the questions for which one of those bullets cites the evidence
forgotten  share of `ask_to_forget` questions whose evidence is cited; it should be 0

The control has the same bullets with as many citations each, of user messages drawn at random. `--cap` may be given
several times: a large memory cites nearly everything. `--builder agentic --model scripted:inventor` writes down what
users say with citations of other messages, and bullets that nobody said.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

from hub_toolkit.data.history import load_history
from hub_toolkit.data.parse import history_path, load_samples, resolve_dataset
from hub_toolkit.data.schema import History, Sample
from hub_toolkit.data.terms import content_stems
from hub_toolkit.data.tokens import EstimateCounter
from hub_toolkit.errors import DataFormatError, PersonaMemError
from hub_toolkit.memory.boundary import forget_request
from hub_toolkit.memory.build import MemoryBuilder, build_memory
from hub_toolkit.memory.builders.agentic import AgenticBuilder
from hub_toolkit.memory.builders.extractive import ExtractiveBuilder
from hub_toolkit.memory.document import DEFAULT_CAP_TOKENS, Bullet, MemoryDocument, Source
from hub_toolkit.memory.owner.audit import check_support, rank_bullets
from hub_toolkit.models.base import ChatModel
from hub_toolkit.models.fake import FakeModel
from hub_toolkit.types import Message

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.scripted_model import PREFIX, load_scripted, parse_update_prompt

NUM_DRAWS = 100
NEAREST = 3
MIN_SHARED = 2
"""So many content words must a bullet share with a question's matter to be taken as being about it."""

CAPS = (512, DEFAULT_CAP_TOKENS)
FIGURES = ("valid", "recall", "messages", "precision", "found", "forgotten")
CASTLES = ("Owns a castle with seven towers", "Breeds falcons for the opera", "Speaks fluent Old Norse at home")


@dataclass(frozen=True)
class Probe:
    """One question of one history: its preference and right answer, the indices of the user's messages that are its
    evidence, and whether it is a forget question."""

    matter: str
    evidence: frozenset[int]
    is_forget: bool


@dataclass(frozen=True)
class Case:
    """A history with its probes."""

    name: str
    history: History
    probes: tuple[Probe, ...]

    @property
    def user_indices(self) -> list[int]:
        return [i for i, m in zip(self.history.indices, self.history.messages, strict=True) if m.role == "user"]

    @property
    def texts(self) -> dict[int, str]:
        return {i: m.text for i, m in zip(self.history.indices, self.history.messages, strict=True)}


def load_mini(data: str) -> Iterator[Case]:
    """Yield the histories of a dataset's folder, with the questions about their owners."""
    samples: dict[str, list[Sample]] = {}
    for sample in load_samples(data):
        if sample.who == "self" and not sample.is_sensitive:
            samples.setdefault(sample.history_links["32k"], []).append(sample)
    for link, asked in sorted(samples.items()):
        history = load_history(history_path(resolve_dataset(data), link))
        probes = tuple(probe for sample in asked if (probe := _probe_of(sample, history)).evidence)
        if probes:
            yield Case(Path(link).stem, history, probes)


def _probe_of(sample: Sample, history: History) -> Probe:
    snippet = {(message.role, message.text) for message in sample.related_snippet}
    inside = {i for i, m in zip(history.indices, history.messages, strict=True) if (m.role, m.text) in snippet}
    is_forget = sample.pref_type == "ask_to_forget"
    users = {i for i, m in zip(history.indices, history.messages, strict=True) if m.role == "user"}
    if is_forget:  # what is to be forgotten is the run of messages that the request ends
        first = history.indices[0]
        requests = [i for i in inside & users if forget_request(history.messages[i - first].text) is not None]
        start = last = max(requests, default=-1)
        while start - 1 in inside:
            start -= 1
        inside = set(range(start, last + 1)) if requests else set()
    return Probe(f"{sample.preference} {sample.correct_answer}", frozenset(inside & users), is_forget)


def load_case(history_file: Path, probes_file: Path) -> Case:
    """Read a history and its questions.

    Raises: DataFormatError: a question lacks a field, or is no JSON.
    """
    history = load_history(history_file)
    users = {i for i, m in zip(history.indices, history.messages, strict=True) if m.role == "user"}
    probes = []
    for row, line in enumerate(probes_file.read_text("utf-8").splitlines(), 1):
        try:
            raw: dict[str, Any] = json.loads(line) if line.strip() else {"who": "nobody"}
            if raw["who"] == "self":
                evidence = frozenset(users & set(raw["evidence_messages"]))
                probes.append(
                    Probe(f"{raw['preference']} {raw['correct_answer']}", evidence, raw["pref_type"] == "ask_to_forget")
                )
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise DataFormatError(f"not a question ({error!r})", file=str(probes_file), row=row) from None
    return Case(history_file.stem, history, tuple(probe for probe in probes if probe.evidence))


def inventor() -> FakeModel:
    """Return a model that cites the wrong messages: each sentence under another's number, and things nobody said."""

    def reply(messages: Sequence[Message]) -> str:
        prompt = parse_update_prompt(messages[-1].text)
        users = [(index, text) for index, role, text in prompt.messages if role == "user"]
        lines = [note.render() for note in prompt.notes]
        for place, (index, text) in enumerate(users):
            other = users[(place + len(users) // 2) % len(users)][0]
            lines.append(f"- {' '.join(text.split())[:120]} [{other}]")
            lines.append(f"- {CASTLES[index % len(CASTLES)]} [{index}]")
        return "\n".join(lines)

    return FakeModel(reply, name="fake/inventor")


def load_chat_model(options: argparse.Namespace) -> ChatModel:
    """Return the model that `--model` names."""
    if options.model == f"{PREFIX}inventor":
        return inventor()
    if options.model.startswith(PREFIX):
        return load_scripted(options.model)
    from hub_toolkit.models.registry import load_model
    from hub_toolkit.settings import load_settings

    return load_model(options.model, settings=load_settings(), base_url=options.base_url)


def load_builder(options: argparse.Namespace, cap: int) -> MemoryBuilder:
    if options.builder == "extractive":
        return ExtractiveBuilder(EstimateCounter(), cap_tokens=cap)
    model = load_chat_model(options)
    return AgenticBuilder(model, cap_tokens=cap, refuse_unsupported=options.refuse_unsupported)


def share(flags: Sequence[bool]) -> float | None:
    return mean(flags) if flags else None


def nearest(document: MemoryDocument, matter: str) -> list[Bullet]:
    """Return the bullets that are about a question's matter."""
    stems = set(content_stems(matter))
    ranked = rank_bullets(document, matter, top=NEAREST)
    return [bullet for bullet in ranked if len(stems & set(content_stems(bullet.text))) >= MIN_SHARED]


def tally(case: Case, document: MemoryDocument) -> dict[str, list[bool]]:
    """Return each figure's cases as yes or no."""
    texts = case.texts
    cited = {source.index for bullet in document.bullets for source in bullet.sources}
    own = [probe for probe in case.probes if not probe.is_forget]
    about = [(probe, nearest(document, probe.matter)) for probe in own]
    return {
        "valid": [
            check_support(replace(b, author="model", sources=(s,)), texts) for b in document.bullets for s in b.sources
        ],
        "recall": [bool(cited & probe.evidence) for probe in own],
        "messages": [index in cited for probe in own for index in sorted(probe.evidence)],
        "precision": [s.index in probe.evidence for probe, bullets in about for b in bullets for s in b.sources],
        "found": [any(s.index in probe.evidence for b in bullets for s in b.sources) for probe, bullets in about],
        "forgotten": [bool(cited & probe.evidence) for probe in case.probes if probe.is_forget],
    }


def at_random(case: Case, document: MemoryDocument, seed: int) -> MemoryDocument:
    """Return the document with as many citations a bullet, of user messages drawn at random."""
    draw = random.Random(int.from_bytes(hashlib.sha256(f"{case.name}:{seed}".encode()).digest()[:8], "big"))
    users = case.user_indices

    def cited(bullet: Bullet) -> Bullet:
        indices = draw.sample(users, min(len(users), len(bullet.sources)))
        spans = [source.span for source in bullet.sources]
        return replace(bullet, sources=tuple(Source(i, span) for i, span in zip(indices, spans, strict=False)))

    return replace(document, bullets=tuple(cited(bullet) for bullet in document.bullets))


def pool(tallies: Sequence[dict[str, list[bool]]]) -> dict[str, float | None]:
    return {name: share([flag for one in tallies for flag in one[name]]) for name in FIGURES}


def average(draws: Sequence[dict[str, float | None]]) -> dict[str, float | None]:
    known = {name: [value for draw in draws if (value := draw[name]) is not None] for name in FIGURES}
    return {name: mean(values) if values else None for name, values in known.items()}


def render_row(name: str, figures: dict[str, float | None]) -> str:
    cells = ("-" if figures[f] is None else f"{100 * (figures[f] or 0):.1f}" for f in FIGURES)
    return f"{name:18}" + "".join(f"{cell:>11}" for cell in cells)


def measure(cases: Sequence[Case], make_builder: Callable[[], MemoryBuilder], num_draws: int) -> dict[str, Any]:
    """Build each memory once and return the figures, and the control's."""
    counter = EstimateCounter()
    documents = [asyncio.run(build_memory(case.history, make_builder(), counter)) for case in cases]
    pairs = list(zip(cases, documents, strict=True))
    draws = [pool([tally(c, at_random(c, d, seed)) for c, d in pairs]) for seed in range(num_draws)]
    return {
        "figures": pool([tally(case, document) for case, document in pairs]),
        "control": average(draws),
        "num_histories": len(cases),
        "num_questions": sum(not p.is_forget for case in cases for p in case.probes),
        "num_forget_questions": sum(p.is_forget for case in cases for p in case.probes),
        "num_bullets": sum(len(d.bullets) for d in documents),
        "num_unsupported": sum(not check_support(b, c.texts) for c, d in pairs for b in d.bullets),
        "num_citations": sum(len(b.sources) for d in documents for b in d.bullets),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="mini", help="a dataset's folder, or mini")
    parser.add_argument("--history", type=Path, help="a history file, instead of --data")
    parser.add_argument("--probes", "--questions", type=Path, help="its questions: JSON lines with evidence_messages")
    parser.add_argument("--cap", type=int, action="append", help=f"tokens of the memory (default: {CAPS})")
    parser.add_argument("--builder", choices=("extractive", "agentic"), default="extractive")
    parser.add_argument(
        "--model", default=f"{PREFIX}inventor", help="of the agentic builder: scripted:NAME, openai/NAME"
    )
    parser.add_argument("--base-url", help="endpoint of an OpenAI-compatible model")
    parser.add_argument("--refuse-unsupported", action="store_true", help="agentic: drop what no source bears out")
    parser.add_argument("--draws", type=int, default=NUM_DRAWS, help="draws of the control")
    options = parser.parse_args()
    if (options.history is None) != (options.probes is None):
        parser.error("--history and --probes go together")
    try:
        one = options.history is not None
        cases = [load_case(options.history, options.probes)] if one else list(load_mini(options.data))
        caps = options.cap or CAPS
        results = {cap: measure(cases, partial(load_builder, options, cap), options.draws) for cap in caps}
    except (PersonaMemError, OSError, ValueError) as error:
        sys.exit(f"error: {error}")
    builder = options.builder if options.builder == "extractive" else options.model
    print(f"{'cap':>5}  {'':18}" + "".join(f"{name:>11}" for name in FIGURES))
    for cap, result in results.items():
        print(f"{cap:>5}  {render_row(builder, result['figures'])}\n{'':5}  {render_row('random', result['control'])}")
        counts = (result[f"num_{name}"] for name in ("bullets", "unsupported", "citations"))
        print("       {} bullets ({} unsupported), {} citations".format(*counts))
    print(json.dumps({"builder": builder, "data": str(options.history or options.data), "caps": results}))


if __name__ == "__main__":
    main()
