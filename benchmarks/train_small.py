"""Does a small model learn to keep a memory? SFT, then memory GRPO, on simulated data, with controls and seeds.

`python benchmarks/train_small.py --out DIR [--seeds 0 1 2] [--device cpu] [--model FOLDER] [--vllm]` simulates personas
(swap groups: who ignores the history is right one time in four), trains the recipes sft_smollm2 and memory_grpo_smollm2
for each seed, and memory GRPO once more with the updates masked. Then the model itself (`base`) and what each stage
left answer the questions of held-out personas: from the memory that the model writes, from the memory it wrote of
another owner (counterfactual), and from nothing. A lift is paired by question, its interval clustered by persona; over
seeds, a question's score is its mean over them. A model of this size can show that the reward reaches the updates. It
cannot show what a model of four billion parameters would learn, and simulated talk is not human talk. A run goes on
where it was. The figures are JSON on the last line.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from hub_toolkit.errors import PersonaMemError
from hub_toolkit.evaluate.record import load_record, load_rows
from hub_toolkit.generate.config import SimulatorConfig
from hub_toolkit.generate.simulator import simulate
from hub_toolkit.metrics.accuracy import Estimate, estimate_mean, paired_lift
from hub_toolkit.settings import load_settings
from train.callbacks_steps import newest_checkpoint

ROOT = Path(__file__).resolve().parents[1]
STAGES = ("base", "sft", "memory", "masked")
CONTEXT_TOKENS = 3600
TOPICS = 6
NUM_ENDS = 10
"""Over how many steps the reward at the start and at the end is a mean."""


@dataclass(frozen=True)
class Scores:
    """What became of each held-out question: from its own memory, another owner's, and nothing.

    `num_unparsed` and `num_failed` are among the wrong ones, of all three.
    """

    clusters: list[int]
    own: list[float]
    other: list[float]
    none: list[float]
    num_unparsed: int = 0
    num_failed: int = 0

    @property
    def estimates(self) -> dict[str, Estimate]:
        return {
            "accuracy": estimate_mean(self.own, self.clusters),
            "no_context": estimate_mean(self.none, self.clusters),
            "lift": paired_lift(self.own, self.none, self.clusters),
            "counterfactual_lift": paired_lift(self.own, self.other, self.clusters),
        }


def run(*words: object) -> None:
    """Run a command of this project; its own words say what went wrong."""
    subprocess.run([sys.executable, "-m", *map(str, words)], cwd=ROOT, check=True, stdout=sys.stderr)


def train_stage(stage: str, seed: int, start: Path, options: argparse.Namespace) -> Path:
    """Train one stage, or find it done; return the folder of its last weights."""
    out = options.out / f"seed{seed}" / stage
    if (out / "final" / "config.json").is_file():
        return Path(out / "final")
    kind = "sft" if stage == "sft" else "memory_grpo"
    steps = options.sft_steps if stage == "sft" else options.grpo_steps
    told: dict[str, object] = {
        "config": ROOT / "train" / "recipes" / f"{kind}_smollm2.yaml",
        "model_name_or_path": start,
        "output_dir": out,
        "dataset": options.out / "data",
        "seed": seed,
        "rows_seed": seed,
        "max_steps": steps,
        "save_steps": steps,
        "resume_from_checkpoint": "auto",
        "disable_tqdm": True,
    }
    if options.device == "cpu":
        told |= {"use_cpu": True, "bf16": False, "dataloader_pin_memory": False}
    if stage == "masked":
        told["mask_updates"] = True
    if options.batch and stage != "sft":
        told |= {"per_device_train_batch_size": options.batch, "gradient_accumulation_steps": 1}
    if options.vllm and stage != "sft":
        told |= {"use_vllm": True, "vllm_mode": "colocate", "vllm_gpu_memory_utilization": 0.3}
    run(f"train.{kind}", *(word for name, value in told.items() for word in (f"--{name}", value)))
    return Path(out / "final")


def read_reward(run_folder: Path) -> dict[str, float]:
    """Return the mean reward of the first and of the last steps."""
    checkpoint = newest_checkpoint(run_folder)
    if checkpoint is None:
        return {}
    log = json.loads((checkpoint / "trainer_state.json").read_text())["log_history"]
    rewards = [float(entry["reward"]) for entry in log if entry.get("reward") is not None]
    first, last = rewards[:NUM_ENDS], rewards[-NUM_ENDS:]
    return {"first": round(sum(first) / len(first), 4), "last": round(sum(last) / len(last), 4)} if rewards else {}


def evaluate(model: Path, out: Path, options: argparse.Namespace) -> Scores:
    """Ask the held-out questions, or take the answers that are there."""
    backend = "vllm" if options.vllm else "hf"
    for name, words in {
        "memory": ("memory", "--builder", "agentic", "--counterfactual", "--cap", 160, "--chunk-tokens", 1200),
        "none": ("none",),
    }.items():
        record = load_record(out / name)
        if record is None or record.status != "complete":
            limits = ("--reply-tokens", 32, *(("--limit", options.limit) if options.limit else ()))
            spec = ("--model", f"{backend}/{model}", "--data", options.out / "data", "--out", out / name)
            run("hub_toolkit.cli.main", "eval", "run", *spec, *limits, "--reader", *words)
    own = {row.sample_id: row for row in load_rows(out / "memory")}
    none = {row.sample_id: row for row in load_rows(out / "none")}
    rows = [own[name] for name in sorted(own.keys() & none.keys()) if own[name].counterfactual is not None]
    others = [row.counterfactual.answer for row in rows if row.counterfactual is not None]
    bare = [none[row.sample_id].answer for row in rows]
    answers = ([row.answer for row in rows], others, bare)
    right = [[float(bool(answer.is_correct)) for answer in column] for column in answers]
    statuses = [answer.status for column in answers for answer in column]
    lost = (statuses.count("unparsed"), statuses.count("failed"))
    return Scores([row.cluster for row in rows], right[0], right[1], right[2], *lost)


def pool(seeds: Sequence[Scores]) -> Scores:
    """Return each question's mean over the seeds."""

    def mean(columns: Sequence[list[float]]) -> list[float]:
        return [sum(values) / len(values) for values in zip(*columns, strict=True)]

    parts = (mean([s.own for s in seeds]), mean([s.other for s in seeds]), mean([s.none for s in seeds]))
    lost = (sum(s.num_unparsed for s in seeds), sum(s.num_failed for s in seeds))
    return Scores(seeds[0].clusters, *parts, *lost)


