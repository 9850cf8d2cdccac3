"""What makes a trainer stop in good order: a loss that is not finite, a disk that is full, judges that are gone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from transformers import TrainerCallback

from hub_toolkit.errors import DataFormatError, PersonaMemError
from hub_toolkit.hub.checkpoints.checkpoint_header import read_header
from train.rewards_judge import OpenReward

STATE_FILE = "trainer_state.json"
"""The trainer writes it last: a checkpoint that has it is whole."""

CHECKPOINT = "checkpoint-"

SAVE_ERRORS = (OSError, RuntimeError, SafetensorError)
"""What writing weights raises where the disk is full."""


class StopError(PersonaMemError):
    """Training cannot go on as it is; what was trained is kept."""


class NonFiniteError(StopError):
    """A gradient is NaN or infinite; the step was not taken."""


class GuardedSteps:
    """For a trainer, first in its list of bases: no step on NaN, and no half checkpoint.

    Raises (train): NonFiniteError, StopError: a checkpoint could not be written.
    """

    def _get_grad_norm(self, model: Any, grad_norm: Any = None) -> Any:
        """Look at the gradient's norm, which is the same in every process, before the step is taken."""
        norm = super()._get_grad_norm(model, grad_norm=grad_norm)  # type: ignore[misc]
        value = float(norm.full_tensor() if hasattr(norm, "full_tensor") else norm) if norm is not None else 0.0
        # With float16 an overflow is usual: the scaler leaves the step out itself.
        if not self.args.fp16 and not abs(value) < float("inf"):  # type: ignore[attr-defined]
            step = self.state.global_step + 1  # type: ignore[attr-defined]
            raise NonFiniteError(f"step {step}: the gradient's norm is {value}, so the step was not taken")
        return norm

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        try:
            super()._save_checkpoint(model, trial)  # type: ignore[misc]
        except SAVE_ERRORS as error:
            run = Path(self._get_output_dir(trial=trial))  # type: ignore[attr-defined]
            folder = run / f"{CHECKPOINT}{self.state.global_step}"  # type: ignore[attr-defined]
            if self.args.should_save and not is_whole(folder):  # type: ignore[attr-defined]
                shutil.rmtree(folder, ignore_errors=True)
            raise StopError(
                f"{folder} could not be written ({error}); what there was of it is removed, and {say_kept(run)}"
            ) from error


def is_whole(folder: Path) -> bool:
    """Whether a checkpoint was written to its end: the state is readable, and no weight file is cut."""
    try:
        json.loads((folder / STATE_FILE).read_bytes())
        for path in folder.glob("*.safetensors"):
            read_header(path)
    except (OSError, ValueError, DataFormatError):
        return False
    return True


def newest_checkpoint(run: Path) -> Path | None:
    """Return the whole checkpoint of the latest step in a run's folder."""
    found = [path for path in run.glob(f"{CHECKPOINT}*") if path.name.removeprefix(CHECKPOINT).isdigit()]
    for path in sorted(found, key=lambda path: int(path.name.removeprefix(CHECKPOINT)), reverse=True):
        if is_whole(path):
            return path
    return None


def say_kept(run: Path) -> str:
    """Say what there is to go on from, where something could not be written."""
    last = newest_checkpoint(run)
    kept = f"the last whole checkpoint is {last}" if last else "there is no earlier checkpoint"
    return f"{kept}. Make room and go on with resume_from_checkpoint: auto"


def find_checkpoint(wanted: str | None, run: Path) -> Path | None:
    """Return where to go on from: None begins anew; `auto` is the newest whole checkpoint, if there is one.

    Raises: PersonaMemError: the folder named is no whole checkpoint.
    """
    if wanted is None or wanted.lower() in ("", "none", "false"):
        return None
    if wanted.lower() in ("auto", "true"):
        return newest_checkpoint(run)
    if not is_whole(Path(wanted)):
        raise PersonaMemError(
            f"{wanted} is no whole checkpoint ({STATE_FILE} or a weight file is missing or cut): name another, or auto"
        )
    return Path(wanted)


class JudgeGuard(TrainerCallback):
    """Stops with a checkpoint where too many open answers went unjudged; `reason` says so afterwards."""

    def __init__(self, reward: OpenReward, say: Callable[[str], None]) -> None:
        self.reward = reward
        self.say = say
        self.reason: str | None = None

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:  # noqa: ARG002
        """Look at the last answers of all processes, which then stop together."""
        recent, config = self.reward.recent, self.reward.config
        skipped, total, is_full = _sum_over_processes([sum(recent), len(recent), int(len(recent) == recent.maxlen)])
        if is_full and skipped > config.judge_max_skipped * total and not self.reason:
            self.reason = (
                f"step {state.global_step}: {skipped} of the last {total} open answers have no judgement "
                f"({self.reward.last_trouble or 'see the log'}), more than judge_max_skipped = "
                f"{config.judge_max_skipped:g}. A checkpoint is kept: mend the judges, then go on with "
                "resume_from_checkpoint: auto"
            )
            self.say(f"STOPPING. {self.reason}")
            control.should_save = control.should_training_stop = True
        return control


def _sum_over_processes(values: list[int]) -> list[int]:
    from accelerate import PartialState
    from accelerate.utils import gather_object

    if PartialState().num_processes == 1:
        return values
    parts: list[list[int]] = gather_object([values])
    return [sum(column) for column in zip(*parts, strict=True)]
