"""The page on a dataset: what is planted is found, what is foreign stays text, what is missing is said."""

from __future__ import annotations

import csv
import dataclasses
import html
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from hub_toolkit.cli.generate import generate
from hub_toolkit.data.parse import resolve_dataset
from hub_toolkit.errors import DataFormatError
from hub_toolkit.generate.config import SimulatorConfig
from hub_toolkit.generate.inspection.measure import (
    bin_width,
    count_distances,
    measure_baselines,
    measure_blind,
    measure_likeness,
    open_inspected,
)
from hub_toolkit.generate.inspection.neighbours import find_neighbours
from hub_toolkit.generate.inspection.page import render_inspection
from hub_toolkit.generate.simulator import simulate

CONFIG = SimulatorConfig(
    num_personas=16, topics_per_quad=6, context_32k_tokens=4000, context_128k_tokens=4000, has_128k=False
)
HOSTILE = "</style><script>alert(1)</script><img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("inspected") / "dataset"
    simulate(CONFIG, out)
    return out


@pytest.fixture
def dataset(simulated: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(simulated, tmp_path / "dataset"))


def edit_rows(dataset: Path, split: str, change: Callable[[list[dict[str, str]]], None]) -> None:
    path = dataset / "benchmark" / "text" / f"{split}.csv"
    with path.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    change(rows)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def page_of(folder: Path) -> str:
    return render_inspection(open_inspected(folder), name="a dataset")


def text_of(page: str) -> str:
    text = re.sub(r"<[^>]+>", " ", page.split("</style>")[1].replace("</bdi>", ""))
    return " ".join(html.unescape(text).split())


