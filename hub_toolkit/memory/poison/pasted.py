"""Which parts of a user's message are typed by the user, and which are pasted from elsewhere."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from hub_toolkit.memory.poison.provenance import is_others_paste, is_own_draft
from hub_toolkit.memory.poison.unmask import Folded

Speaker = Literal["own", "draft", "pasted", "other"]
"""own: typed to the assistant; draft: the user's text for somebody else; pasted: nobody knows whose; other: another's."""

MAX_QUOTE_CHARS = 4000
MAX_FRAME_CHARS = 1200


@dataclass(frozen=True)
class Region:
    """Characters `start` to `end` of the folded text, and who speaks there.

    `is_sure`: the words around an "other" say so; else they only have words that often go with others' texts.
    """

    start: int
    end: int
    speaker: Speaker
    is_discussion: bool = False
    is_sure: bool = False


_SOURCE = (
    r"ocr|scanned|pdf|billboard|banner|product page|landing page|ad copy|ad text|slogan|subtitles?|lyrics|song|verse \d|chorus|voice ?mail|transcri\w{2,6}|clause|terms and conditions|chain letter|horoscope|"
    r"exercise|worksheet|quiz|exam|pupil['’]s|student['’]s|essay by|sql|csv|yaml|json|xml|html|latex|regex|source code|config\w{0,8}|log ?file|logs|terminal|commit|git (?:log|diff|status|blame)|linter|compiler|stdout|stderr|trace ?back|stack trace|build output|pipeline|output of|changelog|readme|search results?|forum|reddit|comment section|"
    r"spam|scam|phishing|sample (?:answers?|text|sentence)|example sentence|boilerplate|placeholder|notebook|handwriting|sticky note|fortune cookie|meme|movie|film quote|quotation|proverb|speech by|podcast|wikipedia|textbook"
)
"""Texts that people look at and seldom write: what stands in one is not theirs, unless they say so."""
_ASKS_OF_TEXT = (
    r"what (?:do|does|did|is|are|might|could) (?:this|that|it|these|those|they|the (?:\w+ )?(?:lyrics|text|author|writer|clause|sentence|message|mail|letter|note|sender|error)|he|she)(?: \w+){0,3}? (?:mean|want|say|imply|try|refer|about)\w{0,3}\b|who (?:said|wrote|sang|is speaking)\b|"
    r"is (?:this|that|it|the (?:text|review|mail|message|letter))(?: \w+)? (?:a |an |really |actually )?(?:fake|spam|scam|fraud|legit\w{0,6}|genuine|real|valid|true|trustworthy|phishing|chain|advert|ad\b|bot|written by|injection)|which tense|what tense|what(?:['’]s| is) (?:wrong|the error|the bug|going on)|why (?:does|is|did) (?:this|it)\b|(?:rate|judge|fact-?check) (?:this|that|the) \w+|"
    r"what do you (?:make|think) of (?:that|this|the|it)\b|continue (?:this|the) (?:story|tale|scene|poem|text|dialogue)|your (?:line|turn)\?|explain (?:this|the) (?:clause|sentence|joke|quote|text|paragraph|passage|phrase|error|code|message|line)|how (?:should|do|can) (?:we|i) (?:respond|reply|react)|"
    r"que veut dire|que signifie|que significa|que quiere decir|was bedeutet|was heisst|was will|was steht (?:hier|da|drin|darin)|que dit (?:ce|cette)|que dice (?:est[ea]|aqui)|o que diz|cosa dice|wat staat (?:hier|er)|cosa significa|che vuol dire|o que quer dizer|wat betekent|co (?:to )?znaczy|ne demek|vad betyder|hvad betyder|что (?:это )?(?:значит|означает)|什么意思|何を意味|どういう意味|무슨 뜻|ماذا يعني"
)
_ALIEN = re.compile(rf"\b(?:{_SOURCE})\b|\b(?:{_ASKS_OF_TEXT})|(?:什么意思|何を意味|どういう意味|무슨 뜻|ماذا يعني)")
_SOMEONE = re.compile(
    r"\b(?:someone|somebody|a (?:customer|client|user|stranger|guest|visitor|reader|follower|troll|guy|girl|man|woman|friend)|people|one of (?:my|our) \w+) (?:\w+ ){0,2}(?:left|leaves|wrote|writes|posted|posts|sent|sends|said|says|put|commented|replied|shared|texted)\b"
)
_MY_NOTES = re.compile(
    r"\b(?:turn|make|put|use|take|from|shape|work) (?:\w+ )?my (?:own |rough )?(?:notes|points|words|thoughts|facts)\b"
)
_TURN_OPENS = r"(?:<\|(?!im_end|eot|end)[^|>\n]{1,30}\|>|<<\s?sys\s?>>|\[inst\]|<start_of_turn>)"
_SIGNATURE = re.compile(
    rf"{_TURN_OPENS}|"
    r"\s{0,4}\W{0,3}(?:verse|chorus|refrain|strophe|outro)\b|\s{0,4}(?:fwd?|wg|rv)\s?:|--[ \t]{0,3}\n|sent from my\b|gesendet von mein|envoye de mon|enviado desde mi|inviato da"
)
_PAIRS = (("```", "```"), ("<!--", "-->"), ("/*", "*/"))
_TURN_MARK = re.compile(
    rf"(?P<open>{_TURN_OPENS})|<\|(?:im_end|eot|end)[^|>\n]{{0,30}}\|>|<<\s?/sys\s?>>|\[/inst\]|<end_of_turn>"
)
MAX_TURN_CHARS = 20_000
_SALUTATION = (
    r"(?:dear|hi|hello|hey|good (?:morning|day|evening)|sehr geehrte\w?|liebe[rs]?|hallo|guten tag|chere?s?|bonjour|madame|monsieur|estimad[oa]s?|querid[oa]s?|hola|buenos dias|"
    r"gentil[ei]|car[oaie]|egregi[oa]|buongiorno|prezad[oa]s?|ola|bom dia|beste|geachte|szanown\w{1,3}|уважаем\w{1,3}|здравствуйте)\b[^\n,!]{0,60}[,!]"
)
_BLOCKS = re.compile(
    r"^[ \t]{0,3}>[^\n]{0,4000}(?:\n[ \t]{0,3}>[^\n]{0,4000})*"
    r"|^(?:from|to|subject|von|an|betreff|de|a|para|objet|asunto|assunto|da|per|oggetto|van|aan|onderwerp|fra|til|emne|od|temat|от|тема|发件人|主题)\s{0,2}:[^\n]{0,300}\n[\s\S]{0,20000}"
    r"|^--[ \t]{0,3}\n[^\n]{1,400}(?:\n[^\n]{1,400}){0,8}|^(?:sent from my|gesendet von mein|envoye de mon|enviado desde mi|inviato da)\b[^\n]{0,400}",
    re.M,
)
_LETTER = re.compile(rf"(?<=\n\n){_SALUTATION}[\s\S]{{0,20000}}")
"""A letter below what the user types: at the top of a message a greeting is one to the assistant."""
_MAIL_HEAD = re.compile(
    r"(?:from|subject|von|betreff|de|objet|asunto|assunto|da|oggetto|van|onderwerp|fra|emne|od|temat|от|тема|发件人|主题)\s{0,2}[:：]"
)
_BLOCK = re.compile(r"[^\n]{1,20000}(?:\n[^\n]{1,20000}){0,400}")
_STRUCTURE = re.compile(
    r"^\s{0,8}</?[a-z][^>\n]{0,80}>|<([a-z]\w{0,9})\b[^>\n]{0,80}>[^<]{0,2000}</\1>|<(?:html|body|div|p|span|article|meta|script|style|table|li|h\d|img|a )[ >]|^\[//\]:|^\s{0,6}[{\[]\s{0,4}[\"'{\[]|^\s{0,4}\|[^\n]{1,400}\|\s{0,4}$|^(?:begin|end):[a-z]"
    r"|^[a-z][a-z-]{2,20}(?:;[^:\n]{1,60})?:\S[^\n]{0,400}\n[a-z][a-z-]{2,20}(?:;[^:\n]{1,60})?:\S|^\W{0,2}\d{4}-\d\d-\d\d[ t]\d\d:\d\d|^\W{0,2}\[?\d\d?:\d\d(?::\d\d)?\]? "
    r"|^[a-z][\w .-]{0,24}: [^\n]{1,600}\n(?:[^\n]{0,600}\n){0,2}[a-z][\w .-]{0,24}: \S"
    r"|^\s{0,8}(?:insert into \w|update [\w.`]{1,40} set\b|select [^\n]{1,200} from \w|delete from \w|create table\b|//\s?\S|#!|\\[a-z]{2,20}\{)|^(?:fwd?|wg|tr|rv|doorst)\s?:\s|^[\w-]{1,40}\.(?:md|txt|py|js|ts|json|ya?ml|toml|csv|html?|log|pdf|docx?)\s{0,3}$"
    r"|^[a-z_][\w-]{0,30}:[ \t]{0,3}\n[ \t]{1,12}(?:- |[a-z_][\w-]{0,30}: )|^(?:verse|chorus|bridge|refrain|strophe|outro)\b[^\n]{0,12}[:\]]"
    r"|^[^\n,;\t.?!]{1,40}(?:[,;\t](?! )[^\n,;\t?!]{1,60}){2,4}\n[^\n,;\t.?!]{1,40}(?:[,;\t](?! )[^\n,;\t?!]{1,60}){2,4}$",
    re.M,
)
_QUOTES = re.compile(
    rf"\"[^\"\n]{{12,{MAX_QUOTE_CHARS}}}?\"|“[^“”]{{12,{MAX_QUOTE_CHARS}}}?”|„[^„“”]{{12,{MAX_QUOTE_CHARS}}}?[“”]|«[^«»]{{8,{MAX_QUOTE_CHARS}}}?»|「[^「」]{{5,{MAX_QUOTE_CHARS}}}?」|『[^『』]{{5,{MAX_QUOTE_CHARS}}}?』"
    rf"|`[^`\n]{{8,{MAX_QUOTE_CHARS}}}?`|(?<![\w])['‘](?:[^'‘’\n]|(?<=\w)['’](?=\w)){{12,1500}}['’](?!\w)"
)
_REQUEST = (
    r"translat\w{0,5}|summari[sz]\w{0,3}|tl;?dr|polish|proof-?read|shorten|tighten|rewrite|reword|paraphrase|rephrase|explain|reply to|respond to|answer (?:this|him|her|them)|what (?:does|do|is|are) (?:this|that|it|they|the|he|she)|"
    r"check|review|look at|read (?:this|through|the|it)|fix|debug|convert|tidy|clean up|format|extract|analy[sz]e|make sense|thoughts on|key points|correct|improve|edit|parse|refactor|help me (?:with|understand|answer|reply)|"
    r"(?:got|received|found|forwarded|copied|pasted|pasting|saw|sent me|wrote|writes|says|said|posted|reads|returned|printed|output|shows?|told me|transcript|document|article|page|website|e-?mail|mail|message|text|letter|notes?|log|readme|csv|json|file|snippet|code|comment|tool|search results?|result|here (?:is|are|it is)|here['’]s|below|following|attached|ticket|invite|review|post|caption|alt text|bio|minutes|story|script|scene|poem|lyrics|role-?play|play|game|pretend)\b|"
    r"ubersetz\w{0,4}|fass\w{0,4}|korrigier\w{0,3}|traduis\w{0,4}|tradui[rt]\w{0,2}|resume[rz]?|corrige[rz]?|traduc\w{0,5}|resum[ei]\w{0,2}|traduz\w{0,3}|riassum\w{0,3}|vertaal|samenvat\w{0,3}|przetlumacz|cevir\w{0,3}|переведи\w{0,2}|перескажи\w{0,2}|翻译|翻譯|总结|翻訳|訳して|要約|번역|요약|ترجم|لخص|अनुवाद|תרגם"
)
_FRAME = re.compile(
    rf"\b(?:{_REQUEST}|rate|judge|{_SOURCE})|\b(?:{_ASKS_OF_TEXT})|(?:翻译|翻譯|总结|翻訳|訳して|要約|번역|요약|ترجم|لخص|अनुवाद|תרגם)"
)
_COLON = re.compile(r"[^\n:：]{3,300}[:：][ \t]{0,4}(?=\S)")
_TAIL_REQUEST = re.compile(
    rf"\b(?:{_REQUEST})|\b(?:{_ASKS_OF_TEXT})|\b(?:this|that|above|it) (?:mean|say)|\bthe above\b"
)
_GAVE = re.compile(
    r"\b(?:gave|gives|showed|shows|told|tells|sent) (?:me|us)\s{0,3}$|(?<!\bi )\b(?:says?|said|printed|prints|returned|returns|shows|showed|reads|outputs?|spat out|threw|replied|answered|responded|wrote|logged)\s{0,3}$"
)
_ON_NEXT_LINE = re.compile(
    r"^\s{0,3}https?://\S{4,300}\s{0,3}$|\b(?:translate|summari[sz]e|tl;?dr|paraphrase|fact-?check)\b[^\n?]{0,60}$"
)
"""Ends a line of the user's behind which, in the next, stands what a tool or a person put out."""
_ADDRESS_FIRST = re.compile(r"\s*(?:https?://|www\.)\S")
_OWN_WISH = re.compile(
    r"\b(?:remember|save|store|note|keep|know|learn|memori[sz]e)\b[^\n]{0,60}\b(?:about me|for me|following|these|this|things|facts|preferences)\b|\bmy (?:\w+ )?(?:preferences|custom instructions|instructions|rules|settings|profile|wishes|facts)\b|\babout me\b|\bhow i (?:want|like) you\b"
)
_DISCUSSION = re.compile(
    r"\bprompt[- ]?injections?\b|\binjection attacks?\b|\bsystem prompts?\b|\bjailbreak\w{0,4}|\bred[- ]?team\w{0,3}|\b(?:llm|ai|memory|prompt) security\b|\bmemory poisoning\b|\bphishing\b|\bguardrails?\b|\bmy (?:\w+ )?(?:prompt|chatbot|bot|agent)\b|\bprompt (?:template|engineering|for)\b|\b(?:chatbot|bot|agent|llm app) (?:i|we)['’ ]|"
    r"\buser (?:stories|story|research|interviews?|testing|persona)\b|\bacceptance criteria\b|\bux\b|\bspec(?:ification)?\b|\brequirements?\b|\bour (?:app|product|saas|website)\b|\bunit tests?\b|\bworksheet\b|\blesson\b|\bmy (?:class|pupils|students)\b|\bthe (?:exam|homework)\b"
)
_FICTION = re.compile(
    r"\b(?:role-?play|pretend|imagine you|let['’]s play|play a game|you are (?:now )?\w+bot|act as|acting as|in (?:this|our) (?:game|story|scene)|you are \w{2,12} now|stay in character|your character|(?:my|a|the) (?:game|main|dnd|d&d|rpg|player|novel|sim) character|story so far|once upon a time|continue (?:in )?(?:this|the|my)(?: same)? (?:story|tale|scene|poem|dialogue|style|chapter|plot)|next (?:scene|chapter)\b|let['’]s (?:do|act out|improvise) (?:a |an |some )?(?:play|scene|skit|improv)|in the voice of|pretend to be|screenplay|script for (?:a|the|my) (?:\w+ )?(?:film|play|scene|video|sketch|show|movie)|simulat(?:e|ing)\b)\b"
)
_SAYS = re.compile(
    r"(?<!\bi )(?<!\bwe )\b(?:says|said|writes|wrote|texted|posted|claims|insists|told me|asked me|sent me|sent this)\b"
)
_SAID_BEFORE = re.compile(
    r"\b(?<!\bi )(?<!\bi['’]ve )(?<!to )(?:says?|said|wrote|writes|written|texted|posted|claims|insists|told me|asked me|sent me|sent this|reads|from (?:my|our|a|the) [\w '’]{1,30})[^.?!\n]{0,30}[:,—–-]?\s{0,4}$"
    r"|(?<!\bi )\b(?:goes(?! to\b)|sings|repeats|keeps saying|keeps repeating|shouts|yells|whispers|tells me)[^.?!\n]{0,12}[:,—–-]?\s{0,4}$"
    r"|[\w\])]\s?=\s?$"
    r"|(?<!\bje )\b(?:dit|repete|ecrit|raconte|affirme|pretend|jure|sagt|schreibt|meint|behauptet|erzahlt|dice|escribe|repite|afirma|asegura|scrive|ripete|sostiene|diz|escreve|repete|zegt|schrijft|beweert)[^.?!\n]{0,40}[:,—–-]?\s{0,4}$|(?<!\bi )(?<!\bi['’]ve )(?<!\bi have )\b(?!happened)(?:\w{2,14}ed|sent|put|goes|ends with|begins with|starts with) ?(?:me |us )?:\s{0,4}$"
)
_SAID_AFTER = re.compile(
    r"\s{0,3}(?:said|says|asked|cried|shouted|whispered|replied|answered|muttered|sang|yelled|wrote|sagte|rief|dit|cria|dijo|disse|zei) (?!i\b|ich\b)\w"
)
_SOMEBODYS = re.compile(
    r"\b(?!month['’]s|week['’]s|year['’]s|it['’]s|that['’]s|here['’]s|what['’]s|there['’]s|let['’]s|he['’]s|she['’]s|who['’]s|how['’]s|where['’]s|today['’]s|tomorrow['’]s|yesterday['’]s)[^\W\d]{3,16}['’]s (?:\w+ )?(?:cv|resume|diary|letter|e?-?mail|text|essay|story|post|message|note|draft|report|application|bio|profile|homework|speech|blog|tweet|journal|paper|answer|review|reply|caption|status|statement|page|article|comment)s?\b"
)
_THIS_TEXT = re.compile(
    r"\b(?:this|these|following|below)(?: is| are)?(?: the| an?)? (?:\w+ ){0,2}(?:transcripts?|interviews?|podcasts?|articles?|documents?|web ?pages?|websites?|logs?|outputs?|results?|snippets?|tickets?|invites?|threads?|comments?|leaflets?|flyers?|adverts?|reviews?|lyrics|minutes|abstract|papers?)\b"
)
_CLAIMED = re.compile(
    r"\bi(?:['’]m| am| have| need| want| must| ought|['’]ve| owe| had)? (?:\w+ ){0,4}(?:write|wrote|writing|written|leave|leaving|send|sending|sent|reply|tell|put up|summary|answer|collate|say)\b|\b(?:my|our) (?:(?!colleague|friend|boss|teacher|sister|brother|mother|father)\w+ ){0,2}(?:notes?|message|draft|e-?mail|letter|text|post|answer|reply|words|instructions|tweet|review|caption|bio|essay|diary|journal|blog|speech|toast|cv|resume|profile|application|poem|lyrics|song|article|invitation|invite|script|testimonial|notebook|newsletter|flyer)\b"
    r"|\b(?:i['’]d like|i want|i need) (?:this|it)(?: to)? (?:sound|read|look|be|come across)|\bturn (?:this|it) into\b|\b(?:need|want) (?:a|to send|to say)\b|\bit goes to\b|\bthis (?:has to|must) (?:go|hang)\b|\bhelp me (?:fit|say|word|put)\b|\b(?:message|letter|note|card|post|complaint|reply|answer) (?:to|for) (?:my|the|our|a|[a-z]+[,:])"
)
_FROM_MACHINE = re.compile(
    r"\b(?:tool|api|plugin|browser|crawler|terminal|console|scraped?|ocr|web ?page|website|wiki|forum|reddit|readme|repo|pdf|csv|json|html|stack ?overflow|newsletter|advert|flyer|leaflet|download\w{0,2})\b"
    r"|\b(?:this|the|an?|these|following|from|search) (?:\w+ )?(?:article|document|page|log|results?|output|snippet|ticket|invite|transcript|interview|speech|podcast|book|chapter|lyrics|minutes|comment|review|file|attachment|blog|thread|chat)\b|\b(?:i )?(?:found|saw|copied|got|received)\b"
)
_MACHINE = re.compile(
    r"\b(?:tool|api|function|search|plugin|browser|crawler|terminal|console|log|scraped?|ocr|web ?page|website|site|article|wiki|forum|reddit|readme|repo|pdf|document|attachment|csv|json|html|invite|ticket|review|comment|stack ?overflow|newsletter|blog|ad|advert|flyer|leaflet|download\w{0,2}|from the (?:web|internet|net))\b"
)


