"""A dry run: what a recipe would take, and whether it can run at all. `python -m train.plan RECIPE [options]`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hub_toolkit.errors import PersonaMemError
from train.plan_batch import BatchPlan, plan_batches
from train.plan_cost import CostPlan, plan_cost
from train.plan_memory import MemoryPlan, plan_memory
from train.plan_refusals import Refusal, find_refusals
from train.plan_render import render_plan
from train.plan_setup import (
    KINDS,
    LAUNCHES,
    RECIPES,
    Gpu,
    Kind,
    Launch,
    Setup,
    find_file,
    find_gpu,
    find_kind,
    make_setup,
    read_launch,
    read_values,
)

_HAS_PLAN = ("--plan", "--is_plan")


@dataclass(frozen=True)
class Plan:
    """Everything that a dry run says of one recipe on given machines."""

    setup: Setup
    batch: BatchPlan
    memory: MemoryPlan
    cost: CostPlan
    refusals: tuple[Refusal, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the figures, sizes in bytes."""
        return {
            "recipe": self.setup.kind,
            "model": self.setup.shape.name,
            "gpu": self.setup.gpu.name if self.setup.gpu else "cpu",
            "gpus": self.setup.num_gpus,
            "batch": {**asdict(self.batch), "rows": self.batch.rows, "epochs": self.batch.epochs},
            "memory": {**asdict(self.memory), "training": self.memory.training, "peak": self.memory.peak},
            "cost": {**asdict(self.cost), "step_s": self.cost.step_s},
            "refusals": [asdict(refusal) for refusal in self.refusals],
        }


def make_plan(setup: Setup) -> Plan:
    """Plan a run; what is impossible is in `refusals`, and its figures mean nothing then."""
    batch, memory = plan_batches(setup), plan_memory(setup)
    cost = plan_cost(setup, batch, memory)
    return Plan(setup, batch, memory, cost, tuple(find_refusals(setup, batch, memory)))


def wants_plan(words: Sequence[str]) -> bool:
    """Whether a recipe's command line asks for its plan only."""
    return any(word in _HAS_PLAN for word in words)


def plan_recipe(kind: Kind, words: Sequence[str]) -> int:
    """Print the plan of a recipe's command line (`--config FILE …`) and return the exit status: 1 where it is refused.

    Beside the recipe's own options: `--accelerate FILE`, `--gpus N`, `--gpu NAME` and the others of `main`.

    Raises: PersonaMemError: a file or a field is not there.
    """
    options, rest = _options().parse_known_args([word for word in words if word not in _HAS_PLAN])
    config, rest = _take_config(rest)
    return _plan(kind, find_file(config, RECIPES) if config else None, options, rest)


def main(words: Sequence[str] | None = None) -> int:
    """Plan RECIPE, a path or the name of one that comes along; further options are the recipe's fields."""
    parser = _options()
    parser.add_argument("recipe", help="a YAML file, or the name of one in train/recipes")
    parser.add_argument("--recipe", dest="kind", choices=KINDS, help="which recipe; told by the file's name otherwise")
    options, rest = parser.parse_known_args(words)
    path = find_file(options.recipe, RECIPES)
    return _plan(options.kind or find_kind(path), path, options, [word for word in rest if word not in _HAS_PLAN])


def _plan(kind: Kind, path: Path | None, options: argparse.Namespace, rest: Sequence[str]) -> int:
    values = vars(read_values(kind, path, rest))
    gpu, num_gpus, launch = _find_machine(values, options)
    history_tokens = options.history_tokens or values.get("planned_history_tokens")
    data = {"history_tokens": history_tokens, "rows": options.samples}
    plan = make_plan(make_setup(kind, values, launch, gpu=gpu, num_gpus=num_gpus, data=data))
    if options.is_json:
        print(json.dumps(plan.as_dict(), indent=1))
    else:
        print(render_plan(plan.setup, plan.batch, plan.memory, plan.cost))
    for refusal in plan.refusals:
        print(f"refused: {refusal}", file=sys.stderr)
    return 1 if plan.refusals else 0


def _find_machine(values: Mapping[str, Any], options: argparse.Namespace) -> tuple[Gpu | None, int, Launch]:
    """Return GPU, their number and the launch: as told, else as the recipe says that it is for, else one H100."""
    on_cpu = bool(values.get("use_cpu"))
    gpu = find_gpu(
        options.gpu or ("cpu" if on_cpu else values.get("planned_gpu")) or "h100", usd_per_hour=options.usd_per_hour
    )
    told, planned = options.accelerate, None if gpu is None else values.get("planned_accelerate")
    name = told or planned
    file = find_file(str(name), LAUNCHES) if name else None
    at_once = values.get("planned_processes")
    planned_gpus = values.get("planned_gpus") if not told or at_once else None
    num_gpus = options.gpus or (0 if gpu is None else planned_gpus or read_launch(file, 1).num_processes)
    # Whoever names an accelerate file means the processes in it.
    processes = options.num_processes or at_once or (None if told or gpu is None else num_gpus)
    return gpu, num_gpus, read_launch(file, num_gpus, is_cpu=on_cpu, num_processes=processes)


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m train.plan", description=__doc__, allow_abbrev=False)
    parser.add_argument(
        "--accelerate", help="an accelerate file, or one of train/accelerate by its name; default: the recipe's"
    )
    parser.add_argument(
        "--gpus", type=int, help="how many GPUs; default: the recipe's, or the accelerate file's processes"
    )
    parser.add_argument("--num-processes", type=int, help="training processes, as accelerate launch --num_processes")
    parser.add_argument("--gpu", help="h100, h200, a100 or cpu; default: what the recipe is for")
    parser.add_argument("--history-tokens", type=int, help="of your data; default: PersonaMem-v2's median")
    parser.add_argument("--samples", type=int, help="of your training split; default: the paper's 18,000")
    parser.add_argument("--usd-per-hour", type=float, help="price of one GPU; default: the assumption")
    parser.add_argument("--json", dest="is_json", action="store_true", help="figures as JSON, sizes in bytes")
    return parser


def _take_config(words: Sequence[str]) -> tuple[str | None, list[str]]:
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--config")
    found, rest = parser.parse_known_args(list(words))
    return found.config, rest


if __name__ == "__main__":
    try:
        sys.exit(main())
    except PersonaMemError as error:
        sys.exit(f"error: {error}")
