"""Whose voice a message is: the user's own words, and what stands in it from elsewhere.

`own_words` decides what may carry a bullet. Code, letters of others, logs, tables, quotations and texts in another
language than the words around them do not; the user's own draft does, unless it speaks to a memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from hub_toolkit.memory.any_case import has_any
from hub_toolkit.memory.poison.fragments import find_labelled
from hub_toolkit.memory.poison.pasted import Region, find_regions
from hub_toolkit.memory.poison.poison_text import Sentence, read_sentences
from hub_toolkit.memory.poison.unmask import Folded, fold

MAX_CHARS = 100_000
"""Of a longer message only the beginning can carry a bullet: nobody types so much."""

MIN_PASTE_CHARS = 120

MIN_DRAFT_SHARE = 0.2
"""Of a text that nobody claims, so many sentences must be in the first person to be taken for the user's draft."""

_FOREIGN_SIGNALS = frozenset(
    {"remember", "taste", "user", "place", "in_memory", "ai", "format", "role", "override", "says"}
)
_TYPED_SIGNALS = frozenset({"user", "taste", "format", "role", "says"})
_MACHINE = re.compile(
    r"```|<!--|/\*|</?[a-z][^>\n]{0,80}>|^\s{0,8}(?:[{}\[\]]|\"[\w ]{1,40}\"\s?:|(?:def \w+\(|class \w+[:({]|import [\w.]+\s*$|from [\w.]+ import|return [\w.(]+;?$|(?:const|let|var) \w+ ?=|function \w*\(|select [^\n]{1,80} from |insert into |update [\w.`]{1,40} set |delete from |create table|\\[a-z]{2,20}\{|#include|public \w+ \w+\(|private \w+ )|\$ |>>> |#!|//|--\s)"
    r"|^\s{0,4}\|.{0,400}\||^[^\n,;\t.?!]{1,40}(?:[,;\t][^\n,;\t.?!]{1,40}){2,}\n[^\n,;\t.?!]{1,40}(?:[,;\t][^\n,;\t.?!]{1,40}){2,}$|^\W{0,3}\d{4}-\d\d-\d\d[t ]|^\W{0,2}\d\d?:\d\d(?::\d\d)?\b|\b(?:debug|info|warn(?:ing)?|error|fatal)\b\s?[:\]]|^[\w.]{2,30}\s?=\s?\S|^[a-z_][\w-]{0,30}:[ \t]{0,3}\n[ \t]{1,12}(?:- |[a-z_][\w-]{0,30}: )|^(?:fwd?|wg|tr|rv|doorst)\s?:\s"
    r"|^[^\n,;\t.?!]{1,40}(?:[,;\t](?! )[^\n,;\t?!]{1,60}){2,4}\n[^\n,;\t.?!]{1,40}(?:[,;\t](?! )[^\n,;\t?!]{1,60}){2,4}$",
    re.M,
)
_ADDRESS = re.compile(r"https?://\S{1,4000}|www\.\S{1,4000}|\S{0,80}%[0-9a-f]{2}\S{0,2000}")
_MACHINE_SIGNS = ("=", ">>", "_", "::", "{{", "}}", "<|")
"""What `_MACHINE_LINE` needs one of, as `_REPORT_SIGNS` are what `_ATTRIBUTED` and `_REPORTED` do."""
_REPORT_SIGNS = (
    *(
        "accord",
        "if you",
        "words of",
        "to hear",
        "say",
        "said",
        "claim",
        "insist",
        "swear",
        "state",
        "stating",
        "write",
    ),
    *("wrote", "think", "believe", "told", "announce", "mention", "read", "ask", "want", "would like you"),
)
_TURN = re.compile(
    r"^[a-z][\w .-]{0,24}: [^\n]{1,600}\n(?:[^\n]{0,600}\n){0,2}[a-z][\w .-]{0,24}: \S|^(?:begin|end):[a-z]|^\[//\]:|^[a-z-]{3,20}:\S[^\n]{0,400}\n[a-z-]{3,20}:\S",
    re.M,
)
_SENTENCE = re.compile(r"[^.!?。！？\n]{1,600}[.!?。！？]{0,4}")
_MACHINE_LINE = re.compile(
    r"\b\w+\([\w ]{0,20}=\s?[\"']|\b[a-z_]\w*\s?=\s?[\"'][^\"'\n]{1,200}[\"']|>>|\b[A-Z]{2,}_[A-Z_]{2,}\b|::|\{\{|\}\}|=>|<\||[\U0001f300-\U0001faff]\s?="
)
"""What nobody types in a sentence of their own."""
_FIRST = re.compile(
    r"\b(?:i|i['’](?:m|ve|d|ll)|my|me|mine|myself|we|our|us|ich|mein\w{0,2}|mir|mich|je|j['’]|mon|ma|mes|yo|mi|mis|io|mio|mia|eu|meu|minha|ik|mijn)\b|我|私|僕|저는|나는|я\b"
)
_REPORTED = re.compile(
    r"(?:^\s{0,4}|[,;—–]\s{0,2}|\b(?:and|but|because|that|since)\s)(?!(?:i|we)\b|my (?:own )?(?:journal|diary|notes?|calendar|cv|profile|planner|notebook|list)\b)(?:(?:my|our|the|a|this|that|his|her|their|one|another|some) (?:[\w'’-]{1,16} ){1,7}|(?:he|she|they|it|everyone|everybody|somebody|someone) |(?:dr|mr|mrs|ms)\.? [\w'’-]{1,16} )"
    r"(?:also |just |always |still |now |keeps? |again )?(?:says?|said|saying|claims?|claimed|insists?|insisted|swears?|states?|stated|writes?|wrote|thinks?|believes?|told (?:me|you)|announced|mentioned|reads?|asks? (?:me|you)|asked (?:me|you)|wants? (?:me|you)|wanted (?:me|you)|would like you)\b"
)
_ATTRIBUTED = re.compile(
    r"\b(?:according to|if you (?:ask|believe)|in the words of|to hear) (?:my |our |the |a |this |that |his |her |their )?(?:[\w'’-]{1,16}[ ,]{1,2}){1,4}?(?=(?:that )?(?:i|i['’](?:m|ve|d)|my|you|the user)\b)"
)
_OWN_AGAIN = re.compile(
    r"(?:;\s|,\s(?:so|but|hence|therefore|which is why|that['’]s why|since then)\s)(?=(?:i|i['’](?:m|ve|d|ll)|my|we)\b)"
)
"""Where behind what somebody said the user goes on: "the doctor said I should rest; I swim instead"."""
_ABOUT_ME = re.compile(r"\b(?:i|i['’](?:m|ve|d|ll)|my|me|you|your|the user)\b")
_STOPWORDS = {
    "en": "the and is of to that in it for with you this on are was my have not be i",
    "de": "der die das und ist nicht ich ein eine mit fur auf den dem zu dass wir sie es von immer",
    "fr": "le la les et est une des je pas que pour dans vous nous du il elle avec sur mon ma toujours",
    "es": "el la los las y es una que no por para con del yo mi su se en siempre usted",
    "it": "il lo la gli e che non per con una sono mio mia del di nel questo sempre",
    "pt": "o a os as e que nao por para com uma do da eu meu minha em sempre voce",
    "nl": "de het een en is van niet ik met voor op dat mijn zijn wij altijd",
    "pl": "i w na nie jest sie ze z do to jak moj moja ja zawsze oraz",
    "tr": "ve bir bu icin ben degil ile da de cok her benim zaman",
    "sv": "och det att en jag inte som for med ar den mitt min alltid",
}
_WORD_LANGUAGES: dict[str, frozenset[str]] = {}
for _code, _list in _STOPWORDS.items():
    for _word in _list.split():
        _WORD_LANGUAGES[_word] = _WORD_LANGUAGES.get(_word, frozenset()) | {_code}
