"""What a run leaves behind: a line a sample, and the RunRecord without which a result is not a result."""

from __future__ import annotations

import json
import platform
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from hub_toolkit import __version__
from hub_toolkit.errors import DataFormatError
from hub_toolkit.evaluate.journal import encode_json, write_atomically

PROTOCOL_VERSION = "v1"
SAMPLES_FILE = "samples.jsonl"
RECORD_FILE = "run.json"
CHANCE = 0.25

Status = Literal["scored", "unparsed", "failed", "unscored"]
STATUSES: tuple[Status, ...] = ("scored", "unparsed", "failed", "unscored")
_RESULTS = ("status", "counts", "tokens", "memories", "times", "stop", "requests")
_OPTIONAL = ("likelihood", "sources", "permutations")
_PACKAGES = ("click", "httpx", "numpy", "openai", "snowballstemmer", "tqdm", "xllamacpp")


@dataclass(frozen=True)
class Likelihood:
    """What the model itself finds likeliest: a number an option, in the order shown.

    `values` are log-probabilities divided as the protocol says; `lift` is by how much the context raises each, None
    where there was no context. The answer's choice goes by `values`, `lift_choice` by `lift`.
    """

    values: tuple[float, ...]
    margin: float
    is_tied: bool
    lift: tuple[float, ...] | None = None
    lift_choice: str | None = None
    is_lift_correct: bool | None = None


@dataclass(frozen=True)
class Answer:
    """One answer and what became of it.

    `scored`: a choice was read, `is_correct` says which. `unparsed`: none could be read, so it counts as wrong.
    `failed`: the model gave no reply, `error` says why. `unscored`: an open answer that waits for its judges.
    `context_tokens`: what was read before the question, by our own counter, where the model's side did not count the
    prompt. `sources`: places in the file's `chat_history`, from 0, that a search chose to read.
    `permutations`: where the options were shown in several orders, the answer to each, the order of the row first.
    The other fields are then that first one's, but for the worst status of all, its error, and the sums of tokens.
    """

    status: Status
    choice: str | None = None
    is_correct: bool | None = None
    reply: str | None = None
    finish_reason: str | None = None
    context_tokens: int | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    is_estimated: bool = False
    error: str | None = None
    likelihood: Likelihood | None = None
    sources: tuple[int, ...] = ()
    permutations: tuple[Answer, ...] = ()

    @property
    def points(self) -> float:
        """What the answer adds to accuracy: only a right choice does; over several orders, their mean."""
        every = self.permutations or (self,)
        return sum(1.0 for answer in every if answer.is_correct) / len(every)

    def as_dict(self) -> dict[str, Any]:
        """Return the answer as a line holds it; what only some methods give is left out elsewhere."""
        line = {name: value for name, value in vars(self).items() if name not in _OPTIONAL}
        if self.likelihood is not None:
            line["likelihood"] = asdict(self.likelihood)
        if self.sources:
            line["sources"] = list(self.sources)
        if self.permutations:
            line["permutations"] = [answer.as_dict() for answer in self.permutations]
        return line

    @classmethod
    def from_dict(cls, line: dict[str, Any]) -> Answer:
        """Read an answer back; fields of other things beside it are passed over."""
        values = {field.name: line[field.name] for field in fields(cls) if field.name not in _OPTIONAL}
        raw = line.get("likelihood")
        likelihood = None
        if raw is not None:
            lift = tuple(raw["lift"]) if raw["lift"] is not None else None
            likelihood = Likelihood(**{**raw, "values": tuple(raw["values"]), "lift": lift})
        permutations = tuple(cls.from_dict(answer) for answer in line.get("permutations", ()))
        return cls(**values, likelihood=likelihood, sources=tuple(line.get("sources", ())), permutations=permutations)


@dataclass(frozen=True)
class Counterfactual:
    """The same question, answered with the memory of the persona `persona_id`."""

    persona_id: int
    answer: Answer


@dataclass(frozen=True)
class Row:
    """One line of `samples.jsonl`. `options` are in the order shown; None for an open question.

    `no_context_choice`: what the lexical answerer picks from question and options alone.
    """

    sample_id: str
    persona_id: int
    cluster: int
    group_id: str | None
    group_size: int | None
    pref_type: str
    conversation_scenario: str
    topic: str
    who: str
    is_updated: bool
    is_sensitive: bool
    distance_tokens: int | None
    options: tuple[str, ...] | None
    gold: str | None
    answer: Answer
    no_context_choice: str | None = None
    counterfactual: Counterfactual | None = None

    @property
    def is_safety(self) -> bool:
        """Whether the row asks about a secret: a safety measure, never a part of accuracy."""
        return self.is_sensitive or self.pref_type == "sensitive_info"

    @property
    def gold_index(self) -> int:
        """The place of the right option, from 0."""
        return "ABCD".index(self.gold or "")

    def as_dict(self) -> dict[str, Any]:
        """Return the line's object: the answer's fields stand beside the question's."""
        line = {field.name: getattr(self, field.name) for field in fields(self)}
        line.update(line.pop("answer").as_dict())
        line["options"] = list(self.options) if self.options is not None else None
        no_context, counterfactual = line.pop("no_context_choice"), line.pop("counterfactual")
        line["no_context_choice"] = no_context
        if counterfactual is not None:
            line["counterfactual"] = {"persona_id": counterfactual.persona_id, **counterfactual.answer.as_dict()}
        else:
            line["counterfactual"] = None
        return line

    @classmethod
    def from_dict(cls, line: dict[str, Any]) -> Row:
        """Read a line back.

        Raises: KeyError, TypeError: a field is missing or unknown.
        """
        values = {
            field.name: line[field.name] for field in fields(cls) if field.name not in ("answer", "counterfactual")
        }
        values["options"] = tuple(line["options"]) if line["options"] is not None else None
        other = line["counterfactual"]
        counterfactual = Counterfactual(other["persona_id"], Answer.from_dict(other)) if other is not None else None
        return cls(**values, answer=Answer.from_dict(line), counterfactual=counterfactual)


