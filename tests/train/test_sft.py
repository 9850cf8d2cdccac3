"""SFT from a dataset's folder to a checkpoint: it learns, and a killed run goes on as if it had not been."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.train.recipe_runs import log_of, losses_of, recipe_words
from tests.train.tiny_data import spell_words, write_swap_dataset
from tests.train.tiny_model import require_trl, write_tiny

require_trl()

from hub_toolkit.errors import PersonaMemError  # noqa: E402
from train.callbacks import find_checkpoint, is_whole  # noqa: E402
from train.sft import main  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `data` and `model`."""
    folder = tmp_path_factory.mktemp("sft")
    write_swap_dataset(folder / "data")
    write_tiny(folder / "model", spell_words(folder / "data"))
    return folder


def test_sft_lowers_the_loss_and_validates_with_its_control(place: Path, tmp_path: Path) -> None:
    changes = {"max_steps": 12, "save_steps": 12, "validate_every": 12, "val_rows": 4, "val_reply_tokens": 8}
    assert main(recipe_words(place / "model", place / "data", tmp_path, **changes)) == 0
    losses = losses_of(tmp_path, 12)
    assert losses[12] < 0.6 * losses[1]
    [figures] = [entry for entry in log_of(tmp_path, 12) if "val/accuracy" in entry]
    assert figures["val/rows"] == 4 and figures["val/failed"] == 0
    assert figures["val/lift"] == pytest.approx(figures["val/accuracy"] - figures["val/no_context_accuracy"])
    assert {"val/unparsed", "val/no_context_unparsed", "val/lift_low", "val/lift_high"} <= figures.keys()
    assert (tmp_path / "final" / "model.safetensors").is_file()


def test_a_killed_run_goes_on_with_the_same_losses(place: Path, tmp_path: Path) -> None:
    words = {"max_steps": 14, "per_device_train_batch_size": 4, "gradient_accumulation_steps": 2}
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    command = [sys.executable, "-m", "train.sft", *recipe_words(place / "model", place / "data", killed, **words)]
    run = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not is_whole(killed / "checkpoint-4") and run.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    run.send_signal(signal.SIGKILL)
    assert run.wait() == -signal.SIGKILL
    assert not (killed / "final").exists()
    # A checkpoint that a kill cut in the middle is not gone on from.
    torn = killed / "checkpoint-99"
    torn.mkdir()
    (torn / "model.safetensors").write_bytes((killed / "checkpoint-4" / "model.safetensors").read_bytes()[:-9])
    (torn / "trainer_state.json").write_text("{}")
    found = find_checkpoint("auto", killed)
    assert found is not None and found.name != torn.name
    step = int(found.name.split("-")[1])
    assert step < 14
    assert main(recipe_words(place / "model", place / "data", killed, **words, resume_from_checkpoint="auto")) == 0
    assert main(recipe_words(place / "model", place / "data", whole, **words)) == 0
    resumed, reference = losses_of(killed, 14), losses_of(whole, 14)
    assert resumed.keys() == reference.keys()
    assert [resumed[at] for at in range(step + 1, 15)] == pytest.approx(
        [reference[at] for at in range(step + 1, 15)], rel=1e-5
    )
    with pytest.raises(PersonaMemError, match="is no whole checkpoint"):
        find_checkpoint(str(torn), killed)


def test_a_checkpoint_is_found_only_where_there_is_one(tmp_path: Path) -> None:
    assert find_checkpoint("auto", tmp_path) is None
    assert find_checkpoint(None, tmp_path) is None
