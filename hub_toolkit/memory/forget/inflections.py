"""Other forms of one word: in the language of its text, in a compound, and by what it is derived from."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache

from hub_toolkit.data.terms import stem_word

LANGUAGES = {"de": "german", "fr": "french", "es": "spanish", "it": "italian", "pt": "portuguese", "nl": "dutch"}
_FUNCTION_WORDS = {
    "en": "the and my is are i i'm with for of to in at on it you that have has was not but",
    "de": "ich mich mir mein meine meinen meinem meiner ist und der das den dem ein eine einen nicht mit auf fur wir wieder seit bin habe hat im am vom zum zur noch immer auch gegen uber",
    "fr": "je j mon ma mes le les des une est et dans avec pour sur suis ai nous pas tous toujours chez depuis au du ne que mais",
    "es": "yo mi mis el los las una es y en con por para soy tengo estoy muy todos cada desde pero al del me se que",
    "it": "io mio mia miei mie il gli una e con per sono ho di della dei che sempre anche nel alla mi ogni da",
    "pt": "eu meu minha meus minhas o os as uma e com por para sou tenho estou em no na do da dos muito sempre todos que",
    "nl": "ik mijn de het een en is met voor van op niet ben heb dat wij al naar elke nog bij aan te",
}
_LINKS = ("", "s", "es", "n", "en", "er", "e", "-")
_TAIL_WORDS = (
    "probleme problemen problem schmerzen schmerz pijn operation operatie verletzung blessure krankheit ziekte leiden beschwerden klachten "
    "allergie sucht verslaving angst arzt klinik training kurs cursus verein club gruppe sammlung verzameling lehrer leraar unterricht stunden lessen phase"
)
"""What ends a German or Dutch compound and leaves its matter to what stands before: "Knieprobleme"."""
_TAILS = tuple(_TAIL_WORDS.split())
_DERIVED = ("y", "ish", "er", "ers", "ie", "ies")
_NAME_LINKS = frozenset({"of", "the", "and", "for", "de", "du", "la", "der", "des", "und", "van", "di"})
_MIN_ACRONYM, _MAX_ACRONYM = 3, 6
_MIN_PART = 4
_MIN_LONE_PART = 5
_MIN_ROOT = 5
_SUFFIXES = (
    "izations",
    "ization",
    "ations",
    "ation",
    "ements",
    "ement",
    "ments",
    "ment",
    "ingly",
    "erers",
    "ering",
    "ered",
    "erer",
    "ists",
    "istic",
    "ism",
    "ist",
    "ians",
    "ian",
    "eries",
    "ery",
    "ers",
    "ings",
    "ing",
    "ures",
    "ure",
    "ions",
    "ion",
    "ives",
    "ive",
    "ors",
    "or",
    "ities",
    "ity",
    "ness",
    "ical",
    "ically",
    "ics",
    "ic",
    "als",
    "al",
    "ous",
    "able",
    "ible",
    "ful",
    "less",
    "ages",
    "age",
    "ers",
    "er",
    "ed",
    "es",
    "en",
    "ly",
    "y",
    "ie",
    "e",
    "s",
)


@lru_cache(maxsize=1)
def _languages_of_words() -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for language, line in _FUNCTION_WORDS.items():
        for word in line.split():
            found[word] = (*found.get(word, ()), language)
    return found


def languages_of(folded: Iterable[str]) -> tuple[str, ...]:
    """Return which languages other than English a text may be in, by its small words; none for an English one."""
    counts: dict[str, int] = {}
    known = _languages_of_words()
    for word in folded:
        for language in known.get(word, ()):
            counts[language] = counts.get(language, 0) + 1
    best = max(counts.values(), default=0)
    if not best or counts.get("en", 0) > best:
        return ()
    return tuple(language for language in LANGUAGES if counts.get(language, 0) == best)


@lru_cache(maxsize=65536)
def stem_in(language: str, folded: str) -> str:
    """Return a word's stem in its language, as a term that is no English one."""
    return f"{language}:{stem_word(folded[:64], LANGUAGES[language])}"


