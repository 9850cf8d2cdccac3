"""Judged runs: what is asked, what is kept, what fails and what goes on."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from hub_toolkit.errors import DataFormatError, ProviderError
from hub_toolkit.evaluate.journal import Journal, lock_run
from hub_toolkit.evaluate.judge_audit import AuditConfig, audit_runs
from hub_toolkit.evaluate.judging import (
    JudgeRecord,
    JudgingOptions,
    apply_judgements,
    judge_open_answers,
    load_judge_record,
    load_judgements,
)
from hub_toolkit.evaluate.record import count_statuses, load_rows
from hub_toolkit.judge.agreement import Price
from hub_toolkit.judge.panel import Panel, PanelConfig
from hub_toolkit.models.base import ChatModel
from tests.fake_judges import MALFORMED, RuleJudge, dice, perfect, yes_sayer
from tests.judged_runs import mini_samples, write_open_run

ROOT = Path(__file__).resolve().parents[3]
NUM_KILLS = 20


def judge(folder: Path, *models: ChatModel, options: JudgingOptions | None = None, **config: Any) -> JudgeRecord:
    panel = Panel(models or [RuleJudge(perfect)], PanelConfig(**config))
    return asyncio.run(judge_open_answers(folder, mini_samples(), panel, options))


def results(folder: Path) -> dict[str, Any]:
    """Return every file's content; of `judge.json` all but the times."""
    found: dict[str, Any] = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    found["judge.json"] = json.loads(found["judge.json"])
    del found["judge.json"]["times"]
    return found


def test_every_answer_gets_three_verdicts_and_its_mark(tmp_path: Path) -> None:
    rows = write_open_run(tmp_path)
    model = RuleJudge(perfect)
    record = judge(tmp_path, model)
    assert model.num_calls == 3 * len(rows)
    judgements = load_judgements(tmp_path)
    assert [judgements[row.sample_id].is_correct for row in rows] == [place % 3 != 0 for place in range(len(rows))]
    assert all(len(judgement.verdicts) == 3 for judgement in judgements.values())
    assert record.status == "complete"
    assert (record.counts["scored"], record.counts["correct"], record.counts["unscored"]) == (12, 8, 0)
    assert record.agreement is not None and record.agreement["flip_rate"]["value"] == 0
    assert not (tmp_path / "judge_journal.jsonl").exists()


def test_record_says_what_the_judgements_depend_on(tmp_path: Path) -> None:
    write_open_run(tmp_path)
    prices = {"fake/judge": Price(1, 1)}
    record = judge(tmp_path, options=JudgingOptions(prices=prices), seed=4)
    assert load_judge_record(tmp_path) == record
    assert record.judges == ["fake/judge #1", "fake/judge #2", "fake/judge #3"]
    assert (record.protocol, record.panel["seed"], record.panel["temperature"]) == ("v1", 4, 1.0)
    rubrics = {"judge_self", "judge_forget", "judge_others", "judge_sensitive", "judge_fact"}
    assert {*rubrics, "judge_repair"} == record.prompts.keys()
    assert record.deviations == {}
    cost = record.cost
    assert cost is not None
    used = sum(judgement.usage.input_tokens for judgement in load_judgements(tmp_path).values())
    assert cost["input_tokens"] == used > 0
    assert cost["usd"] == pytest.approx((cost["input_tokens"] + cost["output_tokens"]) / 1e6)


def test_deviations_from_the_protocol_are_recorded(tmp_path: Path) -> None:
    write_open_run(tmp_path, limit=3)
    record = judge(tmp_path, num_verdicts=1, is_stopping_early=True)
    assert record.deviations == {"num_verdicts": 1, "is_stopping_early": True}


def test_rows_are_filled_and_nothing_failed_becomes_a_score(tmp_path: Path) -> None:
    """Row 0 failed to answer, row 1 cannot be scored, the others are right or wrong."""

    def reply(place: int, sample: Any) -> str | None:
        return None if place == 0 else "unclear" if place == 1 else sample.correct_answer if place % 2 else "wrong"

    class Unsure(RuleJudge):
        def _next_reply(self, messages: Any) -> str:
            text = super()._next_reply(messages)
            return MALFORMED if "<answer>\nunclear\n</answer>" in messages[-1].text else text

    rows = write_open_run(tmp_path, reply=reply)
    record = judge(tmp_path, Unsure(perfect))
    assert rows[0].sample_id not in load_judgements(tmp_path)
    filled = apply_judgements(load_rows(tmp_path), load_judgements(tmp_path), {})
    assert [row.answer.status for row in filled[:4]] == ["failed", "unscored", "scored", "scored"]
    assert [row.answer.is_correct for row in filled[:4]] == [None, None, False, True]
    assert count_statuses(filled) == {"rows": 12, "scored": 10, "unparsed": 0, "failed": 1, "unscored": 1}
    assert sum(row.answer.points for row in filled) == 5
    assert (record.counts["rows"], record.counts["failed"], record.counts["unscored"]) == (12, 1, 1)
    assert record.counts["unreadable_verdicts"] == 3


