"""Protocols: what fixes a score, read from `protocols/<name>.toml`, and the four steps that follow it.

A question is posed, worded with what the reader gives, its reply is read, and the rubric for an open answer is named.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from hub_toolkit.answer.choice import parse_choice, parse_first_choice
from hub_toolkit.answer.mcq import Question, pose_question, question_key, question_messages
from hub_toolkit.answer.open_ended import open_messages
from hub_toolkit.answer.readers import Context, Window, fit_messages
from hub_toolkit.answer.upstream import fit_by_deletion, pose_shuffled, question_with_trailing_system, recall_query
from hub_toolkit.data.foreign import FOREIGN_KIND
from hub_toolkit.data.history import PersonaSystem
from hub_toolkit.data.schema import Sample
from hub_toolkit.data.tokens import EstimateCounter, TokenCounter
from hub_toolkit.errors import DataFormatError
from hub_toolkit.models.base import GenerateConfig
from hub_toolkit.prompts.render import load_prompt, prompt_names
from hub_toolkit.types import Message

DEFAULT_PROTOCOL = "v1"

GoldKind = Literal["fact", "sensitive", "forget", "others", "self"]
"""What an open answer's right reply does: state a fact (another dataset's question that rests on no preference), mask a
secret, leave something forgotten alone, keep clear of another person's preference, or follow the user's own."""

Table = TypeVar("Table")


@dataclass(frozen=True)
class McqRules:
    """How a multiple-choice question is worded, in which order its options stand, and how a reply is read."""

    layout: Literal["one_message", "trailing_system"]
    option_order: Literal["sha256_of_group", "shuffle_per_process"]
    parser: Literal["last_choice", "first_match"]


@dataclass(frozen=True)
class OpenRules:
    """How an open question is worded."""

    layout: Literal["instructed", "recall"]


@dataclass(frozen=True)
class ContextRules:
    """What is read of a history, and what happens when a prompt is too long."""

    persona_system: PersonaSystem
    overflow: Literal["error", "delete_random"]


@dataclass(frozen=True)
class TokenRules:
    """What caps, chunks and budgets are counted with."""

    counter: Literal["estimate-v1"]


@dataclass(frozen=True)
class MemoryRules:
    """How large a memory and the chunks that it reads are, in tokens."""

    cap_tokens: int
    chunk_tokens: int
    chunking: Literal["message_borders"]


@dataclass(frozen=True)
class RagRules:
    """How passages are cut, ranked (`hybrid`: with an embedder too) and taken."""

    ranking: Literal["bm25", "hybrid"]
    k1: float
    b: float
    passage_tokens: int
    budget_tokens: int


@dataclass(frozen=True)
class ExternalRules:
    """How much another memory system's search may add to a prompt."""

    budget_tokens: int


@dataclass(frozen=True)
class LikelihoodRules:
    """After which prompt options are scored, and by what their log-probability is divided."""

    prompt: Literal["open_ended", "upstream_recall"]
    length: Literal["token", "byte", "none"]


@dataclass(frozen=True)
class GenerationRules:
    """How replies are generated."""

    temperature: float
    top_p: float
    max_tokens: int


@dataclass(frozen=True)
class JudgeRules:
    """Which rubric, how many verdicts and how they are put together; `rubrics` maps a gold kind to a prompt."""

    gold_order: list[GoldKind]
    num_verdicts: int
    aggregation: Literal["majority"]
    unreadable: Literal["unscored", "wrong"]
    temperature: float
    max_tokens: int
    rubrics: dict[str, str]


@dataclass(frozen=True)
class CountingRules:
    """What a row without a choice, and one without a reply, count as; `left_out`: not in the denominator."""

    unparsed: Literal["wrong"]
    failed: Literal["wrong", "left_out"]


@dataclass(frozen=True)
class OpenQuestion:
    """A question in free text; `key` names it wherever something is drawn for it."""

    query: Message
    key: str = ""