@lru_cache(maxsize=65536)
def root_of(folded: str) -> str:
    """Return what an English word is derived from ("trombonist", "trombones"), as a term; empty for a short word."""
    if len(folded) <= _MIN_ROOT or not folded.isascii() or not folded.isalpha() or len(folded) > 32:
        return ""
    root = folded
    for suffix in _SUFFIXES:
        if root.endswith(suffix) and len(root) - len(suffix) >= _MIN_ROOT:
            root = root.removesuffix(suffix)
            break
    return f"r:{root.removesuffix('e')}"


def derived_forms(folded: str) -> tuple[str, ...]:
    """Return what may be derived from a short English word that names a thing: "jazzy", "golfer"."""
    if not (len(folded) in (4, 5) and folded.isascii() and folded.isalpha()):
        return ()
    base = folded.removesuffix("e")
    return tuple(f"{base}{ending}" for ending in _DERIVED)


def acronyms_of(pieces: Sequence[str]) -> list[str]:
    """Return the terms under which names of several words may be known: "World of Warcraft" as "a:wow"."""
    found: list[str] = []
    run: list[str] = []
    for piece in (*pieces, ""):
        if piece[:1].isupper() or (run and piece in _NAME_LINKS):
            run.append(piece)
            continue
        while run and run[-1] in _NAME_LINKS:
            run.pop()
        letters = "".join(word[0] for word in run if word.isascii()).lower()
        if _MIN_ACRONYM <= len(letters) <= _MAX_ACRONYM:
            found.append(f"a:{letters}")
        run = []
    return found


def split_compound(folded: str, words: Collection[str]) -> tuple[str, ...]:
    """Return the known words of which a German or Dutch compound is made; none where it holds none."""
    if not 8 <= len(folded) <= 48 or folded in words:
        return ()
    tail = next((t for t in _TAILS if folded.endswith(t) and len(folded) - len(t) >= _MIN_PART), None)
    if tail:
        start = folded.removesuffix(tail)
        return (_known_part(start, words) or start,)
    for place in range(len(folded) - _MIN_PART, _MIN_PART - 1, -1):
        left, right = _known_part(folded[:place], words), folded[place:]
        is_known = len(right) >= _MIN_PART and right in words
        if left and is_known:
            return (left, right)
        if left and len(left) >= _MIN_LONE_PART:
            return (left,)
    tails = (folded[i:] for i in range(3, len(folded) - _MIN_LONE_PART + 1))
    return next(((tail,) for tail in tails if tail in words), ())


def _known_part(part: str, words: Collection[str]) -> str:
    for link in _LINKS:
        if part.endswith(link):
            base = part.removesuffix(link) if link else part
            for form in (base, base + "e", base + "en"):
                if len(base) >= _MIN_PART and form in words:
                    return form
    return ""


def _ends_of(folded: str) -> tuple[str, ...]:
    """Return what a long word begins and ends with: a wish for "Jazz" knows "Jazzkeller", whatever a Keller is."""
    if not 2 * _MIN_PART <= len(folded) <= 32:
        return ()
    places = range(_MIN_PART, len(folded) - _MIN_PART + 1)
    return tuple(f"c:{end}" for place in places for end in (folded[:place], folded[place:]))


def foreign_terms(folded: Sequence[str], languages: Sequence[str], words: Collection[str]) -> list[str]:
    """Return the terms of words in these languages: stems, and those of the parts of compounds."""
    found: list[str] = []
    for language in languages:
        for word in folded:
            found.append(stem_in(language, word))
            if language not in ("de", "nl"):
                found += (f"c:{word[:place]}" for place in range(_MIN_LONE_PART, len(word) - 2))
            else:
                found += (stem_in(language, part) for part in split_compound(word, words))
                found += _ends_of(word)
    return found


def tail_terms(folded: Iterable[str], languages: Sequence[str]) -> list[str]:
    """Return the terms of what ends the compounds of a text: a "Spanischlehrer" is a "Lehrer" too."""
    return [
        stem_in(language, tail)
        for language in languages
        if language in ("de", "nl")
        for word in folded
        for tail in _TAILS
        if word.endswith(tail) and word != tail
    ]