def test_run_that_is_not_judged_has_no_judgements(tmp_path: Path) -> None:
    rows = write_open_run(tmp_path)
    assert load_judge_record(tmp_path) is None
    assert load_judgements(tmp_path) == {}
    assert apply_judgements(rows, {}, {}) == rows


def test_counterfactual_answers_are_judged_apart(tmp_path: Path) -> None:
    write_open_run(tmp_path, other=lambda place, sample: sample.correct_answer if place < 3 else None)
    record = judge(tmp_path)
    other = load_judgements(tmp_path, "other")
    assert [judgement.is_correct for judgement in other.values()] == [True] * 3
    assert record.counterfactual_counts is not None
    assert (record.counterfactual_counts["correct"], record.counterfactual_counts["failed"]) == (3, 9)
    assert record.counts["correct"] == 8
    filled = apply_judgements(load_rows(tmp_path), load_judgements(tmp_path), other)
    statuses = [row.counterfactual.answer.status for row in filled if row.counterfactual]
    assert statuses == ["scored"] * 3 + ["failed"] * 9


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"status": "running"}, "not complete"),
        ({"config": {"task": "mcq"}}, "needs no judge"),
    ],
)
def test_other_runs_are_refused_before_anything_is_asked(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    write_open_run(tmp_path, **changes)
    model = RuleJudge(perfect)
    with pytest.raises(DataFormatError, match=reason):
        judge(tmp_path, model)
    assert model.num_calls == 0 and not (tmp_path / "judge.json").exists()


def test_missing_run_and_other_data_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataFormatError):
        judge(tmp_path / "empty")
    write_open_run(tmp_path / "run")
    panel = Panel([RuleJudge(perfect)])
    with pytest.raises(DataFormatError, match="not in this dataset"):
        asyncio.run(judge_open_answers(tmp_path / "run", mini_samples()[20:], panel))
    assert load_judgements(tmp_path / "run") == {}, "it is not left half judged"


@pytest.mark.parametrize("config", [{"seed": 1}, {"num_verdicts": 1}, {"temperature": 0.0}, {"protocol": "upstream"}])
def test_another_panel_does_not_write_over_the_first(tmp_path: Path, config: dict[str, Any]) -> None:
    write_open_run(tmp_path)
    judge(tmp_path)
    before = results(tmp_path)
    model = RuleJudge(yes_sayer)
    with pytest.raises(DataFormatError, match=r"another panel .*panel"):
        judge(tmp_path, model, **config)
    with pytest.raises(DataFormatError, match=r"another panel .*judges"):
        judge(tmp_path, RuleJudge(yes_sayer, name="fake/other"))
    assert model.num_calls == 0 and results(tmp_path) == before


def test_judging_again_asks_nothing(tmp_path: Path) -> None:
    write_open_run(tmp_path)
    judge(tmp_path, RuleJudge(dice))
    before = results(tmp_path)
    model = RuleJudge(dice)
    judge(tmp_path, model)
    assert model.num_calls == 0 and results(tmp_path) == before


def test_stopped_judging_goes_on_where_it_was(tmp_path: Path) -> None:
    write_open_run(tmp_path)
    first = RuleJudge(dice, fail_after=10)
    with pytest.raises(ProviderError):
        judge(tmp_path, first)
    with pytest.raises(DataFormatError, match="not judged to the end"):
        load_judgements(tmp_path)
    second = RuleJudge(dice)
    judge(tmp_path, second)
    assert (first.num_calls, second.num_calls) == (10, 26)
    write_open_run(tmp_path / "whole")
    judge(tmp_path / "whole", RuleJudge(dice))
    mended, whole = results(tmp_path), results(tmp_path / "whole")
    assert mended["judgements.jsonl"] == whole["judgements.jsonl"]
    assert mended["judge.json"] == whole["judge.json"]


