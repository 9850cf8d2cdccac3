"""The whole way of every recipe: a local Hub's data, two steps, a pushed checkpoint that loads again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hub_toolkit.models.fetch import cached_gguf
from hub_toolkit.settings import load_settings
from tests.conftest import require_extra
from tests.train.tiny_model import require_trl, write_tiny

require_trl()

from train.smoke import SmokeResult  # noqa: E402
from train.smoke_model import can_convert, write_smollm2  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
TEXT = "A B C D Final Answer: \\boxed{A} \\boxed{B} \\boxed{C} \\boxed{D} the a user likes tea - * . and no"


def run_smoke(out: Path, *words: str, timeout_s: float) -> dict[str, Any]:
    """Run it as a process of its own: the Hub's address is read when its client is imported."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "PERSONAMEM_"))}
    env["OMP_NUM_THREADS"] = "1"
    command = [sys.executable, "-m", "train.smoke", "--out", str(out), *words]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=timeout_s, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def check_results(found: dict[str, Any], out: Path) -> None:
    assert [result["kind"] for result in found["recipes"]] == ["sft", "grpo", "memory_grpo"]
    for result in found["recipes"]:
        assert result["is_equal"], result
        assert result["step"] == 2
        assert len(result["sha"]) == 40
        record = json.loads((out / result["kind"] / "pulled" / "training_run.json").read_text())
        assert record["dataset"]["repo_id"] == "personamem/smoke"
        assert record["base_model"]["repo_id"] == "HuggingFaceTB/SmolLM2-135M-Instruct"
        assert "metrics" in (out / result["kind"] / "pulled" / "README.md").read_text() or record["metrics"]
    assert found["recipes"][0]["has_moved"]


def test_a_tiny_model_goes_the_whole_way(tmp_path: Path) -> None:
    model = write_tiny(tmp_path / "model", [TEXT], context_tokens=8192)
    found = run_smoke(tmp_path / "out", "--model", str(model), timeout_s=250)
    check_results(found, tmp_path / "out")


@pytest.mark.slow
def test_smollm2_goes_the_whole_way(tmp_path: Path) -> None:
    """Minutes on two cores: dense weights of 135 million parameters, out of the GGUF."""
    require_extra("train", can_convert(), "gguf is not installed: `pip install 'personamem-hub-toolkit[train]'`")
    has_model = cached_gguf(load_settings().cache_dir) is not None
    require_extra("local", has_model, "SmolLM2 is not in the cache: `personamem models fetch`")
    check_results(run_smoke(tmp_path / "out", timeout_s=1500), tmp_path / "out")


@pytest.mark.slow
def test_smollm2_answers_after_the_conversion(tmp_path: Path) -> None:
    require_extra("train", can_convert(), "gguf is not installed: `pip install 'personamem-hub-toolkit[train]'`")
    has_model = cached_gguf(load_settings().cache_dir) is not None
    require_extra("local", has_model, "SmolLM2 is not in the cache: `personamem models fetch`")
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = write_smollm2(tmp_path / "model", load_settings())
    assert "quantization_config" not in json.loads((folder / "config.json").read_text())
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
    asked = tokenizer.apply_chat_template(
        [{"role": "user", "content": "What is the capital of France?"}],
        add_generation_prompt=True,
        return_tensors="pt",
        return_dict=True,
    )
    said = tokenizer.decode(model.generate(**asked, max_new_tokens=12, do_sample=False)[0])
    assert "Paris" in said.rpartition("assistant")[2]


def test_a_checkpoint_that_comes_back_different_is_not_good() -> None:
    good = SmokeResult("sft", "o/n", "0" * 40, 2, True, True, 1.0, 1.0)
    assert good.is_good
    for change in ({"is_equal": False}, {"has_moved": False}, {"step": 1}):
        assert not SmokeResult(**{**vars(good), **change}).is_good
    assert SmokeResult(**{**vars(good), "kind": "grpo", "has_moved": False}).is_good