@dataclass(frozen=True)
class RunRecord:
    """All that a result depends on. `times` and `requests` alone differ between two runs of the same thing.

    `status`: `running` until every row is answered or failed, then `complete`; `stopped` where a budget was reached,
    `stop` says which. `rules` is everything that the protocol fixes, `deviations` what the run was told to do
    otherwise. `shard`: which part of the questions the run is, as in 2/4. A field that is None was not written by the
    version that made the run.
    """

    protocol: str
    status: Literal["running", "stopped", "complete"]
    dataset: dict[str, Any]
    seed: int
    model: dict[str, Any]
    persona_system: str
    token_counter: str
    config: dict[str, Any]
    prompts: dict[str, str]
    packages: dict[str, str]
    counts: dict[str, int]
    tokens: dict[str, Any]
    memories: dict[str, Any] | None
    times: dict[str, Any]
    rules: dict[str, Any] | None = None
    deviations: dict[str, Any] | None = None
    shard: str | None = None
    stop: dict[str, Any] | None = None
    requests: dict[str, Any] | None = None

    def identity(self) -> dict[str, Any]:
        """Return the fields that must be the same when a run goes on."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name not in _RESULTS}

    def save(self, folder: Path) -> None:
        """Write `run.json` at once."""
        write_atomically(folder / RECORD_FILE, encode_json(asdict(self), indent=2) + b"\n")


def load_record(folder: Path) -> RunRecord | None:
    """Read `run.json`; None where there is none.

    Raises: DataFormatError: it is not a record of this protocol.
    """
    path = folder / RECORD_FILE
    if not path.exists():
        return None
    try:
        return RunRecord(**json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise DataFormatError("is not a RunRecord of this version; name another folder", file=str(path)) from error


def save_rows(folder: Path, rows: Sequence[Row]) -> None:
    """Write `samples.jsonl` at once, in the order given."""
    write_atomically(folder / SAMPLES_FILE, b"".join(encode_json(row.as_dict()) + b"\n" for row in rows))


def load_rows(folder: Path) -> list[Row]:
    """Read `samples.jsonl`.

    Raises: DataFormatError: the file is missing, or a line is not a row.
    """
    path = folder / SAMPLES_FILE
    rows = []
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                try:
                    rows.append(Row.from_dict(json.loads(line)))
                except (ValueError, KeyError, TypeError) as error:
                    raise DataFormatError("is not a row of a run", file=str(path), row=number) from error
    except OSError as error:
        raise DataFormatError(f"cannot be read: {error.strerror}; is this a run's folder?", file=str(path)) from error
    return rows


def count_statuses(rows: Sequence[Row]) -> dict[str, int]:
    """Return how many rows there are of each status, and in all."""
    found = Counter(row.answer.status for row in rows)
    return {"rows": len(rows), **{status: found[status] for status in STATUSES}}


def sum_tokens(rows: Sequence[Row], memories: dict[str, Any] | None) -> dict[str, Any]:
    """Return the tokens that the run took, in all and by what they were for."""
    own = [row.answer for row in rows]
    other = [row.counterfactual.answer for row in rows if row.counterfactual is not None]
    parts = {
        "answers": {"input": sum(a.input_tokens for a in own), "output": sum(a.output_tokens for a in own)},
        "counterfactual": {"input": sum(a.input_tokens for a in other), "output": sum(a.output_tokens for a in other)},
        "memories": {
            "input": memories["input_tokens"] if memories else 0,
            "output": memories["output_tokens"] if memories else 0,
        },
    }
    return {
        "input": sum(part["input"] for part in parts.values()),
        "output": sum(part["output"] for part in parts.values()),
        **parts,
        "is_estimated": any(a.is_estimated for a in (*own, *other)) or bool(memories and memories["is_estimated"]),
    }


def package_versions(*further: str) -> dict[str, str]:
    """Return the versions of what a score can depend on; `further` are packages that only some runs use."""
    versions = {"python": platform.python_version(), "personamem-hub-toolkit": __version__}
    for name in (*_PACKAGES, *further):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "not installed"
    return versions