def test_failed_verdicts_are_asked_again_only_on_request(tmp_path: Path) -> None:
    write_open_run(tmp_path)
    broken = RuleJudge(perfect, fail_after=6)
    broken.error_kind = "server"
    record = judge(tmp_path, broken, options=JudgingOptions(num_concurrent=1))
    assert (record.counts["scored"], record.counts["unscored"], record.counts["failed_verdicts"]) == (2, 10, 30)
    again = RuleJudge(perfect)
    assert judge(tmp_path, again).counts["unscored"] == 10
    assert again.num_calls == 0
    record = judge(tmp_path, again, options=JudgingOptions(is_retrying_failed=True))
    assert (again.num_calls, record.counts["unscored"], record.counts["failed_verdicts"]) == (30, 0, 0)
    write_open_run(tmp_path / "whole")
    judge(tmp_path / "whole")
    assert results(tmp_path)["judgements.jsonl"] == results(tmp_path / "whole")["judgements.jsonl"]


def test_answers_that_changed_are_judged_anew_and_only_they(tmp_path: Path) -> None:
    write_open_run(tmp_path, reply=lambda place, sample: None if place < 2 else sample.correct_answer)
    judge(tmp_path)
    changed = {0: "now an answer", 5: "another answer"}
    write_open_run(tmp_path, reply=lambda place, sample: changed.get(place, sample.correct_answer))
    with pytest.raises(DataFormatError, match="have changed"):
        load_judgements(tmp_path)
    model = RuleJudge(perfect)
    judge(tmp_path, model)
    assert model.num_calls == 3 * 3
    assert [j.is_correct for j in load_judgements(tmp_path).values()] == [place not in changed for place in range(12)]


def test_agreement_of_a_panel_that_stops_early_is_of_those_asked_always(tmp_path: Path) -> None:
    write_open_run(tmp_path, limit=30)
    record = judge(tmp_path, RuleJudge(dice), is_stopping_early=True)
    assert record.agreement is not None
    assert list(record.agreement["acceptance"]) == ["fake/judge #1", "fake/judge #2"]
    assert record.agreement["flip_rate"]["n"] == 30
    flipped = sum(len(j.verdicts) == 3 for j in load_judgements(tmp_path).values())
    assert record.agreement["flip_rate"]["count"] == flipped > 0


def test_concurrency_changes_nothing(tmp_path: Path) -> None:
    for name, num_concurrent in (("one", 1), ("many", 16)):
        write_open_run(tmp_path / name, limit=30)
        judge(tmp_path / name, RuleJudge(dice), options=JudgingOptions(num_concurrent))
    assert results(tmp_path / "one") == results(tmp_path / "many")


def test_two_processes_cannot_judge_one_run(tmp_path: Path) -> None:
    write_open_run(tmp_path)
    with lock_run(tmp_path), pytest.raises(DataFormatError, match="another process"):
        judge(tmp_path)


def test_progress_counts_up_to_the_end(tmp_path: Path) -> None:
    write_open_run(tmp_path)
    seen: list[tuple[int, int]] = []
    judge(tmp_path, options=JudgingOptions(on_progress=lambda done, total: seen.append((done, total))))
    assert seen == [(done, 12) for done in range(13)]


@pytest.mark.parametrize("name", ["judge.json", "judgements.jsonl"])
def test_damaged_files_are_named(tmp_path: Path, name: str) -> None:
    write_open_run(tmp_path)
    judge(tmp_path)
    (tmp_path / name).write_text('{"broken": ')
    with pytest.raises(DataFormatError, match=name.replace(".", r"\.")):
        load_judgements(tmp_path)


def test_judgements_that_were_cut_off_are_asked_for_again(tmp_path: Path) -> None:
    write_open_run(tmp_path)
    judge(tmp_path)
    path = tmp_path / "judgements.jsonl"
    whole = path.read_bytes()
    path.write_bytes(b"".join(whole.splitlines(keepends=True)[:5]))
    with pytest.raises(DataFormatError, match="holds 5 of 12 judgements"):
        load_judgements(tmp_path)
    judge(tmp_path)
    assert path.read_bytes() == whole


