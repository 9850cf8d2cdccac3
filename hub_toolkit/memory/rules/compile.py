"""An owner's words turned into a checked rule, or an error that says which words were not understood."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from hub_toolkit.errors import BoundaryError
from hub_toolkit.memory.rules.detect import DELICATE
from hub_toolkit.memory.rules.entities import KIN_ALIASES, kin_of
from hub_toolkit.memory.rules.folding import fold
from hub_toolkit.memory.rules.lexicon import category_files, load_lexicon, load_names, tokenize
from hub_toolkit.memory.rules.patterns import check_pattern, long_number_pattern
from hub_toolkit.memory.rules.rule_words import EXCEPTIONS, FILLERS, KEEPING, NEVER, ONLY, RELATIVE_TIMES
from hub_toolkit.memory.rules.timing import MONTHS, parse_day
from hub_toolkit.memory.rules.veiled import is_odd_word
from hub_toolkit.memory.state import Rule

MAX_RULE_CHARS = 500
_TYPED = re.compile(r"^\s*(?P<type>never|only|pattern|entity|category|before|after)\s*:\s*(?P<body>.*)$", re.I | re.S)
_WORD = r"[^\W\d_]{2,12}"
_COUNT = r"(?P<count>\d{1,3}|one|two|three|four|five|six|seven|eight|nine|ten|twelve|fifteen|twenty)"
_LONG_NUMBER = re.compile(
    r"\b(?:numbers?|digits?|codes?|zahlen?|nombres?|n(?:ú|u)meros?|chiffres?|numeri)\b[^.\d]{0,40}?\b(?P<how>longer|more|over|bigger|above|greater|at least|l(?:ä|a)nger|mehr|plus|m(?:á|a)s|or more|with|of)\b"
    rf"(?: than| als| de| que| di)?\s*{_COUNT}(?: \w+)?\s*[- ]?(?:digits?|figures?|numerals?|numbers?|stellen|ziffern|chiffres|d(?:í|i)gitos|cifre)?(?P<more> or more| and more| or longer)?",
    re.I,
)
_MONTH = "|".join(sorted(MONTHS, key=len, reverse=True))
_DAY = rf"(?:(?P<iso>(?:19|20)\d\d-\d{{1,2}}-\d{{1,2}})|(?:(?P<day>[0-3]?\d)(?:st|nd|rd|th|\.)? (?:of |de )?)?(?P<month>{_MONTH})\.?(?: (?P<day2>[0-3]?\d)(?:st|nd|rd|th)?,?)? (?:de |of )?(?P<year2>(?:19|20)\d\d)|(?P<ym>(?:19|20)\d\d-\d{{1,2}})|(?P<year>(?:19|20)\d\d))"
_TIME = re.compile(
    rf"\b(?P<how>before|older than|earlier than|prior to|until|up to|from before|bevor|vor(?: dem)?|(?:ä|a)lter als|avant(?: le)?|antes (?:de|del)|prima (?:del|di)|since|after|later than|newer than|from|starting|nach(?: dem)?|ab|seit|depuis|apr(?:è|e)s(?: le)?|despu(?:é|e)s de(?:l)?|desde|dopo(?: il)?|in|during)\s+(?:the )?(?:year )?(?:the )?{_DAY}(?P<on> on(?:wards?)?| and later)?\b",
    re.I,
)
_BEFORE = frozenset(str.split("before older earlier prior until up bevor vor alter avant antes prima"))
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_QUOTED = re.compile(r"[\"“„«']([^\"”“»']{2,60})[\"”»']")
_NUMBERS = {
    w: i for i, w in enumerate(str.split("zero one two three four five six seven eight nine ten eleven twelve"))
} | {"fifteen": 15, "twenty": 20}
_BUT = r"(?:but|except(?: for)?|other than|besides|apart from|ausser|sauf|excepto|salvo|tranne|behalve)\b"
_NOTHING_BUT = re.compile(rf"\b(?:nothing|anything|nichts|rien|nada|niente|niets)(?: (?:at all|else|about me))? {_BUT}")
_ALL_BUT = re.compile(rf"\b(?:everything|all|alles|tout|todo|tutto)\b[^.]{{0,30}}?\b{_BUT}")
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
        return replace(_compile_typed(typed["type"].lower(), typed["body"].strip()), id=rule_id, text=text)
    return replace(_compile_plain(text), id=rule_id, text=text)


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
    draft = _understand(body, is_typed=True)
    return _as_rule(draft, "only" if kind == "only" else "never")


def _compile_plain(text: str) -> Rule:
    effect, rest = _take_effect(text)
    return _as_rule(_understand(rest, is_typed=False), effect)


def _as_rule(draft: _Draft, effect: str) -> Rule:
    if draft.is_empty():
        raise BoundaryError(f"the rule does not say what about; {_what_can_be_written()}")
    before, after = draft.before, draft.after
    if effect == "only" and (before or after):
        if draft.categories or draft.entities or draft.patterns:
            raise BoundaryError("the rule says “only” of a subject and of a time; write them as two rules")
        before, after, effect = after, before, "never"  # only what is from 2024 on: never what is from before
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


def _take_effect(text: str) -> tuple[str, str]:
    """Return whether a rule says `never` or `only`, and the rest of its words.

    Raises: BoundaryError: it says neither, or makes an exception.
    """
    folded = fold(text)
    inverted, all_but = _NOTHING_BUT.search(folded), _ALL_BUT.search(folded)
    if all_but or inverted:
        found = all_but or inverted
        assert found is not None
        return ("never" if all_but else "only"), text[found.end() :] if len(folded) == len(text) else folded[
            found.end() :
        ]
    tokens = set(tokenize(folded))
    exception = EXCEPTIONS & tokens
    if exception:
        raise BoundaryError(
            f"“{sorted(exception)[0]}”: a rule cannot make an exception; write what is never kept, or what alone is (“only …”)"
        )
    if ONLY & tokens:
        return "only", text
    if NEVER & tokens or any(c in text for c in ("不", "别", "勿", "绝", "ない", "しない", "마", "لا ", "मत")):
        return "never", text
    raise BoundaryError(f"the rule says neither “never” nor “only”; {_what_can_be_written()}")


def _understand(text: str, *, is_typed: bool) -> _Draft:
    """Take numbers, times, names and categories out of a rule's words.

    Raises: BoundaryError: something is left.
    """
    draft = _Draft(text)
    _take_numbers(draft)
    _take_time(draft)
    for found in _QUOTED.finditer(draft.rest):
        draft.entities.append(found[1].strip())
    draft.rest = _QUOTED.sub(" ", draft.rest)
    unknown = _take_words(draft, is_typed=is_typed)
    if unknown:
        words = ", ".join(f"“{word}”" for word in unknown)
        raise BoundaryError(f"not understood: {words}; {_what_can_be_written()}")
    return draft


def _take_numbers(draft: _Draft) -> None:
    found = _LONG_NUMBER.search(draft.rest)
    if not found:
        return
    count = int(found["count"]) if found["count"].isdigit() else _NUMBERS.get(found["count"].lower(), 0)
    is_least = found["how"].lower() in ("at least", "with", "of") or found["more"]
    size = max(1, count if is_least else count + 1)
    if size > 30:
        raise BoundaryError(
            f"“{found.group().strip()}”: numbers of up to 30 digits can be told apart; write a smaller count"
        )
    draft.patterns.append(long_number_pattern(size))
    draft.rest = draft.rest[: found.start()] + " " + draft.rest[found.end() :]


def _take_time(draft: _Draft) -> None:
    for found in list(_TIME.finditer(draft.rest)):
        day = _read_day(found)
        if day is None:
            raise BoundaryError(f"“{found.group().strip()}” names no day; write it as 2024-01-01")
        how = fold(found["how"]).replace("from before", "before").split()[0]
        if how in _BEFORE:
            draft.before = day
        elif how in ("in", "during"):
            draft.after, draft.before = day, _next_after(found, day)
        else:
            draft.after = day
        draft.rest = draft.rest.replace(found.group(), " ", 1)


def _read_day(found: re.Match[str]) -> str | None:
    if found["iso"]:
        return parse_day(*found["iso"].split("-"))
    if found["ym"]:
        return parse_day(*found["ym"].split("-"))
    if found["year2"]:
        return parse_day(found["year2"], found["month"], found["day"] or found["day2"])
    return parse_day(found["year"])


def _next_after(found: re.Match[str], day: str) -> str:
    """Return the first day after the year or month that a rule names."""
    year, month = int(day[:4]), int(day[5:7])
    if found["year"]:
        return f"{year + 1:04d}-01-01"
    return f"{year + month // 12:04d}-{month % 12 + 1:02d}-01"


def _take_words(draft: _Draft, *, is_typed: bool) -> list[str]:
    """Take category names, kin and names out of the rest; return the words that are none of these."""
    names = load_names()
    spelled = _spelled_tokens(draft.rest)
    tokens = [token for token, _ in spelled]
    place, unknown = 0, []
    while place < len(tokens):
        size = next(
            (n for n in range(min(5, len(tokens) - place), 0, -1) if tuple(tokens[place : place + n]) in names),
            0,
        )
        if size:
            draft.categories += names[tuple(tokens[place : place + size])]
            place += size
            continue
        token, raw = spelled[place]
        unspaced = (
            [
                c
                for key, cats in names.items()
                if not key[0].isascii() and len(key) == 1 and _UNSPACED.search(key[0]) and key[0] in token
                for c in cats
            ]
            if _UNSPACED.search(token)
            else []
        )
        if unspaced:
            draft.categories += unspaced
            place += 1
            continue
        if token in RELATIVE_TIMES:
            raise BoundaryError(f"“{raw}”: a rule needs a date; write it as “nothing from before 2024-01-01”")
        size = _name_size(spelled, place) if place or is_typed else 0
        if size:
            draft.entities.append(
                " ".join(word for _, word in spelled[place : place + size]).removesuffix("'s").removesuffix("’s")
            )
            place += size
            continue
        size = 0 if _is_filler(token) or kin_of(token) else _topic_size(spelled, place, is_typed=is_typed)
        if size:
            draft.entities.append(" ".join(word for _, word in spelled[place : place + size]))
            place += size
            continue
        if not _is_filler(token) and not _take_one(draft, token):
            unknown.append(raw)
        place += 1
    return unknown


_ABOUT = frozenset(
    str.split("about regarding concerning mention mentions mentioning uber sobre propos over про о об acerca riguardo")
)
_MAX_TOPIC_WORDS = 3


def _topic_size(spelled: list[tuple[str, str]], place: int, *, is_typed: bool) -> int:
    """Return how many words from here on are a topic of their own: no category's, or a special thing of a plain one.

    A word that no list knows is a topic only after `about`, and only where it can be a word.
    """
    is_named = not is_typed and any(token in _ABOUT for token, _ in spelled[:place])
    size = 0
    for token, _ in spelled[place : place + _MAX_TOPIC_WORDS]:
        if _is_filler(token) or kin_of(token) or (token,) in load_names() or not _is_topic(token, is_named=is_named):
            break
        size += 1
    return size


def _is_topic(token: str, *, is_named: bool) -> bool:
    known = _categories_of(token)
    if known:
        return not known & DELICATE
    return is_named and token.isalpha() and len(token) > 2 and not _UNSPACED.search(token) and not is_odd_word(token)


def _categories_of(token: str) -> set[str]:
    return {p.term.category for p in load_lexicon().strong_words(token)} if len(token) > 3 else set()


def _is_filler(token: str) -> bool:
    return token in FILLERS or token in NEVER or token in ONLY or token in KEEPING or len(token) == 1


def _spelled_tokens(text: str) -> list[tuple[str, str]]:
    """Return each word folded, and as it is written."""
    raw = re.findall(r"[^\W_]+(?:['’-][^\W_]+)*", text)
    pairs = []
    for word in raw:
        pairs += [(token, word) for token in tokenize(fold(word)) if token != "."]
    return pairs


def _name_size(spelled: list[tuple[str, str]], place: int) -> int:
    """Return how many words from here on are a name: capitals that no list of this module knows."""
    size = 0
    for token, raw in spelled[place : place + 4]:
        is_name = raw[0].isupper() and not (raw.isupper() and len(raw) < 2)
        if not is_name or _is_filler(token) or (kin_of(token) and not size) or (token,) in load_names():
            break
        size += 1
    return size


def _take_one(draft: _Draft, token: str) -> bool:
    """Take one word as kin, or as one by which a category is known."""
    kin = kin_of(token) or kin_of(token.removesuffix("s"))
    if kin:
        draft.entities.append(kin)
        return True
    known = _categories_of(token)
    draft.categories += sorted(known)
    return bool(known)


__all__ = ["KIN_ALIASES", "category_names", "compile_rule", "long_number_pattern"]
