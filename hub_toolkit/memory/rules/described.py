"""Persons and times that a text means without their names: "the man I divorced", "my husband's mother", "boxing day"."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources

from hub_toolkit.memory.rules.lexicon import Lexicon, Term, parse_terms, tokenize

_FILE = "described.txt"


@lru_cache(maxsize=1)
def _lexicon() -> Lexicon:
    """Return the terms, each under the name that it stands for."""
    text = (resources.files("hub_toolkit.memory.rules") / _FILE).read_text("utf-8")
    named = [line.split(":", 1) for line in text.splitlines() if line and not line.startswith("##")]
    lexicon = Lexicon(tuple(name for name, _ in named))
    for name, terms in named:
        for section, term in parse_terms(f"[strong]\n{terms}", name=_FILE):
            lexicon.add(Term(name, section, term))
    lexicon.seal()
    return lexicon


def described_name(word: str) -> str | None:
    """Return the name under which a folded word's descriptions stand, None where it has none."""
    return next((name for name in (word, word.removesuffix("s")) if name in _lexicon().categories), None)


def is_described(folded: str, name: str) -> bool:
    """Whether a folded text means what goes by this name."""
    return any(term.category == name for _, _, term in _lexicon().hits(folded, tokenize(folded)))
