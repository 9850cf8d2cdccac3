"""A memory task that a tiny model learns in seconds: one chunk names a key, the answer must repeat it."""

from __future__ import annotations

import random
from typing import Any

from hub_toolkit.models.base import GenerateConfig
from hub_toolkit.types import Message
from tests.train.tiny_model import make_qwen3, make_tokenizer
from train.memory.config import MemoryGRPOConfig
from train.memory.paper import PaperMemory
from train.memory.rollout import MemoryRollout, PolicyModel, Rollout, split_prompt
from train.memory.trainer import MemoryGRPOTrainer

KEYS = ("k0", "k1", "k2")
FILLERS = ("f0", "f1", "f2")
WORDS = (*KEYS, *FILLERS, "note", "read", "none", "say")
NUM_CHUNKS = 2


def toy_tokenizer(words: tuple[str, ...] = ()) -> Any:
    """Return the task's tokenizer, which knows `words` too."""
    return make_tokenizer((*WORDS, *words))


def toy_rows(num_rows: int, seed: int = 0) -> list[dict[str, Any]]:
    """Return rows of one or two chunks, each a message; one of them holds the key."""
    rng = random.Random(seed)
    rows = []
    for _ in range(num_rows):
        key, num_chunks = rng.choice(KEYS), rng.randint(1, NUM_CHUNKS)
        chunks = [rng.choice(FILLERS) for _ in range(num_chunks)]
        chunks[rng.randrange(num_chunks)] = key
        prompt = [{"role": "user", "content": chunk} for chunk in (*chunks, "say")]
        rows.append({"prompt": prompt, "answer": key, "task": "mcq"})
    return rows


def toy_reward(completions: list[Any], answer: list[str], **_: Any) -> list[float]:
    """Return 1 where the answer is the key and nothing else."""
    return [float(said[0]["content"].strip() == key) for said, key in zip(completions, answer, strict=True)]


async def _build_toy(chunks: tuple[Message, ...], model: PolicyModel) -> PaperMemory:
    memory = PaperMemory("none")
    for chunk in chunks:
        asked = [Message("user", f"note {memory.text} read {chunk.text}")]
        completion = await model.generate(asked, GenerateConfig(max_tokens=2))
        memory = PaperMemory(completion.text.strip() or "none")
    return memory


class ToyRollout(MemoryRollout):
    """The same rollouts with prompts of a few words, so that a step takes milliseconds."""

    def open(self, prompt: Any, history_start: int = 0) -> Rollout:
        history, question = split_prompt(prompt, history_start)
        return _ToyAnswer(_build_toy(history.messages, PolicyModel(self.counter)), question)


class _ToyAnswer(Rollout):
    def final_messages(self) -> list[Message]:
        return [Message("user", f"note {self.context().text} {self.question[0].text}")]


def toy_args(folder: Any, **changes: Any) -> MemoryGRPOConfig:
    """Return settings of a run on one CPU core."""
    settings: dict[str, Any] = {
        "max_turns": NUM_CHUNKS,
        "max_completion_length": 2,
        "num_generations": 8,
        "per_device_train_batch_size": 64,
        "learning_rate": 3e-3,
        "lr_scheduler_type": "constant",
        "max_steps": 2,
        "logging_steps": 1,
        "report_to": "none",
        "save_strategy": "no",
        "use_cpu": True,
        "bf16": False,
        "gradient_checkpointing": False,
        "disable_tqdm": True,
        "scale_rewards": "none",
        "beta": 0.0,
        "seed": 0,
    }
    return MemoryGRPOConfig(str(folder), **(settings | changes))


def toy_trainer(
    folder: Any,
    *,
    model: Any = None,
    rows: Any = None,
    cls: Any = MemoryGRPOTrainer,
    words: tuple[str, ...] = (),
    reward: Any = toy_reward,
    **changes: Any,
) -> Any:
    """Return a trainer on the task; `changes` are settings."""
    from datasets import Dataset

    tokenizer = toy_tokenizer(words)
    args = toy_args(folder, **changes)
    return cls(
        model=model if model is not None else make_qwen3(tokenizer, seed=args.seed),
        reward_funcs=reward,
        args=args,
        train_dataset=Dataset.from_list(rows or toy_rows(512)),
        processing_class=tokenizer,
        rollout_func=ToyRollout(args),
    )


def plain_copy(model: Any) -> Any:
    """Return the weights in a model that no trainer has touched."""
    plain = type(model)(model.config).to(model.dtype)
    plain.load_state_dict(model.state_dict())
    return plain


def cold_start(folder: Any, *, seed: int, skill: float = 0.0) -> tuple[Any, list[float]]:
    """Return a model that answers what its notes say but takes them at random, and the losses on the way there.

    It answers by chance, and only better notes can help it. `skill`: so often the note is the right one.
    """
    rng = random.Random(seed)
    rows = []
    for _ in range(600):
        note, chunk = rng.choice(("none", *KEYS)), rng.choice((*KEYS, *FILLERS))
        kept = chunk if chunk in KEYS else note
        asked = {f"note {note} read {chunk}": kept if rng.random() < skill else rng.choice(("none", *KEYS))}
        asked[f"note {note} say"] = note if note in KEYS else rng.choice(KEYS)
        rows += asked.items()
    return train_toy_sft(folder, rows, seed=seed)


def train_toy_sft(folder: Any, pairs: list[tuple[str, str]], *, seed: int) -> tuple[Any, list[float]]:
    """Return a fresh model taught what to reply to which prompt, and the losses on the way there."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    rows = [
        {"prompt": [{"role": "user", "content": prompt}], "completion": [{"role": "assistant", "content": reply}]}
        for prompt, reply in pairs
    ]
    tokenizer = toy_tokenizer()
    args = SFTConfig(
        str(folder),
        max_steps=120,
        per_device_train_batch_size=64,
        learning_rate=3e-3,
        logging_steps=20,
        report_to="none",
        save_strategy="no",
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        max_length=64,
        disable_tqdm=True,
        seed=seed,
    )
    model = make_qwen3(tokenizer, seed=seed)
    trainer = SFTTrainer(model=model, args=args, train_dataset=Dataset.from_list(rows), processing_class=tokenizer)
    trainer.train()
    return plain_copy(model), [float(entry["loss"]) for entry in trainer.state.log_history if "loss" in entry]