def test_a_planted_near_duplicate_of_each_kind_is_found(dataset: Path) -> None:
    before = {like.what: like for like in measure_likeness(open_inspected(dataset))}
    assert before["histories"].num_near == 0
    with (dataset / "benchmark/text/train.csv").open(newline="", encoding="utf-8") as stream:
        taken = next(row for row in csv.DictReader(stream) if row["group_id"])

    def plant(rows: list[dict[str, str]]) -> None:
        place = next(number for number, row in enumerate(rows) if row["group_id"])
        words = {name: taken[name] for name in ("user_query", "correct_answer", "incorrect_answers")}
        rows[place] |= {**words, "user_query": taken["user_query"].replace("?", ", please?"), "group_id": ""}
        rows[place]["correct_answer"] = "Well: " + taken["correct_answer"]

    edit_rows(dataset, "benchmark", plant)
    link = next(iter(open_inspected(dataset).samples["benchmark"])).history_links["32k"]
    messages = json.loads((dataset / taken["chat_history_32k_link"]).read_bytes())["chat_history"]
    own = json.loads((dataset / link).read_bytes())
    own["chat_history"] = [*own["chat_history"][: len(own["chat_history"]) // 2], *messages[len(messages) // 2 :]]
    (dataset / link).write_text(json.dumps(own), "utf-8")

    after = {like.what: like for like in measure_likeness(open_inspected(dataset))}
    assert after["histories"].num_near == 1
    assert after["histories"].pairs[0].left == link
    assert after["histories"].pairs[0].right == taken["chat_history_32k_link"]
    assert after["questions with options"].num_near == before["questions with options"].num_near + 1
    assert link in text_of(page_of(dataset))


def test_texts_without_a_shared_word_are_no_neighbours() -> None:
    assert find_neighbours({"a": "one two three"}, {"b": "four five six"}, num_words=2) == []
    [pair] = find_neighbours({"a": "one two three"}, {"b": "one two three", "c": "one two four"}, num_words=2)
    assert (pair.right, pair.similarity) == ("b", 1.0)


def test_a_word_that_gives_the_answer_away_is_seen_and_a_simulated_dataset_has_none(dataset: Path) -> None:
    blind = measure_blind(open_inspected(dataset))
    assert blind is not None
    assert blind.score.value is not None
    assert blind.score.value < 0.45

    def plant(rows: list[dict[str, str]]) -> None:
        for row in rows:
            row["correct_answer"] += " That would be wonderful indeed."

    for split in ("benchmark", "train"):
        edit_rows(dataset, split, plant)
    leaky = open_inspected(dataset)
    found = measure_blind(leaky)
    assert found is not None
    assert found.score.value is not None
    assert found.score.value > 0.9
    assert (measure_baselines(leaky.choices)["longest_option"].value or 0) > 0.95


def test_where_there_is_one_split_nobody_is_asked_who_was_learned_from() -> None:
    """Labels that no text tells: who had learned from the very rows would know them all."""
    mini = open_inspected(resolve_dataset("mini"))
    first = {sample.group_id: sample for sample in mini.choices if sample.group_id}
    alone = [dataclasses.replace(sample, group_id=None) for sample in first.values()]
    blind = measure_blind(dataclasses.replace(mini, samples={"benchmark": alone}))
    assert blind is not None
    assert blind.score.value is not None
    assert blind.score.value < 0.8


def test_foreign_text_stays_text_and_nothing_is_loaded(dataset: Path) -> None:
    def plant(rows: list[dict[str, str]]) -> None:
        for row in rows:
            row["user_query"] = repr({"role": "user", "content": f"{row['user_query']} {HOSTILE}"})
            row["correct_answer"] += HOSTILE
            row["topic_query"] = row["preference"] = HOSTILE

    edit_rows(dataset, "benchmark", plant)
    survival = {HOSTILE: {"in": 3, "out": 1, "rejected": {HOSTILE: 2}}}
    (dataset / "survival.json").write_text(json.dumps(survival))
    (dataset / "rejections.jsonl").write_text(json.dumps({"reason": HOSTILE}) + "\n")
    page = render_inspection(open_inspected(dataset), name=HOSTILE)
    assert HOSTILE in text_of(page)
    assert "<script" not in page
    assert "<img" not in page
    assert re.findall(r'(?:src|href)="(?!#)', page) == []
    assert "url(" not in page
    assert "default-src &#x27;none&#x27;" in page


def test_survival_shows_each_stage_and_reason(dataset: Path) -> None:
    assert "written without filters" in text_of(page_of(dataset))
    stages = {
        "questions": {"in": 40, "out": 30, "rejected": {"leaks": 7, "no gold": 3}},
        "votes": {"in": 30, "out": 0, "rejected": {"unparsable": 30}},
        "nothing": {"in": 0, "out": 0, "rejected": {}},
    }
    (dataset / "survival.json").write_text(json.dumps(stages))
    (dataset / "rejections.jsonl").write_text('{"stage": "votes", "reason": "unparsable", "reply": "I will not"}\n')
    said = text_of(page_of(dataset))
    assert "questions 40 30 75.0 % leaks 7, no gold 3" in said
    assert "votes 30 0 0.0 % unparsable 30" in said
    assert "votes · unparsable: 1 kept" in said
    assert "I will not" in said


@pytest.mark.parametrize("broken", ["[1]", "{", '{"a": {"in": 1}}', '{"a": 3}'])
def test_a_broken_survival_file_is_named(dataset: Path, broken: str) -> None:
    (dataset / "survival.json").write_text(broken)
    with pytest.raises(DataFormatError, match=r"survival\.json: is not"):
        page_of(dataset)
    (dataset / "survival.json").write_text('{"a": {"in": 1, "out": 1}}')
    (dataset / "rejections.jsonl").write_text('{"reason": "x"}\nnot json\n')
    with pytest.raises(DataFormatError, match=r"rejections\.jsonl, row 2"):
        page_of(dataset)


def test_a_persona_in_two_splits_is_said(dataset: Path) -> None:
    assert "No persona stands in more than one split" in text_of(page_of(dataset))
    [person] = {row.persona_id for row in open_inspected(dataset).samples["train"][:1]}
    edit_rows(dataset, "benchmark", lambda rows: rows[-1].update(persona_id=str(person), twin_of=""))
    assert "1 personas stand in more than one split" in text_of(page_of(dataset))


def test_the_command_reads_both_layouts_and_mini(simulated: Path, tmp_path: Path) -> None:
    from hub_toolkit.cli.main import main

    runner = CliRunner(env={"PERSONAMEM_CACHE": str(tmp_path / "cache")})
    parquet = tmp_path / "parquet"
    done = runner.invoke(main, ["data", "convert", str(simulated), str(parquet)])
    assert done.exit_code == 0, done.output
    pages = []
    for number, folder in enumerate((str(simulated), str(parquet), "mini")):
        out = tmp_path / f"{number}.html"
        done = runner.invoke(generate, ["report", folder, "--out", str(out)])
        assert done.exit_code == 0, done.output
        pages.append(text_of(out.read_text("utf-8")))
    assert pages[0].split("What it holds")[2] == pages[1].split("What it holds")[2]
    assert "There is one split only" in pages[2]
    assert "cross-validated over 2 folds" in pages[2]


@pytest.mark.parametrize(("farthest", "width"), [(0, 1024), (10 * 1024 - 1, 1024), (10 * 1024, 2048), (120_000, 16384)])
def test_distances_fill_at_most_ten_bins(dataset: Path, farthest: int, width: int) -> None:
    sample = open_inspected(dataset).rows[0]
    far = dataclasses.replace(sample, counts={"distance_from_related_snippet_to_query_32k": farthest})
    near = dataclasses.replace(sample, counts={"distance_from_related_snippet_to_query_32k": 0})
    unknown = dataclasses.replace(sample, counts={})
    samples = [near, far, unknown]
    assert bin_width(samples) == width
    assert count_distances(samples, width).total() == 2
    assert max(count_distances(samples, width)) == farthest // width < 10


def test_a_folder_without_a_split_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataFormatError, match="no split stands"):
        open_inspected(tmp_path)
    assert open_inspected(resolve_dataset("mini")).modality == "text"
