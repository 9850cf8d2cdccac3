"""What a recipe is told beside TRL's own arguments and ModelConfig: the same fields in YAML and on the command line."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from hub_toolkit.errors import PersonaMemError

RESUME_AUTO = "auto"
"""`resume_from_checkpoint: auto` goes on from the newest whole checkpoint of `output_dir`, or begins anew."""


def _help(text: str, default: Any) -> Any:
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True)
class DataConfig:
    """Which rows a recipe trains on, and how they become prompts.

    Raises (on creation): PersonaMemError: a number is out of its range.
    """

    dataset: str = _help("A folder, `mini`, or hf://owner/name[@revision].", "mini")
    train_split: str = _help("The split that is trained on: benchmark, train or val.", "train")
    val_split: str | None = _help("The split of the validation slice; None: no validation.", "val")
    held_out_split: str | None = _help(
        "The split of which no persona may be trained on; None: there is none.", "benchmark"
    )
    held_out_dataset: str | None = _help("Where that split lies, if not in `dataset`.", None)
    reader: Literal["none", "long_context", "memory", "oracle"] = _help(
        "What stands before the question: as `personamem eval run --reader`.", "long_context"
    )
    context: Literal["32k", "128k"] = _help("Which size of history.", "32k")
    protocol: str = _help("By which protocol questions are put and replies are read.", "v1")
    mcq_share: float = _help("Share of rows asked as multiple choice; 1: no open ones, 0: open ones only.", 0.8)
    rows_seed: int = _help("Draws which rows are open, the order of options, permutations and donors.", 0)
    max_prompt_tokens: int = _help("A longer prompt is left out and listed; none is cut.", 38_000)
    max_row_tokens: int = _help("The same for prompt and target of an SFT row.", 40_960)
    num_permutations: int = _help("In how many orders of its options each multiple-choice row stands, 1 to 4.", 1)
    counterfactual_share: float = _help(
        "So many rows more, a share of the real ones, with another persona's history: see train/data.py.", 0.0
    )
    is_keeping_groups: bool = _help("Keep the owners of a swap group within one batch.", True)
    cold_start_updates: bool = _help(
        "SFT rows for memory updates too, their targets from the extractive builder.", False
    )
    chunk_tokens: int = _help("Size of a history's chunk for memory rows, in the protocol's tokens.", 5_000)
    cap_tokens: int = _help("Size of a memory, in the protocol's tokens.", 2_048)
    limit_train: int | None = _help("Only so many samples of the training split.", None)
    reason: str = _help("What an SFT target says before its letter; {preference} stands for the row's.", "")
    prior_run: str | None = _help(
        "A run of `eval run --reader none`: its picks are the stereotype; else by words.", None
    )

    def __post_init__(self) -> None:
        for name, low, high in (
            ("mcq_share", 0, 1),
            ("counterfactual_share", 0, 1),
            ("num_permutations", 1, 4),
            ("max_prompt_tokens", 1, None),
            ("max_row_tokens", 1, None),
            ("chunk_tokens", 1, None),
            ("cap_tokens", 1, None),
        ):
            _check_range(name, getattr(self, name), low, high)


@dataclass(frozen=True)
class RewardConfig:
    """Which terms make up the reward, by their weights; a term of weight 0 is not computed.

    Raises (on creation): PersonaMemError: a number is out of its range.
    """

    mcq_weight: float = _help("The right letter, 1 or 0.", 1.0)
    open_weight: float = _help("The judges' majority on an open answer, 1 or 0.", 1.0)
    format_weight: float = _help("A reply that names exactly one letter, or an open one that is an answer.", 0.0)
    length_weight: float = _help("Minus how far an open answer is longer than the reference.", 0.0)
    stereotype_weight: float = _help("Minus 1 where the reply takes the option that the demographics suggest.", 0.0)
    forget_weight: float = _help("Minus 1 where the reply uses what was to be forgotten.", 0.0)
    leak_weight: float = _help("Minus 1 where the reply repeats the secret.", 0.0)
    memory_length_weight: float = _help("Minus the share of the cap that the last memory takes.", 0.0)
    judge_models: list[str] | None = field(
        default=None, metadata={"help": "One judge asked three times, or three, as in openai/gpt-5-chat."}
    )
    judge_base_url: str | None = _help("The judges' endpoint; default: PERSONAMEM_BASE_URL.", None)
    judge_timeout_s: float = _help("How long one answer's judgement may take; then it is skipped and counted.", 120.0)
    judge_concurrency: int = _help("How many answers are judged at once.", 16)
    judge_window: int = _help("Over how many judged answers the share of skipped ones is watched.", 256)
    judge_max_skipped: float = _help("Training stops with a checkpoint where more than this share is skipped.", 0.5)

    def __post_init__(self) -> None:
        for name in ("judge_timeout_s", "judge_concurrency", "judge_window"):
            _check_range(name, getattr(self, name), 1e-3, None)
        _check_range("judge_max_skipped", self.judge_max_skipped, 0, 1)


@dataclass(frozen=True)
class RecipeConfig:
    """What a run does around the steps: validation, checkpoints, what is pushed where."""

    recipe: str = _help("The run's name in its card, as in grpo_memory.", "")
    validate_every: int = _help("Validate after so many steps, and at the end; 0: never.", 0)
    val_rows: int = _help("How many samples the fixed validation slice holds; swap groups stay whole.", 64)
    val_reply_tokens: int = _help("How long a reply in validation may be.", 1_024)
    push_repo: str | None = _help("owner/name of the Hub to which checkpoints go; None: kept here only.", None)
    base_model: str | None = _help(
        "What the card names as base, owner/name[@commit]; needed where model_name_or_path is a folder.", None
    )
    is_pushing_every_save: bool = _help("Push each checkpoint as a revision, not the last one only.", False)
    is_public: bool = _help("Create the repo public.", False)
    license: str | None = _help("The model's licence for its card.", None)
    push_attempts: int = _help("How often a push is tried before it is left for later.", 4)
    push_wait_s: float = _help("The wait before the second try; it doubles.", 5.0)
    planned_gpu: str | None = _help("For the dry run only: the GPU that this recipe is for, as `--plan --gpu`.", None)
    planned_gpus: int | None = _help("For the dry run only: how many of them.", None)
    planned_accelerate: str | None = _help("For the dry run only: the accelerate file that it is for.", None)
    planned_history_tokens: int | None = _help("For the dry run only: the longest history, in tokens.", None)
    planned_processes: int | None = _help(
        "For the dry run only: training processes, where not every GPU has one.", None
    )

    def __post_init__(self) -> None:
        _check_range("val_rows", self.val_rows, 1, None)
        _check_range("push_attempts", self.push_attempts, 1, None)


def _check_range(name: str, value: float, low: float, high: float | None) -> None:
    if value < low or (high is not None and value > high):
        bound = f"{low:g} to {high:g}" if high is not None else f"{low:g} or more"
        raise PersonaMemError(f"{name} is {value:g}; it must be {bound}")


def as_record(*configs: Any) -> dict[str, Any]:
    """Return configurations as one table, for the record of a run."""
    return {name: value for config in configs for name, value in asdict(config).items()}
