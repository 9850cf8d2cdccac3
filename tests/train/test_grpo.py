"""GRPO on mixed rows with judges behind an endpoint, and without them."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fake_judges import as_json, read_fields
from tests.generate_endpoint import EndpointFaults, serve
from tests.train.recipe_runs import log_of, recipe_words
from tests.train.tiny_data import spell_words, write_swap_dataset
from tests.train.tiny_model import require_trl, write_tiny

require_trl()

from hub_toolkit.errors import PersonaMemError  # noqa: E402
from train.callbacks import newest_checkpoint  # noqa: E402
from train.grpo import main  # noqa: E402

GRPO = {"num_generations": 4, "per_device_train_batch_size": 16, "max_completion_length": 4, "mcq_share": 0.5}


class Lenient:
    """A judge behind HTTP that takes an answer with an even number of letters."""

    def reply(self, prompt: str, seed: int | None) -> str:  # noqa: ARG002
        return as_json(len(read_fields(prompt)["answer"]) % 2 == 0)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("grpo")
    write_swap_dataset(folder / "data")
    write_tiny(folder / "model", spell_words(folder / "data"))
    return folder


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("PERSONAMEM_API_KEY", "nobodys-key-for-tests")
    writer: Any = Lenient()
    with serve(writer, EndpointFaults()) as endpoint:
        yield endpoint


def test_mixed_rows_are_scored_each_by_its_own_term(place: Path, tmp_path: Path, judge: Any) -> None:
    judged = {"judge_models": "openai/judge", "judge_base_url": judge.url}
    words = recipe_words(
        place / "model", place / "data", tmp_path, **GRPO, **judged, max_steps=8, save_steps=8, format_weight=0.1
    )
    assert main(words) == 0
    log = [entry for entry in log_of(tmp_path, 8) if "reward" in entry]
    # A batch of four prompts is one swap group: all multiple choice, or all open.
    kinds = {(entry["rewards/mcq_reward/mean"] is None, entry["rewards/open_reward/mean"] is None) for entry in log}
    assert kinds == {(True, False), (False, True)}
    assert all(entry["judge/skipped_share"] == 0 for entry in log if entry["rewards/open_reward/mean"] is not None)
    assert all(entry["rewards/format_reward/mean"] is not None for entry in log)


def test_training_goes_on_without_judges_and_stops_past_the_threshold(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERSONAMEM_API_KEY", "nobodys-key-for-tests")
    with socket.socket() as gone:
        gone.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{gone.getsockname()[1]}/v1"
    judged = {"judge_models": "openai/judge", "judge_base_url": url, "judge_timeout_s": 0.5, "judge_window": 32}
    # An answer's form would still earn something: without a verdict it must not.
    judged["format_weight"] = 1.0
    words = recipe_words(
        place / "model", place / "data", tmp_path, **(GRPO | {"mcq_share": 0.0}), **judged, max_steps=8, save_steps=8
    )
    with pytest.raises(PersonaMemError, match=r"STOPPED\. step 2: 32 of the last 32 open answers have no judgement"):
        main(words)
    kept = newest_checkpoint(tmp_path)
    assert kept is not None and kept.name == "checkpoint-2"
    log = [entry for entry in log_of(tmp_path, 2) if "reward" in entry]
    assert [entry["judge/skipped_share"] for entry in log] == [1, 1]
    assert [entry["reward"] for entry in log] == [None, None]
    assert all(entry["grad_norm"] == 0 for entry in log)


def test_a_resumed_run_takes_the_steps_that_would_have_come(place: Path, tmp_path: Path) -> None:
    """The same replies, rewards and losses; that a kill leaves whole checkpoints is shown with SFT."""
    told = GRPO | {"mcq_share": 1.0, "format_weight": 0.5, "max_steps": 6, "save_steps": 3}
    assert main(recipe_words(place / "model", place / "data", tmp_path, **told)) == 0
    seen = {
        entry["step"]: [entry[name] for name in ("loss", "reward", "grad_norm", "completions/mean_length")]
        for entry in log_of(tmp_path, 6)
        if "reward" in entry
    }
    assert len({str(figures) for figures in seen.values()}) > 3, "steps that are all alike show nothing"
    shutil.rmtree(tmp_path / "checkpoint-6")
    assert main(recipe_words(place / "model", place / "data", tmp_path, **told, resume_from_checkpoint="auto")) == 0
    again = [entry for entry in log_of(tmp_path, 6) if "reward" in entry and entry["step"] > 3]
    for entry in again:
        found = [entry[name] for name in ("loss", "reward", "grad_norm", "completions/mean_length")]
        assert found == pytest.approx(seen[entry["step"]], rel=1e-5, abs=1e-9)
    assert [entry["step"] for entry in again] == [4, 5, 6]


def test_a_checkpoint_in_the_midst_of_a_generation_is_refused(place: Path, tmp_path: Path) -> None:
    told = GRPO | {"mcq_share": 1.0, "steps_per_generation": 4, "save_steps": 2}
    with pytest.raises(PersonaMemError, match="take a multiple of 4"):
        main(recipe_words(place / "model", place / "data", tmp_path, **told))


def test_open_rows_without_a_judge_are_refused_before_any_step(place: Path, tmp_path: Path) -> None:
    with pytest.raises(PersonaMemError, match="open answers need judge_models"):
        main(recipe_words(place / "model", place / "data", tmp_path, **GRPO, max_steps=1))
