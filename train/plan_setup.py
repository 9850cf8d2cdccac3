"""What a plan is made from: a recipe's YAML as its own parser reads it, the accelerate file, machines and lengths."""

from __future__ import annotations

import tomllib
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

from hub_toolkit.errors import DataFormatError, PersonaMemError
from train.plan_model import ModelShape, find_shape

Kind = Literal["sft", "grpo", "memory_grpo"]
KINDS: tuple[Kind, ...] = ("memory_grpo", "grpo", "sft")
RECIPES = Path(__file__).parent / "recipes"
LAUNCHES = Path(__file__).parent / "accelerate"
GIB = 2**30
_ASSUMPTIONS = Path(__file__).parent / "plan_assumptions.toml"
_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}


@dataclass(frozen=True)
class Gpu:
    """One accelerator; `memory_gib` is what a process can have, `usd_per_hour` an assumption where none was given."""

    name: str
    memory_gib: float
    bf16_tflops: float
    bandwidth_gb_s: float
    usd_per_hour: float


@dataclass(frozen=True)
class Launch:
    """How processes share the work. `shards` is what is split over them: nothing, optimiser and gradients, or all."""

    num_processes: int = 1
    shards: Literal["nothing", "optimizer", "everything"] = "nothing"
    is_offloading: bool = False
    is_cpu: bool = False
    checkpoints_activations: bool = False


