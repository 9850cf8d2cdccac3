"""A plan as text. Every time and price says that it is assumed."""

from __future__ import annotations

from train.plan_batch import BatchPlan
from train.plan_cost import CostPlan
from train.plan_memory import MemoryPlan, trained_parameters
from train.plan_setup import GIB, Setup


def render_plan(setup: Setup, batch: BatchPlan, memory: MemoryPlan, cost: CostPlan) -> str:
    """Return the whole plan, one section after the other."""
    sections = (_head(setup), _batch(setup, batch), _memory(setup, memory), _cost(setup, batch, cost))
    return "\n\n".join("\n".join(lines) for lines in sections)


def _head(setup: Setup) -> list[str]:
    shape = setup.shape
    machines = f"{setup.num_gpus} x {setup.gpu.name}" if setup.gpu else "CPU"
    trained = trained_parameters(setup)
    share = "all" if trained == shape.num_parameters else f"{trained:,} (an adapter)"
    lengths = f"prompt {setup.prompt_tokens:,}, reply {setup.completion_tokens:,}"
    return [
        f"{setup.kind}: {shape.name} on {machines}, {setup.launch.num_processes} training processes",
        f"  parameters {shape.num_parameters:,}, trained {share}; weights kept in {setup.weight_bytes * 8} bits",
        f"  longest row {setup.row_tokens:,} tokens: {lengths}; window {shape.context_tokens:,}",
    ]


def _batch(setup: Setup, batch: BatchPlan) -> list[str]:
    device = int(setup["per_device_train_batch_size"])
    unit = "rows" if setup.kind == "sft" else "rollouts"
    lines = [
        "one step",
        f"  {device} a micro-batch x {batch.micro_batches} accumulated x {batch.processes} processes = "
        f"{batch.rollouts:,} {unit}",
    ]
    if setup.kind != "sft":
        lines.append(f"  {batch.prompts:g} prompts x {batch.generations} generations = {batch.rollouts:,} rollouts")
        kept = batch.generated / batch.rollouts
        lines.append(f"  {batch.generated:,} written at once, from one state of the weights: {kept:g} steps' worth")
    if batch.rows_per_rollout > 1:
        lines.append(
            f"  x {batch.rows_per_rollout} rows ({setup.num_updates} updates and the answer) = {batch.rows:,} rows, in "
            f"passes of {int(setup['tokens_per_pass']):,} tokens"
        )
    lines.append(
        f"the run: {batch.steps:,} steps, {batch.epochs:.2f} epochs of {setup.rows:,} samples "
        f"({batch.steps_per_epoch:,.1f} steps an epoch)"
    )
    return lines


def _memory(setup: Setup, memory: MemoryPlan) -> list[str]:
    parts = {
        "weights": memory.weights,
        "gradients": memory.gradients,
        "optimizer": memory.optimizer,
        "reference": memory.reference,
        "gathered": memory.gathered,
        "activations": memory.activations,
        "output head": memory.head,
        "runtime": memory.runtime,
    }
    lines = [f"memory of one {'GPU' if setup.gpu else 'process'}, estimated at the longest row (GiB)"]
    lines += [f"  {name:<12}{size / GIB:>8.2f}" for name, size in parts.items() if size]
    lines.append(f"  {'training':<12}{memory.training / GIB:>8.2f}")
    if memory.engine:
        how = "asleep while a step trains" if memory.engine_sleeps else "held all the time"
        lines.append(f"  {'vLLM':<12}{memory.engine / GIB:>8.2f}  {how}; cache for {memory.cache_tokens:,} tokens")
    if setup.gpu is not None:
        room = setup.gpu.memory_gib * setup.efficiency["memory_margin"]
        lines.append(f"  {'peak':<12}{memory.peak / GIB:>8.2f}  of {room:.1f} to plan with")
    return lines


def _cost(setup: Setup, batch: BatchPlan, cost: CostPlan) -> list[str]:
    tokens = cost.tokens
    lines = [
        "tokens, at mean lengths (train/plan_assumptions.toml)",
        f"  a step: {tokens.trained:,.0f} trained on ({tokens.most:,.0f} if every row were the longest)",
    ]
    if setup.kind != "sft":
        lines.append(f"          {tokens.prefilled:,.0f} read and {tokens.written:,.0f} written to generate")
    total = (tokens.trained + tokens.prefilled + tokens.written) * batch.steps
    lines.append(f"  the run: {total / 1e9:,.2f} billion")
    if cost.judged:
        lines.append(f"  {cost.judged:,.0f} open answers, each judged three times: the judges' price is not in here")
    lines.append(f"  {cost.floating_ops * batch.steps:.2e} floating-point operations of training and scoring")
    if setup.gpu is None:
        return [*lines, "no time and no price: nothing is assumed about this machine"]
    efficiency = setup.efficiency
    return [
        *lines,
        "time and price: ASSUMED, never measured here",
        f"  a step {cost.step_s:,.0f} s: train {cost.train_s:,.0f} (MFU {efficiency['train_mfu']:.0%}), "
        f"score {cost.score_s:,.0f} ({efficiency['score_mfu']:.0%}), generate {cost.generate_s:,.0f}",
        f"  the run {cost.hours:,.1f} hours; ${cost.usd:,.0f} at ${setup.gpu.usd_per_hour:,.2f} an hour and GPU",
    ]
