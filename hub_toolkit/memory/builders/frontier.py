"""What room is worth: how much of the evidence a memory still holds, by its cap and by how often it was consolidated."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hub_toolkit.data.schema import History
from hub_toolkit.data.tokens import TokenCounter
from hub_toolkit.errors import DataFormatError
from hub_toolkit.memory.build import MemoryBuilder, build_memory
from hub_toolkit.memory.builders.consolidate import consolidate
from hub_toolkit.memory.document import MemoryDocument

DEFAULT_CAPS = (256, 512, 1024, 2048, 4096, 8192)
MakeBuilder = Callable[[int], MemoryBuilder]
"""Makes the builder of a memory of so many tokens."""


@dataclass(frozen=True)
class Point:
    """One memory: `num_passes` 0 is as it was built; each pass reads the history (again) and consolidates.

    `recall` is the share of questions of which at least one evidence message is cited.
    """

    cap_tokens: int
    num_passes: int
    tokens: int
    num_bullets: int
    recall: float | None
    seconds: float


def load_evidence(path: Path) -> list[frozenset[int]]:
    """Return the evidence messages of each question about the user themself, forget questions left out.

    The file has a JSON object a line, with `evidence_messages` (0-based indices into the history); `who` and
    `pref_type` as PersonaMem-v2 has them, where they are given.

    Raises: DataFormatError: unreadable, or a line is no such object.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise DataFormatError(f"the questions cannot be read ({reason}); check the path", file=str(path)) from error
    found = []
    for row, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            question = json.loads(line)
            evidence = question["evidence_messages"]
            if not isinstance(evidence, list) or any(type(index) is not int for index in evidence):
                raise TypeError
            is_own = question.get("who", "self") == "self" and question.get("pref_type") != "ask_to_forget"
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            message = 'not a question with "evidence_messages", a list of message indices'
            raise DataFormatError(message, file=str(path), row=row) from None
        if is_own:
            found.append(frozenset(evidence))
    return found


async def measure_frontier(
    history: History,
    evidence: Sequence[frozenset[int]],
    make_builder: MakeBuilder,
    counter: TokenCounter,
    *,
    caps: Sequence[int] = DEFAULT_CAPS,
    num_passes: int = 2,
) -> list[Point]:
    """Return a point for each cap and each number of passes from 0 on."""
    texts = {index: message.text for index, message in zip(history.indices, history.messages, strict=True)}
    points = []
    for cap in caps:
        builder, started = make_builder(cap), time.perf_counter()
        document = await build_memory(history, builder, counter)
        points.append(_measure(document, evidence, counter, num_passes=0, seconds=time.perf_counter() - started))
        for number in range(1, num_passes + 1):
            if number > 1:  # what the cap has pushed out early gets another chance beside what is known by now
                document = await build_memory(history, builder, counter, document=replace(document, read_messages=0))
            document = consolidate(document, counter, texts=texts)
            seconds = time.perf_counter() - started
            points.append(_measure(document, evidence, counter, num_passes=number, seconds=seconds))
    return points


def _measure(
    document: MemoryDocument,
    evidence: Sequence[frozenset[int]],
    counter: TokenCounter,
    *,
    num_passes: int,
    seconds: float,
) -> Point:
    cited = {source.index for bullet in document.bullets for source in bullet.sources}
    recall = sum(bool(cited & wanted) for wanted in evidence) / len(evidence) if evidence else None
    tokens, num = document.tokens(counter), len(document.bullets)
    return Point(document.cap_tokens, num_passes, tokens, num, recall, round(seconds, 3))
