"""Is what the user asked to forget gone, does it stay gone, and does the rest stay?

`python benchmarks/memory_forget.py` measures three sets and prints a table, then the figures as JSON on the last line:
the probes (`--probes FILE`, JSON lines: `wish`, what was `told`, what is said `again` later in other words, the
`traces` that must not be left, `neighbours` that must), PersonaMem-mini (its forget requests, and a typed request for
each preference of each persona), and any `--history FILE` (with `--questions FILE`, evidence messages).

Residue is the share of requests of which something is left, after 0, 1 and 8 further chunks and after the whole is
read again; it is found by the traces or the evidence messages, not by what removes. Controls: without the request
something must be left; a memory that forgets all must fail the neighbours.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hub_toolkit.data.history import Chunk, chunk_messages, load_history
from hub_toolkit.data.parse import history_path, load_samples, resolve_dataset
from hub_toolkit.data.schema import History, Sample
from hub_toolkit.data.terms import content_stems
from hub_toolkit.data.tokens import EstimateCounter
from hub_toolkit.memory.build import MemoryBuilder, update_guarded
from hub_toolkit.memory.builders.agentic import AgenticBuilder
from hub_toolkit.memory.builders.extractive import ExtractiveBuilder
from hub_toolkit.memory.document import Bullet, MemoryDocument
from hub_toolkit.memory.forget.forgetting import forget_in
from hub_toolkit.models.base import ChatModel
from hub_toolkit.models.registry import load_model
from hub_toolkit.settings import load_settings
from hub_toolkit.types import Message

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.scripted_model import load_scripted

COUNTER = EstimateCounter()
CAP_TOKENS = 32_768
"""Nothing falls to the cap: what is missing was forgotten."""
CHUNK_TOKENS = 600
LATER = (0, 1, 8)
DEFAULT_PROBES = [Path(__file__).with_name("probes") / name for name in ("forget.jsonl", "forget_associations.jsonl")]
REQUEST = re.compile(r"\bplease forget (?:that|what|everything)\b(?P<what>[^.\n]*)", re.I)
BLOCK_MESSAGES = 4
"""Before a request stand what revealed it, the question, the answer. Source: PersonaMem-v2, history assembly."""
SAID_SHARE = 0.75
LINE = "{:24} {:>5} {:>8} {:>8} {:>8} {:>9} {:>10} {:>10} {:>11}"

MakeBuilder = Callable[[], MemoryBuilder]
IsLeft = Callable[[Bullet], bool]


@dataclass
class Tally:
    """Requests of one set: of how many something was left at each moment, and neighbours there were and are."""

    name: str
    num_requests: int = 0
    left: dict[str, int] = field(default_factory=dict)
    examples: list[str] = field(default_factory=list)
    num_left_without: int = 0
    num_neighbours: int = 0
    num_kept: int = 0

    def see(self, moment: str, document: MemoryDocument, is_left: IsLeft) -> None:
        """Count what is left at one moment."""
        found = [bullet for bullet in document.bullets if is_left(bullet)]
        self.left[moment] = self.left.get(moment, 0) + bool(found)
        self.examples += [f"{moment}: {bullet.text[:100]}" for bullet in found[:1]]

    def figures(self) -> dict[str, Any]:
        requests, neighbours = max(1, self.num_requests), max(1, self.num_neighbours)
        return {
            "requests": self.num_requests,
            "residue": {moment: round(count / requests, 4) for moment, count in self.left.items()},
            "control_without_request": round(self.num_left_without / requests, 4),
            "neighbours": self.num_neighbours,
            "neighbour_retention": round(self.num_kept / neighbours, 4),
            "control_forget_all_retention": 0.0 if self.num_neighbours else None,
            "examples_left": self.examples[:5],
        }

    def row(self) -> str:
        figures = self.figures()
        shares = [f"{100 * figures['residue'].get(m, 0):.1f} %" for m in ("0", "1", "8", "reread")]
        kept = f"{100 * figures['neighbour_retention']:.1f} %"
        off = f"{100 * figures['control_without_request']:.1f} %"
        return LINE.format(self.name, self.num_requests, *shares, kept, self.num_neighbours, off)


def read_chunks(builder: MemoryBuilder, document: MemoryDocument, chunks: Iterable[Chunk]) -> list[MemoryDocument]:
    """Return the memory after each chunk, with what the toolkit puts behind every builder."""

    async def read() -> list[MemoryDocument]:
        current, documents = document, []
        for chunk in chunks:
            current = (await update_guarded(builder, current, chunk, counter=COUNTER, guards=())).document
            documents.append(current)
        return documents

    return asyncio.run(read())


def chat(texts: Sequence[str], start: int) -> Chunk:
    """Return what a user says as a chunk, with an answer after each message."""
    messages = [m for text in texts for m in (Message("user", text), Message("assistant", "Thank you for telling me."))]
    return Chunk(tuple(messages), tuple(range(start, start + len(messages))), COUNTER.count(" ".join(texts)))


def has_trace(traces: Sequence[str]) -> IsLeft:
    """Return whether a bullet, or a span of it, holds a word that begins with a trace."""
    pattern = re.compile(
        r"\b(?:" + "|".join(t if len(t) > 2 else rf"{t}\b" for t in map(re.escape, traces)) + ")", re.I
    )
    return lambda bullet: any(pattern.search(text) for text in (bullet.text, *(s.span for s in bullet.sources)))


def kept_of(document: MemoryDocument, sentences: Sequence[str]) -> set[str]:
    """Return which of these sentences the memory holds."""
    texts = [" ".join((b.text, *(s.span for s in b.sources))) for b in document.bullets]
    return {sentence for sentence in sentences if any(sentence in text for text in texts)}


def measure_probe(probe: dict[str, Any], make: MakeBuilder, tally: Tally, *, is_typed: bool) -> None:
    """Tell, ask to forget (typed, or in the chat), tell again in other words, and read all again."""
    told, again, neighbours = probe["told"], probe["again"], probe["neighbours"]
    is_left = has_trace(probe["traces"])
    builder = make()
    opening = chat([*neighbours[:4], *told, *neighbours[4:]], 0)
    request = chat([] if is_typed else [probe["wish"]], len(opening.messages))
    start = len(opening.messages) + len(request.messages)
    later = [
        chat([again[i % len(again)], f"I bought {i + 2} new lamps for my hallway"], start + 4 * i) for i in range(8)
    ]
    (before,) = read_chunks(builder, builder.empty(), [opening])
    after = forget_in(before, probe["wish"])[0] if is_typed else read_chunks(builder, before, [request])[0]
    tally.num_requests += 1
    documents = [after, *read_chunks(builder, after, later)]
    for num in LATER:
        tally.see(str(num), documents[num], is_left)
    again_read = read_chunks(builder, replace(documents[-1], read_messages=0), [opening, *later])[-1]
    tally.see("reread", again_read, is_left)
    known = kept_of(before, neighbours)
    tally.num_neighbours += len(known)
    tally.num_kept += len(known & kept_of(after, neighbours))
    tally.num_left_without += any(map(is_left, before.bullets))


def says(words: frozenset[str]) -> IsLeft:
    """Return whether a bullet has most of these content words: two at least, or the only one."""
    needed = max(min(2, len(words)), round(SAID_SHARE * len(words)))
    return lambda bullet: bool(words) and len(words & set(content_stems(bullet.text))) >= needed


def measure_history(
    history: History, make: MakeBuilder, tally: Tally, evidence: Sequence[tuple[int, set[int]]]
) -> None:
    """Measure requests that stand in a history: `evidence` gives each one's index and the messages it takes back."""
    chunks = chunk_messages(history, COUNTER, chunk_tokens=CHUNK_TOKENS)
    builder = make()
    documents = read_chunks(builder, builder.empty(), chunks)
    reread = read_chunks(builder, replace(documents[-1], read_messages=0), chunks)[-1]
    mute = make()
    requests = {index for index, _ in evidence}
    without = read_chunks(mute, mute.empty(), [_without_requests(chunk, requests) for chunk in chunks])
    by_index = dict(zip(history.indices, history.messages, strict=True))
    gone: set[int] = set()
    named: set[str] = set()
    for index, messages in evidence:
        found = REQUEST.search(by_index[index].text)
        words = frozenset(content_stems(found["what"])) if found else frozenset()
        is_left = _cites_or_says(messages, words)
        tally.num_requests += 1
        place = next(i for i, chunk in enumerate(chunks) if chunk.indices[-1] >= index)
        for num in LATER:
            tally.see(str(num), documents[min(place + num, len(documents) - 1)], is_left)
        tally.see("reread", reread, is_left)
        tally.num_left_without += any(map(is_left, without[-1].bullets))
        gone |= messages | set(range(index - 2 * BLOCK_MESSAGES, index))
        named |= words
    _count_neighbours(without[-1], documents[-1], tally, gone=gone, named=named)


