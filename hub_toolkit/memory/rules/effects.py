"""Whether a rule's words say `never` or `only`, and what is refused because they say both."""

from __future__ import annotations

from collections.abc import Sequence

from hub_toolkit.errors import BoundaryError
from hub_toolkit.memory.rules.rule_words import FILLERS, KEEPING, NEVER, ONLY

SAYS_BOTH = "the rule says both “never” and “only”; write two rules, such as “never: health” and “only: hobbies”"
_TWO_READINGS = "can be read in two ways; write “only hobbies” for what alone is kept, or “nothing about hobbies”"
_ALL = frozenset(
    str.split("anything nothing everything all any none nichts alles rien tout nada todo niente tutto tudo")
)
_KEEP = frozenset(
    str.split(
        "remember keep save store record retain memorize memorise merke merk speichere retiens garde guarda recuerda ricorda"
    )
)
_NEVER_SIGNS = ("不", "别", "勿", "绝", "ない", "しない", "마", "لا ", "मत")
_SHARP_O = "só"


def effect_of(tokens: Sequence[str], text: str) -> str | None:
    """Return `never`, `only`, or None where the words say neither. `tokens` are the folded words of `text`.

    Raises: BoundaryError: they say both, and not that nothing but one thing is kept.
    """
    only = [n for n, token in enumerate(tokens) if token in ONLY and (token != "so" or _SHARP_O in text.lower())]
    never = [n for n, token in enumerate(tokens) if token in NEVER]
    if never and not only and _is_wanted(tokens[: never[0]]) and _says_something(tokens[never[0] :]):
        raise BoundaryError(SAYS_BOTH)
    if not only or not never:
        return "only" if only else "never" if never or any(sign in text for sign in _NEVER_SIGNS) else None
    first = only[0]
    # `just don't …` and `I only ask that you never …` say never; `just work, nothing else` says only.
    if first < never[0]:
        if not _says_something(tokens[first : never[0]]):
            return "never"
        if not _says_something(tokens[never[0] :]):
            return "only"
        raise BoundaryError(SAYS_BOTH)
    if _says_something(tokens[never[0] : first]):
        raise BoundaryError(SAYS_BOTH)
    between = tokens[never[0] : first]
    if not _ALL.intersection(between) and "." not in between:
        raise BoundaryError(f"“{tokens[never[0]]} … {tokens[first]}” {_TWO_READINGS}")
    return "only"


def _is_wanted(tokens: Sequence[str]) -> bool:
    """Whether words say what to keep: `remember my hobbies (but not …)`."""
    verbs = [token for token in tokens if token in KEEPING or token not in FILLERS]
    return bool(verbs) and verbs[0] in _KEEP and _says_something(tokens)


def _says_something(tokens: Sequence[str]) -> bool:
    around = NEVER | ONLY | KEEPING | FILLERS
    return any(token not in around and token != "." and len(token) > 1 for token in tokens)
