"""Every recipe for two steps on the CPU, from a local Hub's data to a pushed checkpoint that loads again.

`python -m train.smoke --out DIR` starts the Hub itself. It rehearses the path; two steps teach nothing.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from hub_toolkit.errors import PersonaMemError
from hub_toolkit.hub.client import RepoRef
from hub_toolkit.settings import Settings

KINDS = ("sft", "grpo", "memory_grpo")
OWNER = "personamem"
STEPS = 2
DATASET = f"{OWNER}/smoke"
BASE_MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
_RECIPES = Path(__file__).parent / "recipes"


@dataclass(frozen=True)
class SmokeResult:
    """One recipe's way: where it was pushed, and what the pulled folder says against the one that was saved."""

    kind: str
    repo: str
    sha: str
    step: int
    has_moved: bool
    is_equal: bool
    train_s: float
    check_s: float

    @property
    def is_good(self) -> bool:
        """Whether the weights came back from the Hub bit for bit, and those of SFT moved.

        Where all replies of each group earn the same, two steps of GRPO have no gradient.
        """
        return self.is_equal and self.step == STEPS and (self.has_moved or self.kind != "sft")


def run_smoke(out: Path, *, model: Path | None = None, kinds: Sequence[str] = KINDS) -> list[SmokeResult]:
    """Run the recipes one after the other, each from the model; they leave everything in `out`.

    `model` is a folder of transformers; default: SmolLM2-135M out of the cache. Call it before `huggingface_hub` is
    imported: the Hub's address is read then.

    Raises: PersonaMemError: a package or the model is missing, or a recipe stopped.
    """
    from hub_toolkit.cli.rehearsal import rehearse_release
    from train.smoke_model import write_smollm2

    out.mkdir(parents=True, exist_ok=True)
    with rehearse_release(has_board=False) as settings:
        start = model or write_smollm2(out / "model", settings)
        dataset = push_data(out / "data", settings)
        return [run_recipe(kind, out / kind, start, dataset, settings) for kind in kinds]


def push_data(folder: Path, settings: Settings) -> str:
    """Simulate eight short personas, push them, and return the dataset as a recipe names it."""
    from hub_toolkit.generate.config import SimulatorConfig
    from hub_toolkit.generate.simulator import simulate
    from hub_toolkit.hub.transfer.dataset_io import PushOptions, push_dataset

    simulate(SimulatorConfig(num_personas=8, topics_per_quad=4, context_32k_tokens=2400, has_128k=False), folder)
    report = push_dataset(folder, RepoRef(DATASET), settings, PushOptions(is_dry_run=False))
    if report.result is None:
        raise PersonaMemError(f"{DATASET}: nothing was pushed")
    return f"hf://datasets/{DATASET}@{report.result.sha}"


def run_recipe(kind: str, out: Path, model: Path, dataset: str, settings: Settings) -> SmokeResult:
    """Train two steps, push, pull, load, and compare.

    Raises: PersonaMemError: the recipe stopped, or a push was refused.
    """
    from hub_toolkit.hub.checkpoints.checkpoint_pull import inspect_remote, pull_checkpoint
    from hub_toolkit.hub.client import connect

    repo = f"{OWNER}/smoke-{kind.replace('_', '-')}"
    started = time.monotonic()
    words = {
        "config": _RECIPES / f"{kind}_smoke.yaml",
        "model_name_or_path": model,
        "output_dir": out,
        "dataset": dataset,
        "push_repo": repo,
        "base_model": BASE_MODEL,
        "license": "apache-2.0",
    }
    status = importlib.import_module(f"train.{kind}").main(
        [word for name, value in words.items() for word in (f"--{name}", str(value))]
    )
    if status:
        raise PersonaMemError(f"{kind} ended with status {status}; its lines above say why")
    trained = time.monotonic()
    api = connect(settings)
    pulled = pull_checkpoint(api, inspect_remote(api, RepoRef(repo, "model")), out / "pulled")
    final, again, before = (_weights(folder) for folder in (out / "final", out / "pulled", model))
    return SmokeResult(
        kind=kind,
        repo=repo,
        sha=pulled.sha,
        step=pulled.report.run.step if pulled.report.run else _read_step(out / "pulled"),
        has_moved=_differs(before, final),
        is_equal=not pulled.report.problems and not _differs(final, again),
        train_s=round(trained - started, 1),
        check_s=round(time.monotonic() - trained, 1),
    )


def _read_step(folder: Path) -> int:
    from hub_toolkit.hub.checkpoints.checkpoint_record import load_training_run

    return load_training_run(folder).step


def _weights(folder: Path) -> dict[str, object]:
    """Load a checkpoint as a user would, and return its tensors."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    if not tokenizer.chat_template:
        raise PersonaMemError(f"{folder}: the tokenizer came back without its chat template")
    return dict(AutoModelForCausalLM.from_pretrained(folder).state_dict())


def _differs(a: dict[str, object], b: dict[str, object]) -> bool:
    import torch

    return set(a) != set(b) or any(not torch.equal(a[name], b[name]) for name in a)


def main(words: Sequence[str] | None = None) -> int:
    """Run the smoke, print a line a recipe and the figures as JSON; 1 where a checkpoint did not come back whole."""
    parser = argparse.ArgumentParser(prog="python -m train.smoke", description="Rehearse every recipe on the CPU.")
    parser.add_argument("--out", type=Path, required=True, help="a folder for models, data and checkpoints")
    parser.add_argument("--model", type=Path, help="a folder of transformers; default: SmolLM2-135M out of the cache")
    parser.add_argument("--recipes", nargs="+", choices=KINDS, default=list(KINDS), help="which recipes")
    options = parser.parse_args(words)
    started = time.monotonic()
    results = run_smoke(options.out, model=options.model, kinds=options.recipes)
    for result in results:
        said = "came back whole" if result.is_equal else "DID NOT COME BACK WHOLE"
        moved = "moved" if result.has_moved else "did not move"
        print(
            f"{result.kind:<12} step {result.step}: {result.repo}@{result.sha[:12]} {said}; weights {moved}; "
            f"train {result.train_s} s, check {result.check_s} s"
        )
    seconds = round(time.monotonic() - started, 1)
    print(json.dumps({"seconds": seconds, "recipes": [asdict(result) for result in results]}))
    return 0 if all(result.is_good for result in results) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except PersonaMemError as error:
        sys.exit(f"error: {error}")
