"""What to ask, of whom and in which order: rows grouped by persona, so that a memory serves all its questions."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hub_toolkit.answer.readers import Reader, Truncation
from hub_toolkit.data.history import PersonaSystem
from hub_toolkit.data.parse import history_path
from hub_toolkit.data.schema import ContextSize, Sample, Split
from hub_toolkit.errors import DataFormatError, PersonaMemError
from hub_toolkit.memory.build import DEFAULT_CHUNK_TOKENS
from hub_toolkit.memory.document import DEFAULT_CAP_TOKENS

LEXICAL = "lexical"
"""The answerer that needs no LLM."""

Task = Literal["mcq", "open"]
TASKS: tuple[Task, ...] = ("mcq", "open")
Builder = Literal["extractive", "agentic"]
BUILDERS: tuple[Builder, ...] = ("extractive", "agentic")
Arm = Literal["own", "other"]
"""Whether a question is asked with its own persona's history or, for the counterfactual, with another's."""


@dataclass(frozen=True)
class EvalConfig:
    """What `eval run` was asked to do: everything that can change an answer, nothing else.

    Raises (on creation): PersonaMemError: the parts do not go together.
    """

    dataset: str
    split: Split = "benchmark"
    reader: Reader = "memory"
    task: Task = "mcq"
    model: str = LEXICAL
    builder: Builder = "extractive"
    context: ContextSize = "32k"
    seed: int = 0
    limit: int | None = None
    cap_tokens: int = DEFAULT_CAP_TOKENS
    chunk_tokens: int = DEFAULT_CHUNK_TOKENS
    persona_system: PersonaSystem = "drop"
    truncate: Truncation | None = None
    reply_tokens: int = 1024
    is_counterfactual: bool = False

    def __post_init__(self) -> None:
        if self.model == LEXICAL and self.task == "open":
            raise PersonaMemError("the lexical answerer only picks among options; name a chat model for --task open")
        if self.model == LEXICAL and self.reader == "memory" and self.builder == "agentic":
            raise PersonaMemError("the agentic builder needs a chat model; name one with --model, or use extractive")
        if self.is_counterfactual and self.reader == "none":
            raise PersonaMemError("the reader `none` reads nobody's history, so there is no counterfactual for it")

    @property
    def needs_history(self) -> bool:
        """Whether the reader opens history files."""
        return self.reader in ("long_context", "memory")


@dataclass(frozen=True)
class Ask:
    """One question to put: `donor` is the row whose history, memory or snippet is read."""

    sample: Sample
    arm: Arm
    donor: Sample

    @property
    def key(self) -> tuple[str, str]:
        """What names the ask in the journal."""
        return self.sample.sample_id, self.arm


@dataclass(frozen=True)
class Plan:
    """The rows in the order of the final file, and every ask; `group_sizes` counts owners in the whole split."""

    samples: tuple[Sample, ...]
    asks: tuple[Ask, ...]
    group_sizes: dict[str, int]


def plan_evaluation(samples: Sequence[Sample], config: EvalConfig) -> Plan:
    """Order the rows by persona, history and row, cut to the limit, and pair each with its counterfactual donor.

    Raises: DataFormatError: there is nothing to ask, or a row has no history of the size asked for.
    """
    ordered = sorted(samples, key=lambda s: (s.persona_id, s.history_links.get(config.context, ""), s.row))
    chosen = tuple(ordered[: config.limit])
    if not chosen:
        raise DataFormatError(f"split {config.split} has no rows to ask")
    donors = Donors(ordered)
    asks: list[Ask] = []
    for sample in chosen:
        asks.append(Ask(sample, "own", sample))
        donor = donors.find(sample) if config.is_counterfactual else None
        if donor is not None:
            asks.append(Ask(sample, "other", donor))
    if config.needs_history:
        for ask in asks:
            history_link(ask.donor, config.context)
    return Plan(chosen, tuple(asks), {group: len(rows) for group, rows in donors.groups.items()})


def history_link(sample: Sample, context: ContextSize) -> str:
    """Return the link of a row's history.

    Raises: DataFormatError: the row has none of that size.
    """
    link = sample.history_links.get(context)
    if not link:
        raise DataFormatError(
            f"{sample.sample_id} has no history of {context}; name a size the dataset has with --context",
            row=sample.row + 1,
            column=f"chat_history_{context}_link",
        )
    return link


class Donors:
    """Finds whose memory a question gets in the counterfactual.

    In a swap group: the next owner by persona id, cyclic, of another family where there is one. Otherwise the next
    persona in the same way, with the question at the same place.
    """

    def __init__(self, samples: Sequence[Sample]) -> None:
        self.groups: defaultdict[str, list[Sample]] = defaultdict(list)
        self.by_persona: defaultdict[int, list[Sample]] = defaultdict(list)
        for sample in samples:
            self.by_persona[sample.persona_id].append(sample)
            if sample.group_id is not None:
                self.groups[sample.group_id].append(sample)

    def find(self, sample: Sample) -> Sample | None:
        """Return the row to read in this one's stead; None where the split has one persona only."""
        owners = {s.persona_id: s for s in self.groups.get(sample.group_id or "", ())}
        if len(owners) < 2:
            place = self.by_persona[sample.persona_id].index(sample)
            owners = {persona: rows[place % len(rows)] for persona, rows in self.by_persona.items()}
        ids = sorted(owners)
        start = ids.index(sample.persona_id)
        others = [owners[persona] for persona in (*ids[start + 1 :], *ids[:start])]
        strangers = [other for other in others if other.cluster != sample.cluster]
        return next(iter([*strangers, *others]), None)


def fingerprint_dataset(folder: Path, questions: Path, plan: Plan, config: EvalConfig) -> dict[str, Any]:
    """Return what names the data in the RunRecord; `fingerprint` covers every file that the run reads.

    Raises: DataFormatError: a file is missing or its link leaves the folder.
    """
    links = {history_link(ask.donor, config.context) for ask in plan.asks} if config.needs_history else set()
    files = {link: _sha256(history_path(folder, link)) for link in sorted(links)}
    questions_sha256 = _sha256(questions)
    lines = [questions_sha256, *(f"{sha256}  {link}" for link, sha256 in files.items())]
    return {
        "name": config.dataset,
        "split": config.split,
        "num_rows": len(plan.samples),
        "num_histories": len(files),
        "questions_sha256": questions_sha256,
        "fingerprint": hashlib.sha256("\n".join(lines).encode()).hexdigest(),
    }


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
