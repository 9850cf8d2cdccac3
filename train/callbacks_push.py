"""Checkpoints to the Hub: each with its record, pushed beside the training, kept here where the Hub refuses."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from hub_toolkit.errors import DataFormatError, HubError, PersonaMemError
from hub_toolkit.evaluate.journal import write_atomically
from hub_toolkit.hub.checkpoints.checkpoint_io import PushOptions, prepare_push, push_checkpoint
from hub_toolkit.hub.checkpoints.checkpoint_record import RECORD_FILE, TrainingRun
from hub_toolkit.hub.client import connect, parse_repo
from hub_toolkit.settings import Settings
from train.callbacks_steps import CHECKPOINT
from train.config import RecipeConfig

PUSHING_FOLDER = "pushing"
NOT_PUBLISHED = (
    "optimizer*",
    "scheduler.pt",
    "scaler.pt",
    "rng_state*",
    "training_args.bin",
    "trainer_state.json",
    "global_step*",
    "pytorch_model_fsdp*",
    "zero_to_fp32.py",
    "latest",
    "rows",
    "README.md",
    "completions",
)
"""What a trainer saves for itself; with a card of its own, which ours replaces."""


@dataclass
class Pusher:
    """Pushes folders one after the other beside the training; what cannot be pushed stays in `run`/pushing."""

    run: Path
    recipe: RecipeConfig
    settings: Settings
    say: Callable[[str], None]
    left: list[str] = field(default_factory=list)
    _waiting: list[Future[None]] = field(default_factory=list)
    _queue: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="push"))

    def add(self, folder: Path, record: TrainingRun) -> None:
        """Take what is published of a checkpoint aside, by links that outlive the checkpoint, and push it."""
        target = self.run / PUSHING_FOLDER / f"step-{record.step:06d}"
        try:
            staged = stage_checkpoint(folder, target, record)
        except OSError as error:
            shutil.rmtree(target, ignore_errors=True)
            self._leave(folder, record.step, f"it could not be taken aside: {error}")
            return
        self._waiting.append(self._queue.submit(self._push, staged, record.step))

    def finish(self) -> list[str]:
        """Wait for all pushes; return the commands that push what the Hub did not take."""
        for waiting in self._waiting:
            waiting.result()
        self._queue.shutdown()
        return self.left

    def _push(self, folder: Path, step: int) -> None:
        reason = self._try(folder, step)
        if reason is None:
            shutil.rmtree(folder, ignore_errors=True)
            return
        self._leave(folder, step, reason)

    def _leave(self, folder: Path, step: int, reason: str) -> None:
        """Say loudly what stays here, and what pushes it."""
        public = " --public" if self.recipe.is_public else ""
        command = f"personamem checkpoint push {folder} {self.recipe.push_repo} --step {step}{public} --no-dry-run"
        self.left.append(command)
        self.say(f"NOT PUSHED: step {step} is kept in {folder} ({reason}). Push it later: {command}")

    def _try(self, folder: Path, step: int) -> str | None:
        """Return None once it is pushed, or why it cannot be."""
        ref = parse_repo(str(self.recipe.push_repo), repo_type="model")
        options = PushOptions(is_public=self.recipe.is_public, step=step, license=self.recipe.license)
        reason = ""
        for attempt in range(self.recipe.push_attempts):
            if attempt:
                wait_s = self.recipe.push_wait_s * 2 ** (attempt - 1)
                self.say(f"push of step {step} refused ({reason}); once more in {wait_s:g} s")
                time.sleep(wait_s)
            try:
                result = push_checkpoint(connect(self.settings), prepare_push(folder, ref, options))
            except DataFormatError as error:
                return str(error)  # the folder will not be better next time
            except (HubError, OSError) as error:
                reason = str(error)
                continue
            self.say(f"pushed step {step}: {result.url}")
            return None
        return reason


def stage_checkpoint(folder: Path, target: Path, record: TrainingRun) -> Path:
    """Link what is published of a checkpoint into `target` and write its record there; copy where links are none."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    skipped = shutil.ignore_patterns(*NOT_PUBLISHED)(str(folder), [path.name for path in folder.iterdir()])
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.name not in skipped and not path.name.startswith(CHECKPOINT):
            _link(path, target / path.name)
    _name_base(target, record)
    record.save(target)
    return target


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _name_base(folder: Path, record: TrainingRun) -> None:
    """Let an adapter name its base as the record does: a folder of this machine says nothing elsewhere."""
    path = folder / "adapter_config.json"
    if not path.is_file() or len(record.base_models) != 1:
        return
    config = json.loads(path.read_bytes())
    config["base_model_name_or_path"] = record.base_models[0].repo_id
    # Renamed into place: the checkpoint's own file, of which this is a link, stays as it is.
    write_atomically(path, json.dumps(config, indent=2).encode() + b"\n")


class PushCallback(TrainerCallback):
    """Writes the record into each checkpoint and, where wanted, pushes it; the first process alone does."""

    def __init__(self, record: TrainingRun, pusher: Pusher | None) -> None:
        self.record = record
        self.pusher = pusher
        self.metrics: dict[str, float] = {}

    def on_log(self, *_: Any, logs: Mapping[str, Any] | None = None, **__: Any) -> None:
        """Remember the last figures: the record holds them."""
        self.metrics |= {
            name: float(value)
            for name, value in (logs or {}).items()
            if isinstance(value, int | float) and abs(value) < float("inf") and name != "epoch"
        }

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Complete the checkpoint that was just written."""
        if not state.is_world_process_zero:
            return
        folder = Path(args.output_dir) / f"{CHECKPOINT}{state.global_step}"
        record = self.record_at(state.global_step)
        try:
            record.save(folder)
        except OSError as error:
            raise PersonaMemError(
                f"{folder}: {RECORD_FILE} could not be written ({error}); the checkpoint itself is whole"
            ) from error
        if self.pusher is not None and self.pusher.recipe.is_pushing_every_save:
            self.pusher.add(folder, record)

    def record_at(self, step: int) -> TrainingRun:
        """Return the record of a step, with the last figures."""
        return replace(self.record, step=step, metrics=dict(self.metrics))
