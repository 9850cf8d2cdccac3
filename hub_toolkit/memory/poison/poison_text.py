"""Instructions in a text that are not the words of the user who sent it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from hub_toolkit.memory.forget.forget_requests import find_request
from hub_toolkit.memory.poison import poison_words as words
from hub_toolkit.memory.poison.pasted import Region, Speaker, find_regions
from hub_toolkit.memory.poison.unmask import Folded, Layer, encoded_layers, fold, hidden_layers, same_length_layers
from hub_toolkit.types import Role

Signal = Literal[
    "user", "taste", "place", "in_memory", "remember", "store", "that", "you", "first", "standing", "act", "to_assistant",
    "drop", "target", "override", "ai", "role", "format", "says",
]  # fmt: skip
Signals = frozenset[str]

SENTENCE_CHARS = 500
WHOLE_REGION_CHARS = 4000
"""A longer region keeps the paragraphs in which nothing speaks to a memory."""

_SENTENCE = re.compile(
    rf"[^\n.!?。！？।؟]{{1,{SENTENCE_CHARS}}}[.!?。！？।؟]{{0,8}}|[.!?。！？।؟]{{1,{SENTENCE_CHARS}}}"
)
_PATTERNS: tuple[tuple[Signal, re.Pattern[str]], ...] = (
    ("user", words.ABOUT_USER),
    ("taste", words.TASTE_OF_USER),
    ("place", words.MEMORY_PLACE),
    ("in_memory", words.IN_MEMORY),
    ("remember", words.REMEMBER),
    ("store", words.STORE),
    ("that", words.THAT_CLAIM),
    ("you", words.YOU_CLAIM),
    ("first", words.FIRST_PERSON),
    ("standing", words.STANDING),
    ("act", words.ASSISTANT_ACT),
    ("to_assistant", words.TO_ASSISTANT),
    ("drop", words.DROP),
    ("target", words.DROP_TARGET),
    ("override", words.OVERRIDE),
    ("ai", words.AI_READER),
    ("role", words.ROLE_TOKEN),
    ("format", words.MEMORY_FORMAT),
    ("says", words.SAYS_REMEMBER),
)
_ONLY_WITH_OTHERS = frozenset({"that", "first", "act", "store", "in_memory", "target", "standing", "to_assistant"})
_FIRST_PATTERNS = tuple(p for p in _PATTERNS if p[0] not in _ONLY_WITH_OTHERS or p[0] in ("standing", "store"))
_FURTHER_PATTERNS = tuple(p for p in _PATTERNS if p not in _FIRST_PATTERNS)
_LATIN_WORD = re.compile(r"[a-z]{2,24}|\ba(?=\.i\.)")
_AI_READERS = re.compile(
    r"\b(?:ai|a\.i\.) (?:assistants|systems|models|agents|readers|summari[sz]ers?)\b|\b(?:any|every|all|note to|notice to|message to|attention|if you are an?|if you['’]re an?|instructions? (?:for|to)(?: the| any)?) "
    r"(?:ai|llms?|language models?|assistants?|bots?|chatbots?|agents?)\b|\bhinweis an (?:die )?ki\b"
)
_OF_MEMORY = re.compile(
    r"memor[iy]|remember|\buser|system|instruct|\bnote|\bai\b|\(m\d|<|\[\d|profile|[\u0370-\u1fff\u3040-\ud7af]"
)
"""What an assistant writes matters only where it speaks of a memory; nothing else of it can carry a bullet anyway."""

_STRONG_FORGET = re.compile(
    r"\b(?:forget|erase|unlearn|do not remember|don['’]t remember|stop remembering|vergiss|oublie[rz]?|olvid[ae]|dimentica|esqueca|vergeet|zapomnij|unut)\b|забудь|忘记|忘掉|忘れて|잊어|انس |भूल जा|שכח"
)


_FORGET_IN_CODE = re.compile(r"(?:#|//|--|`|/\*)\s{0,3}(?:forget|unlearn|erase|wipe)\s(?!to\b|it\b)\w", re.I)


@dataclass(frozen=True)
class Span:
    """Characters `start` to `end` of a text; `reason` says what they look like."""

    start: int
    end: int
    reason: str


@dataclass(frozen=True)
class Sentence:
    """A sentence of a folded text that gives signals."""

    start: int
    end: int
    signals: Signals
    text: str


def read_sentences(low: str, start: int = 0, end: int | None = None) -> tuple[Sentence, ...]:
    """Return the sentences of a piece of folded text that give a signal."""
    return _read_sentences(low, start, len(low) if end is None else end)


@lru_cache(maxsize=128)
def _read_sentences(low: str, start: int, end: int) -> tuple[Sentence, ...]:
    if _may_tell(low[start:end]) is False:
        return ()
    sentences = []
    for found in _SENTENCE.finditer(low, start, end):
        text = found.group().strip()
        if len(text) < 3:
            continue
        signals = _signals(text)
        if signals - _ONLY_WITH_OTHERS or {"standing", "act"} <= signals or {"store", "in_memory"} <= signals:
            sentences.append(Sentence(found.start(), found.end(), signals, text))
    return tuple(sentences)


class _Telling(dict[str, int]):
    """By word: 4 where it tells alone, 1 and 2 for the halves of what tells together."""

    def __missing__(self, word: str) -> int:
        halves = bool(words.TELLS.match(word)) + 2 * bool(words.KEEPS.match(word))
        if len(self) >= _MAX_KNOWN_WORDS:
            self.clear()
        self[word] = found = 4 if words.TELLING_WORD.match(word) else halves
        return found


_MAX_KNOWN_WORDS = 32_768
_TELLING = _Telling()


def _may_tell(text: str) -> bool | None:
    """Whether a sentence has a word or a sign without which it gives no signal; None: only one of what is reported."""
    found = set(map(_TELLING.__getitem__, _LATIN_WORD.findall(text)))
    if 4 in found or words.TELLING_LETTERS.search(text):
        return True
    return None if 3 in found or {1, 2} <= found else False


def _signals(text: str) -> Signals:
    """Return a sentence's signals."""
    tells = _may_tell(text)
    if not tells:
        is_reported = tells is None and words.SAYS_REMEMBER.search(text)
        return frozenset({"says"}) if is_reported else frozenset()
    return _signals_of_telling(text)


