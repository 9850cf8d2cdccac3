"""Words as the lexical parts of the toolkit compare them: lower case, stemmed, without the common ones."""

from __future__ import annotations

import re
import threading
import unicodedata
from functools import lru_cache

import snowballstemmer


def _mark_ranges() -> str:
    """Return the signs that stand on letters (Arabic, Hebrew and Indic vowels, accents), as a part of a regex class."""
    marks = {code for code in range(0x300, 0x1E00) if unicodedata.category(chr(code)).startswith("M")}
    firsts = sorted(code for code in marks if code - 1 not in marks)
    lasts = sorted(code for code in marks if code + 1 not in marks)
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in zip(firsts, lasts, strict=True))


_LETTER = rf"[^\W\d_][{_mark_ranges()}]*"
_WORD = re.compile(rf"(?:{_LETTER})+(?:['’](?:{_LETTER})+)?")
_ASCII_WORD = re.compile(r"[A-Za-z]++(?:'[A-Za-z]+)?")
"""Finds in ASCII what `_WORD` does, several times faster."""

# Scripts that set no space between words, or hang particles on them: compared by pairs (or threes) of letters.
_PAIRED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7af\U00020000-\U0003ffff"
_THREES = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
_UNSPACED = re.compile(f"[{_PAIRED}{_THREES}]")
_RUN = re.compile(rf"(?P<paired>[{_PAIRED}]+)|(?P<threes>[{_THREES}]+)|[^{_PAIRED}{_THREES}]+")
_CJK_COMMON_LETTERS = frozenset("我你您他她它们的了是这那吗呢吧")
_CJK_COMMON_WORDS = """
です ます した して する ない いる ある から まで こと もの ので たい 私は 私の 好き 喜欢 喜歡 저는 나는
"""
_MAX_WORD_CHARS = 64
"""A longer run of letters is no word; as much of it is compared."""
_COMMON_WORDS = """
a about above across actually after again against ago all almost alone along already also although always am among an and
another any anybody anyone anything anyway are around as ask asked asking at away back bad be became because become been
before began begin behind being below best better between big bit both bring brought but by call called came can cannot
come comes coming could couple day days did didn't different do does doesn't doing don't done down during each early
easy either else end enough even evening ever every everybody everyone everything exactly far feel feels felt few find
fine first five for found four from full gave get gets getting give given gives go goes going gone good got great had half
hand happy hard has have haven't having he he's head hello help her here hers herself hi high him himself his hold home
hour hours house how however i i'd i'll i'm i've idea if in instead into is isn't it it's its itself just keep keeps kept
kind knew know known last late later least leave left less let like likely line little long look looking looks lot made
make makes making man many may maybe me mean means might mind minute minutes moment monday month months more morning most
much must my myself name near nearly need needs never new next nice night no nobody not nothing now number of off often
oh ok okay old on once one ones only onto or other others our ours out over own part past people perhaps person piece place
plan please point possible pretty properly put question quick quite rather read ready real really reason right room round
said same saturday saw say says second see seem seems seen send sent set several shall she she's short should show side
simple since six small so some somebody someone something sometimes soon sorry sort start started stay still stop straight
such sunday sure take taken takes talk tell ten than thank thanks that that's the their theirs them themselves then there
there's these they they're thing things think this those though thought three through thursday till time times to today
together told tomorrow tonight too took top tried try trying tuesday turn turned twenty two under until up upon us use used
using usually very want wanted wants was wasn't way we we'd we'll we're we've wednesday week weekend weeks well went were
what what's whatever when where whether which while who whole whose why will with within without won't word words work
working would wouldn't write writing written wrote year years yes yesterday yet you you'd you'll you're you've your yours
yourself friday afternoon version text message email mail draft paragraph sentence letter note reply answer post caption
translate translation polish tighten shorten rewrite edit wording tone sound sounds smoother warmer clearer concise dear
regards cheers love best wishes kind many list lists shortlist practical advice tips tip ideas option options recommend recommendations
suggest suggestion suggestions compare comparison realistic specific useful prefer style overview guide checklist plain explain
decent solid thanks focus focused actual kinds type types sense main clean clear natural better best worth
"""


