"""Rules on time: when a text was said, and the dates that it names itself."""

from __future__ import annotations

import re
from datetime import date

from hub_toolkit.memory.state import Rule

MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan january januar janvier enero", "feb february februar février febrero", "mar march märz mars marzo",
            "apr april avril abril", "may mai mayo", "jun june juni juin junio", "jul july juli juillet julio",
            "aug august août agosto", "sep sept september septembre septiembre", "oct october oktober octobre octubre",
            "nov november novembre noviembre", "dec december dezember décembre diciembre",
        ),
        start=1,
    )
    for name in names.split()
}  # fmt: skip
_YEAR = r"(?P<year>(?:19|20)\d\d)"
_ISO = re.compile(rf"(?<!\d){_YEAR}[-/.](?P<month>0?[1-9]|1[0-2])(?:[-/.](?P<day>[0-3]?\d))?(?!\d)")
_NAMED = re.compile(
    rf"(?:(?P<day>[0-3]?\d)(?:st|nd|rd|th)?\.? )?(?P<name>[^\W\d_]{{3,10}})\.?(?: (?P<day2>[0-3]?\d)(?:st|nd|rd|th)?,)? (?:de )?{_YEAR}(?!\d)"
)
_YEAR_ALONE = re.compile(
    rf"\b(?:in|since|from|during|until|till|before|after|by|around|circa|year|of|summer|winter|spring|autumn|fall|early|late|mid|back|im|seit|jahr|en|depuis|desde|año|nel|dal|em|в|с) {_YEAR}(?![\d-]|[.,]\d)"
    rf"|(?P<cjk>(?:19|20)\d\d)(?:年|년)",
    re.I,
)
_AGO = re.compile(
    r"(?<![\w.])(?P<count>\d{1,2}|a|an|one|two|three|four|five|six|seven|eight|nine|ten|twenty) (?P<unit>year|decade)s? (?:ago|back|earlier)\b",
    re.I,
)
_COUNTS = {w: i for i, w in enumerate(str.split("zero one two three four five six seven eight nine ten"))} | {
    "a": 1,
    "an": 1,
    "twenty": 20,
}
_SEEN_CHARS = 20_000
_LATEST_SHORT_YEAR = 39


def named_dates(text: str, *, said_on: str | None = None) -> list[str]:
    """Return the dates that a text names, ISO, as the last day that each may mean."""
    text, dates = text[:_SEEN_CHARS], []
    for found in _ISO.finditer(text):
        dates.append(_last_day(int(found["year"]), int(found["month"]), found["day"]))
    for found in _NAMED.finditer(text):
        month = MONTHS.get(found["name"].lower())
        if month:
            dates.append(_last_day(int(found["year"]), month, found["day"] or found["day2"]))
    dates += [f"{found['year'] or found['cjk']}-12-31" for found in _YEAR_ALONE.finditer(text)]
    dates += [_short_year(found["short"], said_on) for found in _SHORT_YEAR.finditer(text)]
    if said_on:
        for found in _AGO.finditer(text):
            count = found["count"].lower()
            years = (int(count) if count.isdigit() else _COUNTS[count]) * (
                10 if found["unit"].lower() == "decade" else 1
            )
            dates.append(f"{max(1, int(said_on[:4]) - years):04d}{said_on[4:10]}")
    return dates


_SHORT_YEAR = re.compile(r"(?<!\w)['’‘](?P<short>\d\d)(?![\w'’])")


def _short_year(short: str, said_on: str | None) -> str:
    """Return the last day of '09 and the like: the year that lies not after the day on which it was said."""
    latest = int(said_on[2:4]) if said_on else _LATEST_SHORT_YEAR
    return f"{2000 + int(short) if int(short) <= latest else 1900 + int(short)}-12-31"


def _last_day(year: int, month: int, day: str | None) -> str:
    return f"{year:04d}-{month:02d}-{int(day) if day else 31:02d}"


def breaks_time(text: str, rule: Rule, *, said_on: str | None, is_doubted: bool) -> bool:
    """Whether a text was said, or tells of what was, in the time that a rule shuts out.

    `is_doubted`: what to answer where no date is known; without other content, an undated text counts as said now.
    """
    dates = named_dates(text, said_on=said_on)
    if said_on:
        dates.append(said_on[:10])
    if not dates:
        return is_doubted
    return any(_is_shut_out(day, rule) for day in dates)


def _is_shut_out(day: str, rule: Rule) -> bool:
    return (rule.before is None or day < rule.before) and (rule.after is None or day >= rule.after)


def parse_day(year: str, month: str | None = None, day: str | None = None) -> str | None:
    """Return an ISO date from a year, and a month (number or name) and day where given; None for no such day."""
    number = 1 if month is None else int(month) if month.isdigit() else MONTHS.get(month.lower().rstrip("."), 0)
    try:
        return date(int(year), number, int(day or 1)).isoformat()
    except ValueError:
        return None
