from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.train.tiny_model import make_tokenizer, require_trl

require_trl()

from hub_toolkit.answer.protocol import load_protocol  # noqa: E402
from hub_toolkit.answer.readers import Window, read_history  # noqa: E402
from hub_toolkit.data.history import load_history  # noqa: E402
from hub_toolkit.data.parse import load_samples  # noqa: E402
from hub_toolkit.data.tokens import EstimateCounter  # noqa: E402
from hub_toolkit.errors import DataFormatError, PersonaMemError  # noqa: E402
from hub_toolkit.settings import load_settings  # noqa: E402
from hub_toolkit.types import Message  # noqa: E402
from tests.dataset_factory import write_history, write_rows  # noqa: E402
from tests.train.tiny_data import OPTIONS, write_swap_dataset  # noqa: E402
from train.config import DataConfig  # noqa: E402
from train.data import GroupSampler, Stage, decode_sample, load_data, order_rows, plan_rows  # noqa: E402
from train.rewards import mcq_reward  # noqa: E402


@pytest.fixture(scope="module")
def swaps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_swap_dataset(tmp_path_factory.mktemp("data") / "swaps", alone=2)


def load(folder: Path, out: Path, stage: Stage = "grpo", **changes: Any) -> Any:
    return load_data(
        DataConfig(dataset=str(folder), **changes), load_settings(), make_tokenizer(), stage=stage, out=out
    )


def edit_rows(folder: Path, split: str, change: Any) -> None:
    """Rewrite a split's CSV."""
    import csv

    path = folder / "benchmark" / "text" / f"{split}.csv"
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    write_rows(path, [change(place, row) for place, row in enumerate(rows)])


def test_a_prompt_is_what_evaluation_asks_word_for_word(swaps: Path, tmp_path: Path) -> None:
    data = load(swaps, tmp_path, rows_seed=5, mcq_share=0.5)
    protocol = load_protocol("v1")
    samples = {sample.sample_id: sample for sample in load_samples(swaps, "train")}
    assert Counter(data.dataset["task"]) == {"mcq": 20, "open": 20}
    for row in data.dataset:
        sample = samples[row["sample_id"]]
        history = load_history(swaps / sample.history_links["32k"])
        question = protocol.pose(sample, 5) if row["task"] == "mcq" else protocol.pose_open(sample, 5)
        asked = protocol.messages(read_history(history), question, EstimateCounter(), Window(None, 0))
        assert [Message(**message) for message in row["prompt"]] == asked
        assert decode_sample(row["sample"]).correct_answer == sample.correct_answer
        ids = make_tokenizer().apply_chat_template(row["prompt"], add_generation_prompt=True, return_dict=True)
        assert row["num_tokens"] == len(ids["input_ids"])
        if row["task"] == "mcq":
            assert row["options"]["ABCD".index(row["gold"])] == sample.correct_answer


def test_the_share_of_open_rows_is_a_knob_and_drawn_by_seed(swaps: Path) -> None:
    samples = load_samples(swaps, "train")

    def open_ids(**changes: Any) -> set[str]:
        return {row.sample.sample_id for row in plan_rows(samples, DataConfig(**changes)) if row.task == "open"}

    assert not open_ids(mcq_share=1.0)
    assert len(open_ids(mcq_share=0.0)) == len(samples)
    assert len(open_ids(mcq_share=0.8)) == 8
    assert open_ids(rows_seed=1) != open_ids(rows_seed=2)
    assert open_ids(rows_seed=1) == open_ids(rows_seed=1)


def test_whoever_ignores_the_history_earns_exactly_chance_in_every_batch(swaps: Path, tmp_path: Path) -> None:
    rows = load(swaps, tmp_path, mcq_share=1.0, limit_train=32).dataset.filter(lambda row: bool(row["unit"]))
    policies = {
        "always A": lambda _: "A",
        "longest": lambda row: "ABCD"[max(range(4), key=lambda place: (len(row["options"][place]), place))],
        "by the question": lambda row: "ABCD"[len(row["prompt"][-1]["content"]) % 4],
    }
    for batch_size in (4, 8, 16):
        order = list(GroupSampler(rows["unit"], batch_size, seed=3))
        assert len(set(order)) == len(order)
        for name, policy in policies.items():
            means = []
            for start in range(0, len(order), batch_size):
                batch = [rows[place] for place in order[start : start + batch_size]]
                replies = [[{"role": "assistant", "content": f"\\boxed{{{policy(row)}}}"}] for row in batch]
                columns = {key: [row[key] for row in batch] for key in ("task", "gold", "target")}
                scores = mcq_reward(completions=replies, **columns)
                means.append(sum(score or 0 for score in scores) / batch_size)
            assert set(means) == {0.25}, (name, batch_size)