def run_all(start: Path, options: argparse.Namespace) -> Iterator[tuple[str, int, dict[str, float], Scores]]:
    """Yield stage, seed, reward and scores, the model as it came first."""
    yield "base", -1, {}, evaluate(start, options.out / "base", options)
    for seed in options.seeds:
        models = {"sft": train_stage("sft", seed, start, options)}
        for stage in ("memory", "masked"):
            models[stage] = train_stage(stage, seed, models["sft"], options)
        for stage, model in models.items():
            folder = options.out / f"seed{seed}"
            yield stage, seed, read_reward(folder / stage), evaluate(model, folder / "eval" / stage, options)


def as_figures(scores: Scores) -> dict[str, Any]:
    return {
        name: {key: None if value is None else round(value, 4) for key, value in _bounds(found).items()}
        for name, found in scores.estimates.items()
    } | {"rows": len(scores.own), "unparsed": scores.num_unparsed, "failed": scores.num_failed}


def _bounds(found: Estimate) -> dict[str, float | None]:
    return {"value": found.value, "low": found.low, "high": found.high}


def render_line(name: str, figures: dict[str, Any], reward: dict[str, float]) -> str:
    def show(part: str) -> str:
        found = figures[part]
        return "-" if found["low"] is None else f"{found['value']:+.3f} [{found['low']:+.3f}, {found['high']:+.3f}]"

    moved = f"{reward['first']:.2f} to {reward['last']:.2f}" if reward else "-"
    accuracy, bare = (f"{figures[part]['value']:.3f}" for part in ("accuracy", "no_context"))
    lifts = f"{show('lift'):>28}{show('counterfactual_lift'):>28}"
    lost = f"{figures['unparsed']} + {figures['failed']}"
    return f"{name:<16}{moved:>14}{accuracy:>10}{bare:>8}{lifts}{lost:>19}"


def parse_options(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="a folder for data, checkpoints and answers")
    parser.add_argument("--model", type=Path, help="a folder of transformers; default: SmolLM2-135M out of the cache")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda")
    parser.add_argument("--vllm", action="store_true", help="sample and evaluate with vLLM")
    parser.add_argument("--personas", type=int, default=96)
    parser.add_argument("--sft-steps", type=int, default=200)
    parser.add_argument("--grpo-steps", type=int, default=100)
    parser.add_argument("--batch", type=int, help="rollouts of a step, a multiple of 32; default: the recipe's 128")
    parser.add_argument("--limit", type=int, help="only the first held-out questions")
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    """Train, ask, and print the table and the figures."""
    from train.smoke_model import write_smollm2

    options = parse_options(words)
    options.out = options.out.resolve()
    if options.device == "cuda" and not _has_cuda():
        print("error: there is no CUDA device here; --device cpu takes days with the default sizes", file=sys.stderr)
        return 1
    config = SimulatorConfig(
        options.personas, topics_per_quad=TOPICS, context_32k_tokens=CONTEXT_TOKENS, has_128k=False
    )
    simulate(config, options.out / "data")
    start = options.model.resolve() if options.model else write_smollm2(options.out / "model", load_settings())
    head = f"{'stage, seed':<16}{'reward':>14}{'accuracy':>10}{'bare':>8}{'lift':>28}{'counterfactual lift':>28}"
    print(f"{head}{'unparsed + failed':>19}")
    found: dict[str, list[Scores]] = {stage: [] for stage in STAGES}
    lines = []
    for stage, seed, reward, scores in run_all(start, options):
        found[stage].append(scores)
        figures = as_figures(scores)
        lines.append({"stage": stage, "seed": seed if seed >= 0 else None, "reward": reward, **figures})
        print(render_line(stage if seed < 0 else f"{stage}, {seed}", figures, reward), flush=True)
    pooled = {stage: as_figures(pool(found[stage])) for stage in STAGES[1:]}
    for stage, figures in pooled.items():
        print(render_line(f"{stage}, all", figures, {}))
    print(json.dumps({"device": options.device, "personas": options.personas, "runs": lines, "over_seeds": pooled}))
    return 0


def _has_cuda() -> bool:
    import torch

    return bool(torch.cuda.is_available())


if __name__ == "__main__":
    try:
        sys.exit(main())
    except PersonaMemError as error:
        sys.exit(f"error: {error}")
    except subprocess.CalledProcessError as error:
        sys.exit(f"error: a command ended with status {error.returncode}; its words are above. Run this again to go on")
