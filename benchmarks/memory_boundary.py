"""What an owner's rules let through: probes that try to have it remembered, and neighbours.

`python benchmarks/memory_boundary.py` prints a table, and one JSON object on its last line.

A probe is a JSON line: `id`, `rule` (as the owner writes it), `kind`, `form`, `messages` (of the user),
`paraphrase` (what a model might write of them), `secret` (words, or `/regex/`, that no bullet may hold) and `control`
(true: a benign neighbour that must be kept). Builders: `verbatim` writes each message, and its paraphrase, whatever
the guards took
out of the messages, so that the guards alone are measured; `extractive` is the shipped one. Controls: no rules at all.
`--history FILE` measures on a history how many bullets outside a rule are lost.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hub_toolkit.data.history import Chunk, load_history
from hub_toolkit.data.tokens import EstimateCounter
from hub_toolkit.memory.build import MemoryBuilder, build_memory
from hub_toolkit.memory.document import Bullet, MemoryDocument, Source
from hub_toolkit.memory.extractive import ExtractiveBuilder
from hub_toolkit.memory.guard import Guard, screen_chunk, screen_document
from hub_toolkit.memory.rules.answers import breaks_rule, redact_answer
from hub_toolkit.memory.rules.compile import compile_rule
from hub_toolkit.memory.rules.guard import RuleGuard, SecretGuard
from hub_toolkit.memory.state import Rule
from hub_toolkit.types import Message, Usage

PROBES = Path(__file__).parent / "probes" / "boundary.jsonl"
CONFIDENCE = 0.95
FILLER = "I keep a small notebook for the films I watch at weekends."


@dataclass(frozen=True)
class Probe:
    """One attempt, or a benign neighbour where `is_control`."""

    id: str
    rule: str
    kind: str
    form: str
    messages: tuple[str, ...]
    secret: tuple[str, ...]
    is_control: bool
    paraphrase: str | None = None


class VerbatimBuilder:
    """A model that obeys nothing: it writes down all that the user said, and its paraphrase, unscreened."""

    name = "verbatim"

    def __init__(self, probe: Probe) -> None:
        self.probe = probe

    @property
    def usage(self) -> Usage:
        return Usage()

    def empty(self) -> MemoryDocument:
        return MemoryDocument(builder=self.name)

    async def update(self, document: MemoryDocument, chunk: Chunk) -> MemoryDocument:
        """Return a bullet for each message of the probe, and one for its paraphrase."""
        texts = [(text, i) for i, text in enumerate(self.probe.messages)]
        bullets = [Bullet(f"m{i}", text, (Source(i, text),)) for text, i in texts]
        if self.probe.paraphrase:
            bullets.append(Bullet("p1", self.probe.paraphrase, (Source(0, ""),)))
        return replace(document, bullets=tuple(bullets), read_messages=len(chunk.messages))


def load_probes(path: Path) -> list[Probe]:
    """Read a file of probes."""
    rows: list[dict[str, Any]] = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
    return [
        Probe(
            row["id"],
            row["rule"],
            row["kind"],
            row.get("form", row["kind"]),
            tuple(row["messages"]),
            tuple([row["secret"]] if isinstance(row["secret"], str) else row["secret"]),
            bool(row.get("control", False)),
            row.get("paraphrase"),
        )
        for row in rows
    ]


def upper_bound(num_hits: int, num_tries: int, *, confidence: float = CONFIDENCE) -> float:
    """Return the upper end of the two-sided Clopper-Pearson interval of a share."""
    if num_tries == 0 or num_hits == num_tries:
        return 1.0
    low, high, tail = num_hits / num_tries, 1.0, (1 - confidence) / 2
    for _ in range(60):
        middle = (low + high) / 2
        chance = sum(math.comb(num_tries, k) * middle**k * (1 - middle) ** (num_tries - k) for k in range(num_hits + 1))
        low, high = (middle, high) if chance > tail else (low, middle)
    return high


def holds(document: MemoryDocument, secrets: Iterable[str]) -> bool:
    """Whether a bullet says what no bullet may say."""
    text = "\n".join(part for b in document.bullets for part in (b.text, *(s.span for s in b.sources)))
    for secret in secrets:
        if len(secret) > 2 and secret.startswith("/") and secret.endswith("/"):
            if re.search(secret[1:-1], text, re.I):
                return True
        elif secret.casefold() in text.casefold():
            return True
    return False


async def remember(probe: Probe, builder_name: str, guards: Sequence[Guard]) -> MemoryDocument:
    """Return the memory after a probe's messages, with these guards before and behind the builder."""
    counter = EstimateCounter()
    builder: MemoryBuilder = VerbatimBuilder(probe) if builder_name == "verbatim" else ExtractiveBuilder(counter)
    messages = tuple(Message("user", text) for text in (*probe.messages, FILLER))
    chunk = Chunk(messages, tuple(range(len(messages))), 0)
    screened, _, _ = screen_chunk(chunk, guards)
    document, _ = screen_document(
        builder.empty(), await builder.update(builder.empty(), screened), guards, chunk=screened
    )
    return document


def guards_of(rule: Rule) -> list[Guard]:
    return [SecretGuard(), RuleGuard([rule])]


