"""benchmarks/train_updates.py and train_small.py say what they promise; what cannot run has a reason and no figure."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.train.tiny_model import require_trl, write_tiny

require_trl()

from benchmarks import train_small, train_updates  # noqa: E402


def test_each_line_of_each_stage_has_figures_or_a_reason(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    measure = train_updates.measure

    def without_room(stage: str, model: object, knobs: train_updates.Knobs, options: object) -> dict[str, object]:
        if not knobs.has_fused_head and stage == "sft":
            raise train_updates.torch.OutOfMemoryError
        return measure(stage, model, knobs, options)  # type: ignore[arg-type]

    monkeypatch.setattr(train_updates, "measure", without_room)
    words = ["--device", "cpu", "--model", "tiny", "--shrink", "256", "--rollouts", "1", "--runs", "1"]
    assert train_updates.main([*words, "--knobs", "recipe", "whole_logits", "adapter", "flash"]) == 0
    said = capsys.readouterr().out.splitlines()
    lines = {(line["stage"], line["line"]): line for line in json.loads(said[-1])["lines"]}
    assert lines.keys() == {
        (s, k) for s in train_updates.STAGES for k in ("recipe", "whole_logits", "adapter", "flash")
    }
    assert all(lines[stage, "recipe"]["mfu"] > 0 for stage in train_updates.STAGES)
    assert lines["sft", "whole_logits"] == {"stage": "sft", "line": "whole_logits", "reason": "does not fit"}
    assert "tokens_per_s" in lines["grpo", "whole_logits"]
    # An adapter needs less arithmetic than the formula says, and flash attention is for GPUs.
    assert lines["grpo", "adapter"]["mfu"] is None
    assert lines["grpo", "flash"]["reason"].startswith("is not installed")
    assert train_updates.main(["--device", "cuda"]) == 1 or train_updates.torch.cuda.is_available()


def scores(own: list[float], other: list[float], none: list[float]) -> train_small.Scores:
    return train_small.Scores([1, 1, 2, 2], own, other, none)


def test_lifts_are_paired_and_seeds_are_pooled_by_question() -> None:
    lucky, luckless = scores([1, 1, 1, 1], [0, 1, 0, 0], [0, 0, 1, 0]), scores([0, 1, 0, 0], [0] * 4, [0, 0, 1, 0])
    figures = train_small.as_figures(lucky)
    assert (figures["accuracy"]["value"], figures["no_context"]["value"]) == (1, 0.25)
    assert figures["lift"]["value"] == figures["counterfactual_lift"]["value"] == 0.75
    pooled = train_small.pool([lucky, luckless])
    assert pooled.own == [0.5, 1, 0.5, 0.5] and pooled.none == [0, 0, 1, 0]
    assert train_small.as_figures(pooled)["lift"]["value"] == pytest.approx(0.375)
    assert "0.10 to 0.60" in train_small.render_line("memory, 0", figures, {"first": 0.1, "last": 0.6})


@pytest.mark.slow
def test_a_tiny_model_goes_through_all_stages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "A B C D \\boxed{A} \\boxed{B} \\boxed{C} \\boxed{D} the user likes - [1] [2] I my of to in for"
    model = write_tiny(tmp_path / "model", [text], context_tokens=8192)
    sizes = ["--personas", "16", "--seeds", "0", "1", "--sft-steps", "2", "--grpo-steps", "2", "--batch", "32"]
    words = ["--out", str(tmp_path / "out"), "--model", str(model), "--device", "cpu", "--limit", "8", *sizes]
    assert train_small.main(words) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    stages = [(line["stage"], line["seed"]) for line in found["runs"]]
    assert stages == [("base", None), *((stage, seed) for seed in (0, 1) for stage in ("sft", "memory", "masked"))]
    assert all(line["rows"] == 8 for line in found["runs"])
    assert found["over_seeds"].keys() == {"sft", "memory", "masked"}
