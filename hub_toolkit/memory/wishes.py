"""What somebody wants forgotten, as terms: those that name the thing, and those that only come with it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from hub_toolkit.data.terms import content_stems
from hub_toolkit.memory.inflections import LANGUAGES, foreign_terms, languages_of, root_of, stem_in
from hub_toolkit.memory.synonyms import fold, fold_stem, load_lexicon

_LIST = Path(__file__).with_name("wish_words.txt")
_CJK = "\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_EMOJI = "\U0001f300-\U0001faff\u2600-\u27bf"
_PIECE = re.compile(rf"[{_CJK}]{{1,64}}|[{_EMOJI}]|(?:(?![{_CJK}])[^\W_]){{1,64}}")
_MARKED_PIECE = re.compile(rf"{_PIECE.pattern}|[.,;:!?…()—–]|&")
_CJK_RUN = re.compile(rf"[{_CJK}]")
_SHORT_HYPHEN = re.compile(r"(?<![^\W_])([^\W\d_]{1,3})[-‐‑]([^\W\d_]{1,3})(?![^\W_])")
_MAX_CLAUSE_CHARS = 600
_FEW_TERMS = 2
_CJK_COMMON = frozenset("我你他她您喜欢歡爱愛喝吃玩看听聽去很是有的了在和也都不想要做会會")
_ALL_ABOUT = re.compile(
    r"\b(?:anything|everything|all|nothing)(?: else)? (?:about|on|to do with) (?:him|her|them|it)\b", re.I
)
"""After "my son's name": the son is meant, not the name alone."""


@dataclass(frozen=True)
class Wish:
    """The stemmed terms of a request.

    `strong` name the thing: one of them is enough to know it again. `weak` and `broad` need company.
    `words` are the strong ones as written, to know them misspelt.
    """

    strong: tuple[str, ...] = ()
    weak: tuple[str, ...] = ()
    broad: tuple[str, ...] = ()
    words: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.strong or self.weak or self.broad)


def split_pieces(text: str) -> list[str]:
    """Return words, emoji and pairs of characters of scripts without spaces, in their order."""
    return list(_split(_join_hyphens(text)))


def _join_hyphens(text: str) -> str:
    """Write "wi-fi" as one word: its parts alone say nothing."""
    return _SHORT_HYPHEN.sub(r"\1\2", text)


def _split(text: str) -> Iterator[str]:
    for piece in _PIECE.findall(text):
        if _CJK_RUN.match(piece) and len(piece) > 2:
            yield from (piece[i : i + 2] for i in range(len(piece) - 1))
        else:
            yield piece


def with_pairs(terms: Sequence[str]) -> list[str]:
    """Return the terms and the runs of two or three among them that the list of synonyms knows as one."""
    pairs = load_lexicon().pairs
    joined = [f"{a}_{b}" for a, b in pairwise(terms)]
    joined += [f"{pair}_{last}" for pair, last in zip(joined, terms[2:], strict=False)]
    return [*terms, *(pair for pair in joined if pair in pairs)]


def text_terms(pieces: Sequence[str]) -> list[str]:
    """Return every term under which a text may be known: stems, what words are derived from, forms of its language."""
    terms = with_pairs([fold_stem(piece) for piece in pieces])
    terms += [root for piece in set(pieces) if (root := _root(piece))]
    folded = [fold(piece) for piece in pieces]
    languages = languages_of(folded)
    return terms + foreign_terms(sorted(set(folded)), languages, load_lexicon().foreign) if languages else terms


@lru_cache(maxsize=65536)
def _root(piece: str) -> str:
    return root_of(fold(piece)) if is_content(piece) else ""


def wish_terms(piece: str, languages: Sequence[str]) -> list[str]:
    """Return the terms that one word of a request stands for; in any language where its own is not plain."""
    word, lexicon = fold(piece), load_lexicon()
    plain = fold_stem(piece)
    if languages or plain not in lexicon:
        tried = foreign_terms([word], languages or ("de",), lexicon.foreign)
        tried += [] if languages else [stem_in(language, word) for language in LANGUAGES]
        found = [term for term in tried if languages or term in lexicon]
    else:
        found = []
    return [plain, *found, *([_root(piece)] if _root(piece) else [])]


@lru_cache(maxsize=65536)
def is_content(piece: str) -> bool:
    """Whether a word can tell what a text is about."""
    if fold_stem(piece) in _words("filler"):
        return False
    return bool(content_stems(piece)) or not piece.isascii() or any(char.isdigit() for char in piece)


def is_broad(term: str) -> bool:
    """Whether a stemmed term is too common to name a thing alone."""
    return term in _words("broad")


def parse_wish(clause: str, *, tail: str = "") -> Wish:
    """Return the terms of what is to be forgotten: `clause` names it, `tail` goes on about it."""
    clause = _join_hyphens(_uncontrasted(clause[:_MAX_CLAUSE_CHARS]))
    pieces = [p for p in _split(clause) if is_content(p)]
    if not pieces:
        return _parse_plain(clause)
    pieces = [p for p in pieces if not (_CJK_RUN.match(p) and _CJK_COMMON.intersection(p))] or pieces
    strong = _strong_pieces(clause)
    terms = dict.fromkeys(with_pairs([fold_stem(p) for p in pieces]))
    names = {fold_stem(p) for p in strong} | {t for t in terms if "_" in t}
    languages = languages_of(map(fold, _split(clause)))
    inside_pairs = {part for t in terms if "_" in t for part in t.split("_")}
    if _ALL_ABOUT.search(clause):
        names |= {t for p in _split(clause) if is_broad(t := fold_stem(p)) and t in load_lexicon()}
    rest = [t for t in terms if t not in names]
    weak = [t for t in rest if not is_broad(t) and t not in inside_pairs]
    broad = [t for t in rest if is_broad(t)]
    if not names and len(weak) == 1 and len(broad) <= 1:
        names, weak = set(weak), []
    known = names | set(weak)
    later = [fold_stem(p) for p in split_pieces(tail[:_MAX_CLAUSE_CHARS]) if is_content(p)]
    weak += [t for t in dict.fromkeys(later) if not is_broad(t) and t not in known]
    words = tuple(dict.fromkeys(fold(p) for p in pieces if fold_stem(p) in names))
    forms = {form for p in pieces if fold_stem(p) in names for form in wish_terms(p, languages)}
    return Wish(tuple(sorted(names | forms)), tuple(weak), tuple(t for t in broad if t not in known), words)


def _parse_plain(clause: str) -> Wish:
    """Return the terms of a request in common words alone: "my name", "where I work"."""
    pieces = [p for p in _split(clause) if fold_stem(p) not in _words("filler")]
    terms = tuple(dict.fromkeys(fold_stem(p) for p in pieces))
    return Wish(broad=terms) if len(terms) <= _FEW_TERMS else Wish()


def _uncontrasted(clause: str) -> str:
    """Cut what the thing is preferred to."""
    found = _contrast().search(clause)
    return clause[: found.start()] if found and found.start() else clause


@lru_cache(maxsize=1)
def _contrast() -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(sorted(_words('contrast')))}|rather than|instead of|as opposed to)\b", re.I)


def _strong_pieces(clause: str) -> list[str]:
    """Return the words that name the thing: the last of each noun phrase up to the first preposition, and words
    of the list of synonyms in it; further on only names, and what is telling wherever it stands."""
    lexicon = load_lexicon()
    strong: list[str] = []
    phrase: list[str] = []
    is_first = True
    for piece in [*_MARKED_PIECE.findall(clause), "."]:
        if not _ends_phrase(piece, phrase):
            strong += [p for p in _split(piece) if is_content(p) and _counts(p, lexicon.telling)]
            phrase += [p for p in _split(piece) if is_content(p)]
            continue
        strong += _heads(phrase, is_first=is_first, follows_nothing=not strong)
        is_first = is_first and (not phrase or piece.casefold() in ("and", "or", "&", ",", "und", "et", "y", "e", "en"))
        phrase = []
    return strong


def _counts(piece: str, telling: frozenset[str]) -> bool:
    term = fold_stem(piece)
    return term in telling and not is_broad(term)


def _ends_phrase(piece: str, phrase: Sequence[str]) -> bool:
    if piece in ",":
        return bool(phrase) and phrase[-1][-1:] == "s" and not phrase[-1].endswith(("ss", "ous"))
    return (not piece[0].isalnum() and not is_content(piece)) or fold(piece) in _words("stop", is_stemmed=False)


def _heads(phrase: Sequence[str], *, is_first: bool, follows_nothing: bool) -> list[str]:
    lexicon = load_lexicon()
    fit = [p for p in phrase if not is_broad(fold_stem(p)) and not _CJK_RUN.match(p)]
    listed = [p for p in fit if fold_stem(p) in lexicon]
    if is_first:
        last = [p for p in phrase[-1:] if p in fit and not p.lower().endswith(("ed", "ly"))]
        # "trombone lessons": where the noun is common, what stands before it tells.
        return [*listed, *last] or [p for p in fit[-1:] if not p.lower().endswith(("ed", "ly"))]
    return [p for p in fit if p in listed or p[0].isupper()] if follows_nothing else []


@lru_cache(maxsize=8)
def _words(section: str, *, is_stemmed: bool = True) -> frozenset[str]:
    found: set[str] = set()
    current = ""
    for line in _LIST.read_text("utf-8").splitlines():
        if line.startswith("["):
            current = line.strip("[]")
        elif current == section and not line.startswith("#"):
            found.update(fold_stem(word) if is_stemmed else word for word in line.split())
    return frozenset(found)
