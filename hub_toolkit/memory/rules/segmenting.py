"""Spaces put back into a run of letters."""

from __future__ import annotations

from functools import lru_cache

from hub_toolkit.memory.rules.lexicon import category_files, is_unspaced, load_groups, parse_term, parse_terms

MAX_LETTERS = 600
_MAX_WORD = 18
_SMALL_WORDS = frozenset(
    str.split("i a my in is it at on of to the and was we our me for with has have had he she am are be by so no or us")
)


@lru_cache(maxsize=1)
def known_words() -> frozenset[str]:
    """Return the words of all categories' terms, and the commonest small ones."""
    terms = [w.replace("_", " ") for group in load_groups().values() for w in group]
    for name, text in category_files().items():
        terms += (
            term for section, term in parse_terms(text, name=name) if section != "names" and not is_unspaced(term)
        )
    words = {w for term in terms for e in parse_term(term) for w in (*e.words, *e.prefixes)}
    return frozenset(w for w in words | _SMALL_WORDS if w.isalpha() and (len(w) > 2 or w in _SMALL_WORDS))


def segment(letters: str) -> str:
    """Put spaces into a run of letters: the cut with the fewest letters outside known words, then the fewest words."""
    letters, known = letters[:MAX_LETTERS], known_words()
    best: list[tuple[float, int]] = [(0.0, 0)]
    for end in range(1, len(letters) + 1):
        choices = [(best[end - 1][0] + 2.0, end - 1)]
        choices += [
            (best[start][0] + 1.0, start)
            for start in range(max(0, end - _MAX_WORD), end)
            if letters[start:end] in known
        ]
        best.append(min(choices))
    words, end = [], len(letters)
    while end:
        start = best[end][1]
        words.append(letters[start:end])
        end = start
    return " ".join(reversed(words))


def known_share(letters: str) -> float:
    """Return the share of a run's letters that stand in known words of three letters or more."""
    cut = segment(letters).split()
    return sum(len(w) for w in cut if len(w) > 1) / max(1, sum(map(len, cut)))
