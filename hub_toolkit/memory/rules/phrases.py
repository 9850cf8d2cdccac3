"""Ways in which people word a rule: turned into plain words, or refused with what they may have meant."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import NamedTuple

from hub_toolkit.errors import BoundaryError
from hub_toolkit.memory.rules.folding import fold
from hub_toolkit.memory.state import Strictness

_NEVER_PHRASES = (
    r"\b(?:is|are|its|s)? ?(?:strictly )?(?:none of your (?:business|concern)|off[- ]limits|taboo|a no[- ]go|not your (?:business|concern)|nobodys business|(?:a )?private matter|between me and \w+)\b",
    r"\b(?:is|are) (?:strictly |totally |absolutely )?(?:private|secret|confidential|personal|sensitive|mine alone|my (?:own )?(?:affair|business|concern))(?=$|,? (?:so |and )?(?:do not|dont|never) \w+ (?:it|them|that)(?: down)?$)",
    r"\bmust (?:stay|remain|be kept) (?:private|secret|confidential|out)\b",
    r"\b(?:stays?|remains?) (?:with me|private|secret|between us|out of it|out)\b",
    r"\b(?:out of (?:it|this|what(?:ever)? you (?:remember|know|keep|store|save|note|record|learn|write down)|(?:your |the |my |our )?(?:memory|notes?|notebook|records?|files?|storage|history|logs?|profile|everything)))$",
    r"^(?:please )?keep (?=.*\b(?:to myself|private|secret|confidential)$)",
    r"^(?:please )?(?:leave|keep) (?=.*\bout(?: of (?:it|this|that|(?:your |the |my |our )?(?:memory|notes?|notebook|records?|files?|storage|history|head|logs?|profile|chats?|mind|everything)))?$)",
    r"\b(?:must|should|shall|may|can) (?:never|not) be (?:stored|saved|kept|remembered|recorded|noted|written down|mentioned)\b",
    r"\b(?:is|are|s)? ?(?:strictly )?(?:off the record|out of bounds|banned|forbidden|a secret|a blank page(?: for you)?|(?:no ones|no one elses|nobody elses) (?:business|concern|affair))(?=$|[,:])",
    r"\b(?:isnt|is not|arent|are not) something (?:you|to|that you) (?:should |may |can |ought to |are to )?(?:store|save|keep|remember|record|note|write down|mention)$",
    r"\b(?:isnt|is not|arent|are not) yours to (?:store|save|keep|remember|record|note|write down|mention|know)$",
    r"[:,] ?(?:just |please )?(?:forget|drop|skip|leave|ignore) (?:it|them|that|this|those)$",
    r"[:,] ?(?:keep out|hands off|zero storage|no storage|store nothing|save nothing|keep nothing|never|not in (?:your |the |my )?(?:memory|notes?|notebook|records?|files?))$",
    r"\b(?:stays?|remains?|is|are|goes) un(?:recorded|mentioned|saved|stored|noted|logged|remembered|written|said)$",
    r"\b(?:should|must|has to|have to) (?:vanish|disappear|go|be (?:gone|dropped|forgotten|deleted|erased|left out))$",
    r"\b(?:must|should|may|shall|can) (?:never|not) appear (?:in|on) (?:your |the |my |our )?(?:memory|notes?|notebook|records?|files?|storage|history|logs?|profile)\b",
    r"^(?:please )?(?:leave|keep) (?=.*\b(?:blank|aside|alone|unrecorded|unmentioned|unsaved|unstored|unnoted|unlogged|unsaid)$)",
    r"^(?:please )?(?:keep|stay|be) (?:quiet|silent|mum)(?: (?:in|on) (?:your |the |my )?(?:memory|notes?|records?))? (?:about|on)\b",
    r"\b(?:isnt|is not|arent|are not|aint|not) (?:to be (?:registered|retained|stored|saved|kept|remembered|recorded|noted|written down|mentioned)|for (?:storage|storing|saving|keeping|remembering|recording|noting|(?:your |the |my )?(?:memory|notes?|notebook|records?|files?)))\b",
    r"\b(?:has|have) no (?:place|business)(?: being)? (?:in|on) (?:your |the |my |our )?(?:memory|notes?|notebook|records?|files?|storage|history|logs?|profile|everything)\b",
    # "If I talk about my job, don't keep it" sets no exception.
    r"^(?:if|when|whenever)(?: i(?:m|ve|d)?)?(?: (?:ever|do|have|am|was|been|talk|talked|mention|mentioned|say|said|speak|spoke|bring|tell|told|you))*(?=\b.*,? (?:dont|do not|never) (?:keep|store|save|write|note|record|remember|log) (?:it|that|this|them)(?: down)?$)",
    r"\b(?:must|should|may|shall|can|is|are) (?:never|not)(?: to)? (?:turn|show|end|come|pop) up (?:in|on) (?:your |the |my |our )?(?:memory|notes?|notebook|records?|files?|storage|history|logs?|profile|everything)\b",
    r"\b(?:stays?|remains?|is|are) (?:just |strictly )?between (?:me|us|myself)(?: and \w+)?(?:,? (?:so |and )?(?:do not|dont|never) \w+ (?:it|them|that)(?: down)?)?$",
    r"\b(?:dont|do not) you dare(?: to)?\b",
    r"^(?:bitte )?(?:vergiss|losche)(?: (?:alles|was))*(?: (?:uber|von|zu))?\b|^(?:s il te plait )?oublie[sz]?(?: tout)?(?: (?:sur|de|ce qui concerne))?\b",
    r"^(?:por favor )?(?:olvida|borra|esquece|esqueca)(?:te)?(?: (?:todo|tudo))?(?: (?:sobre|de|lo de))?(?: a)?\b|^(?:per favore )?(?:dimentica|cancella)(?: tutto)?(?: (?:su|di|sulla|sul))?\b",
    r"^(?:please )?(?:leave|keep|stay|steer|hands) (?:out|away|off|clear)(?: of| from)?\b",
    r"^(?:please )?(?:forget|drop|delete|erase|wipe|remove)(?: (?:all|everything|anything|whatever|that|it|what))*(?: (?:about|on|from|of))?\b",
    r"\b(?:id|i would) (?:rather|prefer) (?:you|that you|if you) (?:not|didnt|did not|never)\b",
    r"\bi (?:dont|do not) (?:want|like|need)(?: you)?\b",
)
_ONLY_PHRASES = (
    r"^(?:please )?(?:stick|limit(?: yourself)?|restrict(?: yourself)?|confine(?: yourself)?) to\b",
    r"\bnothing else than\b",
    r"(?:and |but |, )?not (?:one|a single|any) (?:thing|word) (?:more|else)$",
    r"\b(?:and |but |, )?(?:nothing (?:else|more)(?: at all| please)?|sonst nichts|nichts (?:anderes|sonst|weiter)|rien d autre|rien dautre|nada mas|nada mais|nient altro|nientaltro|niets anders)$",
)
_STRICTNESS = re.compile(
    r"^\s*(?P<first>strictly|loosely|normally)\b[:,]?\s*|\s*[\[(,]\s*(?P<last>strict|strictly|loose|loosely|normal|normally)\s*[\])]?\s*$",
    re.I,
)
_VAGUE = {
    r"(?:anything |everything |all |nothing )?(?:personal|private|sensitive|intimate details|confidential)(?: (?:data|information|info|stuff|things|details|matters))?": "“never: health, location, finance, contact, family”, or “only hobbies and work”",
    r"(?:anything|everything|all|nothing)(?: all)?": "“only hobbies” keeps little; to keep nothing, do not read chats into the memory",
    r"(?:other )?(?:names?|peoples?)(?: (?:other )?(?:people|persons|friends|anyone|names?))?": "“entity:Anna” for one person, “never: family” for kin, “never: contact” for addresses",
    r"(?:other|others|other people|third parties|other persons|anyone else|people)": "“never: family”, or “entity:Anna” for one person",
    r"(?:numbers?|digits?|codes?|zahlen|nombres|numeros)": "“never keep numbers longer than 5 digits”, or “never: contact”",
    r"(?:dates?|times?)": "“never: age” for birthdays, or “nothing from before 2024-01-01”",
    r"(?:(?!phone|tel|mobile|card|account|passport)\w+ )?(?:ticket|order|case|invoice|reference|customer|tracking|serial|booking|contract|file|policy|member|account)? ?(?:ids?|identifiers?|numbers?|references?|tickets?|refs?)": "the form of one, such as “nothing like AB-1234” or “never: /AB-\\d+/”, or “never keep numbers longer than 5 digits”",
    r"(?:my |the )?(?:childhood|youth|teenage years|teens|school years|school days|university years|student days|twenties|thirties|past)": "the years, such as “nothing from 1990-2005”, or “never: children”, “never: age”",
    r"(?:my |the )?papers?(?: (?:or|and) status)?": "“never: ethnicity” (origin and immigration), or “never: legal”",
    r"(?:only )?(?:(?:very|really|too) )?(?:public|important|useful|relevant|necessary|good|nice|positive|harmless|safe|non sensitive|bad|embarrassing|negative|weird|silly|wrong|controversial|boring|intimate)(?: (?:things?|stuff|facts?|information|data|details|moments|memories))?": "what it is about, such as “never: health, finance”, or “only hobbies and work”",
    r"(?:gossip|nonsense|rubbish|secrets?)": "“never: family”, “never: sexuality”, or “entity:Anna”",
}
_SECRET = (
    r"(?:card|account|pass ?words?|pass ?codes?|(?:door |access |security |bank )?codes?|pins?|pin codes?|api keys?|(?:credit )?card numbers?|(?:bank )?account numbers?"
    r"|ibans?|(?:national |tax |personal )?(?:id|identity|insurance) numbers?|social security numbers?|passport numbers?|passwort|passworter|mots? de passe|contrasenas?)"
)
_SECRETS = re.compile(rf"(?!codes?$){_SECRET}(?: (?:or |and |nor )?{_SECRET})*")
_RELATIVE = re.compile(
    r"\b(?:last|past|previous|this|current|next) (?:(?:\d+|two|three|four|five|few|couple of|several|ten) )?(?:years?|months?|weeks?|weekends?|summer|winter|spring|autumn)\b"
    r"|\b(?:older|newer|younger|longer) than (?:a|an|one|two|three|\d+) (?:years?|months?|weeks?|days?)\b|\b(?:a|\d+) (?:years?|months?|weeks?|days?) old\b|\bletztes jahr\b|\blast year s\b"
)
_LIKE = r"(?:\b(?:that |which )?(?:looks?|looking|shaped|formatted|written|is|are)? ?(?:like|such as|e\.?g\.?|of the (?:form|kind)|in the (?:form|style) of|with the form|wie|comme|como|come|matching|match(?:es)?)|\()\s*[\"“„«'‘]?"
_CODE_FORM = re.compile(
    _LIKE
    + r"(?P<code>[A-Za-z]{1,10}(?:[-_ #/][A-Za-z]{1,10})?[-_#/]?\d{2,12}(?:[-_/.]\d{1,12})*)(?-i:(?![-/.]?[A-Z0-9])(?! [A-Z0-9]+\b))[\"”»'’]?\)?",
    re.I,
)
# Letters behind digits, as on number plates: no part is the same in all of them.
_MIXED_FORM = re.compile(
    _LIKE + r"(?P<code>(?=[A-Z0-9 .-]*\d)(?=[A-Z0-9 .-]*[A-Z])[A-Z0-9]+(?:[ .-][A-Z0-9]+){0,7})(?![\w-])[\"”»'’]?\)?"
)
_COUNTED = {w: n for n, w in enumerate(str.split("three four five six seven eight nine ten eleven twelve"), start=3)}
_CODE_COUNT = re.compile(
    rf"(?:\b(?:they |it |which |that )?(?:look|looks|is|are) like )?\b(?:an? |the letters? )?(?P<start>[A-Za-z]{{1,5}}) (?:plus|and|then|with|followed by) (?P<count>\d{{1,2}}|{'|'.join(_COUNTED)}) (?:digits|numbers|figures|numerals)\b",
    re.I,
)
_CODE_START = re.compile(
    r"\b(?:that |which )?(?:start|begin)(?:s|ing)? with\s+[\"“'‘]?(?P<start>[A-Za-z]{2,10}[-_#/]?)(?![a-z])[\"”'’]?",
    re.I,
)
_CODE_NOUNS = re.compile(
    r"\b(?:(?:tax|herd|national|customer|student|matriculation|licence|license|policy|member|staff|employee|number|reg) )?(?:tickets?|plates?|customers?|orders?|invoices?|cases?|bookings?|references?|refs?|projects?|serials?|jira|files?|codes?|ids?|identifiers?|strings?|numbers?|nummern?|n(?:ú|u)meros?|numeri)\b",
    re.I,
)
_IN_LAW = re.compile(r"\b(?P<kin>mother|father|parents?|sister|brother|son|daughter)s?[- ]in[- ]law(?:['’]?s)?\b", re.I)
_EX_PARTNER = re.compile(
    r"\b(?:former|previous|ex)[- ](?:husband|wife|partner|girlfriend|boyfriend|spouse|fianc(?:é|e)e?)\b", re.I
)


def take_code_forms(text: str) -> tuple[list[str], str]:
    """Return patterns for codes given by an example (`ticket ids like SUP-123`): any digits in their places; and the rest."""
    text = re.sub(r"(?<=[\w/-])#{2,12}", lambda found: "0" * len(found.group()), text)  # INV-####
    is_mixed = not _CODE_FORM.search(text)
    forms = [_spoken(found["code"]) for found in _CODE_FORM.finditer(text)]
    forms = forms or [_shape(found["code"]) for found in _MIXED_FORM.finditer(text)]
    forms += [_counted(found["start"], found["count"]) for found in _CODE_COUNT.finditer(text)]
    starts = [rf"(?i)\b{re.escape(found['start'])}\w+" for found in _CODE_START.finditer(text)]
    if not forms and not starts:
        return [], text
    text = _CODE_COUNT.sub(" ", text)
    rest = _CODE_START.sub(" ", (_MIXED_FORM if is_mixed else _CODE_FORM).sub(" ", text))
    rest = re.sub(r"\b(?:that |which )?looks? like\b", " ", _CODE_NOUNS.sub(" ", rest))
    return [*(rf"(?i)\b{form}\b" for form in forms), *starts], rest


def _spoken(code: str) -> str:
    """Return the pattern of a code with any digits, written or spelled: SUP-12, S U P dash 1 2."""
    runs = re.findall(r"[A-Za-z]+|\d+|[^A-Za-z\d]+", code)
    parts = [_GAP if not run.isalnum() else _letters(run) if run.isalpha() else _DIGITS for run in runs]
    for place, (run, after) in enumerate(pairwise(runs)):
        if run.isalpha() and after.isdigit():  # `UK 12` may be anything, where `UK123456` is meant
            parts[place + 1] = rf"(?:\d+|[ .-]\d(?:[ .-]?\d){{{len(after) - 1},14}})" if len(after) > 1 else r"\d+"
    return "".join(parts)


def _counted(start: str, count: str) -> str:
    num = _COUNTED.get(count.lower()) or int(count)
    return rf"{_letters(start)}[ .-]?\d(?:[ .-]?\d){{{max(1, num) - 1}}}"


def _letters(run: str) -> str:
    return rf"(?:{run}|{'[ .-]'.join(run)})" if len(run) > 1 else run


_GAP = r"[\W_]{0,3}(?:dash|hyphen|minus|slash)?[\W_]{0,3}"
_DIGITS = r"\d(?:[ .-]?\d){0,14}"
_JOINED_DIGITS = re.compile(r"\(\?:\\d\+\|\[ \.-\]\\d\(\?:\[ \.-\]\?\\d\)\{\d+,14\}\)|\\d\+")


def code_example(pattern: str) -> str | None:
    """Return what a code's pattern was made of, without its digits; None for a pattern that an owner wrote."""
    if not (pattern.startswith("(?i)\\b") and (_DIGITS in pattern or "(?:\\d+|" in pattern)):
        return None
    plain = pattern.removeprefix("(?i)\\b").removesuffix("\\b").replace(_GAP, "-").replace(_DIGITS, "…")
    plain = re.sub(r"\(\?:([A-Za-z]+)\|[^()]*\)", r"\1", _JOINED_DIGITS.sub("…", plain))
    return plain if re.fullmatch(r"[A-Za-z]+(?:-?[A-Za-z]+)?-?…(?:-…)*", plain) else None


