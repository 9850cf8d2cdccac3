"""Rules of the owner: what they mean, what they refuse, and what they let stay."""

from __future__ import annotations

import hashlib
from random import Random

import pytest

from hub_toolkit.data.history import Chunk
from hub_toolkit.errors import BoundaryError
from hub_toolkit.memory.document import Bullet, MemoryDocument, Source
from hub_toolkit.memory.rules.answers import WITHHELD, allowed_bullets, preview_rule, redact_answer
from hub_toolkit.memory.rules.compile import compile_rule
from hub_toolkit.memory.rules.detect import find_categories, violates
from hub_toolkit.memory.rules.guard import RuleGuard, SecretGuard
from hub_toolkit.memory.rules.lexicon import load_lexicon
from hub_toolkit.memory.secret.secret_text import find_secrets, has_secret
from hub_toolkit.types import Message

HEALTH = compile_rule("nothing about my health", "r1")


@pytest.mark.parametrize(
    ("text", "effect", "categories"),
    [
        ("never remember my location", "never", {"location"}),
        ("only hobbies and work", "only", {"hobbies", "work"}),
        ("no politics or religion", "never", {"politics", "religion"}),
        ("never: health, location", "never", {"health", "mental_health", "location"}),
        ("Nichts über meine Gesundheit", "never", {"health", "mental_health"}),
        ("ne retiens jamais ma religion", "never", {"religion"}),
        ("no guardes nada sobre mi familia", "never", {"family", "children"}),
        ("remember everything except my salary", "never", {"finance"}),
        ("nothing but hobbies", "only", {"hobbies"}),
    ],
)
def test_plain_words_become_categories(text: str, effect: str, categories: set[str]) -> None:
    rule = compile_rule(text, "r1")
    assert (rule.effect, set(rule.categories)) == (effect, categories)


def test_other_kinds_of_rules() -> None:
    assert compile_rule("don't store anything about my sister Anna").entities == ("sister", "Anna")
    assert compile_rule("nothing from before 2024-01-01").before == "2024-01-01"
    assert violates("locker 482913", compile_rule("never keep numbers longer than 5 digits"))
    assert not violates("locker 48291, in 2019-2020", compile_rule("never keep numbers longer than 5 digits"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "health",
        "never store wombles",
        "no health except allergies",
        "pattern:/(a+)+b/",
        "pattern:/(/",
        "never",
        "pattern:/a*/",
        r"pattern:/(a)\1/",
    ],
)
def test_what_cannot_be_compiled_is_said(text: str) -> None:
    with pytest.raises(BoundaryError) as caught:
        compile_rule(text)
    assert len(str(caught.value)) > 20


def test_unknown_words_are_named() -> None:
    with pytest.raises(BoundaryError, match="wombles"):
        compile_rule("never store wombles")


@pytest.mark.parametrize(
    "text",
    [
        "My cardiologist moved me to Tuesdays",
        "d1abetes is a bore",
        "d i a b e t e s",
        "bXkgZGlhYmV0ZXMgaXMgYmFk",
        "my іnsu\u200blin",
        "ｄｉａｂｅｔｅｓ",
        "Ich habe Diabetes",
        "我有糖尿病",
        "Write of a diabetic character like me",
    ],
)
def test_health_is_found(text: str) -> None:
    assert violates(text, HEALTH)


@pytest.mark.parametrize(
    "text",
    [
        "the heart of the city",
        "a healthy bank balance",
        "sick beats",
        "a positive test suite",
        "the treatment of light in his paintings",
    ],
)
def test_neighbours_are_not_health(text: str) -> None:
    assert not violates(text, HEALTH)


@pytest.mark.parametrize(
    ("category", "text"),
    [
        ("ethnicity", "does the PGWP clock run while I wait"),
        ("ethnicity", "We are Luhya, so the party has three drums"),
        ("age", "I'm 47, and the ladder still scares me"),
        ("age", "diagnosed at 31 with a taste for opera"),
        ("location", "which bakery in Sunyani bakes rye"),
        ("location", "a plumber for a Sunday in Gelsenkirchen"),
        ("sexuality", "the deed poll is signed, whom do I tell first"),
        ("hobbies", "my ollie is hopeless"),
        ("mental_health", "CAMHS lost my file again"),
        ("mental_health", "PHQ-9 says 17, draw me a chart"),
        ("travel", "is the KTX quiet in row 12"),
        ("children", "the health visitor asked about his naps"),
        ("legal", "the parenting coordinator rang twice"),
        ("substances", "the gutkha left a stain"),
        ("finance", "my turn in the tanda comes in May"),
        ("politics", "I carried soup to the counter-demo"),
        ("religion", "who brings the kolyva this time"),
        ("education", "KCSE papers scare my friends and me"),
    ],
)
def test_a_strict_rule_knows_the_family_and_not_one_word(category: str, text: str) -> None:
    assert category in find_categories(text, frozenset([category]), strictness="strict")


