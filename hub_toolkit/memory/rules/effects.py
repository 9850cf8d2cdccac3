"""Whether a rule's words say `never` or `only`, and what is refused because they say both."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hub_toolkit.errors import BoundaryError
from hub_toolkit.memory.rules.lexicon import is_unspaced
from hub_toolkit.memory.rules.rule_words import FILLERS, KEEPING, NEVER, ONLY, is_around

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
# Signs of never, only, all but, the rest, and of the opposite of never, in scripts without spaces.
_SHUT = re.compile(
    r"不|别|別|勿|绝|禁|莫|忘|删|隐私|秘密|保密|私事|ない|ずに|やめ|内緒|プライベート|控え|지\s?마|마세요|마라|말아|말고|말\s?것|금지|않|안\s?[했돼되]|비밀|사생활|사적|잊어|빼\s?[줘고]|제외|삭제"
)
_ALONE = re.compile(r"只|仅|だけ|のみ|しか|(?<=\S)만(?=[\s,.]|$)|오직|오로지")
_ALL_BUT = re.compile(r"除了|除.{1,12}[之以]?外|以外|を除い|를?\s?제외하고|빼고|외에는?")
_THE_REST = re.compile(r"其他|其它|别的|其余|他の|ほか|その他|それ以外|나머지|다른|그\s?외")
_WANTED = re.compile(
    r"(?:不要|别|不许|莫)忘|忘れないで|잊지|不是.{0,2}(?:秘密|隐私)|秘密では?な|비밀이?\s?아니|[吗嗎か까요]？$|[吗嗎까]\?$"
)
_SHARP_O = "só"


def effect_of(tokens: Sequence[str], text: str) -> str | None:
    """Return `never`, `only`, or None where the words say neither. `tokens` are the folded words of `text`.

    Raises: BoundaryError: they say both, and not that nothing but one thing is kept.
    """
    if is_unspaced(text):
        return _effect_unspaced(text)
    only = [n for n, token in enumerate(tokens) if token in ONLY and (token != "so" or _SHARP_O in text.lower())]
    never = [n for n, token in enumerate(tokens) if token in NEVER]
    if never and not only and _is_wanted(tokens[: never[0]]) and says_something(tokens[never[0] :]):
        raise BoundaryError(SAYS_BOTH)
    if not only or not never:
        return "only" if only else "never" if never else None
    first = only[0]
    # `just don't …` and `I only ask that you never …` say never; `just work, nothing else` says only.
    if first < never[0]:
        if not says_something(tokens[first : never[0]]):
            return "never"
        if not says_something(tokens[never[0] :]):
            return "only"
        raise BoundaryError(SAYS_BOTH)
    if says_something(tokens[never[0] : first]):
        raise BoundaryError(SAYS_BOTH)
    between = tokens[never[0] : first]
    if not _ALL.intersection(between) and "." not in between:
        raise BoundaryError(f"“{tokens[never[0]]} … {tokens[first]}” {_TWO_READINGS}")
    return "only"


def _effect_unspaced(text: str) -> str | None:
    if _WANTED.search(text):
        raise BoundaryError(f"“{text}” may say that it is to be kept; write what is never kept, or what alone is")
    is_shut, alone, but = bool(_SHUT.search(text)), _ALONE.search(text), _ALL_BUT.search(text)
    if but and not alone and not _THE_REST.search(text):
        if but.group()[0] == "除" and but.start() > 2:
            raise BoundaryError(
                f"“{but.group()}”: a rule cannot make an exception; write what is never kept, or what alone is"
            )
        return "only" if _SHUT.search(_ALL_BUT.sub("", text)) else "never"
    if alone and is_shut and alone.group() != "しか" and not _THE_REST.search(text):
        if "只是" in text or "就是" in text:
            return "never"
        raise BoundaryError(SAYS_BOTH)
    return "only" if alone else "never" if is_shut else None


def _is_wanted(tokens: Sequence[str]) -> bool:
    """Whether words say what to keep: `remember my hobbies (but not …)`."""
    verbs = [token for token in tokens if token in KEEPING or token in _KEEP or token not in FILLERS]
    return bool(verbs) and verbs[0] in _KEEP and says_something(tokens)


def says_something(tokens: Sequence[str]) -> bool:
    """Whether folded words hold one that is not only around a subject."""
    return any(token != "." and len(token) > 1 and not is_around(token) for token in tokens)
