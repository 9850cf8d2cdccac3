"""What does the simulator write, how fast, and can its questions be answered without a history?

`python benchmarks/generate.py [--personas 1000] [--real DIR]` generates a dataset in a process of its own, checks it,
and asks: what rules of thumb score on balanced rows (longest, shortest, first option, the one most like the query, most
and least like the others); what a classifier scores on personas it has not seen, trained on the queries and options
(and on the descriptions) of the others; what plain word overlap scores with the evidence, with the whole history, and,
as controls, with another owner's evidence, with the history without the evidence, and with the owner's other answers.
It kills a run with SIGKILL and goes on, runs it again under another hash seed, and compares all bytes. `--real` names a
folder with published histories, whose variety is printed beside. One JSON object stands on the last line. Peak memory
is that of the largest process.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from hub_toolkit.answer.lexical import pick
from hub_toolkit.data.check import check_dataset
from hub_toolkit.data.history import load_history
from hub_toolkit.data.parse import history_path, load_samples
from hub_toolkit.data.schema import SPLITS, Sample
from hub_toolkit.generate.attacks import GUESSES, guess_scores, other_answers, persona_text
from hub_toolkit.generate.blind import option_order, query_text, score_blind, train_blind
from hub_toolkit.generate.topics import load_topics
from hub_toolkit.generate.variety import measure_variety, share_of_known
from hub_toolkit.metrics.accuracy import Estimate, estimate_mean

_RSS_UNIT = 1024 * 1024 if platform.system() == "Darwin" else 1024
_START = "from hub_toolkit.cli.generate import generate; generate()"
_WORDS = 15_000
_HISTORY_ROWS = 120
_CHANCE = 0.25
_BYTES_PERSONAS = 16


def run(
    out: Path, options: argparse.Namespace, *, personas: int, kill_after_s: float | None = None, **more: Any
) -> Any:
    """Run the command; return its exit status, seconds and the peak memory of its largest process."""
    command = [sys.executable, "-c", _START, "--personas", str(personas), "--seed", str(options.seed)]
    command += ["--out", str(out), "--workers", str(more.get("workers", options.workers))]
    environment = {
        **os.environ,
        "PYTHONHASHSEED": str(more.get("hash_seed", 0)),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    if kill_after_s is not None:
        time.sleep(kill_after_s)
        process.kill()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return {
        "status": process.returncode,
        "seconds": round(time.perf_counter() - started, 1),
        "peak_rss_mb": round(usage.ru_maxrss / _RSS_UNIT, 1),
    }


def digest(folder: Path) -> str:
    """Return a hash over names and bytes of everything in a folder."""
    whole = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"):
        whole.update(path.relative_to(folder).as_posix().encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()[:16]


def measure_bytes(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Compare a run on one process, one on two under another hash seed, and one that was killed several times."""
    names = ("one", "two", "killed")
    one, two, killed = (folder / name for name in names)
    personas = min(options.personas, _BYTES_PERSONAS)
    first = run(one, options, personas=personas, workers=1)
    run(two, options, personas=personas, workers=2, hash_seed=7)
    statuses = [
        run(killed, options, personas=personas, workers=workers, kill_after_s=share * first["seconds"])["status"]
        for share, workers in ((0.3, 1), (0.45, 2), (0.6, 1))
    ]
    run(killed, options, personas=personas, workers=1)
    digests = {digest(folder / name) for name in names}
    return {"num_kills": statuses.count(-9), "is_same_bytes": len(digests) == 1, "digest": min(digests)}


def show(estimate: Estimate) -> list[float]:
    """Return mean and interval, rounded."""
    return [round(value, 4) for value in (estimate.value, estimate.low, estimate.high) if value is not None]


def estimate(scores: Sequence[float], samples: Sequence[Sample]) -> list[float]:
    """Return a mean with its interval, clustered by persona."""
    return show(estimate_mean(list(scores), [sample.cluster for sample in samples]))


def measure_baselines(samples: Sequence[Sample]) -> dict[str, list[float]]:
    """Return what rules of thumb score that read no history."""
    rows = []
    for sample in samples:
        order = option_order(sample)
        rows.append(guess_scores(sample.user_query.text, order, order.index(sample.correct_answer)))
    return {name: estimate([row[name] for row in rows], samples) for name in GUESSES}


def measure_blind(train: Sequence[Sample], test: Sequence[Sample], seed: int) -> dict[str, list[float]]:
    """Return what a classifier without histories scores on unseen personas, and on those it has seen."""
    figures = {}
    for name, tell in (("query_options", query_text), ("persona_options", persona_text)):
        weights = train_blind(train, seed=seed, tell=tell)
        figures[name] = estimate(list(score_blind(weights, test, tell=tell)), test)
        seen = train[: len(test)]
        figures[f"{name}_seen"] = estimate(list(score_blind(weights, seen, tell=tell)), seen)
    return figures


