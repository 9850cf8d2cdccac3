"""The estimate is that of the plain way to make it: one pattern for all texts, and every piece priced by itself."""

from __future__ import annotations

import json
import math
import random
import re
from pathlib import Path

import pytest

from hub_toolkit.data import tokens
from hub_toolkit.data.tokens import EstimateCounter

UPPER, LOWER = "A-ZÀ-ÖØ-Þ", "a-zß-öø-ɏḀ-ỿ"
LEAD = rf"(?:[^\r\n0-9{UPPER}{LOWER}\W]|[^\w\r\n])?"
SCRIPTS = (
    *("\u4e00-\u9fff", "\u3040-\u30ff", "\uac00-\ud7af", "\u0590-\u05ff", "\u0600-\u06ff", "\u0400-\u04ff"),
    *("\u0370-\u03ff", "\u0900-\u0dff", "\u0e00-\u0e7f", "\u10a0-\u10ff\u0530-\u058f"),
)
PIECE = re.compile(
    rf" ?[{UPPER}]?[{LOWER}]+|{LEAD}(?:[{UPPER}]?[{LOWER}]+|[{UPPER}]+(?![{LOWER}])|[{UPPER}])|[0-9]{{1,3}}"
    + "".join(rf"| ?[{chars}]+" for chars in SCRIPTS)
    + r"| ?[!-/:-@\[-`{-~]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+| ?[^\x00-\x7f]|."
)
SIGNS = (
    *("the and of you in is", "Straße", "naïve", "don't", "well, I said. Then", "HTMLParser2", "fooBar_baz", "\\alpha"),
    *(" ", "  ", "\t", "\n", "\r\n", "\n\n\n", "\r", "\x0b", "\x1c", "\u00a0", "\u2028", "\u3000", " \n "),
    *(
        "1",
        "12",
        "1234567",
        "3.14",
        ",",
        ", ",
        ". ",
        "...",
        "!?",
        "//",
        "```",
        "- ",
        "* ",
        "{}",
        "'t",
        "’t",
        "“so”",
        "—",
    ),
    *("今天早上", "キッチン", "커피를", "בבוקר", "الصباح", "утром", "πρωί", "सुबह", "เช้า", "დილა", "é", "Ü", "ß", "ĳ"),
    *("😀", "👍🏽", "π/4", "≈", "\ud800", "\u200b", "\U0001f1ee", "x" * 45, "B" * 33, "=" * 40, "_", "@", "q"),
)


def reference(text: str) -> int:
    """The estimate as it was first written."""
    lines = []
    for line in re.findall(r"[^\n]*\n+|[^\n]+", text):
        priced = [tokens._price(piece) for piece in PIECE.findall(line)]
        sums = [sum(round(part[field] * 100) for part in priced) for field in (0, 1)]
        lines.append((sums[0] / 100, sums[1] / 100, sum(p[2] for p in priced), sum(p[3] for p in priced)))
    num_words = sum(line[2] for line in lines)
    share = sum(line[3] for line in lines) / num_words if num_words else 0.0
    total = 0.0
    for base, surcharge, words, english in lines:
        own = (english + 4 * share) / (words + 4)
        total += base + surcharge * max(0.0, 1 - own / 0.16) if words else base
    return math.ceil(total - 1e-9)


def test_drawn_texts_count_as_by_the_plain_way() -> None:
    rng, counter = random.Random("tokens"), EstimateCounter()
    for _ in range(1500):
        text = "".join(rng.choice(SIGNS) for _ in range(rng.randint(0, 40)))
        assert counter.count(text) == reference(text), repr(text)


def test_any_characters_count_as_by_the_plain_way() -> None:
    rng, counter = random.Random("characters"), EstimateCounter()
    for _ in range(400):
        top = rng.choice((0x80, 0x250, 0x2100, 0x3200, 0x20000))
        text = "".join(chr(rng.randrange(top)) for _ in range(rng.randint(1, 60)))
        assert counter.count(text) == reference(text), repr(text)


def test_what_is_kept_has_a_bound_and_changes_no_count() -> None:
    counter = EstimateCounter()
    before = counter.count("the same line\n")
    for number in range(tokens._MAX_KNOWN + 10):
        counter.count(f"line {number}")
    assert len(tokens._LINES) <= tokens._MAX_KNOWN and len(tokens._PRICES) <= tokens._MAX_KNOWN
    assert counter.count("the same line\n") == before


@pytest.mark.parametrize("persona", ["persona11", "persona20"])
def test_real_histories_count_as_by_the_plain_way(real_data: Path, persona: str) -> None:
    (path,) = (real_data / "personamem_evo" / "histories").glob(f"*{persona}.json")
    texts = [message["content"] for message in json.loads(path.read_text("utf-8"))["chat_history"]][::5]
    counter = EstimateCounter()
    assert [counter.count(text) for text in texts] == [reference(text) for text in texts]