async def measure(probes: Sequence[Probe], builder_name: str) -> dict[str, Any]:
    """Return leaks with and without the guards, by kind and form, and the neighbours that were lost."""
    leaked: list[Probe] = []
    said: list[str] = []
    bare: list[str] = []
    lost: list[str] = []
    for probe in probes:
        rule = compile_rule(probe.rule, "r1")
        is_left = holds(await remember(probe, builder_name, guards_of(rule)), probe.secret)
        if probe.is_control:
            if not is_left and holds(await remember(probe, builder_name, []), probe.secret):
                lost.append(probe.id)
            continue
        if is_left:
            leaked.append(probe)
        if holds(await remember(probe, builder_name, []), probe.secret):
            bare.append(probe.id)
        answer = redact_answer(" ".join(probe.messages), [rule])
        if rule.effect == "never" and not rule.before and any(m in answer for m in probe.messages):
            said.append(probe.id)
    attempts = [p for p in probes if not p.is_control]
    return {
        "builder": builder_name,
        "num_attempts": len(attempts),
        "num_rule_kinds": len({p.kind for p in attempts}),
        "num_leaks": len(leaked),
        "leak_rate": round(len(leaked) / max(1, len(attempts)), 4),
        "leak_rate_upper_95": round(upper_bound(len(leaked), len(attempts)), 4),
        "leaks": [p.id for p in leaked],
        "leaks_by_form": dict(Counter(p.form for p in leaked)),
        "leaks_by_kind": dict(Counter(p.kind for p in leaked)),
        "num_leaks_without_rules": len(bare),
        "num_leaks_in_answers": len(said),
        "leaks_in_answers": said,
        "num_neighbours": sum(p.is_control for p in probes),
        "neighbours_lost": lost,
    }


async def outside_loss(path: Path, rule_text: str, evidence: set[int], *, cap_tokens: int) -> dict[str, Any]:
    """Build a history's memory with and without a rule, and say what is lost of what the rule does not forbid."""
    history, counter = load_history(path), EstimateCounter()
    rule = compile_rule(rule_text, "r1")
    guards = guards_of(rule)
    chunk = Chunk(history.messages, history.indices, 0)
    screened, receipts, _ = screen_chunk(chunk, guards)
    left = replace(history, messages=screened.messages)
    plain = await build_memory(history, ExtractiveBuilder(counter, cap_tokens=cap_tokens), counter)
    built = await build_memory(left, ExtractiveBuilder(counter, cap_tokens=cap_tokens), counter)
    ruled, _ = screen_document(MemoryDocument(), built, guards)
    outside = [b for b in plain.bullets if not breaks_rule(b, rule)]
    wanted = {s.index for b in outside for s in b.sources}
    wanted = wanted & evidence if evidence else wanted
    kept = {s.index for b in ruled.bullets for s in b.sources}
    return {
        "history": path.name,
        "rule": rule_text,
        "num_bullets": len(plain.bullets),
        "num_outside": len(outside),
        "recall_outside": round(len(wanted & kept) / max(1, len(wanted)), 4),
        "num_refused": len(receipts),
        "num_forbidden_left": sum(breaks_rule(b, rule) for b in ruled.bullets),
    }


def show(result: dict[str, Any]) -> None:
    print(
        f"builder {result['builder']}: {result['num_attempts']} attempts on {result['num_rule_kinds']} kinds of rules"
    )
    rate, upper = 100 * result["leak_rate"], 100 * result["leak_rate_upper_95"]
    print(
        f"  leaks            {result['num_leaks']:>4}   {rate:.2f} %, 95 % upper bound {upper:.2f} %  {result['leaks']}"
    )
    print(f"  without rules    {result['num_leaks_without_rules']:>4}   (the control: how many leave a bullet at all)")
    print(f"  said in answers  {result['num_leaks_in_answers']:>4}   {result['leaks_in_answers']}")
    lost = result["neighbours_lost"]
    print(f"  neighbours lost  {len(lost):>4} of {result['num_neighbours']}  {lost}")


async def run(args: argparse.Namespace) -> dict[str, Any]:
    probes = load_probes(args.probes)
    results = [await measure(probes, name) for name in args.builder.split(",")]
    for result in results:
        show(result)
    evidence: set[int] = set()
    if args.questions:
        rows = [json.loads(line) for line in args.questions.read_text("utf-8").splitlines() if line.strip()]
        evidence = {i for row in rows for i in row["evidence_messages"]}
    losses = []
    for path in args.history:
        for rule in args.rule or ["never: health", "never: politics", "never: finance"]:
            losses.append(await outside_loss(path, rule, evidence, cap_tokens=args.cap))
            print("  outside", losses[-1])
    return {"results": results, "outside": losses}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--probes", type=Path, default=PROBES)
    parser.add_argument("--builder", default="verbatim,extractive", help="verbatim, extractive, or both with a comma")
    parser.add_argument("--history", type=Path, nargs="*", default=[], help="histories to measure the loss outside on")
    parser.add_argument("--questions", type=Path, help="questions with evidence_messages, to count evidence alone")
    parser.add_argument("--rule", action="append", help="rules for --history")
    parser.add_argument("--cap", type=int, default=65_536, help="tokens of the memory for --history")
    print(json.dumps(asyncio.run(run(parser.parse_args()))))


if __name__ == "__main__":
    main()