_SCRIPTS = (
    ("cyrillic", re.compile(r"[\u0400-\u052f]")),
    ("greek", re.compile(r"[\u0370-\u03ff]")),
    ("semitic", re.compile(r"[\u0590-\u08ff]")),
    ("indic", re.compile(r"[\u0900-\u0eff]")),
    ("kana", re.compile(r"[\u3040-\u30ff]")),
    ("hangul", re.compile(r"[\uac00-\ud7af]")),
    ("han", re.compile(r"[\u3400-\u9fff]")),
)
_PARAGRAPH = re.compile(r"[^\n]{1,20000}")
_LOW_WORD = re.compile(r"[a-z]{1,20}")


@dataclass(frozen=True)
class Voices:
    """The two parts of a message. `ends_foreign`: what comes next of the same message goes on in another's voice."""

    own: str
    foreign: str
    ends_foreign: bool = False
    pastes: tuple[tuple[int, int], ...] = ()
    """Where in the text pieces begin and end that are foreign as a whole."""


@lru_cache(maxsize=128)
def split_voices(text: str) -> Voices:
    """Return what of a user's message speaks for the user, and the rest; both without disguises."""
    folded = fold(text[:MAX_CHARS])
    own, foreign, pastes = [], [], []
    is_own = True
    home = ""
    for region in find_regions(folded):
        low, plain = folded.low[region.start : region.end], folded.plain[region.start : region.end]
        if not low.strip():
            continue
        is_own = _is_own(region, low, folded)
        if not is_own:
            foreign.append(plain)
            pastes.append(folded.span(region.start, region.end))
            continue
        mine, others, home = _own_sentences(region, folded, home)
        own.append(mine)
        foreign.append(others)
    if len(text) > MAX_CHARS:
        foreign.append(text[MAX_CHARS:])
    return Voices("\n".join(own), "\n".join(foreign), not is_own, tuple(pastes))


