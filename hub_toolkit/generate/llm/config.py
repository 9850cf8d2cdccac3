"""What a dataset that a model writes is made from: one frozen record with one seed, saved in the output."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import TypeAdapter, ValidationError

from hub_toolkit.data.schema import Modality
from hub_toolkit.errors import DataFormatError
from hub_toolkit.generate.config import QUAD, SimulatorConfig, describe_padding
from hub_toolkit.generate.conversations import LANGUAGES
from hub_toolkit.generate.padding_source import PaddingSource, open_padding

FILTERS = (
    "contradiction",
    "stereotype",
    "shown",
    "format",
    "leak",
    "blind",
    "gold",
    "distractor",
    "secret",
    "duplicate",
)
"""Every filter by name, in the order in which a question meets them."""

LLM_WRITER_VERSION = 2
"""Raise it when the same configuration and the same replies yield other bytes."""

_MOST_PERSONAS = 900_000


@dataclass(frozen=True)
class PreferenceCounts:
    """Preferences of one persona, by type. Source: paper, generation pipeline; sensitive: PROTOCOL §5."""

    stereotypical: int = 30
    anti_stereotypical: int = 30
    neutral: int = 30
    therapy: int = 20
    medical: int = 10
    sensitive: int = 3


@dataclass(frozen=True)
class Votes:
    """How many votes each question of a filter takes, and which share of them must agree.

    A vote that cannot be read agrees with nothing. `blind_permutations` × `blind_samples` draws are made without the
    history; in a swap group no option may be drawn in more than `max_blind_share` of them, in an upstream question the
    gold in no more than `max_blind_rate`. A draw that cannot be read counts as drawn.
    """

    num: int = 3
    threshold: float = 0.66
    blind_permutations: int = 4
    blind_samples: int = 2
    max_blind_share: float = 0.9
    max_blind_rate: float = 0.5

    @property
    def quorum(self) -> int:
        """Votes that must agree."""
        return max(1, math.ceil(self.num * self.threshold))


@dataclass(frozen=True)
class Shares:
    """Probabilities. Source: PROTOCOL §5; `forget` and `update` are of what the first of them left over."""

    others: float = 0.33
    forget: float = 0.33
    update: float = 0.67
    repeated: float = 0.15
    followup: float = 0.33
    hypothetical: float = 0.1
    photo: float = 0.1
    benchmark: float = 0.2
    val: float = 0.08


@dataclass(frozen=True)
class Replies:
    """How the model is asked. `attempts`: of one reply, each with one repair; `question_attempts`: of one question.

    After `max_failures` calls in a row without any reply the run stops and can go on.
    """

    attempts: int = 2
    question_attempts: int = 5
    temperature: float = 1.0
    max_tokens: int = 4096
    vote_tokens: int = 512
    max_failures: int = 25


@dataclass(frozen=True)
class Assumptions:
    """What an estimate takes as given where no run is there to learn from.

    `survival`: of the sets by stage. Tokens are of one reply: a whole persona, one preference, one exchange of a
    conversation, one option, one vote.
    """

    survival: dict[str, float] = field(
        default_factory=lambda: {
            "personas": 1.0,
            "preferences": 0.98,
            "contradiction": 0.9,
            "stereotype": 0.7,
            "conversations": 0.85,
            "questions": 0.98,
            "filters": 0.3,
        },
        hash=False,
    )
    persona_tokens: int = 350
    preference_tokens: int = 30
    exchange_tokens: int = 260
    option_tokens: int = 60
    vote_tokens: int = 40
    repair_share: float = 0.02


@dataclass(frozen=True)
class LlmConfig:
    """All that decides the bytes beside the model's replies.

    `questions`: `swap` (balanced by construction, PROTOCOL §6) or `upstream` (a gold and three incorrect answers).
    `language`: of the dataset. `languages`: those of translations. `persona_lines`, `topics`: text files, a line each.
    `images`: a folder with `captions.json` (file to caption); photo queries are written only then. `padding`: a dataset
    of dialogues for 128k; None: the bundled ones.
    """

    num_personas: int = 8
    seed: int = 0
    questions: Literal["swap", "upstream"] = "swap"
    language: str = "English"
    languages: tuple[str, ...] = LANGUAGES
    preferences: PreferenceCounts = PreferenceCounts()
    votes: Votes = Votes()
    shares: Shares = Shares()
    replies: Replies = Replies()
    assumptions: Assumptions = field(default_factory=Assumptions)
    filters: tuple[str, ...] = FILTERS
    genders: tuple[str, ...] = ("woman", "man", "non-binary person")
    orientations: tuple[str, ...] = ("heterosexual", "gay or lesbian", "bisexual", "asexual")
    races: tuple[str, ...] = ("Asian", "Black", "Hispanic", "Indigenous", "Middle Eastern", "White", "mixed")
    batch: int = 10
    twin_every: int = 10
    near_duplicate: float = 0.5
    context_32k_tokens: int = 32_000
    context_128k_tokens: int = 124_000
    has_128k: bool = True
    padding_dialogues: int = 3000
    padding: PaddingSource | None = None
    persona_lines: str | None = None
    topics: str | None = None
    images: str | None = None
    writer_version: int = LLM_WRITER_VERSION

    def __post_init__(self) -> None:
        for problem in filter(None, (_check_sizes(self), _check_shares(self), _check_votes(self))):
            raise DataFormatError(problem)

    @property
    def num_quads(self) -> int:
        """How many quads of personas there are."""
        return self.num_personas // QUAD

    @property
    def layout(self) -> SimulatorConfig:
        """What the layout, the split and the padding, shared with the simulator, go by."""
        return SimulatorConfig(
            num_personas=self.num_personas,
            seed=self.seed,
            topics_per_quad=4,
            context_32k_tokens=self.context_32k_tokens,
            context_128k_tokens=max(self.context_128k_tokens, self.context_32k_tokens),
            has_128k=self.has_128k,
            benchmark_share=self.shares.benchmark,
            val_share=self.shares.val,
            padding_dialogues=self.padding_dialogues,
            padding=self.padding,
        )

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """What the dataset is written in: with images, the same questions once more with the photos themselves."""
        return ("text",) if self.images is None else ("text", "multimodal")

    def is_on(self, name: str) -> bool:
        """Whether a filter is used."""
        return name in self.filters

    def as_dict(self) -> dict[str, Any]:
        """Return the configuration for JSON."""
        plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self)))
        return plain | describe_padding(plain.pop("padding"))

    @property
    def digest(self) -> str:
        """A hash of everything that decides the bytes beside the replies."""
        shown = {name: value for name, value in self.as_dict().items() if name != "assumptions"}
        return hashlib.sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()[:16]


_ADAPTER = TypeAdapter(LlmConfig)


def load_config(
    path: Path | None, *, open_source: Callable[[str], PaddingSource] | None = None, **overrides: Any
) -> LlmConfig:
    """Read a TOML or YAML file; what is given beside it and is not None stands before it.

    Paths in the file are relative to it. `open_source` opens what `padding` names; without it, a file.
    Raises: DataFormatError: the file cannot be read, names something unknown, or holds a value that cannot be.
    """
    raw = _read(path) if path is not None else {}
    raw |= {name: value for name, value in overrides.items() if value is not None}
    if raw.get("padding") is not None:
        if not isinstance(raw["padding"], str):
            raise DataFormatError("must name a JSON file, or hf://owner/name", file=str(path), column="padding")
        raw["padding"] = (open_source or _open_file)(raw["padding"])
    try:
        config = _ADAPTER.validate_python(raw)
    except ValidationError as error:
        first = error.errors()[0]
        column = ".".join(str(part) for part in first["loc"])
        raise DataFormatError(f"{first['msg']}; correct it", file=str(path), column=column) from None
    unknown = _find_unknown(raw, config.as_dict())
    if unknown:
        raise DataFormatError("no such setting; see docs/generate.md", file=str(path), column=unknown)
    return config


def _open_file(name: str) -> PaddingSource:
    return open_padding(Path(name))


def parse_config(raw: dict[str, Any]) -> LlmConfig:
    """Return the configuration that `as_dict` wrote. Raises: pydantic.ValidationError, DataFormatError."""
    return _ADAPTER.validate_python(raw)


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text("utf-8")
        raw = yaml.safe_load(text) if path.suffix in (".yaml", ".yml") else tomllib.loads(text)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise DataFormatError(f"is no configuration: {error}", file=str(path)) from error
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise DataFormatError("is no table of settings", file=str(path))
    for name in ("persona_lines", "topics", "images", "padding"):
        if isinstance(raw.get(name), str) and "://" not in raw[name]:
            raw[name] = str(path.parent / raw[name])
    return raw


def _find_unknown(raw: dict[str, Any], known: dict[str, Any], place: str = "") -> str | None:
    """Return the first name that no setting has; nested records are read with whatever else stands in them."""
    for name, value in raw.items():
        if place != "assumptions.survival." and name not in known:
            return place + name
        if isinstance(value, dict):
            deeper = _find_unknown(value, known[name], f"{place}{name}.")
            if deeper:
                return deeper
    return None


def _check_sizes(config: LlmConfig) -> str | None:
    if config.num_personas < QUAD or config.num_personas % QUAD:
        return f"{config.num_personas} personas; give a multiple of {QUAD}: they are written four at a time"
    if config.num_personas > _MOST_PERSONAS:
        return f"more than {_MOST_PERSONAS:,} personas; make several datasets with different seeds"
    counts = dataclasses.asdict(config.preferences)
    if min(counts.values()) < 0 or not sum(counts.values()):
        return "preferences: give counts of 0 or more, at least one above 0"
    if config.context_32k_tokens < 2_400:
        return f"a history of {config.context_32k_tokens} tokens is too short; give 2,400 or more"
    if config.batch < 1 or config.twin_every < 0:
        return "batch must be 1 or more, twin_every 0 or more"
    if not (config.languages and config.genders and config.orientations and config.races):
        return "languages, genders, orientations and races must each name something"
    return None


def _check_shares(config: LlmConfig) -> str | None:
    shares = dataclasses.asdict(config.shares)
    wrong = [name for name, share in shares.items() if not 0 <= share <= 1]
    if wrong:
        return f"shares.{wrong[0]} must be between 0 and 1"
    if not 0 < config.near_duplicate <= 1:
        return "near_duplicate must be above 0 and at most 1"
    unknown = sorted(set(config.filters) - set(FILTERS))
    return f"no filter is called {unknown[0]!r}; there are {', '.join(FILTERS)}" if unknown else None


def _check_votes(config: LlmConfig) -> str | None:
    votes, replies = config.votes, config.replies
    if votes.num < 1 or votes.blind_permutations < 1 or votes.blind_samples < 1:
        return "votes: num, blind_permutations and blind_samples must be 1 or more"
    if not 0.5 < votes.threshold <= 1:
        return "votes.threshold must be above 0.5 and at most 1: fewer is no majority"
    if min(replies.attempts, replies.question_attempts, replies.max_tokens, replies.vote_tokens) < 1:
        return "replies: attempts, question_attempts, max_tokens and vote_tokens must be 1 or more"
    return None
