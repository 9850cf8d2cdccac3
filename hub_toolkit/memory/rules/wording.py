"""How a rule is said: politeness and idioms made plain, whether its words shut out or keep, and what is no rule at all.

A sign is a way to say `never` without the word: "X is off limits", "keep X to yourself", "refrain from …". All forms
read a text with a letter for each letter, in lower case and without accents or apostrophes of contracted words, so that
what is cut is cut from the text as it was written: names keep their capitals.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple
from unicodedata import normalize

from hub_toolkit.errors import BoundaryError
from hub_toolkit.memory.rules.effects import SAYS_BOTH, says_something
from hub_toolkit.memory.rules.folding import fold
from hub_toolkit.memory.rules.lexicon import tokenize
from hub_toolkit.memory.rules.rule_words import EXCEPTIONS, NEVER, ONLY
from hub_toolkit.memory.rules.spelling import respelled

_NOT = r"(?:never|not|dont|doesnt|didnt|do not|does not|cant|cannot|can not|wont|will not|shouldnt|should not|mustnt|must not|neednt|isnt|arent|aint|wasnt|no|nothing|none|without)"
_KEEP = r"(?:stor|sav|keep|kept|remember|record|not(?:e[sd]?|ing)\b|log|retain|memori[sz]|register|archiv|hold|held|hang|track|collect|captur|writ|jot)\w*"
_MEMORY = r"(?:memor(?:y|ies)|notes?|notebook|records?|files?|storage|history|logs?|profile|database|head|brain|mind|chats?|system|diary|books?|it|this|that|there|here|everything|picture|conversations?|context|data)"
_YOUR = r"(?:your|the|this|my|our|any|all(?: of)? (?:your|the))"
_OF_MEMORY = rf"(?:of|from|in|into|on|off) (?:{_YOUR} )?(?:this |that )?(?:chat'?s |conversation'?s )?{_MEMORY}(?: of (?:me|yours?|this))?"
_WHAT_YOU_KEEP = r"what(?:ever)? you (?:remember|know|keep|store|save|note|record|learn|write down|log)"
_HIDDEN = (
    rf"(?:to|for|with) (?:your|my)sel(?:f|ves)|(?:just |strictly )?between (?:us|me|you|ourselves)(?: (?:two|both))?(?: and \w+)?|(?:strictly |totally |very |completely )?(?:private|secret|confidential|hidden|quiet|unrecorded|unmentioned|unsaved|unstored|unnoted|unlogged|unsaid"
    rf"|blank|aside|alone)|under wraps|off (?:the |your )?(?:record|books|table|grid|notes?|files?)|off limits|out(?: of {_WHAT_YOU_KEEP}| {_OF_MEMORY})?|away(?: {_OF_MEMORY})?|from (?:your |the |my )?{_MEMORY}|at the door"
)
_BUSINESS = r"(?:business|concern|affairs?|matter|thing)"
_PRIVATE = (
    rf"(?:a |an |my |strictly |totally |absolutely |completely |entirely |very |super |deeply |really |kinda |pretty |too |so |just |considered |meant to be |to be |kept )*(?:private(?: {_BUSINESS})?|secrets?|confidential|personal(?: {_BUSINESS})?|sensitive|classified|for me to know(?: and \w+ else)?|hush hush"
    rf"|off[- ]?limits|off the (?:record|table|books)|a closed (?:book|topic|chapter|subject)|sacred|out of bounds|taboo|no[- ]?go(?: (?:area|zone|topic|subject|territory))?|forbidden(?: (?:area|zone|topic|subject|territory))?|banned|prohibited|blocked|blacklisted|verboten|mine alone|own {_BUSINESS}|(?:only )?my (?:own )?{_BUSINESS}"
    rf"|touchy(?: \w+)?|sore (?:point|subject|spot)|none of (?:your|anyones|anybodys|their|its)(?: damn| bloody)? {_BUSINESS}|not your {_BUSINESS}|no ?(?:body|one)s? (?:elses )?(?:{_BUSINESS})|no ?(?:body|one) elses?(?: {_BUSINESS})?|for (?:me|my eyes|my ears)(?: only| alone)?|(?:just |only )?between (?:us|me|you|ourselves)(?: (?:two|both))?(?: and (?:my )?\w+)?"
    rf"|none of (?:its|the ais?|the bots?) {_BUSINESS}|a blank page(?: for you)?|unrecorded|unmentioned|unsaved|unstored|unnoted|unlogged|unremembered|unwritten|unsaid)(?: (?:topic|subject|matter|issue|area|zone|territory|thing|stuff|information|info|data))?(?: but (?:mine|me|my own|myself))?"
)
_GONE = r"(?:un(?:mentioned|recorded|saved|stored|noted|logged|remembered|written|said|spoken|touched)|left un\w+|forgotten|dropped|deleted|erased|removed|omitted|left (?:out|alone|aside)|skipped|wiped|ignored|excluded|avoided|kept (?:out|away|private|secret|quiet|confidential|off|hidden|to yourself)|gone|thrown away|discarded|filtered out|blocked)"
_GO_VERBS = rf"(?:vanish|disappear|go(?: away)?|(?:be |get |stay |remain )?{_GONE}|(?:stay|be|remain) (?:out|away|off|quiet)|die with me|stay buried)"
_REFRAIN = (
    r"(?:forget(?:ting)?(?: about| all about)?|drop|skip|omit(?:ting)?|ignor(?:e|ing)|exclud(?:e|ing)|eras(?:e|ing)|delet(?:e|ing)|wip(?:e|ing)|purg(?:e|ing)|remov(?:e|ing)|disregard|discard|avoid(?:ing)?|overlook|scrub|block(?: out)?|ban|cut out|blank out|filter(?:ing)? out"
    r"|pass over|rule out|(?:refrain|abstain|desist)(?:ing)?(?: from)?|(?:steer|stay|keep|stand|remain) (?:well |far )?(?:clear|away|out|off)(?: of| from)?|hands off|eyes off|back off|leav(?:e|ing) (?:out|off|aside|behind)|keep out|hold off(?: on| from)?"
    r"|zip it(?: (?:about|on))?|shut up(?: (?:about|on))?|(?:hush|sh+|ssh+|mums the word|lips sealed)(?: (?:about|on|regarding))?|(?:keep|stay|be|remain|play) (?:quiet|silent|mum|schtum|dumb)(?: in (?:your |the )?\w+)?(?: (?:about|on|regarding))?|turn a blind eye to|block|unlearn|stop|quit|cease|spare me|lose)"
)
_BEFORE_VERB = r"(?:^|[.,;:!()-] ?|\b(?:please|pls|plz|and|but|so|then|to|you|u|just|should|must|will|can|could|would|kindly|lets|let us|or|not|always|by|of|about|from now on|completely|simply|also|immediately|better|ai|bot) )"
_SIGNS = tuple(
    re.compile(form)
    for form in (
        rf"\b(?:keep|leave|hold|let|put|get)\b(?P<mid>(?: [^.;!?]{{1,140}}?)?) (?P<tail>{_HIDDEN})(?=$|[ ,;:]* ?(?:please|thanks|thank you|and|so|ok|okay|forever|always|completely|at all|altogether|for me|my own|dont|do not|never|[.,;!?)-]))",
        rf"\b(?:its |it is |thats |that is |theyre |is |are |was |were |be )?\b(?:strictly |totally |absolutely )?(?:none of (?:your|anyones|anybodys|their|its)(?: damn| bloody)? {_BUSINESS}|off[- ]?limits|off the record|out of bounds|hush[- ]hush|no ?(?:body|one)s {_BUSINESS}|not your {_BUSINESS}|between (?:me and (?:my |the )?\w+|(?:my |the )?\w+ and (?:me|i|myself)))\b(?: ?to you\b| but (?:mine|me|my own|myself)\b)?",
        rf"\b(?:is|are|was|were|its|theyre|remains?|stays?|stay|remain|be|as|s|keep it|keep them|keeps?|regard|considered)(?: also| all| both| strictly| something)? {_PRIVATE}(?: (?:to|for|from) (?:me|you|us))?(?=$|[ ,;:-]+(?:please|so|and|dont|do not|never|thanks|ok|okay|always|here)\b|[,.;:!)])",
        rf"\b(?:stays?|remains?)(?: strictly| just)? (?:with me|between (?:us|me|you)(?: and \w+)?|out(?: of (?:it|this|(?:your |the |my )?{_MEMORY}))?|here|in this (?:room|chat|conversation)|where it is|mine|unspoken|a secret|in the dark)\b",
        r"\b(?:what|whatever|anything|everything) (?:happens|is said|goes on|(?:that )?i (?:do|say|tell|share|mention|discuss))(?= (?:at|in|on|with|to) (?:the |my )?\w+ (?P<tail>stays? (?:at|in|on|with) (?:the |my )?\w+))",
        rf"\b(?:out of|outside(?: of)?|from|off|not in|not for|not into) (?:(?:{_YOUR} ){_MEMORY}|memory|{_WHAT_YOU_KEEP})$",
        rf"\b(?:should|must|has to|have to|needs? to|ought to|shall|will|can|may|is to|are to|i want|let|id like|better)\b(?P<mid>(?: [\w' ]{{1,60}}?)?) (?P<tail>{_GO_VERBS})\b",
        rf"\b(?:is|are|be|gets?) (?:to be )?{_GONE}\b|\b{_GONE}$",
        rf"\b(?:has|have|had|got|having|with) (?:no|zero) (?:place|business|right|permission|need|reason)(?: being)?(?: (?:in|on) (?:{_YOUR} )?{_MEMORY})?",
        r"\b(?:under|in) no circumstances?\b|\b(?:on|for) no (?:account|reason)\b|\b(?:in|by) no (?:way|event|means)\b|\bat no (?:point|time)\b|\bno way\b|\bnot a(?: single)? (?:word|thing|peep|trace)\b|\bby no means\b",
        r"\b(?:i |we |you are |youre |is |are )?(?:strictly )?(?:forbid|forbidden|prohibit|prohibited|object|ban|banned|veto|refuse|denied|hate|loathe|dread|withhold|revoke|withdraw|decline)(?: (?:consent|permission))?(?: (?:it|that|for|to|from|you|u|if|having|the ai|about|of))*\b(?= )",
        rf"{_BEFORE_VERB}(?P<tail>{_REFRAIN})\b(?! of (?:it|this|that)\b)",
        r"[:,.?!-] ?(?:just |please |so )*(?:forget|drop|skip|leave|ignore|delete|erase|no|nope|nah|never|keep out|hands off|off|out|zero storage|no storage|no saving|no storing|store nothing|save nothing|keep nothing|not in (?:your |the |my )?\w+)(?: (?:it|them|that|this|those|thanks|thank you))?$",
        r"\bso (?:is|are|does|do) (?=(?:my|the|our)\b)|\bthe same goes for\b|\b(?:likewise|same) (?:for|with)\b|\bditto(?: for)?\b",
        r"\byou(?:r| are)? (?:dare )?not to\b|\b(?:dont|do not) you dare(?: to)?\b|\byoud better not\b",
        r"\bgeh(?:t|en) (?:\w+ )?(?:gar )?(?:nichts|niemand\w*)(?: etwas| was)? an\b|\b(?:ne )?te regarden?t? pas\b|\bne (?:regarde|concerne)(?:nt)? que (?:moi|nous)\b|\b(?:ist|sind|bleib(?:t|en)) (?:meine sache|privatsache|tabu|privat|geheim|unter uns|vertraulich|mein geheimnis)\b|\b(?:bleib(?:t|en) )?(?:au(?:ss|ß)en vor|raus|drau(?:ss|ß)en)(?:lassen|halten)?$|\bhalte? dich (?:aus|von)\b|\b(?:lass|lasst|halte?|behalte?)\b(?=.* (?P<tail>fur dich|geheim|privat|weg|raus|aus dem (?:spiel|gedachtnis)|au(?:ss|ß)en vor|drau(?:ss|ß)en)$)",
        r"^(?:bitte )?(?:vergiss|losche?|ignoriere?|vermeide)(?: (?:bitte|alles|was))*(?: (?:uber|von|zu))?\b|^(?:s il te plait |stp )?(?:oublie[sz]?|evite|efface)(?: tout)?(?: (?:sur|de|ce qui concerne|d enregistrer|de noter))?\b|\b(?:est|sont|rest(?:e|ent|er)|etre)(?: strictement)? (?:prive(?:e?s?)|confidentiel(?:le)?s?|secret(?:e|te)?s?|personnel(?:le)?s?|entre nous|tabou)\b|\bgarde[sz]?\b(?=.* (?P<tail>pour toi|secret|en dehors))",
        r"^(?:por favor )?(?:olvida|borra|ignora|evita|omite|esquece|esqueca|apaga|ignore|evite)(?:te)?(?: (?:todo|tudo))?(?: (?:sobre|de|lo de|guardar))?(?: a)?\b|\b(?:es|son|e|sao) (?:(?:un )?(?:asunto|tema|assunto|coisa|cosa|problema)s? )?(?:privad[oa]s?|mi[oa]s?|meu|minha|personal(?:es)?|pessoa(?:l|is)|secret[oa]s?|confidencial(?:es)?|intim[oa]s?|segredo)\b|\bno (?:es|son) asunto tuyo\b|\bnao (?:e|sao) da (?:sua|tua) conta\b|\bno te incumben?\b|\bnao te (?:diz|dizem) respeito\b|\b(?:queda|quede|quedan|fica|ficam|fique) (?:entre nos(?:otros)?|fuera|(?:de )?fora)\b(?: dist?o| desto| de esto)?|\b(?:deja|deixa|deixe)\b(?=.* (?P<tail>fuera|de fora)\b)",
        r"^(?:per favore )?(?:dimentica|cancella|ignora|evita|ometti)(?: tutto)?(?: (?:su|di|sulla|sul|quello che))?\b|\b(?:e|sono|resta|restano|rimane) (?:una cosa |cose |un fatto )?(?:privat[aoie]|segret[aoie]|riservat[aoie]|personal[ei]|tra noi|affar[ie] mi[oe]i?|fatti miei|cosa mia|tabu)\b|\bnon (?:ti riguarda(?:no)?|sono affari tuoi)\b|\b(?:lascia|tieni)\b(?=.* (?P<tail>fuori)\b)",
        r"^(?:alsjeblieft )?(?:vergeet|negeer|wis|vermijd)(?: alles)?(?: (?:over|van|wat))?\b|\b(?:is|zijn|blijft|blijven) (?:prive|geheim|tussen ons|mijn (?:eigen )?zaak|vertrouwelijk|taboe)\b|\bgaa[nt]? (?:je|jou) niets aan\b|\b(?:laat|hou)\b(?=.* (?P<tail>buiten|erbuiten)\b)",
        r"\bto moja (?:prywatna )?sprawa\b|\bnie twoja sprawa\b|^(?:prosze )?(?:zapomnij|usun|pomin|ignoruj)(?: wszystko)?(?: (?:o|co))?\b|\b(?:jest|sa|zostaje|pozostaje) (?:prywatn\w+|tajemnic\w+|poufn\w+|miedzy nami|moja sprawa)\b|\bзабудь(?: (?:все|всё))?(?: (?:о|об|про))?\b|\b(?:это )?(?:мое|моё) (?:личное )?дело\b|\bэто (?:личн\w+|секрет|тайна|приватн\w+)|\b(?:тебя|вас) не касае?ю?тся\b|\bне (?:твое|твоё|ваше) дело\b|\bseni ilgilendirmez\b|\bunut\b|\bangar dig inte\b|\b(?:glom|glom bort|radera)\b|\bosobni vec\b",
    )
)
_DOUBLED = re.compile(
    rf"\b{_NOT}\b(?: (?:you|u|me|us|ever|please|let|want|wish|have|need|to|that|this|it|should|must|just|dare|be|is|are|so|really|a|an|any|all|some|my|such|strictly|exactly|considered|supposed|like|particularly))*? (?:forget|forgotten|skip|skipped|omit|omitted|ignore|ignored|exclude|excluded|erase|erased|delete|deleted|wipe|drop|dropped|stop|avoid|hide|off[- ]?limits|off the record|taboo|no[- ]go|secrets?|leave out|left out|forbidden|banned|hesitate|mind|refrain|confidential)(?! me\b)(?! (?:remember|stor|sav|keep|not)\w*)"
    r"|\b(?:is|are|be) not (?:at all |really |so |that |too )?(?:private|personal|sensitive|secret)\b|\b(?:isnt|arent|not) (?:private|personal|sensitive)\b"
    rf"|\b(?:dont|do not|never|cant|cannot|wont|no need to|not)(?: (?:ever|please|you|have to|need to|to))* (?:keep|leave|make|treat|hold|let|mark)\b[^.,;:!?]*\b(?:private|secret|out|confidential|off[- ]?limits|to yourself|hidden|off the record)$"
    r"|\b(?:dont|do not|never|not|no need to) (?:ever )?(?:stop|quit|avoid|hesitate|refrain|forget|mind)\b|\b(?:no|not a) (?:problem|issue|secret|big deal)\b|\bnot only\b|\bnothing (?:about |on |regarding )?[\w ]{0,40}\b(?:is|are) (?:off[- ]?limits|private|secret|taboo|forbidden|confidential)$"
    r"|\b(?:is|are)(?: not|nt)$|\b(?:isnt|arent|aint)$|\b(?:never|not) (?:dont|do not|never) \w+|\bvergiss (?:bitte )?(?:nie|nicht|niemals)\b|\bnicht vergessen\b|\bn ?.?oublie[sz]? (?:pas|jamais)\b|\b(?:no|nunca) (?:te )?olvides?\b|\b(?:non|mai) (?:ti )?dimentic\w+|\bnao (?:te |se )?esque\w+|\bvergeet (?:niet|nooit)\b|\bniet vergeten\b|\bnie zapomin\w+|\bне забы\w+|\bunutma\w*|\bglom inte\b|لا تنس|मत भूल"
    r"|\b(?:nicht|pas|no es|no son|non e|nao e|niet|nie jest|не|inte) (?:privat|geheim|tabu|prive|secret|secreto|privado|privato|prywatn|секрет|hemlig)\w*"
)
_QUESTION = re.compile(
    r"^(?:(?:is|are|was|were|do|does|did|have|has|had|which|am|should|shall|must|may)\b.*\?|(?:what|why|how|where|when|who|which)\b(?: (?:about|else|all|exactly|much|many|of)|s)? .*\?|(?:what|why|how|where|who) (?:do|did|does|dont|didnt|is|are|have|can|could|would|will|should) (?:you|u|we|i)\b)"
)
# What an owner is or does not do is told, not ruled: "I don't have a job".
_STATEMENT = re.compile(
    r"^i (?:dont|do not|never|didnt|cant|wont|have no|had no|have never|am not|was never|no longer)\b(?! (?:\w+ )?(?:want|wish|consent|agree|allow|permit|authori[sz]e|need|feel|think|mind|care|approve|give|accept|appreciate|expect|trust|intend|believe|see|want|mean|permit|like (?:you|it|when|that|having|my)|grant|find|be|ok|okay|comfortable|happy|fine|authori[sz]ed))(?!.*\b(?:dont|do not|never|not to|nothing|leave|keep|forget|please|remembered|stored|saved|kept|recorded|noted)\b)"
)
_POLITE = tuple(
    re.compile(form)
    for form in (
        r"^(?:hi|hey|hello|hiya|yo|ok|okay|so|well|also|btw|fyi|oh|ah|um|uh|erm|ps|and|yes|yeah|no wait|now|actually|listen up|look|listen|note|nb|heads up|reminder|(?:a |new |my |one |first |another |house |ground )*rules?|important|first|second|third|firstly|finally|lastly|one (?:more )?thing|quick (?:one|note|thing)|dear \w+|assistant|bot|attention|warning|careful|privacy|memory)(?: (?:there|assistant|bot|claude|chatgpt|gpt|ai|again|everyone|buddy|mate|friend|dude|from me|about privacy|number \w+))? ?[,:!.-]+ ?",
        r"^(?:hi|hey|hello|okay|ok|so|yo|btw|fyi|also|well)(?: there)? (?=\w)",
        r"^(?:please |pls |kindly |just )*(?:is it (?:possible|ok|okay|alright|fine)|would it be (?:possible|ok|okay)|is there (?:a|any) way|any chance|how about|what about|what if|why not|i was wondering|can we agree|lets agree|i need|the rule is|rule is|it (?:is|would be) (?:important|essential|vital|crucial)(?: to me| for me)?|make sure|be sure|ensure|see to it|mind you|(?:please )?(?:remember|bear in mind|keep in mind|note|know|be aware)(?= (?:that|to)\b)|promise(?: me)?|swear)(?: (?:if|that|to|for you to|for u to|you|u))* (?=(?:you |u |to |we )*(?:\w+ )?(?:not|never|dont|do not|cant|wont|no|nothing|avoid|leave|keep|stop|skip|forget|my .*\b(?:off|private|never|not|out)|only)\b)",
        r"\b(?:i|we)(?: would|d|ll| will)?(?: really| very much| greatly| truly| so| rather)* (?:appreciate|love|like|prefer|want|rather|be (?:really |very |so )?(?:happy|happier|glad|grateful|thankful|delighted|pleased|relieved))(?: it)?(?: very much| a lot| more| for)?,?(?: (?:if|when|that))*(?: (?:youd|you|u|we|this|the assistant|the ai))?\b(?=.*\b(?:not|didnt|dont|never|couldnt|wouldnt|no|out|off|private|only|just|without|leav\w+|left|forgot|avoid\w*|skip\w*|kept|stay\w*|nothing)\b)",
        r"\bit(?: would|d|s| is| will)?(?: be)?(?: really| very| so)? (?:great|nice|good|best|better|lovely|cool|kind|wonderful|perfect|important|helpful|ideal|appreciated|safer|preferable|a relief)(?: of you| to me| for me)?,?(?: (?:if|that|when|to))*(?: (?:youd|you|u|we))?\b",
        r"^(?:would|do|could|can|will|might) (?:you|u)(?: please| kindly| possibly| perhaps)* mind\b|^(?:may|might|could|can) i (?:please )?(?:ask|request|beg)(?: (?:that|you|of you|to|u))*\b|^(?:i|we)(?: would|d| must| have to|ll)?(?: really| kindly| just| only| hereby)*(?: like to)? (?:ask|request|beg|insist|demand|expect|require|urge|instruct|hope|trust|think|feel|believe|decided|say|repeat|mean)(?: (?:that|you|of you|to|u|on|it|is|the ai|the assistant))*\b(?=.*\b(?:not|dont|never|no|nothing|out|off|private|only|avoid|refrain|forget|leave|skip)\b)",
        r",? ?\b(?:if|where|whenever) (?:possible|at all possible|need be|needed|necessary|you (?:can|could|would|will|please|dont mind|do not mind|like|want|wouldnt mind|may|ask me)|u (?:can|could|dont mind)|(?:thats?|that is|its|it is|this is) (?:ok|okay|fine|possible|alright|all right|cool|not too much(?: trouble)?|no trouble|not a problem)|it isnt too much(?: trouble| to ask)?)(?: (?:with|for) you)?\b",
        r",? ?\b(?:not )?even (?:if|when|though|once) (?:i|you|we|someone|anyone|they|people|somebody|asked)\b[^.,;:]*$",
        r",? ?\bno matter (?:what|how|when|where|if|whether|who)(?: (?:often|much|many times|i|you|we|they|else|say|says|ask|asks|happens|about|it|mention|to|tell|the|context|situation))*\b|\b(?:whether or not|regardless)(?: of)?(?: (?:what|how|when|where|i|you|say|ask|context|the|mention|it))*\b",
        r"\b(?:so help me|for (?:the love of )?(?:gods?|christs?|heavens?|petes?) sakes?|i (?:mean it|am serious|beg you|insist)|im (?:serious|begging you)|or else|im not (?:joking|kidding)|, ?(?:you|u) (?:hear|got it|get it|understand|know)(?: me)?\??$|got it\??$|understood\??$|right\??$|deal\??$|capisce\??$|lol|haha|tbh|imo|thx|ty|tia|cheers|merci d avance|danke|gracias|grazie|obrigad[oa]|bedankt|dzieki|tack)\b[ .!?]*",
    )
)
_TALKS = r"(?:talk|mention|say|said|speak|spoke|bring|brought|tell|told|discuss|refer|comes? up|came up|share|slip|write|wrote|type|complain|vent|rant|ramble|chat|let on|come up|crops? up|gets? mentioned|is mentioned|are mentioned)"
_IF_SAID = re.compile(
    rf"(?:^|(?<=[ ,.;:]))(?:and |but |even |in case |so )*(?:if|when|whenever|when ever|anytime|any time|every time|each time|should|once|as soon as|everytime|in case|the moment|falls|wenn|si|quand|cuando|se|quando|als|wanneer|jesli|если|когда)(?: (?:i|we|you|u|ich|je|yo|eu|io|ik|ever|do|have|happen to|should|might|accidentally|slip and))*(?=(?: [^,.;:]{{0,60}})?\b(?:{_TALKS}\w*|spreche|rede|erwahne|erzahle|parle|mentionne|hablo|menciono|parlo|falo|praat|mowie|говорю|упоминаю)\b)(?![^,.;]{{0,30}} (?:you|u) (?:to|not|otherwise|so)\b)"
    r"|^(?:even |and )?(?:if|when|whenever|in case)(?= [^,]{3,90}, ?(?:then |please |just )*(?:dont|do not|never|not) \w+ (?:it|that|this|them|about it|any of it)(?: down)?$)"
)
_BUT = re.compile(
    rf"\b(?:but|although|though|yet|however)(?=,? (?:please |also |you |u |just |still |kindly |i |we |id |it |that |this |they |thats |its |that is |it is |theyre |(?:my|the|our) [\w ]{{1,40}}(?:is|are) )*(?:{_NOT}|keep|leave|forget|skip|avoid|drop|prefer|rather|private|off|stay out|would)\b)"
)
_EXCEPT = r"(?:but(?: not)?|except(?:ing)?(?: for| if| when)?|with the exception of|with (?:one|1) exception|apart from|aside from|other than|besides|excluding|save for|barring|outside(?: of)?|beyond|if not|ausser|bis auf|sauf|hormis|a part|excepto|salvo|menos|tranne|eccetto|a parte|exceto|menos|behalve|oprocz|poza|кроме|haric|disinda|utom|forutom)"
_ALL_BUT = re.compile(
    rf"\b(?P<all>everything|anything|all|whatever|any(?: topic| subject)?|every(?: topic| subject)|nothing|none|no|not a thing|zilch|zero|nichts|alles|rien|tout|nada|todo|niente|tutto|tudo|niets|nic|wszystko|ничего|все|всё|hicbir sey|her sey|ingenting|allt)\b(?P<mid>[^.;:]{{0,60}}?),? {_EXCEPT}\b"
)
_NOT_ABOUT = re.compile(
    r"\b(?P<all>everything|anything|all|whatever|things?|stuff|topics?)(?: (?:else|that|which|i say|i tell you|you hear|thats|are|is))*(?: (?:isnt|arent|is not|are not|not|doesnt|does not|dont|do not))(?: (?:directly|strictly|really))? (?:about|related to|relate to|concern(?:ing)?|connected (?:to|with)|to do with|have to do with|part of|linked to|involve|involving)\b"
    r"|\b(?P<unrelated>everything|anything|all|whatever|things?|stuff)(?: (?:that|which|is|are|thats))* (?:unrelated|irrelevant|not relevant) to\b"
)
_LIKE_ELSE = r"(?:everything|anything|all|nothing|whatever|any|every|none of it)(?: (?:else|other(?: \w+)?|more)\b)|(?:all )?the (?:rest|remainder|others)\b|(?:all )?other (?:things|topics|stuff|subjects|matters|information)\b|no(?:t(?:hing)?)? (?:one|a single|any)? ?(?:thing|word)? ?(?:more|else)\b|no more\b|zero else\b|sonst nichts|nichts (?:anderes|sonst|weiter)|(?:und )?sonst (?:gar )?nichts|alles (?:andere|ubrige)|der rest|rien d.?autre|tout le reste|le reste|nada mas|todo lo demas|lo demas|el resto|nada mais|todo o resto|o resto|nient.?altro|tutto il resto|il resto|niets anders|al het andere|de rest|nic wiecej|nic innego|cala reszta|reszt[aey]|ничего (?:больше|другого|ещё|еще)|остальное|baska bir sey|gerisini|inget annat|resten"
_ELSE = re.compile(
    rf"(?:^|[,.;:!()-]+|\b(?:and|but|so|or|as|und|aber|et|mais|y|e|en|i|a|и|ve|och)\b)\s*(?:then |please |just |that is |there is |with |that |thats |keep |remember |store |save |forget |drop |skip |ignore |delete |leave out |leave |dont |do not |never |not |lass |vergiss |oublie |olvida |dimentica |esquece |vergeet |zapomnij |забудь )*(?:{_LIKE_ELSE})[^.;]*[.!? ]*$|^[^,.;:]{{0,40}}\b(?:{_LIKE_ELSE})[^,.;:]{{0,30}}[,.;:]"
)
_THATS_ALL = re.compile(
    r"[,.;:!-]*\s*\b(?:and |but )?(?:thats|that is|thatll be|this is) (?:it|all|everything|about it|enough|the lot)(?: (?:folks|please|thanks|you may \w+|you can \w+|you get))*[ .!]*$|[,.;:-]+ ?(?:full stop|period|end of story|punkt|punto|basta|stop|end of|point final|und basta|finito)[ .!]*$"
)
_ONLY_SIGNS = tuple(
    re.compile(form)
    for form in (
        r"\b(?:please )?(?:stick|limit|restrict|confine|narrow|reduce|keep|constrain)(?:ing)?(?: (?:it|your(?:self)?|the|my|memory|memories|notes?|what|you|store|remember|save|keep|everything|things|all|u|down|strictly|storage|profile|logging|saving|records?))* to\b(?! (?:your|my)sel)|\bfocus(?:ing)? (?:only |solely |just )?on\b|\bconcentrate on\b",
        r"\bnothing (?:else |other |more )?than\b|\bno more than\b|\bnot(?:hing)? (?:more|other) than\b",
        r"\b(?:all|the only things?|the one thing|the sole thing|the only topics?|the only subjects?|all that|everything)(?: (?:that|which))?(?: (?:you|u))(?: (?:may|can|should|could|are|re|get|need|have|allowed|permitted|ever|to|must|shall|want|will|i|let))* (?:remember|keep|store|save|know|note|record|memorize|memorise|retain|hold|log|write down)(?: (?:on to|onto|of|about|on|down|me|from me|here))* (?:is|are|would be|has to be|should be)\b|\b(?:all|the only things?|the one thing)(?: (?:that|which))? (?:is |are )?(?:to be |may be |can be |should be |worth |for )?(?:stored|saved|kept|remembered|remembering|keeping|saving|storing|allowed) (?:is|are)\b|\ball (?:that )?i (?:want|need|allow)(?: you)?(?: to)? (?:\w+ ){0,2}(?:is|are)\b",
        r"\b(?:is|are) (?:all|the only things?|the one thing|everything)(?: (?:that|which))? (?:you|u|i want you|i let you|i allow you|im ok with you|thats?)\b(?: (?:to|may|can|should|could|are|re|get|need|have|allowed|permitted|ever|must|want|let|allow|ok|fine))*",
        r"\b(?:and |, ?)?no other (?:things?|topics?|subjects?|stuff|information|memories)(?: (?:please|at all))?$",
        r"\b(?:exklusiv|allein)\b|\bbeschranke? dich auf\b|\bne (?:retiens|garde|memorise|note|enregistre|retenez|gardez)s? que\b|\bne (?:retiens|garde|memorise|note|enregistre)s? rien d.?autre que\b|\blimite toi a\b|\blimitate a\b|\bno \w+ mas que\b|\blimitati a\b|\blimita te a\b|\bbeperk je tot\b|\bniets anders dan\b|\bnic (?:poza|oprocz)\b",
        r"^(?!(?:please |just )*(?:leave|let)\b).*(?<!mine)(?<!me)(?P<tail> (?:alone|exclusively|and nowt else))$",
    )
)
# What says `never` where nothing asks to keep something.
_PRIVACY = re.compile(
    r"\b(?:private|secret|confidential|taboo|classified|hush|sacred|hands off|(?:kept |leave |left |stays? )?out(?: of (?:it|this|here|that))?|away|off|no go|privat|geheim|tabu|prive|prives|secreto|privado|privada|privato|privata|segreto|geheim|prywatn\w+|личн\w+|секрет\w*)$"
)
_KEEPS = re.compile(r"\b(?:remember|store|save|record|memori[sz]e|retain|log|note|write|know)\b")
_TAIL = re.compile(
    r"[\s,]+(?:completely|entirely|altogether|totally|please|pls|plz|pleeease|at all|always|forever|for good|thanks|thank you|about me|on me|of mine|and so on|and such|and the like|in any form|not even roughly|as far as i['’]?m concerned|ok|okay|alright|from now on|any ?more|ever again|ever|again|anywhere|for me|everywhere|in future|in the future|going forward|to begin with|bitte|danke|stp|svp|s'il te pla(?:î|i)t|s'il vous pla(?:î|i)t|por favor|per favore|per piacere|alsjeblieft|aub|prosz(?:ę|e)|пожалуйста|l(?:ü|u)tfen|tack|kthx|kthxbye|or else|thx|lol|yeah|right|understood|mkay|yes)(?=[\s.!?]*$)",
    re.I,
)
_CLAUSES = re.compile(
    r"[.;,!]|\b(?:and|but|so|yet|while|whereas|though|und|aber|et|mais|y|pero|ma|mas|maar|ale|но|a)\b"
)
_WISH = re.compile(
    r"^ ?(?:(?:please|do|always|just|also|instead|you (?:can|may|should|could|must)|feel free to|its? (?:is )?(?:ok|fine) to|rather|still) )*(?:remember|keep|save|store|record|memori[sz]e|retain|merk dir|speichere|retiens|garde|recuerda|guarda|ricorda|lembra|onthoud|zapamietaj)\b(?! (?:quiet|silent|mum|out|off|away|clear|no|nothing|none|it|them|that|this|those)\b)"
)


class Wording(NamedTuple):
    """A rule's words with its idioms made plain; `effect` where an idiom says it."""

    text: str
    effect: str | None