def find_regions(folded: Folded) -> tuple[Region, ...]:
    """Cut a user's message into regions by speaker; together they cover it."""
    return _find_regions(folded.plain, folded.low)


@lru_cache(maxsize=16)
def _find_regions(plain: str, low: str) -> tuple[Region, ...]:
    taken = _merged([*_fenced(low), *_turns(low)])
    taken = _add_matches(taken, _BLOCKS, low)
    taken = _add_matches(taken, _LETTER, low)
    taken = _add_structured(taken, low)
    taken = _add_matches(taken, _QUOTES, low)
    taken = _add_paragraphs(taken, low)
    own = _gaps(taken, len(low))
    frame = " ".join(low[start:end] for start, end in own)[: 2 * MAX_FRAME_CHARS]
    plain_frame = " ".join(plain[start:end] for start, end in own)[: 2 * MAX_FRAME_CHARS]
    is_discussion = bool(_DISCUSSION.search(frame))
    is_fiction = bool(_FICTION.search(frame))
    pasted = "\n".join(plain[start:end] for start, end in taken)[:MAX_QUOTE_CHARS].lstrip(' \n"“„«')
    speaker, is_sure = _paste_speaker(frame, plain_frame, pasted) if taken else ("own", False)
    own_speaker: Speaker = "other" if is_fiction else "own"
    regions = [Region(start, end, own_speaker, is_discussion, is_fiction) for start, end in own]
    for start, end in taken:
        is_mail = _MAIL_HEAD.match(low[start : start + 20]) is not None
        is_said = bool(_SAID_BEFORE.search(low, max(0, start - 80), start))
        is_said = is_said or _SAID_AFTER.match(low, end) is not None
        is_others = is_mail or is_said or _SIGNATURE.match(low, start, end) is not None
        regions.append(Region(start, end, "other" if is_others else speaker, is_sure=is_others or is_sure))
    return tuple(sorted(regions, key=lambda region: region.start))


