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
# A number alone that may be a year, and is no price, no count and no part of a longer number.
_BARE_YEAR = re.compile(
    r"(?<![\w.,:€$£#/+-])(?P<year>19[3-9]\d|20[0-4]\d)(?![\w,:/-]|\.\d|\s?[%€$£]| ?(?:km|k|m|kg|g|grams?|kilos?|lit(?:re|er)s?|euros?|dollars?|pounds?|people|steps|calories|kcal|words|pieces|px|mah|points|met(?:re|er)s|miles|"
    r"rpm|watts?|[mg]b|hp|ml|cc|copies|pages|votes|units|bricks|stitches|seats|students|members|rows|lines|hours|minutes|days)\b)",
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
_NUMERIC = re.compile(rf"(?<![\d./])(?:[0-3]?\d[./])?(?P<month>0?[1-9]|1[0-2])[./]{_YEAR}(?![\d/])")
_DECADE_NAMES = ("fifties", "sixties", "seventies", "eighties", "nineties", "noughties")
_DECADE = re.compile(rf"\bthe (?:(?:early|mid|late)[ -])?(?P<name>{'|'.join(_DECADE_NAMES)})\b", re.I)
_TWO_K = re.compile(r"(?<!\w)2k(?P<short>[012]\d)(?!\w)", re.I)
# What everybody can date: the last day that the words may mean.
_EVENTS = {
    "2020-01-31": r"brexit day", "2016-06-23": r"brexit (?:vote|referendum)|(?:the|before|since|after|until) brexit",
    "2021-12-31": r"lock ?downs?|confinement|confinamiento|(?:the )?(?:corona|covid)(?: (?:pandemic|times|years|time|zeit|wave|summer|winter))?|pandemic|pand(?:é|e)mie|pandemia|pandemie|quarantine",
    "2021-07-11": r"(?:italy|england) (?:won|lost) (?:at|the|in) (?:wembley|euros?|final)|wembley final", "2018-07-15": r"world cup in russia", "2022-12-18": r"world cup in qatar",
    "2014-07-13": r"world cup in brazil|sommer 2014", "2010-07-11": r"world cup in south africa|vuvuzelas?", "2006-07-09": r"world cup in germany|sommerm(?:ä|a)rchen",
    "2021-08-08": r"tokyo (?:olympics|games)|olympics in tokyo", "2016-08-21": r"rio (?:olympics|games)|olympics in rio", "2012-08-12": r"london (?:olympics|games)|olympics in london",
    "2008-12-31": r"beijing (?:olympics|games)|financial crisis|lehman|credit crunch", "2004-12-26": r"athens olympics|boxing day tsunami", "2000-10-01": r"sydney olympics",
    "2001-09-11": r"9/11|nine[- ]eleven|twin towers|(?:when )?the towers (?:fell|came down)", "2000-01-01": r"y2k|millennium (?:eve|night|bug)|turn of the (?:millennium|century)",
    "1989-11-09": r"(?:the )?(?:berlin )?wall (?:fell|came down)|fall of the (?:berlin )?wall|mauerfall|wende", "1969-07-20": r"moon landing", "1986-04-26": r"ch(?:e|o)rnobyl|tschernobyl",
    "1997-08-31": r"(?:princess )?diana (?:died|s funeral)|diana's funeral", "2022-09-19": r"(?:the )?queen(?: elizabeth)? (?:died|passed)|queen's funeral", "2022-02-24": r"(?:the )?invasion of ukraine",
    "2011-03-11": r"fukushima", "2016-07-31": r"pok(?:é|e)mon go (?:came|summer|craze)", "2017-01-20": r"obama (?:was (?:president|elected|in office)|years|won)", "1990-11-28": r"thatcher (?:was|years)",
    "2021-12-08": r"merkel was", "2002-01-01": r"euro (?:notes|coins) (?:came|were introduced)|the d-?mark|lire|pesetas|francs",
}  # fmt: skip
_EVENT_FORMS = tuple((day, re.compile(rf"(?<!\w)(?:{form})(?!\w)", re.I)) for day, form in _EVENTS.items())
# A look for plain letters is much faster than for forms: most texts hold none of these.
_EVENT_LETTERS = tuple(
    str.split(
        "brexit lock confin pand quarant corona covid wembley euro cup sommer vuvu olympic games crisis lehman crunch tsunami 11 eleven tower y2k millen century wall mauer wende moon "
        "ernobyl diana queen ukraine fukush mon obama thatcher merkel mark lire peset franc"
    )
)
_PAST_LETTERS = tuple(
    str.split(
        "kid child little small young boy girl toddler teen school kindergarten youth twenties ago back days kind früher fruher petit enfan jeune niñ nin peque joven cuando bambin piccol ragazz quando"
    )
)
# Before all dates that a rule may name: an adult's childhood, and what was long ago.
_LONG_AGO = re.compile(
    r"\b(?:(?:when|since|as) (?:i was )?(?:a |an |in )?(?:kid|child|little|small|young|boy|girl|toddler|teenager|teen|schoolboy|schoolgirl|primary school|kindergarten)|my (?:childhood|youth|school days|teens|teenage years)"
    r"|in my (?:twenties|teens|youth)|(?:years|decades|ages) ago|back in the day|in those days|als (?:ich )?(?:ein )?kind|fr(?:ü|u)her|in meiner kindheit|quand j'(?:é|e)tais (?:petite?|enfant|jeune)|mon enfance"
    r"|de (?:ni(?:ñ|n)o|ni(?:ñ|n)a|peque(?:ñ|n)[oa]|joven)|cuando era|da (?:bambin[oa]|piccol[oa]|ragazz[oa])|quando (?:ero|era) (?:piccol[oa]|pequen[oa]|crian(?:ç|c)a|bambin[oa]))\b",
    re.I,
)
_LONG_AGO_DAY = "1900-01-01"
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
    dates += [f"{found['year']}-12-31" for found in _BARE_YEAR.finditer(text)]
    dates += [f"{year}-12-31" for year in spelled_years(text)]
    dates += [_last_day(int(found["year"]), int(found["month"]), None) for found in _NUMERIC.finditer(text)]
    dates += [f"{1959 + 10 * _DECADE_NAMES.index(m['name'].lower())}-12-31" for m in _DECADE.finditer(text)]
    dates += [f"20{found['short']}-12-31" for found in _TWO_K.finditer(text)]
    dates += [_short_year(found["short"], said_on) for found in _SHORT_YEAR.finditer(text)]
    lowered = text.lower()
    if any(map(lowered.__contains__, _EVENT_LETTERS)):
        dates += [day for day, form in _EVENT_FORMS if form.search(text)]
    if any(map(lowered.__contains__, _PAST_LETTERS)) and _LONG_AGO.search(text) and not _AGO.search(text):
        dates.append(_LONG_AGO_DAY)
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


_SPELLED_YEAR = re.compile(
    r"\b(?P<century>nineteen|twenty|two thousand(?: and)?)[ -](?:(?P<zero>oh|o|hundred)[ -]?(?P<one>[a-z]+)?|(?P<tens>[a-z]+)(?:[ -](?P<unit>[a-z]+))?)\b",
    re.I,
)
_UNITS = {w: i for i, w in enumerate(str.split("one two three four five six seven eight nine"), start=1)}
_TEENS = {
    w: i
    for i, w in enumerate(
        str.split("ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"), start=10
    )
}
_TENS = {w: 10 * i for i, w in enumerate(str.split("twenty thirty forty fifty sixty seventy eighty ninety"), start=2)}


def spelled_years(text: str) -> list[str]:
    """Return the years that are written in words: twenty-nineteen, nineteen ninety-four, twenty oh six."""
    return [year for found in _SPELLED_YEAR.finditer(text.lower()) if (year := _read_year(found))]


def _read_year(found: re.Match[str]) -> str | None:
    tens, unit = found["tens"], found["unit"]
    if found["century"].startswith("two") and tens in _UNITS:
        return f"200{_UNITS[tens]}"
    if found["zero"]:
        part = _UNITS.get(found["one"] or "")
    elif tens in _TEENS:
        part = _TEENS[tens]
    else:
        # `twenty twenty` is a year; `twenty four` is a number.
        part = _TENS[tens] + _UNITS.get(unit or "", 0) if tens in _TENS else None
    return None if part is None else f"{19 if found['century'] == 'nineteen' else 20}{part:02}"


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
