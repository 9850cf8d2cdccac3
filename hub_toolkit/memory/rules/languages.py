"""In which language a text is, told by its script and its small words: enough to see that it is none the lists know well."""

from __future__ import annotations

import re
from functools import lru_cache

_SMALL_WORDS = {
    "en": "the and to of is was that for with it this have has i i'm i've am are be been we our from but not on at my me in as they he she you your by an or so if do does did "
    "don't can't what which who how when where why there their them his her its it's just about into than then no all more some because after before would could should will can up out",
    "de": "der die das und ich ist nicht mit ein eine einen einem einer zu den dem von auf für wir sie er es bin hat habe haben war sind auch noch seit beim im mein meine meinen meiner "
    "mich mir sich aber oder wenn als nach bei aus über keine kein wird werde schon nur immer vor zur zum am man was wie jetzt uns unser unsere ihr",
    "fr": "le la les et je est une des pas mon ma mes nous vous il elle avec pour dans sur qui que ce cette du au aux j'ai c'est suis été sont mais ou plus chez depuis très "
    "notre j'habite l' d' n'ai ne me moi se ses son sa leur on en un tous toujours fait",
    "es": "el los las que y por para con mi mis una uno es soy está estoy no se lo la de del al en un su sus pero como más muy desde hace me he ha tengo cada cuando porque nos nuestro ya sin "
    "todos siempre mucho este esta",
    "it": "il che di sono per non una con mi ho ha è della dei delle nel nella al alla lo gli la le i un del da mio mia miei ma anche come più ogni molto si ci quando perché sempre faccio dal questo quindi niente",
    "pt": "os uma do da de o a que não com meu minha meus minhas é um em no na para por mais mas eu estou tenho foi como quando muito se ao dos das nos já desde há todos sempre depois meio seis",
    "nl": "de het een ik van niet met en is op te dat die mijn we zijn voor er aan ook maar nog bij naar heb heeft als om al wel dan was ben sinds elke hij ze uit door geen onze",
    "pl": "nie się jest z na do w i że to mam moja moje mój od jak po przez już tylko ale co dla ma są byłem byłam był była u lat bardzo mnie mi sobie czy bo gdy przy za swoje",
    "tr": "bir ve bu için ile çok ben benim da de ne var daha gibi ama sonra her kadar mi değil olarak o şu bana beni yok iki",
    "sv": "och att det som en ett på är av för med jag inte har till den om min mitt mina vi de så men var från när efter alla varje eller man",
    "id": "yang dan di saya dengan untuk tidak ini itu dari ke ada aku sudah akan kami pada juga karena bisa lagi setiap",
}  # fmt: skip
_WORDS = {language: frozenset(words.split()) for language, words in _SMALL_WORDS.items()}
_LANGUAGES_OF = {
    word: tuple(language for language, small in _WORDS.items() if word in small)
    for words in _WORDS.values()
    for word in words
}
_SCRIPTS = (
    ("ru", re.compile(r"[\u0400-\u052f]")),
    ("el", re.compile(r"[\u0370-\u03ff\u1f00-\u1fff]")),
    ("he", re.compile(r"[\u0590-\u05ff]")),
    ("ar", re.compile(r"[\u0600-\u077f\ufb50-\ufdff]")),
    ("hi", re.compile(r"[\u0900-\u0dff]")),
    ("th", re.compile(r"[\u0e00-\u0e7f]")),
    ("ja", re.compile(r"[\u3040-\u30ff]")),
    ("ko", re.compile(r"[\u1100-\u11ff\uac00-\ud7af]")),
    ("zh", re.compile(r"[\u3400-\u9fff]")),
)
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_MARKED = re.compile(r"[^\W\d_a-zA-Z]")
_SEEN_CHARS = 1_500
_FOREIGN_SHARE = 0.3
_MIN_MARKED_WORDS = 2
_MIN_WORDS = 3
EVERYONES = "en"


@lru_cache(maxsize=32768)
def language_of(text: str) -> str | None:
    """Return the language of a text (`xx` for one that only its letters tell is not English), None where nothing tells."""
    text = text[:_SEEN_CHARS]
    if text.isascii():
        return _by_words(_WORD.findall(text.lower()))
    num_letters = sum(map(str.isalpha, text)) or 1
    for language, script in _SCRIPTS:
        if len(script.findall(text)) > _FOREIGN_SHARE * num_letters:
            return language
    words = _WORD.findall(text.lower().replace("’", "'"))
    known = _by_words(words)
    if known:
        return known
    num_marked = sum(_MARKED.search(word) is not None for word in words)
    return (
        "xx" if len(words) >= _MIN_WORDS and num_marked >= _MIN_MARKED_WORDS and num_marked * 4 >= len(words) else None
    )


def _by_words(words: list[str]) -> str | None:
    counts = dict.fromkeys(_WORDS, 0)
    for word in words:
        for language in _LANGUAGES_OF.get(word, ()):
            counts[language] += 1
    best = max(counts, key=lambda language: counts[language])
    if not counts[best] or counts[EVERYONES] >= counts[best]:
        return EVERYONES if counts[EVERYONES] else None
    # One small word may stand in a name, a title or a dish of an English sentence.
    return best if counts[best] >= 2 and counts[best] > 2 * counts[EVERYONES] else None


# A rule without small words, such as `never: health`, is English where its words are these.
_ENGLISH_RULE_WORDS = frozenset(
    str.split("""never nothing no dont only without stop store keep save remember health medical medication mental location address religion faith politics sexuality sex gender
    ethnicity finance money salary family kids children legal trouble law substance substances use alcohol drinking drugs age birthday contact education studies school appearance
    body weight looks travel trips food diet work job career hobbies strict strictly normal problems orientation background income debts therapy illness disease race origin""")
)
_TYPE = re.compile(r"^\s*(?:never|only|category)\s*:", re.I)


@lru_cache(maxsize=256)
def rule_language(rule_text: str) -> str | None:
    """Return the language in which an owner wrote a rule, None where its words do not tell."""
    text = _TYPE.sub(" ", rule_text)
    known = language_of(text)
    if known:
        return known
    words = _WORD.findall(text.lower().replace("’", "").replace("'", ""))
    return EVERYONES if words and all(word in _ENGLISH_RULE_WORDS for word in words) else None


def is_foreign(text: str, rule_text: str) -> bool:
    """Whether a text is in a language that is neither English nor that of a rule's own words, where those tell it."""
    language, known = language_of(text), rule_language(rule_text)
    return language is not None and known is not None and language not in (EVERYONES, known)