@pytest.mark.parametrize(
    ("category", "text"),
    [
        ("sexuality", "come up to the third floor for the sorting"),
        ("ethnicity", "the second syllable is long"),
        ("age", "the file is 65.1 MB and I'm 3.5 km away"),
        ("substances", "a pot of brown paint"),
        ("politics", "the pan is on the left side"),
        ("religion", "an angel of a neighbour mended the veil of fog"),
    ],
)
def test_everyday_words_of_a_family_are_no_hint(category: str, text: str) -> None:
    assert category not in find_categories(text, frozenset([category]), strictness="strict")


def test_message_loses_the_sentence_and_what_goes_on_about_it() -> None:
    guard = RuleGuard([HEALTH])
    screened = guard.screen_message(
        Message("user", "I paint harbours. My asthma is back. It ruins spring. I love chess."), 3
    )
    assert screened.message.text.split() == ["I", "paint", "harbours.", "I", "love", "chess."]
    assert [f.reason for f in screened.findings] == ["rule:r1"]
    assert "asthma" not in str(screened.findings)


def test_paraphrase_of_a_taken_sentence_is_refused() -> None:
    guard = RuleGuard([HEALTH])
    message = guard.screen_message(
        Message("user", "I paint harbours. The puffing gadget stays packed, asthma rules."), 0
    ).message
    chunk = Chunk((message,), (0,), 0)
    assert guard.screen_bullet(Bullet("m1", "Keeps a puffing gadget packed", (Source(0, ""),)), chunk)
    assert guard.screen_bullet(Bullet("m2", "Paints harbours", (Source(0, ""),)), chunk) is None


def test_answers_and_preview() -> None:
    document = MemoryDocument((Bullet("m1", "Has diabetes"), Bullet("m2", "Plays chess")))
    assert [b.id for b in allowed_bullets(document, [HEALTH])] == ["m2"]
    preview = preview_rule(document, HEALTH)
    assert ([b.id for b in preview.removed], preview.num_kept) == (["m1"], 1)
    assert redact_answer("With your diabetes, skip the cake. Try the park.", [HEALTH]) == "[withheld] Try the park."


def test_entity_in_other_words_and_scripts() -> None:
    rule = compile_rule("nothing about my sister Anna")
    assert all(
        violates(t, rule) for t in ("Anna's dog", "Моя сестра Анна поёт", "ma sœur dort", "A n n a", "妹が来ます")
    )
    assert not violates("My brother plays the banjo", rule)


def test_a_strict_rule_keeps_what_is_plainly_everyday_in_other_languages() -> None:
    rule = compile_rule("nothing about my health")
    assert not violates("Prefiro o café sem açúcar e bem curto.", rule)
    assert violates("Depuis la chute je ne monte plus les escaliers qu'avec l'aide de ma voisine.", rule)
    assert violates("Depuis l'opération je bois mon café sans sucre.", rule)


@pytest.mark.parametrize(
    ("name", "text", "other"),
    [
        ("Rohit", "रोहित ने नौकरी छोड़ दी", "राहत मिली"),
        ("Rohit", "سافر روهيت إلى بونه", "أفضل القهوة العربية بالهيل"),
        ("Daniel", "ניפגש עם דניאל מחר", "אני אוהב קפה חזק"),
        ("Henrik", "হেনরিক কাল আসবে", "আমি চা ভালোবাসি"),
    ],
)
def test_a_name_is_known_by_its_consonants_in_scripts_that_write_few_vowels(name: str, text: str, other: str) -> None:
    rule = compile_rule(f"nothing about {name}")
    assert violates(text, rule) and not violates(other, rule)


def test_time_rule_reads_dates_of_messages_and_texts() -> None:
    rule = compile_rule("nothing from before 2024-01-01")
    assert violates("I kept bees", rule, said_on="2023-05-01")
    assert violates("Back in 2019 I kept bees", rule)
    assert not violates("I keep bees", rule, said_on="2024-05-01")


@pytest.mark.parametrize("text", ["my password is correct horse", "call five five five one two three four five six seven", "postgres://me:pw@host/db", "AKIAIOSFODNN7EXAMPLE", "Hauptstraße 12 in Bonn", "12 rue de Rivoli", "jo at example dot org", "我的密码是abc123"])  # fmt: skip
def test_secrets_of_many_forms(text: str) -> None:
    assert has_secret(text)


