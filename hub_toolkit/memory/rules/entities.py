"""Whether a text speaks of a person or thing that a rule names, under other spellings and words for the same kin."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from hub_toolkit.data.terms import stem
from hub_toolkit.memory.rules.ciphers import decoded, turned
from hub_toolkit.memory.rules.described import described_name, is_described
from hub_toolkit.memory.rules.folding import fold, spelled_out, spellings
from hub_toolkit.memory.rules.lexicon import tokenize
from hub_toolkit.memory.rules.oddness import folded_and_odd
from hub_toolkit.memory.rules.rule_words import is_around
from hub_toolkit.memory.rules.scripts import is_same_name, romanize

_ENDINGS = ("", "s", "e", "u", "a", "om", "oy", "oi", "y", "i", "ya", "ie", "ka", "chen", "lein", "ita", "ito", "nya")
KIN_WORDS = {
    "sister": "sister sis sibling schwester soeur hermana sorella irma zus zusje siostra siostr* сестр* 姐姐 妹妹 姐 妹 姉 언니 누나 여동생 أختي اخت* बहन kardesim kiz",
    "brother": "brother bro sibling bruder frere hermano fratello irmao broer brat* брат* 哥哥 弟弟 兄 弟 오빠 형 남동생 أخي اخي भाई abim",
    "mother": "mother mum mom mam mama mommy mummy mutter mutti maman mere madre mamma mae moeder matka мама мам* мать матер* 妈妈 母亲 母 엄마 어머니 أمي امي मां माँ annem parent parents",
    "father": "father dad daddy papa pa vater vati pere padre papa pai vader ojciec tata отец отц* папа пап* 爸爸 父亲 父 아빠 아버지 أبي ابي पिता babam parent parents",
    "wife": "wife missus spouse ehefrau frau femme epouse esposa mujer moglie vrouw zona жен* 妻子 老婆 妻 아내 زوجتي पत्नी karim",
    "husband": "husband hubby spouse ehemann mann mari epoux esposo marido marito man maz муж* 丈夫 老公 夫 남편 زوجي पति kocam",
    "partner": "partner spouse boyfriend girlfriend lebensgefahrt* compagnon compagne pareja compagn* parceir* vriend vriendin партнер* 对象 パートナー",
    "girlfriend": "girlfriend gf freundin copine novia fidanzata namorada vriendin dziewczyna девушк* подруг* 女朋友 彼女 여자친구 صديقتي",
    "boyfriend": "boyfriend bf freund copain novio fidanzato namorado vriend chlopak парен* 男朋友 彼氏 남자친구 صديقي",
    "ex": "ex exwife exhusband exgirlfriend exboyfriend exfrau exmann",
    "son": "son sohn fils hijo figlio filho zoon syn сын* 儿子 息子 아들 ابني बेटा oglum",
    "daughter": "daughter tochter fille hija figlia filha dochter corka дочь доч* 女儿 娘 딸 ابنتي बेटी kizim",
    "boss": "boss manager supervisor chef chefin patron jefe jefa capo chefe baas szef начальник* 老板 上司 상사",
    "friend": "friend mate pal buddy bestie freund freundin ami amie amigo amiga amico amica vriend przyjaciel друг* подруг* 朋友 友達 친구",
    "grandmother": "grandmother grandma granny nan nana oma grossmutter grandmere meme abuela nonna avo vovo babcia бабушк* 奶奶 外婆 祖母 할머니 جدتي दादी nani",
    "grandfather": "grandfather grandpa grandad opa grossvater grandpere pepe abuelo nonno avo dziadek дедушк* 爷爷 外公 祖父 할아버지 جدي दादा",
    "aunt": "aunt auntie tante tia zia ciocia тет* 阿姨 姑姑 おば 이모 고모",
    "uncle": "uncle onkel oncle tio zio oom wujek дяд* 叔叔 舅舅 おじ 삼촌",
    "cousin": "cousin cousine primo prima cugino cugina neef nicht kuzyn кузен* 表哥 表姐 表妹 いとこ 사촌",
    "neighbour": "neighbour neighbor nachbar* voisin* vecin* vicino vicina vizinh* buur* sasiad* сосед* 邻居 隣人 이웃",
    "colleague": "colleague coworker kolleg* collegue companer* collega colega коллег* 同事 同僚 동료",
    "landlord": "landlord landlady vermieter* proprietaire casero huisbaas",
    "nephew": "nephew neffe neveu sobrino nipote sobrinho",
    "niece": "niece nichte niece sobrina nipote sobrinha",
    "therapist": "therapist shrink counsellor counselor psycholog* therapeut*",
    "roommate": "roommate flatmate housemate mitbewohner*",
    "dog": "dog puppy hund hundin chien perro cane cachorro hond pies собак* 狗 犬 강아지",
    "cat": "cat kitten katze chat gato gatto kat kot кошк* кот 猫 고양이",
}
"""Words for the same kin; what ends in * takes any ending."""
KIN_ALIASES = {
    "mum": "mother", "mom": "mother", "mama": "mother", "dad": "father", "papa": "father", "sis": "sister", "bro": "brother",
    "spouse": "partner", "hubby": "husband", "grandma": "grandmother", "granny": "grandmother", "nan": "grandmother",
    "grandpa": "grandfather", "grandad": "grandfather", "exwife": "ex", "exhusband": "ex", "exgirlfriend": "ex",
    "exboyfriend": "ex", "manager": "boss", "supervisor": "boss", "neighbor": "neighbour", "coworker": "colleague",
    "flatmate": "roommate", "housemate": "roommate", "auntie": "aunt",
}  # fmt: skip
_SECOND_NAMES = {
    "anna": "安娜 アンナ 안나 آنا अन्ना", "maria": "玛丽亚 マリア 마리아 ماريا", "tom": "汤姆 トム 톰 توم", "david": "大卫 デビッド 데이비드",
    "john": "约翰 ジョン 존 جون", "peter": "彼得 ピーター 피터", "sarah": "莎拉 サラ 사라 سارة", "michael": "迈克尔 マイケル 마이클 mike mikey mick",
    "thomas": "tom tommy", "elizabeth": "liz beth eliza betty lizzie lizzy", "william": "will bill billy", "robert": "rob bob bobby",
    "katherine": "kate katie kathy kat", "james": "jim jimmy jamie", "alexander": "alex sasha", "margaret": "maggie meg peggy",
    "daniel": "dan danny", "samuel": "sam", "samantha": "sam", "benjamin": "ben", "jonathan": "jon", "andrew": "andy drew",
    "christopher": "chris", "jennifer": "jen jenny", "susan": "sue susie", "edward": "ed eddie ted", "richard": "rick dick",
    "music": "musik musique musica muzyka музык* 音楽 音乐 음악 song songs singer singers singing sing choir band bands guitar* piano pianist violin* cello drums drummer concert* gig gigs playlist* album* vinyl karaoke opera jazz orchestra* symphon* ukulele saxophone* accordion* flute trumpet* melod*",
    "sport": "sport sports football soccer tennis basketball volleyball rugby cricket hockey golf swim* running runner marathon* jog* cycling cyclist gym workout* yoga pilates climb* boxing judo karate martial rowing ski skiing snowboard* surf* skate* badminton squash athletics fußball futbol foot fitness training match matches",
    "games": "game games gaming gamer* videogame* xbox playstation nintendo steam chess boardgame* dungeons minecraft fortnite puzzle* sudoku poker",
    "weekend": "weekend weekends saturday saturdays sunday sundays wochenende wochenenden samstag samstags sonntag sonntags samedi dimanche sabado sabados domingo domingos sabato domenica sobota sobote niedziela 週末 土曜 日曜 周末 周六 周日 주말",
    "rebecca": "becky becca", "deborah": "deb debbie", "gregory": "greg", "stephen": "steve", "steven": "steve", "matthew": "matt matty", "nathaniel": "nate", "timothy": "tim timmy",
    "anthony": "tony", "lawrence": "larry", "frederick": "fred freddy", "philip": "phil", "zachary": "zach", "abigail": "abby", "gabriel": "gabe", "vincent": "vince vinny", "henry": "harry hank",
    "catherine": "cathy kate katie", "kathleen": "kathy", "jacqueline": "jackie", "victoria": "vicky", "leonard": "lenny", "theodore": "teddy theo", "francisco": "paco", "dmitri": "dima mitya",
    "ekaterina": "katya", "mikhail": "misha", "nikolai": "kolya", "ivan": "vanya", "alexandra": "alex sasha sandra", "johannes": "hannes", "giuseppe": "beppe",
    "annabel": "anna", "nicholas": "nick", "patricia": "pat patty", "joseph": "joe joey", "charles": "charlie chuck",
}  # fmt: skip
# Short names that are words too: they count with a capital inside a sentence alone.
_WORDS_TOO = frozenset(str.split("will bill drew sue pat rich dick rob"))
_KANA = re.compile(r"[\u30a1-\u30fc]{2,}")
_TOPICS = frozenset(("music", "sport", "games", "weekend"))
_SAME_TOPIC = {"sports": "sport", "gaming": "games", "weekends": "weekend"}
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


def kin_of(word: str) -> str | None:
    """Return the kin that a folded word of a rule names, None where it names none."""
    word = KIN_ALIASES.get(word, word)
    return word if word in KIN_WORDS else _foreign_kin().get(word)


@lru_cache(maxsize=1)
def _foreign_kin() -> dict[str, str]:
    """Return the kin that words of other languages name; none where a word can be two."""
    meant: dict[str, set[str]] = {}
    for kin, words in KIN_WORDS.items():
        for word in map(fold, words.replace("*", "").split()):
            meant.setdefault(word, set()).add(kin)
    return {word: kin.pop() for word, kin in meant.items() if len(kin) == 1 and (len(word) > 4 or not word.isascii())}


def names_entity(text: str, entity: str) -> bool:
    """Whether a text names an entity: in any case, script, ending or code, or kin by another word."""
    return any(_names(text[i : i + 2_000], entity) for i in range(0, max(1, len(text)), 1_900))


@dataclass(frozen=True)
class _Named:
    """An entity as it may be written: its words, parts of its name, and other words: whole, by beginning, unspaced."""

    wanted: tuple[str, ...]
    ways: tuple[tuple[str, ...], ...]
    words: frozenset[str]
    beginnings: tuple[str, ...]
    unspaced: tuple[str, ...]
    initial: re.Pattern[str] | None = None
    description: str | None = None
    """The name of what it is, where texts speak of such without a name."""


@lru_cache(maxsize=512)
def _named(entity: str) -> _Named:
    wanted = tuple(t for t in tokenize(fold(entity)) if t != ".")
    kin = kin_of(wanted[0]) if len(wanted) == 1 else None
    others = (KIN_WORDS[kin] if kin else _second_names(entity, wanted)).split()
    plain = [fold(word) for word in others if not _CJK.search(word) and word not in _WORDS_TOO]
    return _Named(
        wanted,
        tuple(_ways_to_name(entity, wanted)) if wanted else (),
        frozenset([word for word in plain if not word.endswith("*")] + _short_names(entity) + _elided(entity)),
        tuple(word[:-1] for word in plain if word.endswith("*")),
        tuple(word for word in others if _CJK.search(word)),
        _cased(entity, [word.title() for word in others if word in _WORDS_TOO]),
        described_name(kin or fold(entity)),
    )


def _second_names(entity: str, wanted: tuple[str, ...]) -> str:
    first = _SAME_TOPIC.get(wanted[0], wanted[0]) if wanted else ""
    is_person = len(wanted) > 1 and entity.istitle() and first not in _TOPICS
    return _SECOND_NAMES.get(first, "") if len(wanted) == 1 or is_person else ""


def _elided(entity: str) -> list[str]:
    """Return the cases of a Slavic name that loses a vowel: Marka, Markiem for Marek."""
    name = fold(entity)
    if not (_is_first_name(entity) and len(name) >= 5 and name.endswith(("ek", "ec"))):
        return []
    return [name[:-2] + name[-1] + case for case in ("a", "u", "iem", "em", "owi", "ovi", "om", "i")]


def _cased(entity: str, names: list[str]) -> re.Pattern[str] | None:
    """Return the form of what counts by its capital: `Saw Y. across the market`, in front of no sentence's first word."""
    forms = [rf"(?<=[a-z,;] ){name}(?!\w)" for name in names]
    if _is_first_name(entity):
        forms += [rf"(?<![\w.]){entity[0]}\.?(?= [a-z])", rf"(?<![\w.]){entity[0]}\. (?=[a-z])"]
    return re.compile("|".join(forms)) if forms else None


