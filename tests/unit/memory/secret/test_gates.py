"""What is asked before an expensive pattern says no only where the pattern finds nothing."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from stdnum.es import dni, nie

from hub_toolkit.data import terms
from hub_toolkit.memory.any_case import has_any
from hub_toolkit.memory.poison import provenance, unmask, voices
from hub_toolkit.memory.poison.unmask import fold
from hub_toolkit.memory.secret import secret_patterns as forms
from hub_toolkit.memory.secret import secret_text as secrets

PROBES = Path(__file__).parents[4] / "benchmarks" / "probes"
ADDRESSES: tuple[str, ...] = (
    *("12 Elm Street", "7b, North Baker Row", "221B Baker Street.", "Hauptstrasse 12", "Lindenweg  nr. 4", "Ring 1"),
    *(
        "im Amselring\t7",
        "Damrak gracht 9",
        "Storgatan 5",
        "12 bis, rue de la Paix",
        "3 Place du Tertre",
        "1 allée Foch",
    ),
    *(
        "8 quai Voltaire",
        "4 cours Mirabeau",
        "Calle Mayor 5",
        "C/ Luna 12",
        "Avda. Goya, 22",
        "Via Roma 10",
        "Av. Brasil 3",
    ),
    *(
        "Piazza Dante n. 4",
        "Rua Augusta 100",
        "ul. Długa 5",
        "ulica Prosta 12",
        "al. Jana 4",
        "Cadde Gul 4",
        "Sokak Nar 9",
    ),
    *(
        "P.O. Box 123",
        "PO Box 9",
        "Postfach 12",
        "Apartado 44",
        "BP 12",
        "TX 75001",
        "NY, 10001-2345",
        "SW1A 1AA",
        "M1 1AE",
    ),
    *(
        "K1A 0B1",
        "51.5074, -0.1278",
        "4丁目",
        "中山路12号",
        "〒100-0001",
        "zip 90210",
        "PLZ: 10115",
        "postal code is K1A",
        "CAP 00184",
    ),
)
SUFFIXES = "strasse str. weg platz allee gasse ring ufer damm straat laan plein gracht kade gatan gade vej veien katu"
STREETS = "Rue Avenue Boulevard Place Chemin Impasse Quai Cours"
WAYS = "Calle C/ Avenida Avda Plaza Paseo Via Viale Piazza Corso Rua Travessa Av. ul. ulica ulicy al. cadde sokak"
ADDRESSES = (
    *ADDRESSES,
    *(f"Am Linden{suffix} 5" for suffix in SUFFIXES.split()),
    *(f"am {form}" for name in STREETS.split() for form in (f"5 {name} de Lyon", f"5, {name.lower()} Lyon")),
    *(f"am {form}" for name in WAYS.split() for form in (f"{name} Luna 5", f"{name.lower()} Luna 5")),
    *("5 zip is 12345", "zip code 12345", "post code: AB12", "Box 5 in PO Box 12"),
)
OTHERS = (
    *(
        "Anna wrote this",
        "he puts up the following",
        "it prints something",
        "hers: hello",
        "their note: yes",
        "wants it",
    ),
    *(
        "my boss wants a proper reply",
        "asked me to polish",
        "I have to respond",
        "must answer",
        "reply to them",
        "answer this",
    ),
    *("My sister must write", "Bob has to hand in", "the coach, she said, needs to submit"),
)
MACHINES = ('run(a="x")', "name = 'x'", ">> go", "MY_CONST", "std::sort", "{{name}}", "x => y", "<|im", "😀=")
REPORTS = (
    *(
        "according to my boss you",
        "if you ask Bob, I",
        "in the words of Ann my",
        "to hear Tom I",
        "my boss says",
        "Everyone claimed",
    ),
    *(
        "my sister insists",
        "mr. Hill swears",
        "the doctor states",
        "she writes",
        "he wrote",
        "my mum thinks",
        "they believe",
    ),
    *(
        "she told me",
        "somebody announced",
        "he mentioned",
        "it reads",
        "she asks me",
        "he wanted you",
        "he would like you",
    ),
)


@pytest.fixture(scope="module")
def texts() -> list[str]:
    rng = random.Random("gates")
    lines = [line for path in sorted(PROBES.glob("*.jsonl")) for line in path.read_text("utf-8").splitlines()]
    probes = [value for line in rng.sample(lines, 250) for value in json.loads(line).values() if isinstance(value, str)]
    planted = (*ADDRESSES, *OTHERS, *MACHINES, *REPORTS)
    return [*planted, *probes, *(f"{rng.choice(probes)} {rng.choice(planted)}" for _ in range(200))]


def test_each_form_of_an_address_passes(texts: list[str]) -> None:
    found = [text for text in texts if forms.ADDRESSES.search(text)]
    assert len(set(found) & set(ADDRESSES)) > 90
    assert [text for text in found if not secrets._may_hold_address(text, 1)] == []
    assert not secrets._may_hold_address("I slept 8 hours and ran 5 miles", 2)


def test_numbers_have_as_many_digits_as_is_asked_for(texts: list[str]) -> None:
    wanted = {
        "LABELLED": secrets._MIN_LABELLED_DIGITS,
        "DIGIT_GROUPS": secrets._MIN_GROUPED_DIGITS,
        "LONG_NUMBERS": secrets._MIN_LONG_DIGITS,
        **dict.fromkeys(("PINS", "BIRTH_DATES", "IPS"), 3),
    }
    shortest = {name: 99 for name in wanted}
    for text in (
        *texts,
        "card id: 1a2b3",
        "my pin is 123",
        "born 1 May 99",
        "ip 1.2.3.4",
        "call 123 4567",
        "123456789",
    ):
        for name in wanted:
            for match in getattr(forms, name).finditer(text):
                shortest[name] = min(shortest[name], sum(map(str.isdigit, text[match.start() : match.end()])))
    assert all(shortest[name] >= least for name, least in wanted.items())
    assert {name: shortest[name] for name in wanted if name != "IPS"} == {n: v for n, v in wanted.items() if n != "IPS"}


def test_ids_with_letters_are_of_the_sizes_that_are_looked_at() -> None:
    rng = random.Random("ids")
    ids = ["RCCMNL83S18D969H", "BOXW310820HNERXN09", "NO9386011117947", "MT84MALT011000012345MTLCAST001S"]
    for _ in range(50):
        digits = f"{rng.randrange(10**8):08}"
        foreign = rng.choice("XYZ") + digits[1:]
        ids += [digits + dni.calc_check_digit(digits), foreign + nie.calc_check_digit(foreign)]
    spaced = [f"{text[:4]} {text[4:7]}-{text[7:]}" for text in ids]
    for text in (*ids, *spaced):
        kind = next((kind for kind, is_valid in secrets._LETTERED if is_valid(text)), None)
        assert secrets._lettered_kind(text) == kind or secrets._IBAN_FORM.fullmatch(text), text
    assert secrets._lettered_kind(ids[-1]) == "id"
    assert secrets._lettered_kind("15 minutes") is None


def test_signs_of_others_stand_in_what_their_patterns_find(texts: list[str]) -> None:
    num_found = 0
    for text in texts:
        for signs, pattern in provenance._OTHERS_TEXT:
            found = pattern.search(text) is not None
            num_found += found
            assert not found or has_any(signs, text), text
    assert num_found >= len(OTHERS)


def test_signs_of_voices_stand_in_what_their_patterns_find(texts: list[str]) -> None:
    num_found = 0
    for text in texts:
        folded = fold(text)
        is_machine = voices._MACHINE_LINE.search(folded.plain) is not None
        is_report = bool(voices._ATTRIBUTED.search(folded.low) or voices._REPORTED.search(folded.low))
        is_address = voices._ADDRESS.search(folded.plain) is not None
        num_found += is_machine + is_report + is_address
        assert not is_machine or has_any(voices._MACHINE_SIGNS, folded.plain), text
        assert not is_report or has_any(voices._REPORT_SIGNS, folded.low), text
        assert not is_address or voices._may_hold_address(folded.plain), text
    assert num_found >= len(MACHINES) + len(REPORTS)


def test_codes_are_looked_for_where_they_may_be() -> None:
    rng = random.Random("codes")
    for _ in range(300):
        text = "".join(rng.choice(" a1b2.\n") for _ in range(rng.randint(0, 40)))
        assert unmask._has_digits(text) == (sum(map(text.count, "0123456789")) >= 8)
        assert unmask._has_long_word(text) == (max(map(len, text.split()), default=0) >= 12)


def test_words_of_ascii_are_those_of_any_text(texts: list[str]) -> None:
    rng = random.Random("words")
    drawn = ["".join(rng.choice("aB'’_1 -é.") for _ in range(rng.randint(0, 20))) for _ in range(500)]
    for text in (*texts, *drawn):
        assert terms.words(text) == terms._WORD.findall(text)
