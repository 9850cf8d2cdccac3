"""How owners word rules: what each is read as, what is refused with readings to choose from, what is said back."""

from __future__ import annotations

import re

import pytest

from hub_toolkit.errors import BoundaryError
from hub_toolkit.memory.rules.compile import compile_rule
from hub_toolkit.memory.rules.detect import violates
from hub_toolkit.memory.rules.reading import describe_rule


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("never save what I earn", "finance"),
        ("nothing about how I look", "body"),
        ("never remember what I look like", "body"),
        ("don't remember how much I weigh", "body"),
        ("never store what I do for a living", "work"),
        ("never remember who I sleep with", "sexuality"),
        ("my salary is off limits", "finance"),
        ("keep my religion private", "religion"),
        ("leave my family out of it", "family"),
        ("forget everything about my diagnosis", "health"),
        ("I'd rather you not remember my health", "health"),
        ("Don't log my mood", "mental_health"),
        ("merk dir nie wo ich wohne", "location"),
        ("no guardes dónde vivo", "location"),
        ("non ricordare dove abito", "location"),
        ("nichts was mit Geld zu tun hat", "finance"),
        ("my salary is off the record", "finance"),
        ("my money stays between me and me, don't record it", "finance"),
        ("leave my children out of your memory completely", "children"),
        ("my kids aren't for your notes", "children"),
        ("my working hours are not to be kept", "work"),
        ("if I talk about my health, don't write it down", "health"),
        ("my divorce has no place in your memory", "family"),
        ("never store whether I vote", "politics"),
    ],
)
def test_strangers_wordings_are_read(text: str, category: str) -> None:
    rule = compile_rule(text)
    assert rule.effect == "never" and category in rule.categories and not rule.entities


@pytest.mark.parametrize(
    ("text", "effect", "subjects"),
    [
        ("I'd appreciate it if you didn't store my medical history", "never", {"health"}),
        ("pls dont remeber my religon", "never", {"religion"}),
        ("my salary? keep it to yourself", "never", {"finance"}),
        ("never, under any pretext, note my salary", "never", {"finance"}),
        ("What I say about Jonas is between us", "never", {"Jonas"}),
        ("nothing about my friend Mark", "never", {"friend", "Mark"}),
        ("keep quiet about Mrs van der Berg", "never", {"van der Berg"}),
        ("don't store anything about Deutsche Bank", "never", {"Deutsche Bank"}),
        ("my best friend Karim must not be stored", "never", {"friend", "Karim"}),
        ("leave my salary alone", "never", {"finance"}),
        ("you can remember anything except my salary", "never", {"finance"}),
        ("nothing is off limits except my salary", "never", {"finance"}),
        ("forget everything except my hobbies", "only", {"hobbies"}),
        ("only my hobbies, everything else is private", "only", {"hobbies"}),
        ("anything that isn't about work should be ignored", "only", {"work"}),
        ("restrict your memory to my hobbies", "only", {"hobbies"}),
        ("Mein Gehalt geht dich nichts an", "never", {"finance"}),
        ("mi sueldo es asunto mío, no lo guardes", "never", {"finance"}),
        ("maaşım hakkında hiçbir şey kaydetme", "never", {"finance"}),
        ("никогда не сохраняй информацию о моей зарплате", "never", {"finance"}),
        ("내 월급은 비밀이야", "never", {"finance"}),
        ("मेरी सैलरी की जानकारी सेव मत करो", "never", {"finance"}),
        ("只记住我的工作", "only", {"work"}),
    ],
)
def test_frames_and_subjects_are_read_apart(text: str, effect: str, subjects: set[str]) -> None:
    rule = compile_rule(text)
    assert (rule.effect, {*rule.categories, *rule.entities}) == (effect, subjects)


@pytest.mark.parametrize(
    "text",
    [
        "don't forget my hobbies",
        "my job is no secret",
        "don't leave my family out",
        "is my health off limits?",
        "I don't have a job",
        "vergiss nicht meine Hobbys",
        "不要忘记我的爱好",
        "my salary is off limits and remember my hobbies",
        "my health is private and my hobbies are not",
        "don't save my location when I'm at home",
        "never store my family unless I ask",
        "don't store wombles or my health",
        "never qwzx vbnm plkj",
    ],
)
def test_what_asks_to_keep_or_sets_a_condition_is_no_rule(text: str) -> None:
    with pytest.raises(BoundaryError):
        compile_rule(text)


