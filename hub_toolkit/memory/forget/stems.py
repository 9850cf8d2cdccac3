"""The stems of the words in `synonyms.txt`, kept beside it: finding them anew costs a second at each start.

`python -m hub_toolkit.memory.forget.stems` writes the file anew; a word that it lacks is stemmed when it is met.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

from hub_toolkit.data.terms import stem, stem_word

_FILE = Path(__file__).with_name("stems.txt")
ENGLISH = "en"


class ListedStems:
    """Stems by language and word; what is not at hand is found and kept."""

    def __init__(self, known: dict[tuple[str, str], str] | None = None) -> None:
        self._known = known or {}

    def find(self, folded: str, language: str = ENGLISH) -> str:
        found = self._known.get((language, folded))
        if found is None:
            found = stem(folded) if language == ENGLISH else stem_word(folded[:64], language)
            self._known[language, folded] = found
        return found

    def written(self) -> str:
        """Return the text of the file: the stemmer, and by language each word and its stem."""
        lines = [_stemmer()]
        for language in sorted({language for language, _ in self._known}):
            lines.append(f"[{language}]")
            words = sorted((word, found) for (known, word), found in self._known.items() if known == language)
            lines += [word if word == found else f"{word} {found}" for word, found in words]
        return "\n".join(lines) + "\n"


def load_stems() -> ListedStems:
    """Read the file; where another stemmer is installed than it was written with, each stem is found anew."""
    stemmer, *lines = _FILE.read_text("utf-8").splitlines()
    if stemmer != _stemmer():
        return ListedStems()
    known: dict[tuple[str, str], str] = {}
    language = ""
    for line in lines:
        if line.startswith("["):
            language = line.strip("[]")
            continue
        word, _, found = line.partition(" ")
        known[language, word] = found or word
    return ListedStems(known)


@lru_cache(maxsize=1)
def _stemmer() -> str:
    return f"snowballstemmer {version('snowballstemmer')}"


def main() -> None:
    from hub_toolkit.memory.forget.synonyms import read_lexicon

    stems = ListedStems()
    read_lexicon(stems)
    _FILE.write_text(stems.written(), "utf-8")


if __name__ == "__main__":
    main()
