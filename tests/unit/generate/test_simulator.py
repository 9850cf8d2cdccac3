"""The simulator's output: balanced, resumable, the same bytes, and nothing given away."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import os
import subprocess
import sys
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner

from hub_toolkit.answer.lexical import pick
from hub_toolkit.cli.generate import generate
from hub_toolkit.cli.main import main
from hub_toolkit.data.check import check_dataset
from hub_toolkit.data.parse import load_samples
from hub_toolkit.data.schema import SPLITS, Sample
from hub_toolkit.errors import DataFormatError
from hub_toolkit.generate.blind import option_order
from hub_toolkit.generate.blocks import write_blocks
from hub_toolkit.generate.config import SimulatorConfig
from hub_toolkit.generate.histories import assemble, order_blocks
from hub_toolkit.generate.personas import make_quad, make_twins
from hub_toolkit.generate.preferences import plan_quad
from hub_toolkit.generate.records import Block
from hub_toolkit.generate.seeding import rng_for
from hub_toolkit.generate.simulator import simulate
from hub_toolkit.generate.stages import write_stage
from hub_toolkit.metrics.leakage import baseline_scores

CONFIG = SimulatorConfig(
    num_personas=12,
    topics_per_quad=10,
    context_32k_tokens=8_000,
    context_128k_tokens=14_000,
    padding_dialogues=80,
    extra_topics=20,
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("simulated") / "out"
    simulate(CONFIG, out)
    return out


@pytest.fixture(scope="module")
def samples(dataset: Path) -> list[Sample]:
    return [
        s
        for split in SPLITS
        if (dataset / f"benchmark/text/{split}.csv").exists()
        for s in load_samples(dataset, split)
    ]


def groups_of(samples: list[Sample]) -> dict[str, list[Sample]]:
    groups: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        if sample.group_id:
            groups[sample.group_id].append(sample)
    return groups


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def test_check_finds_nothing(dataset: Path) -> None:
    report = check_dataset(dataset)
    assert report.problems == ()
    assert sum(counts.rows for counts in report.counts.values()) == 12 * 11 + 9 + 3


def test_a_group_is_one_query_and_four_options_each_right_for_one_owner(samples: list[Sample]) -> None:
    for group in groups_of(samples).values():
        assert len(group) == 4
        assert len({s.persona_id for s in group}) == 4
        assert len({s.user_query.text for s in group}) == 1
        assert len({tuple(option_order(s)) for s in group}) == 1
        assert {s.correct_answer for s in group} == set(option_order(group[0]))
        assert len({s.split for s in group}) == 1


def test_longest_shortest_and_first_are_right_in_a_quarter(samples: list[Sample]) -> None:
    balanced = [s for s in samples if s.is_balanced]
    scores = [baseline_scores(option_order(s), option_order(s).index(s.correct_answer)) for s in balanced]
    for name in ("longest_option", "shortest_option", "first_option"):
        assert sum(score[name] for score in scores) / len(scores) == pytest.approx(0.25)


def test_owners_of_a_group_differ_in_name_alone(samples: list[Sample]) -> None:
    for group in groups_of(samples).values():
        described = [{k: v for k, v in s.expanded_persona.items() if k != "name"} for s in group]
        assert all(persona == described[0] for persona in described)
        assert len({s.short_persona for s in group}) == 1
        totals = [s.counts["total_tokens_in_chat_history_32k"] for s in group]
        assert max(totals) < 1.1 * min(totals)


def test_the_signal_is_in_the_evidence(samples: list[Sample]) -> None:
    balanced = [s for s in samples if s.is_balanced]

    def overlap(sample: Sample, source: Sample) -> bool:
        text = "\n".join(m.text for m in source.related_snippet if m.role == "user")
        order = option_order(sample)
        return order[pick(text, order, query=sample.user_query.text)] == sample.correct_answer

    assert sum(overlap(s, s) for s in balanced) / len(balanced) > 0.6
    partners = [(g[i], g[(i + 1) % 4]) for g in groups_of(samples).values() for i in range(4)]
    assert sum(overlap(s, other) for s, other in partners) / len(partners) < 0.25


def test_forget_update_and_others_read_as_published(samples: list[Sample]) -> None:
    forget = [s for s in samples if s.pref_type == "ask_to_forget"]
    assert forget
    for sample in forget:
        assert sample.preference == f"Do not remember '{sample.prev_pref}' in memory"
        assert sample.is_updated
    assert any(s.is_updated and s.prev_pref and s.pref_type != "ask_to_forget" for s in samples)
    assert any(s.who == "others" for s in samples)
    assert all(s.is_sensitive == (s.pref_type == "sensitive_info") for s in samples)


def test_secrets_stand_in_the_history_and_not_in_the_right_answer(dataset: Path, samples: list[Sample]) -> None:
    for sample in (s for s in samples if s.is_sensitive):
        secret = sample.preference.split(": ")[1]
        assert secret in (dataset / sample.history_links["32k"]).read_text("utf-8")
        assert secret not in sample.correct_answer
        assert secret not in sample.user_query.text


def test_a_snippet_stands_in_both_histories_and_the_figures_agree(dataset: Path, samples: list[Sample]) -> None:
    for sample in samples[::7]:
        for size in ("32k", "128k"):
            history = json.loads((dataset / sample.history_links[size]).read_bytes())  # type: ignore[index]
            texts = [message["content"] for message in history["chat_history"]]
            assert all(message.text in texts for message in sample.related_snippet)
            assert history["metadata"]["total_messages"] == len(texts)
            assert history["metadata"]["final_token_count"] == sample.counts[f"total_tokens_in_chat_history_{size}"]
        assert sample.counts["num_persona_irrelevant_tokens_32k"] == 0
        assert sample.counts["num_persona_irrelevant_tokens_128k"] > 0


def test_twins_differ_from_their_original_in_one_block() -> None:
    owners = make_quad(CONFIG, 0)
    plan = plan_quad(CONFIG, 0)
    twins = make_twins(CONFIG, owners)
    assert [t.twin_kind for t in twins] == ["forget", "friend", "update"]
    base = assemble(CONFIG, owners[0], write_blocks(CONFIG, owners[0], plan))
    for twin in twins:
        histories = assemble(CONFIG, twin, write_blocks(CONFIG, twin, plan))
        for mine, original in zip(histories, base, strict=True):
            changed = [a for a, b in zip(mine.pieces, original.pieces, strict=True) if a.messages != b.messages]
            assert len(changed) == 1
            assert isinstance(changed[0], Block)
            assert changed[0].group_id == f"q00000.{twin.twin_kind}"


def test_updates_come_after_and_requests_to_forget_right_after_their_target() -> None:
    seen = set()
    config = dataclasses.replace(CONFIG, num_personas=24)
    for quad in range(6):
        plan = plan_quad(config, quad)
        for owner in make_quad(config, quad):
            blocks = write_blocks(config, owner, plan)
            order = [block.block_id for block in order_blocks(blocks, rng_for(0, quad))]
            for block in (b for b in blocks if b.after):
                gap = order.index(block.block_id) - order.index(str(block.after))
                assert gap == 1 if block.is_adjacent else gap > 0
                seen.add(block.role)
            long = assemble(config, owner, blocks)[-1]
            for forget in (b for b in blocks if b.role == "forget"):
                assert long.ends[str(forget.after)][1] == long.ends[forget.block_id][0]
    assert seen == {"update", "forget"}


def test_histories_stay_within_their_sizes() -> None:
    owner = make_quad(CONFIG, 1)[0]
    short, long = assemble(CONFIG, owner, write_blocks(CONFIG, owner, plan_quad(CONFIG, 1)))
    assert 0.8 * CONFIG.context_32k_tokens < short.tokens <= CONFIG.context_32k_tokens
    assert 0.9 * CONFIG.context_128k_tokens < long.tokens <= CONFIG.context_128k_tokens


@pytest.mark.parametrize(("questions", "tokens"), [(6, 4000), (10, 6000)])
def test_short_histories_hold_all_evidence_and_stay_short(questions: int, tokens: int) -> None:
    """For training: other people's texts and repeated questions give way to what is asked about."""
    config = SimulatorConfig(
        num_personas=40,
        topics_per_quad=questions,
        context_32k_tokens=tokens,
        context_128k_tokens=tokens,
        has_128k=False,
    )
    for quad in range(1, 10):
        plan = plan_quad(config, quad)
        for owner in make_quad(config, quad):
            [history] = assemble(config, owner, write_blocks(config, owner, plan))
            assert history.tokens <= tokens
            shown = {piece.group_id for piece in history.pieces if isinstance(piece, Block)}
            assert {assignment.group_id for assignment in plan.asked} <= shown
            assert "secret" in history.ends


