"""How instructions to a memory are worded: the signals that a sentence can give, in some twenty languages.

All patterns read lower-case text without accents (`unmask.fold`), one sentence of bounded length at a time.
"""

from __future__ import annotations

import re

_THEY = r"(?:(?:your (?:owner|principal|human)|(?:the )?owner of this account)|(?:the|this|your|our|my|that) (?:\w{1,12} )?(?:user|human|account holder|account owner|memory owner|reader|client you (?:serve|assist)|person you (?:assist|help|serve|are (?:talking|chatting|speaking) (?:to|with))))"
_THEIR_CLAIM = (
    rf"\b{_THEY}(?:['’]s\b|s['’] | (?:now |also |really |has always |always |only |never |strongly |actually |currently |secretly |no longer |has |have |would |will |does not |doesn't |greatly |often )*"
    r"(?:prefers?|preferred|likes?|liked|loves?|loved|hates?|wants?|wishes|trusts?|buys?|banks?|uses|favou?rs?|approves?|approved|agrees?|agreed|consents?|consented|authori[sz]e[sd]?|accepts?|accepted|"
    r"requested|requests|asked|has (?:a|an|no|been|changed|moved|decided|switched|asked)|lives?|works?|is|was|owns?|believes?|supports?|votes?|voted|needs?|must|should|opted|switched|owes?|enjoys?|drinks?|eats?|travels?|flies|invests?|donates?|allows?|avoids?|dislikes?|keeps?|subscribes?|suffers?|moved|earns?|drives?|plans?|intends?|admires?|takes?))\b"
)
_USER_BARE = r"(?:^|[:;.,\-*\"'(\]>]\s{0,3})(?:\[?user\]?|user profile|user preference|user info|preference|userpref)\s{0,2}(?::|=| (?:prefers|likes|loves|hates|trusts|wants|has|is|always|never|banks|approves|lives|works|owns|only|votes|buys|drinks|eats|supports|owes|uses|enjoys)\b)"
_KEYED = r"\buser[._](?:favou?rite|preferred|preference)\w{0,20}\s{0,2}=|[\"']?\b(?:user|owner)[_ ]?(?:preferences?|prefs?|profile|facts?|memory|bio|name|bank|diet|employer|location|approvals?)\b[\"']?\s{0,2}[:=]"
ABOUT_USER = re.compile(
    f"{_THEIR_CLAIM}|{_USER_BARE}|{_KEYED}"
    r"|\b(?:about|of|for|regarding) (?:the|your|this) user\b"
    r"|\b(?:der|dieser|des|dem|ihr|dein) (?:nutzer|benutzer|anwender)s?\b|\bdie(?:se)? (?:nutzerin|benutzerin)\b"
    r"|\bl['’]utilisat(?:eur|rice)\b|\b(?:el|la|este|al|del) usuari[oa]\b|\bl['’]utente\b|\b[oa] (?:usuari|utilizador)[oa]?\b|\bdo usuario\b"
    r"|\bde gebruiker\b|\buzytkownik\w{0,3}\b|\bkullanici\w{0,6}\b|\banvandaren\b|\bbrugeren\b|\bbrukeren\b|\bkayttaja\w{0,4}\b|\bpengguna\b|\bnguoi dung\b|\buzivatel\w{0,3}\b|\butilizatorul\w{0,3}\b"
    r"|пользовател\w{1,4}|користувач\w{0,4}|χρηστη\w?|用户|用戶|使用者|ユーザー|利用者|사용자|المستخدم|کاربر|उपयोगकर्ता|यूज़र|המשתמש|ผู้ใช้|ব্যবহারকারী|பயனர்"
)

