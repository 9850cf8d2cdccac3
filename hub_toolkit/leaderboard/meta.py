"""`meta.yaml` of a submission: who sends what, read without trusting it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import date
from difflib import get_close_matches
from typing import Any, Literal, get_args

from hub_toolkit.errors import SubmissionError
from hub_toolkit.leaderboard.licences import name_licence
from hub_toolkit.leaderboard.plain_text import clean_line, clean_url
from hub_toolkit.leaderboard.plain_yaml import MAX_YAML_BYTES, read_fields

META_FILE = "meta.yaml"
MAX_META_BYTES = MAX_YAML_BYTES
API_REVISION = re.compile(r"api:\d{4}-\d{2}-\d{2}")
"""The revision of a model that is only behind an API: the day on which it answered."""

OWN_MODEL = "personamem/"
"""What the toolkit brings itself, as in `personamem/lexical`."""

_OWN_REVISION = re.compile(r"toolkit:\d+\.\d+\.\d+[\w.+-]{0,40}", re.ASCII)
"""The revision of what the toolkit brings itself: the toolkit's version."""

Task = Literal["mcq", "open"]
Track = Literal["none", "32k", "128k", "memory", "rag", "external", "oracle"]

CLAIMS = frozenset(
    {
        "accuracy",
        "score",
        "scores",
        "results",
        "metrics",
        "claimed",
        "claimed_accuracy",
        "correct",
        "is_correct",
        "choice",
    }
)
"""Fields with figures or verdicts of the submitter's own: they are passed over, in the meta and in every line."""

_REPO = re.compile(r"(?!.*\.\.)[A-Za-z0-9][\w.-]{0,95}(?:/[A-Za-z0-9][\w.:-]{0,95}){1,2}", re.ASCII)
COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
"""A revision that never moves."""


@dataclass(frozen=True)
class SubmissionMeta:
    """What a system is and how it was run.

    `model` is a repo of the Hub or a provider's model, `revision` its commit or `api:<day>`. `context` is what was
    read. `harness` names the program and version that asked. `parameters_b` counts billions of parameters; `cost_usd`
    is of the whole run. Figures that it claims are not read: every score is computed anew.
    """

    name: str
    model: str
    revision: str
    dataset: str
    dataset_revision: str
    protocol: str
    task: Task
    context: Track
    harness: str
    licence: str
    contact: str
    split: str = "benchmark"
    parameters_b: float | None = None
    cost_usd: float | None = None
    url: str | None = None
    notes: str = ""


_NEEDED = (
    "name",
    "model",
    "revision",
    "dataset",
    "dataset_revision",
    "protocol",
    "task",
    "context",
    "harness",
    "licence",
    "contact",
)


def parse_meta(text: bytes, *, file: str = META_FILE) -> SubmissionMeta:
    """Read a `meta.yaml` (JSON will do).

    Raises: SubmissionError: too large, no UTF-8, no YAML, with anchors, or a field is missing, unknown or wrong.
    """
    raw = read_fields(text, file)
    known = {field.name for field in fields(SubmissionMeta)}
    raw = {name: value for name, value in raw.items() if name not in CLAIMS}
    unknown = sorted(raw.keys() - known)
    if unknown:
        meant = [f" (did you mean {name}?)" for name in get_close_matches(unknown[0].casefold(), sorted(known), 1)]
        raise SubmissionError(
            f"{file}: unknown field {', '.join(unknown[:5])[:80]!r}{''.join(meant)}; the fields are "
            f"{', '.join(sorted(known))} (scores are computed here; what is claimed is passed over)"
        )
    missing = [name for name in _NEEDED if raw.get(name) in (None, "")]
    if missing:
        raise SubmissionError(f"{file}: {', '.join(missing)} missing; add it (the template shows all fields)")
    values = {name: _FIELDS[name](name, value, file) for name, value in raw.items() if value is not None}
    meta = SubmissionMeta(**values)
    _check_revision(meta, file)
    return meta


def _check_revision(meta: SubmissionMeta, file: str) -> None:
    revision = meta.revision
    is_own = meta.model.startswith(OWN_MODEL) and _OWN_REVISION.fullmatch(revision)
    if COMMIT.fullmatch(revision) or is_own or _is_api_day(revision):
        return
    raise SubmissionError(
        f"{file}: revision {revision[:60]!r} pins nothing; give the model's commit (40 hex digits), or "
        "api:<year-month-day> for a model that is only behind an API (toolkit:<version> is for personamem/… alone)"
    )


def _is_api_day(revision: str) -> bool:
    if not API_REVISION.fullmatch(revision):
        return False
    try:
        date.fromisoformat(revision.removeprefix("api:"))
    except ValueError:
        return False
    return True


def _matching(pattern: re.Pattern[str], advice: str) -> Callable[[str, Any, str], str]:
    def read(name: str, value: Any, file: str) -> str:
        text = clean_line(name, value, file, max_chars=200)
        if not pattern.fullmatch(text):
            raise SubmissionError(f"{file}: {name} {text[:60]!r} will not do; {advice}")
        return text

    return read


def _one_of(choices: tuple[str, ...]) -> Callable[[str, Any, str], str]:
    def read(name: str, value: Any, file: str) -> str:
        text = clean_line(name, value, file)
        if text not in choices:
            raise SubmissionError(f"{file}: {name} {text[:40]!r} is none of {', '.join(choices)}")
        return text

    return read


def _number(name: str, value: Any, file: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e7:
        raise SubmissionError(f"{file}: {name} is no number from 0 to 10,000,000; leave it out if it is not known")
    return float(value)


def _text(max_chars: int) -> Callable[[str, Any, str], str]:
    return lambda name, value, file: clean_line(name, value, file, max_chars=max_chars)


def _revision(name: str, value: Any, file: str) -> str:
    text = clean_line(name, value, file, max_chars=80)
    return text.lower() if COMMIT.fullmatch(text.lower()) else text


def _licence(name: str, value: Any, file: str) -> str:
    text = clean_line(name, value, file, max_chars=64)
    if name_licence(text) is None:
        raise SubmissionError(
            f"{file}: {name} {text!r} will not do; give its SPDX name, for example apache-2.0, or proprietary"
        )
    return text


def _notes(name: str, value: Any, file: str) -> str:
    return clean_line(name, value, file, max_chars=500) if value != "" else ""


_FIELDS: dict[str, Callable[[str, Any, str], Any]] = {
    "name": _text(80),
    "model": _matching(_REPO, "write owner/name"),
    "revision": _revision,
    "dataset": _matching(re.compile(r"[\w./-]{1,200}", re.ASCII), "write owner/name"),
    "dataset_revision": _matching(COMMIT, "give the commit (40 hex digits) or the SHA-256 that the board names"),
    "protocol": _text(40),
    "task": _one_of(get_args(Task)),
    "context": _one_of(get_args(Track)),
    "harness": _text(120),
    "licence": _licence,
    "contact": _text(120),
    "split": _one_of(("benchmark",)),
    "parameters_b": _number,
    "cost_usd": _number,
    "url": clean_url,
    "notes": _notes,
}