@dataclass(frozen=True)
class Protocol:
    """One protocol. `digest` is the SHA-256 of everything that it fixes; two runs compare where it is the same."""

    name: str
    version: int
    digest: str
    prompts: Mapping[str, str]
    mcq: McqRules
    open: OpenRules
    context: ContextRules
    tokens: TokenRules
    memory: MemoryRules
    rag: RagRules
    external: ExternalRules
    likelihood: LikelihoodRules
    generation: GenerationRules
    judge: JudgeRules
    counting: CountingRules

    @property
    def counter(self) -> TokenCounter:
        """What caps, chunks and budgets are counted with; a model's own counter says what fits its window."""
        return EstimateCounter()

    def pose(self, sample: Sample, seed: int, permutation: int = 0) -> Question:
        """Return the sample as a multiple-choice question; permutations 0 to 3 put the gold once at each place."""
        if self.mcq.option_order == "shuffle_per_process":
            return pose_shuffled(sample, seed, permutation)
        return pose_question(sample, seed, permutation)

    def pose_open(self, sample: Sample, seed: int) -> OpenQuestion:
        """Return the sample as an open question."""
        return OpenQuestion(sample.user_query, question_key(sample, seed))

    def messages(
        self, context: Context, question: Question | OpenQuestion, counter: TokenCounter, window: Window
    ) -> list[Message]:
        """Return the whole prompt; `counter` is the answering model's own.

        Raises: ProviderError: it is too long.
        """
        if isinstance(question, OpenQuestion):
            posed = self._word_open(question.query)
        elif self.mcq.layout == "trailing_system":
            posed = question_with_trailing_system(question)
        else:
            posed = question_messages(question)
        return self._fit(context, posed, counter, window, question.key)

    def likelihood_messages(
        self, context: Context, sample: Sample, counter: TokenCounter, window: Window
    ) -> list[Message]:
        """Return the prompt after which each option is scored as the reply; no option stands in it.

        Raises: ProviderError: it is too long.
        """
        recalls = self.likelihood.prompt == "upstream_recall"
        posed = [recall_query(sample.user_query)] if recalls else open_messages(sample.user_query)
        return self._fit(context, posed, counter, window, sample.sample_id)

    def parse(self, reply: str) -> str | None:
        """Return the letter that a reply chooses; under `upstream` it need not be an option's. None: unparsed."""
        return parse_first_choice(reply) if self.mcq.parser == "first_match" else parse_choice(reply)

    def generate_config(self, seed: int | None, *, max_tokens: int | None = None) -> GenerateConfig:
        """Return how a reply is generated; `max_tokens` stands before the protocol's."""
        rules = self.generation
        return GenerateConfig(
            max_tokens=max_tokens or rules.max_tokens, temperature=rules.temperature, top_p=rules.top_p, seed=seed
        )

    def gold_kind(self, sample: Sample) -> GoldKind:
        """Return which rubric an open answer to this sample is judged by."""
        return next(kind for kind in self.judge.gold_order if _GOLD[kind](sample))

    def as_dict(self) -> dict[str, Any]:
        """Return everything that the protocol fixes, and its digest, as a RunRecord keeps it."""
        return {**_load_table(self.name), "digest": self.digest}

    def check(self) -> None:
        """Compare the prompts of this installation with those that the protocol fixes.

        Raises: DataFormatError: a prompt is missing or reads otherwise.
        """
        names = prompt_names()
        for prompt, sha256 in self.prompts.items():
            found = load_prompt(prompt).sha256 if prompt in names else "missing"
            if found != sha256:
                raise DataFormatError(
                    f"the prompt {prompt} is not the one of protocol {self.name} version {self.version} "
                    f"({found[:12]}, not {sha256[:12]}); undo the change, or raise the protocol's version",
                    file=f"prompts/{prompt}.md",
                )

    def _word_open(self, query: Message) -> list[Message]:
        return [recall_query(query)] if self.open.layout == "recall" else open_messages(query)

    def _fit(
        self, context: Context, posed: list[Message], counter: TokenCounter, window: Window, key: str
    ) -> list[Message]:
        if self.context.overflow == "delete_random":
            return fit_by_deletion(context, posed, counter, window, key=key)
        return fit_messages(context, posed, counter, window)


_GOLD: dict[GoldKind, Callable[[Sample], bool]] = {
    "fact": lambda sample: not sample.preference.strip() and bool(FOREIGN_KIND.fullmatch(sample.pref_type)),
    "sensitive": lambda sample: sample.is_sensitive or sample.pref_type == "sensitive_info",
    "forget": lambda sample: sample.pref_type == "ask_to_forget",
    "others": lambda sample: sample.who == "others",
    "self": lambda _: True,
}


def protocol_names() -> tuple[str, ...]:
    """Return the names of all protocols, the default first."""
    entries = (entry.name for entry in (files("hub_toolkit") / "protocols").iterdir())
    names = {name.removesuffix(".toml") for name in entries if name.endswith(".toml")}
    return (DEFAULT_PROTOCOL, *sorted(names - {DEFAULT_PROTOCOL}))


@cache
def load_protocol(name: str) -> Protocol:
    """Load `protocols/<name>.toml` from the package.

    Raises: DataFormatError: there is no such protocol, or its file is not whole.
    """
    raw = _load_table(name)
    wanted = {field.name: field.type for field in fields(Protocol) if field.name != "digest"}
    if raw.keys() != wanted.keys():
        raise DataFormatError(f"has not the parts {', '.join(wanted)}", file=f"protocols/{name}.toml")
    kinds = get_type_hints(Protocol)
    parts = {part: raw[part] for part in ("name", "version", "prompts")}
    for part in wanted.keys() - parts.keys():
        parts[part] = _read_part(kinds[part], raw[part], f"{name}.toml", part)
    content = json.dumps(raw, sort_keys=True, ensure_ascii=False).encode()
    return Protocol(digest=hashlib.sha256(content).hexdigest(), **parts)


def _load_table(name: str) -> dict[str, Any]:
    if name not in protocol_names():
        raise DataFormatError(f"no protocol named {name!r}; there are {', '.join(protocol_names())}")
    source = files("hub_toolkit") / "protocols" / f"{name}.toml"
    try:
        return tomllib.loads(source.read_text("utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise DataFormatError(f"is no TOML: {error}", file=f"protocols/{name}.toml") from error


def _read_part(part_type: type[Table], raw: Any, file: str, part: str) -> Table:
    """Read one table into its dataclass.

    Raises: DataFormatError: a value is missing, unknown or not of its kind.
    """
    kinds = get_type_hints(part_type)
    if not isinstance(raw, dict) or raw.keys() != kinds.keys():
        raise DataFormatError(f"has not the values {', '.join(kinds)}", file=f"protocols/{file}", column=part)
    for key, value in raw.items():
        if not _is_of(value, kinds[key]):
            raise DataFormatError(f"{value!r} is not of the kind {kinds[key]}", file=f"protocols/{file}", column=key)
    return part_type(**raw)


def _is_of(value: Any, kind: Any) -> bool:
    """Whether a TOML value is of a field's type: a Literal, a number, or a list or table of such."""
    origin, args = get_origin(kind), get_args(kind)
    if origin is Literal:
        return value in args
    if origin is list:
        return isinstance(value, list) and all(_is_of(item, args[0]) for item in value)
    if origin is dict:
        return isinstance(value, dict) and all(_is_of(item, args[1]) for item in value.values())
    return type(value) is kind
