"""GRPO on whole histories: `accelerate launch -m train.grpo --config train/recipes/grpo_8xh100.yaml [--plan]`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from trl import GRPOConfig, GRPOTrainer, ModelConfig, TrlParser, get_peft_config

from hub_toolkit.errors import PersonaMemError
from hub_toolkit.settings import load_settings
from train.callbacks_steps import GuardedSteps
from train.config import DataConfig, RecipeConfig, RewardConfig
from train.data import GroupSampler, load_data
from train.plan import plan_recipe, wants_plan
from train.rewards import SkipUnscored
from train.saves import find_torn_generation
from train.session import Recipe, load_tokenizer, make_extras, prepare, run_main, speaker, train, weigh_rewards

PARTS = (DataConfig, RewardConfig, RecipeConfig, GRPOConfig, ModelConfig)


class GroupedGRPOTrainer(GuardedSteps, SkipUnscored, GRPOTrainer):  # type: ignore[misc, unused-ignore]
    """TRL's trainer; the owners of a swap group stand in one generation batch, and unjudged rows move nothing."""

    def _get_train_sampler(self, dataset: Any = None) -> Any:
        """Return TRL's order but for the groups, and for a resumed run: it sees the order of its own epoch."""
        rows = self.train_dataset if dataset is None else dataset
        if not self.shuffle_dataset:
            return super()._get_train_sampler(dataset)
        args = self.args
        return GroupSampler(
            rows["unit"],
            args.generation_batch_size // self.num_generations,
            seed=args.seed,
            mini_repeat_count=self.num_generations,
            repeat_count=self.num_iterations * args.steps_per_generation,
        )


def main(words: Sequence[str] | None = None) -> int:
    """Run the recipe and return the exit status."""
    words = list(sys.argv[1:] if words is None else words)
    if wants_plan(words):
        return plan_recipe("grpo", words)
    data, reward, run, args, model = TrlParser(PARTS).parse_args_and_config(words)
    recipe, say = Recipe("grpo", data, run, args, model, load_settings(), reward), speaker(args)
    prepare(args, model)
    if fault := find_torn_generation(args):
        raise PersonaMemError(fault)

    tokenizer = load_tokenizer(model)
    found = load_data(
        data,
        recipe.settings,
        tokenizer,
        stage="grpo",
        out=recipe.out,
        chat_template_kwargs=args.chat_template_kwargs,
        say=say,
    )
    terms, judged = weigh_rewards(recipe, found.dataset["task"], say)
    extras = make_extras(recipe, found.splits, say, judged=judged)
    trainer = GroupedGRPOTrainer(
        model=model.model_name_or_path,
        reward_funcs=[term.function for term in terms],
        args=args,
        train_dataset=found.dataset,
        processing_class=tokenizer,
        peft_config=get_peft_config(model),
        callbacks=extras.callbacks,
    )
    return train(recipe, trainer, extras, say)


if __name__ == "__main__":
    sys.exit(run_main(main))
