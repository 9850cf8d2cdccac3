"""What must not be remembered: secrets, and what the user asked to forget."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from hub_toolkit.data.terms import content_stems

_SECRETS = (
    r"\b(?:\d[ -]?){12,19}\b",  # cards and account numbers
    r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,8}(?: ?[A-Z0-9]{1,4})?\b",  # IBAN
    r"\b\d{3}-\d{2}-\d{4}\b",  # US social security
    r"(?:\+|\b00)\d[\d ()./-]{7,}\d",  # phone, international
    r"\(?\b0?\d{2,5}\)?[ ./-]\d{3,4}[ ./-]?\d{3,4}\b",  # phone, national
    r"[\w.+-]+@[\w-]+\.[\w.-]+",  # e-mail
    r"\b(?=[A-Z0-9-]*\d)(?=[A-Z0-9-]*[A-Z])[A-Z0-9][A-Z0-9-]{6,}\b",  # identifiers such as D39284715029
    r"\b\d{6,}\b",  # any long number
    r"\b(?:sk|pk|ghp|hf|xox[bp]|AKIA)[-_][A-Za-z0-9_-]{8,}",  # keys
    r"\b(?:password|passwort|passcode|pin|cvv|api[ _-]?key|secret)\b\s*(?:is|:|=)\s*\S+",
    r"\b\d{1,5}[A-Za-z]? (?:[A-Z][\w'’.-]+ ){1,3}(?:Street|St|Road|Rd|Avenue|Ave|Lane|Ln|Drive|Dr|Court|Ct|Close|Terrace|Way|Place|Square|Boulevard|Blvd)\b",
    r"\b[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}\b",  # UK postcode
    r"\b(?:born|birth)\b[^.\n]{0,30}\d{1,4}",  # date of birth
    r"\b(?:passport|licen[cs]e|insurance|policy|account|record|patient|card|member(?:ship)?|national insurance|social security)\b[^.\n]{0,25}"
    r"(?:number|no\.?|#|nr\.?)[^.\n]{0,12}\d",
)
_SECRET = re.compile("|".join(f"(?:{pattern})" for pattern in _SECRETS))
_SECRET_LABEL = re.compile(_SECRETS[9] + "|" + _SECRETS[12] + "|" + _SECRETS[13], re.I)

_FORGET = re.compile(
    r"(?:^|[.!?:;,(—–\n-])[\s\"'“]*"
    r"(?:(?:please|kindly|also|and|but|so|then|now|just|ok(?:ay)?|one thing|though|actually|"
    r"(?:can|could|would|will) you|you (?:can|may|should)|i(?:'d| would)? (?:like|want) you to|i need you to)[\s,:]+){0,5}"
    r"(?:forget|do not remember|don't remember|don’t remember|stop remembering|do not keep|erase|"
    r"remove from (?:your )?memory|delete from (?:your )?memory|disregard)\b"
    r"(?P<what>[^\n]*)",
    re.I,
)
_FORGET_OBJECT = re.compile(r"^[\s,:]*(?:that|about|what|everything|anything|my|the fact|all|I)\b", re.I)
_FORGET_FILLER = re.compile(
    r"\bfrom (?:your|the) memory\b|\b(?:told|mentioned|said) (?:you|about)\b|\bremember(?:ed)?\b|\bmemory\b|\bfact\b"
    r"|\b(?:enjoys?|likes?|loves?|prefers?|appreciates?|interested|attends?|participates?|follows?|following|supports?)\b",
    re.I,
)


def has_secret(text: str) -> bool:
    """Whether a text holds a number, address, key or contact that is never stored."""
    return bool(_SECRET.search(text) or _SECRET_LABEL.search(text))


def forget_request(text: str) -> frozenset[str] | None:
    """Return the stems of what the user asks to forget, None where the text asks no such thing."""
    found = _FORGET.search(text)
    if not found or not _FORGET_OBJECT.search(found["what"]):
        return None
    tail = text[found.start("what") :]
    return frozenset(content_stems(_FORGET_FILLER.sub(" ", tail)))


@lru_cache(maxsize=65536)
def _hash_stem(stem: str) -> str:
    return hashlib.sha256(f"personamem:{stem}".encode()).hexdigest()[:16]


def hash_stems(stems: Iterable[str]) -> tuple[str, ...]:
    """Return stems so that they can be recognised but not read."""
    return tuple(sorted({_hash_stem(stem) for stem in stems}))


def concerns(text: str, hashes: Sequence[str]) -> bool:
    """Whether a text is about what was forgotten: two of its words, or the only one."""
    shared = len({_hash_stem(stem) for stem in content_stems(text)}.intersection(hashes))
    return shared >= min(2, len(hashes)) and shared > 0
