"""What a bullet is about, whom, how it came, and how well it is founded: told by its words and sources alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from hub_toolkit.data.terms import content_stems
from hub_toolkit.memory.any_case import AnyCase
from hub_toolkit.memory.document import Bullet, Origin, Owner
from hub_toolkit.types import Message

MAX_CHARS = 2000
"""As much of a text is looked at."""

BASE_CONFIDENCE = 0.3
PERSONAL_CONFIDENCE = 0.3
REPEAT_CONFIDENCE = 0.1
MAX_REPEATS = 2
RECENCY_STEPS = ((200, 0.1), (1000, 0.05))
"""Messages read since the bullet was last seen, at most, and what that adds."""

UNSUPPORTED_CONFIDENCE = 0.1
VERBATIM_SHARE = 0.6
"""A text of which this share of content words stands in a span is taken as said."""

_KIN = (
    r"(?:friend|girlfriend|boyfriend|sister|brother|cousin|colleague|coworker|neighbou?r|boss|manager|mother|mum|mom|father|dad|aunt|uncle|"
    r"grandmother|grandfather|grandma|grandpa|gran|flatmate|roommate|landlord|partner|wife|husband|son|daughter|kid|child|teammate|coach|client|customer|"
    r"nephew|niece|lodger|sister-in-law|brother-in-law|mother-in-law|father-in-law)"
)
_OTHERS = AnyCase(
    rf"^\W{{0,3}}(?:(?:also|and|but|so|because|since|well|actually),? )?(?:(?:the )?user(?:'s|’s)|my|our|his|her|their|an?|one of (?:my|the user(?:'s|’s)))"
    rf" (?:[\w-]{{1,20}} ){{0,2}}{_KIN}s?(?:'s|’s)?\b(?! and (?:I|me|the user)\b)",
)
_SELF = re.compile(r"\b(?:I|I[’'](?:m|ve|d|ll)|me|mine|myself|we|We|us|ourselves)\b|\b(?:[Uu]ser|USER)\b(?![’']s)")
_FIRST_PERSON = re.compile(
    r"\b(?:I|I[’'](?:m|ve|d|ll)|[Mm]y|me|[Mm]ine|myself|[Ww]e|[Ww]e[’'](?:re|ve|ll|d)|[Oo]ur|us)\b"
)
_TASK = AnyCase(
    r"^\W{0,3}(?:(?:also|now|and|then|please|ok|okay),? )?(?:give|make|help|show|tell|draft|write|rewrite|translate|explain|compare|list|suggest|recommend|"
    r"polish|shorten|tighten|what|which|how|where|when|who|why|is|are|does|do|can|could|would|should)\b|\?\s*$",
)

_KIND_WORDS: tuple[tuple[str, str], ...] = (
    (
        "sensitive",
        r"relig\w*|church|mosque|synagogue|temple|pray\w*|muslim|christian|jewish|hindu|buddhist|atheist|politic\w*|vote[ds]?|voting|election|gay|lesbian|bisexual|"
        r"queer|transgender|nonbinary|debts?|salary|mortgage|bankrupt\w*|arrested|convicted|immigration|visa|asylum|union member\w*|ethnic\w*",
    ),
    (
        "health",
        r"health|doctor|gp|clinic|hospital|surgery|operation|diagnos\w*|symptoms?|pain\w*|ache[sd]?|migraines?|asthma|allerg\w*|diabet\w*|insulin|medicat\w*|"
        r"medicine|tablets?|pills?|dose|therap\w*|counsell\w*|anxi\w*|depress\w*|panic|insomnia|injur\w*|physio\w*|knee|blood|pregnan\w*|vegan|coeliac|celiac|"
        r"gluten|lactose|illness|disease|chronic|recover\w*|rehab|arthritis|epileps\w*|adhd|autis\w*|eczema|inhaler|vaccin\w*",
    ),
    (
        "relationship",
        r"wife|husband|girlfriend|boyfriend|partner|fianc[eé]e?|married|marriage|divorc\w*|wedding|engaged|dating|sister|brother|mother|mum|mom|father|dad|"
        r"parents|son|daughter|kids|children|grandmother|grandfather|grandma|grandpa|niece|nephew|cousin|in-laws|best friend|godson|goddaughter",
    ),
    (
        "plan",
        r"plan(?:s|ned|ning)?|going to|will|want to|hope to|hoping to|intend\w*|booked|signed up|next (?:week|month|year|spring|summer|autumn|winter|fall)|tomorrow|"
        r"by (?:january|february|march|april|may|june|july|august|september|october|november|december)|upcoming|deadline|saving (?:up )?for|looking forward",
    ),
    (
        "work",
        r"job|boss|manager|colleagues?|coworkers?|office|clients?|customers?|shifts?|promot\w*|career|salary|interview|employ\w*|team|meeting|project|company|"
        r"freelanc\w*|nurse|teacher|engineer|driver|developer|studio|workshop|at work|business|profession\w*|degree|thesis|university|exam",
    ),
    (
        "habit",
        r"always|usually|every|each (?:morning|evening|day|week|night)|daily|weekly|routine|habit\w*|tend to|twice a|once a|again|still|before work|after work|"
        r"(?:mondays|tuesdays|wednesdays|thursdays|fridays|saturdays|sundays|mornings|evenings|weekends)|keep(?:s|ing)?|kept|since|regularly|these days",
    ),
    (
        "preference",
        r"prefer\w*|like[sd]?|love[sd]?|loving|enjoy\w*|hate[sd]?|dislike\w*|can't stand|avoid\w*|favou?rites?|rather|drawn|fond|keen|fan of|instead of|"
        r"appreciat\w*|interested|crazy about|obsessed",
    ),
)
_KINDS = tuple((kind, AnyCase(rf"\b(?:{words})\b")) for kind, words in _KIND_WORDS)
_FIRM = {"sensitive": 2.0, "health": 1.5, "preference": 1.25}
"""Words of these kinds weigh more: `love` says more of what a bullet is than `again`."""


class _Traits(NamedTuple):
    kind: str
    owner: Owner
    is_personal: bool
    is_said: bool


def classify(
    bullet: Bullet, messages: Mapping[int, Message] | None = None, *, read_messages: int | None = None
) -> Bullet:
    """Return the bullet with kind, owner, origin, confidence, first and last seen.

    `messages` are those at hand, by index: a span that does not stand in its message founds nothing. `read_messages`
    says how far the memory has read, for recency. Confidence is a rank between 0 and 1, not a probability: it grows
    with a statement in the first person, with each further message that says it, and with how lately it was said.
    """
    sources = tuple(
        s for s in bullet.sources if messages is None or s.index not in messages or _stands(s.span, messages[s.index])
    )
    traits = _traits(bullet.text, tuple(source.span for source in sources))
    indices = sorted({source.index for source in sources})
    seen = [i for i in (bullet.first_seen, bullet.last_seen, *indices) if i is not None]
    bullet = replace(
        bullet,
        kind=traits.kind,
        owner=traits.owner,
        origin=_origin(bullet, traits, len(indices)),
        first_seen=min(seen, default=None),
        last_seen=max(seen, default=None),
    )
    return replace(bullet, confidence=_confidence(bullet, len(indices), traits.is_personal, read_messages))


def _stands(span: str, message: Message) -> bool:
    return " ".join(span.split()) in _in_one_line(message.text)


@lru_cache(maxsize=64)
def _in_one_line(text: str) -> str:
    return " ".join(text.split())


def _origin(bullet: Bullet, traits: _Traits, num_messages: int) -> Origin:
    if bullet.author == "user":
        return "said"
    if num_messages >= 2:
        return "repeated"
    return "said" if traits.is_said else "inferred"


def _confidence(bullet: Bullet, num_messages: int, is_personal: bool, read_messages: int | None) -> float:
    """Rank how well a bullet is founded: the user's own word 1, no source 0.1, else sums of fixed steps up to 0.9."""
    if bullet.author == "user":
        return 1.0
    if not num_messages:
        return UNSUPPORTED_CONFIDENCE
    score = BASE_CONFIDENCE + PERSONAL_CONFIDENCE * is_personal + REPEAT_CONFIDENCE * min(MAX_REPEATS, num_messages - 1)
    if read_messages is not None and bullet.last_seen is not None:
        age = max(0, read_messages - 1 - bullet.last_seen)
        score += next((bonus for limit, bonus in RECENCY_STEPS if age < limit), 0.0)
    return round(score, 4)


