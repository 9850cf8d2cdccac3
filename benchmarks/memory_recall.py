"""Does a memory of N tokens cite the messages that answer the questions, and none that were to be forgotten?

`python benchmarks/memory_recall.py --history FILE --questions FILE --cap N` prints one JSON object on its last line.
The questions are JSON lines in PersonaMem-v2's columns with `evidence_messages` (0-based indices into chat_history).
Controls of the same size: the last, random and shortest user messages, whole, as many as fit into the cap.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from hub_toolkit.data.history import load_history
from hub_toolkit.data.schema import History
from hub_toolkit.data.terms import content_stems
from hub_toolkit.data.tokens import EstimateCounter
from hub_toolkit.memory.boundary import forget_request
from hub_toolkit.memory.build import build_memory
from hub_toolkit.memory.builders.extractive import ExtractiveBuilder
from hub_toolkit.memory.document import MemoryDocument

NUM_RANDOM_DRAWS = 200
RESIDUE_SHARE = 0.5


def is_forget(question: dict[str, Any]) -> bool:
    return str(question["pref_type"]) == "ask_to_forget"


def is_own(question: dict[str, Any]) -> bool:
    return question["who"] == "self" and not is_forget(question)


def evidence_recall(questions: Sequence[dict[str, Any]], cited: set[int]) -> float | None:
    """Share of questions about the user with at least one evidence message among the cited."""
    own = [q for q in questions if is_own(q)]
    return mean(bool(cited & set(q["evidence_messages"])) for q in own) if own else None


def forget_residue(questions: Sequence[dict[str, Any]], document: MemoryDocument) -> float | None:
    """Share of forget questions of which something is left.

    Left is a bullet that cites an evidence message of the question, or that has half or more of the content words
    (two at least) of the preference.
    """
    wishes = [q for q in questions if is_forget(q)]
    return mean(_is_left(q, document) for q in wishes) if wishes else None


def _is_left(question: dict[str, Any], document: MemoryDocument) -> bool:
    preference = str(question["preference"])
    stems = forget_request("forget that" + preference.partition("remember")[2]) or frozenset(content_stems(preference))
    needed = max(2, round(RESIDUE_SHARE * len(stems)))
    evidence = set(question["evidence_messages"])
    return any(
        evidence & {s.index for s in bullet.sources} or len(stems & set(content_stems(bullet.text))) >= needed
        for bullet in document.bullets
    )


def take_until(order: Sequence[int], tokens: dict[int, int], cap: int) -> set[int]:
    """Take whole messages in order while they fit."""
    taken, used = set(), 0
    for index in order:
        if used + tokens[index] <= cap:
            taken.add(index)
            used += tokens[index]
    return taken


def control_recalls(history: History, questions: Sequence[dict[str, Any]], cap: int) -> dict[str, float | None]:
    """Evidence recall of user messages chosen blindly, of the same size as the memory."""
    counter = EstimateCounter()
    tokens = {
        i: counter.count(m.text) for m, i in zip(history.messages, history.indices, strict=True) if m.role == "user"
    }
    recall: Callable[[Sequence[int]], float | None] = lambda order: evidence_recall(  # noqa: E731
        questions, take_until(order, tokens, cap)
    )
    users = sorted(tokens)
    draws = [recall(random.Random(seed).sample(users, len(users))) for seed in range(NUM_RANDOM_DRAWS)]
    known = [d for d in draws if d is not None]
    return {
        "last_messages": recall(users[::-1]),
        "random_messages": mean(known) if known else None,
        "shortest_messages": recall(sorted(users, key=lambda i: (tokens[i], i))),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--history", type=Path, required=True)
    parser.add_argument("--questions", type=Path, required=True)
    parser.add_argument("--cap", type=int, default=1024, help="tokens of the memory")
    args = parser.parse_args()
    questions = [json.loads(line) for line in args.questions.read_text("utf-8").splitlines() if line.strip()]
    history = load_history(args.history)
    counter = EstimateCounter()
    started = time.perf_counter()
    document = asyncio.run(build_memory(history, ExtractiveBuilder(counter, cap_tokens=args.cap), counter))
    seconds = time.perf_counter() - started
    controls = control_recalls(history, questions, args.cap)
    recall = evidence_recall(questions, {s.index for b in document.bullets for s in b.sources})
    best = max((c for c in controls.values() if c is not None), default=None)
    result = {
        "cap": args.cap,
        "memory_tokens": document.tokens(counter),
        "num_bullets": len(document.bullets),
        "evidence_recall": recall,
        "forget_residue": forget_residue(questions, document),
        "controls": controls,
        "ratio_to_best_control": recall / best if recall is not None and best else None,
        "num_recall_questions": sum(map(is_own, questions)),
        "num_forget_questions": sum(map(is_forget, questions)),
        "build_s": round(seconds, 3),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
