"""Who speaks: which sentences of a user's message are about the user, in the user's own words.

Pasted mails, quoted colleagues, invented characters and questions for a neighbour are not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from hub_toolkit.memory.any_case import AnyCase, has_any

_CODE = re.compile(r"```.*?(?:```|\Z)", re.S)
_QUOTE_LINE = re.compile(r"^\s*>.*$", re.M)
_LONG_QUOTE = re.compile(r"[\"“«]([^\"“”»]{60,}?)(?:[\"”»]|\Z)", re.S)
_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"”')\]]*\s+|\n+")

_OTHER = (
    r"\b(?:she|he|they)(?:'s| has| had|'ve| have)? (?:wrote|written|writes|sent|posted|asked|asks|wants|says|said)\b"
)
_KIN = (
    r"(?:friend|sister|brother|cousin|colleague|neighbou?r|boss|manager|mother|mum|mom|father|dad|aunt|uncle|flatmate|"
    r"roommate|landlord|partner|wife|husband|son|daughter|teammate|coach|client|customer|nephew|niece|lodger|in-laws?)"
)
_NAME = r"[A-Z][\w'’-]+"
_OTHERS_FRAME = AnyCase(
    rf"{_OTHER}"
    rf"|\b(?:it's|this is|this came|that's|it comes?|is|one|post|e-?mail|message|letter|note|text) (?:is )?(?:from|by) (?!me\b)(?:my |our |the |a |an )?\w"
    rf"|\b(?:his|her|their) (?:own )?(?:words?|text|letter|note|post|draft|caption|message|e-?mail|version|notice|review)\b"
    rf"|\b{_NAME}(?: [A-Z]\w+)?['’]s (?:words?|text|letter|note|post|draft|caption|message|e-?mail|notice|review|announcement)\b"
    rf"|\b(?:i|we) (?:just )?(?:got|received|found|was sent|saw) (?:this|an?|the|these) (?:\w+ ){{0,3}}(?:e-?mail|message|letter|note|text|post|review|article|notice)"
    rf"|\b(?:wrote|written|sent|forwarded|posted|emailed) (?:to )?me\b|\bhas written\b|\blanded with me\b"
    rf"|\bmy {_KIN}(?: {_NAME})?(?:'s)? (?:\w+ )?(?:wrote|has written|sent|posted|asked|asks|wants|needs|has to)\b"
    rf"|\bfrom (?:my|our|a) (?:\w+ )?{_KIN}\b|\b(?:article|leaflet|newspaper|brochure|review|website) (?:says|that says|about|reads|below)\b",
)
_NOT_I = r"(?<!\bI )(?<!\bI've )(?<!\bI have )(?<!\bwe )(?<!\bwe've )"
_OTHERS_TEXT: tuple[tuple[tuple[str, ...], re.Pattern[str]], ...] = (
    (
        ("wrote", "written", "sent", "posted", "put", "prints"),
        re.compile(
            rf"{_NOT_I}\b(?:wrote|written|sent|posted|puts? up|put up|prints) (?:me )?(?:this|it|the below|the following|something|that|these)\b"
        ),
    ),
    ((":",), re.compile(r"\b(?:hers|his|theirs|(?:her|his|their) \w+):")),
    (("want",), re.compile(r"\bwants? (?:this|it|me to|an answer|a (?:proper )?(?:answer|reply))\b")),
    (
        ("asked me to",),
        re.compile(r"\basked me to (?:turn|translate|correct|put|shorten|check|look|polish|read)\b"),
    ),
    (
        ("answer", "reply", "respond"),
        re.compile(
            r"\b(?:need|must|have|ought|want|going) to (?:answer|reply|respond)\b|\bmust answer\b|\b(?:answer|reply) (?:to )?(?:this|him|her|them)\b"
        ),
    ),
    (
        ("must", "has to", "needs to"),
        re.compile(
            rf"\b(?:{_KIN}|{_NAME})\b[^.?!]{{0,60}}\b(?:must|has to|needs to) (?:hand in|write|send|submit|post)\b"
        ),
    ),
)
"""What shows that somebody else wrote a text: what such words need one of, and the words."""
_OWN_FRAME = AnyCase(
    r"\b(?:i wrote|i've written|i have written|my (?:own )?(?:draft|post|caption|letter|note|message|answer|reply|version|text|email|e-mail|profile|bio)"
    r"|what i've (?:got|written)|my words|here's mine|i'm sending|i want to (?:send|post)|i've got so far|i wrote this myself|i(?:'ve)? typed|this is to (?:my|the|our)|it goes to)\b",
)
_SALUTATION = re.compile(rf"\s*(?:Dear|Hi|Hello|Hey)?\s*(?P<name>{_NAME})\s*[,!]")
_FICTION = AnyCase(
    r"\b(?:my (?:main )?character|protagonist|short story|a story|the story|my story|(?:for|in|of) (?:a|my|the) novel|fiction|screenplay|sketch about|poem about|made up|invented"
    r"|narrator is|suppose (?:that |someone|somebody|a )|imagine (?:a|an|someone|somebody|that)|hypothetical(?:ly)?|role-?play|a scene)\b",
)
_FOR_SOMEBODY = AnyCase(
    rf"\b(?:my|our|a) (?:\w+ ){{0,2}}{_KIN}\b[^.?!]{{0,60}}\b(?:asked|asks|wants to know|wonders|is asking|was asking|swears|insists|claims|told me|says)\b"
    rf"|\bfor (?:my|a|our) (?:\w+ )?{_KIN}\b|\bnot for me\b|\bon behalf of\b",
)
_FIRST_PERSON = re.compile(
    r"\b(?:I|I'm|I've|I'd|I'll|I’m|I’ve|I’d|I’ll|my|My|me|mine|myself|we|We|we're|we've|our|Our|us)\b"
)
_FIRST_SUBJECT = re.compile(r"\b(?:I|I'm|I've|I'd|I'll|I’m|I’ve|I’d|I’ll|[Ww]e|[Ww]e've|[Ww]e're|[Mm]y|[Mm]ine)\b")
_REQUEST = AnyCase(r"\b(?:give|help|tell|show|remind|let|for|make|explain to|walk|send) (?:me|us)\b")
_THIRD_PERSON = AnyCase(r"\b(?:she|he|her|hers|his|him|they|their|them|himself|herself)\b")
_DENIAL = AnyCase(
    r"\b(?:I(?:'ve| have)? never|I wouldn't know|I know nothing|I don't know the first|I couldn't tell|not (?:my|for me|me\b)|isn't mine|I don't (?:do|own|have|go|play|keep|eat)"
    r"|I can't stand|isn't me|no idea what)\b",
)
_LEAD = r"^(?:(?:please|also|and|oh|ok(?:ay)?|btw|by the way|so|just so you know|fyi|hi|hey|hello|thanks|one more thing|for the record|actually|yes|no)\b(?: \w+(?=,))?[,:!.]? ){0,3}"
_REQUEST_TO_KEEP = AnyCase(
    rf"{_LEAD}(?:(?:can|could|would|will) you |you (?:should|can|may) |i(?:'d| would) like you to |i want you to )?(?:please |always |just )?"
    r"(?:(?:remember|memori[sz]e|keep in mind|bear in mind|don['’]t forget|note(?: down)?|make a note|take note|save|store|know)(?: for (?:me|later|next time|the future))?[,:]? (?!when\b|how\b|what\b|why\b|where\b|if\b|whether\b|to\b)[^?]*\b(?:i|i['’](?:m|ve|d|ll)|my|me|we|our|mine)\b"
    r"|(?:from now on,? )?(?:call|address) me [\w'’-]+(?: [\w'’-]+)?[.!]?$)",
)
_STATE = (
    r"(?:allergic|intolerant|vegan|vegetarian|pescatarian|coeliac|celiac|diabetic|asthmatic|dyslexic|autistic|deaf|blind|colou?r-?blind|left-?handed|married|divorced|widowed|engaged|pregnant|retired|unemployed|self-employed|freelance|"
    r"muslim|jewish|christian|hindu|buddhist|catholic|atheist|gay|trans|from [A-Z]|based in|afraid of|scared of|originally|\d\d\b|an? (?!bit|little|lot|fan of this|mess|wreck)\w+)"
)
_PLAIN_FACT = re.compile(
    rf"{_LEAD}(?:(?:I|i)(?:['’]m| am) (?:also |now |still |strictly |very |severely |a strict )?{_STATE}"
    r"|(?:I|i)(?:['’]ve)? (?:have )?(?:also |now |recently |finally |never )?(?:gave up|given up|quit|stopped|cut out|went off|live in|moved to|work as|work at|work for|work in|was born|grew up|play|study|speak|own a|am called|go by|love|hate|adore|prefer)\b"
    r"|(?:I|i)(?:['’]ve| have| have got) (?:an? |two |three |four )?(?:\w+ )?(?:dogs?|cats?|sons?|daughters?|kids?|children|allerg\w+|asthma|diabetes|migraines?|epilepsy|eczema|horses?|twins)\b"
    r"|(?:M|m)y (?:name|birthday|wife|husband|partner|son|daughter|dog|cat|job|diet|pronouns|favou?rite (?:\w+ ){1,2})(?:['’]s| is| are)? ?(?:is|are|called|in|on)?\b)[^?]{0,120}$"
)


PLAIN_WORDS = 30
"""So short a message hands over no text: who says "I" in it speaks of themselves."""
_PLAIN = AnyCase(
    rf"{_LEAD}(?:(?:I|i|We|we|My|my|Our|our)(?:['’](?:m|ve|re|d))?|ich|mein\w{{0,2}}|wir|je|j['’]\w+|mon|ma|mes|nous|yo|mi|mis|soy|tengo|estoy|io|ho|sono|mio|mia|il mio|la mia|eu|meu|minha|tenho|sou|ik|mijn|wij|я|у меня|мо[йяёи]|나는|저는|제|내) [^?]{{2,200}}$|^[我私僕俺][^?？]{{2,100}}$",
)
_CHATTER = AnyCase(
    rf"{_LEAD}(?:I|we|my|ich|je|yo|io|eu|ik)(?:['’](?:m|ve|re|d|ll))? (?:(?:am|are|have|had|would|just|still|really|do not|don['’]t|can['’]t|cannot|could|will|also) ){{0,3}}(?:need|want|like you|like to (?:know|ask|see|hear)|think|see\b|mean|guess|agree|understand|know|get it|question|(?:a|another|one|some|two) (?:\w+ )?questions?|not sure|confused|wondering|asking|looking for|trying to|"
    r"sorry|hope|wonder|meant|asked|forgot|forget|thought|said|told|wrote|remember|use help|help\b|appreciate|suppose|believe (?:so|you|that|it)|found (?:this|the following)|(?:got|received) (?:this|an? (?:e-?mail|message|letter))|möchte|will|brauche|voudrais|veux|quiero|necesito|vorrei|voglio|quero|preciso|wil|nodig)\b",
)


@dataclass(frozen=True)
class Statement:
    """A sentence of a user's message. `is_personal`: about the user, in the first person; else a bare question or fragment.

    `is_request`: the user asks for it to be remembered; `is_fact`: it says plainly what holds for the user;
    `is_plain`: it is said by the way, in a message that hands over nothing else.
    """

    text: str
    is_personal: bool
    is_request: bool = False
    is_fact: bool = False
    is_plain: bool = False


def split_sentences(text: str) -> list[str]:
    """Split at sentence ends and line ends."""
    return [part.strip() for part in _SENTENCE_END.split(text) if part and part.strip()]


def _pasted(text: str) -> tuple[str, str]:
    """Return the message's frame and what is pasted into it: long quotes, or all that follows a colon line."""
    quotes = _LONG_QUOTE.findall(text)
    if quotes:
        return _LONG_QUOTE.sub("\n", text), "\n".join(quotes)
    head, colon, body = text.partition("\n\n")
    if colon and len(head) < 400 and len(body) > 60 and len(head.split()) < 60:
        return head, body
    return text, ""


