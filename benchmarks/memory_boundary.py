"""What an owner's rules let through: probes that try to have it remembered, and neighbours.

`python benchmarks/memory_boundary.py` prints a table, and one JSON object on its last line.

A probe is a JSON line: `id`, `rule` (as the owner writes it), `kind`, `form`, `messages` (of the user),
`paraphrase` (what a model might write of them), `secret` (words, or `/regex/`, that no bullet may hold) and `control`
(true: a benign neighbour that must be kept). Builders: `verbatim` writes each message, and its paraphrase, whatever
the guards took
out of the messages, so that the guards alone are measured; `extractive` is the shipped one. Controls: no rules at all.
`--policy-model` asks a model behind the word lists.
`--probes FILE…` measures each file as a set of its own; `--strictness` reads `never` rules so, and not as they say.
The loss outside a rule: of the messages on which questions of PersonaMem-mini (`--questions` of `--history`; without,
all messages of the user) rest and that a memory without rules cites, those that are cited no more under a rule on
something else. What a question is on says its `pref_type`, not the word lists.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from hub_toolkit.data.history import Chunk, load_history
from hub_toolkit.data.parse import history_path, load_samples, resolve_dataset
from hub_toolkit.data.schema import History
from hub_toolkit.data.tokens import EstimateCounter
from hub_toolkit.errors import BoundaryError
from hub_toolkit.memory.build import MemoryBuilder, build_memory
from hub_toolkit.memory.builders.extractive import ExtractiveBuilder
from hub_toolkit.memory.document import Bullet, MemoryDocument, Source
from hub_toolkit.memory.guard import Guard, screen_chunk, screen_document
from hub_toolkit.memory.rules.answers import redact_answer
from hub_toolkit.memory.rules.compile import compile_rule
from hub_toolkit.memory.rules.guard import RuleGuard, SecretGuard
from hub_toolkit.memory.rules.policy import ModelPolicyCheck, PolicyCheck, PolicyGuard, judge_written
from hub_toolkit.memory.state import Rule, Strictness
from hub_toolkit.models.base import ChatModel
from hub_toolkit.models.fake import FakeModel
from hub_toolkit.models.registry import load_model
from hub_toolkit.settings import load_settings
from hub_toolkit.types import Message, Usage

PROBES = Path(__file__).parent / "probes" / "boundary.jsonl"
CONFIDENCE = 0.95
SCRIPTED = {"scripted:keeps": None, "scripted:refuses": "r1"}
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
    document, _ = await judge_written(builder.empty(), document, guards)
    return document


def guards_of(rule: Rule, check: PolicyCheck | None = None) -> list[Guard]:
    """Return the guards that keep a rule; `check` is asked behind the word lists, where one is given."""
    guards: list[Guard] = [SecretGuard(), RuleGuard([rule])]
    return [*guards, PolicyGuard(check, [rule])] if check else guards


def read_rule(text: str, strictness: Strictness | None) -> Rule:
    """Return a rule as it says, or read at another strictness."""
    rule = compile_rule(text, "r1")
    return replace(rule, strictness=strictness) if strictness and rule.effect == "never" else rule


async def measure(
    probes: Sequence[Probe],
    builder_name: str,
    strictness: Strictness | None = None,
    *,
    check: PolicyCheck | None = None,
) -> dict[str, Any]:
    """Return leaks with and without the guards, by kind and form, and the neighbours that were lost."""
    leaked: list[Probe] = []
    refused: dict[str, str] = {}
    said: list[str] = []
    bare: list[str] = []
    lost: list[str] = []
    for probe in probes:
        try:
            rule = read_rule(probe.rule, strictness)
        except BoundaryError as error:  # the owner is told, nothing is promised: neither a leak nor kept out
            refused[probe.id] = f"{probe.rule}: {error}"
            continue
        is_left = holds(await remember(probe, builder_name, guards_of(rule, check)), probe.secret)
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
    attempts = [p for p in probes if not p.is_control and p.id not in refused]
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
        "num_neighbours": sum(p.is_control and p.id not in refused for p in probes),
        "num_rules_refused": len(refused),
        "rules_refused": refused,
        "neighbours_lost": lost,
    }


LOSS_CAP_TOKENS = 65_536
"""So much room that nothing is lost for want of it."""

OUTSIDE_RULES = tuple(
    f"never: {name}" for name in ("health", "mental health", "religion", "politics", "sexuality", "legal")
)
_ON_HEALTH = ("health_and_medical_conditions", "therapy_background", "sensitive_info")


def mini_evidence() -> Iterator[tuple[Path, set[int]]]:
    """Yield each history of PersonaMem-mini with its user messages that back questions on nothing delicate."""
    folder = resolve_dataset("mini")
    by_history: dict[Path, set[str]] = {}
    for row in load_samples(folder):
        if row.pref_type not in _ON_HEALTH:
            texts = {m.text for m in row.related_snippet if m.role == "user"}
            by_history.setdefault(history_path(folder, row.history_links["32k"]), set()).update(texts)
    for path, texts in by_history.items():
        history = load_history(path)
        indexed = zip(history.messages, history.indices, strict=True)
        yield path, {index for message, index in indexed if message.role == "user" and message.text in texts}


async def cited(history: History, guards: Sequence[Guard], evidence: set[int]) -> set[int]:
    """Return the evidence messages that the shipped builder's memory cites; all user messages where none is named."""
    counter = EstimateCounter()
    document = await build_memory(
        history, ExtractiveBuilder(counter, cap_tokens=LOSS_CAP_TOKENS), counter, guards=guards
    )
    found = {source.index for bullet in document.bullets for source in bullet.sources}
    return found & evidence if evidence else found


