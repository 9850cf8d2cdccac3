"""What memory GRPO adds to TRL's configuration."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from trl import GRPOConfig

from train.saves import find_torn_generation

MEMORY_MODES = ("inference", "paper")
ROW_LAYOUTS = ("pad", "pack")
LOSS_TYPES = ("grpo", "bnpo", "dr_grpo", "dapo")
"""Those whose denominators are kept right over passes of unequal size."""


@dataclass
class MemoryGRPOConfig(GRPOConfig):  # type: ignore[misc, unused-ignore]
    """TRL's GRPO settings; every batch size counts rollouts, and a rollout is up to `max_turns` updates and an answer.

    `max_completion_length` limits the answer; chunk and cap are the data's (`chunk_tokens`, `cap_tokens`).
    """

    max_turns: int = field(
        default=8, metadata={"help": "Updates T of the longest history; a history that needs more is refused."}
    )
    memory_mode: str = field(
        default="inference",
        metadata={"help": "`inference`: the very builder and guards; `paper`: raw slices and a hard cut."},
    )
    max_update_length: int | None = field(
        default=None, metadata={"help": "Tokens that one update may write. Default: what inference allows."}
    )
    row_layout: str = field(
        default="pad",
        metadata={"help": "`pad`: rows of like length together; `pack`: rows end to end (flash attention)."},
    )
    tokens_per_pass: int = field(
        default=32_768, metadata={"help": "Tokens, padding included, of one forward and backward pass."}
    )
    use_bias_correction_kl: bool = field(
        default=False,
        metadata={"help": "TRL's weight on the KL term. Off: the plain low-variance KL, as the paper's runs have it."},
    )
    vllm_importance_sampling_mode: str = field(
        default="token_truncate",
        metadata={"help": "TRL's own default drops a whole row of 2,000 tokens for little."},
    )
    mask_updates: bool = field(
        default=False, metadata={"help": "Control: only the answer learns, the memory updates do not."}
    )

    @property
    def rows_per_rollout(self) -> int:
        """The updates and the answer, R = T + 1."""
        return self.max_turns + 1

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_memory()
        self._check_loss()
        self._check_steps()

    def _check_memory(self) -> None:
        _one_of("memory_mode", self.memory_mode, MEMORY_MODES)
        _one_of("row_layout", self.row_layout, ROW_LAYOUTS)
        for name in ("max_turns", "tokens_per_pass"):
            _at_least(name, getattr(self, name), 1)
        if self.max_update_length is not None:
            _at_least("max_update_length", self.max_update_length, 1)

    def _check_loss(self) -> None:
        _one_of("loss_type", self.loss_type, LOSS_TYPES)
        refused: dict[str, Any] = {
            "top_entropy_quantile": (self.top_entropy_quantile, 1.0),
            "entropy_coef": (getattr(self, "entropy_coef", 0.0), 0.0),
            "use_adaptive_entropy": (getattr(self, "use_adaptive_entropy", False), False),
        }
        for name, (value, only) in refused.items():
            if value != only:
                raise ValueError(
                    f"{name}={value}: it is a mean over one micro-batch, and memory GRPO cuts a batch into passes of "
                    f"unequal size; set it to {only}"
                )

    def _check_steps(self) -> None:
        """Refuse what would leave a generation half used by a step or a checkpoint."""
        steps, window = self.steps_per_generation, self.gradient_accumulation_steps
        if steps % window and window % steps:
            raise ValueError(
                f"steps_per_generation ({steps}) and gradient_accumulation_steps ({window}): one must divide the other"
            )
        if fault := find_torn_generation(self):
            raise ValueError(fault)


def _one_of(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"{name} is {value!r}; it can be {', '.join(allowed)}")


def _at_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise ValueError(f"{name} is {value}; at least {least} is needed")
