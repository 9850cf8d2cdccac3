"""The words by which a category is known: read from `categories/*.txt` into one table of telling words.

A file has sections, and a term a line, or several with `;` between them. `[names]`: how a rule calls the category.
`[strong]`: one such term is enough. `[weak]`: two different ones in a sentence. `[a]` and `[b]`: one of each.
`[faint]`: counts for a strict rule alone, for which any one term is enough. `[abroad]`: the same, in texts that are not
English.
`[not]`: what does not count, such as "heart of the city". A term is words: `diabet*` any ending, `*statin` any
beginning, `my|our` either, `_` any one word, `#` a number, `.` a clause's end. `@city` stands for the words of the
group `city` in `groups.txt`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from importlib import resources
from importlib.resources.abc import Traversable

from hub_toolkit.memory.rules.folding import fold

SECTIONS = ("names", "strong", "weak", "a", "b", "faint", "abroad", "not")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f]")
_MAX_TERM_WORDS = 8
_MAX_KNOWN_WORDS = 100_000
_MAX_WORD_CHARS = 40
_GROUPS = "groups.txt"
# Words that stand in most sentences: a term is looked up by its other words.
_COMMON = frozenset(
    str.split("""a about after again all also always am an and any are as at away back be been before being but by came can cant come could day
    days did do does done down every everything feel first for found from full get gets getting give go goes going good got had has have havent he
    help her here hers him his home how i if im in into is isnt it its ive just keep know last left like long lot made make makes many me
    more most much my myself need never new next no not now of off on once one only or other our out over own part people put really right
    said same say says see set she since so some still take than that the their them then there these they thing things think this those time times to
    today too took two under until up us use used user users very want was way we week weeks well went were what when where which while who will with
    without work would year years you your . _ # s""")
)


@dataclass(frozen=True)
class Term:
    """One term of a category; `text` names it among the hits of a sentence."""

    category: str
    section: str
    text: str


@dataclass(frozen=True)
class Element:
    """One place of a term: any of its words, a beginning, an ending, a number, or any word at all."""

    words: frozenset[str]
    prefixes: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = ()

    def fits(self, word: str) -> bool:
        """Whether a text's word can stand here."""
        if word in self.words or (word != "." and "_" in self.words) or ("#" in self.words and is_number(word)):
            return True
        return word.startswith(self.prefixes) or (len(word) > 5 and word.endswith(self.suffixes))

    @cached_property
    def commonness(self) -> int:
        """Return about how many words of ordinary texts fit: by the least such place a term is looked up."""
        common = sum(1_000 for word in self.words if word in _COMMON)
        return common + len(self.words) + sum(40 if len(p) < 4 else 4 for p in (*self.prefixes, *self.suffixes))


@dataclass(frozen=True)
class Phrase:
    """A term by its places; it is looked up by the word at place `anchor`."""

    term: Term
    size: int
    anchor: int
    others: tuple[tuple[int, Element], ...]
    """The other places, counted from the anchor."""
    key: str
    """The word, beginning or ending by which the anchor was entered."""

    def fits(self, tokens: Sequence[str], place: int) -> bool:
        """Whether the term stands in a text with its anchor at a place."""
        start = place - self.anchor
        if start < 0 or start + self.size > len(tokens):
            return False
        return all(element.fits(tokens[place + offset]) for offset, element in self.others)


class _ByWord(dict[str, tuple[Phrase, ...]]):
    """For each word that was met: the terms that it may be the anchor of."""

    def __init__(self, lexicon: Lexicon) -> None:
        super().__init__()
        self.lexicon = lexicon

    def __missing__(self, word: str) -> tuple[Phrase, ...]:
        if len(self) > _MAX_KNOWN_WORDS:
            self.clear()
        found = tuple(self.lexicon.look_up(word))
        if len(word) <= _MAX_WORD_CHARS:
            self[word] = found
        return found


