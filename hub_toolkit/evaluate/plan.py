"""What to ask, of whom and in which order: rows grouped by persona, so that a memory serves all its questions."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hub_toolkit.answer.protocol import DEFAULT_PROTOCOL, load_protocol
from hub_toolkit.answer.readers import Reader, Truncation
from hub_toolkit.data.foreign import has_options
from hub_toolkit.data.history import CHUNK_TOKENS, PersonaSystem
from hub_toolkit.data.parse import history_path
from hub_toolkit.data.schema import ContextSize, Sample, Split
from hub_toolkit.errors import DataFormatError, PersonaMemError
from hub_toolkit.memory.builders.embedding import EMBEDDERS
from hub_toolkit.memory.document import DEFAULT_CAP_TOKENS

LEXICAL = "lexical"
"""The answerer that needs no LLM."""

Task = Literal["mcq", "open"]
TASKS: tuple[Task, ...] = ("mcq", "open")
BUILDERS = ("extractive", "agentic")
"""Ours; any other is `module:function`."""
Method = Literal["generate", "likelihood"]
METHODS: tuple[Method, ...] = ("generate", "likelihood")
Key = tuple[str, str, int]
"""Sample, arm and permutation."""
Arm = Literal["own", "other"]
"""Whether a question is asked with its own persona's history or, for the counterfactual, with another's."""


@dataclass(frozen=True)
class EvalConfig:
    """What `eval run` was asked to do: everything that can change an answer, nothing else.

    The defaults are those of protocol v1; `protocol_defaults` names another protocol's. `num_permutations` 4 asks every
    question in four orders of its options. `dataset_revision` is the commit of a dataset of the Hub. `external` names
    another memory system, `adapter` a LoRA adapter.

    Raises (on creation): PersonaMemError: the parts do not go together.
    """

    dataset: str
    dataset_revision: str | None = None
    split: Split = "benchmark"
    reader: Reader = "memory"
    task: Task = "mcq"
    model: str = LEXICAL
    builder: str = "extractive"
    context: ContextSize = "32k"
    seed: int = 0
    limit: int | None = None
    cap_tokens: int = DEFAULT_CAP_TOKENS
    chunk_tokens: int = CHUNK_TOKENS
    persona_system: PersonaSystem = "drop"
    truncate: Truncation | None = None
    reply_tokens: int = 1024
    is_counterfactual: bool = False
    protocol: str = DEFAULT_PROTOCOL
    num_permutations: Literal[1, 4] = 1
    method: Method = "generate"
    rag_tokens: int = 2048
    rag_embed: str | None = None
    external: str | None = None
    adapter: str | None = None

    def __post_init__(self) -> None:
        load_protocol(self.protocol)
        for reason, is_so in _contradictions(self).items():
            if is_so:
                raise PersonaMemError(reason)

    @property
    def needs_history(self) -> bool:
        """Whether the reader opens history files."""
        return self.reader in ("long_context", "memory", "rag", "external")

    @property
    def num_orders(self) -> int:
        """How often a question is asked; how likely an option is does not depend on its place."""
        return 1 if self.method == "likelihood" else self.num_permutations

    @property
    def deviations(self) -> dict[str, Any]:
        """What is set otherwise than the protocol fixes it; a result under these is not the protocol's own."""
        fixed = protocol_defaults(self.protocol)
        return {name: getattr(self, name) for name, value in fixed.items() if getattr(self, name) != value}


def protocol_defaults(protocol: str) -> dict[str, Any]:
    """Return what a protocol fixes of the configuration.

    Raises: DataFormatError: there is no such protocol.
    """
    rules = load_protocol(protocol)
    return {
        "cap_tokens": rules.memory.cap_tokens,
        "chunk_tokens": rules.memory.chunk_tokens,
        "persona_system": rules.context.persona_system,
        "reply_tokens": rules.generation.max_tokens,
        "rag_tokens": rules.rag.budget_tokens,
        "rag_embed": None,
    }


