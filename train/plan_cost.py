"""What a run reads and writes in tokens, how long that would take, and what it would cost. Times are assumptions."""

from __future__ import annotations

from dataclasses import dataclass

from train.plan_batch import BatchPlan
from train.plan_memory import MemoryPlan
from train.plan_setup import GIB, Setup

_HOUR_S = 3600.0


@dataclass(frozen=True)
class StepTokens:
    """Tokens of one optimiser step at mean lengths; `written` and `trained_rows` at their limits are in `most`."""

    prefilled: float
    written: float
    trained: float
    most: float


@dataclass(frozen=True)
class CostPlan:
    """Seconds of one step by part, and the run. `judged` answers are sent to judges; `floating_ops` are one step's."""

    tokens: StepTokens
    floating_ops: float
    train_s: float
    score_s: float
    generate_s: float
    hours: float
    usd: float
    judged: float

    @property
    def step_s(self) -> float:
        return self.train_s + self.score_s + self.generate_s


@dataclass(frozen=True)
class RowKind:
    """Rows of one length in a rollout: `prompt` and `reply` are mean tokens, `count` how many a rollout has."""

    prompt: float
    reply: float
    count: float


def mean_rows(setup: Setup) -> list[RowKind]:
    """Return the rows that make up one rollout, at the assumed mean lengths, cut to what the recipe allows."""
    lengths = setup.lengths
    query = lengths["query_tokens"] + lengths["options_tokens"]
    history = min(lengths["history_tokens"], setup.prompt_tokens - query)
    if setup.kind == "sft":
        return [RowKind(history + query, lengths["target_tokens"], 1)]
    answer = min(lengths["answer_tokens"], float(setup["max_completion_length"]))
    if setup.kind == "grpo":
        return [RowKind(history + query, answer, 1)]
    memory = min(lengths["memory_tokens"], float(setup.update_tokens), float(setup["cap_tokens"]))
    turns = min(-(-lengths["history_tokens"] // float(setup["chunk_tokens"])), setup.num_updates)
    chunk = lengths["history_tokens"] / turns
    update = RowKind(chunk + memory + lengths["instruction_tokens"], memory, turns)
    return [update, RowKind(memory + query, answer, 1)]


def plan_cost(setup: Setup, batch: BatchPlan, memory: MemoryPlan) -> CostPlan:
    """Work out tokens, time and price of the run."""
    kinds = mean_rows(setup)
    tokens = StepTokens(
        prefilled=_read_prompts(setup, batch) * sum(kind.count * kind.prompt for kind in kinds),
        written=0.0 if setup.kind == "sft" else batch.rollouts * sum(kind.count * kind.reply for kind in kinds),
        trained=batch.rollouts * sum(kind.count * (kind.prompt + kind.reply) for kind in kinds),
        most=float(batch.rows * setup.row_tokens),
    )
    forward = batch.rollouts * sum(
        kind.count * setup.shape.forward_flops(kind.prompt + kind.reply, kind.reply) for kind in kinds
    )
    train_ops, score_ops = forward * _train_passes(setup), forward * _score_passes(setup)
    judged = _judged(setup, batch)
    if setup.gpu is None:
        return CostPlan(tokens, train_ops + score_ops, 0, 0, 0, 0, 0, judged)
    speed = setup.gpu.bf16_tflops * 1e12 * batch.processes
    train_s = train_ops / (speed * setup.efficiency["train_mfu"])
    score_s = score_ops / (speed * setup.efficiency["score_mfu"])
    generate_s = _generate_seconds(setup, batch, memory, kinds)
    hours = (train_s + score_s + generate_s) * batch.steps / _HOUR_S
    usd = hours * setup.gpu.usd_per_hour * setup.num_gpus
    return CostPlan(tokens, train_ops + score_ops, train_s, score_s, generate_s, hours, usd, judged)


def _train_passes(setup: Setup) -> float:
    """A backward is two forwards (one, where only an adapter learns); recomputation is one more."""
    is_recomputing = setup.get("gradient_checkpointing", True) or setup.launch.checkpoints_activations
    backward = 1.0 if setup.get("use_peft", False) else 2.0
    return (1.0 + backward + (1.0 if is_recomputing else 0.0)) * int(setup.get("num_iterations", 1))


def _score_passes(setup: Setup) -> float:
    """TRL reads every row once more for the log-probabilities that vLLM's are compared with, and for the reference."""
    if setup.kind == "sft":
        return 0.0
    old = bool(setup.get("use_vllm", False)) and bool(setup.get("vllm_importance_sampling_correction", True))
    return float(old) + float(bool(setup.get("beta", 0.0)))


def _generate_seconds(setup: Setup, batch: BatchPlan, memory: MemoryPlan, kinds: list[RowKind]) -> float:
    """Reading prompts is bound by arithmetic (the replies of a group share theirs), writing by memory bandwidth.

    Updates of one rollout follow each other.
    """
    if setup.kind == "sft" or setup.gpu is None:
        return 0.0
    engines = _engine_gpus(setup, batch)
    speed = setup.gpu.bf16_tflops * 1e12 * setup.efficiency["prefill_mfu"] * engines
    bandwidth = setup.gpu.bandwidth_gb_s * 1e9 * setup.efficiency["decode_bandwidth"]
    seconds = 0.0
    for kind in kinds:
        seconds += kind.count * _read_prompts(setup, batch) * setup.shape.forward_flops(kind.prompt, 1) / speed
        at_once = _rollouts_at_once(setup, batch, memory, kind, engines)
        waves = max(batch.rollouts / engines / at_once, 1.0)
        cache = at_once * (kind.prompt + kind.reply) * setup.shape.kv_bytes()
        step_s = (2 * setup.shape.num_parameters + cache) / bandwidth
        seconds += kind.count * waves * kind.reply * step_s
    return seconds


def _read_prompts(setup: Setup, batch: BatchPlan) -> float:
    """How often a prompt is read to generate: once a group where its replies share it, else once a rollout."""
    if setup.kind == "sft":
        return 0.0
    is_shared = setup.kind == "grpo" and bool(setup.get("use_vllm", False))
    return batch.prompts if is_shared else float(batch.rollouts)


def _engine_gpus(setup: Setup, batch: BatchPlan) -> int:
    if setup.get("vllm_mode", "colocate") == "server" and setup.get("use_vllm", False):
        return max(setup.num_gpus - batch.processes, 1)
    return batch.processes


def _rollouts_at_once(setup: Setup, batch: BatchPlan, memory: MemoryPlan, kind: RowKind, engines: int) -> float:
    """How many replies one GPU writes at once: what its cache holds, and no more than there are."""
    wanted = max(batch.rollouts / engines, 1.0)
    shared = 1 if setup.num_updates else min(batch.generations, wanted)
    a_reply = kind.prompt / shared + kind.reply
    room = memory.cache_tokens or _server_room(setup)
    return max(min(wanted, room / a_reply), 1.0)


def _server_room(setup: Setup) -> float:
    """A server of its own gives nine tenths of its GPU to vLLM."""
    if setup.gpu is None:
        return 0.0
    held = 0.9 * setup.gpu.memory_gib * GIB - 2 * setup.shape.num_parameters - setup.efficiency["engine_gib"] * GIB
    return max(held, 0.0) / setup.shape.kv_bytes()


def _judged(setup: Setup, batch: BatchPlan) -> float:
    """Open answers of the run: each is judged three times."""
    if setup.kind == "sft":
        return 0.0
    return batch.rollouts * batch.steps * (1.0 - float(setup["mcq_share"]))
