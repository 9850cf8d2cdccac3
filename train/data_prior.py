"""Which option the demographics alone suggest: what a reader without any history picks.

Two sources. `prior_run`, a run of `personamem eval run --reader none`: what that reader picked of the same options.
Without one, the option that shares most specific words with the person's profile, by the lexical answerer. That is a
weak stand-in: a stereotype that shares no word with the profile is not found, and a word of a true preference in the
profile may be; an option of a row about a stereotypical preference is never called one, since there the history says
the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hub_toolkit.answer.lexical import support
from hub_toolkit.data.schema import Sample
from hub_toolkit.errors import DataFormatError
from hub_toolkit.evaluate.record import load_record, load_rows

PRIOR_FIELDS = ("gender", "age", "race", "ethnicity", "occupation", "religion", "location", "nationality", "education")
"""Fields of a profile that are demographics: those in whose name one of these words stands."""

_NOT_AGAINST = ("stereotypical_pref", "sensitive_info", "ask_to_forget")


class Priors:
    """Tells the option that the demographics suggest. `picks` are those of a reader without a history, by sample."""

    def __init__(self, picks: Mapping[str, str] | None = None) -> None:
        self.picks = picks

    @classmethod
    def load(cls, run: Path) -> Priors:
        """Read the picks of a run.

        Raises: DataFormatError: it is no whole run of multiple choice by the reader `none`.
        """
        record = load_record(run)
        if record is None or record.status != "complete":
            raise DataFormatError("holds no complete run; make one with `personamem eval run`", file=str(run))
        if record.config["reader"] != "none" or record.config["task"] != "mcq":
            raise DataFormatError("is no run of multiple choice with --reader none", file=str(run))
        picks = {
            row.sample_id: row.options["ABCD".index(row.answer.choice)]
            for row in load_rows(run)
            if row.options and row.answer.choice
        }
        return cls(picks)

    def find(self, sample: Sample) -> str | None:
        """Return the option that the prior suggests against the history; None where it suggests the gold, or nothing.

        Rows on which the history agrees with the stereotype, or on a secret or a request to forget, have none.
        """
        if sample.pref_type in _NOT_AGAINST or sample.who == "others" or not sample.incorrect_answers:
            return None
        options = (sample.correct_answer, *sample.incorrect_answers)
        found = self.picks.get(sample.sample_id) if self.picks is not None else _pick(sample, options)
        return found if found in sample.incorrect_answers else None


def _pick(sample: Sample, options: tuple[str, ...]) -> str | None:
    """Return the option that the demographics support best; None where none is ahead of the others."""
    scores = support(demographics(sample), options, query=sample.user_query.text)
    best = max(scores)
    if best <= 0 or scores.count(best) > 1:
        return None
    return options[scores.index(best)]


def demographics(sample: Sample) -> str:
    """Return what the profile says of the person's demographics, in plain text."""
    lines = [sample.short_persona, *_demographic_texts(sample.expanded_persona)]
    return "\n".join(line for line in lines if line)


def _demographic_texts(value: Any, *, is_inside: bool = False) -> Iterator[str]:
    if isinstance(value, dict):
        for name, part in value.items():
            is_named = not set(re.split(r"[\W_]+", name.lower())).isdisjoint(PRIOR_FIELDS)
            yield from _demographic_texts(part, is_inside=is_inside or is_named)
    elif is_inside:
        yield value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
