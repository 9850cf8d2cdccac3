"""`meta.yaml` of a submission: who sends what, read without trusting it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import date
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from hub_toolkit.errors import SubmissionError

META_FILE = "meta.yaml"
MAX_META_BYTES = 16 * 1024
MAX_META_DEPTH = 4
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

_REPO = re.compile(r"[A-Za-z0-9][\w.-]{0,95}(?:/[A-Za-z0-9][\w.:-]{0,95}){1,2}", re.ASCII)
_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_LICENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 .+()-]{0,63}", re.ASCII)
_MARKUP = re.compile(r"<\s*[A-Za-z!/?]|&#|javascript:|data:text", re.I)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


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
    raw = _read_yaml(text, file)
    known = {field.name for field in fields(SubmissionMeta)}
    raw = {name: value for name, value in raw.items() if name not in CLAIMS}
    unknown = sorted(str(name) for name in raw.keys() - known)
    if unknown:
        raise SubmissionError(
            f"{file}: unknown field {', '.join(unknown[:5])[:80]!r}; the fields are {', '.join(sorted(known))} "
            "(scores are computed here; what is claimed is passed over)"
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
    if _SHA.fullmatch(revision) or is_own or _is_api_day(revision):
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


def _read_yaml(text: bytes, file: str) -> dict[str, Any]:
    """Parse YAML without anchors, tags or depth: none of them is needed, and each is a way to blow it up."""
    import yaml

    if len(text) > MAX_META_BYTES:
        raise SubmissionError(f"{file}: {len(text):,} bytes; at most {MAX_META_BYTES:,} are read")
    try:
        decoded = text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SubmissionError(f"{file}: no UTF-8 (byte {error.start}); save it as UTF-8") from None
    try:
        depth = 0
        for event in yaml.parse(decoded, Loader=yaml.SafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                raise SubmissionError(f"{file}: anchors and aliases are not read; write each value out")
            if getattr(event, "tag", None):
                raise SubmissionError(f"{file}: tags are not read; write plain values")
            if depth > MAX_META_DEPTH:
                raise SubmissionError(f"{file}: nested too deeply; it holds plain fields")
        raw = yaml.safe_load(decoded)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise SubmissionError(f"{file}: no YAML ({' '.join(str(error).split())[:120]}); see the template") from None
    if not isinstance(raw, dict) or not all(isinstance(name, str) for name in raw):
        raise SubmissionError(f"{file}: holds no fields; write one `name: value` a line")
    return raw


def clean_line(name: str, value: Any, file: str, *, max_chars: int = 120) -> str:
    """Return a short text that is safe to show anywhere.

    Raises: SubmissionError: no text, too long, or it holds markup or characters that cannot be seen.
    """
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise SubmissionError(f"{file}: {name} is no text; write it as one line")
    text = " ".join(str(value).split())
    if not text or len(text) > max_chars:
        raise SubmissionError(f"{file}: {name} has {len(text)} characters; 1 to {max_chars} are allowed")
    if _MARKUP.search(text) or _CONTROL.search(text):
        raise SubmissionError(f"{file}: {name} holds markup or invisible characters; write plain text")
    return text


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


def _url(name: str, value: Any, file: str) -> str:
    text = clean_line(name, value, file, max_chars=300)
    parts = urlsplit(text)
    if parts.scheme != "https" or not parts.hostname or "." not in parts.hostname or parts.username:
        raise SubmissionError(f"{file}: {name} is no https address; it is shown as a link and never fetched")
    return text


def _text(max_chars: int) -> Callable[[str, Any, str], str]:
    return lambda name, value, file: clean_line(name, value, file, max_chars=max_chars)


def _notes(name: str, value: Any, file: str) -> str:
    return clean_line(name, value, file, max_chars=500) if value != "" else ""


_FIELDS: dict[str, Callable[[str, Any, str], Any]] = {
    "name": _text(80),
    "model": _matching(_REPO, "write owner/name"),
    "revision": _text(64),
    "dataset": _matching(re.compile(r"[\w./-]{1,200}", re.ASCII), "write owner/name"),
    "dataset_revision": _matching(_SHA, "give the commit (40 hex digits) or the SHA-256 that the board names"),
    "protocol": _text(40),
    "task": _one_of(get_args(Task)),
    "context": _one_of(get_args(Track)),
    "harness": _text(120),
    "licence": _matching(_LICENCE, "give its SPDX name, for example apache-2.0, or proprietary"),
    "contact": _text(120),
    "split": _one_of(("benchmark",)),
    "parameters_b": _number,
    "cost_usd": _number,
    "url": _url,
    "notes": _notes,
}