def test_one_liking_tells_nothing_of_the_next() -> None:
    """Over many quads, whether two owners' places in two groups agree is as chance has it."""
    agree = total = 0
    for quad in range(120):
        asked = [a for a in plan_quad(CONFIG, quad).asked if a.kind == "plain"]
        for first, second in pairwise(asked):
            agree += sum(a == b for a, b in zip(first.liked, second.liked, strict=True))
            total += 4
    assert 0.18 < agree / total < 0.32


def test_same_seed_same_bytes_in_another_process_and_another_seed_other_bytes(dataset: Path, tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from hub_toolkit.generate.config import SimulatorConfig;"
        "from hub_toolkit.generate.simulator import simulate;"
        f"simulate(SimulatorConfig(**{CONFIG.as_dict()!r}), Path(sys.argv[1]))"
    )
    subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "again")], check=True, env={**os.environ, "PYTHONHASHSEED": "5"}
    )
    assert contents(tmp_path / "again") == contents(dataset)
    other = SimulatorConfig(**{**CONFIG.as_dict(), "seed": 1})
    simulate(other, tmp_path / "other")
    assert contents(tmp_path / "other").keys() == contents(dataset).keys()
    assert contents(tmp_path / "other") != contents(dataset)


def test_what_is_finished_is_not_made_again_and_the_bytes_are_the_same(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hub_toolkit.generate import simulator

    out = tmp_path / "out"
    calls = 0
    write = simulator.write_personas

    def stop_in_the_second_quad(files: list[object]) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            write(files[:1])  # type: ignore[arg-type]
            raise KeyboardInterrupt
        write(files)  # type: ignore[arg-type]

    monkeypatch.setattr(simulator, "write_personas", stop_in_the_second_quad)
    with pytest.raises(KeyboardInterrupt):
        simulate(CONFIG, out)
    monkeypatch.undo()
    assert not (out / "benchmark").exists()
    assert simulate(CONFIG, out).num_written == 12 + 3 - (4 + 3) - 1
    assert contents(out) == contents(dataset)
    assert simulate(CONFIG, out).num_written == 0


def test_a_folder_with_something_else_is_refused(dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(DataFormatError, match="another configuration"):
        simulate(SimulatorConfig(), dataset)
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(DataFormatError, match="something else"):
        simulate(CONFIG, tmp_path)
    (tmp_path / "mine.txt").rename(tmp_path / "generate_config.json")
    with pytest.raises(DataFormatError, match="is no configuration"):
        simulate(CONFIG, tmp_path)


@pytest.mark.parametrize("num", [0, 3, 10])
def test_personas_come_in_fours(num: int) -> None:
    with pytest.raises(DataFormatError, match="multiple of 4"):
        SimulatorConfig(num_personas=num)


def test_the_card_says_what_it_is(dataset: Path) -> None:
    card = (dataset / "README.md").read_text("utf-8")
    assert "not human-like" in card
    assert "scale tests" in card
    facts = json.loads((dataset / "generate_report.json").read_text())
    rows = [
        row
        for path in (dataset / "benchmark/text").glob("*.csv")
        for row in csv.DictReader(io.StringIO(path.read_text("utf-8"), newline=""))
    ]
    assert facts["num_rows"] == len(rows)
    assert f"{len(rows):,}" in card


@pytest.mark.parametrize("stage", ["personas", "preferences", "conversations", "questions", "histories"])
def test_a_stage_runs_alone_and_is_kept(stage: str, tmp_path: Path) -> None:
    config = dataclasses.replace(CONFIG, num_personas=4)
    folder = write_stage(config, stage, tmp_path)
    [path] = folder.glob("*.jsonl")
    first = path.read_bytes()
    assert all(isinstance(json.loads(line), dict) for line in first.splitlines())
    path.unlink()
    assert write_stage(config, stage, tmp_path) == folder
    assert path.read_bytes() == first


def test_the_command_writes_and_then_has_nothing_to_do(tmp_path: Path) -> None:
    options = [
        "--personas",
        "4",
        "--questions",
        "4",
        "--tokens",
        "3000",
        "--long-tokens",
        "0",
        "--out",
        str(tmp_path / "d"),
    ]
    first = CliRunner().invoke(generate, options)
    assert first.exit_code == 0, first.output
    assert "wrote 7 personas" in first.output
    again = CliRunner().invoke(generate, options)
    assert "nothing to do" in again.output
    assert "Missing option '--out'" in CliRunner().invoke(generate, options[:-2]).output
    assert check_dataset(tmp_path / "d").problems == ()


def test_a_full_disk_is_one_line_that_says_where_and_the_next_call_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ["generate", "--personas", "4", "--questions", "4", "--tokens", "3000", "--long-tokens", "0"]
    options += ["--out", str(tmp_path / "d")]
    num_synced = 0

    def sync(_: int) -> None:
        nonlocal num_synced
        num_synced += 1
        if num_synced == 9:
            raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("hub_toolkit.evaluate.journal.os.fsync", sync)
        full = CliRunner().invoke(main, options)
    assert full.exit_code == 1 and full.output.count("\n") == 1
    assert f"error: {tmp_path}/d/" in full.output and "No space left on device" in full.output
    assert CliRunner().invoke(main, options).exit_code == 0
    assert check_dataset(tmp_path / "d").problems == ()
    assert not list((tmp_path / "d").rglob("*.part"))
