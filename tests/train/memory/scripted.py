"""A trainer whose replies are drawn from the prompt's hash, and the loss once more: slowly, and without TRL."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from typing import Any

import torch
from trl import GRPOTrainer

from tests.train.memory.toy import KEYS, WORDS, toy_trainer
from train.memory.rollout import MemoryRollout
from train.memory.trainer import MemoryGRPOTrainer

ROW_WORDS = tuple(f"row{i}" for i in range(16))
MAX_REPLY = 6


class ScriptedTrainer(MemoryGRPOTrainer):
    """Its policy samples nothing, so that any two runs have the same rollouts; `rollouts` keeps the last ones."""

    rollouts: dict[str, Any]

    def _generate_single_turn(self, prompt_ids: Any, *_: Any) -> Any:
        seen: Counter[str] = Counter()
        replies = []
        for ids in prompt_ids:
            key = str(list(ids))
            seen[key] += 1
            replies.append(self._draw(f"{key}/{seen[key]}"))
        return replies, None

    def _draw(self, key: str) -> list[int]:
        rng = random.Random(int.from_bytes(hashlib.sha256(key.encode()).digest(), "big"))
        words = [
            rng.choice(KEYS) if rng.random() < 0.5 else rng.choice(WORDS) for _ in range(rng.randint(1, MAX_REPLY))
        ]
        return [*self._tokenizer.convert_tokens_to_ids(words), self._tokenizer.eos_token_id][:MAX_REPLY]

    def _generate(self, prompts: Any) -> Any:
        rollout = self.rollout_func

        def watch(*args: Any) -> Any:
            self.rollouts = dict(rollout(*args))
            return dict(self.rollouts)

        self.rollout_func = watch
        try:
            return super()._generate(prompts)
        finally:
            self.rollout_func = rollout


def graded(completions: list[Any], **_: Any) -> list[float]:
    """Return a reward that differs between most replies."""
    return [len(said[0]["content"].split()) / MAX_REPLY + 0.3 * ("k1" in said[0]["content"]) for said in completions]


def scripted_rows(num_rows: int) -> list[dict[str, Any]]:
    """Return rows with one to three chunks; no prompt of one row is a prompt of another."""
    rows = []
    for place in range(num_rows):
        chunks = [f"{ROW_WORDS[place]} f{i}" for i in range(1 + place % 3)]
        messages = [{"role": "user", "content": text} for text in (*chunks, f"{ROW_WORDS[place]} say")]
        rows.append({"prompt": messages, "answer": KEYS[place % len(KEYS)], "task": "mcq"})
    return rows


def used_turns(trainer: ScriptedTrainer) -> list[list[tuple[list[int], list[int]]]]:
    """Return the rollouts as lists of prompt and completion, their unused turns left out."""
    made, size = trainer.rollouts, trainer.args.rows_per_rollout
    rollouts = []
    for place, num_turns in enumerate(made["turns"]):
        rows = [place * size + turn for turn in (*range(num_turns), size - 1)]
        rollouts.append([(list(made["prompt_ids"][row]), list(made["completion_ids"][row])) for row in rows])
    return rollouts


def score_row(model: Any, prompt: list[int], completion: list[int]) -> torch.Tensor:
    """Return the log-probability of each completion token, the row alone in the model."""
    logits = model(input_ids=torch.tensor([prompt + completion])).logits[0]
    logprobs = torch.log_softmax(logits, dim=-1)
    return torch.stack([logprobs[len(prompt) + i - 1, token] for i, token in enumerate(completion)])


def reference_advantages(rewards: list[float], group: int, *, is_scaled: bool) -> list[float]:
    """Return each rollout's reward less its group's mean, over the group's deviation where asked."""
    advantages = []
    for start in range(0, len(rewards), group):
        values = rewards[start : start + group]
        mean = sum(values) / group
        deviation = (sum((value - mean) ** 2 for value in values) / (group - 1)) ** 0.5
        advantages += [(value - mean) / (deviation + 1e-4 if is_scaled else 1) for value in values]
    return advantages


def reference_loss(models: dict[str, Any], rollouts: Any, advantages: list[float], args: Any) -> torch.Tensor:
    """Return the loss over all rows of all rollouts; `models` holds `policy`, `old` and `reference`."""
    row_sums, row_means, num_tokens = [], [], 0
    for turns, advantage in zip(rollouts, advantages, strict=True):
        for prompt, completion in turns:
            now = score_row(models["policy"], prompt, completion)
            with torch.no_grad():
                old = score_row(models["old"], prompt, completion)
                reference = score_row(models["reference"], prompt, completion)
            terms = []
            for i in range(len(completion)):
                ratio = torch.exp(now[i] - old[i])
                clipped = min(max(ratio.item(), 0.8), 1.2) * advantage
                gain = ratio * advantage if ratio.item() * advantage <= clipped else clipped
                gap = reference[i] - now[i]
                kl = (torch.exp(gap) - gap - 1) * (ratio if args.use_bias_correction_kl else 1)
                terms.append(-gain + args.beta * kl)
            row_sums.append(sum(terms))
            row_means.append(sum(terms) / len(terms))
            num_tokens += len(terms)
    if args.loss_type == "grpo":
        return sum(row_means) / len(row_means)
    if args.loss_type == "dr_grpo":
        return sum(row_sums) / (len(row_sums) * args.max_completion_length)
    return sum(row_sums) / num_tokens


def scripted_trainer(folder: Any, model: Any, **changes: Any) -> ScriptedTrainer:
    """Return a trainer over four prompts with four rollouts each; it has not begun."""
    rows = changes.pop("rows", None) or scripted_rows(4)
    settings: dict[str, Any] = {
        "cls": ScriptedTrainer,
        "max_turns": 3,
        "per_device_train_batch_size": 16,
        "num_generations": 4,
        "max_completion_length": MAX_REPLY,
    }
    trainer = toy_trainer(folder, model=model, rows=rows, words=ROW_WORDS, reward=graded, **(settings | changes))
    assert isinstance(trainer, GRPOTrainer) and isinstance(trainer.rollout_func, MemoryRollout)
    return trainer