def read_wording(text: str) -> Wording:
    """Return a rule with politeness and idioms taken out, and whether they say `never` or `only`.

    Raises: BoundaryError: it is a question, says the opposite of never, makes an exception, or says both.
    """
    text = _contracted(normalize("NFC", text))
    text = respelled(_without_politeness(text))
    other = _NOT_ABOUT.search(flat(text))
    if other:
        text = _cut(text, other, "everything except")
    _refuse_no_rule(text)
    effect, text = _take_else(text)
    if effect is None:
        effect, text = _take_all_but(text)
    if effect is None:
        effect, text = _take_signs(text)
    _refuse_exceptions(text)
    if effect == "never" or (effect is None and _says_never(flat(text))):
        _refuse_two_wishes(text)
    return Wording(text, effect)


@lru_cache(maxsize=4096)
def _flat_char(char: str) -> str:
    for form in (fold(char), char.lower()):
        if len(form) == 1:
            return form
    return char


def flat(text: str) -> str:
    """Return a text in lower case and without accents, a letter for each letter."""
    return "".join(map(_flat_char, text))


def _contracted(text: str) -> str:
    text = re.sub(r"(?<=\w)['’‘`´]ll\b", " will", text, flags=re.I)
    text = re.sub(r"(?<=[a-z])['’‘`´](?=(?:t|m|re|ve|d)\b)", "", text, flags=re.I)
    text = re.sub(
        r"\b(?P<a>it|that|what|who|there|let|here|they|he|she|nobody|anyone|anybody|no ?one|no one else|nobody else|everyone else)['’‘`´]s\b",
        r"\g<a>s",
        text,
        flags=re.I,
    )
    return re.sub(r"\s+", " ", text).strip()


