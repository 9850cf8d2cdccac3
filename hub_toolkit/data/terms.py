"""Words as the lexical parts of the toolkit compare them: lower case, stemmed, without the common ones."""

from __future__ import annotations

import re
from functools import lru_cache

import snowballstemmer

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
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


@lru_cache(maxsize=1)
def _stemmer() -> snowballstemmer.stemmer:
    return snowballstemmer.stemmer("english")


@lru_cache(maxsize=1)
def _common_stems() -> frozenset[str]:
    words = {piece for word in _COMMON_WORDS.split() for piece in (word, word.replace("'", "’"))}
    return frozenset(_stemmer().stemWord(word) for word in words) | frozenset(words)


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """Return the stem of one word, in lower case."""
    lowered = word.lower().replace("’", "'")
    return str(_stemmer().stemWord(lowered.removesuffix("'s")))


def words(text: str) -> list[str]:
    """Return the words of a text in their order."""
    return _WORD.findall(text)


@lru_cache(maxsize=8192)
def content_stems(text: str) -> tuple[str, ...]:
    """Return the stems of the words that carry meaning, in their order, repetitions kept."""
    common = _common_stems()
    return tuple(
        s for word in words(text) if len(s := stem(word)) > 2 and s not in common and word.lower() not in common
    )