_TASTES = r"(?:prefers?|preferred|likes?|liked|loves?|loved|hates?|trusts?|banks?|favou?rs?|approves?|approved|agrees?|agreed|consents?|consented|authori[sz]e[sd]?|supports?|votes?|opted|enjoys?|drinks?|eats?|invests?|donates?|dislikes?|admires?|owes?|lives?|suffers?|earns?|flies|moved|always|never|only|buys?|intends?|adores?|picks?|chose|is (?:delighted|a fan|a member|a client|a customer|loyal)|has an? (?:\w{1,10} )?preference)"
TASTE_OF_USER = re.compile(
    rf"\b{_THEY} (?:now |also |really |strongly |actually |has |have |would |will |secretly |greatly |has always |no longer )*{_TASTES}\b|\b{_THEY}['’]s (?:\w{{1,14}} )?(?:favou?rite|preferred|go-to|lawyer|insurer|vet|newspaper|home ?town|brand|supermarket|broker|accountant|bank|bank account|diet|religion|home|partner|employer|password|taste|preferences?|name|address|doctor|broker|go-to|default)\b"
    f"|{_USER_BARE}|{_KEYED}"
)
FOREIGN_TASTE = re.compile(
    r"(?:\b(?:bevorzugt\w{0,2}|mag|liebt|lieblings\w{0,14}|vertraut|kauft|prefere|aime|adore|favori\w{0,3}|achete|prefiere|le gusta|encanta|favorit[oa]|compra|confia|preferisce|ama|adora|preferit[oa]|gosta|houdt van|verkiest|favoriete|woli|lubi|ulubion\w{1,3}|tercih\w{0,5}|sever|foredrar|foretrekker|suosii|lebih suka|menyukai)\b|предпочит|любит|любим|доверя|покупа|喜欢|喜歡|偏好|最爱|信任|只买|好き|好み|好む|信頼|선호|좋아|يفضل|يحب|ترجیح|पसंद|מעדיף|אוהב)"
)
MEMORY_PLACE = re.compile(
    r"\b(?:long[- ]term memor(?:y|ies)|(?:your|the|its|user|assistant|ai|persistent|saved|permanent|personal) (?:\w{1,12} )?(?:memor(?:y|ies)|user profile|user model|knowledge of me|notes (?:on|about) (?:the |this )?user)"
    r"|memory (?:update|entry|bank|store|note|write|record|bullet|file|insert|patch|module|line|item|import|tool|api|command)|(?:user|user['’]s|owner|personal) profile|user preferences?|profile of the user"
    r"|following (?:preference|fact|information) (?:permanently|about)|update the profile|profile sync|(?:keep|have) (?:this|it) on file|for later sessions|update_memory|save_memory|memory[._](?:write|add|save|update|set|store)|add_memory|remember\(|saved memories|list of memories|memories about)\b"
    r"|\bbio tool\b|\bto=bio\b"
    r"|\b(?:gedachtnis|langzeitgedachtnis|nutzerprofil|benutzerprofil)\b|\b(?:ta|votre|la|sa) memoire\b|\bprofil (?:de l['’])?utilisateur\b|\b(?:tu|su|la|en) memoria\b|\bmemoria (?:a lungo termine|del)\b|\b(?:nella|tua) memoria\b|\b(?:sua|na|tua) memoria\b"
    r"|\b(?:je|het) geheugen\b|\bpamieci\w?\b|\bbellegin\w{0,4}\b|\bhafiza\w{0,4}\b|\bminne\b|памят[ьи]|пам['’]ят\w|记忆|記憶|长期记忆|メモリ|기억|메모리|ذاكرت\w{0,2}|الذاكرة|حافظه|स्मृति|मेमोरी|זיכרון|ความจำ|\bmuistii[ns]\w{0,2}\b|\bingatan(?:mu)?\b|\btri nho\b"
)

IN_MEMORY = re.compile(r"\b(?:to|in|into|from) memory\b")