async def outside_loss(
    pairs: Sequence[tuple[Path, set[int]]], name: str, strictness: Strictness | None
) -> dict[str, Any]:
    """Return how much of the evidence that a memory without rules cites is lost by each rule on something else."""
    num_cited, lost = 0, Counter[str]()
    for path, evidence in pairs:
        history = load_history(path)
        bare = await cited(history, [SecretGuard()], evidence)
        num_cited += len(bare)
        for text in OUTSIDE_RULES:
            lost[text] += len(bare - await cited(history, guards_of(read_rule(text, strictness)), evidence))
    return {
        "set": name,
        "num_cited_without_rules": num_cited,
        "loss_by_rule": {text: round(lost[text] / max(1, num_cited), 4) for text in OUTSIDE_RULES},
        "loss_mean": round(sum(lost.values()) / max(1, num_cited * len(OUTSIDE_RULES)), 4),
    }


def show(result: dict[str, Any]) -> None:
    attempts = f"{result['num_attempts']} attempts on {result['num_rule_kinds']} kinds of rules"
    print(f"{result['set']}, {result['strictness']}, builder {result['builder']}: {attempts}")
    rate, upper = 100 * result["leak_rate"], 100 * result["leak_rate_upper_95"]
    print(
        f"  leaks            {result['num_leaks']:>4}   {rate:.2f} %, 95 % upper bound {upper:.2f} %  {result['leaks']}"
    )
    print(f"  without rules    {result['num_leaks_without_rules']:>4}   (the control: how many leave a bullet at all)")
    print(f"  said in answers  {result['num_leaks_in_answers']:>4}   {result['leaks_in_answers']}")
    print(f"  rules refused    {result['num_rules_refused']:>4}   (probes whose rule was refused; not counted)")
    lost = result["neighbours_lost"]
    print(f"  neighbours lost  {len(lost):>4} of {result['num_neighbours']}  {lost}")


def _evidence_of(path: Path | None) -> set[int]:
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()] if path else []
    return {i for row in rows for i in row["evidence_messages"] if row.get("pref_type") not in _ON_HEALTH}


def open_model(name: str, base_url: str | None) -> ChatModel:
    """Return a model to ask about what would be kept; `scripted:keeps` and `scripted:refuses` are the controls."""
    if name in SCRIPTED:
        return FakeModel(partial(_verdict_on_all, verdict=SCRIPTED[name]))
    return load_model(name, settings=load_settings(), base_url=base_url)


def _verdict_on_all(messages: Sequence[Message], *, verdict: str | None) -> str:
    numbers = re.findall(r'^[{]?"(\d+)":', messages[0].text.partition("<memory>")[2], re.M)
    return json.dumps(dict.fromkeys(numbers, verdict))


async def run(args: argparse.Namespace) -> dict[str, Any]:
    results, losses = [], []
    check = ModelPolicyCheck(open_model(args.policy_model, args.base_url)) if args.policy_model else None
    for strictness in args.strictness.split(","):
        level: Strictness = "normal" if strictness == "normal" else "strict"
        for path in args.probes:
            for name in args.builder.split(","):
                figures = await measure(load_probes(path), name, level, check=check)
                result = {"set": path.stem, "strictness": level, "policy_model": args.policy_model} | figures
                show(result)
                results.append(result)
        pairs = [] if args.no_mini else [("mini", list(mini_evidence()))]
        evidence = _evidence_of(args.questions)
        pairs += [(path.stem, [(path, evidence)]) for path in args.history]
        for name, histories in pairs:
            loss = {"strictness": level} | await outside_loss(histories, name, level)
            lost, num = f"{loss['loss_mean']:.2%}", loss["num_cited_without_rules"]
            print(f"  lost outside the rule, {level}, {name}: {lost} of {num} cited messages {loss['loss_by_rule']}")
            losses.append(loss)
    return {"results": results, "outside": losses}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--probes", type=Path, nargs="+", default=[PROBES], help="each file is a set")
    parser.add_argument("--builder", default="verbatim,extractive", help="verbatim, extractive, or both with a comma")
    parser.add_argument("--strictness", default="strict,normal", help="strict, normal, or both with a comma")
    parser.add_argument(
        "--policy-model", help="openai/<model>, scripted:keeps or scripted:refuses: asked behind the lists"
    )
    parser.add_argument("--base-url", help="where that model is served")
    parser.add_argument("--history", type=Path, nargs="*", default=[], help="further histories for the loss outside")
    parser.add_argument("--questions", type=Path, help="questions with evidence_messages of that history")
    parser.add_argument("--no-mini", action="store_true", help="leave PersonaMem-mini out")
    print(json.dumps(asyncio.run(run(parser.parse_args()))))


if __name__ == "__main__":
    main()