def _shape(code: str) -> str:
    """Return the pattern of a code: any letters and digits in their places, its separators there or not."""
    runs = re.findall(r"[A-Z]+|\d+|[ .-]+", code)
    return "".join(
        "[ .-]?" if not run.isalnum() else rf"{'[A-Z]' if run.isalpha() else chr(92) + 'd'}{{{len(run)}}}"
        for run in runs
    )


_APPOSITION = re.compile(
    r",\s*(?:my|the|a|our)\s+(?:old |former |current |new )?(?:place|firm|company|employer|shop|business|label|agency|studio|club|team|school|app|delivery app)\b"
    r"(?: (?:where )?(?:i|we) \w+(?: (?:at|for|in))?)?(?=\s*(?:$|[,.;]))",
    re.I,
)


def one_word_kin(text: str) -> str:
    """Return a rule with a former partner called the ex, so that the present one is not meant, and in-laws quoted.

    What a firm is to the owner ("Bosch, my old firm") says nothing of its own.
    """
    text = _APPOSITION.sub(" ", text)
    return _IN_LAW.sub(r'"\g<kin>-in-law"', _EX_PARTNER.sub("ex", text))


class Plain(NamedTuple):
    """A rule's words with its idioms made plain; `effect` where an idiom says it; `strictness` where it is said."""

    text: str
    effect: str | None
    strictness: Strictness | None