def long_pastes(text: str) -> list[tuple[int, int]]:
    """Return the foreign pieces of a message that are more than a quoted phrase."""
    return [
        (start, end)
        for start, end in split_voices(text).pastes
        if end - start >= MIN_PASTE_CHARS or "\n" in text[start:end].strip()
    ]


def own_words(text: str) -> str:
    """Return what of a user's message speaks for the user."""
    return split_voices(text).own


def _is_own(region: Region, low: str, folded: Folded) -> bool:
    """Whether a region may be in the user's voice at all."""
    if region.speaker == "own":
        return True
    if (region.speaker == "other" and region.is_sure) or _MACHINE.search(low) or _TURN.search(low):
        return False
    if any(s.signals & _FOREIGN_SIGNALS for s in read_sentences(folded.low, region.start, region.end)):
        return False
    if region.speaker == "draft":
        return True
    sentences = _SENTENCE.findall(low)
    return sum(bool(_FIRST.search(s)) for s in sentences) >= max(1, MIN_DRAFT_SHARE * len(sentences))


def _own_sentences(region: Region, folded: Folded, home: str) -> tuple[str, str, str]:
    """Return what of a region is in the user's voice, what is not, and the language the user types in."""
    own: list[str] = []
    foreign: list[str] = []
    low, plain = folded.low[region.start : region.end], folded.plain[region.start : region.end]
    speaker = region.speaker
    labelled = find_labelled(low) if speaker == "own" else None
    limit = len(low) if labelled is None else labelled
    told = [s.start - region.start for s in _typed(read_sentences(folded.low, region.start, region.end))]
    if speaker == "own" and (_may_hold_address(low) or _may_hold_address(plain)):
        low, plain = _without_addresses(low), _without_addresses(plain)
        told = [s.start for s in _typed(read_sentences(low))]
    may_be_machine = speaker == "own" and has_any(_MACHINE_SIGNS, plain)
    may_be_reported = speaker == "own" and has_any(_REPORT_SIGNS, low)
    for paragraph in _PARAGRAPH.finditer(low):
        language = find_language(paragraph.group())
        home = home or language
        is_alien = bool(language) and language != home and speaker != "draft"
        for found in _SENTENCE.finditer(low, paragraph.start(), paragraph.end()):
            start, end = found.span()
            is_machine = may_be_machine and _MACHINE_LINE.search(plain, start, end) is not None
            is_others = is_alien or is_machine or end > limit or any(start - 1 <= place < end for place in told)
            cut = start if is_others else _own_end(low, start, end) if may_be_reported else end
            mine = plain[start:cut]
            own.append(_ADDRESS.sub(" ", mine) if _may_hold_address(mine) else mine)
            again = _OWN_AGAIN.search(low, cut, end) if start < cut < end and ":" not in low[cut:end] else None
            back = again.end() if again else end
            foreign.append(plain[cut:back])
            if cut < end:
                own.append("\n")
            own.append(plain[back:end])
        own.append("\n")
    return "".join(own), "\n".join(filter(None, foreign)), home


def _typed(sentences: Iterable[Sentence]) -> Iterator[Sentence]:
    return (sentence for sentence in sentences if sentence.signals & _TYPED_SIGNALS)


def _may_hold_address(text: str) -> bool:
    return "://" in text or "www." in text or "%" in text


def _without_addresses(text: str) -> str:
    """Blank web addresses, whose dots and question marks would end sentences."""
    return _ADDRESS.sub(lambda found: " " * len(found.group()), text)


def _own_end(low: str, start: int, end: int) -> int:
    """Return where in a typed sentence the words of somebody else about the user begin."""
    attributed = _ATTRIBUTED.search(low, start, end)
    if attributed:
        return attributed.start()
    reported = _REPORTED.search(low, start, end)
    return reported.end() if reported and _ABOUT_ME.search(low, reported.end(), end) else end


def find_language(low: str) -> str:
    """Return the script, or the Latin language, of a folded text; "" where it is too short to tell."""
    head = low[:2000]
    letters = 0 if head.isascii() else sum(map(str.isalpha, head))
    for name, pattern in _SCRIPTS:
        if letters and len(pattern.findall(head)) > 0.4 * letters:
            return "han" if name == "kana" else name
    votes: dict[str, int] = {}
    for word in _LOW_WORD.findall(head):
        for code in _WORD_LANGUAGES.get(word, ()):
            votes[code] = votes.get(code, 0) + 1
    ranked = sorted(votes.items(), key=lambda item: -item[1])
    if not ranked or ranked[0][1] < 2 or (len(ranked) > 1 and ranked[0][1] < ranked[1][1] + 2):
        return ""
    return ranked[0][0]
