"""What a simulated dataset is made from: one frozen record with one seed, saved in the output."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from typing import Any

from hub_toolkit.errors import DataFormatError
from hub_toolkit.generate.padding_source import PaddingSource

QUAD = 4
"""Owners of a swap group (PROTOCOL §6)."""

WRITER_VERSION = 3
"""Raise it when the same configuration yields other bytes."""


@dataclass(frozen=True)
class SimulatorConfig:
    """All that decides the bytes. Shares are between 0 and 1, tokens are those of message contents.

    `topics_per_quad`: swap groups of one quad, so questions of one persona. Every `twin_every`-th quad has three twins.
    `padding`: a dataset of dialogues; None: the bundled ones. `padding_dialogues` of either are drawn from.
    Source: paper, generation pipeline, for the shares of others, repeated queries, follow-ups, forgetting and updates,
    and for the split of 5,000 / 18,000 / 2,000 questions.
    """

    num_personas: int = 8
    seed: int = 0
    topics_per_quad: int = 24
    extra_topics: int = 110
    context_32k_tokens: int = 32_000
    context_128k_tokens: int = 124_000
    has_128k: bool = True
    update_share: float = 0.2
    forget_share: float = 0.15
    others_share: float = 0.15
    trap_share: float = 0.33
    repeated_share: float = 0.15
    followup_share: float = 0.33
    hypothetical_share: float = 0.1
    twin_every: int = 10
    benchmark_share: float = 0.2
    val_share: float = 0.08
    padding_dialogues: int = 3000
    padding: PaddingSource | None = None
    writer_version: int = WRITER_VERSION

    def __post_init__(self) -> None:
        if self.num_personas < QUAD or self.num_personas % QUAD:
            raise DataFormatError(
                f"{self.num_personas} personas; give a multiple of {QUAD}: a swap group has {QUAD} owners"
            )
        if self.num_personas > 900_000:
            raise DataFormatError("more than 900,000 personas; make several datasets with different seeds")
        if self.update_share + self.forget_share + self.others_share > 1:
            raise DataFormatError("the shares of update, forget and others add up to more than 1; lower one")
        if not 4 <= self.topics_per_quad <= 60:
            raise DataFormatError("questions of a persona must be between 4 and 60")
        if self.context_32k_tokens < 600 * self.topics_per_quad:
            least = 600 * self.topics_per_quad
            raise DataFormatError(f"a history of {self.context_32k_tokens} tokens is too short; give {least} or more")

    @property
    def num_quads(self) -> int:
        """How many quads of owners there are."""
        return self.num_personas // QUAD

    def as_dict(self) -> dict[str, Any]:
        """Return the configuration for JSON, without what this machine alone knows."""
        plain = dataclasses.asdict(self)
        return plain | describe_padding(plain.pop("padding"))

    @property
    def digest(self) -> str:
        """A hash of everything that decides the bytes."""
        return hashlib.sha256(json.dumps(self.as_dict(), sort_keys=True).encode()).hexdigest()[:16]


def describe_padding(padding: dict[str, Any] | None) -> dict[str, Any]:
    """Return the entry of a configuration that names the padding; none where it is the bundled one."""
    return {} if padding is None else {"padding": {"name": padding["name"], "sha256": padding["sha256"]}}