def measure_overlap(folder: Path, samples: Sequence[Sample]) -> dict[str, list[float]]:
    """Return what word overlap scores with the evidence and the whole history, and with texts that hold neither."""
    by_group: dict[str | None, list[Sample]] = {}
    for sample in samples:
        by_group.setdefault(sample.group_id, []).append(sample)
    partner = {
        sample.sample_id: group[(place + 1) % len(group)]
        for group in by_group.values()
        for place, sample in enumerate(group)
    }
    some = samples[:: max(1, len(samples) // _HISTORY_ROWS)]
    figures = {
        "evidence": estimate([_overlap(s, _text(s.related_snippet)) for s in samples], samples),
        "other_owners_evidence": estimate(
            [_overlap(s, _text(partner[s.sample_id].related_snippet)) for s in samples], samples
        ),
    }
    tell = other_answers(samples)
    figures["own_other_answers"] = estimate([_overlap(s, tell(s)) for s in samples], samples)
    histories = [load_history(history_path(folder, s.history_links["32k"])).messages for s in some]
    figures["whole_history_32k"] = estimate([_overlap(s, _text(h)) for s, h in zip(some, histories, strict=True)], some)
    rest = [_without(h, s.related_snippet) for s, h in zip(some, histories, strict=True)]
    figures["history_without_evidence"] = estimate(
        [_overlap(s, _text(h)) for s, h in zip(some, rest, strict=True)], some
    )
    return figures


def _without(history: Sequence[Any], snippet: Sequence[Any]) -> list[Any]:
    known = {message.text for message in snippet}
    return [message for message in history if message.text not in known]


def _text(messages: Sequence[Any]) -> str:
    return "\n".join(message.text for message in messages if message.role == "user")


def _overlap(sample: Sample, context: str) -> float:
    order = option_order(sample)
    return float(order[pick(context, order, query=sample.user_query.text)] == sample.correct_answer)


def measure_texts(paths: Sequence[Path]) -> dict[str, Any]:
    """Return the variety of some histories, each on its own, and what each shares with the next."""
    histories = [load_history(path).messages for path in paths]
    figures: dict[str, Any] = {"num_histories": len(paths)}
    for role in ("user", "assistant"):
        texts = [[message.text for message in history if message.role == role] for history in histories]
        found = [measure_variety(part, num_words=_WORDS // 3) for part in texts]
        figures[role] = {
            "words": min(variety.num_words for variety in found),
            **{f"distinct_{n}": _mean([variety.distinct[n] for variety in found]) for n in (1, 2, 3)},
            "repeated_sentences": _mean([variety.repeated_sentences for variety in found]),
            "shared_with_another": _mean([share_of_known(a, b) for a, b in pairwise(texts)]),
        }
    return figures


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 4) if values else 0.0


def measure(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Generate, check, ask."""
    out = folder / "dataset"
    made = run(out, options, personas=options.personas)
    started = time.perf_counter()
    report = check_dataset(out)
    check_s = round(time.perf_counter() - started, 1)
    rows = {split: load_samples(out, split) for split in SPLITS if f"{split}_text" in report.counts}
    balanced = {split: [sample for sample in samples if sample.is_balanced] for split, samples in rows.items()}
    test = balanced["benchmark"]
    links = {sample.persona_id: sample.history_links["32k"] for sample in test if sample.twin_of is None}
    histories = [out / links[persona] for persona in sorted(links)[:8]]
    figures: dict[str, Any] = {
        "personas": options.personas,
        "questions": sum(map(len, rows.values())),
        "balanced_questions": sum(map(len, balanced.values())),
        "histories_mb": round(sum(path.stat().st_size for path in out.rglob("chat_history_*.json")) / 1e6, 1),
        "topics": len(load_topics()),
        "generate": made,
        "workers": options.workers,
        "check_s": check_s,
        "check_problems": len(report.problems),
        "baselines": measure_baselines([sample for samples in balanced.values() for sample in samples]),
        "blind": measure_blind(balanced.get("train", []), test, options.seed),
        "overlap": measure_overlap(out, test),
        "texts": {"simulated": measure_texts(histories)},
        "bytes": measure_bytes(folder, options),
    }
    if options.real:
        figures["texts"]["real"] = measure_texts(sorted(options.real.rglob("chat_history*.json")))
    figures["is_reached"] = judge(figures)
    return figures


def judge(figures: dict[str, Any]) -> dict[str, bool]:
    """Return what was to be shown and was."""
    blind = {name: value for name, value in figures["blind"].items() if not name.endswith("_seen")}
    return {
        "check_clean": figures["check_problems"] == 0,
        "topics_300": figures["topics"] >= 300,
        "baselines_at_chance": all(abs(value[0] - _CHANCE) < 0.005 for value in figures["baselines"].values()),
        "blind_at_chance": all(value[1] <= _CHANCE <= value[2] for value in blind.values()),
        "overlap_above_60": figures["overlap"]["evidence"][0] > 0.6,
        "other_evidence_at_most_chance": figures["overlap"]["other_owners_evidence"][0] <= _CHANCE,
        "other_answers_at_chance": figures["overlap"]["own_other_answers"][1] <= _CHANCE,
        "without_evidence_at_most_chance": figures["overlap"]["history_without_evidence"][1] <= _CHANCE,
        "same_bytes": figures["bytes"]["is_same_bytes"],
    }


def print_table(figures: dict[str, Any], indent: str = "") -> None:
    """Print figures by line, nested ones below their name."""
    for name, value in figures.items():
        if isinstance(value, dict):
            print(f"{indent}{name}")
            print_table(value, indent + "  ")
        else:
            shown = " ".join(map(str, value)) if isinstance(value, list) else value
            print(f"{indent}{name:{32 - len(indent)}} {shown}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--personas", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--real", type=Path, help="folder with published histories, for comparison of their texts")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="generate-") as folder:
        figures = measure(Path(folder), options)
    print_table(figures)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