def test_without_groups_kept_together_a_batch_is_not_at_chance(swaps: Path, tmp_path: Path) -> None:
    """The control: the figure above comes from the order, not from the data alone."""
    rows = load(swaps, tmp_path, mcq_share=1.0, is_keeping_groups=False).dataset
    assert not any(rows["unit"])
    order = list(GroupSampler(rows["unit"], 4, seed=3))
    firsts = [sum(rows[place]["gold"] == "A" for place in order[start : start + 4]) for start in range(0, 32, 4)]
    assert set(firsts) != {1}


def test_an_epoch_has_its_own_order_and_a_resumed_run_the_same() -> None:
    units = [f"g{place // 4}" for place in range(32)] + [""] * 6
    sampler, resumed = (GroupSampler(units, 8, seed=1, mini_repeat_count=2, repeat_count=2) for _ in range(2))
    first = list(sampler)
    assert len(first) == len(sampler) == 32 * 4
    sampler.set_epoch(1)
    resumed.set_epoch(1)
    assert list(sampler) == list(resumed) != first
    assert sorted(order_rows(units, 8, seed=1)) == list(range(38))


def test_a_batch_that_cannot_hold_whole_groups_is_refused() -> None:
    units = [f"g{place // 4}" for place in range(32)]
    with pytest.raises(PersonaMemError, match=r"batch of 6 prompts cannot hold whole swap groups of 4.*multiple of 4"):
        GroupSampler(units, 6, seed=0)
    with pytest.raises(PersonaMemError, match="do not fill one batch of 64"):
        GroupSampler(units, 64, seed=0)


def test_a_persona_in_two_splits_is_refused_by_name(tmp_path: Path) -> None:
    folder = write_swap_dataset(tmp_path / "data")
    stolen = {"persona_id": "9", "expanded_persona": json.dumps({"name": "Person 9", "occupation": "clerk"})}
    edit_rows(folder, "train", lambda place, row: row | stolen if place == 0 else row)
    with pytest.raises(
        DataFormatError, match=r"train \(train\) and held out \(benchmark\) share 1 personas: 9 \(Person 9\)"
    ):
        load(folder, tmp_path / "out")


@pytest.mark.parametrize("column", ["expanded_persona", "chat_history_32k_link", "twin_of"])
def test_one_person_under_two_numbers_is_still_one(tmp_path: Path, column: str) -> None:
    folder = write_swap_dataset(tmp_path / "data")
    same = {
        "expanded_persona": json.dumps({"name": "Person 5", "occupation": "clerk"}),
        "chat_history_32k_link": "data/chat_history_32k/persona5.json",
        "twin_of": "5",
    }
    edit_rows(folder, "train", lambda place, row: row | {column: same[column]} if place == 0 else row)
    with pytest.raises(DataFormatError, match="share 1 personas"):
        load(folder, tmp_path / "out")


def test_overlong_rows_are_listed_and_take_their_group_along(tmp_path: Path) -> None:
    folder = write_swap_dataset(tmp_path / "data", alone=1)
    long = [{"role": "user", "content": "word " * 400}, {"role": "assistant", "content": "Well."}]
    write_history(folder / "data/chat_history_32k/persona1.json", long)
    data = load(folder, tmp_path / "out", mcq_share=1.0, max_prompt_tokens=300)
    reasons = Counter(row.reason for row in data.rows.dropped)
    # Persona 1 owns one row of each of the eight groups, and one that stands alone.
    assert reasons == {"more than max_prompt_tokens = 300 tokens": 9, "its swap group lost a row": 24}
    assert len(data.dataset) == 3
    assert max(data.dataset["num_tokens"]) <= 300
    assert "9 for more than max_prompt_tokens = 300 tokens: row 1 (" in data.rows.describe()
    listed = json.loads((tmp_path / "out/rows/dropped_rows.json").read_bytes())
    assert {row["row"] for row in listed if row["size"]} == {1, 5, 9, 13, 17, 21, 25, 29, 33}
    with pytest.raises(DataFormatError, match=r"no row is left to train on.*max_prompt_tokens = 3 "):
        load(folder, tmp_path / "out", max_prompt_tokens=3)


