"""Requests to forget, as people write them in a chat, in six languages; not "I forgot my keys", and not another's."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from hub_toolkit.memory.forget.synonyms import load_lexicon
from hub_toolkit.memory.forget.wishes import Wish, parse_wish

MAX_REQUEST_CHARS = 20_000
"""A longer message is a document; a request stands at one of its ends."""
_END_CHARS = 2_000
MAX_CLAUSE_CHARS = 1_000
MAX_PERIOD_CHARS = 200

_START = r"(?:^|[.!?:;,(—–\n…#/`|>-])[\s\"'“*_]{0,4}"
_SOFT = (
    r"(?:(?:please|pls|plz|kindly|would you please|i(?:'d| would) (?:appreciate it|be grateful|be glad|be happy|love it|prefer it|be happier) if you(?: could| would)?|let me ask you to|i(?:'d| would) like that you|can we|could we|i'm asking you to|i ask you to|also|and|but|so|then|now|just|ok(?:ay)?|thanks|one (?:more )?thing|though|actually|hey|oh|sorry|"
    r"(?:can|could|would|will) you|you (?:can|may|should|must)|i(?:'d| would)? (?:really )?(?:like|want|prefer|need|ask) (?:it if )?you(?: to)?|"
    r"let's|let us|make sure (?:that )?you|be (?:so kind|kind enough) (?:and|to|as to)|do me a favou?r(?: and|,)|would you mind|"
    r"bitte|könntest du|kannst du|s'il te plaît|s'il vous plaît|por favor|per favore|alsjeblieft|graag)[\s,:]{1,3}){0,5}"
)
_OF_MEMORY = r"(?:from|in|out of|off|to) (?:your|the|long[- ]term) (?:memory|memories|records?|notes|files?|profile|data|history|(?<=your )(?:head|mind|brain|storage|database|system|logs?|books?))"
_THING = (
    r"(?:that|what|about|everything|anything|all|my|the fact|i(?=[ '’])|any|whatever|this|(?:where|when|how|who|why|which [\w -]{1,30}) (?:i|we|my|our)|"
    r"(?:the|that) (?:bit|part|thing|detail|stuff|personal detail|piece|info|information|conversation|preference)|me\b)"
)
_NOT = r"(?:do not|don't|don’t|dont|never|no longer)"
_KEEP = r"(?:remember|memori[sz]e|keep|store|save|record|retain|hold on to|note|log|write down)"
_LEFT = rf"(?:in mind|on file|on record|anywhere|about me|stored|saved|{_OF_MEMORY}|any ?more|\s*(?:please)?\s*(?:[.!,;)]|$))"
_TOLD = r"(?:told|said|mentioned|shared|wrote|asked|brought up|talked)"

_VERBS = (
    rf"not (?:remember|memori[sz]e|retain)(?= {_THING}\b)",
    r"(?:do not|don't|never) (?:remember|memori[sz]e)(?= (?-i:[A-Z][\w'-]{1,30})\s*(?:please)?\s*[.!]?$)",
    r"(?:(?:do )?(?:forget|unlearn)(?: this| that| the following)?|(?:delete|remove|erase|drop)(?: this| the)? (?:memory|entry|fact|bullet|note))\s?:(?= )",
    r"(?:i(?:'d| would)? (?:want|like|wish) to )?take back (?=the (?:thing|bit|part|stuff)s? (?:about|on|with)|what i|my\b|everything)",
    r"scratch that,? (?=the (?:part|bit|thing|stuff) (?:about|with|on))",
    rf"(?:forget(?:ting)?|forgot|erased|unknow|unlearn|unremember|stop remembering|disregard|erase|wipe|purge)(?= {_THING}\b)",
    rf"(?:ignore(?=[^.!?\n]{{0,60}} my )|drop|lose|get rid of|let go of|remove|delete|clear|erase|wipe)(?= (?:what(?:ever)?|everything|anything|all)(?: that)? (?:i(?:'ve| have)? (?:just |ever )?{_TOLD}|you(?:'ve)? (?:know|have|remember|stored|saved|got))\b[^.!?\n]{{0,20}}? (?:about|on|of) )",
    r"(?:never|do not|don't)(?: ever)? (?:mention|bring up|talk about|refer to)(?= my [^.!?\n]{1,80}? (?:ever )?again\b)",
    r"(?:forget)(?= (?:about )?(?:our|the) [^.!?\n]{1,80}?(?:i|we) (?:told|said|mentioned|talked|shared))",
    rf"(?:forget|erase|wipe|delete|remove|clear|purge|scrub|strike|drop|take|leave|keep|get)(?= [^.!?\n]{{1,160}}? (?:{_OF_MEMORY}|(?:from|out of) memory|"
    r"(?:from|out of) (?:what|everything) you (?:know|remember)))",
    r"(?:erase|wipe|delete|purge|remove|clear(?: out)?)(?= (?:everything|anything|all|what(?:ever)?)\b[^.!?\n]{0,40}?(?:you (?:know|have|remember|stored|saved)|"
    rf"i(?:'ve)? (?:ever )?{_TOLD}|about (?:me|my)\b))",
    rf"{_NOT} (?:remember|memori[sz]e)(?= {_THING}\b)",
    rf"{_NOT} {_KEEP}(?= (?:that i|what i|anything (?:about|i)|everything (?:about|i)|the (?:bit|part|fact|thing|stuff|detail)s? (?:about|that|where|on|with)|my\b[^.!?\n]{{1,80}}?{_LEFT}))",
    rf"{_NOT} {_KEEP}(?= (?:this|that|it|any of (?:this|that|it))\b(?: (?:preference|detail|information|info|one))? ?{_LEFT})",
    rf"(?:i(?:'d| would)? (?:rather|prefer|like it if) you (?:did not|didn't|didn’t|don't|don’t|not)|i (?:do not|don't|don’t|never) want you to|you (?:should not|shouldn't|need not|needn't|must not|mustn't|don't (?:have|need) to)|make sure (?:that )?you (?:do not|don't|don’t)|no need to|there(?:'s| is) no need to) {_KEEP}(?= (?:this|that|it|what|anything|everything|any|my|about|the)\b)",
    rf"pretend (?:that )?(?:i|you|we) (?:never|did not|didn't|didn’t|don't|hadn't|haven't)(?: (?:even |ever )?(?:{_TOLD}|know|knew|heard|read|saw|seen|spoke|to|remember))?(?: you| me| from me)?(?: of)?",
    rf"(?:act|behave) (?:as if|as though|like) (?:i|you|we) (?:never|had never|hadn't|didn't|don't)(?: (?:{_TOLD}|know|knew|heard))?(?: you)?",
    rf"(?:scratch|strike|scrap|ditch|bin|nix) (?=(?:that|this|what i|everything|my|the)\b[^\n]{{0,160}}?(?:{_KEEP}|{_TOLD}|memory|forget))",
    rf"(?:i )?take back what i (?={_TOLD})",
    r"i(?:'d| would)? (?:rather|prefer(?: it if)?|like it if) you (?:no longer|didn't|did not|never) (?:knew|know)(?= (?:about|of|that|my|what|anything)\b)",
    r"i (?:no longer|do not|don't|never) want(?:ed)? you to (?:know|have|remember|keep|use)(?= (?:that i|about my|anything about|my|of my|what i)\b)",
    r"(?:erase|wipe|delete|remove|lose|drop|omit|purge|clear|discard)(?= (?:the |any |all |every )?(?:information|info|details?|data|trace|traces|references?|notes?|records?) (?:about|of|on|to|regarding) (?:my|me|our|the fact)\b)",
    r"stop (?:knowing|recalling|storing|tracking|retaining|noting)(?= (?:that|about|my|what|anything|everything|the fact)\b)",
    r"(?:lösch(?:e|en)?|vergiss|vergessen|oublier?|effacer?|supprimer?|olvidar?|borrar?|eliminar?|dimenticare|cancellare|esquecer?|apagar?|verwijderen?|vergeten?|wissen)(?: (?:bitte|stp|svp|por favor|per favore|alsjeblieft|aub))?\s?:(?= )",
    r"(?:omit|leave out|exclude)(?= [^.!?\n]{1,100}? (?:from|of) (?:what you (?:know|remember|keep|store)|your (?:memory|notes)))",
    rf"(?:scrap|ditch|bin|nix|drop|lose|forget) (?=(?:that|what(?:ever)?|everything|anything|all) (?:that )?i (?:just |ever )?{_TOLD})",
    rf"(?:erase|wipe|delete|remove|clear|purge|scrub|drop|strike)(?= {_OF_MEMORY} (?:that|what|how|my|the|any|all)\b)",
    r"(?:erase|wipe|delete|remove|clear|purge|scrub|drop)(?= (?:the |any |all |every |your )?(?:memory|memories) (?:about|of|on|that|where)\b)",
    rf"(?:{_NOT}|stop) (?:keep(?:ing)? (?:track|a record|records|notes?) of|hold(?:ing)? onto|hang(?:ing)? on to|bring(?:ing)? up|us(?:e|ing))(?= (?:the fact|that i|my|what i|anything about|everything about)\b)",
    r"(?:strike|scrub|clear|take) (?=(?:my|the|what|everything|anything|all)\b[^.!?\n]{1,120}? (?:from|off) (?:the |your )?(?:record|records|notes|memory))",
)
_OUT = rf"(?:forgotten|(?:erased|gone|deleted|removed|wiped|out) {_OF_MEMORY})"
_MADE_SURE = (
    rf"(?:i (?:want|would like|'d like|need)|make sure (?:that )?|ensure (?:that )?)(?P<wanted>[^.!?\n]{{1,100}}?) (?:to be |is |are |be )?(?:{_OUT}|"
    r"not (?:remembered|stored|saved|kept)|(?:isn't|aren't) (?:remembered|stored|saved|kept))",
    rf"i (?:do not|don't|never) (?:want|like)(?P<unwanted>[^.!?\n]{{1,100}}?) (?:to be |being )?(?:(?:remembered|stored|saved|kept)(?: (?:anywhere|by you|at all|{_OF_MEMORY}))?(?=\s*(?:please)?[.!]|$)|{_OF_MEMORY})",
    rf"(?=my |that (?:i|my) |the fact that )(?P<own>[^.!?\n]{{1,100}}?) (?:should not|shouldn't|must not|mustn't|need not|needn't) (?:be |stay )(?:(?:remembered|stored|saved|kept)\b|{_OF_MEMORY})",
    r"(?P<gone>(?:everything|anything|all|whatever|the (?:part|bit|thing|stuff|fact)s?)(?: you (?:know|have))? (?:about|on|of|with|that|concerning|regarding) [^.!?\n]{1,100}?) (?:should|must|can|has to|have to|needs? to|ought to|may)(?: please)? (?:go|disappear|vanish|be (?:gone|removed|deleted|erased|forgotten|dropped|wiped))(?: please)?(?=\s*(?:[.!,;]|$))",
    r"(?:it(?:'d| would) be (?:great|nice|good|best|better|lovely)|i(?:'d| would) (?:appreciate|love|like|prefer)(?: it)?|i(?:'d| would) be (?:glad|happy|grateful)) if (?P<gladly>[^.!?\n]{1,100}?) (?:could be|can be|was|were|is|got|gets|be) (?:forgotten|deleted|removed|erased|wiped|dropped|gone)\b",
    r"(?:could|can|may) (?P<could>(?:my|our|everything|anything|that|the) [^.!?\n]{1,100}?) (?:just |please )?(?:vanish|disappear|be (?:removed|deleted|erased|forgotten|wiped|dropped))(?= from your | please|\s*[?.!]|$)",
    rf"i(?:'d| would) rather (?P<rather>(?:my|our|the|that) [^.!?\n]{{1,100}}?) (?:weren't|wasn't|isn't|were not|was not|not be|did not stay|didn't stay) (?:{_OF_MEMORY}|stored|kept|remembered|saved)",
    r"(?:(?:kannst|könntest|würdest) du|lass(?:t)? uns|ich (?:möchte|will|hätte gern),? dass du|(?:kun|kan|wil|zou) je|ik wil dat je)(?P<asked>(?:(?!\b(?:nicht|niet)\b)[^.!?\n]){1,100}?) "
    r"(?:vergessen|vergisst|löschen|vergeten|vergeet)(?=\s*[.!?,]|$)",
)
_ASKED = (
    r"(?:kannst|könntest|würdest) du(?: bitte)? vergessen(?=,? ?(?:dass|was|mein))",
    r"(?:lösch(?:e|en sie)?|streich(?:e)?|entfern(?:e)?)(?: bitte)?(?=,? (?:dass|alles|was ich|mein\w{0,2}|das mit|die info\w*)\b)",
    r"(?:du sollst|du musst|du brauchst|bitte)(?: dir)? nicht (?:zu )?merken(?=,? (?:dass|was))",
    r"ich (?:möchte|will)(?: nicht)?,? dass du (?:dir (?:nicht )?merkst|vergisst|weißt|behältst|speicherst)(?=,? )",
    r"(?:peux-tu|pouvez-vous|pourrais-tu|pourriez-vous|tu peux|j'aimerais que (?:tu|vous)|je (?:veux|voudrais) que (?:tu|vous)|merci d')\s?(?:oublier|oublies|oubliez|oublie|effacer|effaces|effaciez)(?= )",
    r"(?:efface[sz]?|supprime[sz]?)(?= (?:tout|que|ce que|mon|ma|mes|le fait)\b)",
    r"n'(?:enregistre|oublie pas que tu dois oublier|enregistrez|garde)[sz]? pas",
    r"je ne veux pas que (?:tu|vous) (?:te |vous )?(?:retiens|retiennes|reteniez|souviennes|gardes|gardiez|enregistres)(?= )",
    r"¿?(?:puedes|podrías|podría|puede|quiero que|me gustaría que)(?: por favor)? (?:olvidar|olvides|olvide|borrar|borres)(?= )",
    r"(?:borra|elimina|bórrame)(?: a)?(?= (?:todo|lo que|mi|mis|que|lo de)\b)",
    r"no quiero que (?:recuerdes|guardes|almacenes)(?= )",
    r"(?:puoi|potresti|vorrei che(?: tu)?|voglio che(?: tu)?)(?: per favore)? (?:dimenticare|dimenticassi|dimentichi|cancellare|cancelli|scordare)(?= )",
    r"(?:cancella|elimina)(?= (?:tutto|che|quello che|ciò che|il mio|la mia|i miei|le mie)\b)",
    r"non voglio che (?:tu )?(?:ricordi|memorizzi|salvi|conservi)(?= )",
    r"(?:podes|pode|poderias|poderia|quero que|gostaria que)(?: por favor)? (?:esquecer|esqueças|esqueça|apagar|apagues|apague)(?= )",
    r"(?:apaga|apague|elimina)(?= (?:tudo|que|o que|o meu|a minha|meu|minha|meus|minhas)\b)",
    r"não quero que (?:te )?(?:lembres|guardes|guarde|lembre)(?= )",
    r"(?:kun|kan|wil|zou) (?:je|u)(?: alsjeblieft| willen)* vergeten(?=,? (?:dat|wat|mijn))",
    r"(?:verwijder|wis|vergeet)(?= (?:wat|alles|mijn|dat)\b)",
    r"ik wil (?:niet )?dat (?:je|u) (?:onthoudt|vergeet|bewaart)(?=,? )",
)
_MAYBE = (
    r"(?:forget(?: about)?)(?= (?:the|our|any of the) )",
    r"(?:forget(?: about)?|unlearn|unremember)(?= (?:[A-Za-z][\w'-]{1,30}[ .!?]*){1,4}$)",
    r"(?:take out|leave out|cut out|cross out|rub out|blot out|throw out|throw away|toss|trash|discard|dump|nuke|scrub|scrap|bin|zap|strike out|edit out|stop (?:knowing|storing|tracking|keeping|saving|noting|recalling|retaining))(?= (?:that i|my|our|the fact|what(?:ever)? |anything|everything|all ))",
    r"(?:delete|erase|remove|wipe|drop|lose|clear|get rid of|scrub|strike|leave out|forget about)(?= (?:my|that i|the (?:[\w-]{1,30} )?(?:bit|part|thing|stuff|info|detail)s?\b|(?:everything|anything|all|whatever)(?: you have| you know| there is)? (?:about|on|of|regarding|concerning|related to|to do with)) ?)",
)
"""Also said of a text that is being written: a request only where a thing is named that people have, and no text is."""
_FOREIGN = (
    r"(?:vergiss|vergessen sie|vergesst)(?= (?:bitte |das mit |einfach |auch )*(?:,? ?dass|alles|was|mein\w{0,2}|das mit|die sache|den teil|unser\w{0,2})\b)",
    r"(?:vergiss|vergessen sie)(?: bitte)?,(?= dass)",
    r"(?:merk(?:e)? dir|merken sie sich|speicher(?:e|n sie)?|behalt(?:e|en sie)?)(?= [^.!?\n]{0,80}?\bnicht\b)",
    r"(?:lösch(?:e|en sie)?|streich(?:e|en sie)?|entfern(?:e|en sie)?)(?= [^.!?\n]{1,120}?\baus (?:deinem|ihrem|dem) (?:gedächtnis|speicher))",
    r"(?:oublie[zs]?)(?= (?:que|qu'|qu’|ce que|tout|mon|ma|mes|le fait|la partie|l'histoire|cette)\b|(?= qu['’]))",
    r"ne (?:retiens|retenez|garde[sz]?|mémorise[sz]?|stocke[sz]?|enregistre[sz]?) pas",
    r"(?:efface[sz]?|supprime[sz]?)(?= [^.!?\n]{1,120}?\bde (?:ta|votre|la) mémoire)",
    r"(?:olvid[ae](?:te|se)?|olvídate)(?: de| a)?(?= (?:que|lo que|todo|mi|mis|el hecho|la parte|lo de)\b)",
    r"no (?:recuerdes|recuerde|guardes|guarde|almacenes|memorices)(?= (?:que|lo que|nada|mi|mis|esto|eso|lo de)\b)",
    r"(?:borra|elimina|efface[sz]?|supprime[sz]?|cancella|apaga|apague|lösche?|streiche?|wis|verwijder)(?= (?:de|dalla|da|aus|uit) (?:tu|su|la|ta|votre|tua|deinem|dem|je|jouw) (?:memoria|mémoire|memória|gedächtnis|speicher|geheugen) )",
    r"(?:borra|elimina)(?= [^.!?\n]{1,120}?\bde (?:tu|su|la) memoria)",
    r"(?:dimentica(?:ti)?|scorda(?:ti)?)(?: di)?(?= (?:che|quello che|ciò che|tutto|il fatto|la parte|il mio|la mia|i miei|le mie|mio|mia|del|della)\b)",
    r"non (?:ricordare|memorizzare|salvare|conservare|tenere)(?= (?:che|quello che|niente|nulla|questo|il mio|la mia|i miei)\b)",
    r"(?:cancella|elimina)(?= [^.!?\n]{1,120}?\bdalla (?:tua|sua )?\s?memoria)",
    r"(?:esque[çc][ae](?:-te)?)(?: de)?(?= (?:que|o que|tudo|meu|minha|meus|minhas|o meu|a minha|do|da|o facto|o fato)\b)",
    r"não (?:guardes|guarde|lembres|lembre|memorizes|memorize|armazenes|armazene)(?= (?:que|o que|nada|isto|isso|o meu|a minha|meu|minha)\b)",
    r"(?:apaga|apague|remove|remova)(?= [^.!?\n]{1,120}?\bda (?:tua |sua )?memória)",
    r"(?:vergeet)(?= (?:alsjeblieft |maar )?(?:dat|wat|alles|mijn|het feit|het stuk)\b)",
    r"(?:onthoud|bewaar|sla)(?= [^.!?\n]{0,80}?\bniet\b)",
    r"(?:wis|verwijder)(?= [^.!?\n]{1,120}?\buit (?:je|jouw|uw|het) geheugen)",
)
_REQUEST = re.compile(
    rf"{_START}{_SOFT}(?:(?P<verb>{'|'.join((*_VERBS, *_FOREIGN, *_ASKED))})(?P<what>[^\n]{{0,1000}})|{'|'.join(_MADE_SURE)})",
    re.I,
)
_PASSIVE = ("wanted", "unwanted", "own", "gone", "gladly", "could", "rather", "asked")
_REQUEST_MAYBE = re.compile(rf"{_START}{_SOFT}(?:{'|'.join(_MAYBE)})(?P<what>[^\n]{{0,300}})", re.I)
_OF_A_TEXT = re.compile(
    r"\b(?:draft|letter|e-?mail|mail|message|paragraph|sentence|line|word|words|title|section|bullet|point|text|essay|reply|post|caption|story|poem|chapter|column|row|cell|file|folder|"
    r"app|account|comma|typo|tone|name|address|signature|heading|intro|conclusion|list|table|slide|resume|cv|profile|bio|version|step|item|ideas?|recipe|itinerary|plan|for (?:a|one|now|the)|if|or)\b",
    re.I,
)
_OF_A_PERSON = re.compile(
    r"^(?:my |our )?(?:(?:ex|friend|uncle|aunt|cousin|boss|colleague|neighbou?r|brother|sister|dog|cat) )?(?-i:[A-Z][a-z]{2,20})$",
    re.I,
)
_FORGET_MY = re.compile(r"\b(?:forget|unlearn|unremember)\b.{0,80}\bmy\b", re.I | re.S)
_POINTING = re.compile(
    rf"{_START}{_SOFT}(?:(?:forget|delete|erase|wipe|remove|drop|scrap|ditch) (?:that|it|this|them|those|him|her|all of it|all that)(?: please)?(?: {_OF_MEMORY})?|(?:do not|don't|never) (?:remember|store|save|keep|record) (?:it|that|this))\s{{0,3}}(?:[.!]|$)",
    re.I,
)
_TOPIC = re.compile(
    r"\babout (?P<name>(?-i:[A-Z][\w'-]{1,30}))|(?:about|regarding|concerning|as for|on the subject of|the (?:thing|bit|part|stuff) (?:about|with|on)) (?P<what>(?:my|our|the|having|being) [^.!?\n:,–—-]{1,120})|(?:^|[.!?\n]\s{0,3})(?P<asked>my [^.!?\n:,]{1,80})\?|\bnever ?mind (?:about )?(?P<mind>(?:the|my|that) [^.!?\n:,–—-]{1,80})|(?P<own>\bmy [^.!?\n:,]{1,80}?) (?:is|are) (?:private|personal|nobody|none|not (?:something|your))",
    re.I,
)
_SIMPLE_CJK = re.compile(
    r"(?:请|請)?(?:忘记|忘記|忘掉|忘了|不要记住|不要記住|别记住|別記住|不要保存|删除|刪除)(?P<what>[^\n。！？]{1,200})"
    r"|(?P<ja>[^\n。！？]{2,120}?)(?:という)?(?:こと|話|件)?[をはも]?(?:、)?(?:忘れて|記憶しないで|覚えないで|覚えておかないで|記憶から消して)(?:ください|下さい|ほしい|くれ|$|[。！])"
    r"|(?P<ko>[^\n.!?]{2,120}?)\s?(?:거|것|건|걸|사실|얘기|이야기)?(?:을|를|은|는)?\s(?:잊어\s?(?:줘|주세요|버려)|기억하지\s?(?:마|말아)|지워\s?(?:줘|주세요))"
    r"|(?:^|[.!?,]\s{0,3})(?:пожалуйста,? )?(?:забудь(?:те)?|не запоминай(?:те)?|удали(?:те)? из памяти)(?: пожалуйста)?,? (?=(?:что|о|об|про|вс[её]|мо[йяеию])\b)(?P<ru>[^\n.!?]{2,200})"
    r"|(?:^|[.!?,]\s{0,3})(?:proszę,? )?(?:zapomnij|nie zapamiętuj|usuń z pamięci),? (?=(?:że|o|wszystko|mo[jie])\b)(?P<pl>[^\n.!?]{2,200})"
    r"|(?:^|[.!?,]\s{0,3})(?:glöm|glem|zapomeň|unohda|uita|felejtsd el)(?: bort| venligst| vänligen| prosím)?,? (?=(?:att|at|min|mitt|mine|mit|že|moj[ei]|můj|että|minun|că|hogy)\b)(?P<north>[^\n.!?]{2,200})"
    r"|(?:^|[.!?,]\s{0,3})(?:lütfen )?unut(?:un)?(?: lütfen)?,? (?P<tr>[^\n.!?]{2,200})|(?P<tr2>[^\n.!?]{2,160}?)(?:'?[nyıiuü]{0,4})? (?:lütfen )?(?:unut|hatırlama)(?:un|yın)?(?: lütfen)?(?=[.!]|$)",
    re.I,
)
"""Requests in languages that put the verb elsewhere, or of which only this is known."""
_SIMPLE_KEY = re.compile(
    r"忘|记住|記住|保存|删除|刪除|記憶|覚え|잊|기억|지워|забуд|запомина|удали|\b(?:zapom|pami|glöm|glem|unohda|uita|felejtsd|unut|hatırla|nie zapami|usuń)",
    re.I,
)
_TYPED_SHORT = ((re.compile(r"\b4get", re.I), "forget"), (re.compile(r"\bu\b"), "you"))

_ABOUT_NOTHING = re.compile(
    r"^\s*(?:it|about it|that|this|about that|about this|what i (?:just )?(?:said|told you|wrote|mentioned|shared)|that (?:last )?(?:part|bit|thing|detail)|"
    r"(?:everything|all of (?:that|this)|any of (?:that|this|it))|the last (?:part|bit|message|thing)|my last message|das|ça|eso|questo|isso|dat)\b"
    r"[\s,]*(?:please|i (?:just )?(?:said|wrote|mentioned|shared|told you)|preference|detail|in (?:your )?memory|in mind|on file|on record|stored|saved|anywhere|any ?more|either|about me|now|ok(?:ay)?|again|for me|from (?:your |the )?memory|to (?:your |the )?memory|just now|earlier|before|here)*"
    r"[\s,]*(?:$|[.!?;)—–-])",
    re.I,
)
_IDIOM = re.compile(
    r"^\s*(?:it\b|about it\b|that for (?:a|one) (?:second|moment|minute)|(?:about )?(?:the|that|this) [\w ]{1,40}? for (?:now|(?:a|the|one|this) (?:moment|second|sec|minute|while|bit|time being|sake))\b)|for (?:a|one) (?:second|moment|minute)\b|"
    r"^\s*(?:about )?(?:my|the|that) (?:earlier|previous|last|first) (?:question|draft|version|instruction|prompt|request)",
    re.I,
)
_LEAD = re.compile(
    r"^[\s,:]*(?:please|bitte|что|о том,? что|że|att|at|že|että|(?:the |any |all |every )?(?:information|info|data|traces?|references?|memory|memories|notes?|records?) (?:about|of|on|to|regarding)|(?:my|our) (?:\w+ )?(?:passion|obsession|fascination|enthusiasm|fondness|love|liking|taste|craving|weakness|addiction|interest|fear|dislike|hatred|aversion|struggles?|troubles?|problems?|issues?|plans?|habit|thing) (?:for|with|of|in|about|to|towards)|about|of|that|the fact that|the (?:bit|part|thing|stuff|details?|piece|info(?:rmation)?|conversation|preference) (?:about|that|where|on|with|of)|"
    r"(?:everything|anything|all|whatever|what)(?: that)? (?:you (?:know|have|remember|stored|saved|kept)|i(?:'ve|’ve| have)? (?:ever |just )?(?:told|said|mentioned|shared|wrote|asked)(?: to)?(?: you)?|we (?:said|discussed|talked))(?: (?:about|of|on))?|"
    r"(?:everything|anything|all)(?: of)?(?: about)?|any of (?:the|my)|what|dass|alles (?:über|von|zu)|que|ce que|tout (?:sur|ce qui)|lo que|todo (?:sobre|lo)|che|tutto (?:su|quello)|dat|alles over|tudo (?:sobre|o))(?:\s|$|(?=,))",
    re.I,
)
_OUT_OF_MEMORY = re.compile(
    r"^\s*(?:from|out of|de|dalla|da|aus|uit) (?:your|the|tu|su|la|ta|votre|tua|deinem|dem|je|jouw) (?:memory|notes|records?|memoria|mémoire|memória|gedächtnis|speicher|geheugen) ",
    re.I,
)
_TRAIL = re.compile(
    rf"(?:,? (?:and|so|or|und|et|y|e|en))?\s*(?:please )?(?:do not|don't|don’t|never)\s+{_KEEP}\b.*$|\s*(?:from|in|out of|off|to) (?:your |the )?(?:long[- ]term )?(?:memory|memories|records?|notes|files?|profile)\b.*$"
    r"|\s*(?:from|out of) (?:what|everything) you (?:know|remember)\b.*$|\s*\baus (?:deinem|ihrem|dem) (?:gedächtnis|speicher)\b.*$|\s*\bde (?:ta|votre|la|tu|su) (?:mémoire|memoria)\b.*$|\s*\bdalla (?:tua |sua )?memoria\b.*$"
    r"|\s*\bda (?:tua |sua )?memória\b.*$|\s*\buit (?:je|jouw|uw|het) geheugen\b.*$|[\s,]*(?:please|bitte|nicht(?: merken)?|niet|por favor|per favore|s'il te plaît|alsjeblieft)[\s.!]*$",
    re.I,
)
_TIME = (
    r"(?:last|this|the|past|few|couple|of|\d{1,4}(?:st|nd|rd|th)?|week|weekend|month|year|day|hour|morning|evening|afternoon|night|summer|winter|spring|autumn|fall|"
    r"monday|tuesday|wednesday|thursday|friday|saturday|sunday|january|february|march|april|may|june|july|august|september|october|november|december|"
    r"yesterday|today|earlier|recently|ago|two|three|four|and|to|until|now|or)s?"
)
_PERIOD = re.compile(
    r"\W*(?:[^.!?\n]{0,60}?\b)?(?:everything|anything|all|whatever|what|the (?:last |first )?things?)(?: that)?(?: about me)?"
    r"(?: (?:i|we|you)(?:'ve| have|'d| had)? (?:ever |just )?(?:said|told|wrote|mentioned|shared|know|stored|saved|learnt|learned|discussed|talked)(?: to)?(?: you| me)?(?: about me)?)?"
    rf"(?: (?:from|before|after|since|in|during|until|between|on|for))?(?:[ ,./-]{{1,2}}{_TIME}){{1,6}}(?: please)?\W*",
    re.I,
)
"""What was said in a time, whatever it is about: that is for a rule ("nothing from 2023"), not for words to be known again."""
_SENTENCE = re.compile(r"[.!?…\n]+(?:\s+|$)")
_CODE = re.compile(r"```.*?(?:```|\Z)", re.S)
_QUOTE_LINE = re.compile(r"^[ \t]{0,8}>[^\n]*$", re.M)
_QUOTED = re.compile(r"[\"“„«]([^\"“”„«»\n]{1,1500})[\"”“»]|(?<![\w])['‘]([^'‘’\n]{8,400})['’](?!\w)")
_TEXT_TASK = re.compile(
    r"\b(?:translate|proofread|polish|rewrite|rephrase|edit|shorten|tighten|summari[sz]e|reply to|answer this|respond to|correct|improve|what does|"
    r"i (?:just )?(?:got|received)|(?:he|she|they|boss|friend|mother|client|colleague) (?:wrote|says?|said|sent|texted|asked)|(?:wrote|sent|texted) (?:me|this)|"
    r"write (?:a|an|the|me)|draft|story|poem|scene|character|lyrics|dialogue|übersetze|traduis|traduce|traduci|traduza|vertaal)\b",
    re.I,
)
_FRESH_START = re.compile(
    r"^(?:also|and|one (?:more|last|other)? ?thing|by the way|btw|p\.?s\.?|oh|separately|please forget|now)\b", re.I
)
_MAX_HEAD_CHARS = 400


@dataclass(frozen=True)
class ForgetRequest:
    """A request found in a text: `wish` is empty where it only points back ("forget what I just said").

    `clause` is what names the thing, `before` what stands before the request.
    """

    wish: Wish
    clause: str = ""
    before: str = ""


def names_period(text: str) -> bool:
    """Whether a request is about a time, not a matter: "forget everything from 2023"."""
    return len(text) <= MAX_PERIOD_CHARS and _PERIOD.fullmatch(text.replace("’", "'")) is not None


def find_request(text: str) -> ForgetRequest | None:
    """Return the user's own request to forget something, None where the text makes none."""
    if names_period(text):
        return None
    return _find_request(text if len(text) <= MAX_REQUEST_CHARS else text[:_END_CHARS] + "\n" + text[-_END_CHARS:])


