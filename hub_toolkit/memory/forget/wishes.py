"""What somebody wants forgotten, as terms: those that name the thing, and those that only come with it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from hub_toolkit.data.terms import content_stems
from hub_toolkit.memory.forget.compounds import find_compound, find_owned, is_head
from hub_toolkit.memory.forget.inflections import (
    LANGUAGES,
    acronyms_of,
    derived_forms,
    foreign_terms,
    languages_of,
    root_of,
    split_compound,
    stem_in,
    tail_terms,
)
from hub_toolkit.memory.forget.synonyms import fold, fold_stem, load_lexicon, read_section

_LIST = Path(__file__).with_name("wish_words.txt")
_CJK = "\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_EMOJI = "\U0001f300-\U0001faff\u2600-\u27bf"
_PIECE = re.compile(rf"[{_CJK}]{{1,64}}|[{_EMOJI}]|(?:(?![{_CJK}])[^\W_]){{1,64}}")
_MARKED_PIECE = re.compile(rf"{_PIECE.pattern}|[.,;:!?…()—–]|&")
_CJK_RUN = re.compile(rf"[{_CJK}]")
_SHORT_HYPHEN = re.compile(r"(?<![^\W_])([^\W\d_]{1,3})[-‐‑]([^\W\d_]{1,3})(?![^\W_])")
_FOR_A_LIVING = re.compile(r"\bfor a living\b", re.I)
_ACRONYM = re.compile(r"(?=[A-Za-z]{0,5}[A-Z][A-Za-z]{0,5}[A-Z])[A-Za-z]{3,6}")
_ACRONYM_PLURAL = re.compile(r"\b([A-Z]{2,6})s\b")
_MAX_CLAUSE_CHARS = 600
_FEW_TERMS = 2
_CJK_COMMON = frozenset("我你他她您喜欢歡爱愛喝吃玩看听聽去很是有的了在和也都不想要做会會")
_ALL_ABOUT = re.compile(
    r"\b(?:anything|everything|all|nothing)(?: else)? (?:about|on|to do with) (?:him|her|them|it)\b", re.I
)
"""After "my son's name": the son is meant, not the name alone."""
_ONLY_ONE = re.compile(
    r"\s*(?:(?i:my|our) )(?i:ex-?)?(?P<kin>(?i:wife|husband|boyfriend|girlfriend|partner|fianc[ée]e?|mother|father|mum|mom|dad|boss|landlord|landlady|therapist|ex)),? [A-Z]\w{1,20}\s*"
)
"""Of whom one has but one: "my wife" is "my wife Sarah"."""


@dataclass(frozen=True)
class Wish:
    """The stemmed terms of a request.

    `strong` name the thing: one of them is enough to know it again. `weak` and `broad` need company.
    `words` are the strong ones as written, to know them misspelt. `alone` are strong in that very word: no synonyms.
    `spelt`: a weak or broad term and its word as written, to know it misspelt. `is_owned`: of somebody or something that is another matter ("my cat's illness").
    """

    strong: tuple[str, ...] = ()
    weak: tuple[str, ...] = ()
    broad: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    alone: tuple[str, ...] = ()
    spelt: tuple[tuple[str, str], ...] = ()
    is_owned: bool = False

    def __bool__(self) -> bool:
        return bool(self.strong or self.weak or self.broad)


def split_pieces(text: str) -> list[str]:
    """Return words, emoji and pairs of characters of scripts without spaces, in their order."""
    return list(_split(_join_hyphens(text)))


def _join_hyphens(text: str) -> str:
    """Write "wi-fi" as one word and "BMWs" as "BMW"; "for a living" says nothing of where one lives."""
    text = _ACRONYM_PLURAL.sub(r"\1", text)
    return _FOR_A_LIVING.sub(" ", _SHORT_HYPHEN.sub(r"\1\2", text))


def _split(text: str) -> Iterator[str]:
    for piece in _PIECE.findall(text):
        if _CJK_RUN.match(piece) and len(piece) > 2:
            yield from (piece[i : i + 2] for i in range(len(piece) - 1))
        else:
            yield piece


def is_unspaced(piece: str) -> bool:
    """Whether a piece is of a script that sets no spaces between words."""
    return bool(_CJK_RUN.match(piece))


def with_pairs(terms: Sequence[str]) -> list[str]:
    """Return the terms and the runs of two or three among them that the list of synonyms knows as one."""
    pairs = load_lexicon().pairs
    joined = [f"{a}_{b}" for a, b in pairwise(terms)]
    joined += [f"{pair}_{last}" for pair, last in zip(joined, terms[2:], strict=False)]
    return [*terms, *(pair for pair in joined if pair in pairs)]


def text_terms(pieces: Sequence[str]) -> list[str]:
    """Return every term under which a text may be known: stems, what words are derived from, forms of its language."""
    terms = [term for piece in dict.fromkeys(pieces) for term in piece_terms(piece)]
    return terms + further_terms(pieces, [fold_stem(piece) for piece in pieces])


def piece_terms(piece: str) -> tuple[str, ...]:
    """Return the terms that one word brings by itself: its stem, and what it is derived from."""
    root = _root(piece)
    return (fold_stem(piece), root) if root else (fold_stem(piece),)


def further_terms(pieces: Sequence[str], stems: Sequence[str]) -> list[str]:
    """Return the terms that words bring together: those side by side, and their forms in the text's language."""
    pairs = with_pairs(stems)[len(stems) :]
    telling = [term for piece, term in zip(pieces, stems, strict=True) if is_content(piece)]
    if len(telling) < len(stems):  # "lost my job" is listed as lost_job
        pairs = list(dict.fromkeys((*pairs, *with_pairs(telling)[len(telling) :])))
    pairs += acronyms_of(pieces)
    folded = [fold(piece) for piece in pieces]
    languages = languages_of(folded)
    if not languages:
        return pairs
    written = sorted(set(folded))
    return pairs + foreign_terms(written, languages, load_lexicon().foreign) + tail_terms(written, languages)


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
        tried += [fold_stem(part) for part in split_compound(word, lexicon.foreign)] if languages else []
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
    if compound := _parse_compound(clause):
        return compound
    pieces = [p for p in _split(clause) if is_content(p)]
    pairs = [term for term in with_pairs([fold_stem(p) for p in _split(clause)]) if "_" in term]
    if not pieces and not pairs:
        return _parse_plain(clause)
    pieces = [p for p in pieces if not (_CJK_RUN.match(p) and _CJK_COMMON.intersection(p))] or pieces
    strong = _strong_pieces(clause)
    terms = dict.fromkeys(with_pairs([fold_stem(p) for p in pieces]))
    terms |= dict.fromkeys(pairs)
    names = {fold_stem(p) for p in strong} | {t for t in terms if "_" in t}
    languages = languages_of(map(fold, _split(clause)))
    inside_pairs = {part for t in terms if "_" in t for part in t.split("_")}
    if _ALL_ABOUT.search(clause):
        names |= {t for p in _split(clause) if is_broad(t := fold_stem(p)) and t in load_lexicon()}
    if only_one := _ONLY_ONE.fullmatch(clause):
        names.add(fold_stem(only_one["kin"]))
    rest = [t for t in terms if t not in names]
    weak = [t for t in rest if not is_broad(t) and t not in inside_pairs]
    broad = [t for t in rest if is_broad(t)]
    if not names and len(weak) == 1 and len(broad) <= 1:
        names, weak = set(weak), []
    known = names | set(weak)
    later = [fold_stem(p) for p in split_pieces(tail[:_MAX_CLAUSE_CHARS]) if is_content(p)]
    weak += [t for t in dict.fromkeys(later) if not is_broad(t) and t not in known]
    words = tuple(dict.fromkeys(fold(p) for p in pieces if fold_stem(p) in names))
    named = [p for p in pieces if fold_stem(p) in names]
    forms = {form for p in named for form in wish_terms(p, languages)}
    forms |= {fold_stem(a + b) for a, b in pairwise(_split(clause)) if a in pieces and b in pieces and b in named}
    derived = {fold_stem(form) for p in named for form in derived_forms(fold(p))}
    forms |= {form for form in derived if not is_broad(form) and form not in load_lexicon().known}
    forms |= {f"a:{p.casefold()}" for p in named if _ACRONYM.fullmatch(p)} | {f"c:{fold(p)}" for p in named}
    forms |= {form for term in acronyms_of(list(_split(clause))) for form in (term, term.removeprefix("a:"))}
    return Wish(tuple(sorted(names | forms)), tuple(weak), tuple(t for t in broad if t not in known), words)


