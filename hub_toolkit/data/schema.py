"""What a benchmark row, a persona and a history are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from hub_toolkit.types import Message

Split = Literal["benchmark", "train", "val"]
SPLITS: tuple[Split, ...] = ("benchmark", "train", "val")
Modality = Literal["text", "multimodal"]
ContextSize = Literal["32k", "128k"]
CONTEXT_SIZES: tuple[ContextSize, ...] = ("32k", "128k")

PREF_TYPES = (
    "ask_to_forget",
    "neutral_preferences",
    "anti_stereotypical_pref",
    "therapy_background",
    "health_and_medical_conditions",
    "stereotypical_pref",
    "sensitive_info",
)
"""Source: PersonaMem-v2, benchmark_text."""

NUM_INCORRECT = 3


@dataclass(frozen=True)
class Sample:
    """One question of the benchmark, every column of the published row in its own type.

    `sample_id` is `<split>-<row>-<content hash>`: stable across machines and processes. `row` counts from 0.
    `history_links` maps a context size to a path inside the dataset's folder.
    `group_id` and `twin_of` are ours (PersonaMem-mini): the swap group, and the persona of whom this one is a twin.
    """

    sample_id: str
    split: Split
    row: int
    persona_id: int
    user_query: Message
    correct_answer: str
    incorrect_answers: tuple[str, ...]
    related_snippet: tuple[Message, ...]
    history_links: dict[ContextSize, str]
    short_persona: str
    expanded_persona: dict[str, Any]
    raw_persona_file: str
    preference: str
    prev_pref: str | None
    pref_type: str
    topic_preference: str
    topic_query: str
    conversation_scenario: str
    who: str
    is_updated: bool
    is_sensitive: bool
    counts: dict[str, int] = field(default_factory=dict)
    group_id: str | None = None
    twin_of: int | None = None

    @property
    def cluster(self) -> int:
        """The persona by which intervals are clustered: twins belong to their original."""
        return self.persona_id if self.twin_of is None else self.twin_of

    @property
    def is_balanced(self) -> bool:
        """Whether the row belongs to a swap group, so that chance is exact (PROTOCOL §6)."""
        return self.group_id is not None


@dataclass(frozen=True)
class History:
    """A chat history as the readers and the memory see it.

    `messages` are what is left when the system message is dropped; `indices[i]` is the 0-based place of
    `messages[i]` in the file's `chat_history`, so that sources always point into the file.
    """

    messages: tuple[Message, ...]
    indices: tuple[int, ...]
    metadata: dict[str, Any]
    source: str

    def __len__(self) -> int:
        return len(self.messages)


@dataclass(frozen=True)
class Persona:
    """A person of the dataset with the questions asked about them."""

    persona_id: int
    short_persona: str
    expanded_persona: dict[str, Any]
    samples: tuple[Sample, ...]

    @property
    def name(self) -> str:
        """The persona's name, or `persona <id>` where the data gives none."""
        return str(self.expanded_persona.get("name") or f"persona {self.persona_id}")