def _cites_or_says(messages: set[int], words: frozenset[str]) -> IsLeft:
    is_said = says(words)
    return lambda bullet: bool(messages & {s.index for s in bullet.sources}) or is_said(bullet)


def _without_requests(chunk: Chunk, requests: set[int]) -> Chunk:
    pairs = zip(chunk.messages, chunk.indices, strict=True)
    return replace(chunk, messages=tuple(Message("user", "Thanks.") if i in requests else m for m, i in pairs))


def _count_neighbours(
    without: MemoryDocument, after: MemoryDocument, tally: Tally, *, gone: set[int], named: set[str]
) -> None:
    """Count messages cited by a memory that never forgot, for words that no request names, and those cited still."""
    sources = [s for b in without.bullets for s in b.sources if not named & set(content_stems(s.span))]
    cited = {s.index for s in sources} - gone
    tally.num_neighbours += len(cited)
    tally.num_kept += len(cited & {s.index for b in after.bullets for s in b.sources})


def requests_in(history: History) -> list[tuple[int, set[int]]]:
    """Return the requests of a published history, each with the messages right before it."""
    pairs = zip(history.indices, history.messages, strict=True)
    places = [i for i, m in pairs if m.role == "user" and REQUEST.search(m.text)]
    return [(place, set(range(place - BLOCK_MESSAGES + 1, place + 1))) for place in places]