@dataclass(frozen=True)
class Setup:
    """A run to be planned. `values` are the recipe's fields by name, as the parser read them, unchecked."""

    kind: Kind
    shape: ModelShape
    values: Mapping[str, Any]
    launch: Launch
    gpu: Gpu | None
    num_gpus: int
    lengths: Mapping[str, float]
    efficiency: Mapping[str, float]
    rows: int = field(default=0)

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    def get(self, name: str, default: Any = None) -> Any:
        """Return a field, or the default where this recipe has none of that name or leaves it empty."""
        value = self.values.get(name)
        return default if value is None else value

    @property
    def is_cpu(self) -> bool:
        return self.gpu is None or self.launch.is_cpu or bool(self.get("use_cpu", False))

    @property
    def weight_bytes(self) -> int:
        """Bytes of a stored weight; TRL loads a model by name in float32 where no dtype is named."""
        return _BYTES.get(str(self.get("dtype", "float32")), 4)

    @property
    def num_updates(self) -> int:
        """Memory updates of one rollout, at the most; 0 where the recipe builds no memory."""
        return int(self.get("max_turns", 0)) if self.kind == "memory_grpo" else 0

    @property
    def prompt_tokens(self) -> int:
        """The longest prompt of a row."""
        if self.kind == "memory_grpo":
            instructions = (
                self.lengths["instruction_tokens"] + self.lengths["query_tokens"] + self.lengths["options_tokens"]
            )
            return int(self["chunk_tokens"] + self["cap_tokens"] + instructions)
        return int(self["max_prompt_tokens"])

    @property
    def completion_tokens(self) -> int:
        """The longest reply of a row."""
        if self.kind == "sft":
            return int(self["max_row_tokens"]) - self.prompt_tokens
        answer = int(self["max_completion_length"])
        return max(answer, self.update_tokens) if self.num_updates else answer

    @property
    def update_tokens(self) -> int:
        """What one memory update may write; inference allows half as much again as the cap, and cuts then."""
        cap = int(self["cap_tokens"])
        return int(self.get("max_update_length") or cap + cap // 2)

    @property
    def row_tokens(self) -> int:
        """The longest row: prompt and reply together."""
        return int(self["max_row_tokens"]) if self.kind == "sft" else self.prompt_tokens + self.completion_tokens


@cache
def load_assumptions() -> Mapping[str, Any]:
    """Return the table of what is assumed; it says where each number is from."""
    return tomllib.loads(_ASSUMPTIONS.read_text("utf-8"))


def find_gpu(name: str, *, usd_per_hour: float | None = None) -> Gpu | None:
    """Return a GPU of the table; None for `cpu`.

    Raises: PersonaMemError: the table has none of that name.
    """
    if name.lower() == "cpu":
        return None
    table = load_assumptions()["gpus"]
    found = table.get(name.lower())
    if found is None:
        raise PersonaMemError(f"no GPU {name!r} in {_ASSUMPTIONS.name}; it knows {', '.join(table)} and cpu")
    return Gpu(name.lower(), **{**found, **({"usd_per_hour": usd_per_hour} if usd_per_hour is not None else {})})


def find_kind(recipe: Path) -> Kind:
    """Return which recipe a YAML file is for: its name begins with it.

    Raises: PersonaMemError: the name begins with none.
    """
    for kind in KINDS:
        if recipe.name.startswith(kind):
            return kind
    raise PersonaMemError(f"{recipe}: begin its name with {', '.join(KINDS)}, or say --recipe")


def find_file(name: str, folder: Path) -> Path:
    """Return a file by its path, or one that comes along by its name.

    Raises: PersonaMemError: there is none; the message lists what comes along.
    """
    for path in (Path(name), folder / name, folder / f"{name}.yaml"):
        if path.is_file():
            return path
    known = ", ".join(sorted(path.stem for path in folder.glob("*.yaml")))
    raise PersonaMemError(f"no file {name}; give a path, or one of {known}")


def recipe_parser(kind: Kind) -> Any:
    """Return the parser of a recipe: TRL's, over the dataclasses that the recipe reads."""
    import importlib

    from trl import TrlParser

    return TrlParser(dataclass_types=list(importlib.import_module(f"train.{kind}").PARTS))


def read_values(kind: Kind, recipe: Path | None, words: Sequence[str] = ()) -> Namespace:
    """Return a recipe's fields: options over YAML over defaults; TRL's own checks, which ask this machine, are not run.

    Raises: PersonaMemError: a key that the recipe does not have.
    """
    import yaml

    parser = recipe_parser(kind)
    if recipe is not None:
        content = yaml.safe_load(recipe.read_text("utf-8"))
        if not isinstance(content, dict):
            raise DataFormatError("must hold `name: value` lines", file=str(recipe))
        content.pop("env", None)
        unknown = parser.set_defaults_with_config(**content)
        if unknown:
            raise DataFormatError(f"the recipe {kind} has no field {unknown[0].removeprefix('--')}", file=str(recipe))
    return Namespace(**vars(parser.parse_args(list(words))))


def read_launch(path: Path | None, num_gpus: int, *, is_cpu: bool = False, num_processes: int | None = None) -> Launch:
    """Read an accelerate file; without one every process has the whole model. `num_processes` overrules the file.

    Raises: DataFormatError: it is no accelerate file.
    """
    import yaml

    if path is None:
        return Launch(num_processes=num_processes or max(num_gpus, 1), is_cpu=is_cpu)
    config = yaml.safe_load(path.read_text("utf-8"))
    if not isinstance(config, dict) or "distributed_type" not in config:
        raise DataFormatError("is no accelerate file: it has no distributed_type", file=str(path))
    kind = str(config["distributed_type"])
    fsdp, deepspeed = config.get("fsdp_config") or {}, config.get("deepspeed_config") or {}
    stage = int(deepspeed.get("zero_stage", 0))
    reshards = str(fsdp.get("fsdp_reshard_after_forward", True)).lower() in ("true", "full_shard")
    has_all = (kind == "FSDP" and reshards) or stage == 3
    has_some = kind == "FSDP" or stage in (1, 2)
    offloads = bool(fsdp.get("fsdp_offload_params")) or "cpu" in (
        deepspeed.get("offload_optimizer_device"),
        deepspeed.get("offload_param_device"),
    )
    return Launch(
        num_processes=num_processes or int(config.get("num_processes", 1)),
        shards="everything" if has_all else "optimizer" if has_some else "nothing",
        is_offloading=offloads,
        is_cpu=is_cpu or bool(config.get("use_cpu", False)),
        checkpoints_activations=bool(fsdp.get("fsdp_activation_checkpointing")),
    )


def make_setup(
    kind: Kind,
    values: Mapping[str, Any],
    launch: Launch,
    *,
    gpu: Gpu | None,
    num_gpus: int,
    data: Mapping[str, int | None] | None = None,
) -> Setup:
    """Put a run together. `data` overrules assumed lengths: `history_tokens`, `rows`.

    Raises: DataFormatError: the model is unknown.
    """
    assumed = load_assumptions()
    shape = find_shape(_first_model(str(values.get("model_name_or_path") or "")))
    told = {name: value for name, value in (data or {}).items() if value}
    history = assumed["lengths"][f"history_{values.get('context') or '32k'}"]
    lengths = {**assumed["lengths"], "history_tokens": history, **told}
    limit = values.get("limit_train")
    rows = min(int(lengths["rows"]), int(limit)) if limit else int(lengths["rows"])
    return Setup(kind, shape, values, launch, gpu, num_gpus, lengths, assumed["efficiency"], rows)


def _first_model(model: str) -> str:
    """Follow `out/…` folders that are not there yet to the model that the recipe writing them begins with."""
    import yaml

    if Path(model, "config.json").is_file():
        return model
    folder = model.removesuffix("/final").removesuffix("/merged")
    for path in sorted(RECIPES.glob("*.yaml")):
        recipe = yaml.safe_load(path.read_text("utf-8"))
        if folder and recipe.get("output_dir") == folder and recipe.get("model_name_or_path") != model:
            return _first_model(str(recipe.get("model_name_or_path")))
    return model
