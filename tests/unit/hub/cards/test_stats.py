"""What a dataset's card states, measured on real files."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from hub_toolkit.data.parse import MINI, load_samples
from hub_toolkit.data.tokens import EstimateCounter
from hub_toolkit.errors import DataFormatError
from hub_toolkit.evaluate.plan import EvalConfig
from hub_toolkit.evaluate.report import build_report
from hub_toolkit.evaluate.run import Setup, run_evaluation
from hub_toolkit.hub.cards.stats import SPLIT_KEYS, measure_dataset
from hub_toolkit.hub.cards.stats_text import render_stats
from hub_toolkit.memory.builders.extractive import ExtractiveBuilder
from tests.dataset_factory import make_row, write_dataset


@pytest.fixture(scope="module")
def mini() -> dict[str, Any]:
    return measure_dataset(MINI)


@pytest.fixture(scope="module")
def no_context_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run") / "none"
    samples = load_samples(MINI)
    config, counter = EvalConfig("mini", reader="none"), EstimateCounter()
    questions = MINI / "benchmark" / "text" / "benchmark.csv"
    setup = Setup(config, MINI, questions, samples, None, counter, lambda: ExtractiveBuilder(counter))
    asyncio.run(run_evaluation(setup, out))
    return out


def test_counts_are_those_of_the_rows(mini: dict[str, Any]) -> None:
    samples = load_samples(MINI)
    split = mini["splits"]["benchmark_text"]
    assert split.keys() == SPLIT_KEYS
    assert split["rows"] == len(samples)
    assert split["personas"] == len({sample.persona_id for sample in samples})
    assert split["pref_type"] == Counter(sample.pref_type for sample in samples)
    assert split["who"] == Counter(sample.who for sample in samples)
    assert split["topic_query"] == Counter(sample.topic_query for sample in samples)
    assert split["updated"]["true"] == sum(sample.is_updated for sample in samples)
    assert split["sensitive_info"]["true"] == sum(sample.is_sensitive for sample in samples)
    assert split["swap_groups"] == {"num_groups": 28, "rows": 112}


def test_statistics_are_json(mini: dict[str, Any]) -> None:
    assert json.loads(json.dumps(mini, allow_nan=False)) == mini


def test_history_tokens_count_each_history_once(tmp_path: Path) -> None:
    links = {"chat_history_32k_link": "data/chat_history_32k/other.json"}
    rows = [
        make_row(0, total_tokens_in_chat_history_32k="100"),
        make_row(1, total_tokens_in_chat_history_32k="100"),
        make_row(2, total_tokens_in_chat_history_32k="401", **links),
    ]
    folder = write_dataset(tmp_path, rows)
    shutil.copy(folder / rows[0]["chat_history_32k_link"], folder / links["chat_history_32k_link"])
    tokens = measure_dataset(folder)["splits"]["benchmark_text"]["history_tokens"]["32k"]
    assert tokens == {"histories": 2, "min": 100, "median": 250.5, "max": 401}


def test_leaks_are_the_baselines_of_a_report_on_the_same_rows(mini: dict[str, Any], no_context_run: Path) -> None:
    report = build_report(no_context_run)
    leaks = mini["splits"]["benchmark_text"]["leaks"]
    assert leaks["rows"] == report["rows"] == "balanced"
    assert leaks["baselines"] == {name: report["baselines"][name] for name in leaks["baselines"]}
    assert leaks["chance"] == report["chance"]


def test_unequal_lengths_are_found_and_secrets_stand_apart(tmp_path: Path) -> None:
    short, long = "Yes.", "A reply that is much longer than any of the others that stand beside it."
    rows = [make_row(number, persona_id=str(number), correct_answer=short, who="others") for number in range(4)]
    rows += [make_row(number, persona_id=str(number), correct_answer=long) for number in range(4, 8)]
    rows += [make_row(9, correct_answer=long, pref_type="sensitive_info", sensitive_info="True")]
    leaks = measure_dataset(write_dataset(tmp_path, rows))["splits"]["benchmark_text"]["leaks"]
    assert leaks["rows"] == "ordinary"
    assert leaks["baselines"]["longest_option"]["value"] == 0.5
    assert leaks["baselines"]["longest_option"]["n"] == 8
    assert leaks["baselines"]["longest_option"]["num_clusters"] == 8
    assert leaks["by_who"]["others"]["shortest_option"]["value"] == 1.0
    assert leaks["by_who"]["self"]["longest_option"]["value"] == 1.0
    assert leaks["sensitive_info"]["longest_option"]["n"] == 1
    assert leaks["no_context"] is None


def test_a_no_context_run_stands_beside_the_leaks(no_context_run: Path) -> None:
    figures = measure_dataset(MINI, no_context=no_context_run)["splits"]["benchmark_text"]["leaks"]["no_context"]
    assert figures["value"] == build_report(no_context_run)["baselines"]["no_context"]["value"]
    assert (figures["model"], figures["protocol"], figures["seed"]) == ("lexical", "v1", 0)


def test_a_run_on_other_questions_is_refused(tmp_path: Path, no_context_run: Path) -> None:
    folder = write_dataset(tmp_path)
    with pytest.raises(DataFormatError, match="did not ask the questions of this benchmark_text"):
        measure_dataset(folder, no_context=no_context_run)
    with pytest.raises(DataFormatError, match=r"holds no run\.json"):
        measure_dataset(folder, no_context=tmp_path)


def test_a_folder_without_questions_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(DataFormatError):
        measure_dataset(tmp_path)


def test_bytes_on_disk_are_those_of_the_files(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path)
    (folder / "README.md").write_text("not data")
    measured = measure_dataset(folder)
    csv = folder / "benchmark" / "text" / "benchmark.csv"
    assert measured["folders"]["benchmark/text"] == {"files": 1, "size_bytes": csv.stat().st_size}
    assert set(measured["folders"]) == {
        "benchmark/text",
        "data/chat_history_32k",
        "data/chat_history_128k",
        "data/raw_data",
    }


def test_terminal_text_names_every_split(mini: dict[str, Any]) -> None:
    text = render_stats(mini)
    assert "benchmark_text: 124 rows, 20 personas" in text
    assert "no context             not measured" in text