def test_an_sft_target_is_the_letter_in_its_box_and_the_text(swaps: Path, tmp_path: Path) -> None:
    rows = load(swaps, tmp_path, "sft", mcq_share=0.5, reason="Because: {preference}").dataset
    for row in rows:
        sample, target = decode_sample(row["sample"]), row["completion"][0]["content"]
        reason = f"Because: {sample.preference}\n\n"
        bare = sample.correct_answer
        assert target == reason + (f"\\boxed{{{row['gold']}}}\n\n{bare}" if row["task"] == "mcq" else bare)
    scores = mcq_reward(rows["completion"], task=rows["task"], gold=rows["gold"], target=rows["target"])
    assert {score for score, task in zip(scores, rows["task"], strict=True) if task == "mcq"} == {1.0}


def test_no_reason_names_a_secret_or_what_was_to_be_forgotten(tmp_path: Path) -> None:
    folder = write_swap_dataset(tmp_path / "data", {"train": 0, "val": 1, "benchmark": 1}, alone=1)
    kinds = ["sensitive_info", "ask_to_forget", "neutral_preferences", "neutral_preferences"]
    edit_rows(folder, "train", lambda place, row: row | {"pref_type": kinds[place]})
    rows = load(folder, tmp_path / "out", "sft", mcq_share=1.0, reason="Because: {preference}").dataset
    assert ["Because" in row["completion"][0]["content"] for row in rows] == [False, False, True, True]


def test_permuted_and_counterfactual_rows_leave_nothing_to_gain_without_the_history(
    swaps: Path, tmp_path: Path
) -> None:
    rows = load(swaps, tmp_path, mcq_share=1.0, num_permutations=4, counterfactual_share=1.0).dataset
    kinds = Counter((row["target"], bool(row["unit"])) for row in rows)
    assert kinds == {("gold", True): 128, ("gold", False): 32, ("not_gold", False): 32}
    golds = Counter((row["sample_id"], row["gold"]) for row in rows if row["target"] == "gold")
    assert set(golds.values()) == {1}
    lone = [row for row in rows if not row["unit"]]
    # A leak that gives the right text away earns what any other rule earns: one for each pair.
    for pick in (lambda row: row["gold"], lambda _: "A", lambda row: "B" if row["gold"] == "A" else "A"):
        replies = [f"\\boxed{{{pick(row)}}}" for row in lone]
        columns = {key: [row[key] for row in lone] for key in ("task", "gold", "target")}
        assert sum(score or 0 for score in mcq_reward(replies, **columns)) == len(lone) / 2
    foreign = [row for row in rows if row["target"] == "not_gold"]
    own = {sample.sample_id: sample.preference.split()[-1] for sample in load_samples(swaps, "train")}
    assert not any(own[row["sample_id"]] in row["prompt"][0]["content"] for row in foreign)


def test_memory_rows_hold_the_history_and_where_it_begins(swaps: Path, tmp_path: Path) -> None:
    data = load(swaps, tmp_path, "memory", max_prompt_tokens=1)
    assert not data.rows.dropped  # the rollout never reads the prompt as a whole
    assert set(data.dataset["history_start"]) == {1}
    assert [message["role"] for message in data.dataset[0]["prompt"]] == ["user", "assistant", "user"]
    short = load_data(
        DataConfig(dataset=str(swaps), chunk_tokens=16),
        load_settings(),
        make_tokenizer(),
        stage="memory",
        out=tmp_path / "short",
        max_turns=2,
    )
    assert not short.rows.dropped
    with pytest.raises(DataFormatError, match="more than max_turns = 1 updates: row 1 \\(2\\)"):
        load_data(
            DataConfig(dataset=str(swaps), chunk_tokens=16),
            load_settings(),
            make_tokenizer(),
            stage="memory",
            out=tmp_path / "one",
            max_turns=1,
        )


def test_cold_start_updates_teach_what_the_builder_then_reads(swaps: Path, tmp_path: Path) -> None:
    rows = load(swaps, tmp_path, "sft", cold_start_updates=True, reader="memory").dataset
    updates = [row for row in rows if row["task"] == "update"]
    assert len(updates) == 4  # one chunk for each of four histories
    for row in updates:
        [prompt] = row["prompt"]
        assert "pottery" in prompt["content"] or "again" in prompt["content"]
        assert not any(option in prompt["content"] for option in OPTIONS)
        assert row["completion"][0]["content"].startswith("- ") or row["completion"][0]["content"].startswith("No prev")


def test_a_missing_split_says_which(swaps: Path, tmp_path: Path) -> None:
    with pytest.raises(DataFormatError, match="there is no split 'dev'; name one of benchmark, train, val"):
        load(swaps, tmp_path, train_split="dev")
    with pytest.raises(PersonaMemError, match=r"mcq_share is 1\.5; it must be 0 to 1"):
        replace(DataConfig(), mcq_share=1.5)
