"""Memory of one GPU: what stays, what a step adds, and what the generation engine keeps."""

from __future__ import annotations

from dataclasses import dataclass

from train.plan_model import LORA_TARGETS, ModelShape
from train.plan_setup import GIB, Setup

# A tile of logits and the output matrix's gradient are all that TRL's fused head keeps of the vocabulary.
_TILE_TOKENS = 4096
_TILE_VOCAB = 32_768
_OPTIMIZER_BYTES = {"adamw_bnb_8bit": 2, "adamw_8bit": 2, "paged_adamw_8bit": 2, "adafactor": 0, "sgd": 0}
"""Bytes of optimiser state a trained value, where they do not follow from the weight's own size (two states of it)."""


@dataclass(frozen=True)
class MemoryPlan:
    """Bytes on one GPU at the longest row; `engine` is what vLLM holds of it, `cache_tokens` how many fit there."""

    weights: int
    gradients: int
    optimizer: int
    reference: int
    gathered: int
    activations: int
    head: int
    runtime: int
    engine: int
    engine_sleeps: bool
    cache_tokens: int

    @property
    def training(self) -> int:
        """Bytes at the peak of a training step, the engine left out."""
        return self.resident + self.gathered + self.activations + self.head

    @property
    def resident(self) -> int:
        """Bytes that are there all the time."""
        return self.weights + self.gradients + self.optimizer + self.reference + self.runtime

    @property
    def peak(self) -> int:
        """The most that is there at once: an engine that sleeps gives its memory back while a step trains."""
        if self.engine_sleeps:
            return max(self.training, self.resident - self.gradients + self.engine)
        return self.training + self.engine


def plan_memory(setup: Setup) -> MemoryPlan:
    """Estimate the memory of one training process.

    Sharded parts are divided by the processes; a layer and the embeddings are gathered whole, in bf16, while they work.
    """
    launch, shape = setup.launch, setup.shape
    processes = max(launch.num_processes, 1)
    weight_share = processes if launch.shards == "everything" else 1
    state_share = processes if launch.shards != "nothing" else 1
    trained = trained_parameters(setup)
    stays = 0 if launch.is_offloading else 1
    engine, cache_tokens = _engine(setup)
    return MemoryPlan(
        weights=stays * stored_bytes(setup) // weight_share,
        gradients=stays * trained * gradient_bytes(setup) // state_share,
        optimizer=stays * trained * optimizer_bytes(setup) // state_share,
        reference=reference_bytes(setup) // weight_share,
        gathered=_gathered(shape) if launch.shards == "everything" else 0,
        activations=activation_bytes(setup),
        head=_head_bytes(setup),
        runtime=0 if setup.is_cpu else int(setup.efficiency["runtime_gib"] * GIB),
        engine=engine,
        engine_sleeps=bool(setup.get("vllm_enable_sleep_mode", False)),
        cache_tokens=cache_tokens,
    )


def trained_parameters(setup: Setup) -> int:
    """Return how many values have a gradient."""
    if not setup.get("use_peft", False):
        return setup.shape.num_parameters
    targets = setup.get("lora_target_modules") or ["q_proj", "v_proj"]  # PEFT's own choice for these models
    named = LORA_TARGETS if targets in ("all-linear", ["all-linear"]) else tuple(targets)
    known = tuple(name for name in named if name in LORA_TARGETS)
    return setup.shape.lora_parameters(int(setup["lora_r"]), known)


def stored_bytes(setup: Setup) -> int:
    """Return the bytes of all weights as they are kept, adapters in float32."""
    if not setup.get("use_peft", False):
        return setup.shape.num_parameters * setup.weight_bytes
    base = 0.5 if setup.get("load_in_4bit", False) else 1 if setup.get("load_in_8bit", False) else setup.weight_bytes
    return int(setup.shape.num_parameters * base) + 4 * trained_parameters(setup)