def _cut(text: str, found: re.Match[str], mark: str = " ") -> str:
    """Take a match out of a text, or only its `tail` and what stands before its `mid`."""
    groups = found.groupdict()
    start, end = found.span()
    if groups.get("mid") is not None:
        m_start, m_end = found.span("mid")
        return f"{text[:start]} {text[m_start:m_end]} {mark} {text[end:]}"
    if groups.get("tail") is not None:
        t_start, t_end = found.span("tail")
        if t_start >= end:  # behind what was looked ahead at
            return f"{text[:start]} {text[end:t_start]} {mark} {text[t_end:]}"
        return f"{text[:t_start]} {mark} {text[t_end:]}"
    return f"{text[:start]} {mark} {text[end:]}"


def _without_politeness(text: str) -> str:
    for _ in range(3):
        before = text
        for form in (*_POLITE, _IF_SAID, _BUT):
            found = form.search(flat(text))
            if found:
                text = _cut(text, found).strip()
        text = _TAIL.sub("", re.sub(r"\s+", " ", text)).strip(" ,;:")
        text = re.sub(r" -+$", "", text)
        if text == before:
            break
    return text


def _refuse_no_rule(text: str) -> None:
    plain = flat(text).strip(" .!")
    if _STATEMENT.search(plain):
        raise BoundaryError("this says what is, not what is never kept; write “nothing about …”, or “only …”")
    if _QUESTION.search(plain):
        raise BoundaryError(
            "this is a question, not a rule; write “nothing about …” for what is never kept, or “only …”"
        )
    found = _DOUBLED.search(plain.strip(" ?"))
    if found and not _ALL_BUT.search(plain) and not _ELSE.search(plain):
        raise BoundaryError(
            f"“{found.group().strip()}” may say that it is to be kept; write “nothing about …” for what is never kept, or “only …”"
        )