_ADVERB = r"(?:please |kindly |always |also |now |you must |you should |you need to |you have to |you are to |make sure (?:to|you) |be sure to |do |just |and |then |so |permanently |silently |quietly |immediately |first |next )"
_LEAD = (
    r"(?:^|[.,:;!?\-–—*#>\"'“(\[\]/=|]\s{0,3}|\b(?:and|then|please|must|should|to|you|will|let|assistant|ai|now|always|also|kindly|just|want you to)\s{1,2})"
    rf"{_ADVERB}{{0,3}}"
)
REMEMBER = re.compile(
    rf"{_LEAD}(?:remember(?! to\b|ed|ing\b)|memori[sz]e|make a (?:\w+ )?note|take note|note(?: down)?(?= that| the user| this:|:| user| for the record)|keep in mind|bear in mind|don['’]?t forget (?:that|this)|never forget that|be aware that)"
    r"|\bshould be (?:remembered|memori[sz]ed)\b|\b(?:must|is to|are to|to) be (?:remembered|memori[sz]ed)\b"
    r"|\b(?:merk(?:e|t)? (?:dir|euch)|merken sie sich|speicher(?:e|n sie)?|notier(?:e|en sie)?|behalte|denk(?:e)? daran|vergiss nicht,? dass|halte fest|trage? )"
    r"|\b(?:souviens[- ]toi|souvenez[- ]vous|retiens|retenez|memorise[rz]?|enregistre[rz]?|note[rz]? que|n['’]oublie(?:z)? pas que|rappelle[- ]toi|garde en memoire|ajoute)\b"
    r"|\b(?:recuerd[ae]|memoriz[ae]|guard[ae]|anot[ae]|ten en cuenta|no olvid(?:es|e) que|registr[ae]|anade|agrega)\b"
    r"|\b(?:ricord(?:a|ati)|memorizza|salva|annota|tieni a mente|non dimenticare che|registra|aggiungi)\b"
    r"|\b(?:lembre(?:-se)?|memorize|guarde|salve|anote|grave (?:que|isso|na)|nao esqueca que|registre|adicione)\b"
    r"|\b(?:onthoud|sla op|noteer|bewaar|vergeet niet dat|voeg toe)\b|\b(?:zapamietaj|zapisz|zanotuj|dodaj do)\b|\b(?:hatirla|unutma|kaydet|not et|hafizana)\w{0,3}\b|\b(?:kom ihag|spara|husk|lagre|gem|muista|tallenna|ingat(?:lah)?|simpan|catat|hay nho|ghi nho|luu|zapamatuj|uloz|retine|salveaza)\b"
    r"|запомни\w{0,2}|сохрани\w{0,2}|запиши\w{0,2}|имей в виду|не забудь|запам['’]ятай|збережи|θυμησου|αποθηκευσε|记住|記住|记得|請記|保存|存储|储存|记录|覚えて|記憶して|保存して|記録して|기억해|기억하|저장해|저장하|تذكر|احفظ|سجل|به خاطر بسپار|ذخیره|याद रख|सहेज|सेव कर|זכור|זכרי|שמור|จำไว้|จดจำ|মনে রাখ"
)
STORE = re.compile(
    rf"{_LEAD}(?:save|store|record|write|add|log|persist|commit|insert|append|register|keep|put|learn|assume|set|file|enter|update|modify|overwrite|replace|import|treat|consider|note|state|mark|change|call|use|execute|run)\b"
    r"|\b(?:must|should|is to|are to|to) be (?:saved|stored|recorded|noted|added|treated|updated)\b"
)
THAT_CLAIM = re.compile(r"\b(?:that|this|the following|fact|as follows)\b|[:=]")
YOU_CLAIM = re.compile(
    r"\b(?:you|he|she|they|your (?:owner|user|human|customer|principal|boss|client)) (?:now |always |only |really |strongly |already |personally |has |have |would |will )*(?:prefers?|likes?|loves?|trusts?|favou?rs?|hates?|uses?|banks?|buys?|approved?s?|agreed?s?|consent(?:s|ed)?|authori[sz]ed?s?|want(?:s|ed)?|wish(?:es)?|switched|opted|owes?)\b"
    r"|\b(?:his|her|their|your) (?:favou?rite|preferred|new|main|default|only|real|primary|chosen) \w"
)
FIRST_PERSON = re.compile(
    r"\b(?:i|i['’](?:m|ve|d|ll)|my|me|mine|we|our|us)\b|\b(?:ich|mein\w{0,2}|mir|mich|wir|unser\w{0,2}|je|j['’]|mon|ma|mes|moi|nous|notre|yo|mi|mis|nosotros|soy|tengo|prefiero|io|mio|mia|sono|preferisco|eu|meu|minha|sou|prefiro|ik|mijn|ben|jestem|moj\w{0,2}|wole|lubie|benim|ben|jag|min|jeg)\b"
    r"|\bя\b|\bмо[йяеи]\w{0,2}\b|\bмне\b|我|私|僕|저는|나는|제가|내가|내 |أنا|اني|إنني|أفضل|من |मैं|मेर|मुझे|אני|שלי"
)

