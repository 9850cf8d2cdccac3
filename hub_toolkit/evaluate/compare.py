"""Is run B better than run A on the same questions? Paired row by row, clustered by persona."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hub_toolkit.errors import DataFormatError
from hub_toolkit.evaluate.judging import open_judged_run
from hub_toolkit.evaluate.record import Row, RunRecord
from hub_toolkit.evaluate.report import QUESTION_PROMPTS, SLICES, chosen_rows, describe_run, load_run
from hub_toolkit.metrics.comparison import PairedTest, compare_paired, correct_by_holm
from hub_toolkit.metrics.slices import slice_rows

Comparison = dict[str, Any]

_COMPARED = (
    "model",
    "adapter",
    "reader",
    "builder",
    "cap_tokens",
    "rag_tokens",
    "rag_embed",
    "external",
    "context",
    "truncate",
    "token_counter",
)


@dataclass(frozen=True)
class Pair:
    """One question as both runs answered it."""

    a: Row
    b: Row

    @property
    def difference(self) -> float:
        """What B gained on A, from -1 to 1; a failed or unparsed answer is wrong."""
        return self.b.answer.points - self.a.answer.points


def compare_runs(a: Path, b: Path) -> Comparison:
    """Return the paired difference B - A, overall and by slice, with intervals and p values raw and corrected by Holm.

    The rows are those of which chance is known, as in a report; Holm's correction counts all slices of all kinds.
    Raises: DataFormatError: a run is missing or not complete, or the two were not asked the same in the same way.
    """
    record_a, rows_a = load_run(a)
    record_b, rows_b = load_run(b)
    _check_same(record_a, record_b, b)
    if record_a.config["task"] == "open":
        _check_judges(a, b)
    paired = pair_rows(rows_a, rows_b, names=(str(a), str(b)))
    return {
        "runs": {"a": {"folder": str(a), **describe_run(record_a)}, "b": {"folder": str(b), **describe_run(record_b)}},
        "compared": _describe_differences(record_a, record_b),
        **compare_rows(paired),
        "tokens_per_answer": {"a": _count_tokens(record_a, rows_a), "b": _count_tokens(record_b, rows_b)},
        "failures": {
            "a": _list_failures(pair.a for pair in paired.pairs),
            "b": _list_failures(pair.b for pair in paired.pairs),
        },
    }


@dataclass(frozen=True)
class Paired:
    """The scored questions that two systems were both asked, and how many rows there were besides."""

    pairs: tuple[Pair, ...]
    num_common: int
    num_unscored: int
    only_a: int
    only_b: int


def pair_rows(rows_a: Sequence[Row], rows_b: Sequence[Row], *, names: tuple[str, str]) -> Paired:
    """Pair the rows of which chance is known; `names` of the two stand in errors.

    Raises: DataFormatError: nothing in common, or rows of one name hold different options.
    """
    by_id = {row.sample_id: row for row in rows_b}
    common = [Pair(row, by_id[row.sample_id]) for row in rows_a if row.sample_id in by_id]
    _check_questions(common, names[1])
    chosen = {row.sample_id for row in chosen_rows([pair.a for pair in common])}
    asked = [pair for pair in common if pair.a.sample_id in chosen]
    pairs = [pair for pair in asked if "unscored" not in (pair.a.answer.status, pair.b.answer.status)]
    if not pairs:
        raise DataFormatError(
            f"has no scored row in common with {names[0]}; compare runs of the same rows", file=names[1]
        )
    num_common = len(common)
    return Paired(tuple(pairs), num_common, len(asked) - len(pairs), len(rows_a) - num_common, len(rows_b) - num_common)


def compare_rows(paired: Paired) -> Comparison:
    """Return the paired difference B - A, overall and by slice, with intervals, and p values raw and by Holm."""
    slices = _compare_slices(paired.pairs)
    return {
        "rows": {
            "kind": "balanced" if paired.pairs[0].a.group_id is not None else "all",
            "compared": len(paired.pairs),
            "in_common": paired.num_common,
            "only_a": paired.only_a,
            "only_b": paired.only_b,
            "unscored": paired.num_unscored,
        },
        "overall": _compare(paired.pairs),
        "num_slices": sum(part["p"] is not None for part in slices),
        "slices": slices,
    }


def _check_same(a: RunRecord, b: RunRecord, folder: Path) -> None:
    """Refuse runs whose difference would not be one of the systems.

    Raises: DataFormatError: protocol, task, questions, seed, persona system or question prompt differ.
    """
    prompt = QUESTION_PROMPTS.get(a.config["task"], "")
    for name, value_a, value_b in (
        ("protocol", a.protocol, b.protocol),
        ("protocol's digest", (a.rules or {}).get("digest"), (b.rules or {}).get("digest")),
        ("task", a.config["task"], b.config["task"]),
        ("method", a.config.get("method"), b.config.get("method")),
        ("number of permutations", a.config.get("num_permutations"), b.config.get("num_permutations")),
        ("split", a.dataset["split"], b.dataset["split"]),
        ("questions", a.dataset["questions_sha256"], b.dataset["questions_sha256"]),
        ("seed", a.seed, b.seed),
        ("persona_system", a.persona_system, b.persona_system),
        ("question prompt", a.prompts.get(prompt), b.prompts.get(prompt)),
    ):
        if value_a != value_b:
            raise DataFormatError(
                f"cannot be compared: its {name} is {_shorten(value_b)}, the other run's {_shorten(value_a)}; "
                "run both with the same, only model, reader, builder and context may differ",
                file=str(folder),
            )


def _check_judges(a: Path, b: Path) -> None:
    """Refuse open answers that were not judged alike.

    Raises: DataFormatError: one is not judged, or the judges or their prompts differ.
    """
    if open_judged_run(a).identity() != open_judged_run(b).identity():
        raise DataFormatError(f"was not judged as {a} was; judge both with the same panel", file=str(b))


def _shorten(value: Any) -> str:
    text = str(value)
    return f"{text[:12]}…" if len(text) > 40 else text


def _check_questions(pairs: Sequence[Pair], name: str) -> None:
    """Refuse rows of one name that hold different options.

    Raises: DataFormatError: a row differs.
    """
    for pair in pairs:
        if (pair.a.options, pair.a.gold) != (pair.b.options, pair.b.gold):
            raise DataFormatError(
                f"cannot be compared: {pair.a.sample_id} has other options than in the other run", file=name
            )


def _describe_differences(a: RunRecord, b: RunRecord) -> dict[str, dict[str, Any]]:
    """Return what is compared: the parts of the two systems that differ."""
    was, now = describe_run(a), describe_run(b)
    return {name: {"a": was[name], "b": now[name]} for name in _COMPARED if was[name] != now[name]}


def _compare(pairs: Sequence[Pair]) -> dict[str, Any]:
    test: PairedTest = compare_paired([pair.difference for pair in pairs], [pair.a.cluster for pair in pairs])
    figures = asdict(test.estimate)
    return {
        "a": sum(pair.a.answer.points for pair in pairs) / len(pairs),
        "b": sum(pair.b.answer.points for pair in pairs) / len(pairs),
        "difference": figures.pop("value"),
        **figures,
        "p": test.p,
    }


def _compare_slices(pairs: Sequence[Pair]) -> list[dict[str, Any]]:
    parts = [
        {"slice": name, "value": value, **_compare(part)}
        for name, key in SLICES.items()
        for value, part in slice_rows(pairs, lambda pair, key=key: key(pair.a)).items()  # type: ignore[misc]
    ]
    corrected = correct_by_holm([part["p"] for part in parts])
    return [{**part, "p_holm": p} for part, p in zip(parts, corrected, strict=True)]


def _count_tokens(record: RunRecord, rows: Sequence[Row]) -> dict[str, Any]:
    """Return the tokens an answer takes, in and out, and those of the memories spread over all answers."""
    memories = record.tokens.get("memories", {})
    return {
        "input": sum(row.answer.input_tokens for row in rows) / len(rows),
        "output": sum(row.answer.output_tokens for row in rows) / len(rows),
        "memories": sum(memories.values()) / len(rows),
        "token_counter": record.token_counter,
        "is_estimated": bool(record.tokens.get("is_estimated")),
    }


def _list_failures(rows: Iterable[Row]) -> list[dict[str, Any]]:
    return [{"sample_id": row.sample_id, "error": row.answer.error} for row in rows if row.answer.status == "failed"]
