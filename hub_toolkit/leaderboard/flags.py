"""What looks wrong about a submission: shown beside its row for people to judge, never a verdict of its own."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hub_toolkit.data.schema import Sample
from hub_toolkit.evaluate.record import Row
from hub_toolkit.leaderboard.board import Board
from hub_toolkit.leaderboard.sketch import likeness, read_sketch

RULE_SHARE = 0.97
GOLD_SHARE = 0.99
NEAR_COPY_SHARE = 0.98
SAME_ERRORS_SHARE = 0.9
NEAR_TEXT_SHARE = 0.7
TEXT_SHARE = 0.5
MIN_TEXT_CHARS = 20
MIN_ROWS = 20
MIN_ERRORS = 10
"""Two good systems agree because both are right: only that they err alike, and often enough, tells of a copy."""

NOT_REPRODUCED = "not_reproduced"
"""The maintainers' rerun scored less."""

NO_CHOICE = "-"
Letters = NDArray[np.uint8]
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Flag:
    """`kind` names the pattern, `detail` says what was seen."""

    kind: str
    detail: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.detail}"


@dataclass(frozen=True)
class Answers:
    """What two submissions are compared by: `outputs` is the digest of the raw outputs, `choices` as `choices_of`.

    `sketch` is that of open answers.
    """

    outputs: str
    choices: str
    sketch: str = ""


def choices_of(rows: Sequence[Row]) -> str:
    """Return the choices in the rows' order, a character each: `-` where nothing was chosen."""
    return "".join(row.answer.choice or NO_CHOICE for row in rows)


def find_rule_flags(rows: Sequence[Row], samples: Sequence[Sample]) -> list[Flag]:
    """Return the patterns that a submission shows by itself: a rule without reading, or the gold.

    `samples` are the rows' questions, in the same order.
    """
    if len(rows) < MIN_ROWS:
        return []
    if any(row.options is None for row in rows):
        return _text_flags(rows, samples)
    return [*_rule_flags(rows, choices_of(rows)), *_gold_flags(rows)]


def gold_choices(board: Board) -> str:
    """Return the right choices in the board's order."""
    return "".join(board.questions[sample.sample_id].gold for sample in board.samples)


def _rule_flags(rows: Sequence[Row], choices: str) -> list[Flag]:
    rules = {
        "longest_option": [_extreme(row, longest=True) for row in rows],
        "shortest_option": [_extreme(row, longest=False) for row in rows],
        **{f"always_{letter}": [letter] * len(rows) for letter in "ABCD"},
    }
    flags = []
    for name, picks in rules.items():
        share = sum(choice in pick for choice, pick in zip(choices, picks, strict=True)) / len(rows)
        if share >= RULE_SHARE:
            flags.append(Flag(name, f"the choice is the rule's in {share:.1%} of {len(rows)} rows"))
    return flags


def _extreme(row: Row, *, longest: bool) -> str:
    lengths = [len(option) for option in row.options or ()]
    wanted = max(lengths) if longest else min(lengths)
    return "".join(letter for letter, length in zip("ABCD", lengths, strict=True) if length == wanted)


def _gold_flags(rows: Sequence[Row]) -> list[Flag]:
    flags = []
    right = sum(row.answer.choice == row.gold for row in rows)
    if right == len(rows):
        flags.append(Flag("equals_gold", f"every one of {len(rows)} answers is the gold"))
    elif right >= GOLD_SHARE * len(rows):
        flags.append(Flag("near_gold", f"{right} of {len(rows)} answers are the gold"))
    verbatim = sum((row.answer.reply or "").strip() == (row.options or ())[row.gold_index] for row in rows)
    if verbatim >= NEAR_COPY_SHARE * len(rows):
        flags.append(Flag("repeats_gold_text", f"{verbatim} outputs are the gold's text and nothing else"))
    return flags


def _text_flags(rows: Sequence[Row], samples: Sequence[Sample]) -> list[Flag]:
    """Return whether open answers hold the texts of the options, which nobody was shown."""
    pairs = [(_plain(row.answer.reply or ""), sample) for row, sample in zip(rows, samples, strict=True)]
    texts: dict[str, list[tuple[str, Sequence[str]]]] = {
        "repeats_gold_text": [(said, [sample.correct_answer]) for said, sample in pairs],
        "repeats_option_text": [(said, sample.incorrect_answers) for said, sample in pairs],
    }
    flags = []
    for name, asked in texts.items():
        found = sum(any(_is_in(text, said) for text in known) for said, known in asked)
        if found >= TEXT_SHARE * len(rows):
            flags.append(Flag(name, f"{found} of {len(rows)} open answers hold such a text word for word"))
    return flags


