"""The trainer at its edges: vLLM's backends, replies of nothing, a loss that is no number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.train.tiny_model import make_qwen3, require_trl

require_trl()

import torch  # noqa: E402
from accelerate import Accelerator  # noqa: E402

from hub_toolkit.types import Message  # noqa: E402
from tests.train.memory.scripted import (  # noqa: E402
    MAX_REPLY,
    ROW_WORDS,
    ScriptedTrainer,
    score_row,
    scripted_trainer,
)
from tests.train.memory.toy import toy_args, toy_tokenizer, toy_trainer  # noqa: E402
from train.callbacks_steps import GuardedSteps, NonFiniteError  # noqa: E402
from train.memory.trainer import MemoryGRPOTrainer  # noqa: E402

UPDATE_LIMIT = 2
"""What the toy's updates may write."""


class FakeVLLM:
    """vLLM's side of TRL: replies and the log-probabilities that a plain model gives them."""

    max_completion_length = MAX_REPLY

    def __init__(self, script: ScriptedTrainer, plain: Any) -> None:
        self.script, self.plain = script, plain
        self.num_syncs = 0
        self.calls: list[tuple[int, int]] = []

    def sync_weights(self) -> None:
        self.num_syncs += 1

    def generate(self, prompts: Any, num_generations: int, **_: Any) -> Any:
        assert num_generations == 1, "every row is a prompt of its own"
        self.calls.append((len(prompts), self.max_completion_length))
        replies, _ = ScriptedTrainer._generate_single_turn(self.script, prompts)
        with torch.no_grad():
            scores = [score_row(self.plain, ids, reply) for ids, reply in zip(prompts, replies, strict=True)]
        return prompts, replies, [[[float(x)] for x in score] for score in scores], None


class VLLMTrainer(ScriptedTrainer):
    """Scripted as the other, but through TRL's own way to vLLM."""

    _generate_single_turn = MemoryGRPOTrainer._generate_single_turn


def with_vllm(folder: Path) -> tuple[Any, FakeVLLM, Any]:
    tokenizer = toy_tokenizer(ROW_WORDS)
    model, plain = make_qwen3(tokenizer), make_qwen3(tokenizer).eval()
    trainer = scripted_trainer(folder, model, cls=VLLMTrainer)
    fake = FakeVLLM(trainer, plain)
    trainer.use_vllm, trainer.vllm_generation, trainer._last_loaded_step = True, fake, -1
    return trainer, fake, model


def test_vllm_has_each_turns_limit_and_its_log_probabilities_reach_their_rows(tmp_path: Path) -> None:
    trainer, fake, _ = with_vllm(tmp_path)
    trainer.model.train()
    trainer._prepare_inputs(next(iter(trainer.get_train_dataloader())))
    batch = trainer._buffered_inputs[0].batch
    turns = trainer.rollouts["turns"]
    assert fake.calls == [*((sum(t > i for t in turns), UPDATE_LIMIT) for i in range(3)), (len(turns), MAX_REPLY)]
    assert fake.max_completion_length == MAX_REPLY and fake.num_syncs == 1
    mask = (batch["completion_mask"] * batch["tool_mask"]).bool()
    assert batch["sampling_per_token_logps"][mask].abs().min() > 0
    torch.testing.assert_close(batch["importance_sampling_ratio"][mask], torch.ones(int(mask.sum())), atol=1e-4, rtol=0)


def test_a_shared_vllm_takes_equally_many_prompts_from_each_rank(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer, fake, _ = with_vllm(tmp_path)
    trainer.rollout_rows = [{}] * 5
    prompt = [Message("user", "note none say")]
    with monkeypatch.context() as patched:
        patched.setattr(Accelerator, "num_processes", 2)
        assert len(trainer.generate_turns([prompt, prompt], max_tokens=3)) == 2
        assert trainer.generate_turns([], max_tokens=3) == []
    assert fake.calls == [(5, 3), (5, 3)]
    assert trainer.generate_turns([], max_tokens=3) == [] and len(fake.calls) == 2


class Mute(ScriptedTrainer):
    """Says nothing at all."""

    def _draw(self, key: str) -> list[int]:  # noqa: ARG002
        return []


@pytest.mark.parametrize("loss_type", ["grpo", "bnpo", "dr_grpo", "dapo"])
def test_rollouts_of_nothing_move_nothing(tmp_path: Path, loss_type: str) -> None:
    model = make_qwen3(toy_tokenizer(ROW_WORDS))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    trainer = scripted_trainer(tmp_path, model, cls=Mute, loss_type=loss_type, max_steps=1)
    trainer.train()
    assert float(trainer.state.log_history[0]["loss"]) == 0
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


def test_a_tokenizer_that_would_parse_replies_does_not_stand_in_the_way(tmp_path: Path) -> None:
    trainer = scripted_trainer(tmp_path, make_qwen3(toy_tokenizer(ROW_WORDS)), max_steps=1)
    schema = {"type": "object", "properties": {"role": {"const": "assistant"}, "content": {"type": "string"}}}
    trainer._tokenizer.response_schema = schema
    trainer.train()
    assert trainer.state.global_step == 1 and trainer._tokenizer.response_schema == schema


class Guarded(GuardedSteps, ScriptedTrainer):
    """Its loss is no number in the first pass of the second step."""

    num_passes = 0

    def _pass_loss(self, *args: Any) -> torch.Tensor:
        self.num_passes += 1
        loss = super()._pass_loss(*args)
        is_bad = self.state.global_step == 1 and not self.has_failed
        self.has_failed = self.has_failed or is_bad
        return loss * float("nan") if is_bad else loss

    has_failed = False


def test_a_loss_that_is_no_number_in_any_pass_stops_the_run_before_its_step(tmp_path: Path) -> None:
    model = make_qwen3(toy_tokenizer(ROW_WORDS))
    trainer = scripted_trainer(tmp_path, model, cls=Guarded, max_steps=3, tokens_per_pass=40)
    with pytest.raises(NonFiniteError, match="step 2"):
        trainer.train()
    assert trainer.state.global_step == 1 and trainer.num_passes > 2
    assert all(torch.isfinite(value).all() for value in model.state_dict().values())


def test_evaluation_scores_whole_rollouts_and_learns_nothing(tmp_path: Path) -> None:
    rows = [{"prompt": [{"role": "user", "content": text} for text in ("k1", "say")], "answer": "k1", "task": "mcq"}]
    trainer = toy_trainer(tmp_path, rows=rows * 8, per_device_eval_batch_size=8, num_generations_eval=1)
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    found = trainer.evaluate(trainer.train_dataset)
    assert {"eval_loss", "eval_reward", "eval_memory/turns", "eval_memory/padded_share"} <= found.keys()
    assert found["eval_memory/turns"] == 1
    for name, value in trainer.model.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"memory_mode": "other"}, "inference, paper"),
        ({"row_layout": "flat"}, "pad, pack"),
        ({"loss_type": "luspo"}, "it can be grpo"),
        ({"top_entropy_quantile": 0.5}, "set it to 1.0"),
        ({"max_turns": 0}, "at least 1"),
        ({"max_update_length": 0}, "at least 1"),
        ({"steps_per_generation": 3, "gradient_accumulation_steps": 2}, "one must divide the other"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_with_the_remedy(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        toy_args(tmp_path, **changes)