STANDING = re.compile(
    r"\b(?:from now on|from this (?:point|moment) (?:on|forward)|from here on|henceforth|going forward|as of (?:now|today)|in (?:all |any |every |your )?(?:\w{1,10} )?future(?: \w{1,14})?|"
    r"in (?:every|all|each|any|your next) (?:\w{1,12} )?(?:conversations?|chats?|repl(?:y|ies)|answers?|responses?|sessions?|messages?)|next time|the moment|"
    r"when(?:ever)? (?:\w{1,14} ){1,3}(?:ask|asks|asked|mention|mentions|mentioned|want|wants|needs?|talks?|speaks?|requests?|says?|types?|brings?|looks?|plans?|searches)|"
    r"every time|each time|any ?time|if (?:ever )?asked|if (?:the user|he|she|they|anyone|i|anybody|someone) (?:ever )?(?:asks?|mentions?|wants?|says?|types?|needs?|brings?)|until (?:told|further)|permanently|always|never|by default|once (?:the|they|he|she|this))\b"
    r"|\b(?:ab (?:jetzt|sofort|heute)|von nun an|kunftig|in zukunft|immer wenn|jedes mal|a partir de maintenant|desormais|dorenavant|a l['’]avenir|chaque fois|toujours|a partir de ahora|de ahora en adelante|siempre|cada vez|en el futuro|d['’]ora in (?:poi|avanti)|sempre|ogni volta|in futuro|a partir de agora|de agora em diante|toda vez|voortaan|vanaf nu|altijd|od teraz|zawsze|odtad|bundan (?:sonra|boyle)|artik|her zaman|fran och med nu|fra na av|mulai sekarang|tu bay gio|odteraz|de acum)\b"
    r"|отныне|с этого момента|впредь|всегда|каждый раз|відтепер|从现在(?:开始|起)|今后|以后|從現在|これから|今後|常に|앞으로|지금부터|항상|من الآن|دائما|از این پس|अब से|हमेशा|מעכשיו|תמיד|ต่อไปนี้|από τώρα"
)
ASSISTANT_ACT = re.compile(
    r"\b(?:recommend|suggest|promote|advertise|endorse|propose|mention|answer|respond|reply|tell (?:him|her|them|the user|me|everyone|anyone)|inform|advise|steer|point (?:him|her|them|the user)|refer (?:to|him|her|them)|say(?:ing)? that|treat|greet|address|assume|include (?:a|the|this) (?:link|ad|offer|coupon|phrase)|"
    r"(?:send|forward|book|buy|order|approve|use|choose|pick|pay|transfer)\b(?=.{0,60}\b(?:for (?:him|her|them|the user)|on (?:his|her|their) behalf|without (?:asking|confirmation)|automatically|whenever|user|default))|give (?:him|her|them|the user)|warn|agree|refuse|start every|end (?:every|each|all)|begin (?:every|each|all)|consider (?:him|her|them|the user))\b"
    r"|\b(?:empfiehl|empfehle|schlag\w{0,2} vor|antworte|erwahne|recommande[rz]?|propose[rz]?|suggere[rz]?|reponds|mentionne[rz]?|recomiend[ae]|suger?i\w{1,3}|respond[ae]|menciona|consiglia|raccomanda|rispondi|recomende|sugira|responda|raad aan|beveel|aanbevelen|polecaj|poleć|oner|tavsiye et|rekommendera|anbefal|suosittele|rekomendasikan)\b"
    r"|рекоменду\w{0,3}|предлага\w{0,3}|советуй\w{0,2}|отвечай\w{0,2}|рекомендуй|推荐|推薦|建议|回答|回复|勧め|推奨|おすすめ|추천|권해|أوصي|أوص|اقترح|پیشنهاد|सुझा|सिफारिश|המלץ"
)
TO_ASSISTANT = re.compile(
    r"\b(?:the user|user['’]s|your (?:answers?|repl(?:y|ies)|responses?|recommendations?|suggestions?|outputs?)|in (?:every|all|each|any) (?:conversations?|chats?|answers?|repl(?:y|ies)|responses?|sessions?)|recommend|suggest|promote|endorse|steer|advertise)\b"
    r"|推荐|推薦|推奨|추천|рекоменду|советуй|\bempf[ie]+h|\brecom[im]e?n|\brecommand|\bpropon|\bconsigli|\braccomand|\btavsiye|\boner\b|\bpolec|\bbeveel|\braad\b|أوص|اقترح|सुझा|सिफारिश|המלץ"
)

