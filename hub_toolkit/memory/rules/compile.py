"""An owner's words turned into a checked rule, or an error that says which words were not understood."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from hub_toolkit.errors import BoundaryError
from hub_toolkit.memory.rules.effects import SAYS_BOTH, effect_of
from hub_toolkit.memory.rules.entities import KIN_ALIASES
from hub_toolkit.memory.rules.folding import fold
from hub_toolkit.memory.rules.lexicon import category_files, tokenize
from hub_toolkit.memory.rules.patterns import check_pattern, long_number_pattern
from hub_toolkit.memory.rules.phrases import one_word_kin, refuse_unclear, take_code_forms, take_strictness
from hub_toolkit.memory.rules.rule_times import take_time_words, take_times
from hub_toolkit.memory.rules.rule_words import KEEPING, NEVER, ONLY
from hub_toolkit.memory.rules.subjects import read_subjects
from hub_toolkit.memory.rules.wording import read_wording
from hub_toolkit.memory.state import Rule

MAX_RULE_CHARS = 500
_TYPED = re.compile(r"^\s*(?P<type>never|only|pattern|entity|category|before|after)\s*:\s*(?P<body>.*)$", re.I | re.S)
_WORD = r"[^\W\d_]{2,12}"
_COUNT = r"(?P<count>\d{1,3}|one|two|three|four|five|six|seven|eight|nine|ten|twelve|fifteen|twenty)"
_LONG_NUMBER = re.compile(
    r"\b(?:numbers?|digits?|codes?|zahlen?|nombres?|n(?:ú|u)meros?|chiffres?|numeri)\b[^.\d]{0,40}?\b(?P<how>longer|more|over|bigger|above|greater|at least|l(?:ä|a)nger|mehr|plus|m(?:á|a)s|or more|with|of)\b"
    rf"(?: than| als| de| que| di)?\s*{_COUNT}(?P<plus> or more| and more| or longer|\+| plus)?(?: \w+)?\s*[- ]?(?:digits?|figures?|numerals?|numbers?|stellen|ziffern|chiffres|d(?:í|i)gitos|cifre)?(?P<more> or more| and more| or longer)?",
    re.I,
)
_SIZED_NUMBER = re.compile(
    rf"\b{_COUNT}[- ]?(?:digit|figure|stellige?n?)s? (?:numbers?|codes?|ids?|zahlen|nummern)\b", re.I
)
_MANY_DIGITS = re.compile(
    rf"\b(?:(?:strings?|sequences?|runs?|series|anything|codes?|numbers?) )?(?:of |with |that (?:has|have) |having |containing )?(?P<how>more than|over|at least|longer than|exceeding|above)? ?{_COUNT}(?P<plus> or more|\+| plus)?[ -](?:or more )?(?:consecutive )?(?:digits?|figures|numerals)\b(?: or more| and up)?(?: (?:long|in a row))?(?: numbers?)?",
    re.I,
)
_SLASHED = re.compile(r"(?:\b(?:pattern|regex|muster|motif)\b:? ?)?(?<!\S)/(\S(?:.{0,298}\S)?)/(?!\S)", re.I)
_AROUND = frozenset(
    str.split(
        "my the a an any i me please about of on at in for ever you do does your mine just it s to with from during before after since until when mein meine mes mis"
    )
)
# An apostrophe inside a word (don't, children's) opens no quotation.
_QUOTED = re.compile(r"[\"“„«]([^\"”“»]{2,60})[\"”»]|(?<!\w)['‘]([^'’]{2,60})['’](?!\w)")
_NUMBERS = {
    w: i for i, w in enumerate(str.split("zero one two three four five six seven eight nine ten eleven twelve"))
} | {"fifteen": 15, "twenty": 20}
_BUT = r"(?:but|except(?: for)?|other than|besides|apart from|ausser|sauf|excepto|salvo|tranne|behalve)\b"
_BEGINS_WITH_NAME = re.compile(
    r"[^\W\d_]\S*(?: [A-Z]\S*)*(?:['’]s \w+)?(?:[,:]|(?<=:)| (?:is|are|was|were|must|should|has|have|shall|may|can|will|stays?|and|or|does|goes|needs?|never|not|no|gets?|isnt|should|belongs?)\b)"
)
_CAN_WRITE = (
    "write “never”, “nothing about” or “only” and then what: {names}; a person (“my sister Anna”, entity:Anna); "
    "“numbers longer than 5 digits”; “nothing from before 2024-01-01”; or pattern:/…/"
)


@dataclass
class _Draft:
    """What has been understood so far, and the text that is left."""

    rest: str
    categories: list[str] = field(default_factory=list)
    entities: list[str] = field(default_factory=list)
    patterns: list[str] = field(default_factory=list)
    before: str | None = None
    after: str | None = None
    is_within: bool = False
    is_joined: bool = False
    """Whether an `and` stands between the time and the rest."""

    def is_empty(self) -> bool:
        return not (self.categories or self.entities or self.patterns or self.before or self.after)


def category_names() -> tuple[str, ...]:
    """Return the names of all categories, as a rule may use them."""
    return tuple(category_files())


def compile_rule(text: str, rule_id: str = "") -> Rule:
    """Return the rule that an owner's words mean.

    Raises: BoundaryError: words that were not understood, a rule with an exception, or a pattern that is not safe.
    """
    if not text.strip():
        raise BoundaryError(f"the rule is empty; {_what_can_be_written()}")
    if len(text) > MAX_RULE_CHARS:
        raise BoundaryError(
            f"the rule has {len(text):,} characters; at most {MAX_RULE_CHARS} are allowed: write several rules"
        )
    typed = _TYPED.match(text)
    if typed:
        body, strictness = take_strictness(typed["body"])
        rule = _compile_typed(typed["type"].lower(), body.strip())
    else:
        body, strictness = take_strictness(text)
        rule = _compile_plain(*read_wording(body), body)
    # What an owner names as never to be kept is read strictly, unless the rule says otherwise.
    is_strict = (strictness or "strict") == "strict" and rule.effect == "never" and bool(rule.categories)
    return replace(rule, id=rule_id, text=text, strictness="strict" if is_strict else "normal")


def _what_can_be_written() -> str:
    return _CAN_WRITE.format(names=", ".join(name.replace("_", " ") for name in category_names()))


def _compile_typed(kind: str, body: str) -> Rule:
    if not body:
        raise BoundaryError(f"nothing stands after “{kind}:”; {_what_can_be_written()}")
    if kind == "pattern":
        inner = body[1:-1] if len(body) > 2 and body.startswith("/") and body.endswith("/") else body
        return Rule("", "", patterns=(check_pattern(inner),))
    if kind == "entity":
        return Rule("", "", entities=tuple(name.strip() for name in body.split(",") if name.strip()))
    if kind in ("before", "after"):
        draft = _Draft(f"{kind} {body}")
        _take_time(draft)
        if draft.is_empty() or draft.rest.strip():
            raise BoundaryError(f"“{body}” is no date; write it as {kind}: 2024-01-01")
        return Rule("", "", before=draft.before, after=draft.after)
    effect = "only" if kind == "only" else "never"
    if effect_of([effect, ".", *tokenize(fold(body))], body) != effect:
        raise BoundaryError(SAYS_BOTH)
    return _as_rule(_understand(body, effect), effect)


def _compile_plain(text: str, effect: str | None, written: str) -> Rule:
    may_begin_with_name = effect is not None or _BEGINS_WITH_NAME.match(text) is not None
    effect = effect or _take_effect(text)
    draft = _understand(text, effect, written=written, may_begin_with_name=may_begin_with_name)
    return _as_rule(draft, effect)


def _as_rule(draft: _Draft, effect: str) -> Rule:
    if draft.is_empty():
        raise BoundaryError(f"the rule does not say what about; {_what_can_be_written()}")
    before, after = draft.before, draft.after
    if effect == "only" and draft.is_within:
        raise BoundaryError(
            f"“only” of a time can be read in two ways: write “only from {after} on”, or two rules, “nothing from before {after}” and “nothing from {before} on”"
        )
    if effect == "only" and (before or after):
        if draft.categories or draft.entities or draft.patterns:
            raise BoundaryError("the rule says “only” of a subject and of a time; write them as two rules")
        before, after, effect = after, before, "never"  # only what is from 2024 on: never what is from before
    if draft.is_joined and (before or after) and (draft.categories or draft.entities or draft.patterns):
        raise BoundaryError(
            "a subject and a time joined by “and” can be read in two ways; write “nothing about health from before 2024-01-01” for both at once, or two rules"
        )
    return Rule(
        "",
        "",
        effect="only" if effect == "only" else "never",
        categories=tuple(dict.fromkeys(draft.categories)),
        entities=tuple(dict.fromkeys(draft.entities)),
        patterns=tuple(dict.fromkeys(draft.patterns)),
        before=before,
        after=after,
    )


def _take_effect(text: str) -> str:
    """Return whether a rule says `never` or `only`.

    Raises: BoundaryError: it says neither, or both.
    """
    effect = effect_of(tokenize(fold(text)), text)
    if effect is None:
        raise BoundaryError(f"the rule says neither “never” nor “only”; {_what_can_be_written()}")
    return effect


def _understand(text: str, effect: str, *, written: str = "", may_begin_with_name: bool = False) -> _Draft:
    """Take numbers, times, names and categories out of a rule's words.

    Raises: BoundaryError: something is left.
    """
    draft = _Draft(text)
    _take_patterns(draft)
    _take_numbers(draft)
    if draft.is_empty():
        refuse_unclear(draft.rest, _bare_words(draft.rest))
    _take_time(draft)
    draft.rest = one_word_kin(draft.rest)
    for found in _QUOTED.finditer(draft.rest):
        draft.entities.append((found[1] or found[2]).strip())
    draft.rest = _QUOTED.sub(" ", draft.rest)
    subjects = read_subjects(
        draft.rest,
        written=written or text,
        is_typed=not written,
        is_only=effect == "only",
        may_begin_with_name=may_begin_with_name,
    )
    draft.categories += subjects.categories
    draft.entities += subjects.entities
    if subjects.unknown:
        words = ", ".join(f"“{word}”" for word in subjects.unknown)
        raise BoundaryError(f"not understood: {words}; {_named_instead(subjects.unknown)}{_what_can_be_written()}")
    return draft


def _named_instead(unknown: list[str]) -> str:
    if not all(word.isalpha() and word.lower() not in _AROUND for word in unknown):
        return ""
    return f"“nothing about {' '.join(unknown)}” forbids what names that; "


def _take_patterns(draft: _Draft) -> None:
    for found in _SLASHED.finditer(draft.rest):
        draft.patterns.append(check_pattern(found[1]))
    draft.rest = _SLASHED.sub(" ", draft.rest)
    forms, draft.rest = take_code_forms(draft.rest)
    draft.patterns += [check_pattern(form) for form in forms]


def _bare_words(text: str) -> str:
    """Return a rule's words without those around its subject."""
    words = (NEVER, ONLY, KEEPING, _AROUND)
    return " ".join(t for t in tokenize(fold(text)) if t != "." and not any(t in around for around in words))


