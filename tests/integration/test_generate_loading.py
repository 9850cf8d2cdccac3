"""A generated folder is read by `datasets.load_dataset` as it lies on the disk, under upstream's names."""

from __future__ import annotations

import json
from pathlib import Path

from datasets import load_dataset

from hub_toolkit.data.parse import load_samples
from hub_toolkit.generate.config import SimulatorConfig
from hub_toolkit.generate.simulator import simulate


def test_a_folder_loads_with_the_columns_alike_in_all_splits(tmp_path: Path) -> None:
    config = SimulatorConfig(
        num_personas=28,
        seed=1,
        topics_per_quad=4,
        context_32k_tokens=2_400,
        has_128k=False,
        twin_every=0,
        val_share=0.15,
    )
    simulate(config, tmp_path / "out")
    loaded = load_dataset(str(tmp_path / "out"), "benchmark", cache_dir=str(tmp_path / "cache"))
    assert list(loaded) == ["benchmark_text", "train_text", "val_text"]
    assert len({str(split.features) for split in loaded.values()}) == 1
    assert any(loaded["train_text"]["prev_pref"]) and set(loaded["val_text"]["prev_pref"]) == {""}
    for name, split in loaded.items():
        samples = load_samples(tmp_path / "out", name.removesuffix("_text"))
        assert [row["correct_answer"] for row in split] == [sample.correct_answer for sample in samples]
        assert [json.loads(row["incorrect_answers"]) for row in split] == [list(s.incorrect_answers) for s in samples]
        assert [row["prev_pref"] or None for row in split] == [sample.prev_pref for sample in samples]