@lru_cache(maxsize=256)
def _find_request(text: str) -> ForgetRequest | None:
    text = text.replace("’", "'")
    for short, written in _TYPED_SHORT:
        text = short.sub(written, text)
    own = own_part(text)
    for found in _REQUEST.finditer(own):
        what = found["what"] if found["verb"] else next((found[name] for name in _PASSIVE if found[name]), None)
        if what is None or (found["verb"] and _IDIOM.search(what[:80]) and not _memory_named(found["verb"] + what)):
            continue
        end = found.end("what") if found["verb"] else found.end()
        request = _read_request(what, before=own[: found.start()], after=own[end:])
        if request.clause and not request.wish:  # "everything about me" names nothing, and points at nothing either
            return _find_pointing(own)
        return request if request.wish else _find_pointing(own) or request
    if (pointing := _find_pointing(own)) is not None:
        return pointing
    if (maybe := _REQUEST_MAYBE.search(own)) is not None:
        request = _read_request(maybe["what"], before=own[: maybe.start()], after=own[maybe.end() :])
        is_of_a_life = (
            any(term in load_lexicon() for term in request.wish.strong)
            or _OF_A_PERSON.search(request.clause)
            or _FORGET_MY.search(maybe.group())
        )
        if not _OF_A_TEXT.search(request.clause) and is_of_a_life:
            return request
    cjk = _SIMPLE_CJK.search(own) if _SIMPLE_KEY.search(own) else None
    return _read_request(next(filter(None, cjk.groups())), before=own[: cjk.start()], after="") if cjk else None