def _fenced(low: str) -> list[tuple[int, int]]:
    """Return code blocks and comments; one that is never closed goes on to the end."""
    blocks = []
    for opening, closing in _PAIRS:
        start = low.find(opening)
        while start >= 0:
            end = low.find(closing, start + len(opening))
            end = len(low) if end < 0 else end + len(closing)
            blocks.append((start, end))
            start = low.find(opening, end)
    return blocks


def _turns(low: str) -> list[tuple[int, int]]:
    """Return the turns of a chat in a model's own marks: up to the mark that ends one, else to the next empty line."""
    marks = list(_TURN_MARK.finditer(low))
    closing = len(low) + MAX_TURN_CHARS
    closed_at: dict[int, int] = {}
    for mark in reversed(
        marks
    ):  # from the end, so that each opening knows the nearest end: one pass, whatever stands there
        if mark["open"] is None:
            closing = mark.end()
        else:
            closed_at[mark.start()] = closing
    turns: list[tuple[int, int]] = []
    for start, end in sorted(closed_at.items()):
        if turns and start < turns[-1][1]:
            continue
        if end - start > MAX_TURN_CHARS or end > len(low):
            blank = low.find("\n\n", start)
            end = len(low) if blank < 0 else blank
        first = turns.pop()[0] if turns and not low[turns[-1][1] : start].strip() else start
        turns.append((first, end))
    return turns