def evidence_in(history: History, questions: Path | None) -> list[tuple[int, set[int]]]:
    """Return the requests of a history, with the evidence that the questions give for them."""
    requests = requests_in(history)
    if questions is None:
        return requests
    rows = [json.loads(line) for line in questions.read_text("utf-8").splitlines() if line.strip()]
    asked = [set(row["evidence_messages"]) for row in rows if row["pref_type"] == "ask_to_forget"]
    return [(place, block.union(*(e for e in asked if place in e or place - 1 in e))) for place, block in requests]


def snippet_evidence(history: History, sample: Sample) -> list[tuple[int, set[int]]]:
    """Return the request of a row of the sample data and the run of its snippet before it."""
    snippet = {(m.role, m.text) for m in sample.related_snippet}
    inside = [i for i, m in zip(history.indices, history.messages, strict=True) if (m.role, m.text) in snippet]
    place = next(i for i, _ in reversed(requests_in(history)) if i in inside)
    run = {place}
    while min(run) - 1 in inside:
        run.add(min(run) - 1)
    return [(place, run)]


def measure_typed(history: History, samples: Sequence[Sample], make: MakeBuilder, tally: Tally) -> None:
    """Type a request for each preference of a persona; a bullet with most of its words must not be left."""
    chunks = chunk_messages(history, COUNTER, chunk_tokens=CHUNK_TOKENS)
    builder = make()
    before = read_chunks(builder, builder.empty(), chunks)[-1]
    for preference in sorted({s.preference for s in samples}):
        is_left = says(frozenset(content_stems(preference)))
        after, _ = forget_in(before, f"Please forget that I {preference[0].lower()}{preference[1:]}")
        tally.num_requests += 1
        documents = [after, *read_chunks(builder, replace(after, read_messages=0), chunks)]
        for num in LATER:
            tally.see(str(num), documents[min(num, len(documents) - 1)], is_left)
        tally.see("reread", documents[-1], is_left)
        tally.num_left_without += any(map(is_left, before.bullets))
        stems = set(content_stems(preference))
        others = [b for b in before.bullets if not stems & {t for x in _texts(b) for t in content_stems(x)}]
        texts = {b.text for b in after.bullets}
        tally.num_neighbours += len(others)
        tally.num_kept += sum(b.text in texts for b in others)


