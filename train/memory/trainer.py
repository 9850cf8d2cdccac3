"""GRPO over rollouts of several conversations, on TRL's trainer: what differs from it, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from accelerate.utils import gather_object
from trl import GRPOTrainer

from hub_toolkit.types import Message
from train.data_order import GroupSampler
from train.memory.config import MemoryGRPOConfig
from train.memory.metrics import gather_unequal, log_padding, log_rewards_by_type, log_rollouts, merge_passes
from train.memory.passes import count_tokens, lay_out, pick_scored, plan_passes, take_rows
from train.memory.rollout import Turn
from train.memory.steps import PassSize, StepPlan, join_steps, pass_weight


class MemoryGRPOTrainer(GRPOTrainer):  # type: ignore[misc, unused-ignore]
    """Rewards and advantages are of rollouts; the advantage is then shared by a rollout's R rows.

    Rows go through the model in passes of at most `tokens_per_pass` tokens, each followed by its backward pass. The
    loss is that of all rows at once: its denominators count the rows and tokens of the whole batch, on all ranks.
    Rows without a token to learn from, as turns that were not used, are in no pass and in no denominator.
    """

    args: MemoryGRPOConfig
    rollout_rows: Sequence[Mapping[str, Any]] = ()
    _buffered_inputs: list[StepPlan] | None

    @property
    def blank_id(self) -> int:
        """The token that unused rows consist of."""
        return int(self._tokenizer.eos_token_id)

    # --- sampling: train.memory.rollout.TurnGenerator -------------------------------------------------------------

    def generate_turns(self, prompts: Sequence[Sequence[Message]], *, max_tokens: int) -> list[Turn]:
        """Sample one reply to each prompt. Every rank has to call it, a rank without prompts too."""
        is_alone = self.accelerator.num_processes == 1
        if not prompts and is_alone:
            return []
        asked = [[message.as_dict() for message in prompt] for prompt in prompts] or [[Message("user", ".").as_dict()]]
        prompt_ids = list(self._tokenize_prompts(asked)[0])
        # A vLLM server, or one that several ranks share, takes equally many prompts from each.
        num_sent = len(self.rollout_rows) if self.use_vllm and not is_alone else len(prompt_ids)
        sent = prompt_ids + [prompt_ids[0]] * (num_sent - len(prompt_ids))
        with self._limited(max_tokens):
            completion_ids, logprobs = self._generate_single_turn(sent, None, {}, 1)
        return [
            Turn(list(prompt_ids[i]), list(completion_ids[i]), None if logprobs is None else list(logprobs[i]))
            for i in range(len(prompts))
        ]

    def decode_turn(self, turn: Turn) -> str:
        """Return what a reply says."""
        return str(self.processing_class.decode(turn.completion_ids, skip_special_tokens=True))

    @contextmanager
    def _limited(self, max_tokens: int) -> Iterator[None]:
        """Let replies have at most `max_tokens`: both backends read an attribute when they are called."""
        target, name = (
            (self.vllm_generation, "max_completion_length")
            if self.use_vllm
            else (self.generation_config, "max_new_tokens")
        )
        before = getattr(target, name)
        setattr(target, name, max_tokens)
        try:
            yield
        finally:
            setattr(target, name, before)

    # --- rollouts: rewards and advantages -------------------------------------------------------------------------

    def _get_train_sampler(self, dataset: Any = None) -> Any:
        """Draw each epoch's order from the seed and the epoch: TRL's sampler begins anew when a run is resumed."""
        rows = self.train_dataset if dataset is None else dataset
        args = self.args
        return GroupSampler(
            rows["unit"] if "unit" in rows.column_names else [""] * len(rows),
            args.generation_batch_size // self.num_generations,
            seed=args.seed,
            mini_repeat_count=self.num_generations,
            repeat_count=self.num_iterations * args.steps_per_generation,
        )

    def _generate(self, prompts: list[Any]) -> tuple[Any, ...]:
        with self._plain_replies():
            generated = list(super()._generate(prompts))
        generated[3] = self._finals(generated[3])
        log_rollouts(self, generated[5])
        return tuple(generated)

    @contextmanager
    def _plain_replies(self) -> Iterator[None]:
        """Keep TRL from parsing replies by the tokenizer's schema: it would look for as many prompts as rows."""
        schemas = {name: getattr(self._tokenizer, name, None) for name in ("response_template", "response_schema")}
        found = {name: value for name, value in schemas.items() if value is not None}
        for name in found:
            setattr(self._tokenizer, name, None)
        try:
            yield
        finally:
            for name, value in found.items():
                setattr(self._tokenizer, name, value)

    def _finals(self, rows: Sequence[Any]) -> list[Any]:
        return list(rows[self.args.max_turns :: self.args.rows_per_rollout])

    def _calculate_rewards(
        self, inputs: list[dict[str, Any]], prompts: list[Any], completions: list[Any], completion_ids_list: list[Any]
    ) -> torch.Tensor:
        rewards = super()._calculate_rewards(inputs, prompts, completions, self._finals(completion_ids_list))
        log_rewards_by_type(self, inputs, rewards)
        return rewards

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        self.rollout_rows = inputs
        batch = dict(super()._generate_and_score_completions(inputs))
        batch["advantages"] = batch["advantages"].repeat_interleave(self.args.rows_per_rollout)
        return batch

    # --- steps: which rows a step learns from, and in which passes -------------------------------------------------

    def _prepare_inputs(self, generation_batch: Any) -> Any:
        if not self.model.training:
            return self._plan_steps(self._generate_and_score_completions(generation_batch), num_steps=1)[0]
        num_steps = self.args.steps_per_generation
        if self._step % (num_steps * self.num_iterations) == 0 or self._buffered_inputs is None:
            batch = self._generate_and_score_completions(generation_batch)
            self._buffered_inputs = self._plan_steps(batch, num_steps=num_steps)
        return self._buffered_inputs[self._step % num_steps]

    def _plan_steps(self, batch: dict[str, Any], *, num_steps: int) -> list[StepPlan]:
        """Deal the rollouts out to the steps, and cut each step's rows into equally many passes on every rank."""
        size = self.args.rows_per_rollout
        num_rollouts = len(batch["advantages"]) // size
        order = torch.randperm(num_rollouts).tolist() if num_steps > 1 else list(range(num_rollouts))
        share = num_rollouts // num_steps
        lengths = (batch["prompt_mask"].sum(1) + batch["completion_mask"].sum(1)).tolist()
        loss_tokens = (batch["completion_mask"] * batch["tool_mask"]).sum(1).tolist()
        planned: list[list[list[int]]] = []
        for step in range(num_steps):
            rows = [
                rollout * size + turn
                for rollout in order[step * share : (step + 1) * share]
                for turn in range(size)
                if loss_tokens[rollout * size + turn]
            ]
            planned.append(self._cut([lengths[row] for row in rows], rows))
        passes = [rows for step in planned for rows in step]
        computed = sum(count_tokens(lengths, rows, layout=self.args.row_layout) for rows in passes)
        log_padding(self, sum(lengths[row] for rows in passes for row in rows), computed)
        return join_steps(
            batch,
            planned,
            loss_tokens,
            steps_per_update=self.args.gradient_accumulation_steps,
            gather=gather_object,
        )

    def _cut(self, lengths: Sequence[int], rows: Sequence[int]) -> list[list[int]]:
        args = self.args
        passes = plan_passes(lengths, tokens_per_pass=args.tokens_per_pass, layout=args.row_layout)
        return [[rows[place] for place in one] for one in passes]

    # --- loss -----------------------------------------------------------------------------------------------------

    def _compute_loss(self, model: Any, inputs: StepPlan) -> torch.Tensor:
        """Return the step's loss; all passes but the last have done their backward pass when it returns."""
        done: torch.Tensor | float = 0.0
        with merge_passes(self, inputs):
            for rows, size in zip(inputs.passes[:-1], inputs.sizes[:-1], strict=True):
                with self._held_back(model):
                    loss = self._pass_loss(model, inputs, rows, size)
                    if torch.is_grad_enabled():
                        self._backward(loss)
                done = done + loss.detach()
            return self._pass_loss(model, inputs, inputs.passes[-1], inputs.sizes[-1]) + done

    def _pass_loss(self, model: Any, plan: StepPlan, rows: Sequence[int], size: PassSize) -> torch.Tensor:
        with gather_unequal(self.accelerator):
            loss: torch.Tensor = super()._compute_loss(model, take_rows(plan.batch, rows))
        is_training = self.model.training
        num_steps = self.current_gradient_accumulation_steps if is_training else 1
        generations = max(1.0, num_steps / self.args.steps_per_generation) if is_training else 1.0
        scale = num_steps * self.accelerator.num_processes / generations
        return loss * pass_weight(self.loss_type, size, plan.totals, scale=scale)

    def _backward(self, loss: torch.Tensor) -> None:
        kwargs = {"scale_wrt_gas": False} if self.is_deepspeed_enabled else {}
        with torch.autocast(loss.device.type, enabled=False):
            self.accelerator.backward(loss, **kwargs)

    @contextmanager
    def _held_back(self, model: Any) -> Iterator[None]:
        """Another pass follows: DDP keeps gradients local, DeepSpeed takes no step."""
        if self.is_deepspeed_enabled:
            state = self.accelerator.gradient_state
            was_syncing = state.sync_gradients
            state._set_sync_gradients(False)
            try:
                yield
            finally:
                state._set_sync_gradients(was_syncing)
        elif self.is_fsdp_enabled:
            # Holding back would keep whole gradients on every GPU; reducing them each time gives the same sum.
            yield
        else:
            with self.accelerator.no_sync(model):
                yield

    def _get_per_token_logps_and_entropies(
        self,
        model: Any,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        logits_to_keep: int,
        batch_size: int | None = None,
        compute_entropy: bool = False,
        **_: Any,
    ) -> tuple[torch.Tensor, torch.Tensor | None, None]:
        """Score the completions; with a `batch_size` the whole generation batch comes, and is cut into passes."""
        if batch_size is None:
            return (*self._score_pass(model, input_ids, attention_mask, logits_to_keep, compute_entropy), None)
        lengths = attention_mask.sum(1).tolist()
        passes = self._cut(lengths, range(len(lengths)))
        most = max(gather_object([len(passes)]))
        logps = torch.zeros(len(input_ids), logits_to_keep, device=input_ids.device)
        for rows in [*passes, *([[0]] * (most - len(passes)))]:
            found = self._score_pass(model, input_ids[rows], attention_mask[rows], logits_to_keep, False)[0]
            logps[rows] = found.to(logps.dtype)
        return logps, None, None

    def _score_pass(
        self, model: Any, input_ids: torch.Tensor, attention_mask: torch.Tensor, num_completion: int, with_entropy: bool
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return the log-probabilities of the completion tokens, and their entropies where asked."""
        layout = lay_out(input_ids, attention_mask, num_completion, layout=self.args.row_layout)
        with self.accelerator.autocast():
            outputs = model(**layout.inputs, labels=layout.labels, fused_lm_head=True)
        mask = attention_mask[:, -num_completion:]
        entropies = pick_scored(outputs.entropy, layout, mask) if with_entropy else None
        return pick_scored(outputs.log_probs, layout, mask), entropies