@dataclass(eq=False)
class Lexicon:
    """The terms of some categories by their telling words, and those of scripts without spaces."""

    categories: tuple[str, ...]
    exact: dict[str, list[Phrase]] = field(default_factory=dict)
    prefix: dict[str, list[Phrase]] = field(default_factory=dict)
    suffix: dict[str, list[Phrase]] = field(default_factory=dict)
    unspaced: dict[str, list[Term]] = field(default_factory=dict)
    prefix_sizes: tuple[int, ...] = ()
    suffix_sizes: tuple[int, ...] = ()
    unspaced_sizes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        self.by_word = _ByWord(self)
        self.odd_chunks: dict[str, int] = {}
        self.cut_stems: frozenset[str] = frozenset()

    def add(self, term: Term) -> None:
        """Enter a term."""
        if is_unspaced(term.text):
            self.unspaced.setdefault(fold(term.text).replace(" ", ""), []).append(term)
            return
        elements = parse_term(term.text)
        anchor = min(range(len(elements)), key=lambda n: elements[n].commonness)
        others = tuple((n - anchor, e) for n, e in enumerate(elements) if n != anchor)
        chosen = elements[anchor]
        for table, keys in (
            (self.exact, chosen.words),
            (self.prefix, chosen.prefixes),
            (self.suffix, chosen.suffixes),
        ):
            for key in keys:
                table.setdefault(key, []).append(Phrase(term, len(elements), anchor, others, key))

    def seal(self) -> None:
        """Note the sizes of what was entered."""
        self.prefix_sizes = tuple(sorted({len(key) for key in self.prefix}))
        self.suffix_sizes = tuple(sorted({len(key) for key in self.suffix}))
        self.unspaced_sizes = tuple(sorted({len(key) for key in self.unspaced}))
        self.cut_stems = frozenset(
            key[:5]
            for table in (self.exact, self.prefix)
            for key, phrases in table.items()
            if len(key) >= 6 and any(p.size == 1 and p.term.section == "strong" for p in phrases)
        )

    def look_up(self, word: str) -> Iterator[Phrase]:
        """Yield the terms that a text's word may be the anchor of."""
        yield from self.exact.get(word, ())
        if is_number(word):
            yield from self.exact.get("#", ())
        for size in self.prefix_sizes:
            if size <= len(word):
                yield from self.prefix.get(word[:size], ())
        for size in self.suffix_sizes:
            if size + 2 <= len(word):
                yield from self.suffix.get(word[-size:], ())

    def strong_words(self, word: str) -> list[Phrase]:
        """Return the strong terms that a word is on its own."""
        return [p for p in self.by_word[word] if p.size == 1 and p.term.section == "strong"]

    def hits(self, folded: str, tokens: Sequence[str]) -> list[tuple[int, int, Term]]:
        """Return the terms of a folded text and its words, each with its first and last word."""
        by_word = self.by_word
        found = [
            (place - phrase.anchor, place - phrase.anchor + phrase.size - 1, phrase.term)
            for place, token in enumerate(tokens)
            for phrase in by_word[token]
            if phrase.size == 1 or phrase.fits(tokens, place)
        ]
        return found if folded.isascii() else found + list(self._unspaced_hits(folded))

    def _unspaced_hits(self, text: str) -> Iterator[tuple[int, int, Term]]:
        for start, char in enumerate(text):
            if ord(char) >= 0x0E00:
                for size in self.unspaced_sizes:
                    for term in self.unspaced.get(text[start : start + size], ()):
                        # Places far behind the words', so that no word excuses them.
                        yield 10_000 + start, 10_000 + start + size - 1, term


_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_NUMBER_WORDS = (
    f"{_TENS} one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen hundred thousand fortieth fiftieth sixtieth thirtieth"
)
_NUMBERS = frozenset(_NUMBER_WORDS.split())


def is_number(word: str) -> bool:
    """Whether a word of a text stands for a number: digits, 41st, or forty."""
    return word in _NUMBERS or (word[0].isdigit() and len(word) <= 12)


_TOKEN = re.compile(
    r"[\w\u0900-\u0dff\u0e00-\u0e7f]+|'[\w]+|[.,;:!?()…。、！？؟،\n]|[\u2600-\u27bf\U0001f1e6-\U0001faff]"
)
_ASCII_TOKEN = re.compile(r"[a-z0-9]+(?:'(?:m|re|ve|ll|d|t)(?![a-z]))?|[.,;:!?()\n]")
_ASCII_GENITIVE = re.compile(r"(?<=[a-z0-9])'s\b")
_SIGNS = frozenset(".,;:!?()\n")
_CONTRACTED = frozenset(("m", "re", "ve", "ll", "d", "t"))


def tokenize(folded: str) -> list[str]:
    """Return the words of a folded text, `.` for any sign that ends a clause: i'm → im, anna's → anna, l'eau → l eau."""
    if not folded.isascii():
        return _tokenize_any(folded)
    if "'" in folded:
        folded = _ASCII_GENITIVE.sub("", folded)
    tokens: list[str] = []
    last = "."
    for token in _ASCII_TOKEN.findall(folded):
        if token in _SIGNS:
            if last == ".":
                continue
            token = "."
        elif "'" in token:
            token = token.replace("'", "")
        tokens.append(token)
        last = token
    tokens.append(".")
    return tokens