def _take_signs(text: str) -> tuple[str | None, str]:
    """Take out the ways to say `never` or `only` without the word."""
    plain = flat(text).rstrip(" .!?")
    for form in _ONLY_SIGNS:
        found = form.search(plain)
        if found and not _says_never(plain[: found.start()] + plain[found.end() :]):
            return "only", _cut(text, found)
    is_never = False
    for form in _SIGNS:
        for _ in range(2):
            found = form.search(flat(text).rstrip(" .!?"))
            if not found or not found.group().strip():
                break
            text, is_never = re.sub(r"\s+", " ", _cut(text, found)).strip(), True
    if is_never and _says_only(text):
        raise BoundaryError(SAYS_BOTH)
    plain = flat(text)
    if not is_never and not _says_never(plain) and not _KEEPS.search(plain):
        found = _PRIVACY.search(plain)
        if found:
            text, is_never = _cut(text, found), True
    return ("never" if is_never else None), text


def _says_never(plain: str) -> bool:
    return any(token in NEVER for token in tokenize(fold(plain))) or any(form.search(plain) for form in _SIGNS)


def _says_only(plain: str) -> bool:
    tokens = tokenize(fold(plain))
    return any(token in ONLY and token not in ("just", "so", "mas") for token in tokens) and not re.search(
        r"\bonly (?:my|me|mine|a|ask|want|wish|request|for me)\b", plain
    )