def test_names_times_and_numbers_in_other_forms() -> None:
    marek, liz = compile_rule("nothing about Marek"), compile_rule("nothing about Elizabeth Thornbury")
    assert all(violates(text, marek) for text in ("I was with Markiem", "マレクが来た", "mar3k is late"))
    assert violates("Lizzie was furious", liz) and not violates("the music hall", liz)
    william = compile_rule("nothing about William")
    assert violates("I saw Will there", william) and not violates("I will row on Sunday", william)
    old, long = compile_rule("nothing from before 2021"), compile_rule("never keep numbers longer than 5 digits")
    assert all(violates(text, old) for text in ("31.12.2020 was fun", "In the nineties I skated", "2k19 was fun"))
    assert not violates("12.2022 was fun", old) and not violates("four sets of eight", long)
    assert violates("vier acht zwei neun eins drei", long) and violates("forty-eight twenty-nine thirteen", long)


@pytest.mark.parametrize(
    "text",
    [
        "Zara is off limits",
        "Zara has no business in your notes",
        "leave Zara out of what you know",
        "if I mention Zara, never keep it",
    ],
)
def test_a_name_may_stand_first(text: str) -> None:
    rule = compile_rule(text)
    assert rule.effect == "never" and rule.entities == ("Zara",) and not rule.categories


@pytest.mark.parametrize(
    "text", ["nothing about my life", "That is off the record", "nothing about my plans this weekend"]
)
def test_what_says_no_subject_or_moves_with_the_day_is_refused(text: str) -> None:
    with pytest.raises(BoundaryError):
        compile_rule(text)


@pytest.mark.parametrize(
    ("text", "after", "before"),
    [
        ("nothing from 2023", "2023-01-01", "2024-01-01"),
        ("nichts aus 2023", "2023-01-01", "2024-01-01"),
        ("nothing from March 2023", "2023-03-01", "2023-04-01"),
        ("nothing from 3 May 2024", "2024-05-03", "2024-05-04"),
        ("nothing from 2020-2022", "2020-01-01", "2023-01-01"),
        ("nothing between 2020 and 2022", "2020-01-01", "2023-01-01"),
        ("nothing from the 90s", "1990-01-01", "2000-01-01"),
        ("nothing since 2023", "2023-01-01", None),
        ("nothing from 2023 on", "2023-01-01", None),
        ("nothing after 2024", "2025-01-01", None),
        ("nothing before 2020", None, "2020-01-01"),
        ("only from 2024 on", None, "2024-01-01"),
    ],
)
def test_times_mean_what_they_say(text: str, after: str | None, before: str | None) -> None:
    rule = compile_rule(text)
    assert (rule.effect, rule.after, rule.before) == ("never", after, before)


def test_a_year_forbids_that_year_alone() -> None:
    rule = compile_rule("nothing from 2023")
    assert violates("I kept bees", rule, said_on="2023-05-01")
    assert violates("2023 was the year I kept bees", rule, said_on="2025-01-01")
    assert not violates("I keep bees", rule, said_on="2024-01-01")
    assert not violates("I keep bees", rule, said_on="2022-12-31")
    assert not violates("The bees cost 2023 euros", rule, said_on="2025-01-01")


@pytest.mark.parametrize("text", [r"never: /PRJ-\d{4}/", r"never store anything like /PRJ-\d{4}/"])
def test_slashes_make_a_pattern(text: str) -> None:
    rule = compile_rule(text)
    assert rule.patterns == (r"PRJ-\d{4}",) and not rule.entities
    assert violates("ask about PRJ-1234", rule) and not violates("ask about the project", rule)


@pytest.mark.parametrize(
    ("text", "after", "before"),
    [
        # How often a digit may stand is written {1,2} in a pattern: a day of one digit, of two, and a month of two.
        ("nothing from 2023-1-5 on", "2023-01-05", None),
        ("nothing from 2023-11-25 on", "2023-11-25", None),
        ("nothing from 2023-11", "2023-11-01", "2023-12-01"),
        ("nothing from 5 May 2023 to 25 May 2023", "2023-05-05", "2023-05-26"),
        ("nothing before 31.12.2022", None, "2022-12-31"),
        ("nothing before 12/31/2022", None, "2022-12-31"),
        ("nothing from January to March 2023", "2023-01-01", "2023-04-01"),
        ("nothing from Q4 2023", "2023-10-01", "2024-01-01"),
        ("nothing from the second half of 2023", "2023-07-01", "2024-01-01"),
        ("nothing from 2022 or earlier", None, "2023-01-01"),
        ("nothing up to the end of 2022", None, "2023-01-01"),
        ("nothing from 2019 and 2020", "2019-01-01", "2021-01-01"),
        ("never remember anything I said in 2021", "2021-01-01", "2022-01-01"),
        ("leave 2020 out", "2020-01-01", "2021-01-01"),
    ],
)
def test_dates_in_all_forms(text: str, after: str | None, before: str | None) -> None:
    rule = compile_rule(text)
    assert (rule.after, rule.before, rule.entities, rule.categories) == (after, before, (), ())