def test_killed_twenty_times_nothing_acknowledged_is_asked_twice(tmp_path: Path) -> None:
    def run_mortal(folder: str, last: int) -> subprocess.CompletedProcess[str]:
        script = [sys.executable, "-m", "tests.unit.evaluate.mortal_judging"]
        command = [*script, str(tmp_path / folder), str(tmp_path / f"{folder}.log"), str(last)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    for folder in ("alone", "killed"):
        write_open_run(tmp_path / folder, limit=40)
    alone = run_mortal("alone", 0)
    assert alone.returncode == 0, alone.stderr
    num_events = int(alone.stdout)
    rng = random.Random(20)
    for _ in range(NUM_KILLS):
        killed = run_mortal("killed", rng.randint(1, num_events // 12))
        assert killed.returncode == -signal.SIGKILL, killed.stderr
    log = tmp_path / "killed.log"
    num_asked_before = len(log.read_text("utf-8").splitlines())
    journal = Journal(tmp_path / "killed" / "judge_journal.jsonl", is_durable=False)
    journal.close()
    kept = Counter((entry["key"], entry["place"], "draft" in entry) for entry in journal.entries)
    last = run_mortal("killed", 0)
    assert last.returncode == 0, last.stderr
    assert results(tmp_path / "killed") == results(tmp_path / "alone")

    asked = log.read_text("utf-8").splitlines()
    needed = (tmp_path / "alone.log").read_text("utf-8").splitlines()
    assert set(asked) == set(needed)
    assert set(kept.values()) == {1}, "no reply was handed over twice"
    assert 20 < kept.total() < len(needed)
    assert len(asked) - num_asked_before == len(needed) - kept.total(), "only what was not handed over is asked"


def audit(out: Path, *folders: Path, models: list[ChatModel], **options: Any) -> dict[str, Any]:
    config = AuditConfig(num_items=options.pop("num_items", 8), num_planted=options.pop("num_planted", 2))
    judging = JudgingOptions(**options)
    return asyncio.run(audit_runs(folders, mini_samples(), models, out, config=config, options=judging))


def test_audit_goes_on_after_a_stop_and_leaves_its_files(tmp_path: Path) -> None:
    write_open_run(tmp_path / "run", limit=30)
    judge(tmp_path / "run")
    whole = audit(tmp_path / "whole", tmp_path / "run", models=[RuleJudge(dice)])
    stopped = RuleJudge(dice, fail_after=40)
    with pytest.raises(ProviderError):
        audit(tmp_path / "out", tmp_path / "run", models=[stopped])
    rest = RuleJudge(dice)
    assert audit(tmp_path / "out", tmp_path / "run", models=[rest]) == whole
    num_all = 3 * len((tmp_path / "out" / "audited.jsonl").read_bytes().splitlines())
    assert stopped.num_calls + rest.num_calls == num_all
    assert json.loads((tmp_path / "out" / "audit.json").read_text("utf-8"))["num_items"] == 8
    assert (tmp_path / "out" / "audited.jsonl").read_bytes() == (tmp_path / "whole" / "audited.jsonl").read_bytes()


def test_audit_of_several_runs_ranks_them(tmp_path: Path) -> None:
    shares = {"a": 1, "b": 5, "c": 9}
    for name, share in shares.items():
        reply = lambda place, sample, share=share: sample.correct_answer if place % 10 < share else "wrong"  # noqa: E731
        write_open_run(tmp_path / name, limit=100, reply=reply)
        judge(tmp_path / name)
    folders = [tmp_path / name for name in shares]
    report = audit(tmp_path / "out", *folders, models=[RuleJudge(perfect, name="fake/good")], num_planted=0)
    assert report["rank_stability"]["kendall_tau"]["fake/good"] == pytest.approx(1)
    assert report["num_items"] == 24
    with pytest.raises(DataFormatError, match="twice"):
        audit(tmp_path / "out", folders[0], folders[0], models=[RuleJudge(perfect)])


def test_audit_needs_runs_that_were_judged_alike(tmp_path: Path) -> None:
    for name, config in (("a", {}), ("b", {"num_verdicts": 1}), ("c", None)):
        write_open_run(tmp_path / name, limit=3)
        if config is not None:
            judge(tmp_path / name, **config)
    with pytest.raises(DataFormatError, match="same way"):
        audit(tmp_path / "out", tmp_path / "a", tmp_path / "b", models=[RuleJudge(perfect)])
    with pytest.raises(DataFormatError, match="not judged yet"):
        audit(tmp_path / "out", tmp_path / "c", models=[RuleJudge(perfect)])
