"""A pattern for either case finds what `re.I` finds, in every text."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

import pytest

from hub_toolkit.memory import kinds
from hub_toolkit.memory.any_case import AnyCase
from hub_toolkit.memory.builders import extractive
from hub_toolkit.memory.poison import fragments, provenance
from hub_toolkit.memory.secret import secret_patterns, secret_text

ROOMS = (kinds, extractive, fragments, provenance, secret_patterns, secret_text)
PIECES = (
    *("My sister wrote to me", "I PREFER tea", "part 2: ", "the PIN is 4821", "Password: hunter2x", "born 3 May 1990"),
    *(
        "http://a:b@c.de/x",
        "Passport no. X1234567",
        "call me on 020 7946 0018",
        "IP 10.0.0.1",
        "for MY aunt",
        "suppose A",
    ),
    *(
        "She said",
        "it’s from Anna",
        "“quoted”",
        "…",
        "Remember that I'm vegan",
        "Always, usually",
        "doctor's",
        "- \n",
        "\n",
    ),
    *(
        "TRANSLATE this:",
        "Give me",
        "i am 44",
        "Ünal",
        "Ş",
        "ſecret",
        "\u212aEY",
        "İstanbul",
        "Straße",
        "ПАРОЛЬ: qwerty",
        "密码 是 abc",
    ),
)


def all_patterns() -> Iterator[tuple[str, AnyCase]]:
    for room in ROOMS:
        for name, value in vars(room).items():
            for pattern in [value] if isinstance(value, AnyCase) else []:
                yield f"{room.__name__}.{name}", pattern
    yield from ((f"kinds {kind}", pattern) for kind, pattern in kinds._KINDS)


def places(found: Iterator[re.Match[str]]) -> list[tuple[tuple[int, int], ...]]:
    return [match.regs for match in found]


def test_every_pattern_finds_what_it_finds_without_regard_to_case() -> None:
    rng = random.Random("any case")
    texts = [" ".join(rng.choice(PIECES) for _ in range(rng.randint(1, 5))) for _ in range(150)]
    texts += [rng.choice((str.upper, str.lower, str.title, str.swapcase))(text) for text in texts]
    known = dict(all_patterns())
    assert len(known) >= 25
    num_found = 0
    for name, pattern in known.items():
        exact = re.compile(pattern.pattern, pattern.flags | re.I)
        for text in texts:
            wanted = places(exact.finditer(text))
            assert places(pattern.finditer(text)) == wanted, (name, text)
            assert (pattern.search(text) is not None) == bool(wanted)
            num_found += len(wanted)
    assert num_found > 500


def test_no_form_holds_a_leftover_of_a_template() -> None:
    assert [name for name, p in all_patterns() if re.search(r"\(\d+, \d+\)|\(\d+,\)", p.pattern)] == []


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"\bSIGN\S\W(?P<value>[A-F]{2})", "a Signs-bE!"),
        (r"B\D\.\u2019", "xb-.’"),
        ("é", "É"),
        ("s", "\u017f"),
        ("k", "\u212a"),
    ],
)
def test_escapes_and_letters_beyond_ascii(pattern: str, text: str) -> None:
    exact = re.search(pattern, text, re.I)
    found = AnyCase(pattern).search(text)
    assert exact is not None and found is not None and found.regs == exact.regs


def test_a_text_is_cut_at_its_own_letters() -> None:
    pattern = AnyCase(r"\bhelp me\b")
    assert pattern.sub(" ", "Please HELP ME, Anna: help me") == "Please  , Anna:  "
    assert pattern.sub(" ", "Ünal, HELP ME") == "Ünal,  "
    assert pattern.match("x help me") is None
