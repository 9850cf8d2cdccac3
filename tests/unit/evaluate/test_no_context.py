"""The no-context baseline of a run: another run of the same system, asked and judged in the same way."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from hub_toolkit.errors import DataFormatError
from hub_toolkit.evaluate.judging import judge_open_answers
from hub_toolkit.evaluate.render import render_report
from hub_toolkit.evaluate.report import build_report
from hub_toolkit.judge.panel import Panel, PanelConfig
from hub_toolkit.models.fake import FakeModel
from tests.unit.evaluate.conftest import Evaluation


def test_no_context_of_a_model_is_a_run_of_its_own(new_evaluation: Callable[[str], Evaluation]) -> None:
    run, bare, other = new_evaluation("run"), new_evaluation("bare"), new_evaluation("other")
    run.go(FakeModel(name="fake/hash"), reader="oracle", limit=50)
    bare.go(FakeModel(name="fake/hash"), reader="none")
    other.go(FakeModel(name="fake/first"), reader="none")
    assert build_report(run.out)["baselines"]["no_context"] is None
    assert "no context                     not run" in render_report(build_report(run.out))
    figures = build_report(run.out, no_context=bare.out)["baselines"]["no_context"]
    assert figures["n"] == build_report(run.out)["accuracy"]["n"]
    with pytest.raises(DataFormatError, match="the same model"):
        build_report(run.out, no_context=other.out)
    with pytest.raises(DataFormatError, match="reader none"):
        build_report(run.out, no_context=run.out)
    with pytest.raises(DataFormatError, match="all rows"):
        build_report(bare.out, no_context=_cut(new_evaluation))
    for name, value, reason in (
        ("method", "likelihood", "the same method"),
        ("adapter", "folder", "the same adapter"),
        ("num_permutations", 4, "the same number of orders"),
    ):
        with pytest.raises(DataFormatError, match=reason):
            build_report(run.out, no_context=_told(bare.out, new_evaluation(name).out, **{name: value}))


def _told(run: Path, out: Path, **config: object) -> Path:
    """A copy of a run that says otherwise of itself."""
    shutil.copytree(run, out)
    record = json.loads((out / "run.json").read_text("utf-8"))
    record["config"] |= config
    (out / "run.json").write_text(json.dumps(record), encoding="utf-8")
    return out


def test_no_context_of_open_answers_is_judged_alike(new_evaluation: Callable[[str], Evaluation]) -> None:
    model = FakeModel(lambda _: "Hm.", name="fake/hm")
    for name, reader, seed in (("run", "oracle", 0), ("bare", "none", 0), ("other", "none", 1)):
        evaluation = new_evaluation(name)
        evaluation.go(model, task="open", reader=reader, limit=20)
        verdict = json.dumps({"verdict": "correct" if name == "run" else "incorrect", "reason": "so"})
        panel = Panel([FakeModel(lambda _, verdict=verdict: verdict, name="fake/judge")], PanelConfig(seed=seed))
        asyncio.run(judge_open_answers(evaluation.out, evaluation.samples, panel))
    run, bare, other = (new_evaluation(name).out for name in ("run", "bare", "other"))
    report = build_report(run, no_context=bare)
    assert (report["accuracy"]["value"], report["baselines"]["no_context"]["value"]) == (1.0, 0.0)
    assert re.search(r"^no context +0\.0%", render_report(report), re.M)
    with pytest.raises(DataFormatError, match="the same judges"):
        build_report(run, no_context=other)


def _cut(new_evaluation: Callable[[str], Evaluation]) -> Path:
    cut = new_evaluation("cut")
    cut.go(FakeModel(name="fake/hash"), reader="none", limit=5)
    return cut.out
