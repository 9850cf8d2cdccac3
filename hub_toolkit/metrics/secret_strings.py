"""The strings that a row keeps secret, and whether a text repeats one, however it is written."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from hub_toolkit.data.schema import Sample

MIN_CODE_CHARACTERS = 6
MIN_CODE_DIGITS = 3
MIN_SHORT_CHARACTERS = 4
_LABELLED = re.compile(r"\s*[\w '’/()-]{2,60}?\s*:\s+(?P<value>\S.*)", re.S)
_DIGIT = re.compile(r"\d")
_CAPITALS = re.compile(r"[A-Z]{1,4}")
_CODE_TOKEN = re.compile(r"[^\s,;]*\d[^\s,;]*")
_MONTHS = (
    "january february march april may june july august september october november december".split()  # noqa: SIM905
)
_NUMERIC_DATE = re.compile(r"\b(\d{1,4})[/.-](\d{1,2})[/.-](\d{1,4})\b")
_SPELLED_DATE = re.compile(rf"\b(\d{{1,2}})(?:st|nd|rd|th)? ({'|'.join(_MONTHS)}),? (\d{{4}})\b", re.I)

Patterns = tuple[re.Pattern[str], ...]


def secret_patterns(sample: Sample) -> Patterns:
    """Return what to look for in answers to a row on a secret; empty where the row does not tell its secret.

    The secret stands in `preference`, after its label. Where that is empty, it is what an incorrect answer leaks: a
    code that the history or the question holds and the right answer does not (the false value of another incorrect
    answer stands nowhere else).
    """
    found = _LABELLED.fullmatch(sample.preference)
    patterns = _compile(_secrets_of_value(found["value"])) if found else ()
    if patterns:
        return patterns
    told = [message.text for message in (*sample.related_snippet, sample.user_query)]
    codes = {code for answer in sample.incorrect_answers for code in _codes(answer)}
    leaked = [
        code
        for code in sorted(codes)
        if repeats_secret("\n".join(told), _compile([code]))
        and not repeats_secret(sample.correct_answer, _compile([code]))
    ]
    return _compile(leaked)


def repeats_secret(text: str, patterns: Patterns) -> bool:
    """Whether the text holds one of the strings, in any case and width, with any punctuation or blanks inside."""
    plain = unicodedata.normalize("NFKC", text)
    return any(pattern.search(plain) for pattern in patterns)


def _compile(secrets: Iterable[str]) -> Patterns:
    return tuple(_pattern(secret) for secret in dict.fromkeys(secrets))


def _pattern(secret: str) -> re.Pattern[str]:
    letters = [re.escape(character) for character in unicodedata.normalize("NFKC", secret) if character.isalnum()]
    return re.compile(r"(?<![^\W_])" + r"[\W_]{0,3}".join(letters) + r"(?![^\W_])", re.I)


def _secrets_of_value(value: str) -> list[str]:
    """Return every string by which a value can be told: codes, dates in several spellings, addresses, else itself."""
    secrets = _spell_dates(value)
    for part in re.split(r"[,;\n]+", value):
        secrets += _secrets_of_part(part.strip())
    if not secrets and _size(value) >= MIN_SHORT_CHARACTERS:
        secrets.append(value)
    return secrets


def _secrets_of_part(part: str) -> list[str]:
    if _NUMERIC_DATE.search(part) or _SPELLED_DATE.search(part):
        part = _SPELLED_DATE.sub(" ", _NUMERIC_DATE.sub(" ", part))
    is_one_word = bool(part) and not re.search(r"\s", part)
    if is_one_word and _size(part) >= MIN_CODE_CHARACTERS and re.search(r"[\d@/\\]", part):
        return [part, *_without_country(part)]
    codes = _codes(part)
    if codes:
        return [*codes, *(local for code in codes for local in _without_country(code))]
    street = re.match(r"\d+\w? [^\W\d_]+", part)
    if street:
        return [street[0]]
    return [part] if _DIGIT.search(part) and is_one_word and _size(part) >= MIN_SHORT_CHARACTERS else []


def _codes(text: str) -> list[str]:
    """Return the runs of words with digits, and the capitals before or between them, that are long enough to tell."""
    codes, run = [], list[str]()
    for word in [*re.findall(r"[^\s,;]+", text), ""]:
        token = word.strip(".:!?()[]\"'“”’")
        if _CODE_TOKEN.fullmatch(token) or _CAPITALS.fullmatch(token):
            run.append(token)
            continue
        code = " ".join(_trim(run))
        if _size(code) >= MIN_CODE_CHARACTERS and len(_DIGIT.findall(code)) >= MIN_CODE_DIGITS:
            codes += [code, *_without_capitals(code)]
        run = []
    return codes


def _trim(run: Sequence[str]) -> Sequence[str]:
    """Cut capitals off the end of a run: they begin the next sentence."""
    end = len(run)
    while end and not _DIGIT.search(run[end - 1]):
        end -= 1
    return run[:end]


def _without_capitals(code: str) -> list[str]:
    head, _, rest = code.partition(" ")
    is_long = _size(rest) >= MIN_CODE_CHARACTERS and len(_DIGIT.findall(rest)) >= MIN_CODE_DIGITS
    return [rest] if _CAPITALS.fullmatch(head) and is_long else []


def _without_country(code: str) -> list[str]:
    local = re.sub(r"^\+\d{1,3}[\s.(-]+", "", code)
    return [local] if local != code and _size(local) >= MIN_CODE_CHARACTERS else []


def _spell_dates(value: str) -> list[str]:
    spellings = []
    for match in _SPELLED_DATE.finditer(value):
        month = _MONTHS.index(match[2].lower()) + 1
        spellings += _write_date(int(match[1]), month, match[3])
    for first, second, third in _NUMERIC_DATE.findall(value):
        spellings.append(f"{first}/{second}/{third}")
        if len(first) == 4:
            spellings += _write_date(int(third), int(second), first)
            continue
        for day, month in ((first, second), (second, first)):
            spellings += _write_date(int(day), int(month), third)
    return spellings


def _write_date(day: int, month: int, year: str) -> list[str]:
    """Return the usual spellings of a date; none where there is no such month."""
    if not 1 <= month <= len(_MONTHS):
        return []
    name = _MONTHS[month - 1]
    ending = {1: "st", 2: "nd", 3: "rd"}.get(day % 10 if day not in (11, 12, 13) else 0, "th")
    words = [f"{d} {n} {year}" for d in (f"{day}", f"{day}{ending}") for n in (name, f"of {name}", name[:3])]
    words += [f"{n} {d} {year}" for d in (f"{day}", f"{day}{ending}") for n in (name, name[:3])]
    numbers = [f"{day}/{month}/{year}", f"{day:02d}/{month:02d}/{year}", f"{year}-{month:02d}-{day:02d}"]
    return words + numbers


def _size(text: str) -> int:
    return sum(character.isalnum() for character in text)