_STEMMED_SCRIPTS = (("\u0600", "\u06ff", "arabic"), ("\u0400", "\u04ff", "russian"), ("\u0370", "\u03ff", "greek"))


class _Stemmers(threading.local):
    """The stemmers of one thread: each holds the word that it works on, and two threads would spoil each other's."""

    def __init__(self) -> None:
        self.by_language: dict[str, snowballstemmer.stemmer] = {}


_stemmers = _Stemmers()


def stem_word(word: str, language: str = "english") -> str:
    """Return the stem of a word in lower case; nothing is kept."""
    known = _stemmers.by_language
    if language not in known:
        known[language] = snowballstemmer.stemmer(language)
    return str(known[language].stemWord(word))


@lru_cache(maxsize=1)
def _cjk_common() -> frozenset[str]:
    return frozenset(_CJK_COMMON_WORDS.split())


def _language(word: str) -> str:
    """Return the language whose endings a word is freed from, by its first letter's script."""
    if word[:1].isascii():
        return "english"
    return next((name for first, last, name in _STEMMED_SCRIPTS if first <= word[0] <= last), "english")


@lru_cache(maxsize=1)
def _common_stems() -> frozenset[str]:
    words = {piece for word in _COMMON_WORDS.split() for piece in (word, word.replace("'", "’"))}
    return frozenset(map(stem_word, words)) | frozenset(words)


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """Return the stem of one word, in lower case."""
    lowered = word.lower().replace("’", "'")
    return stem_word(lowered.removesuffix("'s"), _language(lowered))


def words(text: str) -> list[str]:
    """Return the words of a text in their order."""
    return (_ASCII_WORD if text.isascii() else _WORD).findall(text)


def content_stems(text: str) -> tuple[str, ...]:
    """Return the stems of the words that carry meaning, in their order, repetitions kept."""
    return _known_content_stems(text) if len(text) <= _MAX_KNOWN_CHARS else _content_stems(text)


_MAX_KNOWN_CHARS = 600
"""A sentence or a bullet is asked for again and again, a whole message is not."""


def _content_stems(text: str) -> tuple[str, ...]:
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    stems: list[str] = []
    for word in words(text):
        stems += _content_of(word) if len(word) <= _MAX_WORD_CHARS else _content_of_long(word)
    return tuple(stems)


_known_content_stems = lru_cache(maxsize=8192)(_content_stems)


def _content_of_word(word: str) -> tuple[str, ...]:
    if word.isascii() or not _is_unspaced(word):
        return _content_of_spaced(word)
    return tuple(part for run in _RUN.finditer(word) for part in _content_of_run(run))


_content_of = lru_cache(maxsize=65536)(_content_of_word)


def _content_of_long(word: str) -> tuple[str, ...]:
    """Return the stems of a run of letters longer than any word: an unspaced script, else its beginning."""
    return _content_of_word(word) if _is_unspaced(word) else _content_of(word[:_MAX_WORD_CHARS])


def _is_unspaced(word: str) -> bool:
    return bool(_UNSPACED.search(word))


def _content_of_spaced(word: str) -> tuple[str, ...]:
    common, found = _common_stems(), stem(word)
    return () if len(found) <= 2 or found in common or word.lower() in common else (found,)


def _content_of_run(run: re.Match[str]) -> tuple[str, ...]:
    """Return the pairs (or threes) of letters of one run of one script; a single letter stands for itself."""
    text = run.group()
    if run.lastgroup is None:
        return _content_of_spaced(text[:_MAX_WORD_CHARS])
    size = 2 if run.lastgroup == "paired" else 3
    parts = [text[i : i + size] for i in range(max(1, len(text) - size + 1))]
    common = _cjk_common()
    return tuple(part for part in parts if part not in common and not _CJK_COMMON_LETTERS.intersection(part))