def _take_numbers(draft: _Draft) -> None:
    found = _LONG_NUMBER.search(draft.rest) or _SIZED_NUMBER.search(draft.rest) or _MANY_DIGITS.search(draft.rest)
    if not found:
        return
    count = int(found["count"]) if found["count"].isdigit() else _NUMBERS.get(found["count"].lower(), 0)
    how = found.groupdict().get("how") or "of"
    is_least = (
        how.lower() in ("at least", "with", "of") or found.groupdict().get("more") or found.groupdict().get("plus")
    )
    size = max(1, count if is_least else count + 1)
    if size > 30:
        raise BoundaryError(
            f"“{found.group().strip()}”: numbers of up to 30 digits can be told apart; write a smaller count"
        )
    draft.patterns.append(long_number_pattern(size))
    draft.rest = draft.rest[: found.start()] + " " + draft.rest[found.end() :]


def _take_time(draft: _Draft) -> None:
    spans, rest = take_times(draft.rest)
    if len(spans) > 1:
        raise BoundaryError("the rule names several times; write each as a rule of its own")
    for span in spans:
        draft.before, draft.after, draft.is_within = span.before, span.after, span.is_within
    if spans:
        draft.is_joined, rest = take_time_words(rest)
    draft.rest = rest


__all__ = ["KIN_ALIASES", "category_names", "compile_rule", "long_number_pattern"]