@lru_cache(maxsize=8192)
def _traits(text: str, spans: tuple[str, ...]) -> _Traits:
    text, spans = text[:MAX_CHARS], tuple(span[:MAX_CHARS] for span in spans)
    is_personal = any(_FIRST_PERSON.search(span) and not _TASK.search(span) for span in spans)
    stems = set(content_stems(text))
    is_verbatim = any(len(stems & set(content_stems(span))) >= VERBATIM_SHARE * len(stems) for span in spans)
    return _Traits(_kind_of(" ".join((text, *spans))), _owner_of(text, spans), is_personal, is_personal and is_verbatim)


def _owner_of(text: str, spans: tuple[str, ...]) -> Owner:
    """Return whom a bullet is about: another person where its text, or each of its spans, speaks of one alone."""
    if _is_about_other(text) or (spans and all(_is_about_other(span) for span in spans)):
        return "other"
    return "self"


def _is_about_other(text: str) -> bool:
    return bool(_OTHERS.search(text)) and not _SELF.search(text)


def _kind_of(text: str) -> str:
    """Return the kind of which most words stand in a text; the earlier of the list where several are equal."""
    scores = {kind: _FIRM.get(kind, 1.0) * sum(1 for _ in pattern.finditer(text)) for kind, pattern in _KINDS}
    best = max(scores, key=lambda kind: scores[kind])
    return best if scores[best] else "fact"


__all__ = ["classify"]
