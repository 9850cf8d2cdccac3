"""Words as texts are compared by runs of them; where a script sets no spaces, its letters stand for words."""

from __future__ import annotations

import re

from hub_toolkit.data.terms import words

_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")


def lower_words(text: str) -> list[str]:
    """Return the words of a text in lower case and in their order, letter by letter in Chinese, Japanese, Thai, …"""
    found = words(text.lower())
    if text.isascii() or not _UNSPACED.search(text):
        return found
    return [part for word in found for part in (list(word) if _UNSPACED.search(word) else [word])]
