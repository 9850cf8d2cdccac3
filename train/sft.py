"""Supervised fine-tuning, the cold start: `python -m train.sft --config train/recipes/sft_8xh100.yaml [--plan]`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from trl import ModelConfig, SFTConfig, SFTTrainer, TrlParser, get_peft_config

from hub_toolkit.errors import PersonaMemError
from hub_toolkit.settings import load_settings
from train.callbacks_steps import GuardedSteps
from train.config import DataConfig, RecipeConfig
from train.data import GroupSampler, load_data
from train.plan import plan_recipe, wants_plan
from train.session import Recipe, load_tokenizer, make_extras, prepare, run_main, speaker, train

PARTS = (DataConfig, RecipeConfig, SFTConfig, ModelConfig)
COLUMNS = ("prompt", "completion")


class GroupedSFTTrainer(GuardedSteps, SFTTrainer):  # type: ignore[misc, unused-ignore]
    """TRL's trainer; `units` names each row's swap group, which stays within one step's batch."""

    units: Sequence[str] = ()

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        if not any(self.units) or self.args.packing:
            return super()._get_train_sampler(train_dataset)
        args = self.args
        batch_size = args.per_device_train_batch_size * args.gradient_accumulation_steps * args.world_size
        return GroupSampler(self.units, batch_size, seed=args.seed, is_dropping_last=False)


def main(words: Sequence[str] | None = None) -> int:
    """Run the recipe and return the exit status."""
    words = list(sys.argv[1:] if words is None else words)
    if wants_plan(words):
        return plan_recipe("sft", words)
    data, run, args, model = TrlParser(PARTS).parse_args_and_config(words)
    recipe, say = Recipe("sft", data, run, args, model, load_settings()), speaker(args)
    prepare(args, model)
    # Overlong rows are left out before: what the trainer would cut is nothing.
    args.max_length = max(data.max_row_tokens, args.max_length or 0)

    tokenizer = load_tokenizer(model)
    found = load_data(data, recipe.settings, tokenizer, stage="sft", out=recipe.out, say=say)
    extras = make_extras(recipe, found.splits, say)
    trainer = GroupedSFTTrainer(
        model=model.model_name_or_path,
        args=args,
        train_dataset=found.dataset.select_columns(list(COLUMNS)),
        processing_class=tokenizer,
        peft_config=get_peft_config(model),
        callbacks=extras.callbacks,
    )
    if len(trainer.train_dataset) != len(found.dataset) and not args.packing:
        raise PersonaMemError("the trainer left rows out that fitted: check max_length and the chat template")
    trainer.units = found.dataset["unit"]
    return train(recipe, trainer, extras, say)


if __name__ == "__main__":
    sys.exit(run_main(main))
