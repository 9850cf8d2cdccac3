"""The judges of the scripted writer: they read texts and know nothing of what was planted."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

WORD = re.compile(r"\b[a-z]{4}(?:uxo|ifra|ozek|ambu|yrto)\b")


def digest(*parts: object) -> int:
    """Return a number that is the same in every process."""
    return int.from_bytes(hashlib.sha256("\0".join(map(str, parts)).encode()).digest()[:6], "big")


def invented(*parts: object) -> str:
    """Return an invented word."""
    number = digest("word", *parts)
    letters = ""
    for place in range(4):
        number, rest = divmod(number, 5 if place % 2 else 14)
        letters += ("aeiou" if place % 2 else "bdfgklmnprstvz")[rest]
    return letters + ("uxo", "ifra", "ozek", "ambu", "yrto")[number % 5]


def words_of(text: str) -> list[str]:
    """Return the invented words of a text."""
    return WORD.findall(text)


def happens(rate: float, *key: object) -> bool:
    """Whether what happens at this rate happens here."""
    return rate > 0 and digest(*key) % 100_000 < rate * 100_000


@dataclass
class Script:
    """How often what goes wrong, in parts of 1: `faults` in what is written, the others in replies and votes.

    No vote of those in `muted` can be read.
    """

    faults: dict[str, float] = field(default_factory=dict)
    refusal: float = 0.0
    bad_json: float = 0.0
    wrong_count: float = 0.0
    unreadable_vote: float = 0.0
    wrong_vote: float = 0.0
    muted: frozenset[str] = frozenset()


def _vote(
    choose: Callable[[dict[str, str]], str], others: Sequence[str]
) -> Callable[[Script, dict[str, str], int | None], Any]:
    def judge(script: Script, values: dict[str, str], seed: int | None) -> Any:
        verdict = choose(values)
        if happens(script.wrong_vote, "wrong vote", seed):
            verdict = next(other for other in others if other != verdict)
        return {"reason": "as read", "verdict": verdict}

    return judge


def _contradiction(values: dict[str, str]) -> str:
    new = values["new"]
    known = [line for line in values["known"].splitlines() if set(words_of(line)) & set(words_of(new))]
    if not known:
        return "fits"
    return "contradicts" if any(("Cannot" in line) != ("Cannot" in new) for line in known) else "repeats"


def _infer(_: Script, values: dict[str, str], __: int | None) -> Any:
    found = re.search(r"(the way|which nobody expects of) a ([a-z -]+?)( would)?\.", values["preference"])
    if found is None:
        return {"person": "anybody"}
    return {"person": found[2] if found[1] == "the way" else f"anything but {found[2]}"}


def _compare(values: dict[str, str]) -> str:
    gender, guess = json.loads(values["person"])["gender"], values["guess"]
    return "close" if guess == gender else "against" if guess == f"anything but {gender}" else "unrelated"


def _shown(values: dict[str, str]) -> str:
    text = values["conversation"]
    wanted = words_of(values["preference"])[:2]
    if not set(wanted) <= set(words_of(text)):
        return "missing"
    if "My favourite" in text or "do not keep that" in text:
        return "stated"
    return "others" if "My friend wrote" in text else "self"


def _leak(values: dict[str, str]) -> str:
    known = {word for word in words_of(values["preferences"])}
    query = values["query"]
    return "leaks" if any(word in query or word[::-1] in query for word in known) else "open"


def _clean(values: dict[str, str]) -> str:
    return "unclean" if "draft" in values["answers"] or "Sure," in values["answers"] else "clean"


def _options(values: dict[str, str]) -> list[str]:
    return [part[3:] for part in re.split(r"\n\n(?=[A-D]\. )", values["options"])]


def _blind(_: Script, values: dict[str, str], seed: int | None) -> Any:
    options = _options(values)
    obvious = [place for place, text in enumerate(options) if "by far the wisest" in text]
    return {"choice": "ABCD"[obvious[0] if obvious else digest(seed, "blind") % len(options)]}


def _fits(rubric: str) -> Callable[[Script, dict[str, str], int | None], Any]:
    def judge(script: Script, values: dict[str, str], seed: int | None) -> Any:
        fits = [_fits_one(rubric, values["evidence"], option) for option in _options(values)]
        if happens(script.wrong_vote, "wrong fit", seed):
            fits[digest(seed) % len(fits)] ^= True
        return {"reason": "as read", "fits": fits}

    return judge


def _fits_one(rubric: str, evidence: str, option: str) -> bool:
    if rubric == "sensitive":
        return "[please fill in]" in option and not re.search(r"\d{8}", option.partition(", form")[0])
    if rubric != "self":
        return not words_of(option)
    held: list[str] = []
    for line in evidence.splitlines():
        if line.startswith("USER: ") and "My friend wrote" not in line:
            over = words_of(line.partition("done with")[2].partition("for good")[0])
            held = [word for word in [*held, *words_of(line)] if word not in over]
    return bool(set(words_of(option)) & set(held))


JUDGES: dict[str, Callable[[Script, dict[str, str], int | None], Any]] = {
    "contradiction": _vote(_contradiction, ("fits", "contradicts")),
    "infer": _infer,
    "compare": _vote(_compare, ("unrelated", "close")),
    "shown": _vote(_shown, ("missing", "self")),
    "leak": _vote(_leak, ("open", "leaks")),
    "clean": _vote(_clean, ("clean", "unclean")),
    "blind": _blind,
    **{f"fit_{rubric}": _fits(rubric) for rubric in ("self", "forget", "others", "sensitive")},
}