def _tokenize_any(folded: str) -> list[str]:
    tokens: list[str] = []
    for token in _TOKEN.findall(folded):
        if token[0] == "'":
            rest = token[1:]
            if rest in _CONTRACTED and tokens and tokens[-1] != ".":
                tokens[-1] += rest
            elif rest != "s":
                tokens.append(rest)
        elif token[0].isalnum() or len(token) > 1 or ord(token[0]) > 0x25FF:
            tokens.append(token)
        elif tokens and tokens[-1] != ".":
            tokens.append(".")
    tokens.append(".")
    return tokens


def _folder() -> Traversable:
    return resources.files("hub_toolkit.memory.rules") / "categories"


@lru_cache(maxsize=1)
def category_files() -> dict[str, str]:
    """Return the text of each category's file, by its name."""
    files = sorted((f for f in _folder().iterdir() if f.name.endswith(".txt")), key=lambda f: f.name)
    return {f.name.removesuffix(".txt"): f.read_text("utf-8") for f in files if f.name != _GROUPS}


@lru_cache(maxsize=1)
def load_groups() -> dict[str, tuple[str, ...]]:
    """Return the words of each group: lines of `name: word; word`; a word of two words is written with `_`."""
    groups: dict[str, list[str]] = {}
    for line in (_folder() / _GROUPS).read_text("utf-8").splitlines():
        name, _, words = line.partition(":")
        if words:
            groups.setdefault(name.strip(), []).extend(w.strip() for w in words.split(";") if w.strip())
    return {name: tuple(dict.fromkeys(words)) for name, words in groups.items()}


@lru_cache(maxsize=1)
def load_names() -> dict[tuple[str, ...], tuple[str, ...]]:
    """Return the categories that each name in a rule stands for."""
    names: dict[tuple[str, ...], tuple[str, ...]] = {}
    for category, text in category_files().items():
        names[(category,)] = (*names.get((category,), ()), category)
        for section, line in parse_terms(text, name=category):
            if section == "names":
                key = tuple(t for t in tokenize(fold(line)) if t != ".")
                names[key] = tuple(dict.fromkeys((*names.get(key, ()), category)))
    return names


@lru_cache(maxsize=64)
def load_lexicon(categories: frozenset[str] | None = None, *, section: str | None = None) -> Lexicon:
    """Read the terms of these categories, of all where none are given; of one section alone where it is named."""
    chosen = tuple(name for name in category_files() if categories is None or name in categories)
    lexicon = Lexicon(chosen)
    for category in chosen:
        for found, text in parse_terms(category_files()[category], name=category):
            if found != "names" and section in (None, found):
                for spelled in _spelled(text):
                    lexicon.add(Term(category, found, spelled))
    lexicon.seal()
    return lexicon


def is_unspaced(text: str) -> bool:
    """Whether a term is of a script that puts no spaces between words."""
    return _CJK.search(text) is not None


_GROUP = re.compile(r"@(\w+)")


def _spelled(text: str) -> list[str]:
    """Return a term with its group put in: all words of one at one place, and one term for each of more words."""
    found = _GROUP.search(text)
    if not found:
        return [text]
    words = load_groups()[found[1]]
    single = "|".join(w for w in words if "_" not in w)
    texts = [text.replace(found.group(), single, 1)] if single else []
    texts += [text.replace(found.group(), w.replace("_", " "), 1) for w in words if "_" in w]
    return texts


def parse_terms(text: str, *, name: str) -> Iterator[tuple[str, str]]:
    """Yield (section, term) of a category's file.

    Raises: ValueError: a section is not known, or a term stands before any.
    """
    section = ""
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.partition("##")[0].strip()
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1]
        if section not in SECTIONS and line:
            raise ValueError(f"{name}, line {number}: [{section}] is no section")
        if not line.startswith("["):
            yield from ((section, term.strip()) for term in line.split(";") if term.strip())


def parse_term(text: str) -> list[Element]:
    """Return the places of a term; a plain last word takes a plural s as well."""
    places = text.replace("# |", "#|").split()[:_MAX_TERM_WORDS]
    # A hyphenated word is two words in a text; only a place of its own can be two.
    places = [part for place in places for part in (place.split("-") if "|" not in place else [place])]
    return [_element(place, is_last=n == len(places) - 1) for n, place in enumerate(places)]


@lru_cache(maxsize=65_536)
def _element(place: str, *, is_last: bool) -> Element:
    choices = [fold(w).replace("'", "") if w != "_" else w for w in place.split("|") if w]
    plain = [w for w in choices if "*" not in w]
    if is_last:
        plain += [w + "s" for w in plain if w.isascii() and w.isalpha() and len(w) > 2 and w[-1] != "s"]
    return Element(
        frozenset(plain),
        tuple(w[:-1] for w in choices if w.endswith("*") and len(w) > 1),
        tuple(w[1:] for w in choices if w.startswith("*") and len(w) > 1),
    )