def _take_else(text: str) -> tuple[str | None, str]:
    """Read `…, nothing else` and `…, everything else is private`: what is left is what alone is kept."""
    plain = flat(text)
    closing = _THATS_ALL.search(plain)
    if closing:
        text = _cut(text, closing).strip()
        return (None if _says_never(flat(text)) else "only"), text
    found = _ELSE.search(plain)
    if not found:
        return None, text
    rest, clause = _cut(text, found).strip(), found.group()
    if not says_something(tokenize(fold(rest))):
        return None, text
    is_shut = _says_never(clause.strip(" ,.;:!-()")) or not re.search(
        r"\b(?:fine|ok|okay|allowed|may|can|welcome|keep|remember|store|save|free|open|good|gut|erlaubt|permis|permitido|permesso)\b",
        clause,
    )
    if _says_never(flat(rest)):
        if is_shut:
            raise BoundaryError(SAYS_BOTH)
        return None, rest
    return ("only", rest) if is_shut else (None, rest)


def _take_all_but(text: str) -> tuple[str | None, str]:
    """Read `everything but X`: shut out, X alone is kept; kept, X never is.

    Raises: BoundaryError: it is an exception from a subject.
    """
    plain = flat(text)
    found = _ALL_BUT.search(plain)
    if (
        not found
        or says_something(tokenize(fold(found["mid"])))
        or says_something(tokenize(fold(_without_signs(plain[: found.start()]))))
    ):
        return None, text
    before, tail = re.sub(rf",? {_EXCEPT}$", "", plain[: found.end()]).strip(), text[found.end() :]
    num_never = int(found["all"] in NEVER)
    around = f"{plain[: found.start()]} {found['mid']}"
    num_never += any(t in NEVER for t in tokenize(fold(around))) or any(form.search(before) for form in _SIGNS)
    is_shut = False
    for form in _SIGNS:
        sign = form.search(flat(tail).rstrip(" .!?"))
        if sign and sign.group().strip():
            tail, is_shut = _cut(tail, sign), True
    num_never += is_shut + (not is_shut and _says_never(flat(tail)))
    return ("only" if num_never % 2 else "never"), tail


