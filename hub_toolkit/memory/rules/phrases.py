"""Ways in which people word a rule: turned into plain words, or refused with what they may have meant."""

from __future__ import annotations

import re
from itertools import pairwise

from hub_toolkit.errors import BoundaryError
from hub_toolkit.memory.rules.folding import fold
from hub_toolkit.memory.state import Strictness

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
    + r"(?P<code>[A-Za-z]{1,10}(?:[-_ #/][A-Za-z]{1,10})?[-_#/ ]?\d{2,12}(?:[-_/.]\d{1,12})*)(?-i:(?![-/.]?[A-Z0-9])(?! [A-Z0-9]+\b))[\"”»'’]?\)?",
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
    r"\b(?:that |which )?(?:start|begin)(?:s|n?ing)? with\s+[\"“'‘]?(?P<start>[A-Za-z]{2,10}[-_#/]?)(?![a-z])[\"”'’]?",
    re.I,
)
_CODE_NOUNS = re.compile(
    r"(?:\b(?!(?:and|or|nor|that|which)\b)[^\W\d]+(?:['’]s)? ){0,3}\b(?:tickets?|plates?|customers?|orders?|invoices?|cases?|bookings?|references?|refs?|projects?|serials?|jira|files?|codes?|ids?|identifiers?|strings?|numbers?|nummern?|n(?:ú|u)meros?|numeri|keys?|tags?|labels?|anything|badges?|badge|sku|skus)\b",
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
    rest = _CODE_NOUNS.sub(" ", re.sub(r"\b(?:that |which )?looks? like\b", " ", rest))
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


def take_strictness(text: str) -> tuple[str, Strictness | None]:
    """Return a rule's words without `strictly …` or `… (normal)`, and what they say."""
    found = _STRICTNESS.search(text)
    if not found:
        return text, None
    word = (found["first"] or found["last"]).lower()
    return (text[: found.start()] + " " + text[found.end() :]).strip(), "strict" if word.startswith(
        "strict"
    ) else "normal"


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
