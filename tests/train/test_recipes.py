"""Every YAML opens with its recipe's own parser, and the paper's numbers stand in the paper-scale recipes."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.train.tiny_model import require_trl

require_trl()

from train.plan_setup import LAUNCHES, RECIPES, find_kind, read_launch, read_values, recipe_parser  # noqa: E402

ALL = sorted(path.stem for path in RECIPES.glob("*.yaml"))
PAPER = {
    "sft_8xh100": {
        "max_steps": 300,
        "learning_rate": 1e-5,
        "warmup_steps": 0.05,
        "max_grad_norm": 0.5,
        "max_row_tokens": 40_960,
        "max_length": 40_960,
        "mcq_share": 0.8,
    },
    "grpo_8xh100": {
        "learning_rate": 5e-6,
        "num_generations": 8,
        "num_train_epochs": 1,
        "max_steps": 500,
        "max_prompt_tokens": 38_000,
        "max_completion_length": 2048,
        "beta": 0.0,
        "temperature": 1.0,
        "top_p": 1.0,
        "mcq_share": 0.8,
    },
    "memory_grpo_8xh100": {
        "learning_rate": 1e-6,
        "warmup_steps": 20,
        "beta": 0.001,
        "epsilon": 0.2,
        "temperature": 1.0,
        "top_p": 1.0,
        "num_generations": 8,
        "max_steps": 500,
        "chunk_tokens": 5000,
        "cap_tokens": 2048,
        "max_turns": 8,
        "mcq_share": 0.8,
    },
}
"""Source: paper (arXiv 2512.06688), sections 4.2 and 4.3, then the upstream scripts."""

ABLATIONS = {
    "grpo_mcq_only": ("grpo_8xh100", {"mcq_share": 1.0}),
    "grpo_open_only": ("grpo_8xh100", {"mcq_share": 0.0}),
    "grpo_no_cold_start": ("grpo_8xh100", {"model_name_or_path": "Qwen/Qwen3-4B-Instruct-2507"}),
    "memory_grpo_mcq_only": ("memory_grpo_8xh100", {"mcq_share": 1.0}),
    "memory_grpo_open_only": ("memory_grpo_8xh100", {"mcq_share": 0.0}),
    "memory_grpo_cap1k": ("memory_grpo_8xh100", {"cap_tokens": 1024}),
    "memory_grpo_cap4k": ("memory_grpo_8xh100", {"cap_tokens": 4096, "vllm_max_model_length": 18_432}),
    "memory_grpo_chunk2500": ("memory_grpo_8xh100", {"chunk_tokens": 2500, "max_turns": 16}),
    "memory_grpo_chunk10000": (
        "memory_grpo_8xh100",
        {"chunk_tokens": 10_000, "max_turns": 4, "vllm_max_model_length": 18_432},
    ),
    "memory_grpo_no_cold_start": ("memory_grpo_8xh100", {"model_name_or_path": "Qwen/Qwen3-4B-Instruct-2507"}),
    "memory_grpo_extractive_start": (
        "memory_grpo_8xh100",
        {"model_name_or_path": "out/sft_extractive_memories/final"},
    ),
    "memory_grpo_updates_masked": ("memory_grpo_8xh100", {"mask_updates": True}),
    "sft_extractive_memories": ("sft_8xh100", {"cold_start_updates": True}),
}


@cache
def values(name: str) -> dict[str, Any]:
    path = RECIPES / f"{name}.yaml"
    return vars(read_values(find_kind(path), path))


@pytest.mark.parametrize("name", ALL)
def test_a_recipe_opens_with_its_own_parser(name: str, tmp_path: Path) -> None:
    """TRL's own checks pass too: on the CPU, which is the one thing that is changed here."""
    path = RECIPES / f"{name}.yaml"
    words = ["--config", str(path), "--use_cpu", "true", "--output_dir", str(tmp_path)]
    parts = recipe_parser(find_kind(path)).parse_args_and_config(words)
    read = {field: value for part in parts for field, value in vars(part).items()}
    assert read["model_name_or_path"]
    assert read["recipe"]


def test_an_unknown_key_is_refused_by_the_parser(tmp_path: Path) -> None:
    path = tmp_path / "sft_mine.yaml"
    path.write_text((RECIPES / "sft_8xh100.yaml").read_text() + "learning_rato: 1\n")
    with pytest.raises(ValueError, match="learning_rato"):
        recipe_parser("sft").parse_args_and_config(["--config", str(path), "--use_cpu", "true"])


@pytest.mark.parametrize("name", sorted(PAPER))
def test_the_papers_numbers_are_in_the_recipe(name: str) -> None:
    found = values(name)
    assert {field: found[field] for field in PAPER[name]} == PAPER[name]
    batch = found["per_device_train_batch_size"] * found["gradient_accumulation_steps"] * 8
    assert batch == (64 if name.startswith("sft") else 32 * 8)
    first = values("sft_8xh100")["model_name_or_path"]
    assert first == "Qwen/Qwen3-4B-Instruct-2507"
    if not name.startswith("sft"):
        assert found["model_name_or_path"] == f"{values('sft_8xh100')['output_dir']}/final"


@pytest.mark.parametrize("name", sorted(ABLATIONS))
def test_an_ablation_changes_one_thing(name: str) -> None:
    base, wanted = ABLATIONS[name]
    was, now = values(base), values(name)
    changed = {field: now[field] for field in now if now[field] != was[field]}
    changed.pop("output_dir")
    assert changed == wanted


def test_every_ablation_is_listed_here() -> None:
    marked = {path.stem for path in RECIPES.glob("*.yaml") if path.read_text().startswith("# Ablation of")}
    assert marked == set(ABLATIONS)


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*_8xh100.yaml")), ids=lambda path: path.stem)
def test_every_number_of_the_paper_names_its_source(path: Path) -> None:
    lines = dict(line.split(": ", 1) for line in path.read_text().splitlines() if ": " in line and line[0] != "#")
    for field in PAPER[path.stem]:
        if field != "max_length":
            assert any(word in lines[field] for word in ("paper", "script")), field


@pytest.mark.parametrize("path", sorted(LAUNCHES.glob("*.yaml")), ids=lambda path: path.stem)
def test_accelerate_reads_its_files(path: Path) -> None:
    from accelerate.commands.config.config_args import load_config_from_file

    config = load_config_from_file(str(path))
    launch = read_launch(path, 8)
    assert config.num_processes == launch.num_processes
    shards = {"fsdp2": "everything", "zero3": "everything", "single": "nothing", "ddp_cpu": "nothing"}
    assert launch.shards == shards[path.stem]
    assert launch.is_cpu == (path.stem == "ddp_cpu")


def test_there_is_a_recipe_of_each_size() -> None:
    for kind in ("sft", "grpo", "memory_grpo"):
        for size in ("8xh100", "h200", "lora", "smoke"):
            assert f"{kind}_{size}" in ALL
