"""A model's architecture as far as a plan needs it: parameters, bytes of a cached token, arithmetic of a token."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub_toolkit.errors import DataFormatError

LORA_TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True)
class ModelShape:
    """A dense decoder of the Llama and Qwen3 kind. `context_tokens` is what its positions allow."""

    name: str
    num_layers: int
    hidden: int
    intermediate: int
    num_heads: int
    num_kv_heads: int
    head_dim: int
    vocab: int
    context_tokens: int
    is_tied: bool = True
    has_qk_norm: bool = False

    @property
    def attention_width(self) -> int:
        return self.num_heads * self.head_dim

    @property
    def kv_width(self) -> int:
        return self.num_kv_heads * self.head_dim

    @property
    def linears(self) -> dict[str, tuple[int, int]]:
        """Inputs and outputs of each matrix of one layer."""
        return {
            "q_proj": (self.hidden, self.attention_width),
            "k_proj": (self.hidden, self.kv_width),
            "v_proj": (self.hidden, self.kv_width),
            "o_proj": (self.attention_width, self.hidden),
            "gate_proj": (self.hidden, self.intermediate),
            "up_proj": (self.hidden, self.intermediate),
            "down_proj": (self.intermediate, self.hidden),
        }

    @property
    def layer_parameters(self) -> int:
        matrices = sum(inputs * outputs for inputs, outputs in self.linears.values())
        return matrices + 2 * self.hidden + (2 * self.head_dim if self.has_qk_norm else 0)

    @property
    def embedding_parameters(self) -> int:
        """Elements of the embedding alone, without an output matrix of its own."""
        return self.vocab * self.hidden

    @property
    def num_parameters(self) -> int:
        embeddings = self.embedding_parameters * (1 if self.is_tied else 2)
        return self.num_layers * self.layer_parameters + self.hidden + embeddings

    def kv_bytes(self, bytes_a_value: int = 2) -> int:
        """Return the bytes that the cache holds for one token."""
        return 2 * self.num_layers * self.kv_width * bytes_a_value

    def lora_parameters(self, rank: int, targets: tuple[str, ...] = LORA_TARGETS) -> int:
        """Return how many values an adapter of this rank trains."""
        pairs = (self.linears[name] for name in targets)
        return self.num_layers * sum(rank * (inputs + outputs) for inputs, outputs in pairs)

    def forward_flops(self, row_tokens: float, head_tokens: float) -> float:
        """Return the arithmetic of reading one row; the output matrix is used for `head_tokens` of them only.

        Two operations a weight and token; causal attention reads half of the row for each token on average.
        """
        matrices = sum(inputs * outputs for inputs, outputs in self.linears.values())
        attention = 2 * row_tokens * self.attention_width  # two products of row_tokens / 2 keys, two operations each
        layers = self.num_layers * (2 * matrices + attention)
        return row_tokens * layers + 2 * head_tokens * self.embedding_parameters


SHAPES = {
    # Source: config.json of Qwen/Qwen3-4B-Instruct-2507; 4,022,468,096 parameters.
    "qwen/qwen3-4b-instruct-2507": ModelShape(
        "Qwen/Qwen3-4B-Instruct-2507", 36, 2560, 9728, 32, 8, 128, 151_936, 262_144, has_qk_norm=True
    ),
    # Source: config.json of HuggingFaceTB/SmolLM2-135M-Instruct; 134,515,008 parameters.
    "huggingfacetb/smollm2-135m-instruct": ModelShape(
        "HuggingFaceTB/SmolLM2-135M-Instruct", 30, 576, 1536, 9, 3, 64, 49_152, 8192
    ),
}


def find_shape(model: str) -> ModelShape:
    """Return the shape of a model that the table knows, or of a folder with a `config.json`.

    Raises: DataFormatError: neither.
    """
    known = SHAPES.get(model.rstrip("/").lower())
    if known:
        return known
    path = Path(model) / "config.json"
    if not path.is_file():
        names = ", ".join(shape.name for shape in SHAPES.values())
        raise DataFormatError(
            f"no plan for the model {model!r}: the table knows {names}; name one of them, or a folder with a "
            "config.json (`personamem checkpoint pull` makes one)"
        )
    try:
        config = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise DataFormatError(f"is no JSON ({error})", file=str(path)) from error
    return shape_from_config(config, name=model)


def shape_from_config(config: Mapping[str, Any], *, name: str) -> ModelShape:
    """Read a `config.json` of the Llama or Qwen kind.

    Raises: DataFormatError: a number is missing, or the model has experts, whose memory this plan does not know.
    """
    if any(key in config for key in ("num_experts", "num_local_experts", "text_config")):
        raise DataFormatError("is no dense text model; this plan knows no other", file=f"{name}/config.json")
    heads = _whole(config, "num_attention_heads", name)
    return ModelShape(
        name=name,
        num_layers=_whole(config, "num_hidden_layers", name),
        hidden=_whole(config, "hidden_size", name),
        intermediate=_whole(config, "intermediate_size", name),
        num_heads=heads,
        num_kv_heads=int(config.get("num_key_value_heads") or heads),
        head_dim=int(config.get("head_dim") or _whole(config, "hidden_size", name) // heads),
        vocab=_whole(config, "vocab_size", name),
        context_tokens=_whole(config, "max_position_embeddings", name),
        is_tied=bool(config.get("tie_word_embeddings", False)),
        has_qk_norm=config.get("model_type") == "qwen3",
    )


def _whole(config: Mapping[str, Any], key: str, name: str) -> int:
    value = config.get(key)
    if not isinstance(value, int) or value <= 0:
        raise DataFormatError("must be a whole number above 0", file=f"{name}/config.json", column=key)
    return value