def _memory_named(what: str) -> bool:
    return bool(re.search(r"\bmemory\b|\bstored?\b|\bremember\b", what, re.I))


def _find_pointing(own: str) -> ForgetRequest | None:
    """Return the request of "about my stutter: please delete that", which names its thing before it."""
    for found in _POINTING.finditer(own):
        before = own[max(0, found.start() - 300) : found.start() + 1]
        topics = list(_TOPIC.finditer(before))
        if topics:
            clause = next(text for text in topics[-1].groups() if text)
            return ForgetRequest(parse_wish(strip_frame(clause)), clause, own[: found.start()])
    return None


def _read_request(what: str, *, before: str, after: str) -> ForgetRequest:
    clause, *rest = _SENTENCE.split(what, maxsplit=1)
    tail = (rest[0] if rest else "") + after[:200]
    if _ABOUT_NOTHING.match(what):
        return ForgetRequest(Wish(), before=before)
    clause = strip_frame(clause)
    return ForgetRequest(parse_wish(clause, tail=_next_sentence(tail)), clause, before)


def _next_sentence(tail: str) -> str:
    """Return the sentence after a request where it goes on about the same."""
    first = _SENTENCE.split(tail.strip(), maxsplit=1)[0]
    return first if re.search(r"\b(?:it|them|neither|nor|that|kept|any)\b", first, re.I) else ""


