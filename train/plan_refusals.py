"""What cannot work: each with its reason and what to change. A plan with one of these is not a plan."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from train.plan_batch import BatchPlan
from train.plan_memory import MemoryPlan
from train.plan_setup import GIB, Setup


@dataclass(frozen=True)
class Refusal:
    """One reason why a run would fail, or train something else than it says."""

    reason: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.reason}; {self.remedy}"


def find_refusals(setup: Setup, batch: BatchPlan, memory: MemoryPlan) -> list[Refusal]:
    """Return everything that is impossible, in the order in which a run would meet it."""
    checks = (_machines, _groups, _lengths, _kernels, _adapter, _engine_place, _engine_room)
    found = [refusal for check in checks for refusal in check(setup, batch, memory)]
    return found + list(_fits(setup, memory))


def _machines(setup: Setup, _batch: BatchPlan, _memory: MemoryPlan) -> Iterator[Refusal]:
    launch = setup.launch
    if setup.gpu is None and not setup.is_cpu:
        yield Refusal("no GPU is planned", "say --gpu h100")
    if setup.gpu is None and launch.shards != "nothing":
        yield Refusal("the accelerate file shards the model over GPUs, and the plan has none", "take ddp_cpu")
    if setup.gpu is not None and launch.is_cpu:
        yield Refusal("the recipe or the accelerate file runs on the CPU, and a GPU is planned", "say --gpu cpu")
    if setup.gpu is not None and launch.num_processes > setup.num_gpus:
        yield Refusal(
            f"{launch.num_processes} processes need as many GPUs, and there are {setup.num_gpus}",
            f"set num_processes to {setup.num_gpus}, or plan --gpus {launch.num_processes}",
        )
    if setup.gpu is not None and launch.num_processes < setup.num_gpus and not _has_server(setup):
        yield Refusal(
            f"{setup.num_gpus - launch.num_processes} of {setup.num_gpus} GPUs would stand idle",
            f"set num_processes to {setup.num_gpus}, or use them for vllm_mode: server",
        )


def _groups(setup: Setup, batch: BatchPlan, _memory: MemoryPlan) -> Iterator[Refusal]:
    """GRPO compares the replies of one prompt: all of a group must be in one generation, and generations in steps."""
    if setup.kind == "sft":
        return
    size = batch.generations
    if size < 2:
        yield Refusal(f"num_generations is {size}: nothing to compare a reply with", "take 2 or more (the paper: 8)")
        return
    micro = int(setup["per_device_train_batch_size"]) * batch.processes
    if setup.get("generation_batch_size") and setup.get("steps_per_generation"):
        yield Refusal("generation_batch_size and steps_per_generation are both set", "set one of them, or neither")
    if batch.generated % size:
        fitting = next(n for n in range(1, size + 1) if micro * n % size == 0)
        yield Refusal(
            f"{batch.generated} replies a generation cannot be cut into groups of {size} (num_generations)",
            f"take gradient_accumulation_steps: {fitting}, or a multiple of it",
        )
    if batch.generated % micro:
        yield Refusal(
            f"{batch.generated} replies a generation are no multiple of {micro}, the replies of one micro-batch",
            "change generation_batch_size or per_device_train_batch_size",
        )
    if batch.generated % batch.rollouts and batch.rollouts % batch.generated:
        yield Refusal(
            f"{batch.generated} replies a generation and {batch.rollouts} a step: neither divides the other",
            "leave generation_batch_size and steps_per_generation out",
        )
    elif batch.rollouts % size:
        yield Refusal(
            f"{batch.rollouts} replies a step are no whole groups of {size} (num_generations)",
            f"take gradient_accumulation_steps so that {micro} times it is a multiple of {size}",
        )


def _lengths(setup: Setup, _batch: BatchPlan, _memory: MemoryPlan) -> Iterator[Refusal]:
    window = setup.shape.context_tokens
    if setup.row_tokens > window:
        yield Refusal(
            f"prompt {setup.prompt_tokens:,} and reply {setup.completion_tokens:,} are {setup.row_tokens:,} tokens; "
            f"{setup.shape.name} has a window of {window:,}",
            "shorten max_prompt_tokens, chunk_tokens or the reply, or take another model",
        )
    if setup.completion_tokens <= 0:
        yield Refusal(
            f"max_prompt_tokens {setup.prompt_tokens:,} leaves a target no room in {setup.row_tokens:,} max_row_tokens",
            "take max_row_tokens above it",
        )
    longest = setup.get("max_length")
    if setup.kind == "sft" and longest is not None and int(longest) < setup.row_tokens:
        yield Refusal(
            f"max_length {int(longest):,} cuts rows that the filter lets through (max_row_tokens {setup.row_tokens:,}) "
            "their targets with them",
            f"set max_length to {setup.row_tokens}",
        )
    engine = setup.get("vllm_max_model_length")
    if setup.get("use_vllm", False) and engine is not None and int(engine) < setup.row_tokens:
        yield Refusal(
            f"vllm_max_model_length {int(engine):,} is less than prompt and reply, {setup.row_tokens:,}",
            f"set it to {setup.row_tokens} or more",
        )
    yield from _memory_lengths(setup)


def _memory_lengths(setup: Setup) -> Iterator[Refusal]:
    if not setup.num_updates:
        return
    turns = int(-(-setup.lengths["history_tokens"] // int(setup["chunk_tokens"])))
    if turns > setup.num_updates:
        yield Refusal(
            f"a history of {setup.lengths['history_tokens']:,.0f} tokens needs {turns} chunks of "
            f"{setup['chunk_tokens']:,}, and max_turns is {setup.num_updates}",
            f"set max_turns to {turns + 1}, or take larger chunks",
        )
    if setup.update_tokens < int(setup["cap_tokens"]):
        yield Refusal(
            f"an update may write {setup.update_tokens:,} tokens, a memory may have {setup['cap_tokens']:,}",
            "set max_update_length to the cap or more: a whole memory is written anew each time",
        )


def _kernels(setup: Setup, _batch: BatchPlan, _memory: MemoryPlan) -> Iterator[Refusal]:
    if setup.get("attn_implementation") == "eager" and setup.row_tokens > 8192:
        yield Refusal(
            f"attn_implementation eager keeps a score for each pair of {setup.row_tokens:,} tokens",
            "take sdpa, or flash_attention_2 where it is installed",
        )
    has_flash = str(setup.get("attn_implementation") or "").startswith(("flash", "kernels-community"))
    if setup.gpu is None and has_flash:
        yield Refusal("flash attention needs a GPU", "take sdpa")
    if setup.get("packing", False) and not has_flash:
        yield Refusal(
            "packed rows attend to each other without flash attention",
            "set attn_implementation: flash_attention_2, or do not pack",
        )
    if setup.launch.checkpoints_activations and setup.get("gradient_checkpointing", True):
        yield Refusal(
            "fsdp_activation_checkpointing and gradient_checkpointing both recompute",
            "set one of them to false",
        )


def _adapter(setup: Setup, _batch: BatchPlan, _memory: MemoryPlan) -> Iterator[Refusal]:
    has_adapter, is_quantized = bool(setup.get("use_peft", False)), _is_quantized(setup)
    if is_quantized and not has_adapter:
        yield Refusal("quantised weights cannot be trained", "set use_peft, or leave load_in_4bit and load_in_8bit out")
    if is_quantized and setup.launch.shards == "everything":
        yield Refusal("quantised weights are not sharded here", "take the accelerate file single")
    if has_adapter and setup.launch.is_offloading:
        yield Refusal(
            "an adapter's frozen base would go to the CPU and back at every layer, for memory that an adapter does not "
            "need",
            "set the offloading of the accelerate file to none, or use_peft to false",
        )
    if has_adapter and setup.get("sync_ref_model", False):
        yield Refusal(
            "with an adapter the reference is the base itself and cannot be synchronised", "drop sync_ref_model"
        )
    if setup.get("sync_ref_model", False) and not setup.get("beta", 0.0):
        yield Refusal("sync_ref_model without beta: there is no reference", "set beta above 0, or drop sync_ref_model")


def _engine_place(setup: Setup, batch: BatchPlan, _memory: MemoryPlan) -> Iterator[Refusal]:
    if not setup.get("use_vllm", False):
        return
    if setup.is_cpu:
        yield Refusal("vLLM needs a GPU here", "set use_vllm to false for the CPU, or plan --gpu h100")
        return
    if _has_server(setup):
        if setup.num_gpus <= batch.processes:
            yield Refusal(
                f"vllm_mode server needs GPUs of its own, and the {batch.processes} training processes take all "
                f"{setup.num_gpus}",
                "lower num_processes, plan more --gpus, or take vllm_mode: colocate",
            )
        return
    parallel = int(setup.get("vllm_tensor_parallel_size", 1))
    if batch.processes % parallel:
        yield Refusal(
            f"vllm_tensor_parallel_size {parallel} does not divide the {batch.processes} processes", "take a divisor"
        )
    if setup.shape.num_heads % parallel:
        yield Refusal(
            f"vllm_tensor_parallel_size {parallel} does not divide {setup.shape.num_heads} attention heads",
            "take a divisor",
        )
    if _is_quantized(setup) and setup.get("load_in_8bit", False):
        yield Refusal("vLLM cannot load 8-bit weights that training quantised", "take load_in_4bit, or no vLLM")


def _engine_room(setup: Setup, _batch: BatchPlan, memory: MemoryPlan) -> Iterator[Refusal]:
    if memory.engine and memory.cache_tokens < setup.row_tokens and setup.gpu is not None:
        needed = setup.row_tokens * setup.shape.kv_bytes() + 2 * setup.shape.num_parameters
        share = needed / GIB / setup.gpu.memory_gib + setup.efficiency["engine_gib"] / setup.gpu.memory_gib
        yield Refusal(
            f"vLLM's cache has room for {memory.cache_tokens:,} tokens, one row needs {setup.row_tokens:,}",
            f"raise vllm_gpu_memory_utilization to {min(share + 0.01, 1):.2f} or more",
        )


def _fits(setup: Setup, memory: MemoryPlan) -> Iterator[Refusal]:
    """The last check: what remains may be mended by the others."""
    if setup.gpu is None:
        return
    room = setup.gpu.memory_gib * setup.efficiency["memory_margin"]
    peak = memory.peak / GIB
    if peak <= room:
        return
    said = f"a process needs {peak:.1f} GiB, and {setup.gpu.name} has {room:.1f} GiB to plan with"
    yield Refusal(said, " or ".join(_savings(setup, memory, room)) or "take more or larger GPUs")


def _savings(setup: Setup, memory: MemoryPlan, room: float) -> Iterator[str]:
    """Say what would help here, largest first; each alone may not be enough."""
    without_reference = (memory.peak - memory.reference) / GIB
    if memory.reference and without_reference <= room:
        yield "set beta to 0 (the reference model is what does not fit)"
    if memory.engine and not memory.engine_sleeps:
        yield "set vllm_enable_sleep_mode"
    if not (setup.get("gradient_checkpointing", True) or setup.launch.checkpoints_activations):
        yield "set gradient_checkpointing"
    if setup.launch.shards != "everything" and setup.num_gpus > 1:
        yield "shard with the accelerate file fsdp2 or zero3"
    if setup.kind == "memory_grpo" and int(setup["tokens_per_pass"]) > setup.row_tokens:
        yield f"lower tokens_per_pass (to {setup.row_tokens} at the least)"
    elif int(setup["per_device_train_batch_size"]) > 1:
        yield "lower per_device_train_batch_size and raise gradient_accumulation_steps"
    if not setup.get("use_peft", False):
        yield "train an adapter (use_peft)"


def _has_server(setup: Setup) -> bool:
    return bool(setup.get("use_vllm", False)) and setup.get("vllm_mode", "colocate") == "server"


def _is_quantized(setup: Setup) -> bool:
    return bool(setup.get("load_in_4bit", False)) or bool(setup.get("load_in_8bit", False))