def take_strictness(text: str) -> tuple[str, Strictness | None]:
    """Return a rule's words without `strictly …` or `… (normal)`, and what they say."""
    found = _STRICTNESS.search(text)
    if not found:
        return text, None
    word = (found["first"] or found["last"]).lower()
    return (text[: found.start()] + " " + text[found.end() :]).strip(), "strict" if word.startswith(
        "strict"
    ) else "normal"


_TAIL = re.compile(
    r"[\s,]+(?:completely|entirely|altogether|totally|please|at all|always|forever|for good|thanks|thank you|about me|on me|of mine|and so on|and such|and the like|in any form|not even roughly|as far as i['’]?m concerned)(?=[\s.!]*$)",
    re.I,
)


def plain_words(text: str) -> Plain:
    """Return a rule with its idioms made plain."""
    text, strictness = take_strictness(text)
    text = _TAIL.sub("", text)
    folded = fold(text).replace("'", "").strip(" .!")
    for effect, forms in (("never", _NEVER_PHRASES), ("only", _ONLY_PHRASES)):
        for form in forms:
            found = re.search(form, folded)
            if found and found.group().strip():
                return Plain(_without(text, found.group()), effect, strictness)
    return Plain(text, None, strictness)


def _without(text: str, phrase: str) -> str:
    """Take a folded phrase out of a text as it was written: names keep their capitals."""
    form = r"\W{1,3}".join("['’]?".join(map(re.escape, word)) for word in re.findall(r"\w+", phrase))
    plain = re.sub(rf"\b{form}\b", " ", text, count=1, flags=re.I)
    return plain if plain != text else fold(text).replace(phrase, " ", 1)


def refuse_unclear(text: str, rest: str) -> None:
    """Refuse words that can be read in several ways; `rest` is what stands behind never, only and keeping words.

    Raises: BoundaryError: with the readings to choose from.
    """
    folded = fold(text)
    if _RELATIVE.search(folded):
        raise BoundaryError(
            f"“{_found(_RELATIVE, folded)}” moves with the day; write a date: “nothing from before 2024-01-01”, “nothing from 2023”"
        )
    if _SECRETS.fullmatch(rest):
        raise BoundaryError(
            "passwords, keys, card and account numbers are never kept, with no rule needed; for other numbers write “never keep numbers longer than 5 digits”"
        )
    for form, readings in _VAGUE.items():
        if re.fullmatch(form, rest):
            raise BoundaryError(f"“{rest or text.strip()}” can mean many things; write one of: {readings}")


def _found(form: re.Pattern[str], text: str) -> str:
    found = form.search(text)
    return found.group() if found else ""
