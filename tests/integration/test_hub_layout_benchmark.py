"""The benchmark of the Hub's layouts runs whole on a few personas; its dataset is what it claims to be."""

from __future__ import annotations

import csv
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.published_size import measure_text
from hub_toolkit.data.check import check_dataset
from hub_toolkit.data.parse import PARSERS, load_samples
from tests.conftest import require_extra

ROOT = Path(__file__).resolve().parents[2]

for _name in ("huggingface_hub", "datasets", "pyarrow", "starlette", "uvicorn"):
    require_extra("rehearse", importlib.util.find_spec(_name) is not None, f"{_name} is not installed")


def run(name: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "benchmarks" / name), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def last_line(name: str, *words: str) -> dict[str, Any]:
    done = run(name, *words)
    assert done.returncode == 0, done.stderr
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six personas of the benchmark and two that train and val share."""
    out = tmp_path_factory.mktemp("published") / "out"
    last_line("published_size.py", str(out), "--personas", "6", "--train-personas", "2", "--with-128k")
    return out


def test_published_size_passes_the_check(dataset: Path) -> None:
    report = check_dataset(dataset)
    assert report.problems == ()
    counts = {name: (count.rows, len(count.personas)) for name, count in report.counts.items()}
    assert counts == {"benchmark_text": (150, 6), "train_text": (44, 2), "val_text": (6, 2)}
    train, val = ({sample.persona_id for sample in load_samples(dataset, split)} for split in ("train", "val"))
    assert train == val


def test_published_size_is_serialised_as_upstream(dataset: Path) -> None:
    with (dataset / "benchmark/text/benchmark.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == list(PARSERS)
    assert all(row["user_query"].startswith("{'role': 'user', 'content': ") for row in rows)
    assert all(row["short_persona"].startswith("{'persona': ") for row in rows)
    assert all(row["expanded_persona"].startswith('{\n  "') for row in rows)
    assert {row["updated"] for row in rows} == {row["sensitive_info"] for row in rows} == {"True", "False"}
    assert any(row["topic_query"].startswith(": ") for row in rows)
    personas = [row["persona_id"] for row in rows]
    assert personas != sorted(personas, key=int), "the rows stand persona by persona"


def test_published_size_is_as_hard_to_compress_as_real_chats(dataset: Path) -> None:
    """The bounds are what codecs make of two real histories, in pieces of a history's size, and a little more."""
    short, long = measure_text(dataset), measure_text(dataset, "128k")
    assert 126_000 < short["mean_file_bytes"] < 140_000
    assert 470_000 < long["mean_file_bytes"] < 530_000
    assert 162 <= short["num_messages"][0] <= short["num_messages"][1] <= 293
    assert 2.6 < short["ratio_zstd_3"] < 2.85
    assert 1.7 < short["ratio_snappy"] < 1.86
    assert 2.85 < long["ratio_zstd_3"] < 3.25


def test_published_size_depends_on_its_seed_alone(dataset: Path, tmp_path: Path) -> None:
    sizes = ("--personas", "6", "--train-personas", "2", "--with-128k")
    last_line("published_size.py", str(tmp_path / "same"), *sizes)
    last_line("published_size.py", str(tmp_path / "other"), *sizes, "--seed", "1")
    names = [path.relative_to(dataset) for path in dataset.rglob("*") if path.is_file()]
    assert len(names) == 3 + 8 * 3
    assert all((tmp_path / "same" / name).read_bytes() == (dataset / name).read_bytes() for name in names)
    assert not any((tmp_path / "other" / name).read_bytes() == (dataset / name).read_bytes() for name in names)


def test_published_size_leaves_a_folder_alone(dataset: Path) -> None:
    done = run("published_size.py", str(dataset))
    assert done.returncode == 1
    assert done.stderr == f"error: {dataset} exists; name a new folder\n"


@pytest.mark.slow
def test_hub_layout() -> None:
    figures = last_line("hub_layout.py", "--personas", "4", "--runs", "1", "--json")
    assert figures["num_rows"] == 100
    assert set(figures["loads"]) == {"text", "joined", "default", "files", "snapshot"}
    assert set(figures["streams"]) == {"text", "joined", "default", "upstream"}
    for load in figures["loads"].values():
        assert 0 < load["first_row_s"]["median"] <= load["all_rows_s"]["median"]
        assert load["peak_rss_mb"] > 50
        assert 0 < load["loaded_mb"] <= load["cache_mb"]
    assert all(stream["first_row_s"]["median"] > 0 for stream in figures["streams"].values())
    sizes, pushed = figures["configs_mb"], figures["pushed"]
    assert sizes["text_32k"] < pushed["default"]["hub_mb"]
    assert sizes["questions"] + sizes["histories_32k"] < pushed["upstream"]["hub_mb"]
    assert 0.12 < figures["upstream_histories_mb"] / figures["num_personas"] < 0.145
    assert set(figures["targets"]) == {"text_mb", "default_to_text", "upstream_to_joined"}
    assert figures["targets"]["text_mb"] == {"value": sizes["text_32k"], "target": 17, "is_reached": True}


def test_convert_scale_survives_a_kill() -> None:
    figures = last_line("convert_scale.py", "--train-personas", "4", "--rows", "4")
    assert (figures["num_personas"], figures["num_rows"]) == (4, 16)
    assert [figures[name]["status"] for name in ("convert", "killed", "resumed")] == [0, -9, 0]
    assert figures["is_same"]
    assert figures["is_reached"]
    assert not figures["killed"]["has_published"]