def _contradictions(config: EvalConfig) -> dict[str, bool]:
    """Return what must not be, in words, and whether it is."""
    is_lexical = config.model == LEXICAL
    is_scoring = config.method == "likelihood"
    return {
        "the lexical answerer only picks among options; name a chat model for --task open": is_lexical
        and config.task == "open",
        "the agentic builder needs a chat model; name one with --model, or use extractive": is_lexical
        and config.reader == "memory"
        and config.builder == "agentic",
        f"{config.builder!r} is no builder: write {' or '.join(BUILDERS)}, or module:function of one of your own": (
            config.builder not in BUILDERS and ":" not in config.builder
        ),
        "the reader `none` reads nobody's history, so there is no counterfactual for it": config.is_counterfactual
        and config.reader == "none",
        "likelihoods are those of a model's options: --method likelihood needs --task mcq and a chat model": is_scoring
        and (is_lexical or config.task == "open"),
        "only multiple choice has options to permute; leave --permutations out for --task open": config.task == "open"
        and config.num_permutations > 1,
        "--permutations is 1, or 4: the gold stands once at each place": config.num_permutations not in (1, 4),
        "the reader `external` and --external go together: name the memory system, as in --external mem0": (
            config.reader == "external"
        )
        != (config.external is not None),
        "--rag-embed is of the reader `rag`": config.rag_embed is not None and config.reader != "rag",
        f"{config.rag_embed!r} is no embedder: write {' or '.join(EMBEDDERS)}": config.rag_embed
        not in (None, *EMBEDDERS),
    }


@dataclass(frozen=True)
class Ask:
    """One question to put: `donor` is the row whose history, memory or snippet is read."""

    sample: Sample
    arm: Arm
    donor: Sample
    permutation: int = 0

    @property
    def key(self) -> Key:
        """What names the ask in the journal."""
        return self.sample.sample_id, self.arm, self.permutation


@dataclass(frozen=True)
class Plan:
    """The rows in the order of the final file, and every ask; `group_sizes` counts owners in the whole split."""

    samples: tuple[Sample, ...]
    asks: tuple[Ask, ...]
    group_sizes: dict[str, int]

    def by_history(self, context: ContextSize) -> list[Ask]:
        """Return the asks in the order of asking: all on one history together, so that a server reads it once."""
        place: dict[str, int] = {}
        for ask in self.asks:
            place.setdefault(ask.donor.history_links.get(context, ""), len(place))
        return sorted(self.asks, key=lambda ask: place[ask.donor.history_links.get(context, "")])


def plan_evaluation(samples: Sequence[Sample], config: EvalConfig) -> Plan:
    """Order the rows by persona, history and row, cut to the limit, and pair each with its counterfactual donor.

    Raises: DataFormatError: there is nothing to ask, or a row has no history of the size asked for.
    """
    ordered = sorted(samples, key=lambda s: (s.persona_id, s.history_links.get(config.context, ""), s.row))
    chosen = tuple(ordered[: config.limit])
    if not chosen:
        raise DataFormatError(f"split {config.split} has no rows to ask")
    _check_options(chosen, config)
    donors = Donors(ordered)
    asks: list[Ask] = []
    for sample in chosen:
        donor = donors.find(sample) if config.is_counterfactual else None
        asks += [Ask(sample, "own", sample, number) for number in range(config.num_orders)]
        if donor is not None:
            asks += [Ask(sample, "other", donor, number) for number in range(config.num_orders)]
    if config.is_counterfactual and all(ask.arm == "own" for ask in asks):
        raise DataFormatError(
            f"split {config.split} has one persona only, and the counterfactual reads another one's; leave it out"
        )
    if config.needs_history:
        for ask in asks:
            history_link(ask.donor, config.context)
    return Plan(chosen, tuple(asks), {group: len(rows) for group, rows in donors.groups.items()})


def _check_options(samples: Sequence[Sample], config: EvalConfig) -> None:
    for sample in samples if config.task == "mcq" else ():
        if not has_options(sample):
            message = f"{sample.sample_id} has no options to choose from; ask this dataset with --task open"
            raise DataFormatError(message, row=sample.row + 1, column="incorrect_answers")


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
        "revision": config.dataset_revision,
        "split": config.split,
        "num_rows": len(plan.samples),
        "num_histories": len(files),
        "questions_sha256": questions_sha256,
        "fingerprint": hashlib.sha256("\n".join(lines).encode()).hexdigest(),
    }


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
