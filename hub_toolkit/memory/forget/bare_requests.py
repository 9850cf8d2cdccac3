"""Requests to forget so short that only a memory which holds the thing tells them from other talk."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from hub_toolkit.data.history import Chunk
from hub_toolkit.memory.document import Bullet
from hub_toolkit.memory.forget.forget_requests import ForgetRequest, find_request, own_part, strip_frame
from hub_toolkit.memory.forget.tombstones import concerns, make_salt, seal
from hub_toolkit.memory.forget.wishes import parse_wish

MAX_CHARS = 120
MAX_WORDS = 8
"""Of the thing: what is named in more words is told, not pointed at."""

_SOFT = r"(?:(?:please|pls|plz|bitte|por favor|per favore|ok(?:ay)?|oh|and|so|actually|also|sorry|hey|can you|could you|just)[\s,]{1,3}){0,3}"
_AWAY = r"(?:forget|unlearn|unremember|erase|wipe|delete|remove|drop|scrap|scrub|purge|lose|bin)"
_AFTER = r"(?:forget|erase|wipe|delete|remove|drop|scrap|scrub|bin|lose)(?: (?:it|that|this|him|her|them|all of it))?"
_PLACE = r"(?:in here|in there|around here|anywhere|in (?:your|the) (?:memory|mem|notes|head)|in mem(?:ory)?|on file|on record)"
_END = r"(?:[\s,]{0,3}(?:please|pls|plz|thanks|thank you|again|any ?more|bitte|s'il te plaît|stp|por favor|per favore)){0,3}[\s.!]{0,4}$"
_THING = r"(?P<thing>[^.!?;:\n]{2,90}?)"
_ENGLISH = (
    rf"{_AWAY}(?: about)? {_THING}(?: (?:out|away|from (?:your |the )?(?:memory|mem|notes)))?",
    rf"take {_THING} out(?: of (?:your|the) (?:memory|notes|head))?",
    rf"(?P<thing2>[^.!?;:\n]{{2,90}}?)\s{{0,2}}[,:;–—-]{{1,2}}\s{{0,2}}(?:please |pls |you can |just ){{0,2}}{_AFTER}",
    rf"no (?:more )?{_THING} (?:(?:notes?|stuff|mentions?|memories|entries|facts?)(?: {_PLACE})?|{_PLACE})(?:[\s,]{{1,3}}(?:please )?{_AFTER})?",
    rf"no (?:more )?(?:notes?|mentions?|memor(?:y|ies)) (?:about|of|on) {_THING}(?:[\s,]{{1,3}}(?:please )?{_AFTER})?",
    rf"(?:never|do not|don't|dont) (?:ever )?(?:mention|bring up|talk about|refer to) {_THING} (?:again|any ?more)(?:[\s,]{{1,3}}{_AFTER})?",
    rf"(?:do not|don't|dont|never) keep (?:in mind|a note|notes?) (?:of |on |about )?(?:that )?{_THING}",
    rf"i (?:do not|don't|dont|no longer) want {_THING} {_PLACE}(?: any ?more)?",
    rf"i take (?:it|that|this) back about {_THING}(?:[\s,]{{1,3}}(?:please )?{_AFTER})?",
)
_FOREIGN = (
    rf"(?:vergiss|vergessen sie|lösch(?:e|en sie)?)(?: bitte)?(?: das mit)? {_THING}",
    rf"(?:nichts|nix|kein wort) mehr (?:von|über|zu) {_THING}(?:[\s,]{{1,3}}(?:bitte )?vergiss (?:es|sie|ihn|das))?",
    rf"(?:oublie[zs]?|efface[zs]?) {_THING}",
    rf"(?:olvida|borra|olvídate de) {_THING}",
    rf"(?:dimentica(?:ti di)?|scorda(?:ti di)?|cancella) {_THING}(?: d(?:ai|alla|a) (?:tuoi|tua)? ?(?:ricordi|memoria))?",
    rf"(?:esque[çc][ae](?:-te de)?|apaga|apague) {_THING}",
)
_BARE = tuple(re.compile(rf"\s*{_SOFT}{pattern}{_END}", re.I) for pattern in (*_ENGLISH, *_FOREIGN))
_NO_THING = re.compile(
    r"^(?:it|that|this|them|him|her|those|these|about it|that one|all|everything|nothing|me|you)$|"
    r"\b(?:draft|letter|e-?mail|message|paragraph|sentence|line|word|words|title|section|bullet|text|essay|reply|post|caption|column|row|cell|file|folder|"
    r"app|account|comma|typo|heading|list|table|slide|version|step|idea|recipe|plan|question|first one|last one|instead|for now|background|layer|image|photo|code|function|if|when)\b",
    re.I,
)


_OWN = re.compile(r"(?:that )?(?:i|we)\b", re.I)
_FOR_NOW = re.compile(r"\b(?:for now|for (?:a|one|the) (?:second|moment|minute|while)|if|when|instead)\b", re.I)


@lru_cache(maxsize=256)
def find_bare_request(text: str) -> ForgetRequest | None:
    """Return what a short message may want forgotten ("the chess thing, forget it"), None where it wants nothing.

    It is a request only where the memory, or what was said before, holds the thing: the caller looks.
    """
    text = own_part(text.strip().replace("’", "'"))
    if len(text) > MAX_CHARS or _FOR_NOW.search(text) or "\n" in text:
        return None
    for pattern in _BARE:
        if (found := pattern.fullmatch(text)) is None:
            continue
        groups = found.groupdict()
        thing = strip_frame(next(value for name in ("thing", "thing2") if (value := groups.get(name))))
        if (_NO_THING.search(thing) and not _OWN.match(thing)) or len(thing.split()) > MAX_WORDS:
            continue
        wish = parse_wish(thing)
        if wish.strong or wish.weak:
            return ForgetRequest(wish, thing)
    return None


def request_at(bullets: Sequence[Bullet], chunk: Chunk, place: int) -> ForgetRequest | None:
    """Return the request of a message; a bare one counts where a bullet or an earlier message is about its thing."""
    request = find_request(chunk.messages[place].text)
    if request is not None:
        return request
    bare = find_bare_request(chunk.messages[place].text)
    if bare is None:
        return None
    named = seal(bare.wish, salt=make_salt([bare.clause]))
    said = (m.text for m in chunk.messages[:place] if m.role == "user")
    return bare if any(concerns(text, named) for text in (*(b.text for b in bullets), *said)) else None