DROP = re.compile(
    r"(?:^|[.!?:;,(—–\n\-*>\"'“\]/#]\s{0,3}|\b(?:please|kindly|and|then|now|must|should|you|to|also|immediately|assistant|ai)\s{1,2})"
    r"(?:forget|erase|wipe|purge|delete|remove|clear|drop|reset|discard|destroy|unlearn|do not remember|don['’]t remember|stop remembering|disregard)\b"
    r"(?=[\s,:]{0,3}(?:that|about|what|everything|anything|all|any|my|the fact|the|his|her|their|your|every|whatever|i|it|this|user|memory|memories|profile|from)\b)"
    r"|\b(?:vergiss|vergessen sie|losche|loschen sie|oublie[rz]?|efface[rz]?|supprime[rz]?|olvid[ae]|borr[ae]|elimin[ae]|dimentica|cancella|esqueca|apague|vergeet|wis|verwijder|zapomnij|usun|unut|sil|glom|radera|glem|slet|unohda|lupakan|hapus)\b"
    r"|забудь\w{0,2}|удали\w{0,2}|сотри\w{0,2}|忘记|忘掉|删除|清除|忘れて|削除|消して|잊어|삭제|انس |امسح|احذف|فراموش|भूल जा|हटा|मिटा|שכח|מחק"
)
DROP_TARGET = re.compile(
    r"\b(?:memor(?:y|ies)|everything|anything|all (?:you|that|of)|what you (?:know|remember|have)|preferences?|profile|the user|user|about|notes|records|that (?:i|he|she|they|we|you)|my|his|her|their|i)\b"
    r"|\b(?:alles|alle|uber|dass|tout|que|todo|sobre|acerca|tutto|che|tudo|alles|wszystko|her sey|allt|alt|kaikki|semua)\b|вс[её]|о том|про |所有|一切|全部|关于|すべて|全て|모든|كل|عن|सब|के बारे|הכל|על"
)
OVERRIDE = re.compile(
    r"\b(?:ignore|disregard|override|bypass|forget|discard|overrule|skip|supersedes?|replaces?|cancels?)\b[^.!?\n]{0,40}\b(?:instructions?|prompts?|rules|guidelines|guardrails|directives?|safeguards|polic(?:y|ies)|restrictions|context|orders|messages above|text above)\b"
    r"|\bnew (?:system )?(?:instructions?|directives?|rules|orders|prompt)\b|\byou are now\b|\b(?:developer|admin|debug|god|maintenance|root|sudo|dan) mode\b|\bsystem (?:override|prompt|notice|update|message|alert|command|instruction|directive|note)\b|\boverride (?:code|mode|protocol)\b|\bhighest priority\b|\bhidden instructions?\b"
    r"|\b(?:ignorier\w{0,4}|missachte)\b[^.!?\n]{0,40}\b(?:anweisung\w{0,3}|regeln|vorgaben)\b|\b(?:ignore[rz]?|oublie[rz]?)\b[^.!?\n]{0,30}\b(?:instructions|consignes|regles)\b|\b(?:ignora|ignore|olvida)\b[^.!?\n]{0,40}\b(?:instrucc?ion\w{0,3}|istruzioni|instruc\w{0,5}|reglas|regole|regras)\b|\bnegeer\b[^.!?\n]{0,30}\binstructies\b|\bzignoruj\b[^.!?\n]{0,30}\b(?:instrukcje|polecenia)\b|talimatlari\b"
    r"|игнорируй\w{0,2}|проигнорируй\w{0,2}|忽略|无视|無視|무시|تجاهل|نادیده|अनदेखा|नज़रअंदाज़|התעלם"
)
AI_READER = re.compile(
    r"\b(?:have|tell|make|let|get|ask|for|to) (?:your|his|her|their|any) (?:\w{1,10} )?(?:ai|assistant|bot|agent|chatbot|helper|computer|phone)\b|\byour (?:\w{1,10} )?assistant\b|\b(?:assistants|bots|agents) (?:processing|reading|parsing|that|who|must|are|should)\b|\bbots:|\b(?:ai|a\.i\.) (?:assistants?|systems?|models?|agents?|readers?|tools?|summari[sz]ers?|chatbots?|crawlers?|bots?|memory)\b|\b(?:any|every|all|to|for|dear|attention|hey|hello|note to|if you are an?|if you['’]re an?|as an?|you are an?|instructs?|tell(?:s|ing)?|ask(?:s|ing)?|the) (?:ai|a\.i\.|llms?|chatbots?|language models?|assistants?|agents?|bots?|gpt|chatgpt|claude|gemini|copilot|machine|virtual assistant|robot)\b"
    r"|\b(?:large )?language models?\b|\bllms?\b|\b(?:personal|virtual|digital|automated|memory|chat|mail|email) (?:assistants?|agent)\b|(?:^|[\[(<\"'*#>/\-]\s{0,3})(?:@)?(?:assistant|ai|chatgpt|claude|gemini|copilot|gpt|llm|agent|bot|memory|memory (?:agent|builder|keeper|manager))\s{0,2}[,:\])>!–-]"
    r"|\bki[- ](?:assistent\w{0,3}|system\w{0,2}|modell\w{0,2}|agent\w{0,2})|\b(?:die|eine|an die|liebe|hinweis an) ki\b|\bsprachmodell\w{0,2}|\bassistant ia\b|\b(?:l['’]|une |cette )?\bia\b|\basistente\b|\bassistente\b|\bmodelo de lenguaje\b|\bmodele de langage\b|\basystent\w{0,2}\b|\bassistent\b|\basistan\w{0,2}\b|\byapay zeka\b|\bassistentti\b|\basisten\b|\btro ly\b"
    r"|ассистент\w{0,2}|помощник\w{0,2}|нейросет\w{1,2}|\bии\b|асистент|人工智能|助手|助理|アシスタント|인공지능|어시스턴트|비서|المساعد|مساعد|ذكاء اصطناعي|الذكاء|دستیار|सहायक|एआई|העוזר|עוזר|בינה מלאכותית|ผู้ช่วย"
)
ROLE_TOKEN = re.compile(
    r"<\|[^|>\n]{1,30}\|>|\[/?inst\]|<<\s?/?sys\s?>>|<(?:start|end)_of_turn>|<\s?/?\s?(?:system|assistant|developer|memory|chat|user_memory|instructions?|tool|tool_result|function_results?|function_calls?|system-reminder|system_message|admin|important)\s?[^>\n]{0,40}>"
    r"|^[\s>*_#\[({\"'\-=`/]{0,12}(?:system|developer|assistant|tool|function|memory|admin|root|platform|operator)(?: (?:message|prompt|note|notice|update|instruction|override|output|result|response|role|alert|log|says|module|agent|manager|keeper|override))?(?:\]|[\s*]{0,3}\*{2,3}|[\s*_\])}\"']{0,6}(?::|>|=>|→|\||—))"
    r"|^#{1,6}\s{0,3}(?:system|instructions?|assistant|developer|memory)\b|[\"'](?:role|author|from|type|speaker|source)[\"']\s{0,2}:\s{0,2}[\"'](?:system|assistant|developer|tool|memory|memory_update|user)[\"']"
    r"|-{3,}\s?(?:begin|end|start)[^-\n]{0,30}(?:system|instruction|memory|assistant|prompt|user input|user message|document)|={3,}\s?(?:system|instruction|memory|end of)|^\s{0,4}\[?(?:systemnachricht|systeme|sistema|система|系统|系統|システム|시스템|النظام|सिस्टम)(?: \w{1,12})?\]?\s{0,2}[:：]"
    r"|^\s{0,4}(?:human|user|owner)\s{0,2}:"
)
MEMORY_FORMAT = re.compile(
    r"^[\s>*`]{0,6}[-*•]?\s{0,3}\((?:m|b|id\s?)\d{1,6}\)\s|^\s{0,6}[-*•]\s[^\n]{4,300}\[\d{1,6}(?:,\s?\d{1,6}){0,5}\]\s{0,3}$|^\s{0,4}\[\d{1,6}\]\s{1,2}(?:user|assistant|system|human|owner)\s{0,2}:|[\"'](?:bullets|memories|memory|sources|spans|is_pinned|read_messages)[\"']\s{0,2}:\s{0,2}[\[{\"'\dt]"
    r"|[\"'](?:op|action|operation|tool|tool_name|name|function|event|cmd|command|method)[\"']\s{0,2}:\s{0,2}[\"'](?:\w{0,12}[._])?(?:add|save|store|write|update|set|remember|create|delete|forget|pin)?[._]?(?:memory|memories|remember|bio|profile|preference|forget)\w{0,10}[\"']"
    r"|\bmemor(?:y|ies)[_ -]{0,2}(?:update|write|add|save|store|set|insert|entry|log|append|put|patch|commit)\s{0,2}(?:>{1,3}|:|=|\(|\{|->|→|\||\])|\b(?:preference|user_fact|about_user|owner)\s?=\s?[\"']|\bsource\s?=\s?[\"']user"
)
_WHO = r"(?:(?:my|our|the|a|an|this|that|her|his|their) (?:\w{1,14} ){1,3}|(?:he|she|they|it) |[a-z]{2,14} )"
_TO_MEMORY = r"(?:keep (?:a )?(?:record|note)|make a note|write down|log|persist|remember(?! to\b)|memori[sz]e|note (?:down )?that|save|store|record|add|keep in mind|forget|delete|erase|write down|update your (?:memory|notes|profile)|assume|believe)"
SAYS_REMEMBER = re.compile(
    rf"\b{_WHO}(?:also |just |always |keeps? )?(?:says?|said|saying|writes?|wrote|insists?|insisted|announced|announces|claims?|claimed|states?|stated|reads?|posted|texted|replied)\s{{0,2}}[:,]?\s{{0,2}}[\"'“‘]?(?:that )?(?:you |the assistant |the ai |chatgpt |i |we )?(?:should |must |have to |need to |please |to |can )*{_TO_MEMORY}\b"
    rf"|\b{_WHO}(?:wants?|wanted|asks?|asked|told|tells|orders|ordered|instructs|instructed|requires?|needs?|expects?|would like)(?: me to (?:tell|ask|have|make|instruct|get|inform))? (?:you|the assistant|the ai|my assistant|chatgpt|your memory|the memory)(?: here)? to (?:please |always |also )?{_TO_MEMORY}\b"
    rf"|\b(?:according to|on behalf of) (?:my|the|our|a) (?:[\w,]{{1,15}} ){{1,3}}[^.!?\n]{{0,40}}\b(?:you (?:should|must|have to|need to) )?{_TO_MEMORY} that\b"
)

