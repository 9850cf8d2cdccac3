"""After training: an adapter merged and checked, and models side by side with their controls."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from hub_toolkit.cli.main import main as personamem
from hub_toolkit.errors import DataFormatError, PersonaMemError
from hub_toolkit.metrics.comparison import correct_by_holm
from tests.model_factory import logits, make_model, write_adapter, write_model
from tests.train.tiny_model import require_trl

require_trl()

from train.after import main  # noqa: E402
from train.after_compare import Entry, put_side_by_side, render_card  # noqa: E402
from train.after_merge import merge_adapter  # noqa: E402


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("merge") / "base"
    write_model(folder, seed=0)
    return folder


def test_a_merged_adapter_says_what_base_and_adapter_said(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    carrier = write_adapter(tmp_path / "adapter", "personamem/ckpt-base", seed=0)
    out = tmp_path / "merged"
    assert main(["merge", str(tmp_path / "adapter"), str(out), "--base", str(base)]) == 0
    said = capsys.readouterr().out
    assert f"vllm serve {out}" in said
    assert "personamem checkpoint push" in said
    merged = AutoModelForCausalLM.from_pretrained(out).eval()
    assert torch.allclose(logits(merged), logits(carrier), atol=1e-5)
    assert not torch.allclose(logits(merged), logits(make_model(seed=0)), atol=1e-2)  # the control: the bare base
    checked = CliRunner().invoke(personamem, ["checkpoint", "check", str(out), "--deep"])
    assert checked.exit_code == 0, checked.output


def test_saving_in_fewer_bits_is_measured(base: Path, tmp_path: Path) -> None:
    write_adapter(tmp_path / "adapter", "personamem/ckpt-base", seed=0)
    report = merge_adapter(tmp_path / "adapter", tmp_path / "merged", base=str(base), dtype="bfloat16")
    assert report.dtype == "bfloat16"
    assert report.merge_error < 1e-5 < report.save_error < 0.1


def test_what_cannot_be_merged_leaves_nothing(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_adapter(tmp_path / "adapter", "personamem/ckpt-base", seed=0)
    with pytest.raises(DataFormatError, match="is there already"):
        merge_adapter(tmp_path / "adapter", base, base=str(base))
    with pytest.raises(DataFormatError, match="name the folder of an adapter"):
        merge_adapter(base, tmp_path / "out", base=None)
    with pytest.raises(PersonaMemError, match="take float32"):
        merge_adapter(tmp_path / "adapter", tmp_path / "out", base=str(base), dtype="int3")
    from peft import PeftModel

    def merge_badly(carrier: Any, **_: Any) -> Any:
        model = carrier.unload()
        model.lm_head.weight.data.mul_(1.01)
        return model

    monkeypatch.setattr(PeftModel, "merge_and_unload", merge_badly, raising=False)
    with pytest.raises(PersonaMemError, match="merging moved the logits"):
        merge_adapter(tmp_path / "adapter", tmp_path / "out", base=str(base))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adapter"]


def run_eval(out: Path, *words: str) -> Path:
    common = ["eval", "run", "--data", "mini", "--model", "lexical", "--limit", "48", "--no-counterfactual"]
    done = CliRunner().invoke(personamem, [*common, *words, "--out", str(out)])
    assert done.exit_code == 0, done.output
    return out


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Three systems and one control: the readers stand in for models, as they need none."""
    root = tmp_path_factory.mktemp("runs")
    readers = {"base": "none", "sft": "memory", "grpo": "oracle"}
    return {name: run_eval(root / name, "--reader", reader) for name, reader in readers.items()}


def test_models_stand_side_by_side_with_controls(
    runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = tmp_path / "README.md"
    words = ["compare", *(f"{name}={run}" for name, run in runs.items()), "--json", "--card", str(card)]
    assert main(words) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found["runs"]) == ["base", "sft", "grpo"]
    assert [(one["name_a"], one["name_b"]) for one in found["contests"]] == [
        ("base", "sft"),
        ("base", "grpo"),
        ("sft", "grpo"),
    ]
    for one in found["contests"]:
        was, now = (found["runs"][one[name]]["accuracy"]["value"] for name in ("name_a", "name_b"))
        assert one["difference"] == pytest.approx(now - was)
        assert one["low"] <= one["difference"] <= one["high"]
    raw = [one["p"] for one in found["contests"]]
    assert [one["p_holm"] for one in found["contests"]] == correct_by_holm(raw)
    assert found["runs"]["grpo"]["accuracy"]["value"] > found["runs"]["base"]["accuracy"]["value"]
    assert found["runs"]["grpo"]["no_context"]["n"] == found["runs"]["grpo"]["accuracy"]["n"]
    text = card.read_text()
    for part in ("| base |", "| sft - base |", "no context", "p, Holm", "## grpo", "dataset fingerprint"):
        assert part in text


def test_runs_that_do_not_belong_together_are_refused(runs: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(PersonaMemError, match="two runs or more"):
        put_side_by_side([Entry("base", runs["base"])])
    with pytest.raises(PersonaMemError, match="NAME=RUN"):
        main(["compare", "base", "x=y"])
    with pytest.raises(PersonaMemError, match="named twice"):
        main(["compare", f"a={runs['base']}", f"a={runs['sft']}"])
    with pytest.raises(PersonaMemError, match="no run has this name"):
        main(["compare", f"a={runs['base']}", f"b={runs['sft']}", "--no-context", f"c={runs['base']}"])
    other = run_eval(tmp_path / "seed", "--reader", "none", "--seed", "5")
    with pytest.raises(DataFormatError, match="cannot be compared"):
        put_side_by_side([Entry("base", runs["base"]), Entry("other", other)])


def test_a_card_shows_a_name_as_it_is(runs: dict[str, Path]) -> None:
    found = put_side_by_side([Entry("my|model", runs["base"]), Entry("b", runs["sft"])])
    card = render_card(found, title="x | y")
    assert "my\\|model" in card
    assert card.startswith("---\n")
