"""What every recipe does around its trainer: model and record, callbacks, resuming, the last checkpoint, the push."""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import json
import shutil
import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hub_toolkit.errors import PersonaMemError
from hub_toolkit.evaluate.record import package_versions
from hub_toolkit.hub.checkpoints.checkpoint_record import RECORD_FILE, Pin, TrainingRun, is_commit, load_training_run
from hub_toolkit.hub.client import parse_repo
from hub_toolkit.settings import Settings
from train.callbacks_push import PushCallback, Pusher
from train.callbacks_steps import SAVE_ERRORS, JudgeGuard, NonFiniteError, find_checkpoint, say_kept
from train.callbacks_validate import ValidationCallback, validation_slice
from train.config import DataConfig, RecipeConfig, RewardConfig, as_record
from train.data_rows import Stage
from train.data_split import Splits
from train.rewards import Term, build_terms
from train.rewards_judge import OpenReward, open_judges

FINAL_FOLDER = "final"
PACKAGES = ("torch", "transformers", "trl", "peft", "accelerate", "datasets")

Say = Callable[[str], None]


@dataclass(frozen=True)
class Recipe:
    """Everything that a recipe was told. `args` is TRL's configuration, `model` its ModelConfig."""

    stage: Stage
    data: DataConfig
    run: RecipeConfig
    args: Any
    model: Any
    settings: Settings
    reward: RewardConfig | None = None

    @property
    def out(self) -> Path:
        """The run's folder."""
        return Path(self.args.output_dir)

    @property
    def name(self) -> str:
        """The run's name in its record."""
        return self.run.recipe or self.stage

    def digest(self) -> str:
        """Return the SHA-256 of everything that changes the weights."""
        told = as_record(self.data, self.run, *([self.reward] if self.reward else []))
        told = {name: value for name, value in told.items() if not name.startswith("planned_")}
        told |= {"model": asdict(self.model), "args": self.args.to_sanitized_dict()}
        for name in ("output_dir", "logging_dir", "run_name", "resume_from_checkpoint", "hub_token"):
            told["args"].pop(name, None)
        return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()


@dataclass
class Extras:
    """The callbacks of a run that its end asks again."""

    callbacks: list[Any] = field(default_factory=list)
    guard: JudgeGuard | None = None
    validation: ValidationCallback | None = None
    push: PushCallback | None = None


def prepare(args: Any, model: Any) -> None:
    """Complete TRL's configuration from the model's, and refuse what is not installed.

    Raises: PersonaMemError: no model is named, or a reporter is missing.
    """
    if not model.model_name_or_path:
        raise PersonaMemError("no model is named: set model_name_or_path to a repo of the Hub or a folder")
    reporters = [args.report_to] if isinstance(args.report_to, str) else list(args.report_to or [])
    if "trackio" in reporters and importlib.util.find_spec("trackio") is None:
        raise PersonaMemError(
            "report_to: trackio needs the package trackio: run `pip install trackio`, or report_to: none"
        )
    # A loss that is not finite is shown as it is, and stops the run.
    args.logging_nan_inf_filter = False
    args.push_to_hub = False  # checkpoints go by hub_toolkit: checked, with a card, in one commit
    args.model_init_kwargs = {
        "revision": model.model_revision,
        "dtype": model.dtype,
        **({"attn_implementation": model.attn_implementation} if model.attn_implementation else {}),
        **(args.model_init_kwargs or {}),
    }


def load_tokenizer(model: Any) -> Any:
    """Load the model's tokenizer.

    Raises: PersonaMemError: it has no chat template, or cannot be had.
    """
    from transformers import AutoTokenizer

    name = model.model_name_or_path
    try:
        tokenizer = AutoTokenizer.from_pretrained(name, revision=model.model_revision)
    except (OSError, ValueError) as error:
        first = " ".join(str(error).split())[:300]
        raise PersonaMemError(f"{name}: the tokenizer cannot be loaded ({first}): check model_name_or_path") from error
    if not tokenizer.chat_template:
        raise PersonaMemError(f"{name} has no chat template: name a chat model")
    return tokenizer


def make_record(recipe: Recipe, splits: Splits) -> TrainingRun | None:
    """Return the record that checkpoints carry; None for a dataset that is not of the Hub, which no record can name.

    Raises: PersonaMemError: a push is wanted, and the dataset or the base cannot be named.
    """
    if splits.revision is None or not is_commit(splits.revision):
        if recipe.run.push_repo:
            raise PersonaMemError(
                f"push_repo: a card names its dataset by a commit of the Hub, and {recipe.data.dataset} is a folder: "
                "push it (`personamem data push`) and train from hf://owner/name"
            )
        return None
    return TrainingRun(
        base_models=_base_models(recipe),
        dataset=Pin(splits.name, splits.revision),
        recipe=recipe.name,
        recipe_sha256=recipe.digest(),
        step=0,
        seed=recipe.args.seed,
        library_versions=package_versions(*PACKAGES),
        license=recipe.run.license,
    )


def _base_models(recipe: Recipe) -> tuple[Pin, ...]:
    """Return what the checkpoint was trained from: as told, as an earlier stage's record says, or the repo's name."""
    told = recipe.run.base_model
    place = Path(recipe.model.model_name_or_path)
    if told is None and (place / RECORD_FILE).is_file():
        return load_training_run(place).base_models
    if told is None and place.exists():
        if recipe.run.push_repo:
            raise PersonaMemError(f"{place} is a folder without {RECORD_FILE}: say with base_model what it comes from")
        return ()
    ref = parse_repo(told or recipe.model.model_name_or_path, repo_type="model")
    revision = ref.revision or (None if told else recipe.model.model_revision)
    return (Pin(ref.repo_id, revision if revision and is_commit(revision) else None),)