@lru_cache(maxsize=1024)
def _signals_of_telling(text: str) -> Signals:
    """Return the signals of a sentence; those that mean nothing alone are looked for beside others only."""
    signals = {name for name, pattern in _FIRST_PATTERNS if pattern.search(text)}
    if not signals:
        return frozenset()
    signals |= {name for name, pattern in _FURTHER_PATTERNS if pattern.search(text)}
    if "user" in signals and words.FOREIGN_TASTE.search(text):
        signals.add("taste")
    return frozenset(signals)


def _is_memory_write(signals: Signals) -> bool:
    """Whether a sentence tells a memory what holds for its user."""
    writes = bool(signals & {"remember", "store"})
    return (
        "format" in signals
        or {"remember", "taste"} <= signals
        or (writes and bool(signals & {"place", "in_memory"}) and bool(signals & {"user", "taste"}))
    )


def _is_drop(sentence: Sentence) -> bool:
    signals = sentence.signals
    if "ai" in signals and _STRONG_FORGET.search(sentence.text):
        return True
    return {"drop", "target"} <= signals and bool(
        _STRONG_FORGET.search(sentence.text) or signals & {"place", "user", "taste", "ai"}
    )


def _commands(sentence: Sentence) -> bool:
    """Whether a sentence says what a memory or an assistant is to do or to believe."""
    signals = sentence.signals
    return bool(
        signals & {"remember", "taste", "place", "format", "says", "you"}
        or {"standing", "act"} <= signals
        or _is_drop(sentence)
        or ("store" in signals and signals & {"user", "in_memory"})
    )