def _is_first_name(entity: str) -> bool:
    return entity.isascii() and entity.istitle() and entity.isalpha() and entity[0] not in "AI"


@lru_cache(maxsize=16384)
def _names(text: str, entity: str) -> bool:
    named = _named(entity)
    if not named.wanted:
        return False
    folded, is_odd = folded_and_odd(text)
    if _stands_in(folded, named) or (named.initial and named.initial.search(text)):
        return True
    if named.description and is_described(folded, named.description):
        return True
    if not is_odd:
        # Only signs inside words can hide it then, and only where its letters stand there in a row.
        views = spellings(folded) if _INNER_SIGN.search(folded) else ()
        letters = " ".join("".join(filter(str.isalnum, view)) for view in views)
        if not any("".join(way)[:_MIN_NAME_CHARS] in letters for way in named.ways):
            return False
    return any(_is_hidden_in(view, named) for view in (text, *decoded(text)))


_MIN_NAME_CHARS = 4
# Words that names of many firms and places end in: alone they name none.
_OF_MANY = frozenset(
    str.split("""food foods logistics group company corp corporation limited gmbh bank banking systems solutions media labs tech technologies technology energy university college
    school hospital clinic project street road avenue city centre center club hotel restaurant cafe motors airlines insurance consulting partners industries international services
    software studio studios capital ventures holdings team office north south east west blue green black white""")
)