def _parse_compound(clause: str) -> Wish | None:
    """Return the terms of "my chess club friend": of the head and what stands before it one each must come together."""
    if owned := find_owned(clause):
        owner, thing = fold_stem(owned[0]), owned[1]
        of_thing = parse_wish(thing)
        if of_thing.strong and is_head(thing):
            return Wish(weak=(fold_stem(thing),), broad=(owner,), is_owned=True)
        return (
            replace(of_thing, broad=tuple(dict.fromkeys((*of_thing.broad, owner))), is_owned=True) if of_thing else None
        )
    compound = find_compound(clause, is_content)
    if compound is None:
        return None
    named = {fold_stem(name) for name in compound.names}
    return Wish(
        strong=tuple(sorted(named)),
        weak=(fold_stem(compound.head),),
        broad=tuple(dict.fromkeys(map(fold_stem, compound.others))),
        words=tuple(map(fold, compound.names)),
        alone=tuple(dict.fromkeys(map(fold_stem, compound.alone))),
        spelt=tuple((fold_stem(word), fold(word)) for word in (compound.head, *compound.others)),
    )


def _parse_plain(clause: str) -> Wish:
    """Return the terms of a request in common words alone: "my name", "where I work"; none of "it" or "everything"."""
    kept = _words("filler") | _words("stop")
    pieces = [p for p in _split(clause) if fold_stem(p) not in kept and (len(p) > 1 or not p.isascii())]
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
        # "dass ich in Kassel wohne": the verb comes last, the name tells.
        listed += [p for p in fit if p[0].isupper() and p not in listed]
        # "trombone lessons": where the noun is common, what stands before it tells.
        return [*listed, *last] or [p for p in fit[-1:] if not p.lower().endswith(("ed", "ly"))]
    named = [p for p in fit if p[0].isupper()]
    return [p for p in fit if p in listed or p in named] if follows_nothing else named[-1:]


@lru_cache(maxsize=8)
def _words(section: str, *, is_stemmed: bool = True) -> frozenset[str]:
    return frozenset(fold_stem(word) if is_stemmed else word for word in read_section(_LIST, section))
