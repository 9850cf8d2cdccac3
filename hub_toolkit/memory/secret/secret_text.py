"""Secrets and contact data in a text: what is never stored unless its owner writes it by hand."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import phonenumbers
from stdnum import iban, isbn, luhn
from stdnum.br import cpf
from stdnum.es import dni, nie
from stdnum.fr import nir
from stdnum.gb import nhs
from stdnum.it import codicefiscale
from stdnum.mx import curp
from stdnum.us import ssn

from hub_toolkit.memory.any_case import AnyCase, has_any
from hub_toolkit.memory.rules.ciphers import decoded
from hub_toolkit.memory.rules.patterns import PLAIN_SIGNS, number_views
from hub_toolkit.memory.secret import secret_patterns as forms

PIECE_CHARS = 4_000
_OVERLAP_CHARS = 400
MAX_NUMBERS_CHECKED = 100
"""How many numbers of a piece are looked up; any further one in a text so full of numbers counts as a phone number."""
_REGIONS = ("US", "GB", "DE", "FR", "ES", "IT", "NL", "PL", "IN", "AU", "BR", "MX", "JP", "KR", "CN", "TR", "CH", "AT", "BE", "SE", "PT", "IE", "ZA", "NG", "SA", "AE", "RU", "ID", "PH", "PK")  # fmt: skip
_MAIN_REGIONS = ("US", "GB", "DE", "FR")
_CALL = AnyCase(
    r"\b(?:call|phone|telephone|tel|mobile|cell|ring|text|whatsapp|sms|fax|dial|reach|contact|number|handy|telefon\w{0,6}|anruf\w{0,4}|rufnummer|ruf|t(?:é|e)l(?:é|e)phone|appel\w{0,4}|"
    r"num(?:é|e)ro|m(?:ó|o)vil|tel(?:é|e)fono|ll(?:á|a)ma\w{0,4}|cellulare|chiama\w{0,3}|telefone|celular|liga\w{0,3}|bel|nummer|zadzwo\w{1,3}|numer|телефон\w{0,3}|номер|звони\w{0,3}|电话|手机|電話|携帯|전화|번호|هاتف|رقم|फोन|नंबर)\b",
)
_NO_PHONE = AnyCase(
    r"\b(?:isbn|issn|doi|page|pages|km|miles|population|score|won|votes|views|version|USD|EUR|GBP|dollars|euros|pounds|steps|calories|metres|meters)\b",
)
_DATE_LIKE = re.compile(
    r"^(?:(?:19|20)\d\d[ ./-]{1,3}(?:19|20)?\d\d(?:[ ./-]\d{1,2})?|\d{1,2}[./-]\d{1,2}[./-](?:19|20)\d\d)(?!\d)"
)


@dataclass(frozen=True)
class Span:
    """Where a secret stands. `kind`: key, password, card, iban, id, number, phone, email, handle, address, birth, url, ip."""

    kind: str
    start: int
    end: int


def has_secret(text: str) -> bool:
    """Whether a text holds a secret or contact data, openly or in a code."""
    return bool(secret_kinds(text))


def secret_kinds(text: str) -> frozenset[str]:
    """Return the kinds of secrets of a text, those in a code or in number words too."""
    return _kinds(text) if len(text) <= PIECE_CHARS else frozenset().union(*(_kinds(p) for _, p in _pieces(text)))


@lru_cache(maxsize=8192)
def _kinds(text: str) -> frozenset[str]:
    if not may_hold_secret(text):
        return frozenset()
    views = [*number_views(text), *(inner for view in decoded(text) for inner in number_views(view))]
    return frozenset(span.kind for view in views for span in find_secrets(view))


def find_secrets(text: str) -> list[Span]:
    """Return the secrets that stand openly in a text, in order, none over another."""
    if len(text) <= PIECE_CHARS:
        return list(_find(text))
    spans = [Span(s.kind, s.start + at, s.end + at) for at, piece in _pieces(text) for s in _find(piece)]
    return _apart(spans)


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    step = PIECE_CHARS - _OVERLAP_CHARS
    for start in range(0, max(1, len(text) - _OVERLAP_CHARS), step):
        yield start, text[start : start + PIECE_CHARS]


_DIGIT = re.compile(r"\d")
_LONG_CHUNK = re.compile(r"[A-Za-z0-9_+/=.~!-]{12}")
_PASSWORD_SIGNS = (
    "pass", "pwd", "kennwort", "contrase", "palabra", "senha", "parola", "wachtwoord", "haslo", "hasło", "парол", "密", "暗証", "パス", "비밀", "كلم", "पासवर्ड",
    "ifre", "wi-fi", "wifi", "key", "token", "answer", "question", "login", "maiden",
)  # fmt: skip
_PASSWORD_SIGN = AnyCase("|".join((*map(re.escape, _PASSWORD_SIGNS), "phrase")))
_ASCII_PASSWORD_SIGNS = tuple(sign for sign in (*_PASSWORD_SIGNS, "phrase") if sign.isascii())
_CODE_SIGNS = re.compile(
    r"[A-Za-z0-9+/_-]{12}|&[#a-z]|%[0-9A-Fa-f]{2}|\\[ux0-7]|[01]{8}|[.\-·−]{1,5}[ /|]{1,3}[.\-·−]{1,5}[ /|]|\b(?i:dot|alpha|bravo|zero|one|two)\b"
)


def may_hold_secret(text: str) -> bool:
    """Whether a text has anything of which secrets are made; cheap, and true more often than it holds one."""
    is_plain = text.isascii() or PLAIN_SIGNS.fullmatch(text)
    if not is_plain or "@" in text or "://" in text or _DIGIT.search(text) or _CODE_SIGNS.search(text):
        return True
    return _may_hold_password(text, 0) or "BEGIN" in text or " words" in text


@lru_cache(maxsize=8192)
def _find(text: str) -> tuple[Span, ...]:
    num_digits = len(_DIGIT.findall(text))
    spans = [
        Span(kind, m.start(), m.end())
        for kind, form, may_hold in _PLAIN
        if may_hold(text, num_digits)
        for m in form.finditer(text)
    ]
    if num_digits:
        spans += _find_numbers(text, num_digits)
    return tuple(_apart(spans)) if spans else ()


def _may_hold_key(text: str, num_digits: int) -> bool:
    if has_any(("BEGIN", "phrase", "word", "asic ", "earer "), text):
        return True
    return _LONG_CHUNK.search(text) is not None and (num_digits > 0 or has_any(("-", "_", "="), text))


def _may_hold_password(text: str, num_digits: int) -> bool:  # noqa: ARG001
    if text.isascii():
        return has_any(_ASCII_PASSWORD_SIGNS, text.lower())
    return _PASSWORD_SIGN.search(text) is not None


def _may_hold_email(text: str, num_digits: int) -> bool:  # noqa: ARG001
    if "@" in text:
        return True
    low = text.lower()
    return ("dot" in low and "at" in low) or has_any(("(at", "[at", "{at", "<at", "( at", "[ at"), low)


def _has_at(text: str, num_digits: int) -> bool:  # noqa: ARG001
    return "@" in text


def _has_link(text: str, num_digits: int) -> bool:  # noqa: ARG001
    return "://" in text


_STREET_SIGNS = (
    *("str.", "weg", "platz", "allee", "gasse", "ufer", "damm", "straat", "laan", "plein", "gracht", "kade", "gata"),
    *("strasse", "gade", "vej", "veien", "katu", "rue ", "enue ", "oulevard ", "place "),
    *("hemin ", "mpasse ", "quai ", "cours ", "alle", "c/", "avenida", "avda", "plaza", "paseo", "via", "piazza"),
    *("corso", "rua", "travessa", "av.", "ul.", "ulica", "ulicy", "al.", "cadde", "sokak", "box ", "postfach"),
    *("apartado", "bp ", "zip", "post", "plz", "cap"),
)
_ADDRESS_FORM = re.compile(r"\d[A-Za-z]?,? [A-Z0-9]|[A-Z],? \d{5}|\d[A-Z\d]? \d[A-Z]|\.\d{4}|ring\s")


def _may_hold_address(text: str, num_digits: int) -> bool:
    """Whether a text has what one of the forms of an address needs; those of other scripts are not gone through."""
    if not num_digits or not text.isascii():
        return num_digits > 0
    return _ADDRESS_FORM.search(text) is not None or has_any(_STREET_SIGNS, text.lower())


def _has_three_digits(text: str, num_digits: int) -> bool:  # noqa: ARG001
    return num_digits >= 3  # as many as the shortest match of these has


_PLAIN: tuple[tuple[str, re.Pattern[str] | AnyCase, Callable[[str, int], bool]], ...] = (
    ("key", forms.KEYS, _may_hold_key),
    ("url", forms.CREDENTIAL_URLS, _has_link),
    ("password", forms.PASSWORDS, _may_hold_password),
    ("email", forms.EMAILS, _may_hold_email),
    ("handle", forms.HANDLES, _has_at),
    ("address", forms.ADDRESSES, _may_hold_address),
    ("password", forms.PINS, _has_three_digits),
    ("birth", forms.BIRTH_DATES, _has_three_digits),
    ("ip", forms.IPS, _has_three_digits),
)


def _apart(spans: list[Span]) -> list[Span]:
    """Return spans in order; of two that overlap, the one that begins first and is longer."""
    kept: list[Span] = []
    for span in sorted(spans, key=lambda s: (s.start, -s.end)):
        if not kept or span.start >= kept[-1].end:
            kept.append(span)
        elif span.end > kept[-1].end:
            kept[-1] = Span(kept[-1].kind, kept[-1].start, span.end)
    return kept


def _find_numbers(text: str, num_digits: int) -> Iterator[Span]:
    yield from _find_labelled(text, num_digits)
    for number, m in enumerate(forms.DIGIT_GROUPS.finditer(text) if num_digits >= _MIN_GROUPED_DIGITS else ()):
        kind = "phone" if number >= MAX_NUMBERS_CHECKED else _number_kind(text, m)
        if kind:
            yield Span(kind, m.start(), m.end())
    for m in forms.LONG_NUMBERS.finditer(text) if num_digits >= _MIN_LONG_DIGITS else ():
        if not _is_isbn(text, m):
            yield Span("number", m.start(), m.end())
    for m in forms.TOKEN.finditer(text):
        if _is_random(m.group()):
            yield Span("key", m.start(), m.end())


# As many digits as a match of these takes.
_MIN_LABELLED_DIGITS, _MIN_CODE_DIGITS, _MIN_GROUPED_DIGITS, _MIN_LONG_DIGITS = 3, 4, 7, 9


def _find_labelled(text: str, num_digits: int) -> Iterator[Span]:
    for m in forms.LABELLED.finditer(text) if num_digits >= _MIN_LABELLED_DIGITS else ():
        if not re.fullmatch(r"(?:19|20)\d\d", m["value"]):
            yield Span("id", m.start("value"), m.end())
    for m in forms.LETTERED_IDS.finditer(text):
        if kind := _lettered_kind(m.group()):
            yield Span(kind, m.start(), m.end())
    for m in forms.CODES.finditer(text) if num_digits >= _MIN_CODE_DIGITS else ():
        if sum(c.isdigit() for c in m.group()) >= _MIN_CODE_DIGITS and not _is_isbn(text, m):
            yield Span("id", m.start(), m.end())


_LETTERED: tuple[tuple[str, Callable[[str], bool]], ...] = (
    ("iban", iban.is_valid),
    ("id", dni.is_valid),
    ("id", nie.is_valid),
    ("id", codicefiscale.is_valid),
    ("id", curp.is_valid),
)
_LETTERED_SIZES = frozenset((9, *range(15, 35)))
"""Letters and digits of what these say: 9 of a dni or nie, 16 of a codice fiscale, 18 of a curp, 15 to 34 of an iban."""
_NINO = re.compile(r"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d\d ?\d\d ?\d\d ?[A-D]", re.I)
_PAN = re.compile(r"[A-Z]{5}\d{4}[A-Z]")
_IBAN_FORM = re.compile(r"[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,8}(?: ?[A-Z0-9]{1,4})?")


def _lettered_kind(text: str) -> str | None:
    if _IBAN_FORM.fullmatch(text):
        return "iban"
    if _NINO.fullmatch(text) or _PAN.fullmatch(text):
        return "id"
    if sum(map(str.isalnum, text)) not in _LETTERED_SIZES or not any(map(str.isalpha, text)):
        return None
    return next((kind for kind, is_valid in _LETTERED if is_valid(text)), None)


def _is_isbn(text: str, m: re.Match[str]) -> bool:
    digits = "".join(c for c in m.group() if c.isdigit() or c in "Xx")
    return isbn.is_valid(digits) and (
        digits.startswith("97") or "isbn" in text[max(0, m.start() - 20) : m.start()].lower()
    )


_SEPARATED_ID = re.compile(r"\d{3}-\d{2}-\d{4}|\d{3}\.\d{3}\.\d{3}-\d{2}|\d{2}-\d{2}-\d{2} \d{8}")


def _number_kind(text: str, m: re.Match[str]) -> str | None:
    """Return what a group of digits is, None for an ordinary number."""
    group = m.group()
    digits = "".join(c for c in group if c.isdigit())
    around = text[max(0, m.start() - 60) : m.end() + 20]
    if _is_isbn(text, m) or _DATE_LIKE.match(group):
        return None
    if 13 <= len(digits) <= 19 and luhn.is_valid(digits):
        return "card"
    if _SEPARATED_ID.fullmatch(group) or any(v(group) for v in (ssn.is_valid, cpf.is_valid) if not group.isdigit()):
        return "id"
    if len(digits) >= 12 and " " in group and re.fullmatch(r"(?:\d{4}[ -]?){3,4}\d{0,7}", group):
        return "card"
    if (
        len(digits) in (10, 13, 15)
        and " " in group
        and (nhs.is_valid(digits) or (len(digits) == 15 and nir.is_valid(digits)))
    ):
        return "id"
    return _phone_kind(group, digits, around)


def _phone_kind(group: str, digits: str, around: str) -> str | None:
    if not 7 <= len(digits) <= 15:
        return "number" if len(digits) > 15 else None
    if group.startswith("+") or digits.startswith("00"):
        return (
            "phone"
            if _is_phone(group if group.startswith("+") else "+" + digits[2:], None) or len(digits) >= 9
            else None
        )
    is_called = bool(_CALL.search(around))
    if not is_called and (_NO_PHONE.search(around) or group.isdigit()):
        return None
    is_formed = group.startswith(("0", "(")) or bool(
        re.fullmatch(r"\d{3}[-. ]\d{3}[-. ]\d{4}|1[-. ]\d{3}[-. ]\d{3}[-. ]\d{4}|\d{3}-\d{4}", group)
    )
    if is_called and (is_formed or len(digits) >= 7):
        return "phone" if is_formed or any(_is_phone(group, r) for r in _REGIONS) else None
    return (
        "phone"
        if is_formed and len(digits) >= 9 and any(_is_phone(group, r) for r in _MAIN_REGIONS + _REGIONS)
        else None
    )


def _is_phone(text: str, region: str | None) -> bool:
    try:
        return phonenumbers.is_possible_number(
            number := phonenumbers.parse(text, region)
        ) and phonenumbers.is_valid_number(number)
    except phonenumbers.NumberParseException:
        return False


_MIN_ENTROPY = 3.5
_WORDS = re.compile(r"[A-Za-z]?[a-z]{4,}")


def _is_random(token: str) -> bool:
    """Whether a run of characters looks drawn by lot: all kinds of characters, no words, many different ones."""
    body = token.strip("=.!~-_")
    kinds = sum(map(bool, (re.search("[a-z]", body), re.search("[A-Z]", body), re.search("[0-9]", body))))
    if kinds < 3 or len(body) < 20 or sum(map(len, _WORDS.findall(body))) > 0.6 * len(body):
        return False
    return -sum(n / len(body) * math.log2(n / len(body)) for n in Counter(body).values()) >= _MIN_ENTROPY
