"""The loss and its gradients are those of plain loops over rollouts, turns and tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.train.tiny_model import make_qwen3, require_trl

require_trl()

import torch  # noqa: E402

from tests.train.memory.scripted import (  # noqa: E402
    ROW_WORDS,
    ScriptedTrainer,
    graded,
    reference_advantages,
    reference_loss,
    scripted_trainer,
    used_turns,
)
from tests.train.memory.toy import plain_copy, toy_tokenizer  # noqa: E402

LOSS_TYPES = ("grpo", "bnpo", "dr_grpo", "dapo")
BETA = 0.05


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("start")
    tokenizer = toy_tokenizer(ROW_WORDS)
    make_qwen3(tokenizer, hidden=32).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


class Step:
    """One optimizer step's loss and gradients, of a policy that has moved away from the one that sampled."""

    def __init__(self, trainer: ScriptedTrainer) -> None:
        self.trainer = trainer
        model = trainer.model.double()
        if trainer.ref_model is not None:
            trainer.ref_model.double()
        self.models = {"old": plain_copy(model), "reference": plain_copy(trainer.ref_model or model)}
        args = trainer.args
        trainer.current_gradient_accumulation_steps = args.gradient_accumulation_steps
        model.train()
        batch = next(iter(trainer.get_train_dataloader()))
        trainer._prepare_inputs(batch)
        with torch.no_grad():
            generator = torch.Generator().manual_seed(5)
            for parameter in model.parameters():
                noise = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
                parameter += 0.05 * noise
        trainer._step = args.steps_per_generation  # the second iteration: what was sampled is used again
        self.loss = 0.0
        for _ in range(args.gradient_accumulation_steps):
            self.loss += float(trainer.training_step(model, batch, None))
        self.gradients = {name: p.grad.clone() for name, p in model.named_parameters()}
        model.zero_grad()
        self.models["policy"] = plain_copy(model)

    def reference(self) -> tuple[float, dict[str, torch.Tensor]]:
        args = self.trainer.args
        made = self.trainer.rollouts
        finals = made["completion_ids"][args.max_turns :: args.rows_per_rollout]
        texts = [[{"content": self.trainer.processing_class.decode(ids, skip_special_tokens=True)}] for ids in finals]
        advantages = reference_advantages(graded(texts), args.num_generations, is_scaled=args.scale_rewards == "group")
        loss = reference_loss(self.models, used_turns(self.trainer), advantages, args)
        loss.backward()
        return loss.item(), {name: p.grad.clone() for name, p in self.models["policy"].named_parameters()}


def gradients_after(start: Path, folder: Path, **changes: Any) -> Step:
    step = run(start, folder, **changes)
    _, expected = step.reference()
    assert_same(step.gradients, expected)
    return step


def run(start: Path, folder: Path, **changes: Any) -> Step:
    settings = {"per_device_train_batch_size": 8, "num_iterations": 2, "tokens_per_pass": 64, "scale_rewards": "group"}
    return Step(scripted_trainer(folder, str(start), **(settings | changes)))


def assert_same(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    size = max(float(value.abs().max()) for value in expected.values())
    assert size > 1e-4, "gradients of nothing prove nothing"
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-5 * size)


@pytest.mark.parametrize("beta", [0.0, BETA])
@pytest.mark.parametrize("loss_type", LOSS_TYPES)
def test_loss_and_gradients_are_those_of_plain_loops(start: Path, tmp_path: Path, loss_type: str, beta: float) -> None:
    step = run(start, tmp_path, loss_type=loss_type, beta=beta)
    assert step.trainer._metrics["train"]["clip_ratio/region_mean"][-1] > 0, "nothing was clipped"
    loss, gradients = step.reference()
    assert step.loss == pytest.approx(loss, rel=1e-5)
    assert_same(step.gradients, gradients)


@pytest.fixture(scope="module")
def wholes(start: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Step]:
    folder = tmp_path_factory.mktemp("wholes")
    return {loss_type: run(start, folder, loss_type=loss_type, beta=BETA) for loss_type in LOSS_TYPES}


@pytest.mark.parametrize("loss_type", LOSS_TYPES)
@pytest.mark.parametrize(
    "changes",
    [
        {"tokens_per_pass": 1},
        {"tokens_per_pass": 10**6},
        {"row_layout": "pack", "tokens_per_pass": 10**6},
        {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 4},
        {"max_turns": 7},
    ],
    ids=str,
)
def test_no_way_of_cutting_the_batch_changes_the_step(
    start: Path, tmp_path: Path, wholes: dict[str, Step], loss_type: str, changes: dict[str, Any]
) -> None:
    whole = wholes[loss_type]
    cut = run(start, tmp_path, loss_type=loss_type, beta=BETA, **changes)
    assert cut.loss == pytest.approx(whole.loss, rel=1e-5)
    assert_same(cut.gradients, whole.gradients)


def test_the_kl_may_carry_trls_weight(start: Path, tmp_path: Path) -> None:
    plain = gradients_after(start, tmp_path, beta=BETA)
    weighted = gradients_after(start, tmp_path, beta=BETA, use_bias_correction_kl=True)
    assert plain.loss != pytest.approx(weighted.loss, rel=1e-4)


def test_several_updates_from_one_generation_learn_from_their_own_rollouts(start: Path, tmp_path: Path) -> None:
    """Two updates, half the rollouts each: their means, weighted by their tokens, are that of all rollouts."""
    whole = run(start, tmp_path, loss_type="bnpo")
    trainer = run(start, tmp_path, loss_type="bnpo", per_device_train_batch_size=4, steps_per_generation=2).trainer
    plans = trainer._buffered_inputs
    tokens = [plan.totals.num_tokens for plan in plans]
    assert sum(tokens) == whole.trainer._buffered_inputs[0].totals.num_tokens
    rows = sorted(row for plan in plans for one in plan.passes for row in one)
    assert rows == sorted(row for one in whole.trainer._buffered_inputs[0].passes for row in one)
    sums = dict.fromkeys(whole.gradients, 0.0)
    for place, (plan, share) in enumerate(zip(plans, tokens, strict=True)):
        trainer._step = 2 + place
        trainer.training_step(trainer.model, [], None)
        for name, parameter in trainer.model.named_parameters():
            sums[name] = sums[name] + parameter.grad * share / sum(tokens)
        trainer.model.zero_grad()
        assert plan.totals.num_rows == sum(map(len, plan.passes))
    assert_same(sums, whole.gradients)