def gradient_bytes(setup: Setup) -> int:
    """A gradient is kept as the weight is; an adapter's weights are float32."""
    return 4 if setup.get("use_peft", False) else setup.weight_bytes


def optimizer_bytes(setup: Setup) -> int:
    """Bytes of optimiser state for one trained value: AdamW keeps two as large as the weight."""
    return _OPTIMIZER_BYTES.get(str(setup.get("optim", "adamw_torch_fused")), 2 * gradient_bytes(setup))


def reference_bytes(setup: Setup) -> int:
    """With beta above 0 a second model says how far the policy has moved; an adapter is switched off instead."""
    if setup.kind == "sft" or not setup.get("beta", 0.0) or setup.get("use_peft", False):
        return 0
    return setup.shape.num_parameters * setup.weight_bytes


def activation_bytes(setup: Setup) -> int:
    """Return what a forward keeps for the backward, in the computing dtype, attention without a score matrix."""
    tokens = micro_batch_tokens(setup)
    size = 2 if setup.get("bf16", True) or setup.get("fp16", False) else 4
    shape = setup.shape
    one_layer = layer_activations(shape, size) * tokens
    if setup.get("attn_implementation") == "eager":
        rows = int(setup["per_device_train_batch_size"])
        one_layer += 2 * 4 * rows * shape.num_heads * setup.row_tokens**2
    if not (setup.get("gradient_checkpointing", True) or setup.launch.checkpoints_activations):
        return shape.num_layers * one_layer
    inputs = 0 if setup.get("activation_offloading", False) else shape.num_layers * size
    last_norm = 4 + size
    return (inputs + last_norm) * shape.hidden * tokens + 2 * one_layer  # what is computed again, and its gradients


def layer_activations(shape: ModelShape, size: int) -> int:
    """Bytes that one layer keeps of one token for its backward; tests hold it against autograd's own."""
    norms = 2 * (4 + size) * shape.hidden
    attention = 3 * (shape.attention_width + shape.kv_width)  # before and after rotation; values and the output
    qk_norms = shape.attention_width + shape.kv_width if shape.has_qk_norm else 0
    mlp = 4 * shape.intermediate  # gate, its activation, up, their product
    return norms + size * (attention + mlp) + 4 * qk_norms + 2 * size * shape.hidden


def micro_batch_tokens(setup: Setup) -> int:
    """Tokens in one forward of a process, at the longest row; memory GRPO fills passes up to a number of tokens."""
    if setup.kind == "memory_grpo":
        return max(int(setup["tokens_per_pass"]), setup.row_tokens)
    return int(setup["per_device_train_batch_size"]) * setup.row_tokens


def _gathered(shape: ModelShape) -> int:
    """Two layers (the next is fetched early) and the embeddings, whole and in bf16."""
    return 2 * (2 * shape.layer_parameters + shape.embedding_parameters * (1 if shape.is_tied else 2))


def _head_bytes(setup: Setup) -> int:
    scored = min(int(setup["per_device_train_batch_size"]) * setup.completion_tokens, _TILE_TOKENS)
    tile = 4 * scored * min(_TILE_VOCAB, setup.shape.vocab)
    has_gradient = not setup.get("use_peft", False)
    return tile + (4 * setup.shape.embedding_parameters if has_gradient else 0)


def _engine(setup: Setup) -> tuple[int, int]:
    """Return what a colocated vLLM holds of one GPU, and the tokens that its cache has room for, over its GPUs."""
    if setup.gpu is None or not setup.get("use_vllm", False) or setup.get("vllm_mode", "colocate") != "colocate":
        return 0, 0
    held = int(float(setup["vllm_gpu_memory_utilization"]) * setup.gpu.memory_gib * GIB)
    tensor_parallel = int(setup.get("vllm_tensor_parallel_size", 1))
    weights = 2 * setup.shape.num_parameters // tensor_parallel
    room = held - weights - int(setup.efficiency["engine_gib"] * GIB)
    return held, max(room, 0) * tensor_parallel // setup.shape.kv_bytes()
