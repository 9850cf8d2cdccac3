"""GRPO of the agentic memory: `accelerate launch -m train.memory_grpo --config train/recipes/memory_grpo_8xh100.yaml`.

One rollout reads a history chunk by chunk and rewrites its memory after each; then it answers from the memory alone.
The reward of the answer is shared by all that was written. `--plan` prints what a run would take.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from trl import ModelConfig, TrlParser, get_peft_config

from hub_toolkit.answer.protocol import load_protocol
from hub_toolkit.settings import load_settings
from train.callbacks_steps import GuardedSteps
from train.config import DataConfig, RecipeConfig, RewardConfig
from train.data import load_data
from train.memory.config import MemoryGRPOConfig
from train.memory.rollout import MemoryRollout
from train.memory.trainer import MemoryGRPOTrainer
from train.plan import plan_recipe, wants_plan
from train.rewards import SkipUnscored
from train.session import Recipe, load_tokenizer, make_extras, prepare, run_main, speaker, train, weigh_rewards

PARTS = (DataConfig, RewardConfig, RecipeConfig, MemoryGRPOConfig, ModelConfig)


class GuardedMemoryTrainer(GuardedSteps, SkipUnscored, MemoryGRPOTrainer):
    """The trainer as the recipe runs it: no step on NaN, no half checkpoint, and unjudged rollouts move nothing."""


def main(words: Sequence[str] | None = None) -> int:
    """Run the recipe and return the exit status."""
    words = list(sys.argv[1:] if words is None else words)
    if wants_plan(words):
        return plan_recipe("memory_grpo", words)
    data, reward, run, args, model = TrlParser(PARTS).parse_args_and_config(words)
    recipe, say = Recipe("memory", data, run, args, model, load_settings(), reward), speaker(args)
    prepare(args, model)

    tokenizer = load_tokenizer(model)
    found = load_data(
        data,
        recipe.settings,
        tokenizer,
        stage="memory",
        out=recipe.out,
        max_turns=args.max_turns,
        chat_template_kwargs=args.chat_template_kwargs,
        say=say,
    )
    terms, judged = weigh_rewards(recipe, found.dataset["task"], say)
    extras = make_extras(recipe, found.splits, say, judged=judged)
    trainer = GuardedMemoryTrainer(
        model=model.model_name_or_path,
        reward_funcs=[term.function for term in terms],
        args=args,
        train_dataset=found.dataset,
        processing_class=tokenizer,
        peft_config=get_peft_config(model),
        callbacks=extras.callbacks,
        rollout_func=MemoryRollout(
            args,
            chunk_tokens=data.chunk_tokens,
            cap_tokens=data.cap_tokens,
            counter=load_protocol(data.protocol).counter,
        ),
    )
    return train(recipe, trainer, extras, say)


if __name__ == "__main__":
    sys.exit(run_main(main))