def is_own_draft(frame: str) -> bool:
    """Whether the words around a paste say that the user wrote it."""
    return bool(_OWN_FRAME.search(frame))


def is_others_paste(frame: str, pasted: str) -> bool:
    """Whether the words around a paste say that somebody else wrote it."""
    salutation = _SALUTATION.match(pasted)
    if salutation and re.search(rf"\b{re.escape(salutation['name'])}\b", frame):
        return False  # a letter to somebody of whom the user speaks is the user's own
    if re.search(r"^(?:from|subject):", pasted, re.I | re.M) and re.search(r"\b(?:got|received|from)\b", frame, re.I):
        return True
    is_others = _OTHERS_FRAME.search(frame) is not None or any(
        has_any(signs, frame) and pattern.search(frame) for signs, pattern in _OTHERS_TEXT
    )
    return is_others and not _OWN_FRAME.search(frame)


def own_statements(text: str) -> list[Statement]:
    """Return the sentences of a user's message that speak for the user; none where it all is fiction or another's.

    Deterministic and verbatim: each statement stands in `text` as it is, up to line breaks.
    """
    # What is cut out ends a sentence, or the words around it would seem to stand together.
    plain = _QUOTE_LINE.sub("\n", _CODE.sub("\n", text))
    frame, pasted = _pasted(plain)
    if _FICTION.search(frame):
        return []
    is_others = bool(pasted) and is_others_paste(frame, pasted)
    for_somebody = bool(_FOR_SOMEBODY.search(frame))
    parts = [frame] if is_others or not pasted else [frame, pasted]
    is_short = not pasted and len(text.split()) <= PLAIN_WORDS
    statements = []
    for sentence in (s for part in parts for s in split_sentences(part)):
        is_plain = is_short and bool(_PLAIN.search(sentence)) and not _CHATTER.search(sentence)
        is_request, is_fact = bool(_REQUEST_TO_KEEP.search(sentence)), bool(_PLAIN_FACT.search(sentence))
        if _DENIAL.search(sentence) and not is_request:
            continue
        is_personal = is_plain or bool(_FIRST_PERSON.search(_REQUEST.sub(" ", sentence)))
        if _THIRD_PERSON.search(sentence) and not _FIRST_SUBJECT.search(sentence):
            continue
        if (is_others or for_somebody) and (not is_personal or _THIRD_PERSON.search(sentence)):
            continue
        if is_others and _OTHERS_FRAME.search(sentence):
            continue
        statements.append(Statement(sentence, is_personal, is_request, is_fact, is_plain))
    return statements