@pytest.mark.parametrize(
    ("text", "effect", "subjects"),
    [
        ("just don't remember my job", "never", {"work"}),
        ("I only ask that you never store my religion", "never", {"religion"}),
        ("don't store anything, only hobbies", "only", {"hobbies"}),
        ("just work, nothing else", "only", {"work"}),
        ("remember my hobbies and nothing else", "only", {"hobbies"}),
        ("my religion is private so don't store it", "never", {"religion"}),
        ("never store anything that is about religion", "never", {"religion"}),
        ("nothing about any kind of politics", "never", {"politics"}),
        ("vergiss alles über meine Arbeit", "never", {"work"}),
        ("keep Brontex out of your notes", "never", {"Brontex"}),
        ("nothing about my ex-husband Daniel Ortiz", "never", {"ex", "Daniel Ortiz"}),
        ("nothing on my mother-in-law", "never", {"mother-in-law"}),
        ("don't store my neighbour's garden", "never", {"neighbour", "garden"}),
        ("don't store my children's names", "never", {"children"}),
        ("don't keep anything about my daughter Mia", "never", {"children", "Mia"}),
        ("no guardes nada sobre mi hermana", "never", {"sister"}),
        ("don't save anything about my court case", "never", {"legal"}),
        ("never keep anything about my old company, Brightwave Ltd.", "never", {"work", "Brightwave Ltd"}),
        ("don't remember when I was born", "never", {"age"}),
        ("nothing about my residence permit", "never", {"ethnicity"}),
        ("never keep stuff about Islam", "never", {"religion", "Islam"}),
        ("only football", "only", {"football"}),
        ("n'enregistre rien sur ma santé mentale", "never", {"mental_health"}),
    ],
)
def test_a_rule_says_no_more_and_no_less(text: str, effect: str, subjects: set[str]) -> None:
    rule = compile_rule(text)
    assert (rule.effect, {*rule.categories, *rule.entities}) == (effect, subjects)


@pytest.mark.parametrize(
    ("text", "code", "other"),
    [
        ("never save ticket numbers like SUP-12345", "see sup-7", "SUPPER at 7"),
        ("never save ticket numbers like SUP-12345", "S U P dash 1 2 3", "what's up 4 you"),
        ("no herd numbers such as UK123456", "herd UK 704 518", "UK 2024 elections"),
        ("no student numbers, they look like s plus seven digits", "it is s4471906", "s447"),
        ("nothing from before 2021", "in twenty-nineteen I sang", "twenty two songs"),
        ("number plates like AB12 CDE must not be stored", "it is cd34efg", "AB12"),
        ("never keep tax codes like RSSMRA40A01H501U", "BNCLCU51B02G602V", "RSSMRA"),
        ('never keep anything that looks like "PRJ-1234"', "PRJ-99812 is late", "the project is late"),
        ("never store anything starting with SEC-", "SEC-ab1", "a second one"),
        ("never store JIRA ticket ids (ABC-123)", "closed ABC-1", "ABC is closed"),
    ],
)
def test_an_example_stands_for_its_form(text: str, code: str, other: str) -> None:
    rule = compile_rule(text)
    assert not rule.entities and not rule.categories
    assert violates(code, rule) and not violates(other, rule)


@pytest.mark.parametrize(
    ("text", "named", "other"),
    [
        ("nothing about my weekends", "am Samstag male ich", "on Monday I paint"),
        ("never remember music", "I play the guitar in a band", "I bake rye bread and ski"),
        ("nothing about Bosch, my old firm", "Bosch called", "my old firm boots"),
    ],
)
def test_a_name_stands_for_what_it_is_said_by(text: str, named: str, other: str) -> None:
    rule = compile_rule(text)
    assert len(rule.entities) == 1 and not rule.categories
    assert violates(named, rule) and not violates(other, rule)


def test_forms_hold_no_leftover_of_a_template() -> None:
    # `{1,2}` in a template becomes `(1, 2)`, which fits only that text.
    from hub_toolkit.memory.rules import compile as compiling
    from hub_toolkit.memory.rules import detect, entities, oddness, phrases, rule_times, timing, veiled
    from hub_toolkit.memory.secret import secret_patterns, secret_text

    rooms = (compiling, detect, entities, oddness, phrases, rule_times, timing, veiled, secret_patterns, secret_text)
    forms = [f.pattern for room in rooms for f in vars(room).values() if isinstance(f, re.Pattern)]
    assert len(forms) > 30
    assert [form for form in forms if re.search(r"\(\d+, \d+\)|\(\d+,\)", form)] == []