def weigh_rewards(recipe: Recipe, tasks: Collection[str], say: Say) -> tuple[list[Term], OpenReward | None]:
    """Return the terms of the reward, which TRL is told the weights of, and the judges where some rows are open.

    Raises: PersonaMemError: rows are open, and no judges are named.
    """
    data, reward = recipe.data, recipe.reward or RewardConfig()
    judged = None
    if "open" in tasks:
        judged = OpenReward(open_judges(reward, recipe.settings, data.protocol), reward, on_trouble=say)
    terms = build_terms(reward, protocol=data.protocol, cap_tokens=data.cap_tokens, open_reward=judged)
    recipe.args.reward_weights = [term.weight for term in terms]
    return terms, judged


def make_extras(recipe: Recipe, splits: Splits, say: Say, *, judged: OpenReward | None = None) -> Extras:
    """Return the callbacks that the recipe asks for.

    Raises: PersonaMemError: as `make_record`.
    """
    extras = Extras()
    record = make_record(recipe, splits)
    if recipe.run.validate_every:
        asked = validation_slice(splits, recipe.data, recipe.run, recipe.stage)
        if asked is None:
            raise PersonaMemError("validate_every: there is no validation split: set val_split, or validate_every: 0")
        extras.validation = ValidationCallback(asked, every=recipe.run.validate_every)
        extras.callbacks.append(extras.validation)
    if judged is not None:
        extras.guard = JudgeGuard(judged, say)
        extras.callbacks.append(extras.guard)
    if record is not None:
        pusher = Pusher(recipe.out, recipe.run, recipe.settings, say) if recipe.run.push_repo else None
        extras.push = PushCallback(record, pusher)
        extras.callbacks.append(extras.push)
    return extras


def train(recipe: Recipe, trainer: Any, extras: Extras, say: Say) -> int:
    """Train from the start or from a checkpoint, save the last weights, and push; return the exit status.

    Raises: PersonaMemError: training stopped before its end; a checkpoint is kept, and the message says how to go on.
    """
    if extras.validation is not None:
        extras.validation.trainer = trainer
    checkpoint = find_checkpoint(recipe.args.resume_from_checkpoint, recipe.out)
    say(f"going on from {checkpoint}" if checkpoint else f"training {recipe.model.model_name_or_path}")
    try:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    except NonFiniteError as error:
        trainer._save_checkpoint(trainer.model, trial=None)
        step = trainer.state.global_step
        raise PersonaMemError(
            f"STOPPED. {error}. The weights before it are in {recipe.out / f'checkpoint-{step}'}; look at the batch or "
            "lower the learning rate, then go on with resume_from_checkpoint: auto"
        ) from error
    finally:
        if extras.guard is not None:
            # The trainer asks the judges in a loop of its own.
            asyncio.run_coroutine_threadsafe(extras.guard.reward.close(), trainer.async_loop).result()
    if extras.guard is not None and extras.guard.reason:
        finish_pushes(extras)
        raise PersonaMemError(f"STOPPED. {extras.guard.reason}")
    return save_final(recipe, trainer, extras, say)


def save_final(recipe: Recipe, trainer: Any, extras: Extras, say: Say) -> int:
    """Save the last weights as a folder that opens as it is, and push it; 1 where something could not be pushed.

    Raises: PersonaMemError: it could not be written; nothing of it is left behind.
    """
    folder, is_first = recipe.out / FINAL_FOLDER, trainer.is_world_process_zero()
    staging = folder.with_name(f".{FINAL_FOLDER}.part")
    record = extras.push.record_at(trainer.state.global_step) if extras.push is not None else None
    try:
        trainer.save_model(str(staging))
        if not is_first:
            return 0
        (staging / "training_args.bin").unlink(missing_ok=True)  # a pickle, which nobody should be sent
        if record is not None:
            record.save(staging)
        shutil.rmtree(folder, ignore_errors=True)
        staging.rename(folder)
    except SAVE_ERRORS as error:
        if is_first:
            shutil.rmtree(staging, ignore_errors=True)
        raise PersonaMemError(f"{folder} could not be written ({error}); {say_kept(recipe.out)}") from error
    say(f"saved {folder}")
    if extras.push is None or record is None:
        return 0
    if extras.push.pusher is not None:
        extras.push.pusher.add(folder, record)
    return 1 if finish_pushes(extras) else 0


def finish_pushes(extras: Extras) -> list[str]:
    """Wait for what is being pushed; return the commands that push the rest."""
    pusher = extras.push.pusher if extras.push is not None else None
    return pusher.finish() if pusher is not None else []


def speaker(args: Any) -> Say:
    """Return what prints a line, in the first process only."""

    def say(line: str) -> None:
        if args.process_index == 0:
            print(line, file=sys.stderr, flush=True)

    return say


def run_main(main: Callable[[Sequence[str] | None], int], words: Sequence[str] | None = None) -> int:
    """Run a recipe's main; an error of ours is one line, and the exit status 1."""
    try:
        return main(words)
    except PersonaMemError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return 1