def _is_in(text: str, said: str) -> bool:
    wanted = _plain(text)
    return len(wanted) >= MIN_TEXT_CHARS and wanted in said


def _plain(text: str) -> str:
    return " ".join(_WORD.findall(text.casefold()))


def find_copy(own: Answers, other: Answers, gold: str, name: str) -> Flag | None:
    """Return how far a submission looks like a copy of the earlier one called `name`; None where it does not."""
    right = _letters(gold)
    return _find_copy(_Prepared.of(own, right), _Prepared.of(other, right), name)


@dataclass(frozen=True)
class _Prepared:
    """Answers as arrays, made once for many comparisons; `wrong` is None where they are not of this board."""

    answers: Answers
    letters: Letters
    wrong: NDArray[np.bool_] | None
    hashes: frozenset[int]

    @classmethod
    def of(cls, answers: Answers, gold: Letters) -> _Prepared:
        letters = _letters(answers.choices)
        is_whole = len(letters) == len(gold) >= MIN_ROWS
        return cls(answers, letters, letters != gold if is_whole else None, read_sketch(answers.sketch))


def _find_copy(own: _Prepared, other: _Prepared, name: str) -> Flag | None:
    if own.answers.outputs and own.answers.outputs == other.answers.outputs:
        return Flag("same_outputs", f"the raw outputs are those of {name}, word for word")
    share = likeness(own.hashes, other.hashes)
    if share >= NEAR_TEXT_SHARE:
        return Flag("near_copy", f"about {share:.0%} of the words are those of {name}, in their order")
    if own.wrong is None or other.wrong is None:
        return None
    if own.answers.choices == other.answers.choices:
        return Flag("same_choices", f"every choice is that of {name}") if own.wrong.any() else None
    same, both = own.letters == other.letters, own.wrong & other.wrong
    num_both, alike = np.count_nonzero(both), np.count_nonzero(same & both)
    share, num_either = np.count_nonzero(same) / len(same), np.count_nonzero(own.wrong | other.wrong)
    if share >= NEAR_COPY_SHARE and num_either >= MIN_ERRORS and alike >= num_either / 2:
        return Flag("near_copy", f"{share:.1%} of the choices are those of {name}, {alike} of {num_either} errors too")
    if num_both >= MIN_ROWS and alike >= SAME_ERRORS_SHARE * num_both:
        return Flag("same_errors", f"{alike} of {num_both} common errors are the same as those of {name}")
    return None


def flag_copies(rows: list[dict[str, Any]], new: frozenset[str], gold: str) -> list[dict[str, Any]]:
    """Return the table with copies flagged: of a pair with a new row, the later sent carries the flag.

    It depends on what the table holds and never on the order in which it was filled.
    """
    right = _letters(gold)
    prepared = {row["submission"]: _Prepared.of(_answers(row), right) for row in rows}
    found: defaultdict[str, set[str]] = defaultdict(set)
    for row in (row for row in rows if row["submission"] in new):
        for other in rows:
            is_seen = other["submission"] in new and _order(other) >= _order(row)
            if is_seen or not _is_comparable(row, other):
                continue  # a pair of two new rows is looked at once
            early, late = sorted((row, other), key=_order)
            name = early["submission"]
            flag = _find_copy(prepared[late["submission"]], prepared[name], name[:12])
            if flag is not None:
                found[late["submission"]].add(str(flag))
    return [_with_flags(row, found[row["submission"]]) if row["submission"] in found else row for row in rows]


def _with_flags(row: dict[str, Any], flags: set[str]) -> dict[str, Any]:
    return {**row, "flags": sorted({*row["flags"], *flags})}


def _is_comparable(row: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return bool(row["column"] == other["column"] and row["task"] == other["task"])


def _order(row: Mapping[str, Any]) -> tuple[str, str]:
    return row["time"], row["submission"]


def _answers(row: Mapping[str, Any]) -> Answers:
    choices = row.get("choices") or "" if row["task"] == "mcq" else ""
    return Answers(row["outputs"], choices, row.get("sketch") or "")


def _letters(text: str) -> Letters:
    return np.frombuffer(text.encode("ascii"), np.uint8)
