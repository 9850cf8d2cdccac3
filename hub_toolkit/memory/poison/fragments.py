"""Instructions that are split over several messages, and put together."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hub_toolkit.memory.any_case import AnyCase
from hub_toolkit.memory.poison.poison_text import reads_as_order

MAX_FRAGMENTS = 4
"""How many user messages an instruction may be split over and still be put together."""

MAX_FRAGMENT_CHARS = 2000

_MARK = AnyCase(
    r"(?:^|[.!?]\s)\(\d\)\s|(?:^|[\n.!?]\s{0,3})[^\n:=]{0,60}?\b(?:(?:part|piece|fragment|chunk|segment|half|section|bit|line|teil|partie|parte|deel|часть)\s{0,2}#?(?:\d{1,2}|one|two|three|four|[abcd]\b|i{1,3}\b)?(?:\s{0,2}(?:/|of|von|de|sur|di|из)\s{0,2}(?:\d{1,2}|two|three|four))?|first half|second half|\[?\(?\d/\d\)?\]?|continued|continuing|continuation|fortsetzung|suite)[^\n:=]{0,40}[:=)\]\-–—]\s{0,3}"
    r"|(?:^|[.!?])[ \t]{0,4}(?:let |var |const |set |str |string )?[a-z_]\w{0,20}\s{0,2}(?::=|=|\+=|:)\s{0,2}(?=[\"'“‘`])|^\s{0,3}[\[(]?\d{1,2}\s?/\s?\d{1,2}[\])]?[:.]?\s{1,3}|^\s{0,2}(?:\.\.\.|…)\s{0,3}|(?:\.\.\.|…|-|—)\s{0,3}$",
    re.M,
)
_JOINING = AnyCase(
    r"\b(?:(?:in|into|several|two|three|four) (?:pieces|parts|messages|chunks)|to be continued|concatenate|put (?:\w+ )?together|stitch|rest of it|next (?:part|piece|bit|half)|(?:combine|join|merge|assemble|append) (?:them|the|these|all|both|it|this|[a-z]\b))\b",
)
_QUOTED = re.compile(r"[\"“‘'`«]([^\"”’'`»]{2,600})[\"”’'`»]")


_LABEL = re.compile(
    r"(?:^|[\n.!?;,])[\W_]{0,4}(?:[\w']{1,14} ){0,3}?(?:zeile|ligne|linea|línea|riga|linha|regel|line|row|across|down|verse|part|piece|fragment|chunk|segment|half|section|bit|teil|partie|parte|deel|часть)\s?#?(?:\d{1,2}|one|two|three|four|[a-d]\b|i{1,3}\b)?(?:\s?(?:/|of|von|de|sur|di|из)\s?(?:\d{1,2}|two|three|four))?[\])]?\s?(?::|=|-?>|→| [-–—] )\s?"
    r"|(?:^|[\n.!?])\s{0,3}[\[(]?\d\s?/\s?\d[\])]?[:.]?\s|(?:^|[.!?]\s)\(\d\)\s|(?:^|\n)\s{0,3}(?:continued|continuing|continuation|fortsetzung|suite|continuación)\b[^\n:]{0,20}:"
)
_TO_BE_ENDED = re.compile(
    r"\b(?:(?:the|this|your|my) user|memory|profile)\b|\b(?:remember|note|save|store|record|memori[sz]e|keep in mind)\b(?: \w+){0,2} (?:that|the|us|my|i|you|about|this|in|to|as)$"
)


@dataclass(frozen=True)
class Fragment:
    """What of a message may be a piece of an instruction: its words, and whether the message says so."""

    index: int
    text: str
    is_marked: bool


def find_labelled(low: str) -> int | None:
    """Return where behind a label such as "part 2:" a piece begins; None where none is labelled."""
    mark = _LABEL.search(low, 0, MAX_FRAGMENT_CHARS)
    return mark.end() if mark else None


def is_broken_off(text: str) -> bool:
    """Whether a message ends amid a sentence that speaks to a memory of its user."""
    tail = text[-300:].rstrip()
    last = re.split(r"[.!?\n]\s", tail)[-1]
    if not last or last[-1] in ".!?)]\"'”’»" or tail[-1:] in ".!?":
        return False
    return bool(_TO_BE_ENDED.search(last.lower()))


def read_fragment(text: str, index: int) -> Fragment:
    """Return what of a message may be a piece: what is quoted, or what stands behind a mark such as "part 2:"."""
    head = text[:MAX_FRAGMENT_CHARS]
    mark = _MARK.search(head)
    is_marked = bool(mark or _JOINING.search(head))
    quotes = _QUOTED.findall(head)
    if quotes and is_marked:
        return Fragment(index, "\x00".join(quotes), True)
    if mark and mark.end() < len(head.rstrip()):
        return Fragment(index, head[mark.end() :], True)
    tail = text[-MAX_FRAGMENT_CHARS:] if len(text) > MAX_FRAGMENT_CHARS else text
    return Fragment(index, tail.rstrip(" .…-—\n"), is_marked)


def joinable(earlier: list[Fragment], last: Fragment) -> list[list[Fragment]]:
    """Return the runs of messages that may belong together: those that say so, and the pieces of one long message."""
    marked = [f for f in (*earlier, last) if f.is_marked and f.text]
    runs = [marked[first:] for first in range(len(marked) - 1)] if last.is_marked else []
    if len(marked) >= 2 and not last.is_marked:
        runs.append([*marked, last])
    if earlier and earlier[-1].index == last.index:
        runs.append([earlier[-1], last])
    return runs


def becomes_order(pieces: list[Fragment]) -> bool:
    """Whether pieces say together what none says alone."""
    texts = [piece.text for piece in pieces]
    is_marked = all(piece.is_marked for piece in pieces)
    if not is_marked and any(reads_as_order(text.replace("\x00", " ")) for text in texts):
        return False
    stripped = [text.strip("\n \x00.…\"'") for text in texts]
    return any(
        reads_as_order(joint.join(part.replace("\x00", joint) for part in parts))
        for joint, parts in (("", texts), ("", stripped), (" ", stripped))
    )