@pytest.mark.parametrize(
    ("text", "reading"),
    [
        ("only from 2024", "only from 2024-01-01 on"),
        ("nothing private", "never: health"),
        ("no names", "entity:"),
        ("nothing about other people", "never: family"),
        ("never: numbers", "longer than 5 digits"),
        ("nothing from last year", "nothing from 2023"),
        ("no invoice numbers", "nothing like AB-1234"),
        ("never keep only hobbies", "what alone is kept"),
        ("only my hobbies, never my job", "two rules"),
        ("remember my hobbies, not my health", "two rules"),
        ("nothing from 2023 and nothing about health", "for both at once"),
        ("nothing from summer 2021", "2023-06-01"),
        ("nothing from the end of 2022", "2023-06-01"),
        ("nothing from my childhood", "the years"),
        ("nothing before 01/02/2023", "two days"),
        ("nothing from 2019 and 2021", "several times"),
        ("never store wombles", "nothing about wombles"),
        ("never: health and only hobbies", "two rules"),
        ("no passwords", "never kept"),
    ],
)
def test_what_can_mean_several_things_is_refused_with_readings(text: str, reading: str) -> None:
    with pytest.raises(BoundaryError) as caught:
        compile_rule(text)
    assert reading in str(caught.value)


def test_a_rule_is_said_back() -> None:
    assert "from 2023-01-01 to 2023-12-31" in describe_rule(compile_rule("nothing from 2023"))
    assert "numbers of 6 digits or more" in describe_rule(compile_rule("never keep numbers longer than 5 digits"))
    assert "what matches /AB-\\d+/" in describe_rule(compile_rule(r"never: /AB-\d+/"))
    assert "codes of the form SUP-… with" in describe_rule(compile_rule("no ticket ids like SUP-123"))
    assert "codes of the form UK… with" in describe_rule(compile_rule("no numbers such as UK123456"))
    assert "money" in describe_rule(compile_rule("never save what I earn"))
    assert "“Anna”" in describe_rule(compile_rule("nothing about my sister Anna"))
    strict, loose = (describe_rule(compile_rule(text)) for text in ("never: health", "never: health (normal)"))
    assert "another language than English" in strict and "Strict" not in loose


def test_a_strict_rule_refuses_hints_and_other_languages() -> None:
    strict, normal = compile_rule("nothing about my kids"), compile_rule("nothing about my kids (normal)")
    assert (strict.strictness, normal.strictness) == ("strict", "normal")
    foreign = "Wczoraj byłem w domu, bo nie mam już na to siły"
    assert violates(foreign, strict) and not violates(foreign, normal)
    assert violates("The tiny socks are drying on the line", strict)
    assert not violates("The tiny socks are drying on the line", normal)
    assert not violates("I paint harbours in watercolour", strict)


def test_the_owners_own_language_is_kept() -> None:
    foreign = "Ich male gern kleine Häfen mit dem Pinsel"
    assert violates(foreign, compile_rule("nothing about my health"))
    assert not violates(foreign, compile_rule("nichts über meine Gesundheit"))
    assert not violates(foreign, compile_rule("never: Gesundheit"))
    assert violates("Ich habe Diabetes", compile_rule("never: Gesundheit"))


@pytest.mark.parametrize(
    "text",
    [
        "A month before Brexit day I walked the coast",
        "When the first lockdown came I had just learned to row",
        "I kept stick insects when I was a kid",
        "Als Kind hatte ich ein Kaninchen",
    ],
)
def test_events_have_dates(text: str) -> None:
    rule = compile_rule("nothing from before 2023")
    assert violates(text, rule, said_on="2025-03-01")
    assert not violates("I walk the coast and learn to row", rule, said_on="2025-03-01")
    assert not violates(text, compile_rule("nothing from 2024"), said_on="2025-03-01")


def test_a_person_is_known_by_short_name_initial_and_parted_name() -> None:
    tobias, firm = compile_rule("nothing about my ex Tobias"), compile_rule("never mention Brightwave")
    assert violates("Tobi still has my bike", tobias) and violates("Saw T. across the market", tobias)
    assert violates("Bright Wave sent me a mug", firm)
    assert not violates("To be honest, the tide was high. The boat sank.", tobias)
    assert not violates("I love spicy foods", compile_rule("nothing about Caldera Foods"))


def test_only_refuses_hints_of_delicate_things() -> None:
    rule = compile_rule("only hobbies and work")
    assert not violates("I knit jumpers at the weekend", rule)
    assert violates("I knit jumpers between doses", rule)
    assert not violates("I knit jumpers between doses", compile_rule("never: health (normal)"))
    assert violates("The letter from the Home Office came to work", rule)


def test_a_rule_in_another_language_sees_hints_in_it() -> None:
    rule = compile_rule("nichts über meine Gesundheit")
    assert rule.strictness == "strict"
    assert violates("Am Mittwoch schieben sie mich wieder in die Röhre", rule)
    assert not violates("Am Mittwoch male ich wieder den Hafen", rule)
    assert not violates("Am Mittwoch schieben sie mich wieder in die Röhre", compile_rule("never: Gesundheit (normal)"))