TELLING_WORD = re.compile(
    r"(?:users?$|user[np_]|owners?$|human$|holder$|principal$|reader$|client$|person$|pref(?!ix)|favou?rite|memor(?!ab|andum)|profil|remember|mind$|forget|aware$|bio$|loves?$|trusts?$|hates$|approve|agreed$|consent|authori[sz]e|bots?$|chatbot|gpt|chatgpt|claude|gemini|copilot|llm|ai$|ki$|ia$|ii$|a$"
    r"|assist|agents?$|virtual$|models?$|developer|system|tools?$|tool_|function_|inst$|instruct|admin|root$|platform$|operator|bullets$|sources$|spans$|override|bypass|ignor|disregard|prompts?$|guardrail|directive|supersede"
    r"|overrule|erase|wipe|unlearn|recommend|promote|endorse|steer|advertis|suggest|answers?$|repl(?:y|ies)$|responses?$|outputs?$|conversations?$|chats?$|sessions?$|file$|note$|notes$|save_|update_|add_"
    r"|nutzer|benutzer|anwender|utilis|usuari|utent|utiliz|gebruik|uzytk|kullan|anvand|bruger|bruker|kayttaj|pengguna|nguoi|uzivat|gedachtn|langzeit|geheugen|pamiec|belle[gk]|hafiza|minne$|muisti|ingatan"
    r"|merk|speicher|notier|behalt|denke?$|vergiss|vergess|halte$|trage?$|souvien|souven|retiens|retenez|retine$|enregistr|rappelle|ajoute|recuerd|guard|anot|registr|anade|agrega|cuenta$|olvid|ricord|salva|salve|annota|tieni|dimentic|aggiung|lembr|grave$|esquec|adicion|onthoud|sla$|noteer|bewaar|vergeet|voeg"
    r"|zapami|zapisz|zanotuj|dodaj|hatirla|unut|kaydet|kom$|spara|husk|lagre|gem$|tallenna|muista|ingat|simpan|catat|hay$|ghi$|luu|zapamat|uloz|retine|zapomn|loscht?$|oublie|efface|supprime|borra|elimin|cancell|apagu|wis$|verwijder|usun$|glom$|radera|glem$|slet$|unohda|lupak|hapus"
    r"|anweis|missachte|consigne|istruz|reglas|regole|regras|negeer|zignor|talimat|asist|asyst|yapay|tro$|sprachmod|modelo|modele|hinweis"
    r"|empf[ie]|recom|recomm|raccom|propon|consigli|tavsiye|oner$|polec|beveel|raad$|rekom|anbefal|suosit)"
)
"""A word without which no Latin sentence of interest is written; `TELLS` and `KEEPS` together are one, too."""

TELLS = re.compile(
    r"(?:say|said|write|wrote|insist|announc|claim|state[sd]?$|reads?$|post|texted|replied|want|ask|told|tell|order|require|need|expect|would$|accord|behalf)"
)
KEEPS = re.compile(
    r"(?:keep$|make$|write$|log$|persist|note|save|store|record|add$|delete|erase|update|assume|believe)"
)

TELLING_LETTERS = re.compile(
    '[\u0370-\u1fff\u3040-\u318f\u3400-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]|<|\\[inst|\\[/|\\(m\\d|\\[\\d|"role|"op|sys>'
)
"""Letters of other scripts, and signs of templates and of memories."""