def _texts(bullet: Bullet) -> list[str]:
    return [bullet.text, *(s.span for s in bullet.sources)]


def measure_mini(make: MakeBuilder) -> list[Tally]:
    """Measure PersonaMem-mini: requests in its histories, and typed ones."""
    folder, samples = resolve_dataset("mini"), load_samples("mini")
    said, typed = Tally("mini, said"), Tally("mini, typed")
    for persona in sorted({s.persona_id for s in samples}):
        rows = [s for s in samples if s.persona_id == persona]
        history = load_history(history_path(folder, rows[0].history_links["32k"]))
        wishes = [s for s in rows if s.pref_type == "ask_to_forget"]
        if wishes:
            measure_history(history, make, said, snippet_evidence(history, wishes[0]))
        own = [s for s in rows if s.who == "self" and s.pref_type not in ("ask_to_forget", "sensitive_info")]
        if own and rows[0].twin_of is None:
            measure_typed(history, own, make, typed)
    return [said, typed]


def measure_probes(path: Path, make: MakeBuilder) -> list[Tally]:
    """Measure the probes, typed and said in the chat."""
    probes = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
    tallies = []
    for is_typed in (True, False):
        tally = Tally(f"{path.stem[-18:]}, {'typed' if is_typed else 'said'}")
        for probe in probes:
            measure_probe(probe, make, tally, is_typed=is_typed)
        tallies.append(tally)
    return tallies


def load_chat_model(name: str, base_url: str | None) -> ChatModel:
    """Return a scripted model or one of the toolkit's."""
    if name.startswith("scripted:"):
        return load_scripted(name)
    return load_model(name, settings=load_settings(), base_url=base_url)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--builder", choices=("extractive", "agentic"), default="extractive")
    parser.add_argument("--model", default="scripted:stubborn", help="of the agentic builder")
    parser.add_argument("--base-url", default=None)
    parser.add_argument("--probes", type=Path, action="append", help="may be given more than once")
    parser.add_argument("--history", type=Path, action="append", default=[], help="may be given more than once")
    parser.add_argument("--questions", type=Path, default=None, help="of the first history")
    parser.add_argument("--only", choices=("probes", "mini", "history"), default=None)
    options = parser.parse_args()

    def make() -> MemoryBuilder:
        if options.builder == "extractive":
            return ExtractiveBuilder(COUNTER, cap_tokens=CAP_TOKENS)
        return AgenticBuilder(load_chat_model(options.model, options.base_url), cap_tokens=CAP_TOKENS)

    tallies = []
    if options.only in (None, "probes"):
        for path in options.probes or DEFAULT_PROBES:
            tallies += measure_probes(path, make)
    if options.only in (None, "mini"):
        tallies += measure_mini(make)
    for number, path in enumerate(options.history):
        history, tally = load_history(path), Tally(path.stem[-24:])
        measure_history(history, make, tally, evidence_in(history, options.questions if number == 0 else None))
        tallies.append(tally)
    print(LINE.format("set", "asked", "left: 0", "1", "8 chunks", "reread", "kept", "neighbours", "not asked"))
    print("\n".join(tally.row() for tally in tallies))
    print(json.dumps({"builder": options.builder, "sets": {t.name: t.figures() for t in tallies}}, ensure_ascii=False))


if __name__ == "__main__":
    main()
