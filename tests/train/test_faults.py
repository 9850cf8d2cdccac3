"""What breaks while training: the loss, the disk, the Hub. What was trained is kept, and a message says what to do."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import resource
from pathlib import Path
from typing import Any

import pytest

from hub_toolkit.settings import load_settings
from tests.hub_server import HubServer
from tests.model_factory import make_run, write_bare_adapter, write_bare_model
from tests.request_recorder import Recorder, record_requests
from tests.train.recipe_runs import recipe_words
from tests.train.tiny_data import spell_words, write_swap_dataset
from tests.train.tiny_model import require_trl, write_tiny

require_trl()

from transformers import TrainerCallback  # noqa: E402
from trl import ModelConfig, SFTConfig  # noqa: E402

import train.sft  # noqa: E402
from hub_toolkit.errors import PersonaMemError  # noqa: E402
from hub_toolkit.models.fake import FakeModel  # noqa: E402
from hub_toolkit.types import Message  # noqa: E402
from train.callbacks import Pusher, ask_slice, newest_checkpoint, stage_checkpoint, summarise, validation_slice  # noqa: E402
from train.config import DataConfig, RecipeConfig  # noqa: E402
from train.data import open_splits  # noqa: E402
from train.session import prepare  # noqa: E402
from train.sft import main  # noqa: E402


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faults")
    write_swap_dataset(folder / "data")
    write_tiny(folder / "model", spell_words(folder / "data"))
    return folder


def test_a_loss_that_is_not_finite_stops_before_the_step(place: Path, tmp_path: Path) -> None:
    words = recipe_words(place / "model", place / "data", tmp_path, max_steps=6, save_steps=6, learning_rate=1e30)
    with pytest.raises(PersonaMemError, match=r"STOPPED\. step 2: the gradient's norm is nan, so the step was not"):
        main(words)
    kept = newest_checkpoint(tmp_path)
    assert kept is not None and kept.name == "checkpoint-1"


class FullDisk(TrainerCallback):  # type: ignore[misc, unused-ignore]
    """From an event on, no file may grow beyond some bytes."""

    usual = resource.getrlimit(resource.RLIMIT_FSIZE)

    def __init__(self, event: str) -> None:
        setattr(self, event, lambda *_, **__: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, self.usual[1])))


def train_until_full(event: str, monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    """Run SFT on a disk that is full from an event on."""
    make = train.sft.make_extras

    def with_full_disk(*args: Any, **options: Any) -> Any:
        extras = make(*args, **options)
        extras.callbacks.append(FullDisk(event))
        return extras

    with monkeypatch.context() as patched:
        patched.setattr(train.sft, "make_extras", with_full_disk)
        try:
            main(words)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, FullDisk.usual)


def test_a_full_disk_leaves_the_last_whole_checkpoint(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = recipe_words(place / "model", place / "data", tmp_path, max_steps=6)
    with pytest.raises(PersonaMemError, match=r"checkpoint-4 could not be written .* the last whole checkpoint is"):
        train_until_full("on_save", monkeypatch, words)
    assert [path.name for path in tmp_path.glob("checkpoint-*")] == ["checkpoint-2"]
    assert main([*words, "--resume_from_checkpoint", "auto"]) == 0


def test_a_disk_that_is_full_at_the_end_leaves_no_half_model(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = recipe_words(place / "model", place / "data", tmp_path, max_steps=2)
    with pytest.raises(PersonaMemError, match=r"final could not be written .*/checkpoint-2\. Make room"):
        train_until_full("on_train_end", monkeypatch, words)
    assert not list(tmp_path.glob("*final*")) and not list(tmp_path.glob(".final*"))
    assert main([*words, "--resume_from_checkpoint", "auto"]) == 0
    assert (tmp_path / "final" / "model.safetensors").is_file()


def pusher(out: Path, hub: HubServer, token: str, said: list[str], repo: str, *, endpoint: str | None = None) -> Pusher:
    recipe = RecipeConfig(push_repo=repo, push_attempts=3, push_wait_s=0.01)
    settings = dataclasses.replace(load_settings(), hub_token=token, hub_endpoint=endpoint or hub.url)
    return Pusher(out, recipe, settings, said.append)


def test_what_the_hub_refuses_is_kept_tried_again_and_named(tmp_path: Path, hub: HubServer) -> None:
    checkpoint = write_bare_model(tmp_path / "checkpoint-300")
    (checkpoint / "optimizer.pt").write_bytes(b"PK\x03\x04 state")
    said: list[str] = []
    refused = pusher(tmp_path, hub, "hf_bob", said, "alice/train-refused")
    refused.add(checkpoint, make_run(step=300))
    [command] = refused.finish()
    kept = tmp_path / "pushing" / "step-000300"
    assert command == f"personamem checkpoint push {kept} alice/train-refused --step 300 --no-dry-run"
    assert sum("once more in" in line for line in said) == 2
    assert said[-1].startswith("NOT PUSHED: step 300 is kept in") and command in said[-1]
    assert (kept / "model.safetensors").is_file() and not (kept / "optimizer.pt").exists()
    # Its links outlive the checkpoint, which the trainer may have rotated away by then.
    for path in checkpoint.iterdir():
        path.unlink()
    assert (kept / "model.safetensors").stat().st_size > 0


def test_a_hub_that_is_out_of_order_is_tried_again(
    tmp_path: Path, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)  # the Hub's client waits half a minute by itself
    checkpoint = write_bare_model(tmp_path / "checkpoint-300")
    said: list[str] = []
    out_of_order = {"POST /api/repos/create": (503, {"error": "out of order"})}
    with record_requests(Recorder(upstream=hub.url, answers=out_of_order)) as recorder:
        broken = pusher(tmp_path, hub, "hf_alice", said, "alice/train-503", endpoint=recorder.url)
        broken.add(checkpoint, make_run(step=300))
        assert len(broken.finish()) == 1
    assert sum("once more in" in line for line in said) == 2
    assert "503" in said[-1] and (tmp_path / "pushing" / "step-000300" / "model.safetensors").is_file()


def test_a_checkpoint_that_cannot_be_taken_aside_is_named(
    tmp_path: Path, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("train.callbacks_push.stage_checkpoint", full)
    said: list[str] = []
    stuck = pusher(tmp_path, hub, "hf_alice", said, "alice/train-stuck")
    stuck.add(tmp_path / "checkpoint-300", make_run(step=300))
    assert stuck.finish() == [
        f"personamem checkpoint push {tmp_path / 'checkpoint-300'} alice/train-stuck --step 300 --no-dry-run"
    ]
    assert "No space left on device" in said[-1]


def test_a_push_that_the_hub_takes_leaves_nothing_behind(tmp_path: Path, hub: HubServer) -> None:
    checkpoint = write_bare_model(tmp_path / "checkpoint-300")
    said: list[str] = []
    taken = pusher(tmp_path, hub, "hf_alice", said, "alice/train-taken")
    taken.add(checkpoint, make_run(step=300))
    assert taken.finish() == []
    assert said[-1].startswith("pushed step 300")
    assert not list((tmp_path / "pushing").iterdir())


def test_an_adapter_is_published_on_the_base_that_its_record_names(tmp_path: Path) -> None:
    checkpoint = write_bare_adapter(tmp_path / "checkpoint-1", base_repo="/some/folder")
    before = (checkpoint / "adapter_config.json").read_bytes()
    staged = stage_checkpoint(checkpoint, tmp_path / "staged", make_run())
    base = json.loads((staged / "adapter_config.json").read_bytes())["base_model_name_or_path"]
    assert base == make_run().base_models[0].repo_id
    assert (checkpoint / "adapter_config.json").read_bytes() == before


def test_the_validation_slice_knows_the_history_from_its_control(place: Path) -> None:
    class Reader(FakeModel):
        """Picks the pastime that it read of; A where it read of none."""

        def _next_reply(self, messages: Any) -> str:
            read = " ".join(message.text for message in messages[:-1])
            options = [line for line in messages[-1].text.splitlines() if line[1:2] == "."]
            known = [line[0] for line in options if line.split()[3] in read]
            return f"\\boxed{{{known[0] if known else 'A'}}}"

    data = DataConfig(dataset=str(place / "data"))
    asked = validation_slice(open_splits(data, load_settings()), data, RecipeConfig(val_rows=8), "grpo")
    assert asked is not None and len(asked.samples) == 8
    own = ask_slice(asked, Reader())
    blind = ask_slice(dataclasses.replace(asked, config=dataclasses.replace(asked.config, reader="none")), Reader())
    figures = summarise(own, blind)
    assert (figures["val/accuracy"], figures["val/no_context_accuracy"], figures["val/lift"]) == (1, 0.25, 0.75)
    mute = ask_slice(asked, FakeModel(["no letter"] * 8))
    assert summarise(mute, blind)["val/unparsed"] == 1
    assert Message("user", "x").text == "x"


def test_a_reporter_that_is_missing_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    args = SFTConfig(output_dir=str(tmp_path), report_to="none", use_cpu=True, bf16=False)
    args.report_to = ["trackio"]
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *_: None if name == "trackio" else found(name))
    with pytest.raises(PersonaMemError, match="pip install trackio"):
        prepare(args, ModelConfig(model_name_or_path="x"))
    with pytest.raises(PersonaMemError, match="no model is named"):
        prepare(args, ModelConfig())


def test_a_push_from_a_folder_is_refused_before_any_step(place: Path, tmp_path: Path) -> None:
    words = recipe_words(place / "model", place / "data", tmp_path, max_steps=1, push_repo="alice/x")
    with pytest.raises(PersonaMemError, match="a card names its dataset by a commit of the Hub"):
        main(words)