def _paste_speaker(frame: str, plain_frame: str, pasted: str) -> tuple[Speaker, bool]:
    """Return who wrote what is pasted, going by the words around it, and whether they say so plainly."""
    is_draft = is_own_draft(plain_frame) or bool(_CLAIMED.search(frame))
    if _MY_NOTES.search(frame) and not _FICTION.search(frame):
        return "draft", False
    if _FICTION.search(frame) or is_others_paste(plain_frame, pasted) or _SOMEBODYS.search(frame):
        return "other", True
    if not is_draft and (_ALIEN.search(frame) or _ADDRESS_FIRST.match(frame) or _SOMEONE.search(frame)):
        return "other", True
    if _THIS_TEXT.search(frame) and not is_draft:
        return "other", True
    if _SAYS.search(frame) or _MACHINE.search(frame):
        return "other", False
    if _OWN_WISH.search(frame):
        return "own", False
    return ("draft" if is_draft else "pasted"), False


def _gaps(taken: list[tuple[int, int]], length: int) -> list[tuple[int, int]]:
    gaps, place = [], 0
    for start, end in taken:
        if start > place:
            gaps.append((place, start))
        place = max(place, end)
    if place < length:
        gaps.append((place, length))
    return gaps


def _add_matches(taken: list[tuple[int, int]], pattern: re.Pattern[str], low: str) -> list[tuple[int, int]]:
    found = [
        (match.start(), match.end())
        for start, end in _gaps(taken, len(low))
        for match in pattern.finditer(low, start, end)
    ]
    return sorted([*taken, *found])