def _reason_in_own_words(sentences: Sequence[Sentence], *, is_discussion: bool) -> str | None:
    """What the user typed themselves is theirs, unless it says that it is not."""
    union = frozenset().union(*(s.signals for s in sentences))
    commands = any(map(_commands, sentences))
    if any(_is_memory_write(s.signals) for s in sentences):
        return "memory_write"
    if "role" in union and commands and not is_discussion:
        return "fake_role"
    if any("says" in s.signals for s in sentences):
        return "third_party"
    if is_discussion:
        return None
    if any(_AI_READERS.search(s.text) for s in sentences) and commands:
        return "to_assistants"
    if any("override" in s.signals and _STRICT_OVERRIDE.search(s.text) for s in sentences) and commands:
        return "override"
    return None


_STRICT_OVERRIDE = re.compile(
    r"\b(?:ignore|disregard|override|bypass|forget)\b[^.!?\n]{0,40}\b(?:instructions?|prompts?|guardrails|directives?|guidelines)\b|\bsystem (?:override|update|notice)\b"
)


def _reason_in_paste(sentences: Sequence[Sentence], *, is_others: bool, is_discussion: bool) -> str | None:
    """What is pasted may speak of anything but to the memory."""
    own = _reason_in_own_words(sentences, is_discussion=is_discussion)
    if own or is_discussion:
        return own
    union = frozenset().union(*(s.signals for s in sentences))
    if any(_writes_in_paste(s.signals, is_others=is_others) for s in sentences):
        return "memory_write"
    if any(_is_drop(s) for s in sentences):
        return "forget_request"
    if any({"standing", "act"} <= s.signals and s.signals & {"to_assistant", "user"} for s in sentences):
        return "standing_order"
    if "ai" in union and any(_commands(s) or s.signals & {"store", "user"} for s in sentences):
        return "to_assistants"
    if "override" in union and any(_commands(s) or "ai" in s.signals for s in sentences):
        return "override"
    return None


def _writes_in_paste(signals: Signals, *, is_others: bool) -> bool:
    writes = bool(signals & {"remember", "store"})
    return (
        "taste" in signals
        or ("remember" in signals and {"user", "that"} <= signals)
        or (writes and "place" in signals)
        or (writes and "in_memory" in signals and bool(signals & {"user", "ai", "first", "you"}))
        or ("remember" in signals and "you" in signals)
        or ({"store", "that", "you"} <= signals and bool(signals & {"user", "standing"}))
        or (is_others and "remember" in signals and "first" in signals)
    )


def _reason_in_disguise(sentences: Sequence[Sentence]) -> str | None:
    """What is written so that people do not read it has no honest reason to speak to a memory."""
    for sentence in sentences:
        signals = sentence.signals
        if signals & {"taste", "place", "format", "override", "says", "you"} or {"standing", "act"} <= signals:
            return "instruction"
        if _is_drop(sentence) or ({"store", "user"} <= signals) or ("ai" in signals and signals & {"store", "first"}):
            return "instruction"
        if "remember" in signals and signals & {"that", "first", "user", "ai"}:
            return "instruction"
    return None


def reads_as_order(text: str) -> bool:
    """Whether a text, once decoded or put together, speaks to a memory."""
    return _reason_in_disguise(read_sentences(fold(text).low)) is not None


def _hidden_spans(text: str, folded: Folded) -> Iterator[Span]:
    for layer in hidden_layers(text):
        if sum(map(str.isalpha, layer.text)) >= 8 or reads_as_order(layer.text):
            yield Span(layer.start, layer.end, "hidden_text")
    for layer in encoded_layers(folded.plain):
        if reads_as_order(layer.text):
            yield Span(*folded.span(layer.start, layer.end), "encoded")
    for layer in same_length_layers(folded.low):
        yield from _moved_spans(layer, folded)


def _moved_spans(layer: Layer, folded: Folded) -> Iterator[Span]:
    """Yield the sentences that only this reading of the text has."""
    for sentence in read_sentences(layer.text):
        start, end = sentence.start, sentence.end
        if layer.kind == "backwards":
            start, end = len(layer.text) - end, len(layer.text) - start
        plain = folded.low[start:end]
        if plain == layer.text[sentence.start : sentence.end]:
            continue
        if sentence.signals - _signals(plain) and _reason_in_disguise([sentence]) and not reads_as_order(plain):
            yield Span(*folded.span(start, end), "encoded")


def find_instructions(text: str, role: Role = "user") -> list[Span]:
    """Return the spans of a message that instruct the memory without being the user's own words, in their order.

    A span never overlaps another; it covers the whole pasted piece that holds an instruction, since all of it is then
    another's. What the user asks for in their own words is never a span.
    """
    folded = fold(text)
    is_read = role == "user" or _OF_MEMORY.search(folded.low)
    spans = [Span(start, end, reason) for start, end, reason in _region_spans(folded, role)] if is_read else []
    return join_spans([*spans, *_hidden_spans(text, folded)])


def _region_spans(folded: Folded, role: Role) -> Iterator[tuple[int, int, str]]:
    regions = find_regions(folded) if role == "user" else (Region(0, len(folded.low), "draft"),)
    is_discussion = role == "user" and any(region.is_discussion for region in regions)
    for region in regions:
        sentences = read_sentences(folded.low, region.start, region.end)
        reason = _reason(sentences, region.speaker, is_discussion) if sentences else None
        if reason is None and region.speaker in ("pasted", "other") and not is_discussion:
            piece = folded.plain[region.start : region.end]
            reason = "forget_request" if find_request(piece) or _FORGET_IN_CODE.search(piece) else None
        if reason:
            for start, end in _held_pieces(folded.low, region, sentences):
                yield (*folded.span(start, end), reason)


def _reason(sentences: Sequence[Sentence], speaker: Speaker, is_discussion: bool) -> str | None:
    if speaker in ("own", "draft"):
        return _reason_in_own_words(sentences, is_discussion=is_discussion)
    return _reason_in_paste(sentences, is_others=speaker == "other", is_discussion=is_discussion)


def _held_pieces(low: str, region: Region, sentences: Sequence[Sentence]) -> list[tuple[int, int]]:
    """Return what to hold of a region: a paste whole; of own words from the first sign to the paragraph's end."""
    if region.speaker in ("pasted", "other") and region.end - region.start <= WHOLE_REGION_CHARS:
        return [(region.start, region.end)]
    if not sentences:
        return [(region.start, region.end)]
    pieces = []
    for sentence in sentences:
        start = sentence.start
        if region.speaker in ("pasted", "other"):
            start = max(low.rfind("\n", region.start, start) + 1, region.start)
        pieces.append((start, _paragraph_end(low, sentence.end, region.end)))
    return pieces


def _paragraph_end(low: str, place: int, limit: int) -> int:
    """Return the end of the paragraph, and of the next where this one ends on a colon."""
    end = low.find("\n\n", place, limit)
    if end < 0:
        return limit
    if low[max(0, end - 3) : end].rstrip().endswith(":"):
        after = low.find("\n\n", end + 2, limit)
        return limit if after < 0 else after
    return end


def join_spans(spans: Iterable[Span]) -> list[Span]:
    """Return spans in order, those that touch as one; the first reason stands."""
    joined: list[Span] = []
    for span in sorted(spans, key=lambda s: (s.start, -s.end)):
        if joined and span.start <= joined[-1].end:
            last = joined[-1]
            joined[-1] = Span(last.start, max(last.end, span.end), last.reason)
        elif span.end > span.start:
            joined.append(span)
    return joined