def _short_names(entity: str) -> list[str]:
    """Return what a first name is cut to: Tobi for Tobias."""
    first = entity.split()[0]
    short = fold(first)[:4]
    is_cut = first.istitle() and first.isalpha() and 6 <= len(first) <= 9
    return [short] if is_cut and not is_around(short, is_english=True) else []


def _ways_to_name(entity: str, wanted: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Return an entity's words, and each part of a person's name: a text may give the surname alone."""
    parts = entity.split()
    if len(parts) < 2 or len(parts) != len(wanted) or not all(part[0].isupper() for part in parts):
        return [wanted]
    return [wanted, *((word,) for word in wanted if len(word) >= _MIN_NAME_CHARS and word not in _OF_MANY)]


_INNER_SIGN = re.compile(r"[^\W\d_][-.*~'\"/\\|·•,;:+=^#()\[\]{}013457@$!]{1,3}[^\W\d_]")


def _is_hidden_in(text: str, named: _Named) -> bool:
    folded = fold(text)
    if any(_stands_in(spelling, named) for spelling in spellings(folded)):
        return True
    letters = "".join(named.wanted)
    if any(letters in run for run in spelled_out(folded)):
        return True
    return len(letters) >= _MIN_NAME_CHARS and any(_stands_in(other, named) for other in turned(folded))


@lru_cache(maxsize=8192)
def _tokens(folded: str) -> list[str]:
    return tokenize(folded)


def _stands_in(folded: str, named: _Named) -> bool:
    tokens = _tokens(folded)
    if not named.words.isdisjoint(tokens):
        return True
    if any(map(folded.__contains__, named.beginnings)) and any(t.startswith(named.beginnings) for t in tokens):
        return True
    if any(way[-1][:2] in folded and _has_run(tokens, way) for way in named.ways):
        return True
    if folded.isascii():
        return False
    if any(word in folded for word in named.unspaced):
        return True
    if _CJK.search(named.wanted[0]) and "".join(named.wanted) in folded.replace(" ", ""):
        return True
    kana = [romanize(run) for run in _KANA.findall(folded)]
    if kana and any(_has_run(kana, tuple(word.replace("l", "r") for word in way)) for way in named.ways):
        return True
    romanized = [romanize(token) for token in tokens]
    if any(_has_run(romanized, way) for way in named.ways):
        return True
    return len(named.wanted) == 1 and any(is_same_name(token, named.wanted[0]) for token in tokens)


def _has_run(tokens: list[str], wanted: tuple[str, ...]) -> bool:
    size, last = len(wanted), wanted[-1]
    if size == 1:
        near = {token for token in tokens if token[:2] == last[:2]}
        return any(_same(token, last, is_last=True) for token in near) or (bool(near) and _is_parted(tokens, last))
    return wanted[0] in tokens and any(
        all(_same(t, w, is_last=i == size - 1) for i, (t, w) in enumerate(zip(tokens[k:], wanted, strict=False)))
        for k in range(len(tokens) - size + 1)
    )


def _is_parted(tokens: list[str], word: str) -> bool:
    """Whether two words in a row make a name: Bright Wave."""
    return len(word) >= 6 and any(a + b == word for a, b in pairwise(tokens) if len(a) > 1)


def _same(token: str, word: str, *, is_last: bool) -> bool:
    if token == word:
        return True
    if not is_last or len(word) < 3:
        return False
    root = word[:-1] if word[-1] in "aeiouy" and len(word) > 3 else word
    if token.startswith(root) and token[len(root) :] in _ENDINGS and (root == word or len(token) >= len(word)):
        return True
    # Words of one stem begin alike: few need to be stemmed.
    begins = min(4, len(word) - 1)
    return token[:begins] == word[:begins] and len(token) > 3 and stem(token) == stem(word)
