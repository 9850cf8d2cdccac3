"""The times that a rule names: before, after or within days, months, years, decades and spans."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

from hub_toolkit.errors import BoundaryError
from hub_toolkit.memory.rules.folding import fold
from hub_toolkit.memory.rules.timing import MONTHS, parse_day

_MONTH = "|".join(sorted(MONTHS, key=len, reverse=True))
_YEAR = r"(?:19|20)\d\d"


def _day(mark: str) -> str:
    """Return the form of a date; its groups end in a mark, so that a form can hold two."""
    return (
        rf"(?:(?P<iso{mark}>{_YEAR}[-/.]\d{{1,2}}[-/.]\d{{1,2}})|(?P<num{mark}>\d{{1,2}}[./]\d{{1,2}}[./]{_YEAR})|(?:(?P<part{mark}>q[1-4]|(?:first|second|1st|2nd) half)(?: of)? (?P<party{mark}>{_YEAR}))"
        rf"|(?:(?P<day{mark}>[0-3]?\d)(?:st|nd|rd|th|\.)? (?:of |de )?)?(?P<month{mark}>{_MONTH})\.?(?: (?P<late{mark}>[0-3]?\d)(?:st|nd|rd|th)?,?)?"
        rf" (?:de |of )?(?P<named{mark}>{_YEAR})|(?P<ym{mark}>{_YEAR}-\d{{1,2}})|(?P<year{mark}>{_YEAR}))(?!\d|-\d{{1,2}}(?!\d))"
    )


_BEFORE = r"before|older than|earlier than|prior to|until|up to|from before|bevor|vor(?: dem)?|(?:ä|a)lter als|avant(?: le)?|antes (?:de|del)|prima (?:del|di)"
_AFTER = r"after|later than|newer than|nach(?: dem)?|apr(?:è|e)s(?: le)?|despu(?:é|e)s de(?:l)?|dopo(?: il)?"
_SINCE = r"since|starting(?: from| in)?|ab|seit|depuis|desde|a partir de|dal|vanaf"
_WITHIN = (
    r"from|in|during|of|dated|about|aus|von|im|de|en|pendant|durante|nel|del|uit|van|forget|never:|over|throughout|only"
)
_RANGE = re.compile(
    rf"\b(?P<lead>between|from|zwischen|von|entre|de|tra|dal)?\s*(?:the )?(?:years? )?{_day('_a')}\s*(?P<joiner>and|or|to|until|till|through|[-–]|bis|und|oder|y|et|ou|o|a|e|al)\s*{_day('_b')}",
    re.I,
)
_TIME = re.compile(
    rf"(?<!\w)(?:(?P<before>{_BEFORE})|(?P<after>{_AFTER})|(?P<since>{_SINCE})|(?P<within>{_WITHIN}))\s+(?:the )?(?:year )?(?:the )?(?P<end>end of )?{_day('')}"
    r"(?:(?P<on>,? (?:on(?:wards?)?|(?:and|or) (?:later|after|newer|since)))|(?P<back>,? (?:and|or) (?:earlier|before|older|prior)))?\b",
    re.I,
)
_DECADE = re.compile(
    r"(?<!\w)(?:(?:from|in|during|of|about|aus den|des ann(?:é|e)es)\s+)?(?:the\s+|my\s+)?(?:(?P<century>19|20)?(?P<tens>\d)0(?:'|’)?s|(?P<word>fifties|sixties|seventies|eighties|nineties|noughties))\b",
    re.I,
)
_DECADES = ("fifties", "sixties", "seventies", "eighties", "nineties", "noughties")
_BARE_DAY = re.compile(rf"(?<![\w/.-])(?=[^\W\d_]{{3}}|\d{{1,2}}[ ./]|{_YEAR}[-/.]){_day('')}(?!\w)", re.I)
_BARE_YEAR = re.compile(rf"(?<![\w/-]){_YEAR}(?![\w/-])")


_MONTHS_OF_A_YEAR = re.compile(
    rf"\b(?P<first>{_MONTH})\.? (?P<joiner>to|until|till|through|and|bis|und|et|y|[-–]) (?P<second>{_MONTH})\.? (?:of )?(?P<year>{_YEAR})\b",
    re.I,
)
_MARK = "\u2402"
_CONJUNCTION = r"(?:,|;|/|&|\b(?:and|or|nor|und|oder|et|ou|y|o|e)\b)"
_NEGATION = r"(?:(?:also|or|never|nothing|no|anything|nichts|rien|nada|niente|about|from|it|of)\s+)*"
_JOINED = re.compile(rf"\w\s*{_CONJUNCTION}\s*{_NEGATION}{_MARK}|{_MARK}\s*{_CONJUNCTION}\s*\w", re.I)
_SEASON = re.compile(
    r"\b(?:spring|summer|autumn|winter|christmas|easter|new year s|new year's|ramadan|the end|end|beginning|start|early|late|mid|middle|first half|second half|quarter|sommer|herbst|fr(?:ü|u)hling|weihnachten|ende|anfang|(?:é|e)t(?:é|e)|hiver|verano|invierno|estate|inverno)\b",
    re.I,
)
_WRITE_DAYS = "write them: “nothing from 2023-06-01 to 2023-08-31”, or “nothing from 2023”"
_TIME_WORDS = re.compile(
    r"\b(?:said|told|tell|happened|wrote|written|mentioned|chats?|time|times|years?|days?|dates?|life|back then|then|earlier)\b",
    re.I,
)


@dataclass(frozen=True)
class TimeSpan:
    """A span of days, ISO: from `after` on, and before `before`; None is open. `is_within`: the words name the span itself."""

    after: str | None
    before: str | None
    is_within: bool = False


def take_times(text: str) -> tuple[list[TimeSpan], str]:
    """Return the times that a text names, and its other words.

    Raises: BoundaryError: a date that does not exist, or a time that ends before it begins.
    """
    spans: list[TimeSpan] = []
    text = _MONTHS_OF_A_YEAR.sub(r"\g<first> \g<year> \g<joiner> \g<second> \g<year>", text)
    for form, read in (
        (_RANGE, _read_range),
        (_TIME, _read_time),
        (_DECADE, _read_decade),
        (_BARE_DAY, _read_bare),
        (_BARE_YEAR, _read_year),
    ):
        for found in list(form.finditer(text)):
            spans.append(read(found))
            text = text.replace(found.group(), f" {_MARK} ", 1)
    return spans, text if spans else text.replace(_MARK, " ")


def take_time_words(rest: str) -> tuple[bool, str]:
    """Return whether an `and` joins the time that was taken to the rest of a rule, and the rest without words of time.

    Raises: BoundaryError: a part of a year that has no certain days.
    """
    season = _SEASON.search(rest)
    if season:
        raise BoundaryError(f"“{season.group()}” has no certain days; {_WRITE_DAYS}")
    is_joined = bool(_JOINED.search(rest))
    return is_joined, _TIME_WORDS.sub(" ", rest).replace(_MARK, " ")


def _read_range(found: re.Match[str]) -> TimeSpan:
    first, _ = _days(found, "_a")
    _, end = _days(found, "_b")
    is_list = re.fullmatch(r"and|or|und|oder|y|et|ou|o|e", found["joiner"], re.I)
    if (
        is_list
        and (found["lead"] or "").lower() not in ("between", "zwischen", "entre", "tra")
        and _days(found, "_a")[1] != _days(found, "_b")[0]
    ):
        raise BoundaryError("the rule names several times; write each as a rule of its own")
    if end <= first:
        raise BoundaryError(f"“{found.group().strip()}” ends before it begins; write the earlier date first")
    return TimeSpan(first, end, is_within=True)


def _read_time(found: re.Match[str]) -> TimeSpan:
    first, end = _days(found, "")
    if found["end"] and not found["before"] and not found["after"]:
        raise BoundaryError(f"“{found.group().strip()}” has no certain days; {_WRITE_DAYS}")
    if found["back"]:
        return TimeSpan(None, end)
    if found["before"]:
        return TimeSpan(None, end if found["end"] else first)
    if found["after"]:
        # After a year or a month begins when it is over; after a day includes it, as `after: 2024-01-01` always did.
        return TimeSpan(first if _is_day(found) else end, None)
    if found["since"] or found["on"]:
        return TimeSpan(first, None)
    return TimeSpan(first, end, is_within=True)


def _read_decade(found: re.Match[str]) -> TimeSpan:
    if found["word"]:
        year = 1950 + 10 * _DECADES.index(found["word"].lower())
        return TimeSpan(f"{year}-01-01", f"{year + 10}-01-01", is_within=True)
    century = found["century"] or ("20" if int(found["tens"]) < 3 else "19")
    year = int(f"{century}{found['tens']}0")
    return TimeSpan(f"{year}-01-01", f"{year + 10}-01-01", is_within=True)


def _read_bare(found: re.Match[str]) -> TimeSpan:
    first, end = _days(found, "")
    return TimeSpan(first, end, is_within=True)


def _read_year(found: re.Match[str]) -> TimeSpan:
    year = int(found.group())
    return TimeSpan(f"{year}-01-01", f"{year + 1}-01-01", is_within=True)


def _is_day(found: re.Match[str], mark: str = "") -> bool:
    return bool(found[f"iso{mark}"] or found[f"num{mark}"] or found[f"day{mark}"] or found[f"late{mark}"])


def _days(found: re.Match[str], mark: str) -> tuple[str, str]:
    """Return the first day that a date names, and the first after it."""
    if found[f"part{mark}"]:
        return _part_of_year(found[f"part{mark}"].lower(), int(found[f"party{mark}"]))
    if found[f"iso{mark}"]:
        first = parse_day(*re.split(r"[-/.]", found[f"iso{mark}"]))
    elif found[f"num{mark}"]:
        first = _numeric_day(found[f"num{mark}"])
    elif found[f"ym{mark}"]:
        first = parse_day(*found[f"ym{mark}"].split("-"))
    elif found[f"named{mark}"]:
        month = fold(found[f"month{mark}"]) if found[f"month{mark}"].lower() not in MONTHS else found[f"month{mark}"]
        first = parse_day(found[f"named{mark}"], month, found[f"day{mark}"] or found[f"late{mark}"])
    else:
        first = parse_day(found[f"year{mark}"])
    if first is None:
        raise BoundaryError(f"“{found.group().strip()}” names no day; write it as 2024-01-01")
    if _is_day(found, mark):
        return first, (date.fromisoformat(first) + timedelta(days=1)).isoformat()
    year, month_number = int(first[:4]), int(first[5:7])
    if found[f"year{mark}"]:
        return first, f"{year + 1:04d}-01-01"
    return first, f"{year + month_number // 12:04d}-{month_number % 12 + 1:02d}-01"


def _part_of_year(part: str, year: int) -> tuple[str, str]:
    """Return the first day of a quarter or half of a year, and the first after it."""
    month, size = (int(part[1]) * 3 - 2, 3) if part[0] == "q" else (1 if part[0] in "f1" else 7, 6)
    last = month + size
    return f"{year}-{month:02d}-01", f"{year + last // 13}-{(last - 1) % 12 + 1:02d}-01"


def _numeric_day(text: str) -> str | None:
    """Return the day of 31.01.2024 or 01/31/2024.

    Raises: BoundaryError: 01/02/2024, which is January or February.
    """
    one, two, year = re.split(r"[./]", text)
    if "/" in text and one != two and int(one) <= 12 and int(two) <= 12:
        raise BoundaryError(f"“{text}” can be two days; write it as {year}-01-31")
    day, month = (two, one) if int(two) > 12 else (one, two)
    return parse_day(year, month, day)