def _add_paragraphs(taken: list[tuple[int, int]], low: str) -> list[tuple[int, int]]:
    """Take what follows a request on a text, or a colon; or what stands before a request at the end."""
    gaps = _gaps(taken, len(low))
    if not gaps:
        return taken
    first, limit = gaps[0]
    start = _paste_start(low, first, limit)
    if start is not None:
        return _merged(
            [*taken, (start, limit), *gaps[1:]] if _is_long_paste(low, start, limit) else [*taken, (start, limit)]
        )
    last = low.rstrip().rfind("\n\n")
    tail = low[last:] if last > 0 else ""
    if 0 < len(tail.strip()) < 400 and _TAIL_REQUEST.search(tail) and gaps[0][0] == 0:
        return _merged([*taken, (0, last)])
    return taken


def _add_structured(taken: list[tuple[int, int]], low: str) -> list[tuple[int, int]]:
    """Take the paragraphs that nobody types: mark-up, records of keys and values, logs, tables, transcripts."""
    found = [
        (block.start(), block.end())
        for start, end in _gaps(taken, len(low))
        for block in _BLOCK.finditer(low, start, end)
        if _STRUCTURE.search(block.group())
    ]
    return sorted([*taken, *found])


def _is_long_paste(low: str, start: int, limit: int) -> bool:
    """Whether the paste goes on behind a quotation in it: several lines are, one line is not."""
    return "\n" in low[start:limit].strip()


def _paste_start(low: str, first: int, limit: int) -> int | None:
    paragraph = low.find("\n\n", first, limit)
    head_end = paragraph if 0 <= paragraph <= first + MAX_FRAME_CHARS else min(limit, first + MAX_FRAME_CHARS)
    line = low.find("\n", first, head_end)
    if line > 0 and (
        low[first:line].rstrip().endswith((":", "："))
        or _GAVE.search(low, first, line)
        or _ON_NEXT_LINE.search(low, first, line)
    ):
        return line
    if 0 <= paragraph <= first + MAX_FRAME_CHARS:
        head = low[first:paragraph]
        if head.rstrip().endswith((":", "：", "↓", "👇")) or _FRAME.search(head):
            return paragraph
    colon = _COLON.match(low, first, head_end)
    if colon and _FRAME.search(colon.group()):
        return colon.end()
    return None


def _merged(taken: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(taken):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged
