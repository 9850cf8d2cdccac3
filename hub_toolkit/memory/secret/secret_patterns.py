"""Forms of secrets and contact data: keys, passwords, numbers with a label, addresses."""

from __future__ import annotations

import re

from hub_toolkit.memory.any_case import AnyCase

_KEY_FORMS = (
    r"(?<![A-Za-z0-9])(?:sk|pk|rk|ghp|gho|ghu|ghs|ghr|glpat|hf|npm|pypi|dop_v1|shpat|shpss|sq0\w{3}|whsec|r8|gsk|xai|ls__?|key|tok|api)[-_][A-Za-z0-9_-]{8,300}",
    r"\bgithub_pat_\w{10,255}",
    r"\bxox[abeprs]-[A-Za-z0-9-]{8,250}",
    r"\b(?:AKIA|ASIA|AGPA|AIDA|AROA)[-_]?[A-Z0-9]{8,20}\b",
    r"\bAIza[\w-]{20,60}",
    r"\bya29\.[\w-]{10,300}",
    r"\bSG\.[\w-]{10,60}\.[\w-]{10,60}",
    r"\beyJ[\w-]{8,2000}\.[\w-]{4,4000}(?:\.[\w-]{0,2000})?",
    r"-----BEGIN [A-Z ]{0,30}(?:PRIVATE KEY|CERTIFICATE|MESSAGE)[A-Z ]{0,12}-----[^-]{0,6000}(?:-----END [A-Z ]{1,40}-----)?",
    r"\bssh-(?:rsa|ed25519|dss) AAAA[\w+/=]{10,3000}",
    r"\b(?:[Bb]earer|[Bb]asic) [\w.~+/=-]{16,500}",
    r"\b(?:AccountKey|SharedAccessKey|client_secret|aws_secret_access_key|SECRET_KEY|DATABASE_URL|API_KEY|TOKEN)\s{0,3}[=:]\s{0,3}\S{6,300}",
    r"\b0x[0-9a-fA-F]{40}\b|\b(?:bc1[a-z0-9]{20,70}|[13][a-km-zA-HJ-NP-Z1-9]{25,34})\b",
    r"\b[0-9a-fA-F]{32,128}\b",
    r"(?i:\b(?:seed|recovery|mnemonic|backup) (?:phrase|words?)\b)[^\n]{0,20}?(?:is|are|:|=) ?[a-z]+(?:[ ,]{1,2}[a-z]+){5,24}",
)
KEYS = re.compile("|".join(_KEY_FORMS))
TOKEN = re.compile(r"(?<![\w/.-])[A-Za-z0-9_+/=.~!-]{20,200}(?![\w/-])")

_SECRET_WORDS = (
    r"pass ?word|pass ?wort|passwd|pwd|pass ?code|pass ?phrase|kennwort|mot de passe|contrase(?:ñ|n)a|palabra clave|senha|parola d'ordine|"
    r"wachtwoord|has(?:ł|l)o|парол\w|密码|密碼|暗証番号|パスワード|비밀번호|كلمة (?:السر|المرور)|पासवर्ड|(?:ş|s)ifre\w{0,3}|wi-?fi (?:key|code|pass)|"
    r"(?:api|access|secret|private|encryption|licen[cs]e|product|security)[ _-]?(?:key|token)|security (?:answer|question)|master key|login|mother'?s maiden name"
)
_IS = r"(?:\s{0,2}(?::|=|->|→|是|为|は|는|은)\s{0,2}|\s{1,2}(?:is|was|are|to|will be|has been|ist|war|lautet|est|es|era|é|e|è|jest|это|है|:)\s{1,2}(?:still |now |just |really |currently |literally |called |set to |simply )?[\"'“«]?|\s{1,2}[\"'“«])"
_NO_VALUE = (
    r"(?!(?:not?|too|very|to|an?|the|that|so|weak|strong|expired?|wrong|incorrect|secure|easy|hard|in|on|at|stored|saved|safe|never|always|being|now|longer|"
    r"different|required|protected|forgotten|lost|gone|manager|policy|reset|something|what|where|how|why|when|only|long|short|old|new|my|your|our|for|and|"
    r"broken|working|due|important|changed|compromised|needed|because|since|by|with|page|screen|button|failed|rejected|kept|written|hidden)\b)"
)
PASSWORDS = AnyCase(
    rf"(?:{_SECRET_WORDS})(?: (?:for|of|on|at|to|für|de|del|pour|para) [^.\n:=]{{1,40}}?| there| here| again)?{_IS}{_NO_VALUE}[^\s\"”»]{{3,80}}(?:[^\S\n][\w-]{{2,20}}){{0,3}}",
)
PINS = AnyCase(
    r"\b(?:pin|cvv2?|cvc|otp|tan|puk|2fa|mfa|(?:security|verification|one[- ]time|door|gate|alarm|entry|access|unlock|lock|safe|garage|key ?pad|bike lock|locker|sim|bank|phone|card|login|"
    r"confirmation|authenti\w{3,9}|zugangs|t(?:ü|u)r)[ -]?(?:codes?|pin|combination|number))\b"
    r"(?: (?:code|number|nummer))?(?: (?:for|of|on|to) [^.\n:=]{1,30}?)?\W{0,3}(?:is|was|ist|est|es|to|:|=)?\W{0,3}(?:still |now |just )?#?(?P<value>\d(?:[ -]?\d){2,9})(?!\w|[.,]\d)",
)
CREDENTIAL_URLS = AnyCase(
    r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@]{1,100}:[^\s/@]{1,200}@\S{1,200}"
    r"|\bhttps?://\S{1,300}?[?&](?:token|key|sig|signature|access_token|api_?key|auth|password|secret|code|session)=[^\s&]{4,500}",
)
EMAILS = re.compile(
    r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}"
    r"|\b[\w.+-]{2,40} ?[\[({<]? ?\b(?:at|AT|@)\b ?[\])}>]? ?[\w-]{2,40} ?[\[({<]? ?\b(?:dot|DOT)\b ?[\])}>]? ?[a-z]{2,10}\b"
    r"|\b[\w.+-]{2,40} ?[\[({<] ?(?:at|AT|@) ?[\])}>] ?[\w.-]{4,60}"
)
HANDLES = AnyCase(
    r"\b(?:instagram|insta|twitter|telegram|snapchat|snap|discord|tiktok|whatsapp|signal|skype|mastodon|bluesky|threads|wechat|line id|handle|user ?name)\b[^.\n]{0,20}?(?:is|:|=|as|at)? ?@[\w.]{3,40}"
    r"|\b(?:my|i'm|i am|me|find me|dm me|add me)\b[^.\n]{0,30}?(?<!\w)@[A-Za-z][\w.]{2,40}",
)
_STREET = (
    r"Street|St|Road|Rd|Avenue|Ave|Lane|Ln|Drive|Dr|Court|Ct|Close|Crescent|Terrace|Place|Pl|Square|Sq|Boulevard|Blvd|Gardens|Grove|Mews|Parkway|Pkwy|Highway|Hwy|"
    r"Circle|Cir|Trail|Row|Quay|Wharf|Alley|Walk|Hill|Park|Rise|Way"
)
ADDRESSES = re.compile(
    rf"\b\d{{1,5}}[A-Za-z]?,? (?:(?:[NSEW]\.?|North|South|East|West) )?(?:[A-Z0-9][\w'’.-]{{0,25}} ){{1,3}}(?:{_STREET})\b(?! (?:of|in|and|for)\b [a-z])"
    r"|\b[A-ZÄÖÜ][\wäöüß.-]{1,30}(?:straße|strasse|str\.|weg|platz|allee|gasse|ring|ufer|damm|straat|laan|plein|gracht|kade|gatan|vägen|gade|vej|veien|katu)\s{1,2}(?:[Nn]r\.? ?)?\d{1,4} ?[a-h]?\b"
    r"|\b\d{1,4}(?: ?bis| ?ter)?,? (?:[Rr]ue|[Aa]venue|[Bb]oulevard|[Pp]lace|[Cc]hemin|[Ii]mpasse|[Aa]llée|[Qq]uai|[Cc]ours) (?:de |du |des |la |le |l'|d'){0,3}[A-ZÀ-Ý][\w'’-]{1,30}"
    r"|\b(?:[Cc]alle|[Cc]/|[Aa]venida|[Aa]vda\.?|[Pp]laza|[Pp]aseo|[Vv]ia|[Vv]iale|[Pp]iazza|[Cc]orso|[Rr]ua|[Tt]ravessa|[Pp]raça|[Aa]v\.) ?(?:de |da |do |dei |della |la |los ){0,2}[A-ZÀ-Ý][\w'’-]{1,30}(?: [A-ZÀ-Ý][\w'’-]{1,30}){0,2},? (?:n[.ºo°]{1,2} ?)?\d{1,4}\b"
    r"|\b(?:ul\.|ulica|ulicy|al\.|ул\.|улиц[аеы]|проспект|cadde\w{0,3}|sokak\w{0,3}) ?[^\W\d_][\w.-]{1,30}(?: [^\W\d_][\w.-]{1,30})?,? (?:д\. ?|no:? ?)?\d{1,4}\b"
    r"|\b(?:P\.? ?O\.? ?Box|[Pp]ostfach|[Aa]partado|BP) \d{1,6}\b"
    r"|\b(?:A[LKZR]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|PA|RI|S[CD]|T[NX]|UT|V[AT]|W[AIVY]),? \d{5}(?:-\d{4})?\b"
    r"|\b(?:A[BL]|B[ABDHLNRST]?|C[ABFHMORTVW]|D[ADEGHLNTY]|E[CHNX]?|F[KY]|G[LUY]?|H[ADGPRSUX]|I[GMPV]|JE|K[ATWY]|L[ADELNSU]?|M[EKL]?|N[EGNPRW]?|O[LX]|P[AEHLOR]|RG|RH|RM|S[AEGKLMNOPRSTWY]?|T[ADFNQRSW]|UB|W[ACDFNRSV]?|YO|ZE)\d[A-Z\d]? \d[ABD-HJLNP-UW-Z]{2}\b"
    r"|\b[ABCEGHJ-NPRSTVXY]\d[A-Z] \d[A-Z]\d\b"
    r"|(?<![\d.])-?\d{1,2}\.\d{4,10}°?,? ?-?\d{1,3}\.\d{4,10}(?![\d.])"
    r"|\d{1,4}丁目|\d{1,4}番地|[路街道]\d{1,5}[号號]|〒 ?\d{3}-?\d{4}"
    r"|\b(?i:zip|zip ?code|post ?code|postal code|plz|postleitzahl|code postal|código postal|cap)\b[^.\n]{0,12}?(?i:is|:|=|ist|est|es)? ?(?=[A-Z0-9]{0,4}\d)[A-Z0-9]{3,5}(?:[ -][A-Z0-9]{2,4})?\b"
)
_LABEL = (
    r"passport|pass(?:e?port)?nummer|reisepass|personalausweis|ausweis\w{0,8}|driv(?:er|ing)(?:'?s)? licen[cs]e|licen[cs]e|(?:licen[cs]e|number|registration) plates?|national insurance|social security|ssn|"
    r"sozialversicherung\w{0,8}|n(?:hs|ino)|tax(?:payer)?|steuer-?(?:id|nummer)?|itin|ein|member(?:ship)?|policy|patient|medical record|mrn|account|acct|konto\w{0,6}|cuenta|compte|sort code|routing|customer|"
    r"client|employee|staff|student|matric\w{0,10}|matrikel\w{0,8}|case|booking|reservation|confirmation|insurance|visa|green card|alien|aadhaar|pan|pesel|dni|nie|nif|nir|cpf|curp|rfc|bsn|cnp|imei|vin|badge|"
    r"personnummer|id|identity|identification|loyalty|frequent flyer|library|blue badge|gift card|card|debit|credit|serial|order|tracking|claim|prisoner|a-number"
)
LABELLED = AnyCase(
    rf"\b(?:{_LABEL})\b(?: card| account| plate)?[^.\n\d]{{0,18}}?(?:\b(?:numbers?|no|nr|num|code|id|is|ist|est|es|ends? (?:in|with))\b|[#:=№])[^\w\n]{{0,4}}(?:is |ist |: ?|ends in )?"
    r"(?P<value>(?=(?:[A-Za-z -]{0,8}\d){3})[A-Za-z0-9](?:[ -]?[A-Za-z0-9]){3,24})",
)
BIRTH_DATES = AnyCase(
    r"\b(?:born|birth(?:day|date)?|d\.?o\.?b|geboren|geburtstag|née?|nacid[oa]|naci|nat[oa]|nascid[oa])\b[^.\n]{0,25}?"
    r"(?:\d{1,2}(?:st|nd|rd|th)?[ ./-]{1,2}(?:\d{1,2}|[^\W\d_]{3,10}\.?)[ ./,-]{1,2}(?:\d{4}|\d{2})\b|\d{4}-\d{2}-\d{2}|[A-Z][a-z]{2,9} \d{1,2}(?:st|nd|rd|th)?,? \d{4})",
)
IPS = AnyCase(r"\b(?:ip|server|router|host)\b[^.\n]{0,25}?(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])")
CODES = re.compile(
    r"(?<![\w/.-])(?=[A-Z]{0,4}[A-Z0-9-]{0,12}\d)(?=[0-9-]{0,12}[A-Z])[A-Z0-9](?:-?[A-Z0-9]){7,24}(?![\w-])"
)
LONG_NUMBERS = re.compile(r"(?<![\w.,€$£¥-])\d{9,30}(?![\w%]|[.,]\d)")
DIGIT_GROUPS = re.compile(r"(?<![\w.,/-])\+?\(?\d(?:[ ().\u2010-\u2015/-]{0,2}\d){6,22}(?!\w|[.,]\d|%)")
LETTERED_IDS = re.compile(
    r"(?<![\w-])[A-Za-z]{0,6}\d[A-Za-z0-9](?:[ .-]?[A-Za-z0-9]){5,32}(?![\w-])|(?<![\w-])[A-Za-z]{2,6}\d{2}(?: ?[A-Za-z0-9]){5,32}(?![\w-])"
)
