"""Recipes for a test of several processes, one after the other; GRPO's replies are drawn from the prompt's hash."""

from __future__ import annotations

import hashlib
import json
import random
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch

import train.grpo
import train.sft

NUM_WORDS = 4


class ScriptedGRPOTrainer(train.grpo.GroupedGRPOTrainer):
    """Samples nothing, so that runs of one and of two processes have the same replies."""

    def _generate_single_turn(self, prompt_ids: Any, *_: Any) -> Any:
        seen: Counter[str] = Counter()
        replies = []
        for ids in prompt_ids:
            key = str(list(ids))
            seen[key] += 1
            rng = random.Random(hashlib.sha256(f"{key}/{seen[key]}".encode()).digest())
            words = [rng.choice(["\\boxed{A}", "\\boxed{B}", "Go", "for"]) for _ in range(rng.randint(1, NUM_WORDS))]
            replies.append([*self._tokenizer.convert_tokens_to_ids(words), self._tokenizer.eos_token_id][:NUM_WORDS])
        return replies, None


def run_recipes(runs: Sequence[tuple[str, list[str]]]) -> None:
    """Run each recipe by its name with its command line."""
    train.grpo.GroupedGRPOTrainer = ScriptedGRPOTrainer  # type: ignore[misc]
    for name, words in runs:
        assert {"sft": train.sft.main, "grpo": train.grpo.main}[name](words) == 0


if __name__ == "__main__":
    torch.set_num_threads(1)
    run_recipes(json.loads(sys.argv[1]))
    torch.distributed.destroy_process_group()