def _without_signs(plain: str) -> str:
    for form in _SIGNS:
        plain = form.sub(" ", plain)
    return plain


def _refuse_exceptions(text: str) -> None:
    plain = flat(text)
    found = re.search(rf"\b(?!but\b|menos\b|poza\b|outside\b|beyond\b|besides\b|a parte?\b|if\b){_EXCEPT}\b", plain)
    found = re.search(r"\bbut\b", plain) or _WHILE.search(plain) or found
    word = (
        found.group() if found else next((t for t in tokenize(fold(_BIRTH.sub(" ", plain))) if t in EXCEPTIONS), None)
    )
    if word:
        raise BoundaryError(
            f"“{word}”: a rule cannot make an exception; write what is never kept, or what alone is (“only …”)"
        )


_BIRTH = re.compile(
    r"(?:(?<=^)|(?<=^never )|(?<=remember )|(?<=keep )|(?<=store )|(?<=save )|(?<=note )|(?<=record )|(?<=log )|(?<=down )|(?<=know )|(?<=about )|(?<=of )|(?<=or )|(?<=and )|(?<=nie )|(?<=nicht )|(?<=pas )|(?<=recuerdes )|(?<=guardes )|(?<=ricordare ))(?:when|wann|quand|cuando|quando)\b"
)
_WHILE = re.compile(
    r"\b(?:until|till|while|whilst|as long as(?! i live)|so long as|before|after|once|during|only if|only when) (?:i|we|you|im|ive|it|my (?:birthday|death)|he|she|they)\b"
)


def _refuse_two_wishes(text: str) -> None:
    clauses = [clause for clause in _CLAUSES.split(flat(text)) if says_something(tokenize(fold(clause)))]
    if len(clauses) > 1 and re.search(r"\w:? (?:yes|yep|yeah|ja|oui)(?= ?[,;.]| (?:and|but|und|et)\b)", flat(text)):
        raise BoundaryError(SAYS_BOTH)
    if len(clauses) > 1 and re.search(
        r"\b(?:is|are) (?:totally |perfectly |all )?(?:(?:fine|ok|okay|allowed|welcome|good)\b|not(?=$|[.,;!]))",
        flat(text),
    ):
        raise BoundaryError(SAYS_BOTH)
    if len(clauses) > 1 and any(_WISH.search(c) and not _says_never(c) for c in clauses[1:] + clauses[:1]):
        raise BoundaryError(SAYS_BOTH)


__all__ = ["Wording", "flat", "read_wording"]