def strip_frame(clause: str) -> str:
    """Return what a request names without the words around it."""
    clause = _OUT_OF_MEMORY.sub("", clause[:MAX_CLAUSE_CHARS])
    clause = _TRAIL.sub("", clause.strip()).strip(" \t\"'“”*_.!,;")
    for _ in range(4):
        shorter = _LEAD.sub("", clause, count=1)
        if shorter == clause or not shorter.strip():
            break
        clause = shorter
    return clause.strip(" \t\"'“”*_.!,;")


def parse_typed(text: str) -> Wish:
    """Return what a text typed as a request names: "forget that I like jazz", "my knee", a bullet's words."""
    if names_period(text):
        return Wish()
    found = find_request(text)
    if found is not None and found.wish:
        return found.wish
    plain = re.sub(
        rf"^\s*{_SOFT}(?:forget|erase|delete|remove|wipe)\b", "", text[:MAX_REQUEST_CHARS], count=1, flags=re.I
    )
    first = strip_frame(" ".join(plain.split()))
    return parse_wish(first) or parse_wish(plain)


def forget_request(text: str) -> frozenset[str] | None:
    """Return the stems of what the user asks to forget, None where the text asks no such thing."""
    found = find_request(text)
    if found is None:
        return None
    return frozenset(
        part for term in (*found.wish.strong, *found.wish.weak, *found.wish.broad) for part in term.split("_")
    )


def own_part(text: str) -> str:
    """Return a message without quotes, code and a text that it hands over to be worked on."""
    text = _QUOTED.sub(' "" ', _QUOTE_LINE.sub("", _CODE.sub("\n", text)))
    head, _, body = text.partition("\n\n")
    if not body and ":" in text[:_MAX_HEAD_CHARS]:
        head, _, body = text.partition(":")
    if not body or len(head) > _MAX_HEAD_CHARS or not _TEXT_TASK.search(head):
        return text
    last = body.rstrip().rpartition("\n")[2].strip()
    return f"{head}\n{last}" if last != body.strip() and _FRESH_START.match(last) else head