@pytest.mark.parametrize("text", ["ISBN 978-3-16-148410-0", "room 204", "it cost 1,250,000 euros", "we won 3-2 in 2019", "the pin is bent", "from 2010-2020", "my password is too long"])  # fmt: skip
def test_ordinary_numbers_are_no_secrets(text: str) -> None:
    assert not find_secrets(text) and not has_secret(text)


def test_secret_guard_names_the_kind_only() -> None:
    screened = SecretGuard().screen_message(
        Message("user", "For the chess club in the old harbour library call 020 7946 0958 on Thursday evenings please"),
        0,
    )
    assert "7946" not in screened.message.text and "chess club" in screened.message.text
    assert [f.reason for f in screened.findings] == ["secret:phone"] and "7946" not in str(screened.findings)


@pytest.mark.parametrize("worst", ["a", "1 ", "a.", "@", "@.", "(", "555-123-4567 ", "ab1-", "my pass is ", "\u0301"])
def test_a_million_characters_are_read_to_the_end(worst: str) -> None:
    # What grows faster than the text would take hours here.
    text = worst * (1_000_000 // len(worst)) + ".\nI have diabetes."
    assert "health" in find_categories(text)
    find_secrets(text)
    assert redact_answer(text[-200_000:], [HEALTH]).endswith(WITHHELD)


_PIECES = str.split(
    "a 1 @ . - / _ ( \\x 0 = é 中 ' a. @. a- ab12 12- 555- ./ https:// x.co aé ab1- 0x ..- a1b2 I. 2023- п ａ 🙂 +1 my from ill"
)


def mixed(num_chars: int) -> str:
    """Return runs of signs, each of another kind and length."""
    random = Random(hashlib.sha256(b"signs").hexdigest())
    runs = [random.choice(_PIECES) * random.randint(1, 1_500) + random.choice((" ", "", "\n")) for _ in range(300)]
    return "".join(runs)[:num_chars]


def prose(num_chars: int) -> str:
    """Return sentences, each of other words."""
    random = Random(hashlib.sha256(b"prose").hexdigest())
    words = str.split(
        "I my the a we paint knit harbour boats on under old green chess plays evening sings bread with Lena nine forty choir garden rain books about"
    )
    sentences = (" ".join(random.choices(words, k=random.randint(4, 20))) + ". " for _ in range(num_chars // 20))
    return "".join(sentences)[:num_chars]


@pytest.mark.parametrize("text", [prose(1_000_000), mixed(300_000)], ids=["prose", "mixed"])
def test_a_long_message_loses_what_a_rule_forbids(text: str) -> None:
    rules = [
        HEALTH,
        compile_rule("don't store anything about my sister Anna", "r2"),
        compile_rule("nothing before 2023", "r3"),
    ]
    message = Message("user", text + ".\nI have diabetes.\nMy sister Anna sings.\nMy phone is 020 7946 0958.")
    left = SecretGuard().screen_message(RuleGuard(rules).screen_message(message, 0).message, 0).message.text
    assert not any(word in left for word in ("diabetes", "Anna", "7946"))


def test_every_category_has_names_and_strong_terms() -> None:
    lexicon = load_lexicon()
    assert len(lexicon.categories) == 20
    strong = {p.term.category for phrases in lexicon.exact.values() for p in phrases if p.term.section == "strong"}
    assert strong == set(lexicon.categories)


def test_topics_surnames_and_short_years() -> None:
    rule = compile_rule("never remember anything about teapots")
    assert (rule.categories, rule.entities) == ((), ("teapots",))
    assert violates("Bought another teapot", rule) and not violates("I paint harbours", rule)
    assert violates("Herr Renner schuldet mir Geld", compile_rule("entity:Tobias Renner"))
    assert violates("李薇昨天又来了", compile_rule("entity:李薇"))
    assert violates("back in the summer of '09", compile_rule("nothing before 2020"))


@pytest.mark.parametrize(
    "text", ["xq7Zk2Pw9LmR4tVbN8sY3dHf", "Wklqjv zklfk qrwdqgb xqghuvwdqgv bqgkzx", "k j z q v w x"]
)
def test_what_stays_encoded_is_refused(text: str) -> None:
    assert RuleGuard([HEALTH]).screen_bullet(Bullet("m1", text), None)


@pytest.mark.parametrize("text", ["keep yourself the " * 27, "our this the " * 38, "x keep your my " * 33])
def test_no_wording_is_read_without_end(text: str) -> None:
    with pytest.raises(BoundaryError):
        compile_rule(text, "r1")


@pytest.mark.parametrize("text", ["health yes, politics no", "work: yes, family: no", "Arbeit ja, Familie nein"])
def test_a_wish_to_keep_one_thing_and_not_another_is_two_rules(text: str) -> None:
    with pytest.raises(BoundaryError):
        compile_rule(text, "r1")
